package strength

import (
	"context"
	"errors"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Chunk has a step take so many customers.
func (t *Strengths) Chunk(n int) { t.chunk = n }

// Check is check.
func (s *StrengthSettings) Check() error { return s.check() }

// ErrKilled is what BackgroundKilled ends with.
var ErrKilled = errors.New("killed")

// BackgroundKilled is Background of a process that dies in the middle of its step number n, counted from 0.
func (t *Strengths) BackgroundKilled(ctx context.Context, n int) error {
	return t.runs.Work(ctx, Kind, func(ctx context.Context, tx *pg.Tx, of run.Run) (bool, error) {
		done, err := t.step(ctx, tx, of)
		if n--; n < 0 && err == nil {
			err = ErrKilled
		}
		return done, err
	})
}
