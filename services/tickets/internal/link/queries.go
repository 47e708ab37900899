package link

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Of gives all links of a ticket, as it sees them.
func (l *Links) Of(ctx context.Context, id uuid.UUID) (found []Linked, err error) {
	if _, err := l.tickets.Get(ctx, id); err != nil {
		return nil, err
	}
	err = l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = of(ctx, tx, id)
		return err
	})
	return found, err
}

// Place is where a piece stands in a thread; the zero Place is before all.
type Place struct {
	At time.Time
	ID uuid.UUID
}

// Thread gives up to limit pieces of what was said on a ticket and on those that were merged into it, the first first, those
// behind the place; notes only where internal asks for them.
func (l *Links) Thread(ctx context.Context, id uuid.UUID, internal bool, after Place, limit int) (found []Piece, err error) {
	if _, err := l.tickets.Get(ctx, id); err != nil {
		return nil, err
	}
	err = l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = thread(ctx, tx, id, internal, after, limit)
		return err
	})
	return found, err
}
