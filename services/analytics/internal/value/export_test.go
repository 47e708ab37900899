package value

import (
	"context"
	"errors"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Chunks sets how many customers a step takes.
func (v *Values) Chunks(n int) { v.chunk = n }

var errKilled = errors.New("killed")

// BackgroundKilled is Background that breaks off after n steps of a run, with the last of them undone.
func (v *Values) BackgroundKilled(ctx context.Context, n int) error {
	steps := 0
	if err := v.Daily(ctx); err != nil {
		return err
	}
	return v.runs.Work(ctx, Kind, func(ctx context.Context, tx *pg.Tx, of run.Run) (bool, error) {
		done, err := v.step(ctx, tx, of)
		if steps++; err == nil && steps > n {
			return false, errKilled
		}
		return done, err
	})
}
