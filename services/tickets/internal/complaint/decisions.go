package complaint

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// deciding is the input of a decision; its body says what is decided.
type deciding[B content] struct {
	ID   uuid.UUID `path:"complaint_id" format:"uuid"`
	Body B
}

// content is what a person decides, and why.
type content interface {
	fill(d *Decision)
	why() string
}

// Why is a decision that has nothing to say but its reason; it is part of every other.
type Why struct {
	Reason string `json:"reason,omitempty" doc:"Why. It goes into no event." maxLength:"20000"`
}

func (w Why) fill(*Decision) {}
func (w Why) why() string    { return w.Reason }

type assessment struct {
	Admissible bool `json:"admissible" doc:"Whether it is taken up; if not, it is closed."`
	Severity   int  `json:"severity,omitempty" minimum:"0" maximum:"4" doc:"1 (grave) to 4 (slight), of one that is taken up."`
	Why
}

func (a assessment) fill(d *Decision) { d.Admissible, d.Severity = a.Admissible, a.Severity }

type assignment struct {
	Unit   string `json:"unit" doc:"Code of the unit that answers for it." example:"kitchen" maxLength:"64"`
	Person string `json:"person,omitempty" doc:"Subject of the accountable person." maxLength:"255"`
	Why
}

func (a assignment) fill(d *Decision) { d.Unit, d.Person = a.Unit, a.Person }

type investigation struct {
	Finding string `json:"finding" enum:"founded,partly,unfounded,not_provable"`
	Cause   string `json:"cause" enum:"product,service,delivery,price,attitude,promise,misunderstanding,other"`
	Why
}

func (f investigation) fill(d *Decision) { d.Finding, d.Cause = f.Finding, f.Cause }

type newProposal struct {
	Currency string    `json:"currency" doc:"ISO 4217, of every amount." example:"CNY"`
	Parts    []newPart `json:"parts" nullable:"false" minItems:"1" maxItems:"10"`
	Why
}

type newPart struct {
	Kind        PartKind   `json:"kind" enum:"points,refund,apology"`
	Points      int64      `json:"points,omitempty" minimum:"0" maximum:"1000000" doc:"Of a part of the kind points."`
	OrderID     *uuid.UUID `json:"order_id,omitempty" format:"uuid" doc:"Of a refund: whatever of the order has not come back yet."`
	AmountMinor int64      `json:"amount_minor,omitempty" minimum:"0" doc:"Of a refund: the most that it may be, in minor units."`
}

func (n newProposal) fill(d *Decision) {
	d.Currency = n.Currency
	for _, p := range n.Parts {
		part := PartDraft{Kind: p.Kind, Points: p.Points, AmountMinor: p.AmountMinor}
		if p.OrderID != nil {
			part.OrderID = *p.OrderID
		}
		d.Parts = append(d.Parts, part)
	}
}

// decisionRoutes adds an operation for every decision.
func (c *Complaints) decisionRoutes(api *httpx.API) {
	route[assessment](c, api, Assess, "Assess a complaint", "Whether it is taken up, and how grave it is.")
	route[assignment](c, api, Assign, "Name who answers for a complaint", "It can be said again until something was found.")
	route[investigation](c, api, Find, "Say what was found", "")
	route[newProposal](c, api, Propose, "Propose a remedy",
		"One that costs more than the policy leaves free, or is for a grave complaint, has to be approved by somebody else.")
	route[Why](c, api, Approve, "Approve a proposal", "Nobody approves their own.")
	route[Why](c, api, Refuse, "Refuse a proposal", "Another one is due then.")
	route[Why](c, api, Accept, "The customer accepts", "The remedy is carried out at once; the answer does not wait for it.")
	route[Why](c, api, Reject, "The customer rejects", "Another proposal is due then, unless there were as many as the policy allows.")
	route[Why](c, api, Withdraw, "The customer withdraws the complaint", "")
}

// right is the least permission that a decision needs.
func (a Action) right() auth.Permission {
	for _, r := range rules {
		if r.action == a {
			return r.right
		}
	}
	return ""
}

func route[B content](c *Complaints, api *httpx.API, action Action, summary, description string) {
	httpx.Register(api, httpx.Operation{
		ID: string(action) + "-complaint", Method: http.MethodPost, Path: "/v1/complaints/{complaint_id}/" + string(action),
		Tag: "Complaints", Summary: summary, Description: description, Permission: action.right(),
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *deciding[B]) (*answer, error) {
		d := Decision{ComplaintID: in.ID, Action: action}
		in.Body.fill(&d)
		return answered(c.Decide(ctx, d, in.Body.why()))
	})
}
