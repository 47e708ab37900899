package customer

import (
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Stage is how far the relationship with a customer has come: the phases through which relationships of buyers and
// sellers go after Dwyer, Schurr and Oh, "Developing Buyer-Seller Relationships", Journal of Marketing 51 (1987).
type Stage string

// The stages, in their order.
const (
	Awareness   Stage = "awareness"   // has heard of us
	Exploration Stage = "exploration" // tries us out
	Familiarity Stage = "familiarity" // knows us and comes back
	Loyalty     Stage = "loyalty"     // prefers us
	Separation  Stage = "separation"  // has gone, or is going
)

// Stages lists the stages in their order.
func Stages() []Stage { return []Stage{Awareness, Exploration, Familiarity, Loyalty, Separation} }

// Segment is what follows from a stage for whoever works with lists of customers.
type Segment string

// The segments.
const (
	Suspect  Segment = "suspect"  // may be interested
	Prospect Segment = "prospect" // is
	Current  Segment = "current"  // is a customer
	Lost     Segment = "lost"     // was one
)

// Segment gives what follows from the stage.
func (s Stage) Segment() Segment {
	switch s {
	case Exploration:
		return Prospect
	case Familiarity, Loyalty:
		return Current
	case Separation:
		return Lost
	default:
		return Suspect
	}
}

// With this many orders a customer tries us out, and with this many comes back. Loyalty and separation do not follow from
// a number of orders: people say so, or analytics, which looks at all that the customer does.
const (
	OrdersOfExploration = 1
	OrdersOfFamiliarity = 2
)

// Reasons of changes that nobody asked for.
const (
	ReasonFirstPurchase  = "first_purchase"
	ReasonRepeatPurchase = "repeat_purchase"
	ReasonBehaviour      = "behaviour" // as analytics sees it, where it says no more
)

// StageAfter gives the stage that follows from a number of orders for a customer in a stage, and why; ok is false where it
// stays. It never goes back, so a customer who had left stays in separation until a person says otherwise.
func StageAfter(now Stage, orders int64) (next Stage, reason string, ok bool) {
	switch {
	case orders >= OrdersOfFamiliarity && (now == Awareness || now == Exploration):
		return Familiarity, ReasonRepeatPurchase, true
	case orders >= OrdersOfExploration && now == Awareness:
		return Exploration, ReasonFirstPurchase, true
	}
	return now, "", false
}

// Move is one entry of the history of a customer's stages.
type Move struct {
	CustomerID  uuid.UUID // as it was addressed
	Stage       Stage
	Since       time.Time
	Reason      string    // code
	By          string    // subject of whoever said so, or the part of the program
	ManualUntil time.Time // zero: the stage may change by itself from then on
}

// maxManual bounds for how long a person can hold a stage.
const maxManual = 10 * 366 * 24 * time.Hour

var reasonPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// MoveTo gives the customer in another stage, or held in it for longer or shorter, and the entry of the history; changed
// is false when all is so already.
func (c Customer) MoveTo(to Stage, reason, by string, manualUntil, at time.Time) (now Customer, move Move, changed bool) {
	if to == c.Stage && manualUntil.Equal(c.StageManualUntil) {
		return c, Move{}, false
	}
	since := at
	if !since.After(c.StageSince) { // the history's key: two changes are never of the same moment
		since = c.StageSince.Add(time.Microsecond)
	}
	c.Stage, c.StageSince, c.StageManualUntil, c.Version, c.ChangedAt = to, since, manualUntil, c.Version+1, at
	return c, Move{CustomerID: c.As, Stage: to, Since: since, Reason: reason, By: by, ManualUntil: manualUntil}, true
}

// held tells whether a person keeps the stage as it is.
func (c Customer) held(at time.Time) bool { return c.StageManualUntil.After(at) }

// checkMove names what is not right about a stage that a person sets.
func checkMove(to Stage, reason string, manualUntil, at time.Time) []problem.Field {
	var faults []problem.Field
	if !slices.Contains(Stages(), to) {
		faults = append(faults, problem.Field{Location: "stage", Code: "stage_unknown",
			Message: "must be awareness, exploration, familiarity, loyalty or separation"})
	}
	if !reasonPattern.MatchString(reason) {
		faults = append(faults, problem.Field{Location: "reason", Code: "reason_malformed",
			Message: "must be a code of 1 to 63 small letters, digits and _, beginning with a letter"})
	}
	if !manualUntil.IsZero() && (!manualUntil.After(at) || manualUntil.After(at.Add(maxManual))) {
		faults = append(faults, problem.Field{Location: "manual_until", Code: "time_unfit", Message: "must be in the future, at most ten years from now"})
	}
	return faults
}
