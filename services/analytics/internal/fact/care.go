package fact

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

// Ticket is what a batch says of a ticket: what it does not say is empty.
type Ticket struct {
	ID           uuid.UUID `json:"id"`
	SeenAt       time.Time `json:"seen_at"` // the opening, unless that was missed
	CustomerID   uuid.UUID `json:"customer_id,omitzero"`
	Kind         string    `json:"kind"`
	Channel      string    `json:"channel"`
	Priority     int32     `json:"priority"`
	Status       string    `json:"status"`
	Anew         bool      `json:"anew"` // it was open again at some time in the batch: what was known of its end does not hold
	ResolvedAt   time.Time `json:"resolved_at,omitzero"`
	ClosedAt     time.Time `json:"closed_at,omitzero"`
	FirstContact *bool     `json:"first_contact,omitzero"`
	Resolution   string    `json:"resolution"`
	Reopened     int32     `json:"reopened"` // times; 0: nothing was said
	Replies      int32     `json:"replies"`  // more of them
}

func (t *Ticket) open() {
	t.Anew, t.ResolvedAt, t.ClosedAt, t.FirstContact, t.Resolution = true, time.Time{}, time.Time{}, nil, ""
}

// Complaint is what a batch says of a complaint.
type Complaint struct {
	ID         uuid.UUID `json:"id"`
	SeenAt     time.Time `json:"seen_at"` // the registration, unless that was missed
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	Category   string    `json:"category"`
	Assessed   bool      `json:"assessed"`
	Severity   *int32    `json:"severity,omitzero"`
	Anew       bool      `json:"anew"` // it was reopened in the batch
	ClosedAt   time.Time `json:"closed_at,omitzero"`
	Outcome    string    `json:"outcome"`
	CostMinor  int64     `json:"cost_minor"`
	Currency   string    `json:"currency"`
	Reopened   int32     `json:"reopened"` // more times
}

// Answer is an answer to a survey.
type Answer struct {
	ID          uuid.UUID        `json:"id"`
	CustomerID  *uuid.UUID       `json:"customer_id,omitzero"`
	SurveyID    uuid.UUID        `json:"survey_id"`
	Kind        string           `json:"kind"`
	Score       *int32           `json:"score,omitzero"`
	Touchpoint  string           `json:"touchpoint"`
	TicketID    *uuid.UUID       `json:"ticket_id,omitzero"`
	ComplaintID *uuid.UUID       `json:"complaint_id,omitzero"`
	At          time.Time        `json:"at"`
	Ratings     map[string]int32 `json:"ratings"` // numbers by question
	Channel     string           `json:"channel"`
}

// Touch is something that a customer hears from us.
type Touch struct {
	ID         uuid.UUID  `json:"id"` // the event's
	CustomerID *uuid.UUID `json:"customer_id,omitzero"`
	Campaign   string     `json:"campaign"`
	Touch      string     `json:"touch"`
	Channel    string     `json:"channel"`
	Origin     string     `json:"origin"`
	At         time.Time  `json:"at"`
}

// ticket reads an event of a ticket; ok is false for one of another kind.
func (b *Batch) ticket(r *reader, e inbox.Event) (ok bool) {
	at := func(id, customer string, when time.Time) *Ticket {
		ticketID, customerID := r.ID("ticket_id", id), r.MaybeID("customer_id", customer)
		t := b.Tickets.of(ticketID, func() Ticket { return Ticket{ID: ticketID, SeenAt: when} })
		t.CustomerID = said(customerID, t.CustomerID)
		return t
	}
	switch m := e.Message.(type) {
	case *ticketsv1.TicketOpened:
		t := at(m.GetTicketId(), m.GetCustomerId(), r.Time("opened_at", m.GetOpenedAt()))
		t.Kind, t.Channel, t.Priority = m.GetKind(), m.GetChannel(), m.GetPriority()
	case *ticketsv1.TicketStatusChanged:
		t := at(m.GetTicketId(), m.GetCustomerId(), r.Time("changed_at", m.GetChangedAt()))
		if t.Status = m.GetStatus(); t.Status != "resolved" && t.Status != "closed" {
			t.open()
		}
	case *ticketsv1.TicketReplied:
		t := at(m.GetTicketId(), m.GetCustomerId(), r.Time("replied_at", m.GetRepliedAt()))
		if m.GetAuthor() != "automatic" {
			t.Replies++
		}
	case *ticketsv1.TicketResolved:
		when, first := r.Time("resolved_at", m.GetResolvedAt()), m.GetFirstContact()
		t := at(m.GetTicketId(), m.GetCustomerId(), when)
		t.ResolvedAt, t.FirstContact, t.Resolution = when, &first, m.GetResolution()
	case *ticketsv1.TicketReopened:
		t := at(m.GetTicketId(), m.GetCustomerId(), r.Time("reopened_at", m.GetReopenedAt()))
		t.Reopened = m.GetReopened()
		t.open()
	case *ticketsv1.TicketClosed:
		when := r.Time("closed_at", m.GetClosedAt())
		t := at(m.GetTicketId(), m.GetCustomerId(), when)
		t.ClosedAt, t.Resolution = when, said(m.GetResolution(), t.Resolution)
	default:
		return false
	}
	return true
}

// complaint reads an event of a complaint.
func (b *Batch) complaint(r *reader, e inbox.Event) (ok bool) {
	at := func(id, customer string, when time.Time) *Complaint {
		complaintID, customerID := r.ID("complaint_id", id), r.MaybeID("customer_id", customer)
		c := b.Complaints.of(complaintID, func() Complaint { return Complaint{ID: complaintID, SeenAt: when} })
		c.CustomerID = said(customerID, c.CustomerID)
		return c
	}
	switch m := e.Message.(type) {
	case *ticketsv1.ComplaintRegistered:
		at(m.GetComplaintId(), m.GetCustomerId(), r.Time("registered_at", m.GetRegisteredAt())).Category = m.GetCategory()
	case *ticketsv1.ComplaintAssessed:
		c := at(m.GetComplaintId(), m.GetCustomerId(), r.Time("assessed_at", m.GetAssessedAt()))
		severity := m.GetSeverity()
		if c.Assessed, c.Severity = true, nil; severity > 0 {
			c.Severity = &severity
		}
	case *ticketsv1.ComplaintReopened:
		c := at(m.GetComplaintId(), m.GetCustomerId(), r.Time("reopened_at", m.GetReopenedAt()))
		c.Reopened++
		c.Anew, c.ClosedAt, c.Outcome = true, time.Time{}, ""
	case *ticketsv1.ComplaintClosed:
		when := r.Time("closed_at", m.GetClosedAt())
		c := at(m.GetComplaintId(), m.GetCustomerId(), when)
		c.ClosedAt, c.Outcome = when, m.GetOutcome()
		if m.GetCurrency() != "" { // what was given before a complaint was reopened stays given
			c.CostMinor, c.Currency = m.GetCostMinor(), m.GetCurrency()
		}
	default:
		return false
	}
	return true
}

// survey reads an event of an invitation.
func (b *Batch) survey(r *reader, e inbox.Event) (ok bool) {
	switch m := e.Message.(type) {
	case *ticketsv1.SurveySent:
		b.Touches = append(b.Touches, Touch{
			ID: e.ID, CustomerID: pg.OrNull(r.MaybeID("customer_id", m.GetCustomerId())), Campaign: m.GetKind(), Touch: m.GetTouchpoint(),
			Channel: m.GetChannel(), Origin: "survey", At: r.Time("sent_at", m.GetSentAt()),
		})
	case *ticketsv1.SurveyAnswered:
		id := r.ID("invitation_id", m.GetInvitationId())
		a := b.Answers.of(id, func() Answer { return Answer{ID: id} })
		*a = Answer{
			ID: id, CustomerID: pg.OrNull(r.MaybeID("customer_id", m.GetCustomerId())), SurveyID: r.ID("survey_id", m.GetSurveyId()),
			Kind: m.GetKind(), Touchpoint: m.GetTouchpoint(), TicketID: pg.OrNull(r.MaybeID("ticket_id", m.GetTicketId())),
			ComplaintID: pg.OrNull(r.MaybeID("complaint_id", m.GetComplaintId())), At: r.Time("answered_at", m.GetAnsweredAt()),
			Ratings: ratings(m.GetRatings()), Channel: m.GetChannel(),
		}
		if m.GetScored() {
			score := m.GetScore()
			a.Score = &score
		}
	default:
		return false
	}
	return true
}

// ratings is an answer's numbers by question.
func ratings(all []*ticketsv1.Rating) map[string]int32 {
	numbers := make(map[string]int32, len(all))
	for _, r := range all {
		numbers[r.GetQuestion()] = r.GetValue()
	}
	return numbers
}
