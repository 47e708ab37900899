package customerexport

import (
	"context"

	"github.com/google/uuid"
)

// WriteBatch writes one batch, as a worker does, and tells whether nobody is left.
func (e *Exports) WriteBatch(ctx context.Context, id uuid.UUID) (complete bool, err error) {
	_, complete, err = e.batch(ctx, id)
	return complete, err
}

// End ends the export as its workflow does.
func (e *Exports) End(ctx context.Context, id uuid.UUID, s State) (State, error) {
	p, err := e.finish(ctx, input{ID: id}, ending{State: s})
	return p.State, err
}
