package satisfaction_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/satisfaction"
)

// TestHarmIsTheDistanceTimesTheShare has ten answers of 3 ± 1 among thirty, the others 4 ± 1.
func TestHarmIsTheDistanceTimesTheShare(t *testing.T) {
	t.Parallel()
	here := satisfaction.Counts{2: 5, 4: 5}
	all := here.Plus(satisfaction.Counts{3: 10, 5: 10})
	below, harm, ok := satisfaction.Harm(here, all, 30, 60)
	// The mean of all is 11/3; variances are 10/9 of ten and 20/19 of twenty answers, and the rest weighs two thirds.
	vd := 4. / 9 * (1./9 + 1./19)
	vh := .25*vd + 4./9*.25/60
	if !ok || !near(below.Value, 2./3, 1e-12) || !near(below.High, 2./3+1.96*math.Sqrt(vd), 1e-12) || !near(harm.Value, 1./3, 1e-12) || !near(harm.Low, 1./3-1.96*math.Sqrt(vh), 1e-12) {
		t.Errorf("%+v %+v", below, harm)
	}
	for name, c := range map[string][2]satisfaction.Counts{"one answer": {{3: 1}, {3: 9}}, "nothing elsewhere": {{3: 9}, {3: 9}}} {
		if _, _, ok := satisfaction.Harm(c[0], c[1], 1, 1); ok {
			t.Error(name)
		}
	}
}

func TestTouchpointsAreWalkedCustomerByCustomer(t *testing.T) {
	t.Parallel()
	w := start(t, 4)
	w.Admin(`UPDATE live.fact_answer SET score = 1 WHERE tenant_id = 'music' AND kind = 'csat' AND touchpoint = 'hotline' AND score < 4`)
	for i, a := range w.answers {
		if a.Kind == "csat" && a.Touchpoint == "hotline" && a.Score < 4 {
			w.answers[i].Score = 1
		}
	}
	type event struct {
		who   uuid.UUID
		point string
		at    time.Time
	}
	from, to := today().AddDate(0, 0, -250), today().AddDate(0, 0, -30)
	within := func(at time.Time) bool { return !at.Before(from) && at.Before(to.AddDate(0, 0, 1)) }
	var events []event
	visits := []event{{w.customers[0], "web", from}, {w.customers[5], "web", from.AddDate(0, 0, 1)}, {w.customers[3], "web", from}, {w.customers[7], "web", from.AddDate(0, 0, -1)}}
	for _, v := range visits {
		w.Admin(`INSERT INTO live.fact_interaction (tenant_id, interaction_id, customer_id, channel, direction, touchpoint, outcome, duration_seconds, occurred_at)
			VALUES ('music', gen_random_uuid(), $1, '', 'inbound', $2, '', 0, $3)`, v.who, v.point, v.at)
	}
	w.Admin(`INSERT INTO live.fact_touch (tenant_id, touch_id, customer_id, campaign, touch, channel, origin, at) VALUES ('music', gen_random_uuid(), $1, 'csat', 'shop', '', 'survey', $2)`, w.customers[9], from)
	visits = append(visits, event{w.customers[9], "shop", from})
	for _, a := range w.answers {
		if a.Customer != nil {
			visits = append(visits, event{*a.Customer, a.Touchpoint, a.At})
		}
	}
	for _, v := range visits {
		if who, ok := w.whom(v.who); ok && within(v.at) {
			events = append(events, event{who, v.point, v.at})
		}
	}
	first := map[uuid.UUID]map[string]time.Time{}
	for _, e := range events {
		if first[e.who] == nil {
			first[e.who] = map[string]time.Time{}
		}
		if at, there := first[e.who][e.point]; !there || e.at.Before(at) {
			first[e.who][e.point] = e.at
		}
	}
	var got struct {
		N, Customers int
		Touchpoints  []struct {
			Touchpoint string
			N, Passed  int
			Place      float64
			Mean, Harm *struct{ Value, Low, High float64 }
		}
		HurtsMost string `json:"hurts_most"`
	}
	query := fmt.Sprintf("%s/touchpoints?from=%s&to=%s", root, from.Format(time.DateOnly), to.Format(time.DateOnly))
	w.Want(http.StatusOK, http.MethodGet, query, w.Sales, nil, &got)
	require.Equal(t, len(first), got.Customers)
	require.Len(t, got.Touchpoints, 4)
	require.Equal(t, "hotline", got.HurtsMost)
	var places []float64
	for _, p := range got.Touchpoints {
		n, sum, passed, rank := 0, 0, 0, 0
		for _, a := range w.answers {
			if a.Kind == "csat" && a.Touchpoint == p.Touchpoint && within(a.At) {
				n, sum = n+1, sum+a.Score
			}
		}
		for _, points := range first {
			at, there := points[p.Touchpoint]
			if !there {
				continue
			}
			passed, rank = passed+1, rank+1
			for _, other := range points {
				if other.Before(at) {
					rank++
				}
			}
		}
		require.Equal(t, []int{n, passed}, []int{p.N, p.Passed}, p.Touchpoint)
		require.InDelta(t, float64(rank)/float64(passed), p.Place, 1e-9)
		if n > 0 {
			require.InDelta(t, float64(sum)/float64(n), p.Mean.Value, 1e-9)
		}
		require.Equal(t, n == 0, p.Harm == nil)
		places = append(places, p.Place)
	}
	require.True(t, slices.IsSorted(places))
	w.Want(http.StatusOK, http.MethodGet, query+"&order=hotline,web", w.Sales, nil, &got)
	require.Equal(t, []string{"hotline", "web"}, []string{got.Touchpoints[0].Touchpoint, got.Touchpoints[1].Touchpoint})
	w.Want(http.StatusOK, http.MethodGet, root+"/touchpoints?to=1997-01-01&from=1996-01-01", w.Token("sales", "pizza"), nil, &got)
	require.Empty(t, got.Touchpoints)
}
