package c139

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

// Consumer keeps in the cards what the decision structure says, as it changes: opportunities tell of that by their events. So a
// card can be read as it was, and what it counted at the closing is what the contacts said then.
func (c *Cards) Consumer() inbox.Consumer {
	return inbox.Consumer{
		Name:    "c139",
		Topics:  []string{bus.TopicFor("sales")},
		Handles: []proto.Message{&salesv1.OpportunityChanged{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			changed := make(map[uuid.UUID]time.Time, len(events))
			for _, e := range events {
				m, ok := e.Message.(*salesv1.OpportunityChanged)
				if !ok {
					continue
				}
				k := e.Contract()
				id := k.ID("opportunity_id", m.GetOpportunityId())
				if err := k.Err(); err != nil {
					return err
				}
				changed[id] = m.GetChangedAt().AsTime()
			}
			return reckon(ctx, tx, changed)
		},
	}
}

// reckon makes a version of each card of the opportunities, changed at these times, whose structure says something else by now.
// Opportunities are locked in the order of their ids.
func reckon(ctx context.Context, tx *pg.Tx, changed map[uuid.UUID]time.Time) error {
	ids := make([]uuid.UUID, 0, len(changed))
	for id := range changed {
		ids = append(ids, id)
	}
	rows, err := tx.Query(ctx, `SELECT n.id FROM unnest($2::uuid[]) AS n (id)
		WHERE EXISTS (SELECT FROM c139_version v WHERE v.tenant_id = $1 AND v.opportunity_id = n.id) ORDER BY n.id`, tx.Tenant(), ids)
	if err != nil {
		return err
	}
	if ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
		return err
	}
	for _, id := range slices.Compact(ids) {
		v, err := look(ctx, tx, id, theEnd, opportunity.Lock)
		if err != nil {
			return err
		}
		card := v.Card
		if err := computedThen(ctx, tx, &card); err != nil {
			return err
		}
		if card.Computed.equal(v.Card.Computed) {
			continue
		}
		card.Computed = v.Card.Computed
		card.Version, card.At = card.Version+1, later(changed[id].UTC().Truncate(time.Microsecond), card.At)
		save(tx, card, byStructure, nil)
	}
	return tx.Flush(ctx)
}
