package grade

import (
	"context"
	"errors"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Chunks has runs read and write so many customers at once.
func (p *Pyramid) Chunks(read, write int) { p.readChunk, p.writeChunk = read, write }

// Check is check.
func (s *Scheme) Check() error { return s.check() }

// ErrKilled is what BackgroundKilled ends with.
var ErrKilled = errors.New("killed")

// BackgroundKilled is Background of a process that dies in the middle of its step number n, counted from 0.
func (p *Pyramid) BackgroundKilled(ctx context.Context, n int) error {
	return p.runs.Work(ctx, Kind, func(ctx context.Context, tx *pg.Tx, of run.Run) (bool, error) {
		done, err := p.step(ctx, tx, of)
		if n--; n < 0 && err == nil {
			err = ErrKilled
		}
		return done, err
	})
}
