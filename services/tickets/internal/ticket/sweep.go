package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

const (
	closer    = "tickets" // subject of what the service does by itself
	sweepMost = 500
	// quiet is how long nobody has written to a ticket that is closed by itself: an importer may be about to say that it
	// was reopened long ago.
	quiet = 10 * time.Minute
)

// CloseResolved closes, once over all tenants, resolved tickets of which nothing was heard for as long as their tenant
// waits. It may be called in any number of processes.
func (t *Tickets) CloseResolved(ctx context.Context) error {
	type due struct {
		tenant string
		id     uuid.UUID
	}
	for {
		var all []due
		now := t.now()
		err := t.db.System(ctx, func(tx *pg.Tx) error {
			rows, err := tx.Query(ctx, `SELECT tenant_id, id FROM ticket_to_close($1, $2, $3)`, now, now.Add(-quiet), sweepMost)
			if err != nil {
				return err
			}
			all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) { return d, row.Scan(&d.tenant, &d.id) })
			return err
		})
		if err != nil {
			return fmt.Errorf("resolved tickets: %w", err)
		}
		var errs []error
		for _, d := range all {
			ctx := auth.With(ctx, auth.Principal{Subject: closer, Tenant: d.tenant})
			if err := t.closeResolved(ctx, d.id, now); err != nil {
				errs = append(errs, fmt.Errorf("ticket %s: %w", d.id, err))
			}
		}
		if err := errors.Join(errs...); err != nil || len(all) < sweepMost {
			return err
		}
	}
}

// closeResolved closes a ticket that is still due to be closed when it is locked.
func (t *Tickets) closeResolved(ctx context.Context, id uuid.UUID, now time.Time) error {
	return t.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		h, err := hold(ctx, tx, id, sla.ReadOf)
		if err != nil || h.was.Status != StatusResolved || h.was.CloseAt.IsZero() || h.was.CloseAt.After(now) {
			return err
		}
		h.move(StatusChange{To: StatusClosed, Reason: "silence", By: closer, At: latest(now, lastMeasured(h.past))})
		return h.settle(ctx, tx, t.outbox, now)
	})
}
