package lifecycle_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

func TestStagesAreProposedAndKept(t *testing.T) {
	t.Parallel()
	w := start(t)
	curious := w.customer("music", 30)
	loyal := w.customer("music", 700, 600, 540, 480, 420, 360, 300, 240, 180, 120, 60, 1)
	gone := w.customer("music", 700, 650, 640)
	w.customer("books", 10, 5)
	require.False(t, w.of(w.Marketing, loyal).Enough)
	w.run()

	r := w.of(w.Marketing, loyal)
	require.Equal(t, []string{"awareness " + w.date(700), "exploration " + w.date(600), "familiarity " + w.date(540), "loyalty " + w.date(420)}, r.path())
	require.Equal(t, "loyalty", r.Stage)
	require.Equal(t, []string{"regular_purchases"}, r.Reasons)
	require.Equal(t, "long_kept", r.Pattern)
	require.Equal(t, "awareness", w.of(w.Marketing, curious).Stage)
	require.Equal(t, "left_in_familiarity", w.of(w.Marketing, gone).Pattern)
	require.Equal(t, w.date(579), w.of(w.Marketing, gone).Since, "after 60 days of silence")

	events := w.EventsOf("LifecycleStageProposed", 4)
	seen := map[string]string{}
	for _, e := range events {
		m := said(t, e.Data)
		seen[m["customerId"].(string)] = m["stage"].(string)
		if m["customerId"] == loyal.String() {
			golden.JSON(t, "testdata/lifecycle_stage_proposed.json", e.Data)
		}
	}
	require.Equal(t, "loyalty", seen[loyal.String()], "where a customer is now is proposed, not every stage on the way")
	require.Equal(t, "separation", seen[gone.String()])
	w.Admin(`DO $$ BEGIN IF (SELECT count(*) FROM portrait p JOIN lifecycle_state l USING (tenant_id, customer_id) WHERE p.stage = l.stage) <> 4 THEN RAISE 'portraits differ'; END IF; END $$`)

	// The same again proposes nothing and adds nothing.
	before := w.of(w.Marketing, loyal)
	answer := w.again()
	require.Equal(t, "done", answer.State)
	require.Equal(t, 3, answer.Customers)
	require.Zero(t, answer.Proposed)
	require.Equal(t, before, w.of(w.Marketing, loyal))

	// The one who had gone buys again.
	w.buys("music", gone, 0, "shop")
	require.Equal(t, 1, w.again().Proposed)
	r = w.of(w.Marketing, gone)
	require.Equal(t, []string{"awareness " + w.date(700), "exploration " + w.date(650), "familiarity " + w.date(640), "separation " + w.date(579), "familiarity " + w.date(0)}, r.path())
	require.Equal(t, []string{"repeat_purchases", "came_back"}, r.Reasons)
	require.Equal(t, "open", r.Pattern)
	events = w.EventsOf("LifecycleStageProposed", 5)
	found := false
	for _, e := range events {
		m := said(t, e.Data)
		found = found || m["customerId"] == gone.String() && m["fromStage"] == "separation" && m["stage"] == "familiarity"
	}
	require.True(t, found)
	w.Admin(`SET ROLE ` + w.role() + `; DO $$ BEGIN UPDATE lifecycle_step SET stage = 'loyalty'; RAISE 'the history was changed'; EXCEPTION WHEN insufficient_privilege THEN END $$`)

	require.Equal(t, http.StatusNotFound, w.Do(http.MethodGet, "/v1/analytics/lifecycle/customers/"+loyal.String(), w.Token("marketing", "books"), nil).Status)
}

// role is the name of the role that the service has.
func (w *world) role() (name string) {
	w.t.Helper()
	err := w.DB.Pool().QueryRow(w.t.Context(), `SELECT current_user::text`).Scan(&name)
	require.NoError(w.t, err)
	return `"` + name + `"`
}

func TestWhatIsHeardLateAddsToTheHistoryAndChangesNothingInIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.customer("music", 400, 300)
	w.run()
	require.Equal(t, []string{"awareness " + w.date(400), "exploration " + w.date(300), "separation " + w.date(119)}, w.of(w.Marketing, id).path())
	// An order of before arrives now: the customer had come back in time, and is familiar and not gone.
	w.buys("music", id, 160, "shop")
	w.again()
	r := w.of(w.Marketing, id)
	require.Equal(t, []string{"awareness " + w.date(400), "exploration " + w.date(300), "separation " + w.date(119), "familiarity " + w.date(119)}, r.path())
	require.Equal(t, "open", r.Pattern)
	// It came back whole: it was none.
	w.Admin(`INSERT INTO live.fact_return (tenant_id, return_id, order_id, currency, units, amount_minor, returned_at)
		SELECT 'music', gen_random_uuid(), order_id, 'USD', 1, 1000, now() FROM live.fact_order WHERE customer_id = $1 AND placed_at > now() - interval '200 days'`, id)
	w.again()
	require.Equal(t, "separation", w.of(w.Marketing, id).Stage)
}

func TestWhoWasMergedAndTakenApartGoesOnFromItsHistory(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.customer("music", 400, 300)
	w.run()
	before := w.of(w.Marketing, id).path()
	w.Admin(`CREATE TABLE apart AS SELECT * FROM portrait WHERE customer_id = $1`, id)
	w.Admin(`DELETE FROM portrait WHERE customer_id = $1`, id) // it is another one's now
	w.again()
	w.Admin(`INSERT INTO portrait SELECT * FROM apart`)
	w.again()
	require.Equal(t, before, w.of(w.Marketing, id).path(), "nothing is seen twice")
	w.buys("music", id, 0, "shop")
	w.again()
	require.Equal(t, append(before, "familiarity "+w.date(0)), w.of(w.Marketing, id).path())
}

func TestANewCustomerDoesNotWaitForTheRun(t *testing.T) {
	t.Parallel()
	w := start(t)
	id, erased := w.customer("music", 0, 0), w.customer("music", 10)
	follow := func(customers ...uuid.UUID) {
		_, err := w.DB.Command(t.Context(), "music", func(tx *pg.Tx) (pg.Result, error) {
			events, err := w.stages.Follow(t.Context(), tx, customers, w.now())
			if err == nil {
				err = outbox.New("analytics").Append(t.Context(), tx, events...)
			}
			return pg.Result{}, err
		})
		require.NoError(t, err)
	}
	follow(id, erased)
	require.Equal(t, "exploration", w.of(w.Marketing, id).Stage)
	w.EventsOf("LifecycleStageProposed", 2)
	w.Admin(`DELETE FROM portrait WHERE customer_id = $1`, erased)
	follow(id, erased)
	require.Equal(t, http.StatusNotFound, w.Do(http.MethodGet, "/v1/analytics/lifecycle/customers/"+erased.String(), w.Marketing, nil).Status)
	var stages struct{ Stages []struct{ Customers int } }
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/stages", w.Marketing, nil, &stages)
	require.Equal(t, 0, stages.Stages[0].Customers)
	require.Equal(t, 1, stages.Stages[1].Customers)
}

func TestMergedCustomersAreOneRelationship(t *testing.T) {
	t.Parallel()
	w := start(t)
	one, other := w.customer("music", 300, 200), w.customer("music", 300, 100)
	w.run()
	require.Equal(t, "exploration", w.of(w.Marketing, other).Stage)
	w.Admin(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('music', $1, $2, gen_random_uuid(), 1, 1)`, one, other)
	w.Admin(`DELETE FROM portrait WHERE customer_id = $1`, one)
	w.again()
	a, b := w.of(w.Marketing, one), w.of(w.Marketing, other)
	require.Equal(t, a, b)
	require.Equal(t, other.String(), a.CustomerID)
	require.Equal(t, "familiarity", a.Stage)
	var curves survival
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/survival", w.Marketing, nil, &curves)
	require.Equal(t, 1, curves.Curves[0].N, "the one who was merged counts no more")
}

type survival struct {
	Enough bool
	Why    string
	AsOf   string `json:"as_of"`
	Curves []struct {
		Group                 string
		N, Ended              int
		Median                *float64
		MedianLow, MedianHigh *float64
		Points                []struct{ Time, Survival, Error, Low, High float64 }
	}
	Test *struct {
		Statistic, P float64
		Degrees      int
	} `json:"log_rank"`
}

func TestHowLongRelationshipsLast(t *testing.T) {
	t.Parallel()
	w := start(t)
	var curves survival
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/survival", w.Marketing, nil, &curves)
	require.False(t, curves.Enough)
	require.Equal(t, "nobody", curves.Why)
	// Ten who bought once, 400 days ago, and were gone 181 days later; ten who bought first 100 days ago, in the web, and are there.
	for range 10 {
		w.customer("music", 400, 400)
		w.buys("music", w.customer("music", 100), 100, "web")
	}
	w.customer("books", 400, 400)
	w.run()
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/survival", w.Marketing, nil, &curves)
	require.Len(t, curves.Curves, 1)
	c := curves.Curves[0]
	require.Equal(t, 20, c.N)
	require.Equal(t, 10, c.Ended)
	require.Equal(t, 100.0, c.Points[0].Time)
	require.Equal(t, 1.0, c.Points[0].Survival, "who is there after 100 days has not ended")
	require.Equal(t, 181.0, c.Points[1].Time)
	require.Zero(t, c.Points[1].Survival)
	require.Equal(t, 181.0, *c.Median)
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/survival?by=channel", w.Marketing, nil, &curves)
	require.Len(t, curves.Curves, 2)
	require.Equal(t, "web", curves.Curves[1].Group)
	require.Zero(t, curves.Curves[1].Ended)
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/survival?by=month&first_from="+w.date(101), w.Marketing, nil, &curves)
	require.Len(t, curves.Curves, 1)
	require.Equal(t, w.day(100).Format("2006-01"), curves.Curves[0].Group)
	require.Equal(t, 10, curves.Curves[0].N)
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/survival?first_to="+w.date(401), w.Marketing, nil, &curves)
	require.False(t, curves.Enough)

	var patterns struct {
		Decided, Open, None int
		Patterns            []struct {
			Pattern          string
			Customers        int
			Share, Low, High float64
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/patterns", w.Marketing, nil, &patterns)
	require.Equal(t, 10, patterns.Decided)
	require.Equal(t, 10, patterns.Open)
	require.Equal(t, "left_in_exploration", patterns.Patterns[0].Pattern)
	require.InDelta(t, 1, patterns.Patterns[0].Share, 1e-12)
	require.Less(t, patterns.Patterns[0].Low, 0.8)

	var stages struct {
		Enough bool
		Stages []struct {
			Stage     string
			Customers int
			Predicted int64 `json:"predicted_value_minor"`
			Length    struct {
				Spells, Ended int
				Median        *float64 `json:"median_days"`
			}
		}
	}
	w.Admin(`UPDATE portrait SET predicted_value_minor = 700 WHERE tenant_id = 'music' AND stage = 'exploration'`)
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/lifecycle/stages", w.Marketing, nil, &stages)
	exploring := stages.Stages[1]
	require.Equal(t, 10, exploring.Customers)
	require.Equal(t, int64(7000), exploring.Predicted)
	require.Equal(t, 20, exploring.Length.Spells)
	require.Equal(t, 10, exploring.Length.Ended)
	require.Equal(t, 181.0, *exploring.Length.Median)
	gone := stages.Stages[4]
	require.Equal(t, 10, gone.Customers)
	require.Nil(t, gone.Length.Median, "nobody came back yet")
}

func TestTheSurvivalOfATable(t *testing.T) {
	t.Parallel()
	w := start(t)
	rows, csv := []body{}, "Weeks,Relapse,Arm\n"
	for arm, weeks := range map[string][]float64{"6-MP": sixMP, "placebo": placebo} {
		for _, v := range weeks {
			rows = append(rows, body{"time": max(v, -v), "ended": v > 0, "group": arm})
			csv += fmt.Sprintf("%g,%s,%s\n", max(v, -v), map[bool]string{true: "yes", false: "0"}[v > 0], arm)
		}
	}
	var curves, uploaded survival
	w.Want(http.StatusOK, http.MethodPost, "/v1/analytics/survival", w.Marketing, body{"rows": rows}, &curves)
	require.Equal(t, "6-MP", curves.Curves[0].Group)
	require.Equal(t, 23.0, *curves.Curves[0].Median)
	require.Equal(t, 8.0, *curves.Curves[1].Median)
	require.InDelta(t, 16.793, curves.Test.Statistic, 5e-4)
	require.Equal(t, 1, curves.Test.Degrees)
	require.InDelta(t, 0.8571, curves.Curves[0].Points[0].Survival, 5e-5)
	require.InDelta(t, 0.0764, curves.Curves[0].Points[0].Error, 5e-5)
	w.Want(http.StatusOK, http.MethodPost, "/v1/analytics/survival?time=weeks&ended=relapse&group=arm", w.Marketing, csv, &uploaded, "Content-Type", "text/csv")
	require.Equal(t, curves, uploaded)
}

func TestOtherRulesMoveEverybody(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.customer("music", 100, 100, 70)
	w.run()
	require.Equal(t, "familiarity", w.of(w.Marketing, id).Stage)
	path := "/v1/analytics/lifecycle/settings"
	got := w.Want(http.StatusOK, http.MethodGet, path, w.Sales, nil, nil)
	in := body{"familiarity_purchases": 3, "loyalty_purchases": 5, "loyalty_tenure_days": 10, "satisfied_at": 4, "silence_factor": 10, "silence_min_days": 30, "silence_new_days": 90, "early_days": 100}
	set := w.Want(http.StatusOK, http.MethodPut, path, w.Marketing, in, nil, "If-Match", got.Header.Get("ETag"))
	require.Equal(t, http.StatusPreconditionFailed, w.Do(http.MethodPut, path, w.Marketing, in, "If-Match", got.Header.Get("ETag")).Status)
	require.Equal(t, `"1"`, set.Header.Get("ETag"))
	w.run()
	r := w.of(w.Marketing, id)
	require.Equal(t, "exploration", r.Stage)
	require.Len(t, r.Steps, 3, "what was seen before stays")
	require.Equal(t, "standard", map[bool]string{true: "standard"}[strings.Contains(string(w.Want(http.StatusOK, http.MethodGet, path, w.Token("marketing", "books"), nil, nil).Body), `"familiarity_purchases":2`)])
}

func TestARunGoesOnWhereItWasKilled(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.customer("music", 100, 50)
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id) SELECT 'music', gen_random_uuid() FROM generate_series(1, 4500)`)
	w.Admin(`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.customers > 3000 THEN RAISE 'killed'; END IF; RETURN new; END $$`)
	w.Admin(`CREATE TRIGGER die BEFORE UPDATE ON lifecycle_run FOR EACH ROW EXECUTE FUNCTION die()`)
	require.NoError(t, w.stages.Daily(t.Context()))
	require.Error(t, w.stages.Background(context.WithoutCancel(t.Context())))
	w.Admin(`DROP TRIGGER die ON lifecycle_run`)
	w.ahead += 10 * time.Minute
	w.run()
	w.Admin(`DO $$ BEGIN IF (SELECT count(*) FROM lifecycle_state) <> 4501 OR (SELECT sum(customers) FROM lifecycle_run) <> 4501 OR (SELECT count(*) FROM lifecycle_step) <> 4502
		THEN RAISE 'not each customer once'; END IF; END $$`)
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.customer("music", 10, 5)
	w.run()
	set := `{"familiarity_purchases":2,"loyalty_purchases":4,"loyalty_tenure_days":180,"satisfied_at":4,"silence_factor":3,"silence_min_days":60,"silence_new_days":180,"early_days":365}`
	for name, target := range map[string]badinput.Target{
		"settings": {Method: http.MethodGet, Path: "/v1/analytics/lifecycle/settings"},
		"customer": {Method: http.MethodGet, Path: "/v1/analytics/lifecycle/customers/" + id.String(), Owned: true},
		"stages":   {Method: http.MethodGet, Path: "/v1/analytics/lifecycle/stages"},
		"patterns": {Method: http.MethodGet, Path: "/v1/analytics/lifecycle/patterns"},
		"survival": {Method: http.MethodGet, Path: "/v1/analytics/lifecycle/survival?by=month"},
		"table":    {Method: http.MethodPost, Path: "/v1/analytics/survival", Body: `{"rows":[{"time":3,"ended":true,"group":"a"}]}`, Skip: []string{"a fraction: rows[0].time"}},
		"set":      {Method: http.MethodPut, Path: "/v1/analytics/lifecycle/settings", Body: set, Version: true, Header: http.Header{"If-Match": {`"0"`}}, Skip: []string{"a fraction: silence_factor"}},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Marketing
			badinput.Check(t, target)
		})
	}
	for _, c := range []struct {
		name, method, path string
		in                 any
		status             int
		code               string
	}{
		{"no rows", http.MethodPost, "/v1/analytics/survival", body{"rows": []any{}}, 422, "validation_failed"},
		{"a time below nothing", http.MethodPost, "/v1/analytics/survival", body{"rows": []any{body{"time": -1, "ended": true}}}, 422, "validation_failed"},
		{"an empty table", http.MethodPost, "/v1/analytics/survival", "", 400, "body_missing"},
		{"a header alone", http.MethodPost, "/v1/analytics/survival", "time,ended\n", 422, "not_enough_data"},
		{"no such column", http.MethodPost, "/v1/analytics/survival?time=weeks", "time,ended\n1,1\n", 422, "columns_missing"},
		{"a time that is none", http.MethodPost, "/v1/analytics/survival", "time,ended\nNaN,1\n", 422, "rows_invalid"},
		{"a time below nothing in a table", http.MethodPost, "/v1/analytics/survival", "time,ended\n-1,1\n", 422, "rows_invalid"},
		{"an end that is neither", http.MethodPost, "/v1/analytics/survival", "time,ended\n1,perhaps\n", 422, "rows_invalid"},
		{"an end that is missing", http.MethodPost, "/v1/analytics/survival", "time,ended\n1,\n", 422, "rows_invalid"},
		{"too many groups", http.MethodPost, "/v1/analytics/survival?group=g", "time,ended,g\n" + groups(101), 422, "too_many_groups"},
		{"a day that is none", http.MethodGet, "/v1/analytics/lifecycle/survival?first_from=2026-02-30", nil, 422, "validation_failed"},
		{"by what is not known", http.MethodGet, "/v1/analytics/lifecycle/survival?by=mood", nil, 422, "validation_failed"},
		{"loyal before familiar", http.MethodPut, "/v1/analytics/lifecycle/settings", strings.Replace(set, `"familiarity_purchases":2`, `"familiarity_purchases":9`, 1), 422, "validation_failed"},
		{"a run that is none", http.MethodGet, "/v1/analytics/lifecycle/runs/01890000-0000-7000-8000-0000000000aa", nil, 404, "run_not_found"},
		{"a customer that is none", http.MethodGet, "/v1/analytics/lifecycle/customers/01890000-0000-7000-8000-0000000000aa", nil, 404, "customer_not_found"},
	} {
		headers := []string{"If-Match", `"1"`}
		if text, csv := c.in.(string); csv && !strings.HasPrefix(text, "{") {
			headers = append(headers, "Content-Type", "text/csv")
		}
		answer := w.Do(c.method, c.path, w.Marketing, c.in, headers...)
		if answer.Status != c.status || answer.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", c.name, answer.Status, answer.Body, c.status, c.code)
		}
	}
	for _, path := range []string{"/v1/analytics/survival", "/v1/analytics/lifecycle/runs"} {
		require.Equal(t, http.StatusForbidden, w.Do(http.MethodPost, path, w.Sales, nil).Status, path)
	}
}

func groups(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "1,1,g%d\n", i)
	}
	return b.String()
}

func TestTheStageFollowsAPortraitThatIsReckoned(t *testing.T) {
	t.Parallel()
	w := start(t)
	portraits := portrait.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), w.now, w.stages.Follow)
	id := w.customer("music", 200, 150)
	due := func() {
		w.Admin(`INSERT INTO portrait_due (tenant_id, lane, customer_id) VALUES ('music', 0, $1)`, id)
		for n := 1; n > 0; {
			var err error
			n, err = portraits.Pass(t.Context())
			require.NoError(t, err)
		}
	}
	due()
	require.Equal(t, "exploration", w.of(w.Marketing, id).Stage)
	w.buys("music", id, 0, "shop")
	due()
	require.Equal(t, "familiarity", w.of(w.Marketing, id).Stage)
	w.EventsOf("LifecycleStageProposed", 2)
	w.Admin(`DO $$ BEGIN IF (SELECT stage FROM portrait WHERE purchase_days = 2) <> 'familiarity' THEN RAISE 'the portrait does not say it'; END IF; END $$`)
}
