package value_test

import (
	"context"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/value"
)

// order stores an order as a fact.
func (w *world) order(tenant string, customer uuid.UUID, at time.Time, cents int64) uuid.UUID {
	w.t.Helper()
	id := analyticstest.ID()
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at) VALUES ($1, $2, $3, 'shop', 'USD', 1, $4, $5)`,
		tenant, id, customer, cents, at)
	w.Admin(`INSERT INTO live.fact_as_of (tenant_id, topic, slot, newest_at) VALUES ($1, 'test', 0, $2) ON CONFLICT (tenant_id, topic, slot) DO UPDATE SET newest_at = excluded.newest_at`, tenant, at)
	w.Admin(`INSERT INTO analytics_settings (tenant_id, currency, updated_at) VALUES ($1, 'USD', now()) ON CONFLICT DO NOTHING`, tenant)
	return id
}

// shoppers makes n customers with some orders each up to the world's day, and their portraits.
func (w *world) shoppers(tenant string, n int) []uuid.UUID {
	w.t.Helper()
	today := w.Now().Truncate(24 * time.Hour)
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = analyticstest.ID()
		for k := range 1 + i%4 {
			w.order(tenant, ids[i], today.AddDate(0, 0, -300+i+40*k), int64(1000+300*(i%5)+90*k))
		}
	}
	w.portraits(tenant, ids...)
	return ids
}

// score is what a run wrote into a portrait.
type score struct {
	Predicted, Realised *int64
	Purchases, Alive    *float64
}

func (w *world) scores(tenant string) map[uuid.UUID]score {
	w.t.Helper()
	out := map[uuid.UUID]score{}
	require.NoError(w.t, w.DB.Read(w.t.Context(), tenant, func(tx *pg.Tx) error {
		rows, err := tx.Query(w.t.Context(), `SELECT customer_id, predicted_value_minor, realised_value_minor, expected_purchases, p_alive FROM portrait WHERE tenant_id = $1`, tenant)
		if err != nil {
			return err
		}
		var id uuid.UUID
		var sc score
		_, err = pgx.ForEachRow(rows, []any{&id, &sc.Predicted, &sc.Realised, &sc.Purchases, &sc.Alive}, func() error {
			out[id] = sc
			return nil
		})
		return err
	}))
	return out
}

// as is the context of somebody of the tenant who may define and fit.
func (w *world) as(tenant string) context.Context {
	return auth.With(w.t.Context(), auth.Principal{Tenant: tenant, Subject: "marketing@" + tenant, Roles: []string{auth.RoleMarketing}})
}

// use fits models to facts and puts them to use.
func (w *world) use(tenant string, kinds ...string) {
	w.t.Helper()
	token := w.Token("marketing", tenant)
	for _, kind := range kinds {
		var f fitted
		request := body{"source": "facts", "cutoff": w.Now().Format(time.DateOnly)}
		w.Want(http.StatusOK, http.MethodPost, "/v1/models/"+kind+"/fit", token, request, &f)
		used, err := w.models.Use(w.as(tenant), uuid.MustParse(f.Model.ID))
		require.NoError(w.t, err)
		require.True(w.t, used.InUse)
	}
}

// worth is the explained value of a customer.
type worth struct {
	Realised struct {
		ValueMinor                                                                            int64  `json:"value_minor"`
		WonOn                                                                                 string `json:"won_on"`
		AcquisitionMinor, RevenueMinor, GoodsMinor, ServiceMinor, RemediesMinor, TouchesMinor int64
		Months                                                                                []value.Month
	}
	Predicted struct {
		ValueMinor          *int64 `json:"value_minor"`
		Missing, Models     string
		Frequency           int64
		PAlive              *float64 `json:"p_alive"`
		ExpectedPurchases   *float64 `json:"expected_purchases"`
		DiscountedPurchases *float64 `json:"discounted_purchases"`
		ExpectedSpendMinor  *float64 `json:"expected_spend_minor"`
	}
	Settings struct{ Margin float64 }
}

type equity struct {
	Items []struct {
		AsOf                         string `json:"as_of"`
		Customers, Buyers, Predicted int64
		PredictedMinor               int64 `json:"predicted_minor"`
		RealisedMinor                int64 `json:"realised_minor"`
		NewMinor                     int64 `json:"new_minor"`
		RaisedMinor                  int64 `json:"raised_minor"`
		LoweredMinor                 int64 `json:"lowered_minor"`
		GoneMinor                    int64 `json:"gone_minor"`
	}
}

func TestARunValuesEveryCustomerByTheModelsInUse(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.shoppers("music", 60)
	never := analyticstest.ID()
	w.portraits("music", never)
	w.shoppers("pizza", 20)
	w.use("music", "bgnbd", "gamma-gamma")
	w.values.Chunks(7)
	require.NoError(t, w.values.Daily(t.Context()))
	require.NoError(t, w.values.Background(t.Context()))

	got := w.scores("music")
	require.Len(t, got, 61)
	require.Nil(t, got[never].Predicted, "who never bought cannot be foretold")
	require.EqualValues(t, 0, *got[never].Realised)
	var sum, realised int64
	for i, id := range ids {
		s := got[id]
		var one worth
		w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/customers/"+id.String(), w.Sales, nil, &one)
		require.Equal(t, one.Predicted.ValueMinor, s.Predicted)
		require.Equal(t, one.Realised.ValueMinor, *s.Realised)
		require.Equal(t, i%4 == 0, s.Alive == nil, "not defined without a purchase day after the first")
		require.InDelta(t, *one.Predicted.ExpectedPurchases, *s.Purchases, 1e-4*(1+*s.Purchases))
		require.EqualValues(t, i%4, one.Predicted.Frequency)
		require.Equal(t, "bgnbd/1+gamma-gamma/1", one.Predicted.Models)
		require.Less(t, *one.Predicted.DiscountedPurchases, *one.Predicted.ExpectedPurchases)
		require.Equal(t, int64(math.Round(*one.Predicted.ExpectedSpendMinor**one.Predicted.DiscountedPurchases)), *s.Predicted)
		sum += *s.Predicted
		realised += *s.Realised
	}
	require.Positive(t, sum)
	for _, s := range w.scores("pizza") {
		require.Nil(t, s.Predicted, "another tenant has no model")
		require.Positive(t, *s.Realised)
	}
	var e equity
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/equity?to=2999-01-01", w.Sales, nil, &e)
	require.Len(t, e.Items, 1)
	require.Equal(t, []int64{61, 60, 60, sum, realised, sum, 0, 0, 0}, []int64{
		e.Items[0].Customers, e.Items[0].Buyers, e.Items[0].Predicted, e.Items[0].PredictedMinor, e.Items[0].RealisedMinor, e.Items[0].NewMinor,
		e.Items[0].RaisedMinor, e.Items[0].LoweredMinor, e.Items[0].GoneMinor,
	})
	table := w.fit("bgnbd", body{"rows": rows(60)})
	answer := w.Do(http.MethodPost, "/v1/models/"+table.Model.ID+"/use", w.Marketing, nil)
	require.Equal(t, http.StatusConflict, answer.Status)
	require.Equal(t, "model_of_table", answer.Code(), "who knows in which unit its times are?")
	var spread struct {
		Without int64
		Tenths  []struct {
			Customers int64
			Sum       int64 `json:"sum_minor"`
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/distribution?value=predicted", w.Sales, nil, &spread)
	require.EqualValues(t, 1, spread.Without)
	require.Len(t, spread.Tenths, 10)
	total := int64(0)
	for i, tenth := range spread.Tenths {
		total += tenth.Sum
		require.EqualValues(t, 6, tenth.Customers)
		require.True(t, i == 0 || tenth.Sum <= spread.Tenths[i-1].Sum)
	}
	require.Equal(t, sum, total)

	told := 0
	for _, event := range w.Events(63) {
		if event.Type == "guanxi.analytics.events.v1.CustomerScored" && event.Tenant == "music" {
			told++
			golden.JSON(t, "testdata/customer_scored.json", event.Data)
		}
	}
	require.Equal(t, 60, told, "each is told once")
}

func TestValuesAreToldWhenTheyChangeByATenthAndEquityKnowsWhatMovedIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.shoppers("music", 40)
	w.use("music", "bgnbd", "gamma-gamma")
	require.NoError(t, w.values.Daily(t.Context()))
	require.NoError(t, w.values.Background(t.Context()))
	first := w.scores("music")
	events := len(w.Events(42))

	// A day later one customer bought again, one is no customer any more, one is new.
	w.At(w.Now().Add(24 * time.Hour))
	w.order("music", ids[5], w.Now(), 9000)
	w.Admin(`DELETE FROM portrait WHERE customer_id = $1`, ids[6])
	fresh := analyticstest.ID()
	w.order("music", fresh, w.Now(), 2000)
	w.portraits("music", fresh)
	require.NoError(t, w.values.Daily(t.Context()))
	require.NoError(t, w.values.Background(t.Context()))
	second := w.scores("music")
	require.Greater(t, *second[ids[5]].Predicted, *first[ids[5]].Predicted)
	require.Greater(t, *second[ids[5]].Realised, *first[ids[5]].Realised)

	var changed, want [4]int64 // new, raised, lowered, gone
	tenths := 0
	for id, s := range second {
		was, there := first[id]
		switch {
		case !there:
			want[0] += *s.Predicted
			tenths++
			continue
		case *s.Predicted > *was.Predicted:
			want[1] += *s.Predicted - *was.Predicted
		default:
			want[2] += *was.Predicted - *s.Predicted
		}
		if change := math.Abs(float64(*s.Predicted - *was.Predicted)); change > 0 && 10*change >= float64(*was.Predicted) {
			tenths++
		}
	}
	want[3] = *first[ids[6]].Predicted
	var e equity
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/equity?per=day&to=2999-01-01", w.Sales, nil, &e)
	require.Len(t, e.Items, 2)
	day := e.Items[1]
	changed = [4]int64{day.NewMinor, day.RaisedMinor, day.LoweredMinor, day.GoneMinor}
	require.Equal(t, want, changed)
	require.Equal(t, e.Items[0].PredictedMinor+want[0]+want[1]-want[2]-want[3], day.PredictedMinor)
	require.Len(t, w.Events(events+tenths), events+tenths, "only what changed by a tenth is told")

	// The same day again changes nothing, and tells nothing.
	_, err := w.values.Start(w.as("music"), w.Now().Truncate(24*time.Hour))
	require.NoError(t, err)
	require.NoError(t, w.values.Daily(t.Context()))
	require.NoError(t, w.values.Background(t.Context()))
	require.Equal(t, second, w.scores("music"))
	var again equity
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/equity?per=day&to=2999-01-01", w.Sales, nil, &again)
	require.Equal(t, e, again)
	require.Len(t, w.Events(events+tenths), events+tenths)

	// Of a day that is over only customer equity is reckoned.
	past := w.Now().Truncate(24*time.Hour).AddDate(0, 0, -200)
	_, err = w.values.Start(w.as("music"), past)
	require.NoError(t, err)
	require.NoError(t, w.values.Daily(t.Context()))
	require.NoError(t, w.values.Background(t.Context()))
	require.Equal(t, second, w.scores("music"))
	require.Len(t, w.Events(events+tenths), events+tenths)
	var back struct{ Items []map[string]any }
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/equity?per=day&to="+past.Format(time.DateOnly), w.Sales, nil, &back)
	require.Len(t, back.Items, 1)
	require.Nil(t, back.Items[0]["new_minor"])
	require.Positive(t, back.Items[0]["predicted_minor"])
	require.Less(t, back.Items[0]["realised_minor"], float64(day.RealisedMinor))
	w.At(w.Now().Add(24 * time.Hour)) // and what moved it from day to day is known as before
	require.NoError(t, w.values.Daily(t.Context()))
	require.NoError(t, w.values.Background(t.Context()))
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/equity?per=day&to=2999-01-01", w.Sales, nil, &again)
	require.Len(t, again.Items, 4)
	next := again.Items[3]
	require.Equal(t, day.PredictedMinor+next.NewMinor+next.RaisedMinor-next.LoweredMinor-next.GoneMinor, next.PredictedMinor)

	var runs struct {
		Items []struct {
			State                    string
			Customers, Changed, Told int64
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/runs", w.Sales, nil, &runs)
	require.Equal(t, "done", runs.Items[2].State)
	require.EqualValues(t, 40, runs.Items[2].Customers)
	require.Zero(t, runs.Items[2].Changed)
	require.Zero(t, runs.Items[2].Told)
}

func TestARunGoesOnAfterAKillAndBeginsAnewByNewSettings(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.shoppers("music", 30)
	w.use("music", "bgnbd", "gamma-gamma")
	w.values.Chunks(7)
	for n := range 5 {
		require.Error(t, w.values.BackgroundKilled(t.Context(), n), "killed in step %d", n)
		w.At(w.Now().Add(time.Hour / 12))
	}
	require.NoError(t, w.values.Daily(t.Context()))
	require.NoError(t, w.values.Background(t.Context()))
	whole := w.scores("music")
	for id, s := range whole {
		require.NotNil(t, s.Predicted, id)
	}
	require.Len(t, w.Events(32), 32, "nobody is told of twice")

	// Half of a run by one setting, half by another: it begins anew.
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/value/runs", w.Marketing, nil, nil)
	require.Error(t, w.values.BackgroundKilled(t.Context(), 2))
	half := body{"margin": 0.5, "tax": 0, "annual_rate": 0.1, "horizon_months": 36, "purchase_model": "bgnbd", "ticket_minor": 0, "acquisition_minor": 0}
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/value/settings", w.Marketing, half, nil, "If-Match", `"0"`)
	w.At(w.Now().Add(time.Hour / 12))
	require.NoError(t, w.values.Daily(t.Context()))
	require.NoError(t, w.values.Background(t.Context()))
	var sum int64
	for id, s := range w.scores("music") {
		require.InDelta(t, float64(*whole[id].Predicted)/2, float64(*s.Predicted), 1)
		require.InDelta(t, float64(*whole[id].Realised)/2, float64(*s.Realised), 1)
		sum += *s.Predicted
	}
	var e equity
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/equity?to=2999-01-01", w.Sales, nil, &e)
	require.Equal(t, sum, e.Items[len(e.Items)-1].PredictedMinor)
}

func TestMergedCustomersAndReturnsCountAsTheyShould(t *testing.T) {
	t.Parallel()
	w := start(t)
	today := w.Now().Truncate(24 * time.Hour)
	a, b := analyticstest.ID(), analyticstest.ID()
	w.order("music", a, today.AddDate(0, 0, -100), 1000)
	w.order("music", b, today.AddDate(0, 0, -60), 3000)
	back := w.order("music", a, today.AddDate(0, 0, -30), 5000)
	part := w.order("music", b, today.AddDate(0, 0, -20), 2000)
	w.Admin(`UPDATE live.fact_order SET units = 2 WHERE order_id = $1`, part)
	for order, units := range map[uuid.UUID]int{back: 1, part: 1} {
		w.Admin(`INSERT INTO live.fact_return (tenant_id, return_id, order_id, currency, units, amount_minor, returned_at) VALUES ('music', $1, $2, 'USD', $3, 800, $4)`,
			analyticstest.ID(), order, units, today.AddDate(0, 0, -10))
	}
	w.Admin(`INSERT INTO live.customer_alias (tenant_id, customer_id, survivor_id, merge_id, epoch, seq) VALUES ('music', $1, $2, $1, 1, 1)`, b, a)
	w.Admin(`INSERT INTO live.fact_ticket (tenant_id, ticket_id, customer_id, opened_at) VALUES ('music', $1, $2, $3)`, analyticstest.ID(), b, today.AddDate(0, 0, -50))
	w.Admin(`INSERT INTO live.fact_complaint (tenant_id, complaint_id, customer_id, registered_at, cost_minor, currency) VALUES ('music', $1, $2, $3, 70, 'USD'), ('music', $4, $2, $3, 9999, 'EUR')`,
		analyticstest.ID(), a, today.AddDate(0, 0, -50), analyticstest.ID())
	w.Admin(`INSERT INTO live.fact_touch (tenant_id, touch_id, customer_id, campaign, touch, channel, origin, at) VALUES ('music', $1, $2, 'c', 't', 'email', 'nurture', $3)`,
		analyticstest.ID(), b, today.AddDate(0, 0, -50))
	w.portraits("music", a)
	settings := body{
		"margin": 0.5, "tax": 0.25, "annual_rate": 0, "horizon_months": 36, "purchase_model": "bgnbd", "ticket_minor": 40, "touches": body{"nurture": 5},
		"acquisition": body{"shop": 300}, "acquisition_minor": 9,
	}
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/value/settings", w.Marketing, settings, nil, "If-Match", `"0"`)
	require.NoError(t, w.values.Daily(t.Context()))
	require.NoError(t, w.values.Background(t.Context()))
	var one worth
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/customers/"+b.String(), w.Sales, nil, &one)
	// Revenue (1000 + 3000 + 2000 − 800)/1.25, half of it goods; 300 to be won, 40 for the ticket, 70 for the remedy, 5 for the touch.
	require.EqualValues(t, 5200*4/5/2-300-40-70-5, one.Realised.ValueMinor)
	require.EqualValues(t, one.Realised.ValueMinor, *w.scores("music")[a].Realised)
	require.Equal(t, "no_purchase_model", one.Predicted.Missing)
	require.Equal(t, today.AddDate(0, 0, -100).Format(time.DateOnly), one.Realised.WonOn)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/analytics/value/customers/"+a.String(), w.Token("sales", "pizza"), nil, nil)

	// The order that came back whole and the day of the merged customer, as the models see them.
	var f fitted
	for range 12 { // enough others to fit to
		other := analyticstest.ID()
		w.order("music", other, today.AddDate(0, 0, -90), 100)
		w.order("music", other, today.AddDate(0, 0, -70), 100)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/bgnbd/fit", w.Marketing, body{"source": "facts"}, &f)
	require.EqualValues(t, 13, f.Model.Rows)
	require.EqualValues(t, 12+2, f.Model.Fit["repeat_purchases"], "the merged customer bought on three days that count")
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/bgnbd/fit", w.Marketing, body{"source": "facts", "cutoff": today.AddDate(0, 0, -15).Format(time.DateOnly)}, &f)
	require.EqualValues(t, 12+3, f.Model.Fit["repeat_purchases"], "before it came back the order was a purchase")
	w.order("music", b, today.AddDate(0, 0, -5), 100)
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/bgnbd/fit", w.Marketing,
		body{"source": "facts", "cutoff": today.AddDate(0, 0, -15).Format(time.DateOnly), "holdout_until": today.Format(time.DateOnly)}, &f)
	require.EqualValues(t, 12+3, f.Model.Fit["repeat_purchases"], "and so it was for whom the model is held against what came after")
	require.InDelta(t, 1, f.Model.Detail.Holdout.Actual, 0)
	refused(t, w, "before all purchases", "/v1/models/bgnbd/fit", body{"source": "facts", "cutoff": "1997-01-01"}, 422, "not_enough_data", "")
}

func TestPortraitsThatAreUpToDateGiveTheHistoriesOfToday(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.shoppers("music", 60)
	today := w.Now().Format(time.DateOnly)
	facts := w.fit("bgnbd", body{"source": "facts", "cutoff": today, "currency": "USD"})
	w.Admin(`UPDATE portrait p SET purchase_days = o.days, first_purchase_on = o.first, last_purchase_on = o.last FROM (
			SELECT tenant_id, customer_id, count(DISTINCT (placed_at AT TIME ZONE 'UTC')::date) AS days, min((placed_at AT TIME ZONE 'UTC')::date) AS first,
				max((placed_at AT TIME ZONE 'UTC')::date) AS last FROM live.fact_order GROUP BY 1, 2) o
		WHERE p.tenant_id = o.tenant_id AND p.customer_id = o.customer_id`)
	portraits := w.fit("bgnbd", body{"source": "facts"})
	require.Equal(t, facts.Model.Params, portraits.Model.Params)
	require.Equal(t, facts.Model.Detail.Calibration, portraits.Model.Detail.Calibration)

	// What they do not have yet is read from the facts.
	ids := []uuid.UUID{analyticstest.ID(), analyticstest.ID()}
	for _, id := range ids {
		w.order("music", id, w.Now(), 100)
	}
	require.EqualValues(t, 60, w.fit("bgnbd", body{"source": "facts"}).Model.Rows)
	w.Admin(`INSERT INTO portrait_due (tenant_id, lane, customer_id) VALUES ('music', 0, $1)`, ids[0])
	require.EqualValues(t, 62, w.fit("bgnbd", body{"source": "facts"}).Model.Rows)
	w.Admin(`DELETE FROM portrait_due`)
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, purchase_days, first_purchase_on, last_purchase_on) VALUES ('music', $1, 1, current_date + 9, current_date + 9)`, ids[1])
	require.EqualValues(t, 62, w.fit("bgnbd", body{"source": "facts"}).Model.Rows)
}

func TestContractsAreFittedFromMemberships(t *testing.T) {
	t.Parallel()
	w := start(t)
	for i, n := range []int{13, 9, 6, 4, 30} { // went at the first, second, third, fourth renewal; run after four
		for range n {
			var ended any
			if i < 4 {
				ended = w.Now()
			}
			w.Admin(`INSERT INTO live.fact_membership (tenant_id, membership_id, customer_id, plan, started_at, renewals, ended_at) VALUES ('music', $1, $2, 'gold', now() - interval '5 years', $3, $4)`,
				analyticstest.ID(), analyticstest.ID(), i, ended)
		}
	}
	facts := w.fit("sbg", body{"source": "facts", "plan": "gold"})
	table := w.fit("sbg", body{"rows": []body{{"period": 1, "lost": 13}, {"period": 2, "lost": 9}, {"period": 3, "lost": 6}, {"period": 4, "lost": 4, "stayed": 30}}})
	require.Equal(t, table.Model.Params, facts.Model.Params)
	require.EqualValues(t, 62, facts.Model.Rows)
	require.InDelta(t, 30.0/62, facts.Model.Detail.Periods[4].Survival, 0.03)
	refused(t, w, "another plan", "/v1/models/sbg/fit", body{"source": "facts", "plan": "silver"}, 422, "not_enough_data", "")
}
