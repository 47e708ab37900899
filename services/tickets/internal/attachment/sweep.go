package attachment

import (
	"context"
	"errors"
	"time"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

const (
	// patience is how long a file may take to arrive: longer than a request may last. What is older is of a process that was
	// killed.
	patience = 2 * time.Hour
	// atOnce is how many files a turn of the sweep looks at.
	atOnce = 200
)

// Sweep deletes the blobs of files that are to go, and then their rows: wherever it is killed, the row still says what is to be
// done. One that the store refuses does not keep the others waiting.
func (a *Attachments) Sweep(ctx context.Context) error {
	found, err := toSweep(ctx, a.db, a.now().Add(-patience), atOnce)
	if err != nil {
		return err
	}
	var failed error
	for _, f := range found {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = errors.Join(failed, a.sweep(ctx, f))
	}
	return failed
}

func (a *Attachments) sweep(ctx context.Context, f swept) error {
	err := a.db.Tx(ctx, f.tenant, func(tx *pg.Tx) error { // so that it cannot be kept any more
		doom(tx, f.id, "arriving")
		return nil
	})
	if err != nil {
		return err
	}
	if err := a.blobs.Delete(ctx, key(f.tenant, f.id)); err != nil {
		return err
	}
	return a.db.Tx(ctx, f.tenant, func(tx *pg.Tx) error {
		tx.Queue(`DELETE FROM attachment WHERE tenant_id = $1 AND id = $2 AND state = 'doomed'`, f.tenant, f.id)
		return nil
	})
}
