package customer

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// State says what has become of a customer.
type State string

// The states.
const (
	Active   State = "active"
	Archived State = "archived"
	Absorbed State = "absorbed" // merged into another, for whom the id is an alias
	Erased   State = "erased"
)

// Ref is a customer as other rooms refer to it.
type Ref struct {
	ID      uuid.UUID   // as it was asked for: new rows that hang on the customer bear it, so that a merge can be undone
	Root    uuid.UUID   // the customer whom the id means now
	Aliases []uuid.UUID // the other ids that mean Root now, in no order
	State   State       // of Root
}

// Group gives all ids that mean the customer, the root first: what hangs on the customer bears one of them.
func (r Ref) Group() []uuid.UUID { return append([]uuid.UUID{r.Root}, r.Aliases...) }

// Is tells whether the id means the customer.
func (r Ref) Is(id uuid.UUID) bool { return id == r.Root || slices.Contains(r.Aliases, id) }

var (
	// errErased says that there is nobody any more.
	errErased   = problem.New(problem.Gone, "customer_erased", "The customer was erased: nothing is known, and nothing can be kept, of them.")
	errArchived = problem.New(problem.Conflict, "customer_archived", "The customer is archived: unarchive them before you change anything.")
	errBusy     = problem.New(problem.Unavailable, "customer_busy", "The customer is being merged at this moment. Try again.")
)

// Resolve says whom the id means. An id that nobody ever had in this tenant is NotFound, one of an erased customer Gone.
func Resolve(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ref, error) {
	refs, err := Refs(ctx, tx, id)
	return living(refs, id, err)
}

// refsSQL and holdSQL read and lock by whole keys.
const (
	refsSQL = `SELECT n.id, r.id, r.aliases, r.state FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = $1 AND id = n.id LIMIT 1) c ON true
		JOIN LATERAL (SELECT id, aliases, state FROM customer WHERE tenant_id = $1 AND id = c.root LIMIT 1) r ON true`
	holdSQL = `SELECT id FROM customer WHERE tenant_id = $1 AND id = ANY($2::uuid[] ||
				ARRAY(SELECT root_id FROM customer WHERE tenant_id = $1 AND id = ANY($2::uuid[]) AND root_id IS NOT NULL))
			ORDER BY id FOR `
)

// Refs says whom each of the ids means. Ids that nobody ever had in this tenant are left out; those of erased customers
// are there, with that state.
func Refs(ctx context.Context, tx *pg.Tx, ids ...uuid.UUID) (map[uuid.UUID]Ref, error) {
	rows, err := tx.Query(ctx, refsSQL, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	refs := make(map[uuid.UUID]Ref, len(ids))
	var r Ref
	_, err = pgx.ForEachRow(rows, []any{&r.ID, &r.Root, &r.Aliases, &r.State}, func() error {
		refs[r.ID] = Ref{ID: r.ID, Root: r.Root, Aliases: slices.Clone(r.Aliases), State: r.State}
		return nil
	})
	return refs, err
}

// Hold is Resolve, and keeps the customer as it is, neither merged nor erased, until the transaction ends. Holders do not
// keep each other waiting.
func Hold(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ref, error) {
	refs, err := hold(ctx, tx, "SHARE", id)
	return living(refs, id, err)
}

// HoldActive is Hold for whoever hangs something new on the customer: an archived one is the Conflict customer_archived.
func HoldActive(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ref, error) {
	ref, err := Hold(ctx, tx, id)
	if err == nil && ref.State == Archived {
		err = errArchived
	}
	return ref, err
}

// Lock is Refs, and keeps everybody else from changing or holding the customers until the transaction ends: the rows of
// the ids and of those whom they mean, in the order of all these ids.
func Lock(ctx context.Context, tx *pg.Tx, ids ...uuid.UUID) (map[uuid.UUID]Ref, error) {
	return hold(ctx, tx, "UPDATE", ids...)
}

// hold locks until what it locked is what the ids mean: while it waited another may have come to stand for them.
func hold(ctx context.Context, tx *pg.Tx, strength string, ids ...uuid.UUID) (map[uuid.UUID]Ref, error) {
	for range maxHolds {
		held := make(map[uuid.UUID]bool, 2*len(ids))
		tx.Queue(holdSQL+strength, tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
			var id uuid.UUID
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error { held[id] = true; return nil })
			return err
		})
		refs, err := Refs(ctx, tx, ids...)
		if err != nil {
			return nil, err
		}
		firm := true
		for _, r := range refs {
			firm = firm && held[r.Root] && held[r.ID]
		}
		if firm {
			return refs, nil
		}
	}
	return nil, errBusy
}

// maxHolds bounds how often hold begins anew.
const maxHolds = 5

// living gives the one who is asked for, if there is and still is such a customer.
func living(refs map[uuid.UUID]Ref, id uuid.UUID, err error) (Ref, error) {
	ref, known := refs[id]
	switch {
	case err != nil:
		return Ref{}, err
	case !known:
		return Ref{}, errNotFound
	case ref.State == Erased:
		return Ref{}, errErased
	}
	return ref, nil
}
