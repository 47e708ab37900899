package crisis

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/gonum/mathext"
)

// Dimension is what the complaints of a series have in common.
type Dimension string

// The dimensions.
const (
	SKU      Dimension = "sku"      // an article of the order that is complained of
	Category Dimension = "category" // what the complaint is about
)

// Exposure is by what complaints of one time are compared with those of another.
type Exposure string

// The exposures.
const (
	Units    Exposure = "units"    // units sold: of the article, or of all of them for a category
	Weekdays Exposure = "weekdays" // days; those before the window are the same days of the week, up to the same time of the day
)

// AtLeast is the fewest customers that raise an alarm, however improbable they are.
const AtLeast = 5

const day = 24 * time.Hour

// Window is where complaints are counted, and before it the base. Days are those of UTC.
type Window struct {
	From, Now time.Time // From is the beginning of a day
	Days      int       // that of Now included
	Base      int       // days of the base where units are compared: whole windows that end where this one begins
	Step      int       // days, whole weeks, by which the window is moved back where weekdays are compared
	Steps     int       // how often
}

// WindowAt gives the window that ends at now.
func WindowAt(now time.Time, s Setting) Window {
	w := Window{Now: now.UTC(), Days: s.WindowDays, Step: (s.WindowDays + 6) / 7 * 7}
	w.From = w.Now.Truncate(day).AddDate(0, 0, 1-s.WindowDays)
	w.Base = max(1, s.BaseDays/w.Days) * w.Days
	w.Steps = max(1, s.BaseDays/w.Step)
	return w
}

// Begins is where the earliest day of the base begins.
func (w Window) Begins() time.Time { return w.From.AddDate(0, 0, -max(w.Base, w.Step*w.Steps)) }

// comparable counts the days of the base that are as those of the window, but for those that are left out.
func (w Window) comparable(leftOut func(time.Time) bool) (days int) {
	for k := 1; k <= w.Steps; k++ {
		for i := range w.Days {
			if !leftOut(w.From.AddDate(0, 0, i-k*w.Step)) {
				days++
			}
		}
	}
	return days
}

// Series is what was counted of one article or category.
type Series struct {
	Dimension Dimension `json:"dimension"`
	Value     string    `json:"value"`    // code of the article or the category
	N         int64     `json:"n"`        // distinct customers who complained in the window
	K0        int64     `json:"k0"`       // and in the base, each counted once a span as long as the window; past crises left out
	E0        float64   `json:"e0"`       // exposure of the base: units or days
	W         float64   `json:"w"`        // exposure of the window
	Exposure  Exposure  `json:"exposure"` // what E0 and W are
	From      time.Time `json:"from"`     // N counts from here: where the window begins, or where the last crisis of the series ended
	Until     time.Time `json:"until"`
}

// Finding is a series and how probable it is by chance.
type Finding struct {
	Series
	Computed  bool    `json:"computed"` // whether there is anything to compare with; if not, the next two are 0
	Expected  float64 `json:"expected"` // customers in the window
	P         float64 `json:"p"`        // probability of N or more
	Tested    int     `json:"tested"`   // series for which a probability was computed
	Threshold float64 `json:"threshold"`
	Limit     float64 `json:"limit"` // Threshold / Tested
	Alarm     bool    `json:"alarm"`
}

// Probability gives P(N >= n) of a count N in a window of the exposure w, where k0 were counted over the exposure e0 > 0, as a
// number from 0 to 1.
//
// The rate of a Poisson process of which k0 events were seen over e0 has, after Jeffreys' prior, a gamma distribution with
// shape k0 + ½ and rate e0; what comes over w is then negative binomial with shape k0 + ½ and rate e0/w (Gelman et al.,
// Bayesian Data Analysis, 3rd ed., sections 2.6 and 2.8), so that a thin base makes large counts less surprising. Its upper tail
// is a regularised incomplete beta function, I_q(n, r) with q = w/(w + e0) (Abramowitz and Stegun 26.5.26).
func Probability(n, k0 int64, e0, w float64) float64 {
	if n <= 0 {
		return 1
	}
	return mathext.RegIncBeta(float64(n), float64(k0)+0.5, w/(w+e0))
}

// Judge computes the probability of each series and tells which raise an alarm: those of at least [AtLeast] customers whose
// probability is below the threshold divided by the number of series tested (Bonferroni), so that by chance alone any of them
// does with a probability of at most the threshold. The least probable come first.
func Judge(all []Series, threshold float64) []Finding {
	found := make([]Finding, len(all))
	tested := 0
	for i, s := range all {
		found[i] = Finding{Series: s, Threshold: threshold, Computed: s.E0 > 0 && s.W > 0}
		if found[i].Computed {
			tested++
			found[i].Expected = (float64(s.K0) + 0.5) * s.W / s.E0
			found[i].P = Probability(s.N, s.K0, s.E0, s.W)
		}
	}
	for i := range found {
		f := &found[i]
		if f.Tested = tested; tested > 0 {
			f.Limit = threshold / float64(tested)
		}
		f.Alarm = f.Computed && f.N >= AtLeast && f.P < f.Limit
	}
	slices.SortFunc(found, compare)
	return found
}

// compare orders findings: the least probable first, those without a probability last.
func compare(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.Value, b.Value))
}

func (f Finding) rank() float64 {
	if !f.Computed {
		return 2
	}
	return f.P
}

// Explain says the numbers in words.
func (f Finding) Explain() string {
	what := "the article " + f.Value
	if f.Dimension == Category {
		what = "the category " + f.Value
	}
	text := fmt.Sprintf("%s complained of %s from %s to %s.", count(f.N, "customer"), what, f.From.UTC().Format(time.DateTime), f.Until.UTC().Format(time.DateTime))
	switch {
	case f.E0 <= 0 && f.Exposure == Units:
		return text + " Nothing was sold before that could be compared with: no probability is computed."
	case f.E0 <= 0:
		return text + " No day before can be compared with: no probability is computed."
	case f.W <= 0:
		return text + " Nothing was sold in that time, and before it something was: no probability is computed."
	}
	text += fmt.Sprintf(" Before, past crises left out, %s did while %s; in the window %s, so that %s were to be expected.",
		strconv.FormatInt(f.K0, 10), f.exposed(f.E0, true), f.exposed(f.W, false), number(f.Expected))
	text += fmt.Sprintf(" By chance %d or more come with a probability of %s (negative binomial, shape %s, rate %s).", f.N, number(f.P),
		number(float64(f.K0)+0.5), number(f.E0/f.W))
	text += fmt.Sprintf(" An alarm is raised from %d customers on, below %s divided by %s = %s: ", AtLeast, number(f.Threshold),
		count(int64(f.Tested), "tested series"), number(f.Limit))
	switch {
	case f.Alarm:
		return text + "it is raised."
	case f.N < AtLeast:
		return text + "these are too few."
	default:
		return text + "it is not raised."
	}
}

func (f Finding) exposed(amount float64, before bool) string {
	switch {
	case f.Exposure == Units && before:
		return number(amount) + " units were sold"
	case f.Exposure == Units:
		return number(amount) + " units are sold"
	case before:
		return number(amount) + " such days passed"
	default:
		return number(amount) + " are counted"
	}
}

func count(n int64, of string) string {
	if n == 1 || of == "tested series" {
		return fmt.Sprintf("%d %s", n, of)
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// number gives at most three significant digits of what is no whole number.
func number(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
