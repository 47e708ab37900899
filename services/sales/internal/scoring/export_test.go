package scoring

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// InChunks has rebuilds count n outcomes at once.
func (s *Scoring) InChunks(n int) *Scoring {
	s.chunk = n
	return s
}

// RebuildStep does one step of a rebuild.
func (s *Scoring) RebuildStep(ctx context.Context, tx *pg.Tx, id uuid.UUID) (more bool, err error) {
	return s.rebuildStep(ctx, tx, id)
}
