package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// releaseAtOnce is how many lots are released in one look, and in one transaction.
const releaseAtOnce = 500

// Releaser makes locked points available when their time has come. It may run in any number of processes.
type Releaser struct {
	ledger *Ledger
	ops    *pg.DB
	by     string
}

// NewReleaser makes the releaser of a service; ops looks over the lots of all tenants.
func NewReleaser(l *Ledger, ops *pg.DB, service string) *Releaser {
	return &Releaser{ledger: l, ops: ops, by: "release:" + service}
}

// ReleaseAll releases until nothing is due.
func (r *Releaser) ReleaseAll(ctx context.Context) error {
	for {
		if n, err := r.Release(ctx); err != nil || n == 0 {
			return err
		}
	}
}

// Release looks once over the lots of all tenants and releases up to 500 that are due; it gives how many it released.
// What another process releases at the same time is found released when its member's turn comes.
func (r *Releaser) Release(ctx context.Context) (released int, err error) {
	due, err := r.due(ctx, r.ledger.Now())
	if err != nil {
		return 0, fmt.Errorf("looking for locked points that are due: %w", err)
	}
	var errs []error
	for tenant, members := range due {
		n, err := r.release(ctx, tenant, members)
		released += n
		if err != nil {
			errs = append(errs, fmt.Errorf("releasing points of %s: %w", tenant, err))
		}
	}
	return released, errors.Join(errs...)
}

// due gives the members of the lots that are due longest, by tenant.
func (r *Releaser) due(ctx context.Context, now time.Time) (map[string][]uuid.UUID, error) {
	due := make(map[string][]uuid.UUID)
	err := r.ops.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT DISTINCT tenant_id, member_id FROM (SELECT tenant_id, member_id FROM lot
			WHERE NOT released AND remaining > 0 AND available_at <= $1 ORDER BY available_at LIMIT $2) l`, now, releaseAtOnce)
		if err != nil {
			return err
		}
		var (
			tenant   string
			memberID uuid.UUID
		)
		_, err = pgx.ForEachRow(rows, []any{&tenant, &memberID}, func() error {
			due[tenant] = append(due[tenant], memberID)
			return nil
		})
		return err
	})
	return due, err
}

// release releases what is due of the members: the members locked, their lots read, and all written, three round trips
// however many they are.
func (r *Releaser) release(ctx context.Context, tenant string, members []uuid.UUID) (released int, err error) {
	_, err = r.ledger.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		now := r.ledger.Now()
		accounts, err := lockAll(ctx, tx, members)
		if err != nil {
			return pg.Result{}, err
		}
		lots, err := dueOf(ctx, tx, members, now)
		if err != nil {
			return pg.Result{}, err
		}
		steps := make([]Step, 0, len(lots))
		for _, lot := range lots {
			a, there := accounts[lot.MemberID]
			if !there {
				continue // the auditor's check finds it
			}
			s, err := a.releaseOf(lot, r.by, now)
			if err != nil {
				return pg.Result{}, err
			}
			accounts[lot.MemberID] = s.Account
			steps = append(steps, s)
		}
		released = len(steps)
		return pg.Result{}, r.ledger.Book(ctx, tx, nil, steps...)
	})
	if err != nil {
		return 0, err
	}
	return released, nil
}
