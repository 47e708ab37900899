package customer

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// HoldActive is Hold for whoever hangs something new on the customer: an archived one is the Conflict customer_archived.
func HoldActive(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ref, error) {
	ref, err := Hold(ctx, tx, id)
	if err == nil && ref.State == Archived {
		err = problem.New(problem.Conflict, "customer_archived", "Customer %s is archived. Take it out of the archive first.", ref.Root)
	}
	return ref, err
}
