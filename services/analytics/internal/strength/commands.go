package strength

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Kind is the kind of the runs.
const Kind = "strength"

// Strengths is what can be done with both figures.
type Strengths struct {
	db    *pg.DB
	runs  *run.Runs
	clock func() time.Time

	chunk int // customers of one step
}

// New makes the capability.
func New(db *pg.DB, runs *run.Runs, clock func() time.Time) *Strengths {
	return &Strengths{db: db, runs: runs, clock: clock, chunk: 5000}
}

// Set makes a new version of the settings. Runs that begin from now on reckon by it.
func (t *Strengths) Set(ctx context.Context, s Settings, ifMatch string) (Settings, error) {
	if err := s.check(); err != nil {
		return Settings{}, err
	}
	caller, _ := auth.From(ctx)
	s.By, s.ChangedAt = caller.Subject, t.clock().UTC().Truncate(time.Microsecond)
	content, err := json.Marshal(s)
	if err != nil {
		return Settings{}, err
	}
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('strength ' || $1, 0))`, tx.Tenant())
		was, err := load(ctx, tx, -1)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		s.Version = was.Version + 1
		tx.Queue(`INSERT INTO strength_settings (tenant_id, version, content, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5)`,
			tx.Tenant(), s.Version, content, s.By, s.ChangedAt)
		return pg.Result{Status: http.StatusOK}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return t.Settings(ctx)
	}
	return s, err
}

// Ask has both figures of everybody reckoned behind the scenes. One at a time: Conflict run_open.
func (t *Strengths) Ask(ctx context.Context) (Running, error) {
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		asked, err := t.runs.Ask(ctx, tx, Kind, run.Today(t.clock))
		if err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: asked.ID, Status: http.StatusAccepted}, prepare(ctx, tx, asked)
	})
	if err != nil {
		return Running{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return t.Running(ctx, result.ID)
}

func prepare(ctx context.Context, tx *pg.Tx, of run.Run) error {
	s, err := load(ctx, tx, -1)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO strength_run (tenant_id, run_id, settings_version) VALUES ($1, $2, $3)`, tx.Tenant(), of.ID, s.Version)
	return nil
}

// Daily asks for the run of the day of every tenant.
func (t *Strengths) Daily(ctx context.Context) error {
	return t.runs.EachDay(ctx, Kind, func(ctx context.Context, tx *pg.Tx, day run.Run) (bool, error) { return true, prepare(ctx, tx, day) })
}

// Background does what waits, of all tenants.
func (t *Strengths) Background(ctx context.Context) error { return t.runs.Work(ctx, Kind, t.step) }

// step gives the next portraits both figures.
func (t *Strengths) step(ctx context.Context, tx *pg.Tx, of run.Run) (done bool, err error) {
	all, err := reckonings(ctx, tx, []uuid.UUID{of.ID})
	if err != nil {
		return false, err
	}
	own := all[of.ID]
	s, err := load(ctx, tx, own.Settings)
	if err != nil {
		return false, err
	}
	at, err := fact.AsOf(ctx, tx)
	if err != nil {
		return false, err
	}
	rows, err := tx.Query(ctx, `SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id LIMIT $3 FOR UPDATE`, tx.Tenant(), own.After, t.chunk)
	if err != nil {
		return false, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return false, err
	}
	if own.After == uuid.Nil {
		tx.Queue(`UPDATE strength_run SET facts_as_of = $3 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), of.ID, pg.OrNull(at))
	}
	if len(ids) == 0 {
		return true, nil
	}
	customers, err := read(ctx, tx, s, ids, of.AsOf)
	if err != nil {
		return false, err
	}
	strengths, loyalties := make([]*float64, len(ids)), make([]*float64, len(ids))
	for i, c := range customers {
		strength, loyalty := s.Reckon(c.Known)
		strengths[i], loyalties[i] = strength.Value, loyalty.Value
	}
	tag, err := tx.ExecNow(ctx, `UPDATE portrait p SET strength = n.strength, loyalty_index = n.loyalty
		FROM unnest($2::uuid[], $3::real[], $4::real[]) AS n(customer_id, strength, loyalty)
		WHERE p.tenant_id = $1 AND p.customer_id = n.customer_id AND (p.strength, p.loyalty_index) IS DISTINCT FROM (n.strength, n.loyalty)`,
		tx.Tenant(), ids, strengths, loyalties)
	if err != nil {
		return false, err
	}
	tx.Queue(`UPDATE strength_run SET after_customer = $3, customers = customers + $4, with_strength = with_strength + $5, with_loyalty = with_loyalty + $6, changed = changed + $7
		WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), of.ID, ids[len(ids)-1], len(ids), there(strengths), there(loyalties), tag.RowsAffected())
	return false, nil
}

func there(values []*float64) (n int) {
	for _, v := range values {
		if v != nil {
			n++
		}
	}
	return n
}
