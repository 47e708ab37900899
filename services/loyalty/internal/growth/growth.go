// Package growth scores how far a customer has grown into the programme, apart from points: what the customer buys and how
// widely, how often the customer gets in touch, writes reviews and brings others. What counts and how much stands in the terms
// of the programme, and the score may drive its tiers.
//
// The score of a member is that of the customer whom the member's id means: whoever is one customer since a merge has the same
// score as both, and each has its own again when that is undone. It depends on what took place within a window of days and on
// nothing else, so it is the same in whichever order that was heard of, and however often.
package growth

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Full is the highest score, and the most that one behaviour comes to before it is weighed.
const Full = 1000

// Facts are what a customer did within the window of the terms.
type Facts struct {
	Spent        map[string]int64 // by currency, in minor units: orders less what came back of them; 0 or more
	Categories   []string         // of which something was bought that did not come back, each once
	Interactions int64            // that the customer began
	Reviews      int64
	Referrals    int64
}

// Part is what one behaviour adds to a score.
type Part struct {
	Behaviour string           `json:"behaviour"`
	Amount    int64            `json:"amount"`          // how many; of spending: millionths of the half of its currency, in all
	Spent     map[string]int64 `json:"spent,omitempty"` // of spending: by currency, as far as it counts
	Weight    int64            `json:"weight"`
	Half      int64            `json:"half"`  // at so much of the amount it counts half
	Value     int              `json:"value"` // 0 to Full, before it is weighed
	Points    int              `json:"points"`
}

// Score is a growth score with its parts, whose points add up to it.
type Score struct {
	Score int
	Parts []Part // each behaviour that has a weight, in the order of programme.GrowthBehaviours
}

const (
	// millionths of the half of a currency make spending in several currencies one number.
	millionths = 1_000_000
	// maxAmount bounds what is counted: far above it every value is Full already.
	maxAmount = 1_000_000_000_000_000
)

// Compose gives the score of what a customer did.
//
// Each behaviour of the amount x with the half h comes to 1000·x ÷ (x + h), rounded half up: nothing at 0, half at h, and less
// and less more from there, so that nobody rises by one behaviour without end and the first steps count most. It is the
// response function of J. D. C. Little, Models and Managers: The Concept of a Decision Calculus, Management Science 16 (1970)
// B-466–B-485 (ADBUDG), with the exponent 1, which needs no other number than one that a tenant can tell: at how much is it
// half? The score is the mean of the values by their weights, rounded down once, at the end: the points of a part are what the
// sum up to it comes to less the sum before it, so they add up exactly. All is in integers.
func Compose(terms programme.Growth, f Facts) Score {
	var (
		s     Score
		total int64
		sum   int64 // of weight · value, up to the part at hand: at most 5 · 10⁶ · 10³
	)
	for _, b := range programme.GrowthBehaviours {
		total += terms.Of(b).Weight
	}
	for _, b := range programme.GrowthBehaviours {
		w := terms.Of(b)
		if w.Weight == 0 {
			continue
		}
		p := Part{Behaviour: b, Weight: w.Weight, Half: w.Half}
		switch b {
		case programme.GrowthSpending:
			p.Amount, p.Spent, p.Half = spending(terms.Halves, f.Spent), counted(terms.Halves, f.Spent), millionths
		case programme.GrowthBreadth:
			p.Amount = int64(len(f.Categories))
		case programme.GrowthInteractions:
			p.Amount = f.Interactions
		case programme.GrowthReviews:
			p.Amount = f.Reviews
		case programme.GrowthReferrals:
			p.Amount = f.Referrals
		}
		p.Value = saturate(p.Amount, p.Half)
		before := sum / total
		sum += w.Weight * int64(p.Value)
		p.Points = int(sum/total - before)
		s.Parts = append(s.Parts, p)
	}
	for _, p := range s.Parts {
		s.Score += p.Points
	}
	return s
}

// saturate gives 1000·x ÷ (x + half), rounded half up, of x 0 or more.
func saturate(x, half int64) int {
	x = min(x, maxAmount)
	return int((money.Share(2*Full, x, x+half) + 1) / 2)
}

// spending gives what was spent in all, in millionths of the half of each currency, those rounded down.
func spending(halves []programme.Halfway, spent map[string]int64) (sum int64) {
	for _, h := range halves {
		n := spent[h.Currency]
		whole, rest := n/h.Minor, n%h.Minor
		sum += min(whole, maxAmount/millionths)*millionths + money.Share(millionths, rest, h.Minor)
	}
	return min(sum, maxAmount)
}

// counted gives what was spent in the currencies that count.
func counted(halves []programme.Halfway, spent map[string]int64) map[string]int64 {
	out := make(map[string]int64, len(halves))
	for _, h := range halves {
		out[h.Currency] = spent[h.Currency]
	}
	return out
}

// until is the end of what counts: a day after today's end, so that a clock that is fast loses nothing, and an order that is
// dated years ahead does not count for ever.
func until(now time.Time, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	return time.Date(y, m, d+2, 0, 0, 0, 0, zone)
}

// today is the day of now in the zone, at midnight in UTC, as the database keeps dates.
func today(now time.Time, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Why a member was scored.
const (
	CauseOrder       = "order"
	CauseInteraction = "interaction"
	CauseBehaviour   = "behaviour"
	CauseReferral    = "referral"
	CauseMerge       = "merge"
	CauseEnrolment   = "enrolment"
	CauseDay         = "day" // the daily round: something left the window, or the terms are others
)

// Behaviour is something that a customer did apart from buying.
type Behaviour struct {
	Kind       string    // programme.GrowthInteractions, GrowthReviews or GrowthReferrals
	Key        string    // what makes a repetition known
	CustomerID uuid.UUID // as it was written
	MemberID   uuid.UUID // of whom it was told; Nil where it counts in every programme
	Programme  string    // in which it counts; empty: in every one
	OccurredAt time.Time
	RecordedAt time.Time
	RecordedBy string
}
