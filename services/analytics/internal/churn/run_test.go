package churn_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

func TestCustomersAreScoredAndThoseAtRiskToldOf(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.customers("music", 400)
	w.customers("books", 60)
	token, books := w.Marketing, w.Token("marketing", "books")
	w.pass()
	require.Empty(t, w.runs(token).Items, "without a model there is nothing to do")
	require.Equal(t, "not_scored_yet", w.risk(token, ids[1]).Why)

	f := w.fitFacts(token, body{"source": "facts", "lambda": 1})
	require.Equal(t, 400, f.Model.Rows)
	require.Equal(t, w.day(91).Format(time.DateOnly), f.Model.Cutoff)
	require.Equal(t, 171, f.Model.Detail.Positive, "of the 200 who complained, all but each seventh went")
	require.Equal(t, 90, f.Model.Detail.Definition.HorizonDays)
	require.Greater(t, f.Model.Fit["auc"], 0.8)
	require.Zero(t, f.Model.Detail.LeftOut.Gone)

	w.use(token, f.Model.ID)
	w.pass()
	run := w.runs(token).Items[0]
	require.Equal(t, "done", run.State)
	require.Equal(t, 171, run.Gone, "who went has no risk any more")
	require.Equal(t, 229, run.Scored)
	require.Equal(t, 229, run.Changed)
	require.Positive(t, run.Raised)
	require.Empty(t, w.runs(books).Items)

	gone := w.risk(token, ids[2])
	require.False(t, gone.Enough)
	require.Equal(t, "gone", gone.Why)
	grumbles, calm := w.risk(token, ids[5]), w.risk(token, ids[1])
	require.True(t, grumbles.Enough && calm.Enough)
	require.Greater(t, grumbles.RiskPermille, calm.RiskPermille+200)
	require.True(t, grumbles.AtRisk)
	require.True(t, strings.HasPrefix(grumbles.Reasons[0].Code, "complaints"), "%v", grumbles.Reasons)
	require.Equal(t, "raises", grumbles.Reasons[0].Direction)
	require.Contains(t, grumbles.Reasons[0].Words, " is 1, which raises the risk", "counts are shown as they are")
	require.Equal(t, int64(1), grumbles.ModelVersion)
	require.Equal(t, w.now().Format(time.DateOnly), grumbles.AsOf)

	var page struct {
		Items      []riskOf
		NextCursor string `json:"next_cursor"`
	}
	var all []riskOf
	for cursor := ""; ; cursor = "&cursor=" + page.NextCursor {
		page.NextCursor, page.Items = "", nil
		w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/churn/customers?limit=7"+cursor, w.Sales, nil, &page)
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			break
		}
	}
	require.Len(t, all, run.Raised, "all who are above the threshold were told of, for the first time")
	seen := map[string]bool{}
	for i, r := range all {
		require.True(t, r.AtRisk && r.RiskPermille >= 600 && !seen[r.CustomerID])
		seen[r.CustomerID] = true
		require.True(t, i == 0 || all[i-1].RiskPermille >= r.RiskPermille)
	}
	events := w.EventsOf("ChurnRiskRaised", run.Raised)
	golden.JSON(t, "testdata/churn_risk_raised.json", events[0].Data)
	for _, e := range events {
		m := said(t, e.Data)
		require.True(t, seen[m["customerId"].(string)])
		require.Equal(t, m["customerId"], e.AggregateID)
		require.Equal(t, "churn-1", m["modelVersion"])
		require.NotEmpty(t, m["reasons"])
	}

	// The same day again: nothing changed, nobody is told of twice.
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/churn/runs", token, nil, nil)
	require.Equal(t, "run_open", w.Do(http.MethodPost, "/v1/analytics/churn/runs", token, nil).Code())
	w.pass()
	again := w.runs(token).Items[0]
	require.Equal(t, "done", again.State)
	require.Equal(t, 229, again.Scored)
	require.Zero(t, again.Changed)
	require.Zero(t, again.Raised)
	w.pass()
	require.Len(t, w.runs(token).Items, 2, "one a day is enough")

	require.Equal(t, http.StatusNotFound, w.Do(http.MethodGet, "/v1/analytics/churn/customers/"+ids[5].String(), books, nil).Status)
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/churn/customers?least_permille=1", books, nil, &page)
	require.Empty(t, page.Items)
}

func TestARiskThatRisesLaterIsToldOfThen(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.customers("music", 400)
	f := w.fitFacts(w.Marketing, body{"source": "facts", "lambda": 1})
	w.use(w.Marketing, f.Model.ID)
	w.pass()
	before, raised := w.risk(w.Marketing, ids[1]), w.runs(w.Marketing).Items[0].Raised
	require.False(t, before.AtRisk)
	require.Nil(t, before.ToldAt)
	w.Admin(`INSERT INTO live.fact_complaint (tenant_id, complaint_id, customer_id, registered_at) VALUES ('music', gen_random_uuid(), $1, $2)`, ids[1], w.now().Add(-time.Hour))
	w.ahead += 24 * time.Hour
	w.pass() // the run of the next day
	after, run := w.risk(w.Marketing, ids[1]), w.runs(w.Marketing).Items[0]
	require.True(t, after.AtRisk)
	require.NotNil(t, after.ToldAt)
	require.Equal(t, 1, run.Raised)
	events := w.EventsOf("ChurnRiskRaised", raised+1)
	m := said(t, events[len(events)-1].Data)
	for _, e := range events {
		if one := said(t, e.Data); one["customerId"] == ids[1].String() {
			m = one
		}
	}
	require.InDelta(t, before.RiskPermille, m["fromPermille"], 0)
	require.InDelta(t, after.RiskPermille, m["riskPermille"], 0)
	w.Admin(`DELETE FROM portrait WHERE customer_id = $1 AND churn_permille = $2`, ids[1], after.RiskPermille)
	require.Equal(t, http.StatusNotFound, w.Do(http.MethodGet, "/v1/analytics/churn/customers/"+ids[1].String(), w.Marketing, nil).Status,
		"an erased customer has no portrait, and no risk any more")
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/churn/runs", w.Marketing, nil, nil)
	w.pass()
	w.Admin(`DO $$ BEGIN IF EXISTS (SELECT FROM churn_risk r WHERE NOT EXISTS (SELECT FROM portrait p WHERE p.customer_id = r.customer_id)) THEN RAISE 'a risk of nobody'; END IF; END $$`)
}

func TestWhatCameAfterTheCutOffDoesNotShow(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.customers("music", 200)
	ask := body{"source": "facts", "lambda": 1}
	clean := w.fitFacts(w.Marketing, ask)
	// All who went complain, answer, send goods back and are written to, but after the cut-off: a model that saw it would know them all.
	var went []string
	for i, id := range ids {
		if i%2 == 0 && i%14 != 0 {
			went = append(went, id.String())
		}
	}
	w.Admin(`INSERT INTO live.fact_complaint (tenant_id, complaint_id, customer_id, registered_at) SELECT 'music', gen_random_uuid(), c::uuid, $2 FROM unnest($1::text[]) AS c`, went, w.day(80))
	w.Admin(`INSERT INTO live.fact_ticket (tenant_id, ticket_id, customer_id, opened_at) SELECT 'music', gen_random_uuid(), c::uuid, $2 FROM unnest($1::text[]) AS c`, went, w.day(80))
	w.Admin(`INSERT INTO live.fact_answer (tenant_id, answer_id, customer_id, survey_id, kind, score, touchpoint, answered_at)
		SELECT 'music', gen_random_uuid(), c::uuid, gen_random_uuid(), k, 1, '', $2 FROM unnest($1::text[]) AS c, unnest(ARRAY['csat', 'nps']) AS k`, went, w.day(80))
	w.Admin(`INSERT INTO live.fact_touch (tenant_id, touch_id, customer_id, campaign, touch, channel, origin, at)
		SELECT 'music', gen_random_uuid(), c::uuid, 'retention', '', '', 'retention', $2 FROM unnest($1::text[]) AS c`, went, w.day(80))
	w.Admin(`INSERT INTO live.fact_interaction (tenant_id, interaction_id, customer_id, channel, direction, touchpoint, outcome, duration_seconds, occurred_at)
		SELECT 'music', gen_random_uuid(), c::uuid, 'phone', 'inbound', '', '', 1, $2 FROM unnest($1::text[]) AS c`, went, w.day(80))
	w.Admin(`INSERT INTO live.fact_membership (tenant_id, membership_id, customer_id, started_at) SELECT 'music', gen_random_uuid(), c::uuid, $2 FROM unnest($1::text[]) AS c`, went, w.day(80))
	w.Admin(`INSERT INTO live.fact_return (tenant_id, return_id, order_id, currency, units, amount_minor, returned_at)
		SELECT 'music', gen_random_uuid(), o.order_id, 'USD', 1, 1000, $2 FROM live.fact_order o WHERE o.customer_id::text = ANY ($1)`, went, w.day(1))
	dirty := w.fitFacts(w.Marketing, ask)
	require.Equal(t, clean.Model.Params, dirty.Model.Params)
	require.Equal(t, clean.Model.Detail.Validation, dirty.Model.Detail.Validation)

	// The same before the cut-off does show.
	w.Admin(`INSERT INTO live.fact_ticket (tenant_id, ticket_id, customer_id, opened_at) SELECT 'music', gen_random_uuid(), c::uuid, $2 FROM unnest($1::text[]) AS c`, went, w.day(92))
	told := w.fitFacts(w.Marketing, ask)
	require.Greater(t, told.Model.Params["tickets_180_days"], 0.5)
	require.Greater(t, told.Model.Fit["auc"], 0.99)
}

func TestARunGoesOnWhereItWasKilled(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.customers("music", 400)
	f := w.fitFacts(w.Marketing, body{"source": "facts", "lambda": 1})
	// Many more who bought nothing, so that it takes several steps.
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id) SELECT 'music', gen_random_uuid() FROM generate_series(1, 6000)`)
	w.use(w.Marketing, f.Model.ID)
	ctx, kill := context.WithCancel(t.Context())
	// The worker dies after its first step: the second finds a row that it cannot change.
	w.Admin(`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF old.after_id <> '00000000-0000-0000-0000-000000000000' THEN RAISE 'killed'; END IF; RETURN new; END $$`)
	w.Admin(`CREATE TRIGGER die BEFORE UPDATE ON churn_run FOR EACH ROW EXECUTE FUNCTION die()`)
	require.Error(t, w.churn.Background(ctx))
	kill()
	half := w.runs(w.Marketing).Items[0]
	require.Equal(t, "running", half.State)
	w.Admin(`DROP TRIGGER die ON churn_run`)
	w.pass()
	require.Equal(t, half, w.runs(w.Marketing).Items[0], "it is left alone for a while")
	w.ahead += 10 * time.Minute
	w.pass()
	run := w.runs(w.Marketing).Items[0]
	require.Equal(t, half.ID, run.ID)
	require.Equal(t, "done", run.State)
	require.Equal(t, 229, run.Scored, "each customer once")
	require.Equal(t, 171, run.Gone)
	require.Len(t, w.EventsOf("ChurnRiskRaised", run.Raised), run.Raised)
}

func TestMergedCustomersAreScoredAsOne(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.customers("music", 400)
	f := w.fitFacts(w.Marketing, body{"source": "facts", "lambda": 1})
	w.use(w.Marketing, f.Model.ID)
	w.pass()
	require.True(t, w.risk(w.Marketing, ids[5]).AtRisk)
	// The one who complains turns out to be the calm one: their complaints are one customer's now.
	w.Admin(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('music', $1, $2, gen_random_uuid(), 1, 1)`, ids[5], ids[1])
	w.Admin(`DELETE FROM portrait WHERE customer_id = $1`, ids[5])
	w.ahead += 24 * time.Hour
	w.pass()
	one, other := w.risk(w.Marketing, ids[5]), w.risk(w.Marketing, ids[1])
	require.Equal(t, ids[1].String(), one.CustomerID)
	require.Equal(t, other, one)
	require.True(t, one.AtRisk)
}

func TestContractsThatEnd(t *testing.T) {
	t.Parallel()
	w := start(t)
	var settings map[string]any
	got := w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/churn/settings", w.Sales, nil, &settings)
	require.Equal(t, "silence", settings["kind"])
	in := body{"kind": "contract_end", "factor": 3, "min_days": 30, "newcomer_days": 90, "horizon_days": 60, "threshold_permille": 500, "jump_permille": 0}
	path := "/v1/analytics/churn/settings"
	require.Equal(t, http.StatusPreconditionRequired, w.Do(http.MethodPut, path, w.Marketing, in).Status)
	set := w.Want(http.StatusOK, http.MethodPut, path, w.Marketing, in, nil, "If-Match", got.Header.Get("ETag"))
	require.Equal(t, http.StatusPreconditionFailed, w.Do(http.MethodPut, path, w.Marketing, in, "If-Match", got.Header.Get("ETag")).Status)
	require.Equal(t, `"1"`, set.Header.Get("ETag"))
	require.NotEqual(t, "contract_end", w.Want(http.StatusOK, http.MethodGet, path, w.Token("marketing", "books"), nil, &settings).Body)
	require.Equal(t, "silence", settings["kind"], "of the other tenant")

	// Young contracts end, old ones are kept.
	for i := range 60 {
		id, began, ended := analyticstest.ID(), w.day(800-i), any(nil)
		if i%2 == 0 {
			began, ended = w.day(150-i), w.day(40)
		}
		w.Admin(`INSERT INTO portrait (tenant_id, customer_id) VALUES ('music', $1)`, id)
		w.Admin(`INSERT INTO live.fact_membership (tenant_id, membership_id, customer_id, started_at, ended_at) VALUES ('music', gen_random_uuid(), $1, $2, $3)`, id, began, ended)
	}
	f := w.fitFacts(w.Marketing, body{"source": "facts"})
	require.Equal(t, 60, f.Model.Rows)
	require.Equal(t, 30, f.Model.Detail.Positive)
	require.Negative(t, f.Model.Params["contract_days"])
	w.use(w.Marketing, f.Model.ID)
	w.pass()
	run := w.runs(w.Marketing).Items[0]
	require.Equal(t, 30, run.Scored)
}
