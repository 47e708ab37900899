package customer

import (
	"context"
	"errors"
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

// errErased says that there is nobody any more.
var errErased = problem.New(problem.Gone, "customer_erased", "The customer was erased: nothing is known, and nothing can be kept, of them.")

// Resolve says whom the id means. An id that nobody ever had in this tenant is NotFound, one of an erased customer Gone.
func Resolve(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ref, error) {
	return resolve(ctx, tx, id, ``)
}

// Hold is Resolve, and keeps the customer as it is, neither merged nor erased, until the transaction ends. Holders do not
// keep each other waiting.
func Hold(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ref, error) {
	return resolve(ctx, tx, id, ` FOR SHARE`)
}

func resolve(ctx context.Context, tx *pg.Tx, id uuid.UUID, locking string) (Ref, error) {
	if locking != "" { // what is read below is what the last merge left
		tx.Queue(`SELECT 1 FROM customer WHERE tenant_id = $1 AND id IN ($2, (SELECT root_id FROM customer WHERE tenant_id = $1 AND id = $2))
			ORDER BY id`+locking, tx.Tenant(), id)
	}
	ref := Ref{ID: id}
	err := tx.QueryRow(ctx, `SELECT r.id, r.aliases, r.state FROM customer c
		JOIN customer r ON r.tenant_id = c.tenant_id AND r.id = coalesce(c.root_id, c.id)
		WHERE c.tenant_id = $1 AND c.id = $2`, tx.Tenant(), id).Scan(&ref.Root, &ref.Aliases, &ref.State)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Ref{}, errNotFound
	case err != nil:
		return Ref{}, err
	case ref.State == Erased:
		return Ref{}, errErased
	}
	return ref, nil
}
