package complaint

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Processes is the consumer that starts the process of every complaint that is registered, in the trace of its
// registration.
func (c *Complaints) Processes() inbox.Consumer {
	return inbox.Consumer{
		Name:    "processes",
		Topics:  []string{bus.TopicFor(c.service)},
		Ordered: true,
		Handles: []proto.Message{&ticketsv1.ComplaintRegistered{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			for _, e := range events {
				id, err := uuid.Parse(e.Message.(*ticketsv1.ComplaintRegistered).GetComplaintId())
				if err != nil {
					return problem.New(problem.Unprocessable, "event_malformed", "complaint_id must be a UUID.").Because(err)
				}
				begin := c.start(e.Tenant, Complaint{ID: id, Stage: Registered})
				if err := c.starter.Queue(telemetry.Extract(ctx, e.Trace), tx, begin); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// Holds gives the complaints that keep the customers from being erased: those that are still open.
func Holds(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Hold, error) {
	ids, err := open(ctx, tx, customers)
	holds := make([]erasure.Hold, len(ids))
	for i, id := range ids {
		holds[i] = erasure.Hold{Code: "complaint_open", Reference: id}
	}
	return holds, err
}

// Erase empties all that the customers said, in tickets and in complaints, and what was written about it. What was decided,
// by whom and when, stays.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	tickets, texts := ticket.Erase(tx, customers), eraseNotes(tx, customers)
	err := tx.Flush(ctx)
	return []erasure.Erased{*tickets, *texts}, err
}
