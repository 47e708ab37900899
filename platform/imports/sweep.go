package imports

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
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

// Run sweeps every 2 s until ctx ends. It may run in any number of processes.
func (i *Imports) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
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

// Sweep looks once over the open imports of all tenants: it starts the workflows of those that have none, forgets
// uploads that were broken off, and clears away the files of those that have ended. The workflow's id and the state in the
// database make it harmless to do so twice.
func (i *Imports) Sweep(ctx context.Context) error {
	type due struct {
		tenant string
		id     uuid.UUID
	}
	var all []due
	now := i.clock()
	err := i.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, id FROM import_due($1, $2, $3, $4, $5)`, i.kind.Name,
			now.Add(-uploadSilence), now.Add(-acceptSilence), now.Add(-runningSilence), sweepAtOnce)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d due
			if err := rows.Scan(&d.tenant, &d.id); err != nil {
				return err
			}
			all = append(all, d)
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("sweep of imports: %w", err)
	}
	var errs []error
	for _, d := range all {
		if err := i.attend(ctx, d.tenant, d.id); err != nil {
			errs = append(errs, fmt.Errorf("import %s: %w", d.id, err))
		}
	}
	return errors.Join(errs...)
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
