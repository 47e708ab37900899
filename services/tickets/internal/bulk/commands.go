package bulk

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/macro"
)

// Bulk is what can be done with many tickets.
type Bulk struct {
	db     *pg.DB
	macros *macro.Macros
	log    *slog.Logger
}

// New makes the capability.
func New(db *pg.DB, macros *macro.Macros, log *slog.Logger) *Bulk {
	return &Bulk{db: db, macros: macros, log: log}
}

// Do does a task, ticket by ticket in the order in which they are named, and says what became of each. Sent again with the same
// Idempotency-Key it does what is left, and nothing twice, wherever it was broken off. It looks at no version: whoever names
// many tickets has not read each.
func (b *Bulk) Do(ctx context.Context, t Task) ([]Result, error) {
	t, faults := t.Clean()
	if len(faults) > 0 {
		return nil, problem.InvalidBody("bulk_invalid", "Nothing was done: mend the fields named here.", faults)
	}
	if t.MacroID != uuid.Nil {
		m, err := b.macros.Get(ctx, t.MacroID)
		if err != nil {
			return nil, err
		}
		if m.Archived {
			return nil, problem.New(problem.Conflict, "macro_archived", "The macro was archived: make another one.")
		}
		t.Actions = m.Actions
	}
	once, keyed := pg.OnceFrom(ctx)
	keyed = keyed && once.Key != ""
	if keyed { // the key is this task's from now on: with another body it is refused as a whole
		if _, err := b.db.Command(ctx, auth.Tenant(ctx), func(*pg.Tx) (pg.Result, error) { return pg.Result{Status: http.StatusOK}, nil }); err != nil {
			return nil, err
		}
	}
	results := make([]Result, 0, len(t.Tickets))
	for _, id := range t.Tickets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		mine := ctx
		if keyed {
			of := once
			of.Key += " " + id.String()
			mine = pg.WithOnce(ctx, of)
		}
		r := resultOf(id, b.one(mine, id, t))
		if r.Outcome == Failed {
			b.log.WarnContext(ctx, "a ticket of many was not acted on", "ticket", id, "code", r.Code)
		}
		results = append(results, r)
	}
	return results, nil
}

// one does the task for one ticket.
func (b *Bulk) one(ctx context.Context, id uuid.UUID, t Task) error {
	_, err := b.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		_, err := b.macros.Take(ctx, tx, id, t.Actions, t.Values, func(int64) error { return nil })
		return pg.Result{ID: id, Status: http.StatusOK}, err
	})
	return err
}
