package complaint

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Complaints is what can be done with complaints.
type Complaints struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	flow    *flow.Client
	starter *starts.Starter
	service string // and task queue
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, starter *starts.Starter, service string, clock func() time.Time) *Complaints {
	return &Complaints{db: db, outbox: o, flow: fl, starter: starter, service: service, clock: clock}
}

// Register takes a complaint in, with a ticket of its own: two round trips, one for the policy, the calendar and the ticket's
// number, one for all that is written. Its process starts from its event.
func (c *Complaints) Register(ctx context.Context, d Draft) (Told, error) {
	id, ticketID, err := twoIDs()
	if err != nil {
		return Told{}, err
	}
	by := flow.ActorOf(ctx).Subject
	now := c.now()
	if _, faults := RegisterComplaint(id, d, by, policy.Standard(), calendar.Always(), now); len(faults) > 0 { // before a number is drawn
		return Told{}, problem.InvalidBody("complaint_invalid", "The complaint was not accepted: mend the fields named here.", faults)
	}
	var made Told
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		p, days := policy.Of(tx), calendar.All(tx)
		t, err := ticket.Open(ctx, tx, c.outbox, ticket.Draft{
			ID: ticketID, Kind: ticket.ComplaintKind, Channel: d.Channel, CustomerID: d.CustomerID, Subject: "complaint: " + d.Category,
			Impact: 2, Urgency: 2, By: by, At: now,
		})
		if err != nil {
			return pg.Result{}, err
		}
		legal, known := days.Calendar(p.LegalCalendarID)
		if !known { // it was there when the policy named it, and calendars are only archived
			return pg.Result{}, fmt.Errorf("complaint: the policy's calendar %s is gone", p.LegalCalendarID)
		}
		made.Complaint, _ = RegisterComplaint(id, d, by, *p, legal, now)
		made.Root, made.TicketID, made.Number = t.Root, t.ID, ticket.Number(t.Number)
		if made.notes, err = said(id, d, by, now); err != nil {
			return pg.Result{}, err
		}
		insert(tx, made.Complaint, telemetry.Inject(ctx))
		for _, n := range made.notes {
			insertNote(tx, n)
		}
		return pg.Result{ID: id, Status: http.StatusCreated}, c.outbox.Append(ctx, tx, registeredEvent(made.Complaint))
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return c.Get(ctx, result.ID)
	}
	return made, err
}

func twoIDs() (a, b uuid.UUID, err error) {
	if a, err = uuid.NewV7(); err == nil {
		b, err = uuid.NewV7()
	}
	return a, b, err
}

// said are the notes of a new complaint.
func said(complaint uuid.UUID, d Draft, by string, now time.Time) (map[uuid.UUID]note, error) {
	notes := make(map[uuid.UUID]note)
	for kind, text := range map[Word]string{description: d.Description, wish: d.Wish} {
		text, _ = words(text)
		if text == "" {
			continue
		}
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		notes[id] = note{id: id, complaint: complaint, kind: kind, words: text, by: by, at: now}
	}
	return notes, nil
}

// Decide brings a person's decision to the complaint's process and waits for what it says; what was said with it is kept
// here and referred to. What cannot be decided is refused before the process is asked; where two decide at once,
// the complaint's row says who was first. While the process cannot be reached the answer is Unavailable, and the decision
// may still take effect: sent again under the same Idempotency-Key it tells.
func (c *Complaints) Decide(ctx context.Context, d Decision, said []Saying) (Told, error) {
	d, err := identified(ctx, d)
	if err != nil {
		return Told{}, err
	}
	was, before, err := c.prepare(ctx, &d, said)
	if err != nil {
		return Told{}, err
	}
	if before {
		httpx.MarkReplayed(ctx)
		return c.tell(ctx, was)
	}
	if len(was.Steps) == 1 { // the first decision may be faster than the event that starts the process
		if err := c.begin(ctx, was); err != nil {
			return Told{}, err
		}
	}
	var answer Decided
	err = c.flow.Decide(ctx, flow.Decision{
		Start: c.start(auth.Tenant(ctx), was), Name: DecideUpdate, ID: d.ID.String(), Args: []any{d},
	}, &answer)
	if err != nil {
		return Told{}, err
	}
	if answer.Attempt != d.Attempt {
		httpx.MarkReplayed(ctx)
	}
	return c.tell(ctx, answer.Complaint)
}

// begin starts the process of a complaint as its event would: in the trace of its registration, and on behalf of nobody
// who happens to decide.
func (c *Complaints) begin(ctx context.Context, of Complaint) error {
	tenant := auth.Tenant(ctx)
	var trace map[string]string
	err := c.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
		trace, err = traceOf(ctx, tx, of.ID)
		return err
	})
	if err != nil {
		return err
	}
	ctx = telemetry.Extract(auth.With(ctx, auth.Principal{Subject: process, Tenant: tenant}), trace)
	_, err = c.flow.Start(ctx, c.start(tenant, of))
	return err
}

// decisions is the namespace of the ids that decisions get from their Idempotency-Keys.
var decisions = uuid.MustParse("6b1f2c9e-5d0a-5e0b-9c58-0f2f7f6a3d11")

// identified says who decides and which decision this is.
func identified(ctx context.Context, d Decision) (Decision, error) {
	asked, err := flow.Ask(ctx, decisions)
	d.ID, d.Attempt, d.Hash, d.By = asked.ID, asked.Attempt, asked.Hash, asked.By
	return d, err
}

// Saying is what somebody said with a decision.
type Saying struct {
	Kind     Word
	Location string // of the request's body
	Text     string // at most 20,000 characters, less for evidence; empty: nothing was said
}

const (
	maxSayings  = 30
	maxEvidence = 2_000
)

// note brings what was said with a decision to the form in which it is kept, and tells the decision of it.
func (d *Decision) note(said []Saying) (notes []note, faults []problem.Field) {
	for i, one := range said {
		text, ok := words(one.Text)
		if !ok || one.Kind == Evidence && utf8.RuneCountInString(text) > maxEvidence || i >= maxSayings {
			faults = append(faults, problem.Field{Location: one.Location, Code: string(one.Kind) + "_too_long",
				Message: "must be at most 20000 characters; evidence at most 20 references of 2000"})
			continue
		}
		if text == "" {
			continue
		}
		id := uuid.NewSHA1(d.ID, []byte(one.Location))
		if one.Kind == Reason {
			d.NoteID = id
		}
		if !slices.Contains(d.Said, one.Kind) {
			d.Said = append(d.Said, one.Kind)
		}
		notes = append(notes, note{id: id, complaint: d.ComplaintID, kind: one.Kind, words: text, by: d.By.Subject, no: i, decision: d.ID})
	}
	return notes, faults
}

// prepare refuses what cannot be decided and keeps what was said; before tells that the decision was made before.
func (c *Complaints) prepare(ctx context.Context, d *Decision, said []Saying) (was Complaint, before bool, err error) {
	notes, faults := d.note(said)
	if len(faults) > 0 {
		return was, false, decisionInvalid(faults)
	}
	now := c.now()
	err = c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		at, hash, found, err := decided(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		if before = found; found && at != d.ComplaintID {
			return flow.Same(hash, d.ID[:]) // never the same
		}
		p := policy.Of(tx)
		if was, err = load(ctx, tx, d.ComplaintID, false); err != nil {
			return err
		}
		if found {
			return flow.Same(hash, d.Hash)
		}
		// It may have been made since the look above; what was loaded then has its step, and refuses it as one that came too late.
		if before, err = was.Decided(*d); before || err != nil {
			return err
		}
		if _, err = was.Decide(*d, *p, now); err != nil || len(notes) == 0 {
			return err
		}
		erasure.Refuse(tx, was.CustomerID)
		for _, n := range notes {
			n.at = now
			insertNote(tx, n)
		}
		return nil
	})
	return was, before, err
}

// start describes the process of a complaint. Its rows decide what is left to do, so that a process that was ended by hand
// can be started anew.
func (c *Complaints) start(tenant string, of Complaint) flow.Start {
	return flow.Start{
		ID: "complaint/" + tenant + "/" + of.ID.String(), Queue: c.service, Workflow: WorkflowName, Args: []any{Input{ID: of.ID}},
		Search: of.search(), Again: true,
	}
}

// change locks a complaint, applies the rule, and saves and tells what the rule changed: two round trips, three where the
// ticket follows.
func (c *Complaints) change(ctx context.Context, id uuid.UUID,
	rule func(was Complaint, p policy.Policy, now time.Time) (Complaint, error),
) (now Complaint, err error) {
	at := c.now()
	_, err = c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		p := policy.Of(tx)
		was, err := load(ctx, tx, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		now, err = rule(was, *p, at)
		if err != nil || now.Version == was.Version {
			return pg.Result{}, err
		}
		save(tx, was, now)
		if now.Stage == Verifying && was.Stage != Verifying {
			if err := c.invite(ctx, tx, now); err != nil {
				return pg.Result{}, err
			}
		}
		if to := now.ticketStatus(); to != was.ticketStatus() {
			if err := ticket.Follow(ctx, tx, c.outbox, now.TicketID, to, at); err != nil {
				return pg.Result{}, err
			}
		}
		return pg.Result{}, c.outbox.Append(ctx, tx, changeEvents(was, now, *p, at)...)
	})
	return now, err
}

// invite asks the customer how the complaint was dealt with. A survey that the tenant has closed keeps nobody from giving a
// verdict by telephone.
func (c *Complaints) invite(ctx context.Context, tx *pg.Tx, of Complaint) error {
	_, err := survey.Invite(ctx, tx, c.outbox, c.starter, c.now(), survey.Invitation{
		Survey: survey.Verification, CustomerID: of.CustomerID, TicketID: of.TicketID, ComplaintID: of.ID,
	})
	if err != nil && problem.CallersFault(err) {
		return nil
	}
	return err
}

// ticketStatus is where the ticket of a complaint stands. That of a customer who was silent stays open to a word of theirs.
func (c Complaint) ticketStatus() ticket.Status {
	switch {
	case c.Stage == Registered:
		return ticket.StatusNew
	case c.Stage == Offered || c.Stage == Verifying:
		return ticket.StatusPending
	case c.Stage == Closed && c.Outcome == Unanswered:
		return ticket.StatusResolved
	case c.Stage == Closed:
		return ticket.StatusClosed
	default:
		return ticket.StatusOpen
	}
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (c *Complaints) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }
