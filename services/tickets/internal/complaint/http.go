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
	Stage        Stage         `json:"stage" enum:"registered,assessed,assigned,disputed,found,proposed,offered,accepted,stuck,verifying,answering,closed" doc:"What it waits in."`
	Severity     int           `json:"severity,omitempty" doc:"1 (grave) to 4 (slight); absent before it is assessed."`
	Unit         string        `json:"unit,omitempty" doc:"Who answers for it."`
	Person       string        `json:"person,omitempty" doc:"Subject of the accountable person."`
	Finding      string        `json:"finding,omitempty"`
	Cause        string        `json:"cause,omitempty"`
	Proposal     *proposalView `json:"proposal,omitempty" doc:"The last one."`
	Rounds       int           `json:"rounds" doc:"Proposals that the customer rejected."`
	Reminders    int           `json:"reminders" doc:"Of the present step."`
	DueAt        *time.Time    `json:"due_at,omitempty" doc:"When the present step is reminded of."`
	Outcome      Outcome       `json:"outcome,omitempty" enum:"settled,unanswered,not_agreed,answered,inadmissible,withdrawn" doc:"Once it is closed."`
	RegisteredAt time.Time     `json:"registered_at"`
	ClosedAt     *time.Time    `json:"closed_at,omitempty"`
	Steps        []stepView    `json:"steps" nullable:"false" doc:"What happened, in that order."`
	Next         []nextView    `json:"next" nullable:"false" doc:"What may be decided now."`
	Version      int64         `json:"version" doc:"Rises by one with every change."`

	Level          int              `json:"level" doc:"That deals with it: 1 at first, one more each time that a low score has it dealt with anew."`
	Safety         bool             `json:"safety" doc:"Whether people may come to harm."`
	Containment    string           `json:"containment,omitempty" doc:"Code of what was done at once."`
	Objected       bool             `json:"objected" doc:"Whether the customer has objected to what was found."`
	AcknowledgeBy  *time.Time       `json:"acknowledge_by,omitempty" doc:"Until when the customer has to be told that it was received."`
	AcknowledgedAt *time.Time       `json:"acknowledged_at,omitempty"`
	LegalDueAt     *time.Time       `json:"legal_due_at,omitempty" doc:"Until when the law wants the final answer; nothing pauses it. Absent where the policy sets no such deadline."`
	AnsweredAt     *time.Time       `json:"answered_at,omitempty" doc:"When the final answer was given."`
	Score          *int             `json:"score,omitempty" doc:"The customer's verdict on the last remedy."`
	ScoreKind      string           `json:"score_kind,omitempty" enum:"csat,nps,ces"`
	EscalatedAt    *time.Time       `json:"escalated_at,omitempty" doc:"When somebody took it for more than one customer's matter."`
	CrisisID       *uuid.UUID       `json:"crisis_id,omitempty" format:"uuid" doc:"The crisis that it is a part of, as whoever escalated it said."`
	ReviewedAt     *time.Time       `json:"reviewed_at,omitempty"`
	Preventions    []preventionView `json:"preventions" nullable:"false" doc:"What is done so that it does not happen again."`
}

type preventionView struct {
	No     int        `json:"no" doc:"Within the complaint, from 1."`
	Action string     `json:"action" doc:"What is done."`
	Owner  string     `json:"owner" doc:"Subject of whoever does it."`
	DueAt  time.Time  `json:"due_at"`
	DoneAt *time.Time `json:"done_at,omitempty"`
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
	Kind        PartKind         `json:"kind" enum:"points,apology,explanation,voucher,repair,exchange,free_service,refund"`
	Entry       string           `json:"entry,omitempty" doc:"Code on the menu of remedies."`
	Justice     []policy.Justice `json:"justice,omitempty" nullable:"false" enum:"outcome,procedure,interaction" doc:"What it makes good."`
	Consent     bool             `json:"consent" doc:"Whether it needs the customer's: what does not is carried out for one who is silent as well."`
	Points      int64            `json:"points,omitempty"`
	OrderID     *uuid.UUID       `json:"order_id,omitempty" format:"uuid"`
	AmountMinor int64            `json:"amount_minor,omitempty" doc:"The most that a refund may be; once done, what it was. Of a voucher, its value."`
	CostMinor   int64            `json:"cost_minor,omitempty"`
	State       PartState        `json:"state" enum:"planned,done,failed,taken_back,dropped"`
	Reference   string           `json:"reference,omitempty" doc:"Once done, the ledger's entry, the return, the ticket, the letter or the voucher; once failed, why, as a code."`
}

type stepView struct {
	Action     Action      `json:"action"`
	DecisionID *uuid.UUID  `json:"decision_id,omitempty" format:"uuid" doc:"Absent for what the process did by itself."`
	By         string      `json:"by" doc:"Subject."`
	At         time.Time   `json:"at"`
	Reason     string      `json:"reason,omitempty"`
	Words      []wordView  `json:"words,omitempty" nullable:"false" doc:"What else was said with it."`
	Detail     *StepDetail `json:"detail,omitempty" doc:"What it was about, in codes, numbers and times."`
}

type wordView struct {
	Kind Word   `json:"kind" enum:"containment,root_cause,evidence,facts,prevention,answer"`
	Text string `json:"text"`
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
		RegisteredAt: t.RegisteredAt, ClosedAt: pg.OrNull(t.ClosedAt), Version: t.Version, Next: []nextView{},
		Level: t.Level, Safety: t.Safety, Containment: t.Containment, Objected: t.Objected, AcknowledgeBy: pg.OrNull(t.AcknowledgeBy),
		AcknowledgedAt: pg.OrNull(t.AcknowledgedAt), LegalDueAt: pg.OrNull(t.LegalDueAt), AnsweredAt: pg.OrNull(t.AnsweredAt),
		Score: t.Score, ScoreKind: t.ScoreKind, EscalatedAt: pg.OrNull(t.EscalatedAt), CrisisID: pg.OrNull(t.CrisisID),
		ReviewedAt: pg.OrNull(t.ReviewedAt), Preventions: make([]preventionView, len(t.Preventions)),
	}
	said := t.said()
	for _, n := range said[uuid.Nil] {
		switch n.kind {
		case description:
			v.Description = n.words
		case wish:
			v.Wish = n.words
		}
	}
	v.Steps = steps(t, said)
	for i, p := range t.Preventions {
		v.Preventions[i] = preventionView{No: p.No, Owner: p.Owner, DueAt: p.DueAt, DoneAt: pg.OrNull(p.DoneAt)}
		for _, n := range said[p.DecisionID] {
			if n.kind == PreventionText {
				v.Preventions[i].Action = n.words
			}
		}
	}
	for _, n := range t.Next() {
		v.Next = append(v.Next, nextView(n))
	}
	if t.Proposal != nil {
		v.Proposal = showProposal(*t.Proposal)
	}
	return v
}

func showProposal(p Proposal) *proposalView {
	v := &proposalView{No: p.No, Currency: p.Currency, CostMinor: p.CostMinor, Approval: p.Approval, ProposedBy: p.By,
		Parts: make([]partView, len(p.Parts))}
	for i, part := range p.Parts {
		v.Parts[i] = partView{Kind: part.Kind, Entry: part.Entry, Justice: part.Justice, Consent: part.Consent, Points: part.Points,
			OrderID: pg.OrNull(part.OrderID), AmountMinor: part.AmountMinor, CostMinor: part.CostMinor, State: part.State,
			Reference: part.Reference}
	}
	return v
}

// steps shows what happened, each with what was said with it.
func steps(t Told, said map[uuid.UUID][]note) []stepView {
	all := make([]stepView, len(t.Steps))
	for i, s := range t.Steps {
		all[i] = stepView{Action: s.Action, DecisionID: pg.OrNull(s.DecisionID), By: s.By, At: s.At, Reason: t.notes[s.NoteID].words}
		if !s.Detail.empty() {
			all[i].Detail = &s.Detail
		}
		if s.DecisionID == uuid.Nil {
			continue
		}
		for _, n := range said[s.DecisionID] {
			if n.kind != Reason && n.words != "" {
				all[i].Words = append(all[i].Words, wordView{n.kind, n.words})
			}
		}
	}
	return all
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
	Stage      Stage     `query:"stage" enum:"registered,assessed,assigned,disputed,found,proposed,offered,accepted,stuck,verifying,answering,closed" doc:"Only those in this stage."`
	CrisisID   uuid.UUID `query:"crisis_id" format:"uuid" doc:"Only those of which whoever escalated them said that they are a part of this crisis."`
	Escalated  bool      `query:"escalated" doc:"Only those that somebody took for more than one customer's matter."`
	TicketID   uuid.UUID `query:"ticket_id" format:"uuid" doc:"Only the complaint of this ticket."`
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
	c.learnedRoutes(api)
	c.decisionRoutes(api)
}

func (c *Complaints) listHTTP(ctx context.Context, in *listInput) (*listAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Told, error) {
		return c.List(ctx, Filter{
			Stage: in.Stage, CustomerID: in.CustomerID, CrisisID: in.CrisisID, TicketID: in.TicketID, Escalated: in.Escalated, Before: before,
		}, limit)
	}, func(t Told) uuid.UUID { return t.ID }, show)
	if err != nil {
		return nil, err
	}
	return &listAnswer{complaintPage{items, next}}, nil
}
