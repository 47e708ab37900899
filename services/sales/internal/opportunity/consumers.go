package opportunity

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// Consumer starts the follow-up of every opportunity that stalled, in the trace of the event.
func (o *Opportunities) Consumer() inbox.Consumer {
	return inbox.Consumer{
		Name:    "opportunity-follow-ups",
		Topics:  []string{bus.TopicFor(o.service)},
		Handles: []proto.Message{&salesv1.OpportunityStalled{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			for _, e := range events {
				k := e.Contract()
				m, _ := e.Message.(*salesv1.OpportunityStalled)
				id := k.ID("opportunity_id", m.GetOpportunityId())
				if err := k.Err(); err != nil {
					return err
				}
				ctx := auth.With(telemetry.Extract(ctx, e.Trace), auth.Principal{Subject: process, Tenant: e.Tenant})
				if err := o.starter.Queue(ctx, tx, o.start(e.Tenant, id)); err != nil {
					return err
				}
			}
			return tx.Flush(ctx)
		},
	}
}
