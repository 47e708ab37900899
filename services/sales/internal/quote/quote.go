// Package quote is what customers are offered: quotes in versions, with exact amounts, approved by levels of the tenant's
// policy, sent as a PDF, and accepted, which makes the order.
//
// What a version says is in content.go and its amounts in amounts.go; who has to approve it is in policy.go and how they do in
// approval.go; how a quote goes on is here. All of that is pure; it is applied to the quote's rows under their lock (commands.go).
// The process that asks the levels one after the other is a workflow (workflow.go), which holds nothing that is not in the rows
// as well.
package quote

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// State is where a version of a quote stands.
type State string

// The states. What a version says changes in the first three only, which makes it a Draft again.
const (
	Draft      State = "draft"       // is written
	InApproval State = "in_approval" // a level of the policy is asked
	Approved   State = "approved"    // may be sent
	Sent       State = "sent"        // the customer has it; of all versions one at most
	Accepted   State = "accepted"    // is an order
	Declined   State = "declined"    // the customer does not want it
	Expired    State = "expired"     // was not answered in time
	Withdrawn  State = "withdrawn"   // taken back, or a later version was sent or accepted in its place
)

// States lists them all.
func States() []State {
	return []State{Draft, InApproval, Approved, Sent, Accepted, Declined, Expired, Withdrawn}
}

// writable tells whether what the version says may change.
func (s State) writable() bool { return s == Draft || s == InApproval || s == Approved }

// Quote is a quote with all its versions.
type Quote struct {
	ID            uuid.UUID // UUIDv7
	Number        int64     // within the tenant, from 1
	Revision      int64     // of everything about it; its ETag
	CustomerID    uuid.UUID // as it was written, for ever
	Root          uuid.UUID // whom CustomerID means, where the quote was read
	OpportunityID uuid.UUID // Nil for none
	Versions      []Version // in order; the last is the latest. Their lines are loaded where they are asked for
	Steps         []Step    // what happened, in order
	CreatedAt     time.Time
	ChangedAt     time.Time
}

// Version is one version of a quote.
type Version struct {
	No      int32 // from 1
	State   State
	Content Content
	Lines   []Line // nil where they were not loaded
	Totals  Totals

	Authors   []string // subjects of all who wrote, edited or submitted it or a version before it, sorted
	Approval  Approval
	ExpiresAt time.Time // when the last day of validity ends
	OrderID   uuid.UUID // of Accepted
	Reason    string    // code of why it was declined or withdrawn
	CreatedAt time.Time
	ChangedAt time.Time // what it says was changed last
	SentAt    time.Time
	EndedAt   time.Time // accepted, declined, expired or withdrawn
}

// Action is what happens to a quote.
type Action string

// The actions.
const (
	ActionCreate   Action = "create"
	ActionEdit     Action = "edit"
	ActionSubmit   Action = "submit"
	ActionApprove  Action = "approve"
	ActionReject   Action = "reject"
	ActionEscalate Action = "escalate" // a level was silent, and the next one is asked
	ActionSend     Action = "send"
	ActionAccept   Action = "accept"
	ActionDecline  Action = "decline"
	ActionExpire   Action = "expire"
	ActionWithdraw Action = "withdraw"
)

// Step is one thing that happened. It carries no words of people: those are notes.
type Step struct {
	No         int       `json:"no"` // from 1
	Action     Action    `json:"action"`
	Version    int32     `json:"version"`
	DecisionID uuid.UUID `json:"decision_id,omitzero"` // of approvals and rejections by people
	Hash       []byte    `json:"hash,omitempty"`       // of the decision's input
	By         string    `json:"by"`                   // subject
	At         time.Time `json:"at"`
	Level      string    `json:"level,omitempty"` // code of the level that decided, or was silent
	Code       string    `json:"code,omitempty"`  // of why
	NoteID     uuid.UUID `json:"note_id,omitzero"`
}

// process is the subject of what happens by itself.
const process = "process:quote"

// maxVersions bounds the versions of one quote.
const maxVersions = 200

// happened adds a step and makes the quote another revision.
func (q *Quote) happened(s Step) {
	s.No = len(q.Steps) + 1
	q.Steps = append(slices.Clip(q.Steps), s)
	q.Revision++
	q.ChangedAt = s.At
}

// change gives a copy of the quote in which the version may be changed.
func (q Quote) change(no int32) (Quote, *Version) {
	q.Versions = slices.Clone(q.Versions)
	return q, &q.Versions[no-1]
}

// Latest is the latest version.
func (q Quote) Latest() Version { return q.Versions[len(q.Versions)-1] }

// Version gives a version of the quote, or NotFound.
func (q Quote) Version(no int32) (Version, error) {
	if no < 1 || int(no) > len(q.Versions) {
		return Version{}, errNoVersion
	}
	return q.Versions[no-1], nil
}

var errNoVersion = problem.New(problem.NotFound, "quote_version_not_found", "The quote has no such version.")

// over refuses what cannot be done any more with a quote that became an order or was taken back.
func (q Quote) over() error {
	for _, v := range q.Versions {
		if v.State == Accepted {
			return problem.New(problem.Conflict, "quote_accepted", "The quote was accepted in version %d: it is an order.", v.No)
		}
	}
	if last := q.Latest(); last.State == Withdrawn {
		return problem.New(problem.Conflict, "quote_withdrawn", "The quote was withdrawn.")
	}
	return nil
}

// latest gives a version that must be the latest and in one of the states.
func (q Quote) latest(no int32, states ...State) (Version, error) {
	v, err := q.Version(no)
	if err != nil {
		return v, err
	}
	if err := q.over(); err != nil {
		return v, err
	}
	if int(no) != len(q.Versions) {
		return v, problem.New(problem.Conflict, "quote_version_not_latest", "This is not the latest version: that is %d.", len(q.Versions))
	}
	if !slices.Contains(states, v.State) {
		return v, wrongState(v)
	}
	return v, nil
}

func wrongState(v Version) error {
	return problem.New(problem.Conflict, "quote_state", "This cannot be done now: version %d is %s.", v.No, v.State)
}

// Begin makes a quote of its first version.
func Begin(q Quote, w Written, by string, at time.Time) Quote {
	q.CreatedAt = at
	q.Versions = []Version{{No: 1, State: Draft, CreatedAt: at}}
	q.Versions[0].write(w, by, at)
	q.happened(Step{Action: ActionCreate, Version: 1, By: by, At: at})
	return q
}

// Edit puts what was written into the latest version, which is a draft again, or into a new one, where the customer has, or
// had, the latest.
func (q Quote) Edit(w Written, by string, at time.Time) (Quote, error) {
	if err := q.over(); err != nil {
		return q, err
	}
	if last := q.Latest(); !last.State.writable() {
		if len(q.Versions) == maxVersions {
			return q, problem.New(problem.Conflict, "quote_versions_too_many", "A quote has at most %d versions: make a new quote.", maxVersions)
		}
		q.Versions = append(slices.Clone(q.Versions), Version{No: last.No + 1, State: Draft, Authors: last.Authors, CreatedAt: at})
	}
	q, v := q.change(int32(len(q.Versions)))
	v.write(w, by, at)
	q.happened(Step{Action: ActionEdit, Version: v.No, By: by, At: at})
	return q, nil
}

// write puts down what a version says. Whatever was approved of it was something else.
func (v *Version) write(w Written, by string, at time.Time) {
	v.State, v.Content, v.Lines, v.Totals, v.ExpiresAt, v.ChangedAt = Draft, w.Content, w.Lines, w.Totals, w.ExpiresAt, at
	v.Approval = Approval{Submission: v.Approval.Submission}
	v.author(by)
}

func (v *Version) author(by string) {
	v.Authors = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(v.Authors), by))))
}

// Send marks an approved version as sent; the one that the customer had before is withdrawn.
func (q Quote) Send(no int32, by string, at time.Time) (Quote, error) {
	v, err := q.latest(no, Approved)
	if err != nil {
		return q, err
	}
	if !at.Before(v.ExpiresAt) {
		return q, expired(v)
	}
	q, now := q.change(no)
	for i := range q.Versions {
		if q.Versions[i].State == Sent {
			q.Versions[i].end(Withdrawn, "superseded", at)
		}
	}
	now.State, now.SentAt = Sent, at
	q.happened(Step{Action: ActionSend, Version: no, By: by, At: at})
	return q, nil
}

func (v *Version) end(s State, reason string, at time.Time) {
	v.State, v.Reason, v.EndedAt = s, reason, at
}

func expired(v Version) error {
	return problem.New(problem.Conflict, "quote_expired", "The quote was valid until %s (%s): write a new version.", v.Content.ValidUntil, v.Content.TimeZone)
}

// offered gives a version that the customer has, and that no later one has taken the place of.
func (q Quote) offered(no int32) (Version, error) {
	v, err := q.Version(no)
	if err != nil {
		return v, err
	}
	if err := q.over(); err != nil {
		return v, err
	}
	switch {
	case v.State == Expired:
		return v, expired(v)
	case v.State == Withdrawn && !v.SentAt.IsZero():
		return v, problem.New(problem.Conflict, "quote_version_not_latest", "A later version was sent in the place of this one.")
	case v.State != Sent:
		return v, wrongState(v)
	}
	return v, nil
}

// Accept makes the version the one that the customer took: an order of the id. Every other one is withdrawn.
func (q Quote) Accept(no int32, order uuid.UUID, by string, at time.Time) (Quote, error) {
	v, err := q.offered(no)
	if err != nil {
		return q, err
	}
	if !at.Before(v.ExpiresAt) {
		return q, expired(v)
	}
	q, now := q.change(no)
	now.end(Accepted, "", at)
	now.OrderID = order
	q.withdrawAll("superseded", at)
	q.happened(Step{Action: ActionAccept, Version: no, By: by, At: at})
	return q, nil
}

// withdrawAll takes back every version that waits for something.
func (q *Quote) withdrawAll(reason string, at time.Time) {
	for i := range q.Versions {
		if v := &q.Versions[i]; v.State.writable() || v.State == Sent {
			v.end(Withdrawn, reason, at)
			v.Approval = v.Approval.closed()
		}
	}
}

// Decline says that the customer does not want a version that they have, with a code of why. A new version may follow.
func (q Quote) Decline(no int32, reason string, note uuid.UUID, by string, at time.Time) (Quote, error) {
	if _, err := q.offered(no); err != nil {
		return q, err
	}
	q, now := q.change(no)
	now.end(Declined, reason, at)
	q.happened(Step{Action: ActionDecline, Version: no, By: by, At: at, Code: reason, NoteID: note})
	return q, nil
}

// Expire ends the version that the customer has, where its last day has passed; it changes nothing otherwise.
func (q Quote) Expire(at time.Time) Quote {
	for _, v := range q.Versions {
		if v.State == Sent && !at.Before(v.ExpiresAt) {
			q, now := q.change(v.No)
			now.end(Expired, "", at)
			q.happened(Step{Action: ActionExpire, Version: v.No, By: process, At: at})
			return q
		}
	}
	return q
}

// Withdraw takes the whole quote back. It ends whatever is going on.
func (q Quote) Withdraw(reason string, note uuid.UUID, by string, at time.Time) (Quote, error) {
	if err := q.over(); err != nil {
		return q, err
	}
	last := int32(len(q.Versions))
	q, v := q.change(last)
	q.withdrawAll(reason, at)
	if v.State != Withdrawn { // it was declined or had expired, and now nobody writes another one
		v.end(Withdrawn, reason, at)
	}
	q.happened(Step{Action: ActionWithdraw, Version: last, By: by, At: at, Code: reason, NoteID: note})
	return q, nil
}

// Name is how people call the quote: Q-000017.
func (q Quote) Name() string { return fmt.Sprintf("Q-%06d", q.Number) }
