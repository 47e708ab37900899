package reward

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
)

// Consumer starts the process of every redemption, in the trace of its event.
func (r *Rewards) Consumer() inbox.Consumer {
	return inbox.Consumer{
		Name:    "redemptions",
		Topics:  []string{bus.TopicFor(r.service)},
		Handles: []proto.Message{&loyaltyv1.RewardRedeemed{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			for _, e := range events {
				id, err := uuid.Parse(e.Message.(*loyaltyv1.RewardRedeemed).GetRedemptionId())
				if err != nil {
					return problem.New(problem.Unprocessable, "event_malformed", "redemption_id must be a UUID.").Because(err)
				}
				ctx := auth.With(telemetry.Extract(ctx, e.Trace), auth.Principal{Subject: process, Tenant: e.Tenant})
				if err := r.starter.Queue(ctx, tx, r.start(e.Tenant, id)); err != nil {
					return err
				}
			}
			return tx.Flush(ctx)
		},
	}
}

// workflowID is the id of the process of a redemption.
func workflowID(tenant string, id uuid.UUID) string {
	return "redemption/" + tenant + "/" + id.String()
}

// start describes the process of a redemption. Its row decides what is left to do, so that a process that was ended by hand can be
// started anew.
func (r *Rewards) start(tenant string, id uuid.UUID) flow.Start {
	return flow.Start{
		ID: workflowID(tenant, id), Queue: r.service, Workflow: WorkflowName, Args: []any{Input{ID: id}},
		Search: flow.Search{Stage: string(Reserved)}, Again: true,
	}
}
