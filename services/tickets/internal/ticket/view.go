package ticket

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// ticketView is a ticket as the API shows it.
type ticketView struct {
	TicketID    uuid.UUID      `json:"ticket_id" format:"uuid"`
	Number      string         `json:"number" doc:"As people say it on the telephone." example:"T-000123"`
	Kind        Kind           `json:"kind" enum:"enquiry,incident,complaint,suggestion,praise"`
	Channel     string         `json:"channel" example:"phone"`
	Live        bool           `json:"live" doc:"Opened while the customer was on the line."`
	CustomerID  *uuid.UUID     `json:"customer_id,omitempty" format:"uuid" doc:"The customer whom the ticket's id means now; absent where nobody is known."`
	AssetID     *uuid.UUID     `json:"asset_id,omitempty" format:"uuid"`
	Category    string         `json:"category,omitempty" doc:"Code; absent for none."`
	Subject     string         `json:"subject"`
	Description string         `json:"description"`
	Impact      int            `json:"impact" doc:"1 (many, or all of it) to 3 (one, or a part)."`
	Urgency     int            `json:"urgency" doc:"1 (at once) to 3 (when it suits)."`
	Priority    int            `json:"priority" doc:"1 (the most urgent) to 5: impact + urgency - 1."`
	Tags        []string       `json:"tags" nullable:"false" doc:"Sorted, in lower case."`
	Custom      map[string]any `json:"custom_fields" nullable:"false" doc:"Values of the tenant's fields, by name."`
	Status      Status         `json:"status" enum:"new,open,pending,on_hold,resolved,closed"`
	Queue       string         `json:"queue,omitempty" doc:"Code of the queue it waits in; absent for none."`
	Agent       string         `json:"agent,omitempty" doc:"Subject of who has it; absent for nobody."`
	Resolution  string         `json:"resolution,omitempty" doc:"Code of how it was resolved the last time; absent for not yet." example:"solved"`
	Reopened    int            `json:"reopened" doc:"How often."`
	MergedInto  *uuid.UUID     `json:"merged_into,omitempty" format:"uuid" doc:"The ticket on which this one goes on."`

	NextDueAt     *time.Time `json:"next_due_at,omitempty" doc:"The earliest deadline of a clock that runs, one that passed included; absent while all pause or are done."`
	NextClock     string     `json:"next_clock,omitempty" enum:"first_response,next_response,resolution" doc:"What that is for."`
	PolicyID      *uuid.UUID `json:"policy_id,omitempty" format:"uuid" doc:"The service level policy by which it is measured; absent where none fits."`
	PolicyVersion int64      `json:"policy_version,omitempty"`
	Grade         string     `json:"grade,omitempty" doc:"The customer's, when the policy was chosen; so is tier."`
	Tier          string     `json:"tier,omitempty"`

	Version    int64      `json:"version" doc:"Rises by one with every change; the ETag."`
	OpenedAt   time.Time  `json:"opened_at"`
	ChangedAt  time.Time  `json:"changed_at"`
	ResolvedAt *time.Time `json:"resolved_at,omitempty"`
	ClosesAt   *time.Time `json:"closes_at,omitempty" doc:"When a resolved ticket is closed by itself, unless the customer is heard of."`
	ClosedAt   *time.Time `json:"closed_at,omitempty"`
}

func show(t Ticket) ticketView {
	return ticketView{
		TicketID: t.ID, Number: Number(t.Number), Kind: t.Kind, Channel: t.Channel, Live: t.Live, CustomerID: pg.OrNull(t.Root),
		AssetID: pg.OrNull(t.AssetID), Category: t.Category, Subject: t.Subject, Description: t.Description, Impact: t.Impact,
		Urgency: t.Urgency, Priority: t.Priority, Tags: orEmpty(t.Tags), Custom: t.Custom, Status: t.Status, Queue: t.Queue, Agent: t.Agent,
		Resolution: t.Resolution, Reopened: t.Reopened, MergedInto: pg.OrNull(t.MergedInto), NextDueAt: pg.OrNull(t.NextDueAt),
		NextClock: t.NextClock, PolicyID: pg.OrNull(t.PolicyID), PolicyVersion: t.PolicyVersion, Grade: t.Grade, Tier: t.Tier,
		Version: t.Version, OpenedAt: t.OpenedAt.UTC(), ChangedAt: t.ChangedAt.UTC(), ResolvedAt: pg.OrNull(t.ResolvedAt),
		ClosesAt: pg.OrNull(t.CloseAt), ClosedAt: pg.OrNull(t.ClosedAt),
	}
}

type answer struct {
	ETag string `header:"ETag"`
	Body ticketView
}

func answered(t Ticket, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(t.Version), Body: show(t)}, nil
}

// ticketWords is what was said on a ticket, as the API shows it.
type ticketWords struct {
	ReplyID uuid.UUID `json:"reply_id" format:"uuid"`
	No      int       `json:"no" doc:"Of its entry in the history."`
	Author  Author    `json:"author" enum:"customer,agent,automatic,note" doc:"A note is what only the staff can read."`
	Channel string    `json:"channel,omitempty" doc:"Absent of a note."`
	Words   string    `json:"words" doc:"As they were given: text, never markup to be rendered. Empty once the customer was erased."`
	By      string    `json:"by" doc:"Subject of who wrote them, or wrote them down."`
	At      time.Time `json:"at"`
}

func showWords(r Reply) ticketWords {
	return ticketWords{r.ID, r.No, r.Author, r.Channel, r.Words, r.By, r.At}
}

// ticketEntry is an entry of a history as the API shows it.
type ticketEntry struct {
	No         int        `json:"no" doc:"From 1."`
	At         time.Time  `json:"at" doc:"When it happened."`
	RecordedAt time.Time  `json:"recorded_at" doc:"When it was written down."`
	What       What       `json:"what" enum:"opened,opened_live,customer_contact,public_reply,automatic_reply,note,status,reclassified,edited,assigned,linked,merged"`
	Status     Status     `json:"status" enum:"new,open,pending,on_hold,resolved,closed" doc:"After it; so is priority."`
	Priority   int        `json:"priority"`
	By         string     `json:"by,omitempty" doc:"Subject; absent where it is not known."`
	Code       string     `json:"code,omitempty" doc:"Resolution, or why."`
	Queue      string     `json:"queue,omitempty" doc:"Of an assignment, after it; so is agent."`
	Agent      string     `json:"agent,omitempty"`
	Ref        *uuid.UUID `json:"ref,omitempty" format:"uuid" doc:"The reply, the note, or the other ticket."`
	Fields     []string   `json:"fields,omitempty" doc:"Names of what was changed."`
}

func showEntry(e Entry) ticketEntry {
	return ticketEntry{
		No: e.No, At: e.At, RecordedAt: e.RecordedAt, What: e.What, Status: e.Status, Priority: e.Priority, By: e.By, Code: e.Code,
		Queue: e.Queue, Agent: e.Agent, Ref: pg.OrNull(e.Ref), Fields: e.Fields,
	}
}
