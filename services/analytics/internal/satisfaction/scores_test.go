package satisfaction_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

type score struct {
	N, Customers     int
	Enough           bool
	Share, Mean, Net *struct{ Value, Low, High float64 }
	Counts           []int
}

type standing struct {
	Scores map[string]score
	Trend  []struct {
		From           string
		CSAT, NPS, CES score
	}
	Groups []struct {
		Key            string
		CSAT, NPS, CES score
	}
	Responses []struct {
		By, Key         string
		Asked, Answered int
		Rate            *struct{ Value, Low, High float64 }
	}
}

// slow counts the answers that fit, score by score, and who gave them.
func (w *world) slow(kind string, fits func(answer) bool) (counts []int, customers int) {
	low, high := kinds[kind][0], kinds[kind][1]
	counts = make([]int, high-low+1)
	known := map[uuid.UUID]bool{}
	for _, a := range w.answers {
		if a.Kind != kind || !fits(a) {
			continue
		}
		counts[a.Score-low]++
		if a.Customer != nil {
			if id, ok := w.whom(*a.Customer); ok {
				known[id] = true
			}
		}
	}
	return counts, len(known)
}

func TestSatisfactionIsCountedAnswerByAnswer(t *testing.T) {
	t.Parallel()
	w := start(t, 1)
	grades := map[uuid.UUID]string{}
	for i, id := range w.customers[4:] {
		grades[id] = []string{"gold", "iron"}[i%2]
	}
	from, to := today().AddDate(0, 0, -200), today().AddDate(0, 0, -20)
	query := fmt.Sprintf("%s?from=%s&to=%s", root, from.Format(time.DateOnly), to.Format(time.DateOnly))
	within := func(a answer) bool { return !a.At.Before(from) && a.At.Before(to.AddDate(0, 0, 1)) }
	check := func(what string, got map[string]score, fits func(answer) bool) {
		t.Helper()
		for kind := range kinds {
			counts, customers := w.slow(kind, func(a answer) bool { return within(a) && fits(a) })
			require.Equal(t, counts, got[kind].Counts, "%s %s", what, kind)
			require.Equal(t, customers, got[kind].Customers, "%s %s", what, kind)
			require.Equal(t, got[kind].N >= 10, got[kind].Enough)
			require.Equal(t, got[kind].N == 0, got[kind].Share == nil && got[kind].Net == nil)
		}
	}
	keys := map[string]func(answer) string{
		"touchpoint": func(a answer) string { return a.Touchpoint }, "channel": func(a answer) string { return a.Channel },
		"survey": func(a answer) string { return a.Survey.String() },
		"grade": func(a answer) string {
			if a.Customer == nil {
				return ""
			}
			id, _ := w.whom(*a.Customer)
			return grades[id]
		},
	}
	for by, key := range keys {
		var got standing
		w.Want(http.StatusOK, http.MethodGet, query+"&grain=week&by="+by, w.Sales, nil, &got)
		check("all", got.Scores, func(answer) bool { return true })
		answers := 0
		for _, s := range got.Trend {
			answers += s.CSAT.N
			check(s.From, map[string]score{"csat": s.CSAT, "nps": s.NPS, "ces": s.CES}, func(a answer) bool {
				day := a.At.Truncate(24 * time.Hour)
				return day.AddDate(0, 0, -(int(day.Weekday())+6)%7).Format(time.DateOnly) == s.From
			})
		}
		require.Equal(t, got.Scores["csat"].N, answers)
		require.NotEmpty(t, got.Groups)
		n := 0
		for _, g := range got.Groups {
			n += g.CSAT.N
			check(by+" "+g.Key, map[string]score{"csat": g.CSAT, "nps": g.NPS, "ces": g.CES}, func(a answer) bool { return key(a) == g.Key })
		}
		require.Equal(t, got.Scores["csat"].N, n)
	}
	var got standing
	w.Want(http.StatusOK, http.MethodGet, query+"&touchpoint=shop&channel=sms&survey_id="+w.answers[0].Survey.String(), w.Sales, nil, &got)
	check("some", got.Scores, func(a answer) bool {
		return a.Touchpoint == "shop" && a.Channel == "sms" && a.Survey == w.answers[0].Survey
	})
	require.Empty(t, got.Trend)
	require.Empty(t, got.Groups)
	require.Empty(t, got.Responses)
}

func TestResponsesAreAnswersOfThoseAsked(t *testing.T) {
	t.Parallel()
	w := start(t, 2)
	w.Admin(`INSERT INTO live.fact_touch (tenant_id, touch_id, campaign, touch, channel, origin, at)
		SELECT 'music', gen_random_uuid(), 'ces', 'shop', 'sms', o, now() - interval '40 days' FROM generate_series(1, 500), unnest(ARRAY['survey', 'nurture']) o`)
	var got standing
	w.Want(http.StatusOK, http.MethodGet, root+"?min_n=5000", w.Sales, nil, &got)
	require.False(t, got.Scores["csat"].Enough, "fewer than 5000")
	asked := map[string]int{}
	for _, r := range got.Responses {
		n := 0
		for _, a := range w.answers {
			if r.By == "kind" && a.Kind == r.Key || r.By == "touchpoint" && a.Touchpoint == r.Key || r.By == "channel" && a.Channel == r.Key {
				n++
			}
		}
		require.Equal(t, n, r.Answered, "%s %s", r.By, r.Key)
		asked[r.By+" "+r.Key] = r.Asked
		require.Equal(t, r.Asked >= r.Answered, r.Rate != nil)
	}
	require.Len(t, got.Responses, 9)
	require.Equal(t, []int{500, 0, 500, 500}, []int{asked["kind ces"], asked["kind csat"], asked["touchpoint shop"], asked["channel sms"]})
	var other standing
	w.Want(http.StatusOK, http.MethodGet, root, w.Token("sales", "pizza"), nil, &other)
	require.Equal(t, 40, other.Scores["csat"].N+other.Scores["nps"].N+other.Scores["ces"].N)
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t, 3)
	for _, p := range reads {
		t.Run(p, func(t *testing.T) {
			badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Sales, Method: http.MethodGet, Path: root + p})
			for name, query := range map[string]string{
				"a day that is none": "?from=2026-02-30", "the wrong way round": "?from=2026-02-01&to=2026-01-01", "without end": "?from=1990-01-01",
				"one is enough": "?min_n=1",
			} {
				if a := w.Do(http.MethodGet, root+p+query, w.Sales, nil); a.Status != http.StatusUnprocessableEntity || a.Code() == "" {
					t.Errorf("%s: got %d %s", name, a.Status, a.Body)
				}
			}
		})
	}
	for _, query := range []string{"?grain=year", "?by=weather", "?survey_id=x", "/loyalty?affection_from=3", "/loyalty?within_days=0", "/recovery?within_days=400"} {
		if a := w.Do(http.MethodGet, root+query, w.Sales, nil); a.Status != http.StatusUnprocessableEntity || a.Code() == "" {
			t.Errorf("%s: got %d %s", query, a.Status, a.Body)
		}
	}
}

var reads = []string{"", "/touchpoints", "/loyalty", "/recovery"}
