package report_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/tickets"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/report"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

var thursday = time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)

func days(n float64) time.Time { return thursday.Add(-time.Duration(n * float64(24*time.Hour))) }

// books are a tenant's tickets as they stand, on a real database.
type books struct {
	*report.Reports
	t      *testing.T
	db     *pg.DB
	number int64
}

func open(t *testing.T) *books {
	t.Helper()
	db := pgtest.Database(t, tickets.Module().Source()).DB(pg.App)
	return &books{Reports: report.New(db, func() time.Time { return thursday }), t: t, db: db}
}

func (b *books) tx(tenant, sql string, args ...any) {
	b.t.Helper()
	require.NoError(b.t, b.db.Tx(b.t.Context(), tenant, func(tx *pg.Tx) error {
		tx.Queue(sql, append([]any{tenant}, args...)...)
		return nil
	}))
}

// ticket is one of a kind and status, opened at a time; what came after it is its history.
func (b *books) ticket(tenant, kind, status, agent, queue string, opened time.Time, reopened int, history ...string) (id uuid.UUID) {
	b.t.Helper()
	id = uuid.Must(uuid.NewV7())
	b.number++
	b.tx(tenant, `INSERT INTO ticket (tenant_id, id, version, number, kind, channel, subject, description, impact, urgency, priority, status, opened_at,
			changed_at, agent, queue, reopened)
		VALUES ($1, $2, 1, $3, $4, 'phone', 'x', '', 2, 2, 3, $5, $6, $6, $7, $8, $9)`, id, b.number, kind, status, opened, agent, queue, reopened)
	for i, what := range history {
		after, said := "", what
		if rest, is := strings.CutPrefix(what, "status "); is {
			said, after = "status", rest
		}
		b.tx(tenant, `INSERT INTO ticket_history (tenant_id, ticket_id, no, at, recorded_at, what, status, by_subject, priority) VALUES ($1, $2, $3, $4, $4, $5, $6, '', 3)`,
			id, i+1, opened.Add(time.Duration(i)*time.Hour), said, after)
	}
	return id
}

// measured is a round of a clock that ended.
func (b *books) measured(tenant, clock, state, agent, queue string, policy uuid.UUID, ended time.Time, difference int64) {
	b.t.Helper()
	b.tx(tenant, `INSERT INTO sla_measurement (tenant_id, ticket_id, clock, round, state, policy_id, policy_version, calendar_version, priority, agent, queue,
			started_at, due_at, done_at, ended_at, target_seconds, used_seconds, difference_seconds, final)
		VALUES ($1, gen_random_uuid(), $2, 1, $3, $4, 1, 0, 3, $5, $6, $7, $7, $7, $7, 3600, 3600 - $8::bigint, $8, false)`,
		clock, state, policy, agent, queue, ended, difference)
}

func TestHowServiceLevelsWereKept(t *testing.T) {
	t.Parallel()
	b := open(t)
	gold, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	b.tx("pizza", `INSERT INTO sla_policy VALUES ($1, $2, 1, 'Gold', 1, false, $3)`, gold, days(90))
	b.measured("pizza", "first_response", "met", "mei", "kitchen", gold, days(1), 600)
	b.measured("pizza", "first_response", "met", "mei", "kitchen", gold, days(2), 1200)
	b.measured("pizza", "first_response", "breached", "wang", "kitchen", other, days(8), -60)
	b.measured("pizza", "first_response", "cancelled", "wang", "door", other, days(1), 0)
	b.measured("pizza", "resolution", "breached", "wang", "door", other, days(40), -60) // before the span
	b.measured("music", "first_response", "breached", "mei", "kitchen", gold, days(1), -60)
	late := b.ticket("pizza", "enquiry", "open", "mei", "kitchen", days(3), 0)
	b.tx("pizza", `UPDATE ticket SET next_due_at = $3, next_clock = 'resolution', policy_id = $4 WHERE tenant_id = $1 AND id = $2`, late, days(1), gold)
	soon := b.ticket("pizza", "enquiry", "open", "mei", "kitchen", days(3), 0)
	b.tx("pizza", `UPDATE ticket SET next_due_at = $3, next_clock = 'resolution', policy_id = $4 WHERE tenant_id = $1 AND id = $2`, soon, days(-1), gold)

	span := report.Span{From: days(30), To: days(-30)}
	in := auth.With(t.Context(), auth.Principal{Subject: "wang", Tenant: "pizza"})
	for _, c := range []struct {
		by, per string
		want    string
	}{
		{"", "", "first_response    2 1 0 1 66.67 9.67; resolution    0 0 1 0 0.00 0.00"},
		{"agent", "", "first_response mei   2 0 0 0 100.00 15.00; first_response wang   0 1 0 1 0.00 -1.00; resolution mei   0 0 1 0 0.00 0.00"},
		{"queue", "", "first_response door   0 0 0 1  0.00; first_response kitchen   2 1 0 0 66.67 9.67; resolution kitchen   0 0 1 0 0.00 0.00"},
		{"", "week", "first_response   2026-11-16 0 1 0 0 0.00 -1.00; first_response   2026-11-23 2 0 0 1 100.00 15.00; resolution   2026-11-23 0 0 1 0 0.00 0.00"},
		{"agent", "month", "first_response mei  2026-11-01 2 0 0 0 100.00 15.00; first_response wang  2026-11-01 0 1 0 1 0.00 -1.00; resolution mei  2026-11-01 0 0 1 0 0.00 0.00"},
	} {
		found, err := b.Levels(in, span, c.by, c.per)
		require.NoError(t, err)
		var rows []string
		for _, row := range report.LevelTable(found).Rows {
			rows = append(rows, strings.Join(row, " "))
		}
		require.Equal(t, c.want, strings.Join(rows, "; "), "by %s per %s", c.by, c.per)
	}
	found, err := b.Levels(in, span, "policy", "")
	require.NoError(t, err)
	require.Equal(t, map[string]string{gold.String(): "Gold", other.String(): ""}, map[string]string{found[0].Group: found[0].Name, found[1].Group: found[1].Name})
}

func TestWhatIsOpenAndHowOldItIs(t *testing.T) {
	t.Parallel()
	b := open(t)
	for _, age := range []float64{0.5, 2, 5, 10, 31} {
		b.ticket("pizza", "enquiry", "open", "mei", "kitchen", days(age), 0)
	}
	b.ticket("pizza", "incident", "pending", "wang", "door", days(1), 0) // a day old: not under one
	b.ticket("pizza", "incident", "new", "", "door", days(0), 0)
	b.ticket("pizza", "incident", "resolved", "mei", "door", days(9), 0)
	b.ticket("music", "incident", "new", "", "door", days(0), 0)
	in := auth.With(t.Context(), auth.Principal{Subject: "wang", Tenant: "pizza"})
	found, err := b.Backlog(in, "queue")
	require.NoError(t, err)
	table := report.BacklogTable(found)
	require.Equal(t, "group open new pending on_hold overdue under_1_day 1_to_3_days 3_to_7_days 7_to_30_days over_30_days oldest_opened_at median_age_hours", strings.Join(table.Columns, " "))
	require.Equal(t, "kitchen 5 0 0 0 0 1 1 1 1 1 2026-10-26T09:30:00Z 120.00", strings.Join(table.Rows[0], " "))
	require.Equal(t, "door 2 1 1 0 0 1 1 0 0 0 2026-11-25T09:30:00Z 12.00", strings.Join(table.Rows[1], " "))
	all, err := b.Backlog(in, "")
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.EqualValues(t, 7, all[0].Open)
}

func TestFirstContactAndReopening(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.ticket("pizza", "enquiry", "resolved", "mei", "", days(3), 0, "opened", "public_reply", "status resolved")                                                        // at the first contact
	b.ticket("pizza", "enquiry", "closed", "mei", "", days(3), 0, "opened", "public_reply", "status resolved", "status closed")                                         // too
	b.ticket("pizza", "enquiry", "resolved", "mei", "", days(3), 0, "opened", "public_reply", "customer_contact", "status resolved")                                    // not
	b.ticket("pizza", "enquiry", "resolved", "wang", "", days(3), 1, "opened", "public_reply", "status resolved", "customer_contact", "status open", "status resolved") // reopened
	b.ticket("pizza", "enquiry", "open", "wang", "", days(3), 0, "opened", "public_reply")                                                                              // not resolved
	b.ticket("pizza", "enquiry", "resolved", "wang", "", days(60), 1, "opened", "status resolved", "status open", "status resolved")                                    // before
	b.ticket("pizza", "complaint", "resolved", "wang", "", days(3), 0, "opened", "status resolved")                                                                     // a complaint
	b.ticket("music", "enquiry", "resolved", "mei", "", days(3), 0, "opened", "status resolved")
	in := auth.With(t.Context(), auth.Principal{Subject: "wang", Tenant: "pizza"})
	found, err := b.Resolutions(in, report.Span{From: days(30), To: thursday}, "agent", "month")
	require.NoError(t, err)
	var rows []string
	for _, row := range report.ResolutionTable(found).Rows {
		rows = append(rows, strings.Join(row, " "))
	}
	require.Equal(t, []string{"mei 2026-11-01 3 2 66.67 0 0.00", "wang 2026-11-01 1 0 0.00 1 100.00"}, rows)
}

func TestTheParetoChartOfComplaints(t *testing.T) {
	t.Parallel()
	b := open(t)
	wei, li := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	complained := func(tenant, cause string, customer uuid.UUID, at time.Time) {
		id := b.ticket(tenant, "complaint", "open", "", "", at, 0)
		b.tx(tenant, `INSERT INTO complaint (tenant_id, id, version, ticket_id, number, customer_id, category, channel, stage, severity, unit, person, finding, cause,
				proposal, currency, cost_minor, approval, proposed_by, rounds, reminders, silent, outcome, registered_at, trace)
			VALUES ($1, $2, 1, $2, $3, $4, 'product', 'phone', 'registered', 0, '', '', '', $5, 0, '', 0, '', '', 0, 0, false, '', $6, '{}')`,
			id, fmt.Sprint(b.number), customer, cause, at)
	}
	for _, cause := range []string{"delivery", "delivery", "delivery", "price", "attitude", "attitude", "", ""} {
		complained("pizza", cause, wei, days(2))
	}
	complained("pizza", "delivery", li, days(2))
	complained("pizza", "price", li, days(90))
	complained("music", "price", li, days(2))
	b.tx("pizza", `INSERT INTO customer_alias VALUES ($1, $2, $3, $3, 1, 1)`, li, wei)
	in := auth.With(t.Context(), auth.Principal{Subject: "wang", Tenant: "pizza"})
	found, unknown, err := b.Causes(in, report.Span{From: days(30), To: thursday}, "cause")
	require.NoError(t, err)
	require.EqualValues(t, 2, unknown)
	require.Equal(t, []report.Cause{
		{Code: "delivery", Complaints: 4, Customers: 1, Share: 57.14, Cumulative: 57.14},
		{Code: "attitude", Complaints: 2, Customers: 1, Share: 28.57, Cumulative: 85.71},
		{Code: "price", Complaints: 1, Customers: 1, Share: 14.29, Cumulative: 100},
	}, found)
	require.Empty(t, report.Pareto(nil))
}

func TestReportsOverHTTPAndAsFiles(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	w.Register(uuid.NewString())
	var backlog struct {
		Items []struct {
			Group string
			Open  int
			Ages  []struct{ Age string }
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/ticket-reports/backlog?by=kind", w.Manager, nil, &backlog)
	require.Len(t, backlog.Items, 1)
	require.Equal(t, "complaint", backlog.Items[0].Group)
	require.Equal(t, "1 to 3 days", backlog.Items[0].Ages[1].Age)
	require.NoError(t, w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`UPDATE ticket SET agent = '=cmd|'' /C calc''!A0' WHERE tenant_id = 'pizza'`)
		return nil
	}))
	sheet := w.Do(http.MethodGet, "/v1/ticket-reports/backlog.csv?by=agent", w.Manager, nil)
	require.Equal(t, http.StatusOK, sheet.Status, "%s", sheet.Body)
	require.Contains(t, sheet.Header.Get("Content-Type"), "text/csv")
	rows, err := csv.NewReader(strings.NewReader(string(sheet.Body))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, "'=cmd|' /C calc'!A0", rows[1][0], "no spreadsheet calculates it")

	for path, list := range map[string]bool{"service-levels": true, "backlog": false, "resolutions": true, "complaint-causes": true} {
		for _, form := range []string{"", ".csv"} {
			at := "/v1/ticket-reports/" + path + form
			w.Want(http.StatusOK, http.MethodGet, at, w.Manager, nil, nil)
			w.Want(http.StatusForbidden, http.MethodGet, at, w.Agent, nil, nil)
			bad := []string{"?by=colour", "?by=agent&by=queue", "?colour=red"}
			if list {
				bad = append(bad, "?from=yesterday", "?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "?from=2020-01-01T00:00:00Z")
			}
			for _, query := range bad {
				answer := w.Do(http.MethodGet, at+query, w.Manager, nil)
				require.True(t, answer.Status == http.StatusUnprocessableEntity || answer.Status == http.StatusBadRequest, "%s%s: %d %s", at, query, answer.Status, answer.Body)
			}
		}
		t.Run(path, func(t *testing.T) {
			badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Manager, Method: http.MethodGet, Path: "/v1/ticket-reports/" + path})
		})
	}
}
