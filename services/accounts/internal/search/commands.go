package search

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

const (
	batchSize = 1000 // customers that one transaction indexes
	busyBatch = 200  // the same, while customers are changing in great numbers
	poll      = 300 * time.Millisecond
	// busy is how young the newest change is while somebody changes customers in great numbers: the index then takes a
	// small batch a turn, so that an import has the machine, and catches up when it has ended.
	busy = "1 second"
	// overdue is how long what an import changed waits for it to end, before a little of it is indexed each turn.
	overdue = "10 minutes"
)

// Indexer brings what customers are found by up to date with their rows. Wherever it is killed, what it had not committed
// is done again.
type Indexer struct {
	db, ops *pg.DB
	log     *slog.Logger
	// changed is called in the transaction that indexed the customers.
	changed Changed
}

// Changed is told of customers who changed: as they are now, and the ids of those who no longer stand for themselves.
type Changed func(ctx context.Context, tx *pg.Tx, standing []Standing, gone []uuid.UUID) error

// NewIndexer makes an indexer. Whatever else follows customers' changes does so in changed, which may be nil.
func NewIndexer(db, ops *pg.DB, log *slog.Logger, changed Changed) *Indexer {
	if changed == nil {
		changed = func(context.Context, *pg.Tx, []Standing, []uuid.UUID) error { return nil }
	}
	return &Indexer{db: db, ops: ops, log: log, changed: changed}
}

// Run indexes until ctx ends.
func (x *Indexer) Run(ctx context.Context) error {
	return app.Every(poll, x.log, "the index of customers", func(ctx context.Context) error { return x.Turn(ctx) })(ctx)
}

// Turn indexes what is pending of every tenant: all of it, or one batch while customers are changing in great numbers.
func (x *Indexer) Turn(ctx context.Context) error {
	tenants, err := pendingTenants(ctx, x.ops)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		for more := true; more && ctx.Err() == nil; {
			if more, err = x.batch(ctx, tenant); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// batch indexes one batch of a tenant's customers and tells whether the next one ought to follow at once. Another process
// that indexes the same tenant at this moment is left to it.
func (x *Indexer) batch(ctx context.Context, tenant string) (more bool, err error) {
	err = x.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		more = false
		free, err := tryLock(ctx, tx)
		if err != nil || !free {
			return err
		}
		ids, quiet, err := takePending(ctx, tx)
		if err != nil || len(ids) == 0 {
			return err
		}
		more = quiet && len(ids) == batchSize
		return x.index(ctx, tx, ids)
	})
	return more, err
}

// index writes what the customers are found by who are, or were, meant by the ids.
func (x *Indexer) index(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) error {
	standing, err := Load(ctx, tx, ids)
	if err != nil {
		return err
	}
	terms := newTerms(tx.Tenant())
	entries := make([]entry, 0, len(standing))
	found := make(map[uuid.UUID]bool, len(standing))
	for _, s := range standing {
		found[s.ID] = true
		entries = append(entries, terms.entry(s.ID, s.Record))
	}
	var gone []uuid.UUID // absorbed, or erased
	for _, id := range ids {
		if !found[id] {
			gone = append(gone, id)
		}
	}
	if err := write(ctx, tx, terms, entries, gone); err != nil {
		return err
	}
	return x.changed(ctx, tx, standing, gone)
}

// Erase takes the customers out of the index, and their words where nobody else has them, and says how many rows there
// were. What is left of somebody they were merged into comes back from that customer's rows within moments.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	lock(tx)
	roots, err := rootsOf(ctx, tx, customers)
	if err != nil {
		return nil, err
	}
	removed, err := erase(ctx, tx, newTerms(tx.Tenant()), append(roots, customers...))
	return map[string]int64{"customer_search": removed}, err
}
