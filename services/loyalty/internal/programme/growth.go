package programme

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/money"
)

// What a growth score is composed of.
const (
	GrowthSpending     = "spending"     // what was bought within the window, less what came back of it
	GrowthBreadth      = "breadth"      // in how many of the programme's categories
	GrowthInteractions = "interactions" // that the customer began
	GrowthReviews      = "reviews"      // that integrators told of
	GrowthReferrals    = "referrals"    // whose customers have bought
)

// GrowthBehaviours lists them in the order in which a score is explained.
var GrowthBehaviours = []string{GrowthSpending, GrowthBreadth, GrowthInteractions, GrowthReviews, GrowthReferrals}

const (
	maxWindowDays = 3650
	maxWeight     = 1_000_000
	// defaultStep is by how much a growth score changes before it is told, where the terms say nothing: a hundredth of the scale.
	defaultStep = 10
)

// Growth says how the growth score is composed. The zero Growth: there is none.
type Growth struct {
	WindowDays int       `json:"window_days,omitempty" doc:"Only what took place within so many days before today, or today, counts: 1 to 3650." example:"365"`
	Step       int       `json:"step,omitempty" doc:"A change is told of (GrowthScored) once it comes to so much: 1 to 1000; absent: 10." example:"10"`
	Weights    []Weight  `json:"weights,omitempty" doc:"What counts, and how much. The weights add up to any number above 0."`
	Halves     []Halfway `json:"halves,omitempty" doc:"For spending: the amount of each currency by which it counts half. Orders in other currencies do not count."`
}

// Weight is the weight of one behaviour.
type Weight struct {
	Behaviour string `json:"behaviour" enum:"spending,breadth,interactions,reviews,referrals" example:"interactions"`
	Weight    int64  `json:"weight" doc:"Beside the others: 0 to 1000000." example:"20"`
	Half      int64  `json:"half,omitempty" doc:"By how many of them it counts half, 1 to 1000000; not for spending, which has halves by currency." example:"6"`
}

// Halfway is by how much spending in a currency counts half.
type Halfway struct {
	Currency string `json:"currency" doc:"ISO 4217." example:"CNY"`
	Minor    int64  `json:"minor" doc:"In minor units, more than 0." example:"300000"`
}

// On tells whether there is a score.
func (g Growth) On() bool { return len(g.Weights) > 0 }

// LeastChange gives by how much a score changes before it is told.
func (g Growth) LeastChange() int { return cmp.Or(g.Step, defaultStep) }

// Of gives the weight of a behaviour; zero where it does not count.
func (g Growth) Of(behaviour string) Weight {
	for _, w := range g.Weights {
		if w.Behaviour == behaviour {
			return w
		}
	}
	return Weight{Behaviour: behaviour}
}

// Since gives from when on what took place counts, on the day of now in the zone.
func (g Growth) Since(now time.Time, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	return time.Date(y, m, d-g.WindowDays, 0, 0, 0, 0, zone)
}

func (g Growth) faults(note fault) {
	if !g.On() {
		if g.WindowDays != 0 || g.Step != 0 || len(g.Halves) > 0 {
			note("growth.weights", "required", "must say what counts")
		}
		return
	}
	if g.WindowDays < 1 || g.WindowDays > maxWindowDays {
		note("growth.window_days", "out_of_range", fmt.Sprintf("must be 1 to %d", maxWindowDays))
	}
	if g.Step < 0 || g.Step > 1000 {
		note("growth.step", "out_of_range", "must be 1 to 1000")
	}
	var sum int64
	seen := make(map[string]bool)
	for i, w := range g.Weights {
		at := fmt.Sprintf("growth.weights[%d]", i)
		switch {
		case !slices.Contains(GrowthBehaviours, w.Behaviour):
			note(at+".behaviour", "behaviour_unknown", "must be spending, breadth, interactions, reviews or referrals")
		case seen[w.Behaviour]:
			note(at+".behaviour", "behaviour_twice", "must be the only one of its kind")
		}
		seen[w.Behaviour] = true
		if w.Weight < 0 || w.Weight > maxWeight {
			note(at+".weight", "out_of_range", fmt.Sprintf("must be 0 to %d", maxWeight))
		}
		sum += max(0, w.Weight)
		switch spends := w.Behaviour == GrowthSpending; {
		case spends && w.Half != 0:
			note(at+".half", "not_for_spending", "must be absent: spending has halves by currency")
		case !spends && (w.Half < 1 || w.Half > maxWeight):
			note(at+".half", "out_of_range", fmt.Sprintf("must be 1 to %d", maxWeight))
		}
	}
	if sum == 0 {
		note("growth.weights", "out_of_range", "must add up to more than 0")
	}
	g.halfFaults(note, seen[GrowthSpending])
}

func (g Growth) halfFaults(note fault, spending bool) {
	if spending != (len(g.Halves) > 0) {
		note("growth.halves", "not_fitting", "must be given if, and only if, spending counts")
	}
	seen := make(map[string]bool)
	for i, h := range g.Halves {
		at := fmt.Sprintf("growth.halves[%d]", i)
		if _, ok := money.Digits(h.Currency); !ok {
			note(at+".currency", "currency_unknown", "must be an ISO 4217 code, such as CNY")
		} else if seen[h.Currency] {
			note(at+".currency", "currency_twice", "must be the only one of its currency")
		}
		seen[h.Currency] = true
		if h.Minor < 1 || h.Minor > money.Max {
			note(at+".minor", "out_of_range", fmt.Sprintf("must be 1 to %d", money.Max))
		}
	}
}
