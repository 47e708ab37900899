package lead

import (
	"context"
	"time"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// LoseIn ends a lead that is locked, and gives it as it is then with the event that tells of it. reason is the code of one of the
// tenant's reasons.
func (s *Leads) LoseIn(ctx context.Context, tx *pg.Tx, l Lead, reason string, at time.Time) (Lead, []outbox.Event, error) {
	now, err := l.Lose(reason, at)
	if err != nil {
		return l, nil, err
	}
	Save(tx, now)
	return now, []outbox.Event{lostEvent(now, at)}, s.scores.Lost(ctx, tx, at, l.ID)
}
