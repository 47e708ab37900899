package scoring_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

// desk scores the cases of one tenant.
type desk struct {
	*salestest.World
	t      testing.TB
	tenant string
	scores *scoring.Scoring
	cases  map[uuid.UUID]scoring.Case
	hours  time.Duration // that its clock is ahead: a pass is done whenever the test asks for it
}

func deskOf(t testing.TB, w *salestest.World, tenant string) *desk {
	t.Helper()
	d := &desk{World: w, t: t, tenant: tenant, cases: map[uuid.UUID]scoring.Case{}, hours: time.Hour}
	d.scores = scoring.New(w.DB, func() time.Time { return time.Now().Add(d.hours) })
	return d
}

func (d *desk) ctx() context.Context {
	return auth.With(d.t.Context(), auth.Principal{Subject: "ann", Tenant: d.tenant})
}

func (d *desk) in(fn func(ctx context.Context, tx *pg.Tx) error) {
	d.t.Helper()
	ctx := d.ctx()
	if err := d.DB.Tx(ctx, d.tenant, func(tx *pg.Tx) error { return fn(ctx, tx) }); err != nil {
		d.t.Fatal(err)
	}
}

// save saves cases, new ones under new ids, and gives their ids.
func (d *desk) save(cases ...scoring.Case) []uuid.UUID {
	d.t.Helper()
	ids := make([]uuid.UUID, len(cases))
	for i := range cases {
		if cases[i].ID == uuid.Nil {
			cases[i].ID = uuid.Must(uuid.NewV7())
		}
		ids[i] = cases[i].ID
		d.cases[cases[i].ID] = cases[i]
	}
	d.in(func(ctx context.Context, tx *pg.Tx) error { return d.scores.Save(ctx, tx, cases...) })
	return ids
}

// change saves a case as fn leaves it.
func (d *desk) change(id uuid.UUID, fn func(c *scoring.Case)) {
	d.t.Helper()
	c := d.cases[id]
	fn(&c)
	d.save(c)
}

type move func(ctx context.Context, tx *pg.Tx, at time.Time, ids ...uuid.UUID) error

func (d *desk) close(how move, ids ...uuid.UUID) { d.closeAt(time.Now(), how, ids...) }

func (d *desk) closeAt(at time.Time, how move, ids ...uuid.UUID) {
	d.t.Helper()
	d.in(func(ctx context.Context, tx *pg.Tx) error { return how(ctx, tx, at, ids...) })
}

// score gives a score in percent, as lists show it.
func (d *desk) score(id uuid.UUID) string {
	d.t.Helper()
	var of *scoring.Scores
	d.in(func(_ context.Context, tx *pg.Tx) error {
		of = scoring.Of(tx, []uuid.UUID{id})
		return nil
	})
	return fmt.Sprintf("%.2f", float64(of.Get(id).Probability)/100)
}

// is fails the test where a case has another score.
func (d *desk) is(id uuid.UUID, want string) {
	d.t.Helper()
	if got := d.score(id); got != want {
		d.t.Errorf("the score is %s, want %s", got, want)
	}
}

// pass scores all open cases again.
func (d *desk) pass() {
	d.t.Helper()
	d.hours += time.Hour
	if _, err := d.scores.Pass(d.ctx(), d.tenant); err != nil {
		d.t.Fatal(err)
	}
}

// rebuild makes the counts anew.
func (d *desk) rebuild(start time.Time) scoring.Rebuilding {
	d.t.Helper()
	r, err := d.scores.AskRebuild(d.ctx(), start)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.scores.Rebuild(d.ctx(), d.tenant, r.ID); err != nil {
		d.t.Fatal(err)
	}
	if r, err = d.scores.Rebuilding(d.ctx(), r.ID); err != nil || r.State != "done" {
		d.t.Fatal(r, err)
	}
	return r
}

// counts gives all counts as text.
func (d *desk) counts() map[string]string {
	d.t.Helper()
	all, err := d.scores.Counts(d.ctx(), "", "", nil, 10_000)
	if err != nil {
		d.t.Fatal(err)
	}
	m := make(map[string]string, len(all))
	for _, c := range all {
		m[c.Team+"|"+c.Field+"|"+c.Value] = fmt.Sprintf("%.1f/%.1f", c.Won, c.Lost)
	}
	return m
}

// count fails the test where a count is another one: won/lost, or empty where there is to be none.
func (d *desk) count(team, field, value, want string) {
	d.t.Helper()
	if got := d.counts()[team+"|"+field+"|"+value]; got != want {
		d.t.Errorf("%s %s %s counts %s, want %s", team, field, value, got, want)
	}
}

// fields sets which fields make factors, and scores anew.
func (d *desk) fields(fields ...string) {
	d.t.Helper()
	if _, err := d.scores.SetFields(d.ctx(), fields, "*"); err != nil {
		d.t.Fatal(err)
	}
	d.pass()
}

// background does once what waits behind the scenes, of all tenants.
func (d *desk) background() {
	d.t.Helper()
	d.hours += time.Hour
	if err := d.scores.Background(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}
