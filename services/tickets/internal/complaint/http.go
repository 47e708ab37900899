package complaint

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// complaintView is a complaint as the API shows it.
type complaintView struct {
	ComplaintID  uuid.UUID     `json:"complaint_id" format:"uuid"`
	TicketID     uuid.UUID     `json:"ticket_id" format:"uuid" doc:"Its ticket, which follows it."`
	Number       string        `json:"number" doc:"Of its ticket, as people say it." example:"T-000123"`
	CustomerID   uuid.UUID     `json:"customer_id" format:"uuid" doc:"The customer whom the complaint's id means now."`
	OrderID      *uuid.UUID    `json:"order_id,omitempty" format:"uuid" doc:"The order that it is about."`
	Category     string        `json:"category"`
	Channel      string        `json:"channel"`
	Description  string        `json:"description" doc:"What happened, in the customer's words."`
	Wish         string        `json:"wish,omitempty" doc:"What the customer wants."`
	Stage        Stage         `json:"stage" enum:"registered,assessed,assigned,found,proposed,offered,accepted,closed" doc:"What it waits in."`
	Severity     int           `json:"severity,omitempty" doc:"1 (grave) to 4 (slight); absent before it is assessed."`
	Unit         string        `json:"unit,omitempty" doc:"Who answers for it."`
	Person       string        `json:"person,omitempty" doc:"Subject of the accountable person."`
	Finding      string        `json:"finding,omitempty"`
	Cause        string        `json:"cause,omitempty"`
	Proposal     *proposalView `json:"proposal,omitempty" doc:"The last one."`
	Rounds       int           `json:"rounds" doc:"Proposals that the customer rejected."`
	Reminders    int           `json:"reminders" doc:"Of the present step."`
	DueAt        *time.Time    `json:"due_at,omitempty" doc:"When the present step is reminded of."`
	Outcome      Outcome       `json:"outcome,omitempty" enum:"settled,unanswered,not_agreed,inadmissible,withdrawn" doc:"Once it is closed."`
	RegisteredAt time.Time     `json:"registered_at"`
	ClosedAt     *time.Time    `json:"closed_at,omitempty"`
	Steps        []stepView    `json:"steps" nullable:"false" doc:"What happened, in that order."`
	Next         []nextView    `json:"next" nullable:"false" doc:"What may be decided now."`
	Version      int64         `json:"version" doc:"Rises by one with every change."`
}

type proposalView struct {
	No         int             `json:"no" doc:"Within the complaint, from 1."`
	Parts      []partView      `json:"parts" nullable:"false" doc:"In the order in which they are carried out."`
	Currency   string          `json:"currency" doc:"ISO 4217, of every amount."`
	CostMinor  int64           `json:"cost_minor" doc:"In minor units."`
	Approval   policy.Approval `json:"approval" enum:"none,manager,director" doc:"Who has to approve it."`
	ProposedBy string          `json:"proposed_by" doc:"Subject."`
}

type partView struct {
	Kind        PartKind   `json:"kind" enum:"points,refund,apology"`
	Points      int64      `json:"points,omitempty"`
	OrderID     *uuid.UUID `json:"order_id,omitempty" format:"uuid"`
	AmountMinor int64      `json:"amount_minor,omitempty" doc:"The most that a refund may be; once done, what it was."`
	State       PartState  `json:"state" enum:"planned,done,failed,taken_back,dropped"`
	Reference   string     `json:"reference,omitempty" doc:"Once done, the ledger's entry or the return; once failed, why, as a code."`
}

type stepView struct {
	Action     Action     `json:"action"`
	DecisionID *uuid.UUID `json:"decision_id,omitempty" format:"uuid" doc:"Absent for what the process did by itself."`
	By         string     `json:"by" doc:"Subject."`
	At         time.Time  `json:"at"`
	Reason     string     `json:"reason,omitempty"`
}

type nextView struct {
	Action     Action          `json:"action" doc:"POST /v1/complaints/{complaint_id}/<action> decides it."`
	Permission auth.Permission `json:"permission" doc:"What a role has to allow."`
}

func show(t Told) complaintView {
	v := complaintView{
		ComplaintID: t.ID, TicketID: t.TicketID, Number: t.Number, CustomerID: t.Root, OrderID: pg.OrNull(t.OrderID),
		Category: t.Category, Channel: t.Channel, Stage: t.Stage, Severity: t.Severity, Unit: t.Unit, Person: t.Person,
		Finding: t.Finding, Cause: t.Cause, Rounds: t.Rounds, Reminders: t.Reminders, DueAt: pg.OrNull(t.DueAt), Outcome: t.Outcome,
		RegisteredAt: t.RegisteredAt, ClosedAt: pg.OrNull(t.ClosedAt), Version: t.Version,
		Steps: make([]stepView, len(t.Steps)), Next: []nextView{},
	}
	for _, n := range t.notes {
		switch {
		case n.complaint != t.ID:
		case n.kind == "description":
			v.Description = n.words
		case n.kind == "wish":
			v.Wish = n.words
		}
	}
	for i, s := range t.Steps {
		v.Steps[i] = stepView{Action: s.Action, DecisionID: pg.OrNull(s.DecisionID), By: s.By, At: s.At, Reason: t.notes[s.NoteID].words}
	}
	for _, n := range t.Next() {
		v.Next = append(v.Next, nextView(n))
	}
	if p := t.Proposal; p != nil {
		v.Proposal = &proposalView{No: p.No, Currency: p.Currency, CostMinor: p.CostMinor, Approval: p.Approval, ProposedBy: p.By,
			Parts: make([]partView, len(p.Parts))}
		for i, part := range p.Parts {
			v.Proposal.Parts[i] = partView{Kind: part.Kind, Points: part.Points, OrderID: pg.OrNull(part.OrderID),
				AmountMinor: part.AmountMinor, State: part.State, Reference: part.Reference}
		}
	}
	return v
}

type answer struct{ Body complaintView }

func answered(t Told, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{show(t)}, nil
}

type registerInput struct{ Body newComplaint }

// newComplaint is what a complaint is registered from.
type newComplaint struct {
	CustomerID  uuid.UUID  `json:"customer_id" format:"uuid" doc:"Who complains."`
	OrderID     *uuid.UUID `json:"order_id,omitempty" format:"uuid" doc:"The order that it is about."`
	Category    string     `json:"category" enum:"product,service,delivery,price,attitude,promise,other"`
	Channel     string     `json:"channel" example:"phone" maxLength:"64"`
	Description string     `json:"description" doc:"What happened, in the customer's words. It goes into no event." example:"The pizza was cold." maxLength:"20000"`
	Wish        string     `json:"wish,omitempty" doc:"What the customer wants." maxLength:"20000"`
}

type byID struct {
	ID uuid.UUID `path:"complaint_id" format:"uuid"`
}

type listInput struct {
	httpx.Page
	Stage      Stage     `query:"stage" enum:"registered,assessed,assigned,found,proposed,offered,accepted,closed" doc:"Only those in this stage."`
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only this customer's, those included of customers who were merged with this one."`
}

type listAnswer struct{ Body complaintPage }

type complaintPage struct {
	Items      []complaintView `json:"items" nullable:"false"`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on complaints.
func (c *Complaints) Routes(api *httpx.API) {
	const tag = "Complaints"
	httpx.Register(api, httpx.Operation{
		ID: "register-complaint", Method: http.MethodPost, Path: "/v1/complaints", Tag: tag, Summary: "Register a complaint",
		Description: "Its ticket is opened with it, and its process starts a moment later.",
		Permission:  auth.ComplaintsRegister, Status: http.StatusCreated, Errors: []int{http.StatusGone},
	}, func(ctx context.Context, in *registerInput) (*answer, error) {
		b := in.Body
		d := Draft{CustomerID: b.CustomerID, Category: b.Category, Channel: b.Channel, Description: b.Description, Wish: b.Wish}
		if b.OrderID != nil {
			d.OrderID = *b.OrderID
		}
		return answered(c.Register(ctx, d))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-complaints", Method: http.MethodGet, Path: "/v1/complaints", Tag: tag, Summary: "List complaints, the latest first",
		Permission: auth.ComplaintsRead,
	}, c.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-complaint", Method: http.MethodGet, Path: "/v1/complaints/{complaint_id}", Tag: tag, Summary: "Read a complaint",
		Permission: auth.ComplaintsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(c.Get(ctx, in.ID)) })
	c.decisionRoutes(api)
}

func (c *Complaints) listHTTP(ctx context.Context, in *listInput) (*listAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Told, error) {
		return c.List(ctx, Filter{Stage: in.Stage, CustomerID: in.CustomerID, Before: before}, limit)
	}, func(t Told) uuid.UUID { return t.ID }, show)
	if err != nil {
		return nil, err
	}
	return &listAnswer{complaintPage{items, next}}, nil
}
