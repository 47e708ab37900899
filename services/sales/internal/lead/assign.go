package lead

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

// Assignment is who gets a lead.
type Assignment struct {
	Team   string // code
	Owner  string // subject; empty: nobody yet
	Reason string // code: rule, round_robin, least_loaded, hand or released
}

// AssignAllIn is AssignIn for any number of leads, in the same number of statements: it locks those that are there, in the
// order of their ids, and asks of each, as it is then, who gets it. One of which to says false stays as it is.
func (s *Leads) AssignAllIn(ctx context.Context, tx *pg.Tx, ids []uuid.UUID, to func(l Lead) (Assignment, bool), at time.Time) ([]outbox.Event, error) {
	locked, err := lockAll(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var changed, moved []Lead
	var events []outbox.Event
	for _, id := range slices.SortedFunc(slices.Values(ids), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }) {
		l, there := locked[id]
		if !there {
			continue
		}
		a, ok := to(l)
		if !ok {
			continue
		}
		now, err := l.Assign(a.Team, a.Owner, a.Reason, at)
		if err != nil {
			return nil, err
		}
		if now.Version == l.Version {
			continue
		}
		changed, events = append(changed, now), append(events, assignedEvent(l, now, a.Reason))
		if now.Team != l.Team { // whose counts its score is reckoned by
			moved = append(moved, now)
		}
	}
	SaveAll(tx, changed...)
	if len(moved) == 0 {
		return events, nil
	}
	book := pipeline.All(tx)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	cases := make([]scoring.Case, len(moved))
	for i, l := range moved {
		cases[i] = l.scored(book)
	}
	return events, s.scores.Save(ctx, tx, cases...)
}
