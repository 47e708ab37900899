package complaint

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// PartKind is a sort of remedy.
type PartKind = policy.Kind

// The kinds, in the order in which they are carried out: what can be taken back first, what cannot last.
const (
	Points      = policy.Points
	Apology     = policy.Apology
	Explanation = policy.Explanation
	Voucher     = policy.Voucher
	Repair      = policy.Repair
	Exchange    = policy.Exchange
	FreeService = policy.FreeService
	Refund      = policy.Refund
)

// PartState is what became of a part.
type PartState string

// The states of a part.
const (
	Planned   PartState = "planned"
	Done      PartState = "done"
	Failed    PartState = "failed"     // refused for good by whom it was asked of
	TakenBack PartState = "taken_back" // since a later part failed
	Dropped   PartState = "dropped"    // needs the consent that the customer never gave, or was let be
)

// Proposal is a remedy that is proposed to a customer.
type Proposal struct {
	No        int             `json:"no"` // within the complaint, from 1
	Parts     []Part          `json:"parts"`
	Currency  string          `json:"currency"` // ISO 4217, of every amount
	CostMinor int64           `json:"cost_minor"`
	Approval  policy.Approval `json:"approval"`
	By        string          `json:"by"` // subject
}

// Part is one part of a proposal.
type Part struct {
	No          int              `json:"no"` // within the proposal, from 1
	Kind        PartKind         `json:"kind"`
	Points      int64            `json:"points,omitempty"`
	OrderID     uuid.UUID        `json:"order_id,omitzero"`
	AmountMinor int64            `json:"amount_minor,omitempty"` // the most that a refund may be; once done, what it was; of a voucher, its value
	CostMinor   int64            `json:"cost_minor,omitempty"`
	State       PartState        `json:"state"`
	Reference   string           `json:"reference,omitempty"` // once done: the ledger's entry, the return, the ticket, the letter; once failed: why, as a code
	Entry       string           `json:"entry,omitempty"`     // of the menu
	Justice     []policy.Justice `json:"justice,omitempty"`   // which it answers
	Consent     bool             `json:"consent,omitempty"`   // whether it needs the customer's
}

// byTicket tells whether the part is done by a ticket of its own.
func (p Part) byTicket() bool { return p.Kind == Repair || p.Kind == Exchange || p.Kind == FreeService }

// PartDraft is a part that is about to be proposed.
type PartDraft struct {
	Kind        PartKind  `json:"kind"`
	Entry       string    `json:"entry,omitempty"` // of the menu; empty: the first of the kind
	Points      int64     `json:"points,omitempty"`
	OrderID     uuid.UUID `json:"order_id,omitzero"`
	AmountMinor int64     `json:"amount_minor,omitempty"`
}

const (
	maxParts     = 10
	maxPoints    = 1_000_000 // as loyalty takes them
	maxProposals = 100
)

// propose puts a new proposal in the place of the last one.
func (c *Complaint) propose(d Decision, p policy.Policy, now time.Time) error {
	next := Proposal{No: 1, Currency: d.Currency, By: d.By.Subject}
	if c.Proposal != nil {
		next.No = c.Proposal.No + 1
	}
	if next.No > maxProposals {
		return problem.New(problem.Conflict, "too_many_proposals", "There were %d proposals already: withdraw the complaint or decide on the last.", maxProposals)
	}
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if _, ok := money.Digits(d.Currency); !ok {
		fault("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
	}
	if n := len(d.Parts); n < 1 || n > maxParts {
		fault("parts", "parts_out_of_range", "must be 1 to 10")
	}
	for i, draft := range d.Parts {
		part, wrong := draft.part(p)
		for _, f := range wrong {
			fault(fmt.Sprintf("parts[%d].%s", i, f.Location), f.Code, f.Message)
		}
		var ok bool
		if next.CostMinor, ok = money.Add(next.CostMinor, part.CostMinor); !ok && len(wrong) == 0 {
			fault(fmt.Sprintf("parts[%d]", i), "amount_too_large", "the cost of all parts is more than an amount can be")
		}
		next.Parts = append(next.Parts, part)
	}
	if len(faults) > 0 {
		return decisionInvalid(faults)
	}
	order := policy.Kinds()
	slices.SortStableFunc(next.Parts, func(a, b Part) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	for i := range next.Parts {
		next.Parts[i].No = i + 1
	}
	next.Approval = p.Approval(next.CostMinor, c.Severity, c.Level)
	if c.Proposal != nil && c.Proposal.Currency == next.Currency {
		c.CarriedMinor += c.Proposal.spent()
	} else {
		c.CarriedMinor = 0 // nothing is converted
	}
	c.Proposal = &next
	c.Steps[len(c.Steps)-1].Detail.Proposal = next.No
	if next.Approval == policy.None {
		c.enter(Offered, p, now)
	} else {
		c.enter(Proposed, p, now)
	}
	return nil
}

// part makes a part of the draft, or names every field that is not right.
func (d PartDraft) part(p policy.Policy) (Part, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	part := Part{Kind: d.Kind, Points: d.Points, OrderID: d.OrderID, AmountMinor: d.AmountMinor, State: Planned}
	if !slices.Contains(policy.Kinds(), d.Kind) {
		fault("kind", "kind_unknown", "must be points, apology, explanation, voucher, repair, exchange, free_service or refund")
		return part, faults
	}
	entry, ok := p.Menu.Find(d.Entry, d.Kind)
	if !ok {
		fault("kind", "not_on_menu", "must be on the menu of remedies")
		return part, faults
	}
	part.Entry, part.Justice, part.Consent = entry.Code, entry.Justice, entry.Consent
	if d.Kind != Points && d.Points != 0 {
		fault("points", "points_unexpected", "only a part of the kind points has points")
	}
	if d.Kind != Refund && d.OrderID != uuid.Nil {
		fault("order_id", "order_unexpected", "only a refund has an order")
	}
	switch d.Kind {
	case Points:
		switch {
		case d.Points < 1 || d.Points > maxPoints:
			fault("points", "out_of_range", "must be 1 to 1000000")
		case p.PointMinor > 0 && d.Points > money.Max/p.PointMinor:
			fault("points", "amount_too_large", "cost more than an amount can be")
		default:
			part.CostMinor = d.Points * p.PointMinor
		}
	case Refund, Voucher:
		if d.Kind == Refund && d.OrderID == uuid.Nil {
			fault("order_id", "order_required", "must name the order")
		}
		if d.AmountMinor < 1 || d.AmountMinor > money.Max {
			fault("amount_minor", "out_of_range", "must be more than 0 and a possible amount")
			return part, faults
		}
		part.CostMinor = d.AmountMinor
	case Repair, Exchange, FreeService:
		if d.AmountMinor < 0 || d.AmountMinor > money.Max {
			fault("amount_minor", "out_of_range", "must be 0 or more and a possible amount")
			return part, faults
		}
		if part.CostMinor = entry.CostMinor; d.AmountMinor > 0 { // this one is expected to cost something else
			part.CostMinor = d.AmountMinor
		}
		part.AmountMinor = 0
	default:
		part.CostMinor = entry.CostMinor
	}
	if (d.Kind == Points || d.Kind == Apology || d.Kind == Explanation) && d.AmountMinor != 0 {
		fault("amount_minor", "amount_unexpected", "must be left out: points and letters have no amount")
	}
	return part, faults
}

// changed gives the proposal with parts that can be changed.
func (p Proposal) changed() *Proposal {
	p.Parts = slices.Clone(p.Parts)
	return &p
}

// drop takes the parts that fit and are not done yet out of a proposal; left tells whether any is still to be carried out.
func (p *Proposal) drop(fits func(Part) bool) (left bool) {
	for i := range p.Parts {
		switch part := &p.Parts[i]; {
		case part.State != Planned:
		case fits(*part):
			p.CostMinor -= part.CostMinor
			part.State, part.CostMinor = Dropped, 0
		default:
			left = true
		}
	}
	return left
}

// silence is what follows when the customer never answers. Silence is no consent: what needs it is dropped, what does not
// is carried out.
func (c Complaint) silence(p policy.Policy, now time.Time) Complaint {
	c.Silent = true
	c.happened(Step{Action: Silence, By: process, At: now})
	c.Proposal = c.Proposal.changed()
	if c.Proposal.drop(func(part Part) bool { return part.Consent }) {
		c.enter(Accepted, p, now)
	} else {
		c.end(Unanswered, p, now)
	}
	return c
}

// retry has the part that failed, and those after it, tried again.
func (c *Complaint) retry(p policy.Policy, now time.Time) {
	c.Proposal = c.Proposal.changed()
	for i := range c.Proposal.Parts {
		if part := &c.Proposal.Parts[i]; part.State == Failed {
			part.State, part.Reference = Planned, ""
		}
	}
	c.enter(Accepted, p, now)
}

// leave lets be what was done and drops the rest.
func (c *Complaint) leave(p policy.Policy, now time.Time) {
	c.Proposal = c.Proposal.changed()
	c.Proposal.drop(func(Part) bool { return true })
	for i := range c.Proposal.Parts {
		if part := &c.Proposal.Parts[i]; part.State != Done {
			c.Proposal.CostMinor -= part.CostMinor
			part.CostMinor = 0
		}
	}
	c.done(p, now)
}

// done is what follows when a remedy was carried out: the customer's verdict, if the policy asks for it.
func (c *Complaint) done(p policy.Policy, now time.Time) {
	if p.VerifyWithin > 0 {
		c.enter(Verifying, p, now)
	} else {
		c.end(c.agreed(), p, now)
	}
}

// PartResult is what a part that was carried out came to.
type PartResult struct {
	No          int    `json:"no"`
	Reference   string `json:"reference,omitempty"`
	AmountMinor int64  `json:"amount_minor,omitempty"` // of a refund
}

// keep writes down what parts came to.
func (p *Proposal) keep(results []PartResult) {
	for _, r := range results {
		if r.No < 1 || r.No > len(p.Parts) || p.Parts[r.No-1].State == Done {
			continue
		}
		part := &p.Parts[r.No-1]
		part.State, part.Reference = Done, r.Reference
		if part.Kind == Refund {
			p.CostMinor += r.AmountMinor - part.CostMinor
			part.AmountMinor, part.CostMinor = r.AmountMinor, r.AmountMinor
		}
	}
}

// PartDone keeps what parts came to while others are still being carried out. Repeated, it changes nothing.
func (c Complaint) PartDone(proposal int, results []PartResult) Complaint {
	if !c.carryingOut(proposal) || !slices.ContainsFunc(results, func(r PartResult) bool { return c.Proposal.Parts[r.No-1].State == Planned }) {
		return c
	}
	c.Version++
	c.Proposal = c.Proposal.changed()
	c.Proposal.keep(results)
	return c
}

// Executed is a complaint whose accepted proposal was carried out. Repeated, it changes nothing.
func (c Complaint) Executed(proposal int, results []PartResult, p policy.Policy, now time.Time) Complaint {
	if !c.carryingOut(proposal) {
		return c
	}
	c.Version++
	c.happened(Step{Action: Execute, By: process, At: now, Detail: StepDetail{Proposal: proposal}})
	c.Proposal = c.Proposal.changed()
	c.Proposal.keep(results)
	c.done(p, now)
	return c
}

// Failure is that a part of a proposal was refused for good.
type Failure struct {
	Proposal  int          `json:"proposal"`
	Part      int          `json:"part"`
	Code      string       `json:"code"`                 // why
	Results   []PartResult `json:"results,omitempty"`    // what the parts before it came to
	TakenBack []int        `json:"taken_back,omitempty"` // those of them that were; where it is stuck
	Stuck     bool         `json:"stuck,omitempty"`      // not all of them can be
}

// CannotExecute is a complaint of whose accepted proposal a part was refused for good. Where all before it was taken back,
// somebody has to propose something else; where that could not be, a person has to say how to go on. Repeated, it changes
// nothing.
func (c Complaint) CannotExecute(f Failure, p policy.Policy, now time.Time) Complaint {
	if !c.carryingOut(f.Proposal) {
		return c
	}
	c.Version++
	c.happened(Step{Action: Fail, By: process, At: now, Detail: StepDetail{Proposal: f.Proposal, Part: f.Part, Code: f.Code}})
	c.Proposal = c.Proposal.changed()
	if f.Stuck {
		c.Proposal.keep(f.Results)
	}
	for i := range c.Proposal.Parts {
		switch one := &c.Proposal.Parts[i]; {
		case one.No == f.Part:
			one.State, one.Reference = Failed, f.Code
		case f.Stuck && slices.Contains(f.TakenBack, one.No), !f.Stuck && one.No < f.Part && (one.State == Planned || one.State == Done):
			one.State = TakenBack
		}
	}
	if f.Stuck {
		c.enter(Stuck, p, now)
		return c
	}
	c.Silent = false
	c.enter(Found, p, now)
	return c
}

func (c Complaint) carryingOut(proposal int) bool {
	return c.Stage == Accepted && c.Proposal != nil && c.Proposal.No == proposal
}

// granted are the points of the parts that were carried out.
func (p Proposal) granted() (points int64) {
	for _, part := range p.Parts {
		if part.State == Done {
			points += part.Points
		}
	}
	return points
}

// points are those that are proposed.
func (p Proposal) points() (points int64) {
	for _, part := range p.Parts {
		points += part.Points
	}
	return points
}

func decisionInvalid(faults []problem.Field) error {
	return problem.InvalidBody("decision_invalid", "The decision was not accepted: mend the fields named here.", faults)
}
