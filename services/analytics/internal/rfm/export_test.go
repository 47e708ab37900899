package rfm

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Chunks has runs read and write so many customers at once.
func (r *Ratings) Chunks(read, write int) { r.readChunk, r.writeChunk = read, write }

// ErrKilled is what BackgroundKilled ends with.
var ErrKilled = errors.New("killed")

// BackgroundKilled is Background of a process that dies in the middle of its step number n, counted from 0.
func (r *Ratings) BackgroundKilled(ctx context.Context, n int) error {
	return r.runs.Work(ctx, Kind, func(ctx context.Context, tx *pg.Tx, of run.Run) (bool, error) {
		done, err := r.step(ctx, tx, of)
		if n--; n < 0 && err == nil {
			err = ErrKilled
		}
		return done, err
	})
}

// Abreast does two things as the two chunks of a step.
func (r *Ratings) Abreast(ctx context.Context, tenant string, first, second func(context.Context, *pg.Tx) error) error {
	a, b := uuid.UUID{1}, uuid.UUID{2}
	return r.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		_, err := r.abreast(ctx, tx, []chunk{{last: a}, {after: a, last: b}}, func(ctx context.Context, tx *pg.Tx, c chunk) (int64, error) {
			if c.last == a {
				return 0, first(ctx, tx)
			}
			return 0, second(ctx, tx)
		})
		return err
	})
}
