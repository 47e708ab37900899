package crisis

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

// Consumer starts the process of every crisis that is declared, in the trace of its declaration, and links every complaint that
// is registered to the crises that are led and to which it belongs.
func (c *Crises) Consumer() inbox.Consumer {
	return inbox.Consumer{
		Name:    "crises",
		Topics:  []string{bus.TopicFor(c.service)},
		Ordered: true,
		Handles: []proto.Message{&ticketsv1.CrisisDeclared{}, &ticketsv1.ComplaintRegistered{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			var complaints []uuid.UUID
			for _, e := range events {
				if m, ok := e.Message.(*ticketsv1.ComplaintRegistered); ok {
					id, err := parse("complaint_id", m.GetComplaintId())
					if err != nil {
						return err
					}
					complaints = append(complaints, id)
					continue
				}
				id, err := parse("crisis_id", e.Message.(*ticketsv1.CrisisDeclared).GetCrisisId())
				if err != nil {
					return err
				}
				ctx := auth.With(telemetry.Extract(ctx, e.Trace), auth.Principal{Subject: process, Tenant: e.Tenant})
				if err := c.starter.Queue(ctx, tx, c.start(e.Tenant, Crisis{ID: id, Stage: Declared})); err != nil {
					return err
				}
			}
			if len(complaints) > 0 {
				linkNew(tx, complaints, c.now())
			}
			return tx.Flush(ctx)
		},
	}
}

func parse(field, s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return id, problem.New(problem.Unprocessable, "event_malformed", "%s must be a UUID.", field).Because(err)
	}
	return id, nil
}
