// Package opportunity leads what a customer may buy from its opening to the day on which it is won or lost: stages with
// their history, the next step, products, who decides there, and whom one is up against.
//
// The rules are here, in change.go, stage.go and stall.go, pure; commands apply them to a row that is locked. Words (the name,
// the next step, texts of custom fields, what is said of competitors) stay in the tables: events have codes, amounts and ids.
package opportunity

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// State says whether an opportunity is open.
type State string

// The states.
const (
	Open      State = "open"
	Won       State = "won"
	Lost      State = "lost"
	Withdrawn State = "withdrawn" // should not have been opened: counts nowhere
)

// Role is a person's part in the decision. The empty Role is not known.
type Role string

// The roles.
const (
	DecisionMaker Role = "decision_maker"
	Influencer    Role = "influencer"
	User          Role = "user"
	Coach         Role = "coach" // tells us how things stand there
	Buyer         Role = "buyer"
)

// Roles lists the roles.
func Roles() []Role { return []Role{DecisionMaker, Influencer, User, Coach, Buyer} }

// Contact is a person on the customer's side, who is a customer of accounts as well.
type Contact struct {
	CustomerID uuid.UUID
	Root       uuid.UUID // the customer whom the id means, where it was read
	Role       Role
	Influence  int  // on the decision, 1 to 5, 5 the most; 0: not known
	Leaning    *int // -2 (against us) to 2 (for us); nil: not known
	ChangedAt  time.Time
	By         string // subject of whoever said so
}

// Rival is a competitor in an opportunity, as the customer sees it.
type Rival struct {
	Competitor string // code
	Strengths  string // words, up to 2,000 characters
	Weaknesses string // words
	ChangedAt  time.Time
	By         string
}

// Line is a product that the customer may buy.
type Line struct {
	SKU         string
	Quantity    int64 // more than 0
	UnitMinor   int64 // price of one, in minor units
	AmountMinor int64 // Quantity times UnitMinor
}

// Stall says that nothing goes on any more. The zero Stall: it goes on.
type Stall struct {
	At     time.Time
	Reason string // one of the Stall constants
}

// Why an opportunity stalled.
const (
	StallAge     = "age"               // longer in its stage than that allows
	StallNoStep  = "no_next_step"      // nobody said for a day what comes next
	StallOverdue = "next_step_overdue" // the next step's day is over
)

// Opportunity is something that a customer may buy.
type Opportunity struct {
	ID              uuid.UUID // UUIDv7
	Version         int64     // of what people change; 1: nothing was changed since it was opened
	CustomerID      uuid.UUID // as it was written, for ever
	Root            uuid.UUID // the customer whom CustomerID means, where it was read
	LeadID          uuid.UUID // that it came of; Nil for none
	Name            string
	Pipeline        string // code
	Stage           string // code of the stage that it is in, or was closed in
	State           State
	Currency        string // ISO 4217, of every amount
	AmountMinor     int64  // the sum of the lines where there are any; 0: not known
	Lines           []Line
	ExpectedCloseOn time.Time // a day, as midnight UTC; zero: nobody said
	NextStep        string
	NextStepOn      time.Time         // a day, as midnight UTC
	NextStepSince   time.Time         // when the next step became what it is
	Owner           string            // subject of who sells; empty: nobody
	Team            string            // code; empty: none
	Source          string            // code
	Campaign        string            // code
	Category        pipeline.Category // of a forecast; empty: the stage's
	Tags            []string          // codes, by code
	Custom          map[string]any
	Fields          map[string]string // what scoring knows of it beside source and campaign: codes, such as the country of the lead
	OpenedAt        time.Time
	StageSince      time.Time // it is in the stage, or closed, since then
	ClosedAt        time.Time // zero while open
	Reason          string    // code of why it was lost
	Competitor      string    // code of whom it was lost to
	Orders          []uuid.UUID
	Contacts        []Contact
	Rivals          []Rival
	Stall           Stall
	Stalls          int       // how often it stalled
	LookAt          time.Time // when it may stall next; zero: not until something changes
	FollowUpAt      time.Time // when its follow-up has to ask somebody; zero: there is none, or it asked everybody
	Moves           int       // how many entries its stage history has
	Followed        bool      // something hangs on it: a quote, an activity
	ChangedAt       time.Time
	By              string // subject of whoever changed it
}

// CaseID names it to scoring: the lead's id, where it came of one.
func (o Opportunity) CaseID() uuid.UUID {
	if o.LeadID != uuid.Nil {
		return o.LeadID
	}
	return o.ID
}

// CategoryIn gives the category of a forecast: its own or the stage's.
func (o Opportunity) CategoryIn(s pipeline.Stage) pipeline.Category {
	if o.Category != "" {
		return o.Category
	}
	return s.Category
}

// Entry is a row of the stage history: the opportunity stood so from then until the next entry.
type Entry struct {
	No              int // from 1: the opening
	Pipeline        string
	Stage           string
	State           State
	EnteredAt       time.Time
	LeftAt          time.Time // zero while it stands so; only where the history was read
	By              string    // subject
	PreviousStage   string    // that it left by this; empty: it was opened
	PreviousState   State
	PreviousSeconds int64 // whole seconds that it was there, this time
}

// Seconds gives the whole seconds from the entry to the next one, or to a moment where there is none yet.
func (e Entry) Seconds(now time.Time) int64 {
	if !e.LeftAt.IsZero() {
		now = e.LeftAt
	}
	return int64(now.Sub(e.EnteredAt) / time.Second)
}

// enter puts the opportunity into a stage and a state, and gives the row of its history that says so.
func (o Opportunity) enter(stage string, state State, by string, now time.Time) (Opportunity, Entry) {
	e := Entry{No: o.Moves + 1, Pipeline: o.Pipeline, Stage: stage, State: state, EnteredAt: now, By: by}
	if o.Moves > 0 {
		if e.EnteredAt.Before(o.StageSince) {
			e.EnteredAt = o.StageSince // another machine's clock is behind: the history does not go backwards
		}
		e.PreviousStage, e.PreviousState = o.Stage, o.State
		e.PreviousSeconds = int64(e.EnteredAt.Sub(o.StageSince) / time.Second)
	}
	o.Stage, o.State, o.StageSince, o.Moves = stage, state, e.EnteredAt, e.No
	return o, e
}
