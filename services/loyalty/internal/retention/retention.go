// Package retention keeps customers who are about to go and wins back those who have gone, and gives members points on
// occasions of their own.
//
// A case is opened by a rise in churn risk, by a tier about to fall, by silence, or by hand. Which arm it is in is decided by a
// hash (holdout.go) before anything is done: of a customer who is held out nothing is done but to measure. The rules of a case
// are here and in decision.go; they are applied to its row (commands.go). The process that waits, asks and offers is a workflow
// (workflow.go), which holds nothing that is not in the row as well. What came of it all is reckoned in report.go.
package retention

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
)

// Kind says whether a customer is about to go, or has gone.
type Kind string

// The kinds.
const (
	Care    Kind = "care"
	WinBack Kind = "win_back"
)

// purpose is what contacts of the kind are for, as consents know it.
func (k Kind) purpose() string {
	if k == Care {
		return "service"
	}
	return "marketing"
}

// Trigger is what opened a case.
type Trigger string

// The triggers.
const (
	ChurnRisk   Trigger = "churn_risk"
	TierFalling Trigger = "tier_falling"
	Silence     Trigger = "silence"
	Manual      Trigger = "manual"
)

// LossKind says how a customer was lost; empty where nobody knows.
type LossKind string

// The kinds of losses.
const (
	Natural     LossKind = "natural" // moved away, grew out of it, died
	Competitive LossKind = "competitive"
	OurFault    LossKind = "our_fault"
	Fraudulent  LossKind = "fraudulent"
	LetGo       LossKind = "let_go" // we did not want to keep them
)

// Excluded tells whether nobody wants the customer back.
func (l LossKind) Excluded() bool { return l == Fraudulent || l == LetGo }

func (l LossKind) known() bool {
	return slices.Contains([]LossKind{Natural, Competitive, OurFault, Fraudulent, LetGo}, l)
}

// Reason is why a customer goes.
type Reason string

// The reasons.
const (
	Price      Reason = "price"
	Product    Reason = "product"
	Service    Reason = "service"
	Competitor Reason = "competitor"
	Moved      Reason = "moved"
	Unknown    Reason = "unknown"
)

func (r Reason) known() bool {
	return slices.Contains([]Reason{Price, Product, Service, Competitor, Moved, Unknown}, r)
}

// Band is what a customer was worth.
type Band string

// The bands.
const (
	High   Band = "high"
	Medium Band = "medium"
	Low    Band = "low"
)

// Arm says what is done about a case.
type Arm string

// The arms.
const (
	Treated Arm = "treated"
	HeldOut Arm = "held_out" // nothing, so that what is done to others can be measured
)

// Stage is where a case stands.
type Stage string

// The stages.
const (
	Open      Stage = "open"
	Paused    Stage = "paused"   // no steps until somebody resumes; its time passes all the same
	Retained  Stage = "retained" // the customer bought in time
	Lost      Stage = "lost"
	Cancelled Stage = "cancelled"
)

// Why a case was cancelled without anybody's decision.
const (
	codeErased = "customer_erased"
	codeMerged = "merged" // with somebody who has a case already
)

// OfferState is what became of an offer; empty where none was made.
type OfferState string

// What becomes of offers.
const (
	OfferMade    OfferState = "made"
	OfferTaken   OfferState = "taken"
	OfferRefused OfferState = "refused" // taken, but its points could not be given
)

// Made is an offer that was made.
type Made struct {
	Offer     string     `json:"offer,omitempty"` // code in the plan
	State     OfferState `json:"state,omitempty"`
	Points    int64      `json:"points,omitempty"`
	CostMinor int64      `json:"cost_minor,omitempty"`
	ExpiresAt time.Time  `json:"expires_at,omitzero"`
	EntryID   uuid.UUID  `json:"entry_id,omitzero"` // by which its points were given
}

// Case is where one case stands. Its JSON form travels in the workflow's history, so it carries no words of people: those are
// notes.
type Case struct {
	ID          uuid.UUID `json:"id"` // UUIDv7
	Version     int64     `json:"version"`
	CustomerID  uuid.UUID `json:"customer_id"` // whom the customer's ids meant when it was opened
	Plan        string    `json:"plan"`
	PlanVersion int64     `json:"plan_version"`
	Kind        Kind      `json:"kind"`
	Trigger     Trigger   `json:"trigger"`
	Stage       Stage     `json:"stage"`
	Arm         Arm       `json:"arm"`
	Bucket      int       `json:"bucket"` // 0 to 999
	LossKind    LossKind  `json:"loss_kind,omitempty"`
	Reason      Reason    `json:"reason"`
	Band        Band      `json:"value_band"`
	ValueMinor  int64     `json:"value_minor"` // bought in the year before the opening, returns taken off
	Currency    string    `json:"currency"`    // of all amounts
	Next        int       `json:"next"`        // place of the next step in the plan, from 0
	StepAt      time.Time `json:"step_at,omitzero"`
	Round       int       `json:"round"` // of asking accounts for that step, from 1
	OpenedAt    time.Time `json:"opened_at"`
	EndsAt      time.Time `json:"ends_at"` // a purchase until then counts
	BoughtAt    time.Time `json:"bought_at,omitzero"`
	OrderID     uuid.UUID `json:"order_id,omitzero"`
	Offer       Made      `json:"offer,omitzero"`
	Contacts    int       `json:"contacts,omitempty"`      // that were allowed and handed on
	Revenue     int64     `json:"revenue_minor,omitempty"` // by the end of the case
	CostMinor   int64     `json:"cost_minor,omitempty"`
	Code        string    `json:"code,omitempty"` // why it was cancelled
	ClosedAt    time.Time `json:"closed_at,omitzero"`
	Steps       []Step    `json:"steps"`
}

// Step is one thing that happened, a decision of a person or a deed of the process.
type Step struct {
	No         int       `json:"no"` // from 1
	Action     Action    `json:"action"`
	Step       StepKind  `json:"step,omitempty"`    // of the plan
	Code       string    `json:"code,omitempty"`    // what was decided, or why a step was skipped
	Channel    string    `json:"channel,omitempty"` // of a contact
	ContactID  uuid.UUID `json:"contact_id,omitzero"`
	DecisionID uuid.UUID `json:"decision_id,omitzero"` // Nil: the process did it by itself
	Hash       []byte    `json:"hash,omitempty"`       // of the decision's input
	By         string    `json:"by"`                   // subject
	At         time.Time `json:"at"`
	NoteID     uuid.UUID `json:"note_id,omitzero"` // what was said with it
}

// process is the subject of what the process does by itself.
const process = "process:retention"

// Over tells whether nothing more is to be done.
func (c Case) Over() bool { return c.Stage != Open && c.Stage != Paused }

// DueAt is when something happens by itself: the next step, or the end. Zero where the case is over.
func (c Case) DueAt() time.Time {
	switch {
	case c.Over():
		return time.Time{}
	case !c.BoughtAt.IsZero():
		return c.BoughtAt // it is to be closed
	case c.Stage == Open && !c.StepAt.IsZero() && c.StepAt.Before(c.EndsAt):
		return c.StepAt
	default:
		return c.EndsAt
	}
}

// happened adds a step.
func (c *Case) happened(s Step) {
	s.No = len(c.Steps) + 1
	c.Steps = append(slices.Clip(c.Steps), s)
	c.Version++
}

// did is happened for what the process does by itself.
func (c *Case) did(s Step, now time.Time) {
	s.By, s.At = process, now
	c.happened(s)
}

// Opening is what a case is opened by.
type Opening struct {
	ID         uuid.UUID
	CustomerID uuid.UUID // the root of the customer's ids
	Trigger    Trigger
	LossKind   LossKind
	Reason     Reason
	ValueMinor int64 // bought in the last year in the plan's currency, returns taken off
	By         string
	NoteID     uuid.UUID
	DecisionID uuid.UUID
	At         time.Time
}

// OpenCase opens a case by a plan: first of all its arm is decided.
func OpenCase(tenant string, p Plan, o Opening) Case {
	c := Case{
		ID: o.ID, CustomerID: o.CustomerID, Plan: p.Code, PlanVersion: p.Version, Kind: p.Kind, Trigger: o.Trigger, Stage: Open,
		Bucket: Bucket(tenant, p.Code, p.Salt, o.CustomerID), LossKind: o.LossKind, Reason: o.Reason,
		Band: p.Bands.of(o.ValueMinor), ValueMinor: o.ValueMinor, Currency: p.Currency, Round: 1, OpenedAt: o.At,
		EndsAt: o.At.Add(time.Duration(p.WindowSeconds) * time.Second),
	}
	if c.Reason == "" {
		c.Reason = Unknown
	}
	c.Arm = Treated
	if c.Bucket < p.HoldOutPermille {
		c.Arm = HeldOut
	} else {
		c.schedule(p, o.At)
	}
	c.happened(Step{Action: ActionOpen, Code: string(o.Trigger), By: o.By, At: o.At, NoteID: o.NoteID, DecisionID: o.DecisionID})
	return c
}

// schedule says when the next step is due, reckoned from the time of the one before.
func (c *Case) schedule(p Plan, from time.Time) {
	c.StepAt, c.Round = time.Time{}, 1
	if c.Next < len(p.Steps) {
		c.StepAt = from.Add(time.Duration(p.Steps[c.Next].AfterSeconds) * time.Second)
	}
}

// stepDue gives the step that is to be done now; ok is false where none is.
func (c Case) stepDue(p Plan, now time.Time) (StepPlan, bool) {
	if c.Stage != Open || c.Arm != Treated || !c.BoughtAt.IsZero() || c.StepAt.IsZero() || c.StepAt.After(now) || !c.EndsAt.After(now) ||
		c.Next >= len(p.Steps) {
		return StepPlan{}, false
	}
	return p.Steps[c.Next], true
}

// Limits is how often somebody was contacted, and what the offers' points are worth.
type Limits struct {
	Recent int              // contacts of all cases of the customer in the last 30 days
	Worth  func(Deal) int64 // what an offer costs at least, in minor units of the plan's currency; nil: nobody knows
}

// Contact is what the customer is to be contacted for. Offer is what is offered with it; nil for nothing.
type Contact struct {
	Kind  StepKind
	Offer *Deal
}

// Prepare says what the step that is due is about, or the code of why it is skipped. A reminder makes the offer where the
// step that should have could not.
func (c Case) Prepare(p Plan, s StepPlan, l Limits) (Contact, string) {
	contact := Contact{Kind: s.Kind}
	switch {
	case p.MaxContacts > 0 && c.Contacts >= p.MaxContacts:
		return contact, "contact_limit_case"
	case p.MaxContacts30Days > 0 && l.Recent >= p.MaxContacts30Days:
		return contact, "contact_limit_30_days"
	}
	if s.Kind != StepOffer && (s.Kind != StepReminder || !p.offersBefore(c.Next)) || c.Offer.State != "" {
		return contact, ""
	}
	deal, code := p.Choose(c, l.Worth)
	if code != "" {
		if s.Kind == StepOffer {
			return contact, code
		}
		return contact, "" // a reminder without an offer
	}
	contact.Offer = &deal
	return contact, ""
}

// Skip notes that the step was not done, and why, and goes on to the next one.
func (c *Case) Skip(p Plan, s StepPlan, code string, now time.Time) {
	c.Next++
	c.schedule(p, now)
	c.did(Step{Action: ActionSkip, Step: s.Kind, Code: code}, now)
}

// Contacted notes that the customer is contacted, and what is offered, and goes on to the next step.
func (c *Case) Contacted(p Plan, contact Contact, contactID uuid.UUID, channel string, now time.Time) {
	c.Next++
	c.Contacts++
	c.schedule(p, now)
	c.did(Step{Action: ActionContact, Step: contact.Kind, Channel: channel, ContactID: contactID}, now)
	if o := contact.Offer; o != nil {
		c.Offer = Made{Offer: o.Code, State: OfferMade, Points: o.Points, CostMinor: o.CostMinor,
			ExpiresAt: now.Add(time.Duration(o.ValidSeconds) * time.Second)}
		c.did(Step{Action: ActionOffer, Code: o.Code}, now)
	}
}

// Bought notes the first purchase that counts, and tells whether this is it.
func (c *Case) Bought(order uuid.UUID, at, now time.Time) bool {
	if c.Over() || !c.BoughtAt.IsZero() && !at.Before(c.BoughtAt) || !at.After(c.OpenedAt) || at.After(c.EndsAt) {
		return false
	}
	first := c.BoughtAt.IsZero()
	c.BoughtAt, c.OrderID = at, order
	if first {
		c.did(Step{Action: ActionBuy}, now)
	} else {
		c.Version++
	}
	return true
}

// takes tells whether the offer is taken by what happens at the time: since it was made, and before it ran out. An order may be
// heard of long after it was placed.
func (c Case) takes(at time.Time) bool {
	made := slices.IndexFunc(c.Steps, func(s Step) bool { return s.Action == ActionOffer })
	return c.Offer.State == OfferMade && made >= 0 && !at.Before(c.Steps[made].At) && !at.After(c.Offer.ExpiresAt)
}

// Take notes that the offer was taken: entry gave its points, code says why they could not be given.
func (c *Case) Take(entry uuid.UUID, code string, s Step) {
	s.Action, s.Code = ActionTake, c.Offer.Offer
	c.Offer.State, c.Offer.EntryID = OfferTaken, entry
	if code != "" {
		c.Offer.State, s.Code = OfferRefused, code
	} else {
		c.CostMinor = c.Offer.CostMinor
	}
	c.happened(s)
}

// Close ends the case. revenue is what was bought since it was opened, in minor units, returns taken off.
func (c *Case) Close(to Stage, code string, revenue int64, s Step) {
	c.Stage, c.Code, c.Revenue, c.ClosedAt, c.StepAt = to, code, max(0, min(revenue, money.Max)), s.At, time.Time{}
	c.happened(s)
}
