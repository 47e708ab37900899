package complaint

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

// Facts is the consumer that hears what complaints have to know: verdicts given in surveys, and what was written on their
// tickets. A public reply of the staff tells the customer that the complaint was received; a word of a customer who was silent
// has it dealt with anew.
func (c *Complaints) Facts() inbox.Consumer {
	return inbox.Consumer{
		Name:    "complaint-facts",
		Topics:  []string{bus.TopicFor(c.service)},
		Handles: []proto.Message{&ticketsv1.SurveyAnswered{}, &ticketsv1.TicketReplied{}},
		Apply: func(_ context.Context, tx *pg.Tx, events []inbox.Event) error {
			var v verdicts
			var r replies
			for _, e := range events {
				switch m := e.Message.(type) {
				case *ticketsv1.SurveyAnswered:
					if complaint, err := uuid.Parse(m.GetComplaintId()); err == nil && m.GetScored() {
						v.ids, v.complaints = append(v.ids, e.ID), append(v.complaints, complaint)
						v.scores, v.kinds = append(v.scores, m.GetScore()), append(v.kinds, m.GetKind())
					}
				case *ticketsv1.TicketReplied:
					if ticket, err := uuid.Parse(m.GetTicketId()); err == nil {
						r.ids, r.tickets = append(r.ids, e.ID), append(r.tickets, ticket)
						r.customers, r.channels = append(r.customers, m.GetAuthor() == "customer"), append(r.channels, m.GetChannel())
					}
				}
			}
			v.insert(tx)
			r.insert(tx)
			return nil
		},
	}
}

// verdicts are the scores of a batch.
type verdicts struct {
	ids, complaints []uuid.UUID
	scores          []int32
	kinds           []string
}

func (v verdicts) insert(tx *pg.Tx) {
	if len(v.ids) == 0 {
		return
	}
	tx.Queue(`INSERT INTO complaint_fact (tenant_id, id, complaint_id, action, score, code, not_before)
		SELECT c.tenant_id, v.id, c.id, 'verify', v.score, v.kind, now()
		  FROM unnest($2::uuid[], $3::uuid[], $4::integer[], $5::text[]) AS v(id, complaint, score, kind)
		  JOIN complaint c ON c.tenant_id = $1 AND c.id = v.complaint
		ON CONFLICT (tenant_id, id) DO NOTHING`, tx.Tenant(), v.ids, v.complaints, v.scores, v.kinds)
}

// replies are what was written on tickets, of a batch.
type replies struct {
	ids, tickets []uuid.UUID
	customers    []bool
	channels     []string
}

// insert queues the facts of those tickets that are complaints to which a reply matters.
func (r replies) insert(tx *pg.Tx) {
	if len(r.ids) == 0 {
		return
	}
	tx.Queue(`INSERT INTO complaint_fact (tenant_id, id, complaint_id, action, score, code, not_before)
		SELECT c.tenant_id, r.id, c.id, CASE WHEN r.customer THEN 'reply' ELSE 'acknowledge' END, 0, r.channel, now()
		  FROM unnest($2::uuid[], $3::uuid[], $4::boolean[], $5::text[]) AS r(id, ticket, customer, channel)
		  JOIN complaint c ON c.tenant_id = $1 AND c.ticket_id = r.ticket
		 WHERE CASE WHEN r.customer THEN c.stage IN ('offered', 'accepted') OR c.outcome = 'unanswered'
		            ELSE c.acknowledged_at IS NULL AND c.stage <> 'closed' END
		ON CONFLICT (tenant_id, id) DO NOTHING`, tx.Tenant(), r.ids, r.tickets, r.customers, r.channels)
}

// fact is what was heard of a complaint.
type fact struct {
	tenant    string
	id        uuid.UUID
	complaint uuid.UUID
	action    Action
	score     int
	code      string
}

// decision is the fact as the process decides it.
func (f fact) decision() Decision {
	d := Decision{ID: f.id, ComplaintID: f.complaint, Action: f.action, By: flow.Actor{Subject: process}, Attempt: f.id.String(), Hash: f.id[:]}
	if f.action == Verify {
		d.Score, d.ScoreKind = f.score, f.code
	} else {
		d.Channel = f.code
	}
	return d
}

const tellMost = 100 // facts of one look

// Tell brings what was heard to the processes of its complaints, of all tenants, and strikes it off. What does not fit the
// complaint any more is struck off as well. It may be called in any number of processes.
func (c *Complaints) Tell(ctx context.Context) error {
	var errs []error
	for {
		due, err := c.lease(ctx)
		if err != nil {
			return fmt.Errorf("facts of complaints: %w", err)
		}
		for _, f := range due {
			if err := c.tellOne(ctx, f); err != nil {
				errs = append(errs, fmt.Errorf("complaint %s: %w", f.complaint, err))
			}
		}
		if len(due) < tellMost || len(errs) > 0 {
			return errors.Join(errs...)
		}
	}
}

func (c *Complaints) lease(ctx context.Context) (due []fact, err error) {
	err = c.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, id FROM complaint_fact_lease($1, $2)`, c.now(), tellMost)
		if err != nil {
			return err
		}
		due, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f fact, err error) { return f, row.Scan(&f.tenant, &f.id) })
		return err
	})
	return due, err
}

func (c *Complaints) tellOne(ctx context.Context, f fact) error {
	ctx = auth.With(ctx, auth.Principal{Subject: process, Tenant: f.tenant})
	var of Complaint
	err := c.db.Read(ctx, f.tenant, func(tx *pg.Tx) error {
		err := tx.QueryRow(ctx, `SELECT complaint_id, action, score, code FROM complaint_fact WHERE tenant_id = $1 AND id = $2`,
			tx.Tenant(), f.id).Scan(&f.complaint, &f.action, &f.score, &f.code)
		if err != nil {
			return err
		}
		of, err = load(ctx, tx, f.complaint, false)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) { // told meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	d := f.decision()
	if before, _ := of.Decided(d); !before {
		if of.Stage == Accepted && f.action == Reply { // it waits until the remedy has been carried out
			return nil
		}
		err := of.Check(d)
		if err == nil {
			err = c.flow.Decide(ctx, flow.Decision{Start: c.start(f.tenant, of), Name: DecideUpdate, ID: d.ID.String(), Args: []any{d}}, nil)
		}
		if err != nil && !problem.CallersFault(err) {
			return err
		}
	}
	return c.db.Tx(ctx, f.tenant, func(tx *pg.Tx) error {
		tx.Queue(`DELETE FROM complaint_fact WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), f.id)
		return nil
	})
}
