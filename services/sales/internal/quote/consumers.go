package quote

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
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// Consumer starts the process of every version for which approval is asked, in the trace of whoever submitted it.
func (s *Quotes) Consumer() inbox.Consumer {
	return inbox.Consumer{
		Name:    "quotes",
		Topics:  []string{bus.TopicFor(s.service)},
		Handles: []proto.Message{&salesv1.QuoteApprovalRequested{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			for _, e := range events {
				m := e.Message.(*salesv1.QuoteApprovalRequested)
				id, err := uuid.Parse(m.GetQuoteId())
				if err != nil || m.GetVersion() < 1 {
					return problem.New(problem.Unprocessable, "event_breaks_contract", "quote_id must be a UUID, and version at least 1.").Because(err)
				}
				ctx := auth.With(telemetry.Extract(ctx, e.Trace), auth.Principal{Subject: process, Tenant: e.Tenant})
				if err := s.starter.Queue(ctx, tx, s.start(e.Tenant, id, m.GetVersion())); err != nil {
					return err
				}
			}
			return tx.Flush(ctx)
		},
	}
}
