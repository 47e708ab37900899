package programme

import (
	"fmt"
	"slices"
	"time"
	"unicode"

	"github.com/guanxi-crm/guanxi/platform/money"
)

// Ways in which a paid membership goes on. An empty one is RenewalPayment.
const (
	RenewalPayment = "payment" // whenever whoever sells it tells of a payment
	RenewalNone    = "none"    // never: it is bought anew once it is over
)

// What becomes of the points of whoever leaves. An empty one is LeavingKeep.
const (
	LeavingKeep         = "keep"          // they stay until they run out, for whoever comes back
	LeavingForfeit      = "forfeit"       // they are taken at once
	LeavingForfeitLater = "forfeit_later" // they are taken some days later, unless the member comes back before
)

const (
	maxPlans        = 50
	maxPlanMonths   = 120
	maxFee          = 1_000_000_000_000 // minor units
	maxPlanBenefits = 50
	maxWelcome      = 1_000_000 // as many as any one booking may give
	maxLeavingDays  = 3650
	shortestMonth   = 28 // days
)

// Plan is a membership that is paid for.
type Plan struct {
	Code          string   `json:"code" doc:"Of the plan." example:"gold_year"`
	Name          string   `json:"name,omitempty" doc:"What people read." example:"Gold, a year"`
	Currency      string   `json:"currency" doc:"Of the fee, ISO 4217." example:"CNY"`
	FeeMinor      int64    `json:"fee_minor" doc:"The fee of a term, in minor units; 0 for a free one." example:"19900"`
	Months        int      `json:"months" doc:"How long a term is: 1 to 120 months." example:"12"`
	Benefits      []string `json:"benefits,omitempty" doc:"Codes of what it brings, for whoever serves the member." example:"free_delivery"`
	Tier          string   `json:"tier,omitempty" doc:"Code of the tier that its members have at least." example:"gold"`
	WelcomePoints int64    `json:"welcome_points,omitempty" doc:"Points that are given once, when it is bought: 0 to 1000000." example:"500"`
	ReminderDays  int      `json:"reminder_days,omitempty" doc:"How many days before its end it is told that it ends; 0: never. Fewer than the shortest term has." example:"30"`
	GraceDays     int      `json:"grace_days,omitempty" doc:"How many days after its end it goes on, to be renewed; fewer than the shortest term has." example:"7"`
	Renewal       string   `json:"renewal,omitempty" doc:"payment (as when it is empty): for another term whenever a payment is told; none: never." enum:"payment,none"`
}

// Renewable tells whether the membership can go on for another term.
func (p Plan) Renewable() bool { return p.Renewal != RenewalNone }

// Leaving says what becomes of the points of whoever leaves. The zero Leaving: they stay until they run out, and can be spent by
// whoever comes back.
type Leaving struct {
	Points string `json:"points,omitempty" doc:"keep (as when it is empty): they stay until they run out; forfeit: they are taken at once; forfeit_later: they are taken after some days, unless the member comes back before." enum:"keep,forfeit,forfeit_later"`
	Days   int    `json:"days,omitempty" doc:"For forfeit_later: at the end of which day after that of leaving, 1 to 3650." example:"30"`
}

// ForfeitAt gives when the points are taken of whoever leaves now: now itself, the end of a day in the zone, or the zero time
// for never.
func (l Leaving) ForfeitAt(now time.Time, zone *time.Location) time.Time {
	switch l.Points {
	case LeavingForfeit:
		return now
	case LeavingForfeitLater:
		year, month, day := now.In(zone).Date()
		return DayEnd(time.Date(year, month, day+l.Days, 12, 0, 0, 0, zone), zone)
	default:
		return time.Time{}
	}
}

// PlanOf gives the plan of a code.
func (t Terms) PlanOf(code string) (p Plan, ok bool) {
	n := slices.IndexFunc(t.Plans, func(p Plan) bool { return p.Code == code })
	if n < 0 {
		return Plan{}, false
	}
	return t.Plans[n], true
}

func (l Leaving) faults(note fault) {
	switch l.Points {
	case "", LeavingKeep, LeavingForfeit:
		if l.Days != 0 {
			note("leaving.days", "out_of_range", "must be 0 but for forfeit_later")
		}
	case LeavingForfeitLater:
		if l.Days < 1 || l.Days > maxLeavingDays {
			note("leaving.days", "out_of_range", fmt.Sprintf("must be 1 to %d", maxLeavingDays))
		}
	default:
		note("leaving.points", "kind_unknown", "must be keep, forfeit or forfeit_later")
	}
}

func (t Terms) planFaults(note fault) {
	if len(t.Plans) > maxPlans {
		note("plans", "too_many", fmt.Sprintf("must be at most %d", maxPlans))
		return
	}
	seen := make(map[string]bool)
	for i, p := range t.Plans {
		in := func(location, code, message string) { note(fmt.Sprintf("plans[%d].%s", i, location), code, message) }
		if seen[p.Code] {
			in("code", "code_twice", "must be the only one of its code")
		}
		seen[p.Code] = true
		if p.Tier != "" && !slices.ContainsFunc(t.Tiers.Levels, func(l Level) bool { return l.Code == p.Tier }) {
			in("tier", "tier_unknown", "must be the code of one of terms.tiers.levels")
		}
		p.faults(in)
	}
}

func (p Plan) faults(note fault) {
	between := func(location string, n, low, high int64) {
		if n < low || n > high {
			note(location, "out_of_range", fmt.Sprintf("must be %d to %d", low, high))
		}
	}
	if !Coded(p.Code) {
		note("code", "code_malformed", CodeRule)
	}
	if len(p.Name) > 200 || slices.ContainsFunc([]rune(p.Name), func(r rune) bool { return !unicode.IsPrint(r) }) {
		note("name", "name_malformed", "must be at most 200 bytes of printable characters")
	}
	if _, ok := money.Digits(p.Currency); !ok {
		note("currency", "currency_unknown", "must be an ISO 4217 code, such as CNY")
	}
	between("fee_minor", p.FeeMinor, 0, maxFee)
	between("months", int64(p.Months), 1, maxPlanMonths)
	between("welcome_points", p.WelcomePoints, 0, maxWelcome)
	shortest := int64(shortestMonth * min(max(p.Months, 1), maxPlanMonths))
	between("reminder_days", int64(p.ReminderDays), 0, shortest-1)
	between("grace_days", int64(p.GraceDays), 0, shortest-1) // so that whoever renews late has something left of the new term
	if p.Renewal != "" && p.Renewal != RenewalPayment && p.Renewal != RenewalNone {
		note("renewal", "kind_unknown", "must be payment or none")
	}
	if len(p.Benefits) > maxPlanBenefits {
		note("benefits", "too_many", fmt.Sprintf("must be at most %d", maxPlanBenefits))
		return
	}
	for i, b := range p.Benefits {
		if !Coded(b) {
			note(fmt.Sprintf("benefits[%d]", i), "code_malformed", CodeRule)
		} else if slices.Contains(p.Benefits[:i], b) {
			note(fmt.Sprintf("benefits[%d]", i), "code_twice", "must be the only one of its code")
		}
	}
}
