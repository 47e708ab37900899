package report_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/report"
)

func TestWhatValuesHaveToDoWithAChangeAddsUpToIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(9, 13).Draw(t, "weeks"), rapid.IntRange(1, 12).Draw(t, "values")
		whole, values, weeks := make([]float64, n), make([]*string, k), make([][]float64, k)
		for i := range weeks {
			weeks[i] = make([]float64, n)
			for w := range weeks[i] {
				weeks[i][w] = float64(rapid.IntRange(-50, 1000).Draw(t, "amount"))
				whole[w] += weeks[i][w]
			}
		}
		c := report.Compare(whole)
		d := c.Drives(values, weeks)
		sum := d.Rest
		for i, one := range d.Drivers {
			sum += one.Change
			require.Equal(t, one.Last-one.Expected, one.Change)
			if i > 0 {
				require.LessOrEqual(t, math.Abs(one.Change), math.Abs(d.Drivers[i-1].Change))
			}
		}
		require.Equal(t, c.Last-c.Expected, sum, "to the last unit")
		if d.Others == 0 {
			require.Zero(t, d.Rest)
		}
		require.True(t, d.Surprise >= -1e-12 && d.Surprise <= math.Ln2+1e-12, d.Surprise)
	})
}

type changesBody struct {
	Week, Since, Currency string
	Compared              int
	Changes               []struct {
		Metric                                 string
		Enough, Unusual                        bool
		Why                                    string
		Weeks                                  int
		Value, Expected, Change, Spread, Score *float64
		Sample                                 *float64
		ExpectedSample                         *float64 `json:"expected_sample"`
		Drivers                                []struct {
			Dimension string
			Values    []struct {
				Value                *string
				Expected, Is, Change float64
			}
			Rest float64
		}
	}
}

func changesOf(t *testing.T, w *analyticstest.World, token, query string) (out changesBody) {
	t.Helper()
	answer := w.Do(http.MethodGet, "/v1/analytics/changes?"+query, token, nil)
	require.Equal(t, 200, answer.Status, string(answer.Body))
	require.NoError(t, json.Unmarshal(answer.Body, &out))
	return out
}

func slowMedian(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

func TestWhatChangedIsWhatASlowReckoningFinds(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	r := rand.New(rand.NewPCG(3, 4))
	monday := time.Date(1997, 10, 6, 0, 0, 0, 0, time.UTC)
	channels := []string{"web", "shop", "fair"}
	orders, revenue := make([]float64, 11), make([]float64, 11) // ten weeks, then the one in question
	byChannel := map[string][]float64{}
	for week := range 11 {
		for c, channel := range channels {
			n, amount := 20+r.IntN(5), 10_000+r.IntN(1000)
			if week == 10 && channel == "fair" {
				amount *= 9
			}
			day := monday.AddDate(0, 0, 7*(week-10)+r.IntN(7))
			w.Admin(`INSERT INTO live.sales_day (tenant_id, currency, channel, day, slot, orders, units, gross_minor) VALUES ('music', 'USD', $1, $2, 0, $3, $3, $4)`, channel, day, n, amount)
			w.Admin(`INSERT INTO live.sales_day (tenant_id, currency, channel, day, slot, orders, units, gross_minor) VALUES ('pizza', 'USD', $1, $2, 0, $3, $3, 7)`, channel, day, 100*(c+1))
			if byChannel[channel] == nil {
				byChannel[channel] = make([]float64, 11)
			}
			byChannel[channel][week] = float64(amount)
			orders[week] += float64(n)
			revenue[week] += float64(amount)
		}
	}
	got := changesOf(t, w, w.Sales, "week=1997-10-09&metrics=orders,gross_revenue,repeat_rate&currency=USD")
	require.Equal(t, "1997-10-06", got.Week)
	require.Equal(t, "1997-07-28", got.Since, "weeks before the first with anything are none")
	require.Equal(t, 3, got.Compared)
	require.Equal(t, []string{"gross_revenue", "orders", "repeat_rate"}, []string{got.Changes[0].Metric, got.Changes[1].Metric, got.Changes[2].Metric})
	for i, weeks := range [][]float64{revenue, orders} {
		c := got.Changes[i]
		expected := slowMedian(weeks[:10])
		var distances []float64
		for _, v := range weeks[:10] {
			distances = append(distances, math.Abs(v-expected))
		}
		require.True(t, c.Enough)
		require.Equal(t, 10, c.Weeks)
		require.InDelta(t, weeks[10], *c.Value, 0)
		require.InDelta(t, expected, *c.Expected, 1e-9)
		require.InDelta(t, 1.4826*slowMedian(distances), *c.Spread, 1e-9)
		require.InDelta(t, (weeks[10]-expected)/max(1.4826*slowMedian(distances), expected/100), *c.Score, 1e-9)
		for _, d := range c.Drivers {
			sum := d.Rest
			for _, v := range d.Values {
				sum += v.Change
			}
			require.InDelta(t, *c.Change, sum, 0, "%s by %s adds up", c.Metric, d.Dimension)
		}
	}
	require.True(t, got.Changes[0].Unusual)
	first := got.Changes[0].Drivers[0]
	require.Equal(t, "channel", first.Dimension)
	require.Equal(t, "fair", *first.Values[0].Value)
	require.InDelta(t, byChannel["fair"][10], first.Values[0].Is, 0)
	// The expectation of the value is what it was in the two weeks that the median of the whole lies between.
	places := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	slices.SortFunc(places, func(a, b int) int { return int(revenue[a] - revenue[b]) })
	require.InDelta(t, (byChannel["fair"][places[4]]+byChannel["fair"][places[5]])/2, first.Values[0].Expected, 1e-9)
	require.False(t, got.Changes[2].Enough)
	require.NotEmpty(t, got.Changes[2].Why)
	require.Nil(t, got.Changes[2].Score)

	other := changesOf(t, w, w.Token("marketing", "pizza"), "week=1997-10-09&metrics=orders")
	require.InDelta(t, 600, *other.Changes[0].Value, 0, "another tenant's are its own")
	require.InDelta(t, 0, *other.Changes[0].Score, 0)
	require.Empty(t, other.Changes[0].Drivers)
	require.Empty(t, changesOf(t, w, w.Token("marketing", "empty"), "").Changes[0].Drivers, "nothing at all is an answer, too")
}

func TestAShareTellsWhatItIsOf(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	monday := time.Date(1997, 10, 6, 0, 0, 0, 0, time.UTC)
	for week := range 10 {
		for i := range 10 {
			w.Admin(`INSERT INTO live.fact_answer (tenant_id, answer_id, survey_id, kind, score, touchpoint, answered_at) VALUES ('music', $1, $1, 'csat', $2, '', $3)`,
				analyticstest.ID(), map[bool]int{true: 5, false: 1}[i < 9 && week < 9], monday.AddDate(0, 0, 7*(week-9)))
		}
	}
	got := changesOf(t, w, w.Sales, "week=1997-10-12&metrics=csat").Changes[0]
	require.InDelta(t, 0.9, *got.Expected, 1e-12)
	require.InDelta(t, 0, *got.Value, 0)
	require.InDelta(t, 10, *got.Sample, 0)
	require.InDelta(t, 10, *got.ExpectedSample, 0)
	require.InDelta(t, -100, *got.Score, 1e-9, "weeks that are all alike spread by a hundredth")
	require.Empty(t, got.Drivers, "shares do not add up")
	all := changesOf(t, w, w.Sales, "week=1997-10-12&limit=20")
	require.Len(t, all.Changes, 20)
	require.Equal(t, "csat", all.Changes[0].Metric)
	require.Greater(t, all.Compared, 30)
}

func TestChangesThatCannotBeToldAreRefused(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	badinput.Check(t, badinput.Target{URL: w.URL, Method: http.MethodGet, Path: "/v1/analytics/changes", Token: w.Sales})
	for query, status := range map[string]int{
		"metrics=sunshine": 422, "metrics=customers": 422, "metrics=orders,orders": 422, "week=1997-02-30": 422, "week=0001-01-01": 422, "week=soon": 422,
		"week=" + time.Now().UTC().Format(time.DateOnly): 422, "limit=0": 422, "limit=21": 422, "currency=dollars": 422,
	} {
		answer := w.Do(http.MethodGet, "/v1/analytics/changes?"+query, w.Sales, nil)
		require.Equal(t, status, answer.Status, fmt.Sprintf("%s: %s", query, answer.Body))
	}
}
