package lead_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

// many fills the tenant pizza with 20,000 leads.
func (d *desk) many() {
	d.t.Helper()
	err := d.DB.Tx(d.t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO lead (tenant_id, id, state, name, company, job_title, email, phone, website, name_key, company_key, domain, country, language,
				industry, capture, source, campaign, team, owner, pipeline, stage, tags, custom, need, budget_currency, authority, qualified_by, lost_reason,
				before_state, customer_candidates, customer_checked_at, enquiries, enquired_at, captured_at, recorded_at, changed_at, version)
			SELECT 'pizza', ('01890000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'open', 'Name ' || n, 'Firm ' || n, '', 'n' || n || '@firm' || n % 500 || '.example',
				'+86138' || lpad(n::text, 8, '0'), '', 'name ' || n, 'firm ' || n, 'firm' || n % 500 || '.example', '', '', '', 'api', 'web', '', 'team' || n % 50,
				'', 'standard', '', ARRAY['t' || n % 100], '{}', '', '', '', '', '', '', '[]', now(), 1, now(), now(), now(), now(), 1
			FROM generate_series(1, 20000) AS n`)
		tx.Queue(`INSERT INTO lead_tag (tenant_id, tag, lead_id) SELECT 'pizza', 't' || n % 100, ('01890000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid
			FROM generate_series(1, 20000) AS n`)
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// analysed has the planner know the table as it is.
func (d *desk) analysed() {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.Database.AdminURL())
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(d.t.Context())) }()
	if _, err := conn.Exec(d.t.Context(), `ANALYZE lead, lead_tag`); err != nil {
		d.t.Fatal(err)
	}
}

// plan gives how the app role, under row level security, carries out a statement whose values it does not know.
func (d *desk) plan(sql string, args ...any) (text string) {
	d.t.Helper()
	err := d.DB.Tx(d.t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.PlanForAny()
		rows, err := tx.Query(d.t.Context(), "EXPLAIN (ANALYZE, TIMING OFF) "+sql, args...)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		text = strings.Join(lines, "\n")
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

// TestLeadsAreFoundByIndexes looks at plans under row level security, where a comparison that is not leakproof finds nothing by an index.
func TestLeadsAreFoundByIndexes(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.many()
	text := d.plan(lead.TwinsSQL, "pizza", []*uuid.UUID{nil}, []string{"n17@firm17.example"}, []string{"+8613800000017"}, []string{"firm17.example"}, 100)
	for _, index := range []string{"lead_email", "lead_phone", "lead_domain"} {
		if !strings.Contains(text, "using "+index) && !strings.Contains(text, "on "+index) || strings.Contains(text, "rows=20000") {
			t.Errorf("twins are not found by %s:\n%s", index, text)
		}
	}
	d.analysed()
	for name, c := range map[string]struct {
		filter lead.Filter
		index  string
	}{
		"all":            {lead.Filter{}, "lead_pkey"},
		"a team's":       {lead.Filter{Team: "team7"}, "lead_team"},
		"of a tag":       {lead.Filter{Tag: "t7"}, "lead_tag"},
		"of a beginning": {lead.Filter{Begins: "name 1234"}, "lead_name"},
		"of a company":   {lead.Filter{Begins: "firm 1234"}, "lead_company"},
	} {
		sql, args := lead.ListSQL("pizza", c.filter, 50)
		if text := d.plan(sql, args...); !strings.Contains(text, c.index) || strings.Contains(text, "Seq Scan on lead ") {
			t.Errorf("%s is not read by %s:\n%s", name, c.index, text)
		}
	}
}

func TestTheLikeliestLeadsComeFirst(t *testing.T) {
	t.Parallel()
	d := start(t)
	for n, source := range []string{"web", "web", "fair", "fair", "fair", "web"} { // web wins, a fair loses
		l := d.capture(http.StatusCreated, body{"name": fmt.Sprint(source, n), "source": source})
		if source == "fair" && n < 4 {
			d.do(http.StatusOK, l.LeadID, "lose", body{"reason": "no_need"})
		}
	}
	if err := d.bring("won,web,2026-01-01,2026-02-01\nwon,web,2026-01-01,2026-02-01\n"); err != nil {
		t.Fatal(err)
	}
	if err := scoring.New(d.DB, time.Now).Background(t.Context()); err != nil { // the service does it every second
		t.Fatal(err)
	}
	if got := d.list(d.Sales, url.Values{"order": {"score"}, "state": {"open"}}); !slices.Equal(got, []string{"web5", "web1", "web0", "fair4"}) {
		t.Errorf("got %v", got)
	}
	var page struct{ Items []leadView }
	d.Want(http.StatusOK, http.MethodGet, "/v1/leads?order=score&state=open", d.Sales, nil, &page)
	if first, end := page.Items[0].Score, page.Items[3].Score; first <= end || end < 0.01 || first > 99.99 {
		t.Errorf("scores from %v to %v", first, end)
	}
}

// bring imports a file of outcome, source, captured_at and closed_at.
func (d *desk) bring(rows string) error {
	d.t.Helper()
	var file strings.Builder
	file.WriteString("name,outcome,source,captured_at,closed_at\n")
	for n, row := range strings.Split(strings.TrimSpace(rows), "\n") {
		fmt.Fprintf(&file, "Old %d,%s\n", n, row)
	}
	if v := d.Ended(d.Upload("/v1/leads/imports", d.manager, url.Values{"format": {"csv"}}, file.String())); v.Rejected > 0 {
		return fmt.Errorf("%v", d.Rejections(v))
	}
	return nil
}

func TestLeadsAreUncheckedUntilAccountsWasAsked(t *testing.T) {
	t.Parallel()
	d := start(t)
	customer := newID()
	known := d.capture(http.StatusCreated, body{"name": "Known", "customer_id": customer})
	l := d.capture(http.StatusCreated, lily())
	unchecked := func() map[string]bool {
		all, err := lead.Unchecked(t.Context(), d.DB, 100)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, one := range all {
			ids[one.Tenant+" "+one.ID.String()] = true
		}
		return ids
	}
	if got := unchecked(); !got["pizza "+l.LeadID] || got["pizza "+known.LeadID] {
		t.Errorf("%v", got)
	}
	candidates := []lead.Candidate{{CustomerID: customer, Reasons: []string{"email"}}}
	ctx := auth.With(t.Context(), auth.Principal{Subject: "matching", Tenant: "pizza"})
	err := d.DB.Tx(ctx, "pizza", func(tx *pg.Tx) error {
		one, err := lead.Lock(ctx, tx, uuid.MustParse(l.LeadID))
		if err != nil {
			return err
		}
		lead.SetCustomerIn(tx, one, uuid.Nil, candidates, time.Now().UTC())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if unchecked()["pizza "+l.LeadID] {
		t.Error("it is to be asked of again")
	}
	if now := d.get(l.LeadID); now.Version != 1 {
		t.Errorf("what is known of it changed the lead: %+v", now)
	}
	d.Want(http.StatusOK, http.MethodPatch, "/v1/leads/"+l.LeadID, d.Sales, body{"email": "other@example.com"}, nil, "If-Match", `"1"`)
	if !unchecked()["pizza "+l.LeadID] {
		t.Error("with another address it is not asked of again")
	}
}
