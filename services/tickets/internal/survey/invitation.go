package survey

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// State is where an invitation stands.
type State string

// The states.
const (
	Waiting  State = "waiting"  // whether it is sent is not decided yet
	Refused  State = "refused"  // nothing is sent; its refusal says why
	Sent     State = "sent"     // the link can be fetched and answered until it locks
	Bounced  State = "bounced"  // it did not arrive, says whoever delivered it
	Answered State = "answered" // for good
)

// Why nothing is sent, beside the refusals of accounts.
const (
	CoolDown     = "cool_down"     // the customer was asked something a short while ago
	SurveyClosed = "survey_closed" // between the occasion and the sending
	NotPossible  = "not_possible"  // accounts refused the question itself
	Cancelled    = "cancelled"     // an operator ended the process
)

// Invited is an invitation.
type Invited struct {
	ID            uuid.UUID
	SurveyID      uuid.UUID
	SurveyVersion int64 // of the questions
	Kind          Kind
	Anonymous     bool
	CustomerID    uuid.UUID // Nil once the customer was erased; so are the next three
	TicketID      uuid.UUID
	ComplaintID   uuid.UUID
	SourceID      uuid.UUID // what happened, of one that a trigger made
	TriggerID     uuid.UUID
	Touchpoint    string
	Channel       string // asked for; once sent, by which
	ByHand        bool
	Round         int // how often accounts was asked, this time included
	State         State
	Refusal       string
	ContactID     uuid.UUID
	Fetched       bool // the link was
	CreatedAt     time.Time
	SentAt        time.Time
	LocksAt       time.Time
	AnsweredAt    time.Time // never in anonymous mode
	Root          uuid.UUID // the customer whom CustomerID means, where it was asked for
}

// Shown is the state as people see it. In anonymous mode it does not tell whether this customer answered: whoever looked
// again and again could otherwise tell whose an answer is.
func (i Invited) Shown() State {
	if i.Anonymous && i.State == Answered {
		return Sent
	}
	return i.State
}

// Send says that the invitation is ready to be delivered to the contact by the channel, or handed over.
func (i Invited) Send(contact uuid.UUID, channel string, at time.Time) Invited {
	i.State, i.ContactID, i.Channel = Sent, contact, channel
	i.SentAt, i.LocksAt = at, at.Add(lockedAfter)
	return i
}

// Refuse says why nothing is sent.
func (i Invited) Refuse(why string) Invited {
	i.State, i.Refusal = Refused, why
	return i
}

// Fetch tells whether the link may be fetched now, by whoever delivers it or (byHand) by the agent who hands it over.
func (i Invited) Fetch(byHand bool, at time.Time) error {
	switch {
	case i.State == Waiting:
		return problem.New(problem.Conflict, "invitation_not_sent", "Whether this is sent is not decided yet. Wait for SurveySent.")
	case i.State == Refused:
		return problem.New(problem.Conflict, "invitation_refused", "The customer may not be asked (%s). Do not send anything.", i.Refusal)
	case i.ByHand && !byHand:
		return problem.New(problem.Conflict, "invitation_by_hand", "An agent hands this link over; nothing is delivered.")
	case !i.ByHand && byHand:
		return problem.New(problem.Conflict, "invitation_delivered", "This link is delivered to the customer; nobody hands it over.")
	case i.Fetched:
		return problem.New(problem.Conflict, "link_used", "The link was fetched already, and cannot be shown again. Make a new invitation.")
	case !at.Before(i.LocksAt):
		return locked()
	case i.State != Sent:
		return problem.New(problem.Conflict, "invitation_"+string(i.State), "Nothing is left to be delivered.")
	}
	return nil
}

// Bounce says that the message did not arrive. Once answered, it obviously did.
func (i Invited) Bounce() (Invited, error) {
	switch {
	case i.ByHand:
		return i, problem.New(problem.Conflict, "invitation_by_hand", "An agent handed this link over; nothing was delivered.")
	case i.State == Waiting || i.State == Refused:
		return i, problem.New(problem.Conflict, "invitation_not_sent", "Nothing was sent.")
	case i.State == Sent:
		i.State = Bounced
	}
	return i, nil
}

// Again has accounts asked once more: where nothing was sent, where it did not arrive, or where nobody fetched the link while the
// address could be fetched. A link that is out stays the only one.
func (i Invited) Again() (Invited, error) {
	switch {
	case i.State == Waiting:
		return i, nil
	case i.ByHand:
		return i, problem.New(problem.Conflict, "invitation_by_hand", "An agent hands this link over; make a new invitation.")
	case i.CustomerID == uuid.Nil:
		return i, problem.New(problem.Gone, "customer_erased", "The customer was erased: nobody can be asked.")
	case i.State == Answered && !i.Anonymous:
		return i, problem.New(problem.Conflict, "survey_answered", "This was answered already.")
	case i.State == Answered || i.State == Sent && i.Fetched: // in anonymous mode the one looks like the other
		return i, problem.New(problem.Conflict, "link_used", "The link is on its way. Say so if it does not arrive.")
	}
	i.State, i.Refusal, i.ContactID, i.Channel, i.Fetched = Waiting, "", uuid.Nil, "", false
	i.SentAt, i.LocksAt = time.Time{}, time.Time{}
	i.Round++
	return i, nil
}

// Answerable tells whether the link can still be answered. One that bounced can: that it is answered shows that it arrived.
func (i Invited) Answerable(at time.Time) error {
	switch {
	case i.State == Answered:
		return problem.New(problem.Conflict, "survey_answered", "This was answered already. Thank you.")
	case !at.Before(i.LocksAt):
		return locked()
	}
	return nil
}

func locked() error {
	return problem.New(problem.Gone, "survey_locked", "The time for answering is over.")
}
