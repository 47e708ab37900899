package pricing

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
)

// tierProgramme is the programme of loyalty whose tiers count: the one that every tenant has, and every buyer is a member of.
const tierProgramme = "standard"

// Tiers is the consumer that learns from loyalty which tier customers have, to find out which published benefits are theirs. It
// needs no order: the time that an event tells decides.
func (p *Pricing) Tiers() inbox.Consumer {
	return inbox.Consumer{
		Name: "customer_tiers", Topics: []string{bus.TopicFor("loyalty")}, Handles: []proto.Message{&loyaltyv1.TierChanged{}}, Apply: learn,
	}
}

func learn(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
	latest, err := latestTold(events)
	if err != nil || len(latest) == 0 {
		return err
	}
	customers := make([]uuid.UUID, 0, len(latest))
	for customer := range latest {
		customers = append(customers, customer)
	}
	erased := erasure.Known(tx, customers)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	kept := make([]told, 0, len(latest))
	for customer, t := range latest {
		if !erased[customer] {
			kept = append(kept, t)
		}
	}
	saveTold(tx, kept)
	return tx.Flush(ctx)
}

// latestTold gives of each customer what was told last; of two things that were told of one time, the one that came last.
func latestTold(events []inbox.Event) (map[uuid.UUID]told, error) {
	latest := make(map[uuid.UUID]told)
	for _, e := range events {
		m, ok := e.Message.(*loyaltyv1.TierChanged)
		if !ok || m.GetProgramme() != tierProgramme {
			continue
		}
		broken := func(field, why string) error {
			return problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: %s %s.", e.Type, e.ID, field, why)
		}
		customer, err := uuid.Parse(m.GetCustomerId())
		switch {
		case err != nil || customer == uuid.Nil:
			return nil, broken("customer_id", "is not an id")
		case !codePattern.MatchString(m.GetTier()):
			return nil, broken("tier", "is not a code")
		case m.GetChangedAt() == nil || m.GetChangedAt().CheckValid() != nil:
			return nil, broken("changed_at", "is not a time")
		}
		t := told{customer, m.GetTier(), m.GetChangedAt().AsTime().Truncate(time.Microsecond)}
		if was, there := latest[customer]; !there || !t.at.Before(was.at) {
			latest[customer] = t
		}
	}
	return latest, nil
}

// Erase takes away which tiers the customers have.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	tag, err := tx.ExecNow(ctx, `DELETE FROM customer_tier WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers)
	return []erasure.Erased{{What: "customer_tier", Count: tag.RowsAffected()}}, err
}
