package complaint

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
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
