package imports

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pace"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
)

// When an open import counts as left behind: since its last change, by state.
const (
	sweepEvery     = 2 * time.Second
	sweepAtOnce    = 100
	uploadSilence  = 15 * time.Minute // the upload was broken off and its process killed
	acceptSilence  = 2 * time.Second  // the process died between the commit and the start, or Temporal was away
	runningSilence = 5 * time.Minute  // the workflow was terminated by hand
)

// keepRejections is how long rejected rows, which may be personal data, can be looked at after the import ended.
const keepRejections = 30 * 24 * time.Hour

// Run sweeps every 2 s until ctx ends. It may run in any number of processes.
func (i *Imports) Run(ctx context.Context) error {
	tick := pace.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			// A database or Temporal that is away is reported by those parts; the next sweep tries again.
			if err := i.Sweep(ctx); err != nil && !pg.Transient(err) && problem.KindOf(err) != problem.Unavailable {
				i.flow.Log().ErrorContext(ctx, "sweep of imports", "kind", i.kind.Name, "error", err)
			}
		}
	}
}

// due names an import of some tenant.
type due struct {
	tenant string
	id     uuid.UUID
}

// Sweep looks once over the imports of all tenants: it starts the workflows of those that have none, forgets uploads
// that were broken off, clears away the files of those that have ended, and the rejected rows of those that ended 30
// days ago. The workflow's id and the state in the database make it harmless to do so twice.
func (i *Imports) Sweep(ctx context.Context) error {
	now := i.clock()
	open, err := i.scan(ctx, `SELECT tenant_id, id FROM import_due($1, $2, $3, $4, $5)`, i.kind.Name,
		now.Add(-uploadSilence), now.Add(-acceptSilence), now.Add(-runningSilence), sweepAtOnce)
	if err != nil {
		return fmt.Errorf("sweep of imports: %w", err)
	}
	expired, err := i.scan(ctx, `SELECT tenant_id, id FROM import_expired($1, $2, $3)`, i.kind.Name,
		now.Add(-keepRejections), sweepAtOnce)
	if err != nil {
		return fmt.Errorf("sweep of imports: %w", err)
	}
	var errs []error
	for _, d := range open {
		if err := i.attend(ctx, d.tenant, d.id); err != nil {
			errs = append(errs, fmt.Errorf("import %s: %w", d.id, err))
		}
	}
	for _, d := range expired {
		if err := i.expire(ctx, d.tenant, d.id); err != nil {
			errs = append(errs, fmt.Errorf("import %s: %w", d.id, err))
		}
	}
	return errors.Join(errs...)
}

// scan gives what one of the functions that look over all tenants lists.
func (i *Imports) scan(ctx context.Context, sql string, args ...any) (all []due, err error) {
	err = i.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) {
			return d, row.Scan(&d.tenant, &d.id)
		})
		return err
	})
	return all, err
}

// expire deletes the rejected rows of an import; how many there were stays.
func (i *Imports) expire(ctx context.Context, tenant string, id uuid.UUID) error {
	return i.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		tx.Queue(`DELETE FROM import_rejection WHERE tenant_id = $1 AND import_id = $2`, tenant, id)
		tx.Queue(`UPDATE import_job SET rejections = 0 WHERE tenant_id = $1 AND id = $2`, tenant, id)
		return nil
	})
}

// attend does what an import that was left behind needs.
func (i *Imports) attend(ctx context.Context, tenant string, id uuid.UUID) error {
	var s stored
	err := i.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
		s, err = i.load(ctx, tx, id, false)
		return err
	})
	switch {
	case problem.KindOf(err) == problem.NotFound:
		return nil
	case err != nil:
		return err
	case s.State == Uploading:
		return i.discard(ctx, tenant, id)
	case s.ended():
		return i.prune(ctx, tenant, id)
	}
	if err := i.start(ctx, &s); err != nil {
		return err
	}
	return i.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		tx.Queue(`UPDATE import_job SET updated_at = $3 WHERE tenant_id = $1 AND id = $2
			AND state IN ('accepted', 'running')`, tenant, id, i.clock())
		return nil
	})
}

// start starts the import's workflow as the one who uploaded the file, in the trace of the upload.
func (i *Imports) start(ctx context.Context, s *stored) error {
	ctx = telemetry.Extract(auth.With(ctx, s.Actor), s.Trace)
	_, err := i.flow.Start(ctx, flow.Start{
		ID:       fmt.Sprintf("import/%s/%s", s.Tenant, s.ID),
		Queue:    i.service,
		Workflow: workflowName(i.kind.Name),
		Args:     []any{input{Kind: i.kind.Name, ID: s.ID}},
		Again:    true,
	})
	return err
}
