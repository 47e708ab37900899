// Package lifecycle says how far the relationship with each customer has come, from what the customer did: awareness,
// exploration, familiarity, loyalty, separation. It proposes stages, and accounts decides; it keeps when each stage began, and says
// how long stages last, in which of four patterns relationships end, how many survive how long, and what customer equity is
// moved by.
package lifecycle

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Stages of a relationship's life.
const (
	Awareness   = "awareness"   // heard of us
	Exploration = "exploration" // tries us out
	Familiarity = "familiarity" // comes back
	Loyalty     = "loyalty"     // prefers us
	Separation  = "separation"  // has gone
)

// Stages lists the stages in their order.
func Stages() []string { return []string{Awareness, Exploration, Familiarity, Loyalty, Separation} }

// Reasons for a stage.
const (
	Heard           = "registered"
	FirstPurchase   = "first_purchase"
	RepeatPurchases = "repeat_purchases"
	RegularBuyer    = "regular_purchases"
	Satisfied       = "satisfied"
	Dissatisfied    = "dissatisfied" // which alone keeps the customer from loyalty
	Silent          = "silent"
	ContractEnded   = "contract_ended"
	CameBack        = "came_back"
)

// Rules say where the stages begin. Days are UTC days; purchase days are distinct ones of net purchases, and those on which a paid
// membership began.
type Rules struct {
	FamiliarityPurchases int // purchase days from which on a customer is familiar
	LoyaltyPurchases     int // purchase days from which on it is loyal, if besides
	LoyaltyTenureDays    int // so many days lie between the first and the last of them,
	SatisfiedAt          int // and the latest answer on satisfaction within a year, if there is one, is this at least; 0: answers do not count
	// A customer has gone that is silent for longer than SilenceFactor times the median of its gaps between purchase days, but
	// SilenceMinDays at least; SilenceNewDays as long as there is one purchase day. As long as a membership runs nobody is silent.
	SilenceFactor  float64
	SilenceMinDays int
	SilenceNewDays int
	EarlyDays      int // of loyalty: who leaves within them has left early
}

// Settings are a tenant's.
type Settings struct {
	Rules
	Version   int64
	ChangedBy string
	ChangedAt time.Time
}

// Standard holds until a tenant says otherwise.
func Standard() Settings {
	return Settings{Rules: Rules{
		FamiliarityPurchases: 2, LoyaltyPurchases: 4, LoyaltyTenureDays: 180, SatisfiedAt: 4, SilenceFactor: 3, SilenceMinDays: 60, SilenceNewDays: 180, EarlyDays: 365,
	}}
}

// maxDays bounds everything that is counted in days.
const maxDays = 3650

// Check names what is wrong with rules.
func (r Rules) Check() (faults []problem.Field) {
	within := func(field string, v, low, high int) {
		if v < low || v > high {
			faults = append(faults, problem.Field{Location: "body." + field, Code: "out_of_range", Message: fmt.Sprintf("must be %d to %d", low, high)})
		}
	}
	within("familiarity_purchases", r.FamiliarityPurchases, 2, 1000)
	within("loyalty_purchases", r.LoyaltyPurchases, r.FamiliarityPurchases, 1000)
	within("loyalty_tenure_days", r.LoyaltyTenureDays, 0, maxDays)
	within("satisfied_at", r.SatisfiedAt, 0, 5)
	if !(r.SilenceFactor >= 1 && r.SilenceFactor <= 100) {
		faults = append(faults, problem.Field{Location: "body.silence_factor", Code: "out_of_range", Message: "must be 1 to 100"})
	}
	within("silence_min_days", r.SilenceMinDays, 1, maxDays)
	within("silence_new_days", r.SilenceNewDays, 1, maxDays)
	within("early_days", r.EarlyDays, 1, maxDays)
	return faults
}

// Behaviour is what a customer did. Days are counted from any one day.
type Behaviour struct {
	Known     int32   // when it was first heard of
	Purchases []int32 // distinct, in order
	Answers   []Answer
	Contracts []Contract
}

// Answer is one on satisfaction, 1 to 5; they come in order.
type Answer struct {
	Day   int32
	Score int
}

// Contract is a paid membership; Until is the day on which it was over, Runs where it is not.
type Contract struct {
	From, Until int32
}

// Runs stands for the end of a contract that has none yet.
const Runs = int32(math.MaxInt32)

// Step is a stage and the day it began on.
type Step struct {
	Stage   string
	From    int32
	Reasons []string
}

// Path gives the stages of a customer in the order in which it came to them, as far as they are seen at the end of the day until:
// what happened later does not count. It knows nothing else than the behaviour, so that a rebuild gives the same path.
func (r Rules) Path(b Behaviour, until int32) []Step {
	w := walk{rules: r, b: b}
	bought := slices.Clone(b.Purchases)
	for _, c := range b.Contracts {
		bought = append(bought, c.From)
	}
	slices.Sort(bought)
	bought = slices.DeleteFunc(slices.Compact(bought), func(d int32) bool { return d > until })
	known := b.Known
	if len(bought) > 0 {
		known = min(known, bought[0])
	}
	if known > until {
		return nil
	}
	w.enter(Awareness, known, Heard)
	answers := b.Answers
	for _, day := range bought {
		for len(answers) > 0 && answers[0].Day < day {
			w.answered(answers[0])
			answers = answers[1:]
		}
		w.bought(day)
	}
	for _, a := range answers {
		if a.Day <= until {
			w.answered(a)
		}
	}
	w.silence(until + 1)
	return w.steps
}

// walk goes through a behaviour day by day.
type walk struct {
	rules       Rules
	b           Behaviour
	steps       []Step
	first, last int32   // purchase days
	days        int     // how many there were
	gaps        []int32 // between them, sorted
	answer      Answer
	answers     bool
}

func (w *walk) stage() string { return w.steps[len(w.steps)-1].Stage }

// enter goes to a stage, unless the customer is in it. Two on one day are one.
func (w *walk) enter(stage string, day int32, reasons ...string) {
	n := len(w.steps)
	if n > 0 && w.steps[n-1].Stage == stage {
		return
	}
	if n > 0 && w.steps[n-1].From == day {
		w.steps = w.steps[:n-1]
		if n > 1 && w.steps[n-2].Stage == stage {
			return
		}
	}
	w.steps = append(w.steps, Step{Stage: stage, From: day, Reasons: reasons})
}

func (w *walk) bought(day int32) {
	w.silence(day)
	back := w.stage() == Separation
	if w.days == 0 {
		w.first = day
	} else {
		gap := day - w.last
		at, _ := slices.BinarySearch(w.gaps, gap)
		w.gaps = slices.Insert(w.gaps, at, gap)
	}
	w.last = day
	w.days++
	w.judge(day, back)
}

func (w *walk) answered(a Answer) {
	w.silence(a.Day)
	w.answer, w.answers = a, true
	if w.days > 0 && w.stage() != Separation {
		w.judge(a.Day, false)
	}
}

// judge puts the customer where it stands on a day on which it did something.
func (w *walk) judge(day int32, back bool) {
	r := w.rules
	stage, reasons := Exploration, []string{FirstPurchase}
	judged := r.SatisfiedAt > 0 && w.answers && day-w.answer.Day <= 365
	switch regular := w.days >= r.LoyaltyPurchases && int(w.last-w.first) >= r.LoyaltyTenureDays; {
	case regular && judged && w.answer.Score < r.SatisfiedAt:
		stage, reasons = Familiarity, []string{RepeatPurchases, Dissatisfied}
	case regular:
		stage, reasons = Loyalty, []string{RegularBuyer}
		if judged {
			reasons = append(reasons, Satisfied)
		}
	case w.days >= r.FamiliarityPurchases:
		stage, reasons = Familiarity, []string{RepeatPurchases}
	}
	if back {
		reasons = append(reasons, CameBack)
	}
	w.enter(stage, day, reasons...)
}

// silence has the customer gone that was silent for too long before the day.
func (w *walk) silence(day int32) {
	if w.days == 0 || w.stage() == Separation {
		return
	}
	limit := int32(w.rules.SilenceNewDays)
	if n := len(w.gaps); n > 0 {
		median := float64(w.gaps[(n-1)/2]+w.gaps[n/2]) / 2
		limit = int32(math.Min(maxDays, math.Max(float64(w.rules.SilenceMinDays), math.Ceil(w.rules.SilenceFactor*median))))
	}
	gone, reason := w.last+limit+1, Silent
	for _, c := range w.b.Contracts {
		if c.From <= w.last && c.Until > gone {
			gone, reason = c.Until, ContractEnded
		}
	}
	if gone < day {
		w.enter(Separation, gone, reason)
	}
}

// Patterns of a relationship's life.
const (
	LeftExploring  = "left_in_exploration"
	LeftFamiliar   = "left_in_familiarity"
	LeftEarlyLoyal = "left_early_in_loyalty"
	LongKept       = "long_kept" // loyal for longer than the early days, whether it left after that or is still there
	Open           = "open"      // it has not gone, and was not loyal for so long yet
	NoRelationship = "none"      // never bought anything
)

// Pattern tells in which pattern a path lies at the end of the day until.
func (r Rules) Pattern(path []Step, until int32) string {
	n := len(path)
	if n == 0 || n == 1 && path[0].Stage == Awareness {
		return NoRelationship
	}
	last, end := path[n-1], until+1
	if last.Stage == Separation {
		end = last.From
		last = path[n-2]
	}
	kept := last.Stage == Loyalty && int(end-last.From) >= r.EarlyDays
	switch {
	case kept:
		return LongKept
	case path[n-1].Stage != Separation:
		return Open
	case last.Stage == Loyalty:
		return LeftEarlyLoyal
	case last.Stage == Familiarity:
		return LeftFamiliar
	default:
		return LeftExploring
	}
}
