package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pace"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// maxRuns is how often a rebuild is begun again after the process that ran it died.
const maxRuns = 20

// RebuildJob is a rebuild that was asked for.
type RebuildJob struct {
	ID          uuid.UUID      `json:"id"`
	State       string         `json:"state" enum:"requested,running,done,failed"`
	Phase       string         `json:"phase,omitempty"`
	Events      int64          `json:"events" doc:"Messages replayed so far."`
	Total       int64          `json:"total" doc:"Messages there are to replay, as far as is known; it grows while producers go on."`
	Runs        int            `json:"runs" doc:"More than one: the process that ran it died, and it began again."`
	RequestedBy string         `json:"requested_by"`
	RequestedAt time.Time      `json:"requested_at"`
	StartedAt   *time.Time     `json:"started_at,omitempty"`
	FinishedAt  *time.Time     `json:"finished_at,omitempty"`
	Result      *RebuildResult `json:"result,omitempty"`
	Error       string         `json:"error,omitempty"`
}

// RequestRebuild asks for a rebuild, which a process that runs [Rebuilder.Run] begins within a second. While one is
// asked for or running, it is a Conflict that names it. db is of the app role.
func RequestRebuild(ctx context.Context, db *pg.DB, tenant, actor string) (pg.Result, error) {
	return db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		id, err := uuid.NewV7()
		if err != nil {
			return pg.Result{}, err
		}
		tx.Queue(`SELECT pg_advisory_xact_lock($1)`, rebuildLock+1)
		var running string
		err = tx.QueryRow(ctx, `SELECT id::text FROM public.inbox_rebuild WHERE state IN ('requested', 'running') LIMIT 1`).Scan(&running)
		if err == nil {
			return pg.Result{}, problem.New(problem.Conflict, errRebuilding.Code, "Rebuild %s is under way. Wait until it is done.", running)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return pg.Result{}, err
		}
		tx.Queue(`INSERT INTO public.inbox_rebuild (id, state, requested_by) VALUES ($1::uuid, 'requested', $2)`, id.String(), actor)
		return pg.Result{ID: id, Status: http.StatusAccepted}, nil
	})
}

// FindRebuild gives a rebuild that was asked for.
func FindRebuild(ctx context.Context, db *pg.DB, id uuid.UUID) (RebuildJob, error) {
	j := RebuildJob{ID: id}
	err := db.System(ctx, func(tx *pg.Tx) error {
		var result []byte
		err := tx.QueryRow(ctx, `SELECT state, phase, events, total, runs, requested_by, requested_at, started_at, finished_at, result, error
			FROM public.inbox_rebuild WHERE id = $1::uuid`, id.String()).
			Scan(&j.State, &j.Phase, &j.Events, &j.Total, &j.Runs, &j.RequestedBy, &j.RequestedAt, &j.StartedAt, &j.FinishedAt, &result, &j.Error)
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.New(problem.NotFound, "rebuild_not_found", "No such rebuild.")
		}
		if err != nil || result == nil {
			return err
		}
		return json.Unmarshal(result, &j.Result)
	})
	return j, err
}

// Run carries out the rebuilds that are asked for, one after the other over all processes, until ctx ends. One whose
// process died is begun again.
func (r *Rebuilder) Run(ctx context.Context) error {
	ticker := pace.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if err := r.next(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, errRebuilding) {
			r.log.Warn("a rebuild waits", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// next carries out the rebuild that is due. One that fails for infrastructure is left to be begun again.
func (r *Rebuilder) next(ctx context.Context) error {
	var id string
	err := r.ops.DB.System(ctx, func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT id::text FROM public.inbox_rebuild WHERE state IN ('requested', 'running') LIMIT 1`).Scan(&id)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	begun := false
	progress := func(phase string, events, total int64) {
		// The first word comes when the lock is ours. One that is lost is made up for by the next.
		err := r.ops.DB.System(ctx, func(tx *pg.Tx) error {
			tx.Queue(`UPDATE public.inbox_rebuild SET state = 'running', phase = $2, events = $3::bigint, total = greatest($4::bigint, $3::bigint),
				started_at = coalesce(started_at, now()), runs = runs + $5::int WHERE id = $1::uuid AND state IN ('requested', 'running')`,
				id, phase, events, total, boolToInt(!begun))
			return nil
		})
		begun = begun || err == nil
		if err != nil {
			r.log.Warn("the progress of the rebuild is not noted", "error", err)
		}
	}
	_, err = r.run(ctx, progress, func(ctx context.Context, tx pgx.Tx, res RebuildResult) error {
		raw, err := json.Marshal(res)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE public.inbox_rebuild SET state = 'done', phase = 'done', events = $2, total = $2, finished_at = now(),
			result = $3 WHERE id = $1::uuid`, id, res.Events, raw)
		return err
	})
	if err == nil || errors.Is(err, errRebuilding) || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, r.giveUp(ctx, id, err))
}

// giveUp marks the rebuild as failed, unless it may do better the next time.
func (r *Rebuilder) giveUp(ctx context.Context, id string, cause error) error {
	limit := 0
	if Infrastructure(ctx, cause) || errors.Is(cause, errRestart) {
		limit = maxRuns
	}
	return r.ops.DB.System(ctx, func(tx *pg.Tx) error {
		tx.Queue(`UPDATE public.inbox_rebuild SET state = CASE WHEN runs >= $2 THEN 'failed' ELSE state END,
			finished_at = CASE WHEN runs >= $2 THEN now() END, error = $3 WHERE id = $1::uuid`, id, limit, storable(cause.Error()))
		return nil
	})
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

type jobOutput struct{ Body RebuildJob }

func (o Ops) rebuildRoutes(api *httpx.API, base string) {
	start := o.operation("rebuild-start", http.MethodPost, base+"/rebuilds", "Rebuild the projection from its topics",
		"It is filled beside the one in use, which goes on, and takes its place at the end. Look at the rebuild to follow it.")
	start.Status = http.StatusAccepted
	httpx.Register(api, start, func(ctx context.Context, _ *struct{}) (*jobOutput, error) {
		actor := actorOf(ctx)
		if err := platformOnly(actor); err != nil {
			return nil, err
		}
		made, err := RequestRebuild(ctx, o.DB, actor.Tenant, actor.Subject)
		if err != nil {
			return nil, err
		}
		if made.Replayed {
			httpx.MarkReplayed(ctx)
		}
		j, err := FindRebuild(ctx, o.DB, made.ID)
		return &jobOutput{j}, err
	})
	show := o.operation("rebuild-show", http.MethodGet, base+"/rebuilds/{id}", "How a rebuild stands, and what it came to", "")
	httpx.Register(api, show, func(ctx context.Context, in *parkedID) (*jobOutput, error) {
		if err := platformOnly(actorOf(ctx)); err != nil {
			return nil, err
		}
		j, err := FindRebuild(ctx, o.DB, in.ID)
		return &jobOutput{j}, err
	})
}
