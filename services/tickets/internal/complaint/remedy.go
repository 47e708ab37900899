package complaint

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// PartKind is a sort of remedy.
type PartKind string

// The kinds, in the order in which they are carried out: what can be taken back first, what cannot last.
const (
	Points  PartKind = "points"  // by loyalty
	Apology PartKind = "apology" // the words of the offer itself
	Refund  PartKind = "refund"  // of an order, by sales; cannot be taken back, and needs the customer's consent
)

var order = []PartKind{Points, Apology, Refund}

// PartState is what became of a part.
type PartState string

// The states of a part.
const (
	Planned   PartState = "planned"
	Done      PartState = "done"
	Failed    PartState = "failed"     // refused for good by whom it was asked of
	TakenBack PartState = "taken_back" // since a later part failed
	Dropped   PartState = "dropped"    // needs the consent that the customer never gave
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
	No          int       `json:"no"` // within the proposal, from 1
	Kind        PartKind  `json:"kind"`
	Points      int64     `json:"points,omitempty"`
	OrderID     uuid.UUID `json:"order_id,omitzero"`
	AmountMinor int64     `json:"amount_minor,omitempty"` // the most that a refund may be; once done, what it was
	CostMinor   int64     `json:"cost_minor,omitempty"`
	State       PartState `json:"state"`
	Reference   string    `json:"reference,omitempty"` // once done: the ledger's entry, the return; once failed: why, as a code
}

// PartDraft is a part that is about to be proposed.
type PartDraft struct {
	Kind        PartKind  `json:"kind"`
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
func (c Complaint) propose(d Decision, p policy.Policy, now time.Time) (Complaint, error) {
	next := Proposal{No: 1, Currency: d.Currency, By: d.By.Subject}
	if c.Proposal != nil {
		next.No = c.Proposal.No + 1
	}
	if next.No > maxProposals {
		return c, problem.New(problem.Conflict, "too_many_proposals", "There were %d proposals already: withdraw the complaint or decide on the last.", maxProposals)
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
		return c, decisionInvalid(faults)
	}
	slices.SortStableFunc(next.Parts, func(a, b Part) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	for i := range next.Parts {
		next.Parts[i].No = i + 1
	}
	next.Approval = p.Approval(next.CostMinor, c.Severity)
	c.Proposal = &next
	if next.Approval == policy.None {
		c.enter(Offered, p, now)
	} else {
		c.enter(Proposed, p, now)
	}
	return c, nil
}

// part makes a part of the draft, or names every field that is not right.
func (d PartDraft) part(p policy.Policy) (Part, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	part := Part{Kind: d.Kind, Points: d.Points, OrderID: d.OrderID, AmountMinor: d.AmountMinor, State: Planned}
	if d.Kind != Points && d.Points != 0 {
		fault("points", "points_unexpected", "only a part of the kind points has points")
	}
	if d.Kind != Refund && (d.OrderID != uuid.Nil || d.AmountMinor != 0) {
		fault("order_id", "order_unexpected", "only a refund has an order and an amount")
	}
	switch d.Kind {
	case Points:
		if d.Points < 1 || d.Points > maxPoints {
			fault("points", "out_of_range", "must be 1 to 1000000")
			return part, faults
		}
		if p.PointMinor > 0 && d.Points > money.Max/p.PointMinor {
			fault("points", "amount_too_large", "cost more than an amount can be")
			return part, faults
		}
		part.CostMinor = d.Points * p.PointMinor
	case Refund:
		if d.OrderID == uuid.Nil {
			fault("order_id", "order_required", "must name the order")
		}
		if d.AmountMinor < 1 || d.AmountMinor > money.Max {
			fault("amount_minor", "out_of_range", "must be more than 0 and a possible amount")
			return part, faults
		}
		part.CostMinor = d.AmountMinor
	case Apology:
	default:
		fault("kind", "kind_unknown", "must be points, refund or apology")
	}
	return part, faults
}

// silence is what follows when the customer never answers. Silence is no consent: what needs it is dropped, what does not
// is carried out.
func (c Complaint) silence(p policy.Policy, now time.Time) Complaint {
	c.Silent = true
	c.happened(Step{Action: Silence, By: process, At: now})
	offered := *c.Proposal
	offered.Parts = slices.Clone(offered.Parts)
	left := false
	for i := range offered.Parts {
		if part := &offered.Parts[i]; part.Kind == Refund {
			offered.CostMinor -= part.CostMinor
			part.State, part.CostMinor = Dropped, 0
		} else {
			left = true
		}
	}
	if c.Proposal = &offered; left {
		c.enter(Accepted, p, now)
	} else {
		c.end(Unanswered, p, now)
	}
	return c
}

// PartResult is what a part that was carried out came to.
type PartResult struct {
	No          int    `json:"no"`
	Reference   string `json:"reference,omitempty"`
	AmountMinor int64  `json:"amount_minor,omitempty"` // of a refund
}

// Executed closes a complaint whose accepted proposal was carried out. Repeated, it changes nothing.
func (c Complaint) Executed(proposal int, results []PartResult, p policy.Policy, now time.Time) Complaint {
	if !c.carryingOut(proposal) {
		return c
	}
	c.Version++
	c.happened(Step{Action: Execute, By: process, At: now})
	done := *c.Proposal
	done.Parts = slices.Clone(done.Parts)
	for _, r := range results {
		part := &done.Parts[r.No-1]
		part.State, part.Reference = Done, r.Reference
		if part.Kind == Refund {
			done.CostMinor += r.AmountMinor - part.CostMinor
			part.AmountMinor, part.CostMinor = r.AmountMinor, r.AmountMinor
		}
	}
	c.Proposal = &done
	outcome := Settled
	if c.Silent {
		outcome = Unanswered
	}
	c.end(outcome, p, now)
	return c
}

// CannotExecute sends a complaint back to whoever has to propose something else, since a part of its accepted proposal
// was refused for good, for the reason that the code names, and those before it were taken back. Repeated, it changes
// nothing.
func (c Complaint) CannotExecute(proposal, part int, code string, p policy.Policy, now time.Time) Complaint {
	if !c.carryingOut(proposal) {
		return c
	}
	c.Version++
	c.happened(Step{Action: Fail, By: process, At: now})
	failed := *c.Proposal
	failed.Parts = slices.Clone(failed.Parts)
	for i := range failed.Parts {
		switch one := &failed.Parts[i]; {
		case one.No == part:
			one.State, one.Reference = Failed, code
		case one.No < part && one.State == Planned:
			one.State = TakenBack
		}
	}
	c.Proposal, c.Silent = &failed, false
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

func same(before, now []byte) error {
	if bytes.Equal(before, now) {
		return nil
	}
	return problem.New(problem.Unprocessable, "idempotency_key_reused",
		"This Idempotency-Key was used with another body. Use a new key for a new request.")
}

func decisionInvalid(faults []problem.Field) error {
	return problem.InvalidBody("decision_invalid", "The decision was not accepted: mend the fields named here.", faults)
}
