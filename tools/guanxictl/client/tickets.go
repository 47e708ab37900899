package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Complaint is where a complaint stands.
type Complaint struct {
	ComplaintID  string     `json:"complaint_id"`
	TicketID     string     `json:"ticket_id"`
	Number       string     `json:"number"` // of its ticket, such as T-000123
	CustomerID   string     `json:"customer_id"`
	OrderID      string     `json:"order_id,omitempty"`
	Category     string     `json:"category"`
	Channel      string     `json:"channel"`
	Description  string     `json:"description"`
	Wish         string     `json:"wish,omitempty"`
	Stage        string     `json:"stage"`              // registered, assessed, assigned, disputed, found, proposed, offered, accepted, stuck, verifying, answering or closed
	Severity     int        `json:"severity,omitempty"` // 1 (grave) to 4 (slight)
	Unit         string     `json:"unit,omitempty"`
	Person       string     `json:"person,omitempty"`
	Finding      string     `json:"finding,omitempty"`
	Cause        string     `json:"cause,omitempty"`
	Proposal     *Proposal  `json:"proposal,omitempty"` // the last one
	Rounds       int        `json:"rounds"`             // proposals that the customer rejected
	Reminders    int        `json:"reminders"`          // of the present step
	DueAt        *time.Time `json:"due_at,omitempty"`
	Outcome      string     `json:"outcome,omitempty"` // settled, unanswered, not_agreed, answered, inadmissible or withdrawn
	RegisteredAt time.Time  `json:"registered_at"`
	ClosedAt     *time.Time `json:"closed_at,omitempty"`
	Steps        []Step     `json:"steps"`
	Next         []Next     `json:"next"`
	Version      int64      `json:"version"`

	Level          int          `json:"level"`                 // that deals with it, from 1
	Containment    string       `json:"containment,omitempty"` // code of what was done at once
	AcknowledgeBy  *time.Time   `json:"acknowledge_by,omitempty"`
	AcknowledgedAt *time.Time   `json:"acknowledged_at,omitempty"`
	LegalDueAt     *time.Time   `json:"legal_due_at,omitempty"` // of the final answer
	AnsweredAt     *time.Time   `json:"answered_at,omitempty"`
	Score          *int         `json:"score,omitempty"` // the customer's verdict
	ScoreKind      string       `json:"score_kind,omitempty"`
	EscalatedAt    *time.Time   `json:"escalated_at,omitempty"`
	CrisisID       string       `json:"crisis_id,omitempty"`
	ReviewedAt     *time.Time   `json:"reviewed_at,omitempty"`
	Preventions    []Prevention `json:"preventions"`
}

// Prevention is something that is done so that it does not happen again.
type Prevention struct {
	No     int        `json:"no"`
	Action string     `json:"action"`
	Owner  string     `json:"owner"` // subject
	DueAt  time.Time  `json:"due_at"`
	DoneAt *time.Time `json:"done_at,omitempty"`
}

// Proposal is a remedy that is proposed to a customer.
type Proposal struct {
	No         int    `json:"no"`
	Parts      []Part `json:"parts"`
	Currency   string `json:"currency"`
	CostMinor  int64  `json:"cost_minor"`
	Approval   string `json:"approval"` // none, manager or director
	ProposedBy string `json:"proposed_by"`
}

// Part is one part of a remedy. State and Reference are said by the server.
type Part struct {
	Kind        string `json:"kind"`            // points, apology, explanation, voucher, repair, exchange, free_service or refund
	Entry       string `json:"entry,omitempty"` // of the menu of remedies
	Points      int64  `json:"points,omitempty"`
	OrderID     string `json:"order_id,omitempty"`
	AmountMinor int64  `json:"amount_minor,omitempty"`
	State       string `json:"state,omitempty"`     // planned, done, failed, taken_back or dropped
	Reference   string `json:"reference,omitempty"` // the ledger's entry or the return; once failed, why, as a code
}

// Step is one thing that happened with a complaint.
type Step struct {
	Action     string    `json:"action"`
	DecisionID string    `json:"decision_id,omitempty"` // missing of what the process did by itself
	By         string    `json:"by"`
	At         time.Time `json:"at"`
	Reason     string    `json:"reason,omitempty"`
}

// Next is a decision that may be made now.
type Next struct {
	Action     string `json:"action"`
	Permission string `json:"permission"`
}

// Closed is the last stage.
const Closed = "closed"

// NewComplaint is what a complaint is registered from.
type NewComplaint struct {
	CustomerID  string `json:"customer_id"`
	OrderID     string `json:"order_id,omitempty"`
	Category    string `json:"category"`
	Channel     string `json:"channel"`
	Description string `json:"description"`
	Wish        string `json:"wish,omitempty"`
	// Key is the Idempotency-Key; one is made up when it is empty.
	Key string `json:"-"`
}

const complaintsPath = "/v1/complaints"

// RegisterComplaint takes a complaint in.
func (c *Client) RegisterComplaint(ctx context.Context, n NewComplaint) (Complaint, error) {
	var made Complaint
	_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: complaintsPath, In: n, IdempotencyKey: n.Key}, &made)
	return made, err
}

// GetComplaint reads a complaint.
func (c *Client) GetComplaint(ctx context.Context, id string) (Complaint, error) {
	var found Complaint
	err := c.Get(ctx, complaintsPath+"/"+url.PathEscape(id), nil, &found)
	return found, err
}

// WaitComplaint reads a complaint until it has come as far as is wanted. It sits out servers that are away; only ctx and
// refusals end it.
func (c *Client) WaitComplaint(ctx context.Context, id string, far func(Complaint) bool) (Complaint, error) {
	return follow(ctx, func() (Complaint, error) { return c.GetComplaint(ctx, id) }, far, nil)
}

// ListComplaints calls each with the complaints, the latest first; stage and customer may be empty.
func (c *Client) ListComplaints(ctx context.Context, stage, customerID string, each func(Complaint) error) error {
	query := url.Values{}
	for name, value := range map[string]string{"stage": stage, "customer_id": customerID} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return c.List(ctx, complaintsPath, "items", query, func(raw []byte) error {
		var one Complaint
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		return each(one)
	})
}

// FindComplaint finds a complaint by its id or by the number of its ticket, as people say it.
func (c *Client) FindComplaint(ctx context.Context, idOrNumber string) (Complaint, error) {
	if !strings.HasPrefix(strings.ToUpper(idOrNumber), "T-") {
		return c.GetComplaint(ctx, idOrNumber)
	}
	ticket, err := c.LookupTicket(ctx, idOrNumber)
	if err != nil {
		return Complaint{}, err
	}
	var found *Complaint
	if ticket.Kind == "complaint" {
		err = c.ListComplaints(ctx, "", ticket.CustomerID, func(one Complaint) error {
			if one.TicketID != ticket.TicketID {
				return nil
			}
			found = &one
			return ErrStop
		})
	}
	switch {
	case err != nil:
		return Complaint{}, err
	case found == nil:
		return Complaint{}, fmt.Errorf("%s is no complaint: it is a ticket of the kind %s", ticket.Number, ticket.Kind)
	}
	return *found, nil
}

// Decision is what a person decides about a complaint; which fields count depends on the action.
type Decision struct {
	Admissible *bool  `json:"admissible,omitempty"` // of assess; so is the next
	Severity   int    `json:"severity,omitempty"`
	Unit       string `json:"unit,omitempty"` // of assign; so is the next
	Person     string `json:"person,omitempty"`
	Finding    string `json:"finding,omitempty"` // of find; so is the next
	Cause      string `json:"cause,omitempty"`
	Currency   string `json:"currency,omitempty"` // of propose; so is the next
	Parts      []Part `json:"parts,omitempty"`
	Reason     string `json:"reason,omitempty"`

	Channel     string     `json:"channel,omitempty"` // of acknowledge
	Safety      bool       `json:"safety,omitempty"`  // of assess; so is the next
	Containment string     `json:"containment,omitempty"`
	RootCause   string     `json:"root_cause,omitempty"` // of find; so is the next, and of add
	Evidence    []string   `json:"evidence,omitempty"`
	Facts       string     `json:"facts,omitempty"` // of add
	Score       *int       `json:"score,omitempty"` // of verify; so is the next
	Kind        string     `json:"kind,omitempty"`
	Medium      string     `json:"medium,omitempty"` // of answer; so is the next
	Text        string     `json:"text,omitempty"`
	Body        string     `json:"body,omitempty"`      // of refer
	CrisisID    string     `json:"crisis_id,omitempty"` // of escalate
	Action      string     `json:"action,omitempty"`    // of prevent; so are the next two
	Owner       string     `json:"owner,omitempty"`
	DueAt       *time.Time `json:"due_at,omitempty"`
	Prevention  int        `json:"prevention,omitempty"` // of finish
}

// Decide makes a decision about a complaint, such as assess, propose or accept: those that are possible stand in its Next.
// The key is the Idempotency-Key; after an answer that never came, or a Temporary one, the same decision under the same key
// tells what became of it. One is made up when it is empty.
func (c *Client) Decide(ctx context.Context, id, action string, d Decision, key string) (Complaint, error) {
	var now Complaint
	_, err := c.Do(ctx, Request{
		Method: http.MethodPost, Path: complaintsPath + "/" + url.PathEscape(id) + "/" + url.PathEscape(action), In: d, IdempotencyKey: key,
	}, &now)
	return now, err
}

// ComplaintPolicy is what a tenant allows in its complaints. Amounts are in minor units.
type ComplaintPolicy struct {
	StepSeconds     int64 `json:"step_seconds"`
	CustomerSeconds int64 `json:"customer_seconds"`
	Reminders       int   `json:"reminders"`
	Rounds          int   `json:"rounds"`
	FreeMinor       int64 `json:"free_minor"`    // up to here nobody need approve
	ManagerMinor    int64 `json:"manager_minor"` // up to here a manager does, beyond it a director
	PointMinor      int64 `json:"point_minor"`   // what a point costs

	AcknowledgeSeconds int64         `json:"acknowledge_seconds,omitempty"` // for telling the customer that it was received
	VerifySeconds      int64         `json:"verify_seconds,omitempty"`      // for the customer's verdict; 0: nobody is asked
	LowScore           int           `json:"low_score,omitempty"`
	Reopens            *int          `json:"reopens,omitempty"`
	ManagerSeverity    *int          `json:"manager_severity,omitempty"`
	DirectorSeverity   *int          `json:"director_severity,omitempty"`
	LegalDays          int           `json:"legal_days,omitempty"` // working days for the final answer; 0: no such deadline
	LegalCalendarID    string        `json:"legal_calendar_id,omitempty"`
	LegalWarnDays      []int         `json:"legal_warn_days"`
	OutsideBodies      []OutsideBody `json:"outside_bodies"`
}

// OutsideBody is somebody to whom a customer may turn who does not agree with the final answer.
type OutsideBody struct {
	Code    string `json:"code"`
	Name    string `json:"name"`
	Contact string `json:"contact,omitempty"`
}

// GetComplaintPolicy reads the policy.
func (c *Client) GetComplaintPolicy(ctx context.Context) (ComplaintPolicy, error) {
	p, _, err := c.complaintPolicy(ctx)
	return p, err
}

func (c *Client) complaintPolicy(ctx context.Context) (p ComplaintPolicy, etag string, err error) {
	header, err := c.Do(ctx, Request{Method: http.MethodGet, Path: complaintsPath + "/policy"}, &p)
	return p, header.Get("ETag"), err
}

// ChangeComplaintPolicy reads the policy, has it changed, and writes it back unless somebody else changed it meanwhile.
func (c *Client) ChangeComplaintPolicy(ctx context.Context, change func(*ComplaintPolicy)) error {
	p, etag, err := c.complaintPolicy(ctx)
	if err != nil {
		return err
	}
	change(&p)
	_, err = c.Do(ctx, Request{Method: http.MethodPut, Path: complaintsPath + "/policy", In: p, IfMatch: etag}, nil)
	return err
}

// Ticket is a matter under a number that people say.
type Ticket struct {
	TicketID   string    `json:"ticket_id"`
	Number     string    `json:"number"`
	Kind       string    `json:"kind"` // enquiry, incident, complaint, suggestion or praise
	Channel    string    `json:"channel"`
	CustomerID string    `json:"customer_id,omitempty"`
	Subject    string    `json:"subject"`
	Priority   int       `json:"priority"` // 1 is the most urgent
	Status     string    `json:"status"`
	OpenedAt   time.Time `json:"opened_at"`
}

// LookupTicket finds a ticket by its number.
func (c *Client) LookupTicket(ctx context.Context, number string) (Ticket, error) {
	var t Ticket
	err := c.Get(ctx, "/v1/tickets/lookup", url.Values{"number": {number}}, &t)
	return t, err
}
