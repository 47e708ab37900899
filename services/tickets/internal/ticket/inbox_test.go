package ticket_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

// fill gives two tenants n tickets each: of every ten, one is closed, one has no deadline, and two have the same.
func fill(t *testing.T, w *ticketstest.World, n int) {
	t.Helper()
	w.AsSuperuser(t, `INSERT INTO ticket (tenant_id, id, version, number, kind, channel, customer_id, subject, description, impact, urgency, priority,
			status, queue, agent, opened_at, changed_at, next_due_at, next_clock)
		SELECT t, uuid_in(overlay(overlay(md5(t || n) placing '7' from 13) placing '8' from 17)::cstring), 1, n, 'enquiry', 'web', md5((n % 500)::text)::uuid, 'x', '',
			3, 3, 5, CASE n % 10 WHEN 0 THEN 'closed' WHEN 1 THEN 'pending' ELSE 'open' END, 'q' || n % 20, CASE WHEN n % 7 > 0 THEN 'a' || n % 5 ELSE '' END,
			timestamptz '2026-01-01', timestamptz '2026-01-01',
			CASE WHEN n % 10 > 1 THEN timestamptz '2026-01-02' + (n * 7919 % $1) / 2 * interval '1 second' END, CASE WHEN n % 10 > 1 THEN 'resolution' ELSE '' END
		FROM unnest('{pizza,music}'::text[]) t, generate_series(1, $1::integer) n`, n)
	w.AsSuperuser(t, `ANALYZE ticket`)
}

// inbox gives the whole inbox in pages, as number and deadline.
func inbox(w *ticketstest.World, token, query string) (all []string) {
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				Number string
				Due    *time.Time `json:"next_due_at"`
			}
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/tickets?sort=due&"+query+"&cursor="+cursor, token, nil, &page)
		for _, i := range page.Items {
			due := "none"
			if i.Due != nil {
				due = i.Due.UTC().Format(time.RFC3339)
			}
			all = append(all, due+" "+i.Number)
		}
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

func TestTheInboxShowsWhatIsDueFirst(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	fill(t, w, 200)
	due := func(lines []string) (out []string) {
		for _, l := range lines {
			out = append(out, strings.Fields(l)[0])
		}
		return out
	}
	for query, want := range map[string]int{
		"limit=7": 180, "limit=200": 180, "limit=1&queue=q3": 10, "limit=5&status=pending": 20, "limit=3&agent=a4": 34, "limit=2&unassigned=true": 26,
		"limit=4&kind=incident": 0, "limit=4&priority=5&queue=q3": 10, "limit=2&status=closed": 0,
		"limit=1&customer_id=eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3": 1, // md5 of 3
	} {
		all := inbox(w, w.Agent, query)
		if len(all) != want || !slices.IsSorted(due(all)) { // "none" comes after every year
			t.Errorf("%s: %d tickets, want %d; sorted by due: %v", query, len(all), want, slices.IsSorted(due(all)))
		}
		slices.Sort(all)
		if len(slices.Compact(all)) != len(all) {
			t.Errorf("%s: a ticket comes twice", query)
		}
	}
	if all := inbox(w, w.Token(auth.RoleAgent, "nobody"), "limit=7"); len(all) != 0 {
		t.Errorf("another tenant sees %d", len(all))
	}
	for _, cursor := range []string{"x", "bm9uZQ"} {
		if answer := w.Do(http.MethodGet, "/v1/tickets?sort=due&cursor="+cursor, w.Agent, nil); answer.Code() != "cursor_invalid" {
			t.Errorf("cursor %s: %d %s", cursor, answer.Status, answer.Body)
		}
	}
}

// TestTheInboxIsReadByItsIndexes explains the statements as the service sends them, under row level security.
func TestTheInboxIsReadByItsIndexes(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	fill(t, w, 20_000)
	somewhere := ticket.Due{At: time.Date(2026, 1, 2, 1, 0, 0, 0, time.UTC), ID: uuid.Must(uuid.NewV7())}
	for name, c := range map[string]struct {
		filter ticket.Filter
		after  ticket.Due
		index  string
	}{
		"the first page": {ticket.Filter{}, ticket.Due{}, "ticket_by_due"}, "a page in the middle": {ticket.Filter{}, somewhere, "ticket_by_due"},
		"a page without deadlines": {ticket.Filter{}, ticket.Due{ID: somewhere.ID}, "ticket_by_due"},
		"a queue":                  {ticket.Filter{Queue: "q3"}, ticket.Due{}, "ticket_by_queue"}, "a queue's middle": {ticket.Filter{Queue: "q3"}, somewhere, "ticket_by_queue"},
		"an agent": {ticket.Filter{Agent: "a4"}, ticket.Due{}, "ticket_by_agent"}, "an agent's middle": {ticket.Filter{Agent: "a4"}, somewhere, "ticket_by_agent"},
		"nobody's": {ticket.Filter{Unassigned: true}, somewhere, "ticket_by_agent"},
	} {
		plan := strings.Join(explain(t, w, c.filter, c.after), "\n")
		if strings.Contains(plan, "Seq Scan on ticket") || strings.Contains(plan, "Sort") || !strings.Contains(plan, "Index Scan using "+c.index) {
			t.Errorf("%s:\n%s", name, plan)
		}
		if name == "a page in the middle" && !strings.Contains(plan, "ROW(next_due_at, id) >") {
			t.Errorf("%s: the page's beginning is not looked up:\n%s", name, plan)
		}
	}
}

func explain(t *testing.T, w *ticketstest.World, f ticket.Filter, after ticket.Due) (plan []string) {
	t.Helper()
	err := w.DB.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.PlanForAny()
		sql, args := ticket.InboxStatement("pizza", f, after, 51)
		rows, err := tx.Query(t.Context(), "EXPLAIN "+sql, args...)
		if err == nil {
			plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
