package forecast_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/forecast"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

// office is a tenant whose forecasts have a clock that the test sets.
type office struct {
	*salestest.World
	t         testing.TB
	tenant    string
	now       time.Time
	forecasts *forecast.Forecasts
}

func officeOf(t testing.TB, w *salestest.World, tenant, at string) *office {
	t.Helper()
	o := &office{World: w, t: t, tenant: tenant}
	o.forecasts = forecast.New(w.DB, outbox.New("sales"), func() time.Time { return o.now })
	o.is(at)
	return o
}

// is sets the clock, in UTC.
func (o *office) is(at string) { o.now = day(o.t, at) }

func day(t testing.TB, at string) time.Time {
	t.Helper()
	for _, form := range []string{"2006-01-02", "2006-01-02 15:04"} {
		if parsed, err := time.Parse(form, at); err == nil {
			return parsed
		}
	}
	t.Fatalf("%q is no time", at)
	return time.Time{}
}

// as is somebody who sees all.
func (o *office) as() context.Context {
	return auth.With(o.t.Context(), auth.Principal{Subject: "mia", Tenant: o.tenant, Roles: []string{auth.RoleManager}})
}

func (o *office) in(fn func(tx *pg.Tx) error) {
	o.t.Helper()
	if err := o.DB.Tx(o.as(), o.tenant, fn); err != nil {
		o.t.Fatal(err)
	}
}

// deal is an opportunity of a test.
type deal struct {
	pipeline, stage, team, owner, currency, close, category string
	amount                                                  int64
}

// opens makes an opportunity that was opened at the present moment.
func (o *office) opens(d deal) uuid.UUID {
	o.t.Helper()
	if d.pipeline == "" {
		d.pipeline = "standard"
	}
	if d.currency == "" {
		d.currency = "CNY"
	}
	id := uuid.Must(uuid.NewV7())
	o.in(func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO opportunity (tenant_id, id, version, customer_id, name, pipeline, stage, state, currency, amount_minor, expected_close_on, next_step,
				next_step_since, owner, team, source, campaign, forecast_category, tags, custom_fields, score_fields, opened_at, stage_since, reason, competitor,
				stalled_reason, stalls, moves, changed_at, changed_by)
			VALUES ($1, $2, 1, $2, '', $3, $4, 'open', $5, $6, nullif($7, '')::date, '', $8, $9, $10, '', '', nullif($11, ''), '{}', '{}', '{}', $8, $8, '', '', '', 0, 1, $8, 'test')`,
			o.tenant, id, d.pipeline, d.stage, d.currency, d.amount, d.close, o.now, d.owner, d.team, d.category)
		tx.Queue(`INSERT INTO opportunity_stage (tenant_id, opportunity_id, no, pipeline, stage, state, entered_at, by_subject, previous_stage, previous_state, previous_seconds)
			VALUES ($1, $2, 1, $3, $4, 'open', $5, 'test', '', '', 0)`, o.tenant, id, d.pipeline, d.stage, o.now)
		return nil
	})
	return id
}

// becomes takes an opportunity to another state at the present moment.
func (o *office) becomes(id uuid.UUID, state string) {
	o.t.Helper()
	o.in(func(tx *pg.Tx) error {
		tx.Queue(`UPDATE opportunity SET state = $3, closed_at = CASE WHEN $3 = 'open' THEN NULL ELSE $4::timestamptz END, reason = CASE WHEN $3 = 'lost' THEN 'price' ELSE '' END,
			moves = moves + 1 WHERE tenant_id = $1 AND id = $2`, o.tenant, id, state, o.now)
		tx.Queue(`INSERT INTO opportunity_stage (tenant_id, opportunity_id, no, pipeline, stage, state, entered_at, by_subject, previous_stage, previous_state, previous_seconds)
			SELECT tenant_id, id, moves, pipeline, stage, state, $3, 'test', stage, '', 0 FROM opportunity WHERE tenant_id = $1 AND id = $2`, o.tenant, id, o.now)
		return nil
	})
}

// set changes a column of an opportunity.
func (o *office) set(id uuid.UUID, column string, value any) {
	o.t.Helper()
	o.in(func(tx *pg.Tx) error {
		tx.Queue(`UPDATE opportunity SET `+column+` = $3 WHERE tenant_id = $1 AND id = $2`, o.tenant, id, value)
		return nil
	})
}

// take takes a snapshot by hand.
func (o *office) take() forecast.Snapshot {
	o.t.Helper()
	s, err := o.forecasts.Take(o.as())
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

// week takes the snapshot of the present week.
func (o *office) week() bool {
	o.t.Helper()
	taken, err := o.forecasts.TakeWeek(auth.With(o.t.Context(), auth.Principal{Subject: "schedule:test"}), o.tenant)
	if err != nil {
		o.t.Fatal(err)
	}
	return taken
}
