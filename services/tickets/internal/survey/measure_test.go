package survey_test

import (
	"math"
	"testing"

	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
)

// near compares with what was published to so many decimals.
func near(got, want float64, decimals int) bool {
	return math.Abs(got-want) <= 0.5*math.Pow(10, -float64(decimals))+1e-12
}

func TestNetPromoterScores(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		promoters, detractors, n int
		value, low, high         float64
		decimals                 int
	}{
		// W. Huber (stats.stackexchange.com/questions/18603): shares 1/2, 1/3 and 1/6 have the variance 20/36, and of 324 answers
		// the standard error 4.1 %.
		"the worked example of 324": {162, 54, 324, 1.0 / 3, 1.0/3 - 1.96*0.0414, 1.0/3 + 1.96*0.0414, 3},
		"everybody recommends":      {40, 0, 40, 1, 1, 1, 9},
		"nobody does":               {0, 40, 40, -1, -1, -1, 9},
		"cut at 1":                  {30, 1, 31, 29.0 / 31, 29.0/31 - 1.96*math.Sqrt((1-29.0/31*29.0/31)/31), 1, 9},
		"cut at -1":                 {1, 30, 31, -29.0 / 31, -1, -29.0/31 + 1.96*math.Sqrt((1-29.0/31*29.0/31)/31), 9},
		"all passive":               {0, 0, 50, 0, 0, 0, 9},
	} {
		v := survey.NetPromoter(c.promoters, c.detractors, c.n)
		if !near(v.Value, c.value, 9) || !near(v.Low, c.low, c.decimals) || !near(v.High, c.high, c.decimals) {
			t.Errorf("%s: got %+v", name, v)
		}
	}
}

func TestEachKindCountsItsOwnScores(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind  survey.Kind
		given map[int]int
		value float64
		n     int
		ok    bool
	}{
		"csat counts 4 and 5":               {survey.CSAT, map[int]int{1: 10, 3: 10, 4: 15, 5: 5}, 0.5, 40, true},
		"ces counts 5 to 7":                 {survey.CES, map[int]int{4: 10, 5: 10, 6: 10, 7: 10}, 0.75, 40, true},
		"nps: 9 and 10 less 0 to 6, of all": {survey.NPS, map[int]int{10: 10, 9: 10, 8: 10, 7: 5, 6: 4, 0: 1}, 15.0 / 40, 40, true},
		"29 answers are not enough":         {survey.CSAT, map[int]int{5: 29}, 0, 29, false},
		"30 are":                            {survey.CSAT, map[int]int{5: 30}, 1, 30, true},
		"none are not":                      {survey.NPS, nil, 0, 0, false},
		"a questionnaire has no value":      {survey.Questionnaire, map[int]int{5: 30}, 0, 30, false},
	} {
		v, n, ok := survey.Measure(c.kind, c.given)
		if n != c.n || ok != c.ok || math.Abs(v.Value-c.value) > 1e-12 {
			t.Errorf("%s: got %+v of %d, %v", name, v, n, ok)
		}
	}
}

func TestTheResponseRateLeavesOutWhatDidNotArrive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answered, sent, bounced int
		rate                    float64
		ok                      bool
	}{{30, 110, 10, 0.3, true}, {0, 10, 0, 0, true}, {0, 10, 10, 0, false}, {0, 0, 0, 0, false}} {
		if rate, ok := survey.ResponseRate(c.answered, c.sent, c.bounced); ok != c.ok || rate != c.rate {
			t.Errorf("%d of %d less %d: got %g %v", c.answered, c.sent, c.bounced, rate, ok)
		}
	}
}

// The shares and coefficients are those of the three features of skis in E. Sauerwein et al., The Kano model: how to delight
// your customers, Preprints of the IX. International Working Seminar on Production Economics (1996).
func TestKanoCoefficientsAreAsPublished(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a, o, m, i    int // per mille
		better, worse float64
	}{
		"edge grip":    {70, 330, 495, 95, 0.40, -0.83},
		"ease of turn": {104, 451, 315, 115, 0.56, -0.78},
		"service":      {638, 216, 29, 85, 0.88, -0.25},
	} {
		better, worse, ok := survey.Coefficients(map[survey.Category]int{
			survey.Attractive: c.a, survey.OneDimensional: c.o, survey.MustBe: c.m, survey.Indifferent: c.i, survey.Reverse: 10, survey.Questionable: 10,
		})
		if !ok || !near(better, c.better, 2) || !near(worse, c.worse, 2) {
			t.Errorf("%s: got %g %g", name, better, worse)
		}
	}
	if _, _, ok := survey.Coefficients(map[survey.Category]int{survey.Reverse: 5}); ok {
		t.Error("nobody said anything of use")
	}
}

func TestKanoPairsAreReadFromTheTable(t *testing.T) {
	t.Parallel()
	want := []string{ // rows: with the feature, columns: without it; from like to dislike
		"QAAAO",
		"RIIIM",
		"RIIIM",
		"RIIIM",
		"RRRRQ",
	}
	letters := map[survey.Category]byte{survey.Attractive: 'A', survey.OneDimensional: 'O', survey.MustBe: 'M', survey.Indifferent: 'I',
		survey.Reverse: 'R', survey.Questionable: 'Q'}
	for with := 1; with <= 5; with++ {
		for without := 1; without <= 5; without++ {
			if got := letters[survey.Categorise(with, without)]; got != want[with-1][without-1] {
				t.Errorf("with %d, without %d: got %c", with, without, got)
			}
		}
	}
}

func TestTheSatisfactionIndex(t *testing.T) {
	t.Parallel()
	// Weights that the State of Ohio publishes: .3885, .3190 and .2925.
	ohio := func(satisfaction, expectancy, ideal float64) []survey.Item {
		return []survey.Item{{Mean: satisfaction, Weight: 0.3885}, {Mean: expectancy, Weight: 0.3190}, {Mean: ideal, Weight: 0.2925}}
	}
	for name, c := range map[string]struct {
		items []survey.Item
		want  float64
	}{
		"the best":         {ohio(10, 10, 10), 100},
		"the worst":        {ohio(1, 1, 1), 0},
		"weighed":          {ohio(8, 7, 6), (7*0.3885 + 6*0.3190 + 5*0.2925) / 9 * 100},
		"weights of 1":     {[]survey.Item{{8, 1}, {7, 1}, {6, 1}}, (8 + 7 + 6 - 3) / 27.0 * 100},
		"of any magnitude": {[]survey.Item{{8, 50}, {7, 50}, {6, 50}}, (8 + 7 + 6 - 3) / 27.0 * 100},
	} {
		if got := survey.Index(c.items); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: got %g, want %g", name, got, c.want)
		}
	}
}

func TestTheDistanceFromTheIdealProduct(t *testing.T) {
	t.Parallel()
	// By hand: 6·|2−2| + 3·|3−2| + 4·|5−4| + 5·|1−6| = 0 + 3 + 4 + 25.
	if got := survey.Distance([]survey.Attribute{{6, 0}, {3, 1}, {4, 1}, {5, 5}}); got != 32 {
		t.Errorf("got %g", got)
	}
	if got := survey.Distance(nil); got != 0 {
		t.Errorf("nothing is missing from nothing: %g", got)
	}
}
