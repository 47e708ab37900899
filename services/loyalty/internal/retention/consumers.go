package retention

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
)

// Triggers is the consumer that opens cases when churn risk rises or a tier is about to fall.
func (r *Retention) Triggers() inbox.Consumer {
	return inbox.Consumer{
		Name:    "retention-triggers",
		Topics:  []string{bus.TopicFor(r.service), bus.TopicFor("analytics")},
		Handles: []proto.Message{&loyaltyv1.TierWillFall{}, &analyticsv1.ChurnRiskRaised{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			calls := make([]call, 0, len(events))
			for _, e := range events {
				c, err := called(e)
				if err != nil {
					return err
				}
				calls = append(calls, c)
			}
			return r.answer(ctx, tx, calls)
		},
	}
}

// called says what an event calls for.
func called(e inbox.Event) (call, error) {
	k := e.Contract()
	id, err := uuid.NewV7()
	if err != nil {
		return call{}, err
	}
	c := call{id: id, by: process}
	switch m := e.Message.(type) {
	case *loyaltyv1.TierWillFall:
		c.customer, c.trigger = k.ID("customer_id", m.GetCustomerId()), TierFalling
		c.fits = func(p Plan) bool { return p.Triggers.TierFalling && p.Programme == m.GetProgramme() }
	case *analyticsv1.ChurnRiskRaised:
		c.customer, c.trigger = k.ID("customer_id", m.GetCustomerId()), ChurnRisk
		if m.GetRiskPermille() < 0 || m.GetRiskPermille() > 1000 {
			k.Broken("risk_permille", "is not in thousandths")
		}
		c.fits = func(p Plan) bool {
			return p.Triggers.ChurnRiskPermille > 0 && int(m.GetRiskPermille()) >= p.Triggers.ChurnRiskPermille
		}
	}
	return c, k.Err()
}

// answer opens the cases that are called for, but where something is in the way.
func (r *Retention) answer(ctx context.Context, tx *pg.Tx, calls []call) error {
	plans, err := plansOf(ctx, tx, "", true, maxPlans)
	if err != nil {
		return err
	}
	var wanted []call
	for _, c := range calls {
		for _, p := range plans {
			if c.fits(p) {
				wanted = append(wanted, c)
				break
			}
		}
	}
	_, _, err = r.openAll(ctx, tx, plans, wanted...)
	return err
}

// maxPlans is how many plans of a tenant are looked at.
const maxPlans = 1000

// Processes is the consumer that starts the process of every case that is opened, in the trace of its opening.
func (r *Retention) Processes() inbox.Consumer {
	return inbox.Consumer{
		Name:    "retention-processes",
		Topics:  []string{bus.TopicFor(r.service)},
		Handles: []proto.Message{&loyaltyv1.RetentionCaseOpened{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			for _, e := range events {
				k := e.Contract()
				m, _ := e.Message.(*loyaltyv1.RetentionCaseOpened)
				id := k.ID("case_id", m.GetCaseId())
				if err := k.Err(); err != nil {
					return err
				}
				ctx := auth.With(telemetry.Extract(ctx, e.Trace), auth.Principal{Subject: process, Tenant: e.Tenant})
				if err := r.starter.Queue(ctx, tx, r.start(e.Tenant, Case{ID: id, Stage: Open, Band: Band(m.GetValueBand())})); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
