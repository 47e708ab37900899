package churn

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Churn is what can be done about customers who go.
type Churn struct {
	db, ops *pg.DB // ops looks over all tenants
	outbox  *outbox.Outbox
	clock   func() time.Time
	meaning Meaning
}

// New makes the capability. Meaning says what segments are that a tree is to explain.
func New(db, ops *pg.DB, o *outbox.Outbox, clock func() time.Time, meaning Meaning) *Churn {
	return &Churn{db: db, ops: ops, outbox: o, clock: clock, meaning: meaning}
}

func (c *Churn) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }

// today is the day in UTC.
func today(now time.Time) time.Time { return now.UTC().Truncate(24 * time.Hour) }

// Set sets the tenant's settings. Models keep the definition that they were fitted by; thresholds hold from the next run on.
func (c *Churn) Set(ctx context.Context, s Settings, ifMatch string) (Settings, error) {
	if faults := s.Check(); len(faults) > 0 {
		p := problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.")
		p.Fields = faults
		return Settings{}, p
	}
	caller, _ := auth.From(ctx)
	_, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('churn_setting' || chr(31) || $1::text, 0))`, tx.Tenant())
		was, err := settings(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		s.Version, s.ChangedBy, s.ChangedAt = was.Version+1, caller.Subject, c.now()
		queueSettings(tx, s)
		return pg.Result{}, nil
	})
	return s, err
}

// AskRun has everybody scored anew, behind the scenes. Conflict churn_run_going while another run is not done, and
// churn_model_missing where no model is in use.
func (c *Churn) AskRun(ctx context.Context) (Run, error) {
	var made Run
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		m, _, ok, err := load(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if !ok {
			return pg.Result{}, problem.New(problem.Conflict, "churn_model_missing", "No model of churn is in use. Fit one to facts and put it to use.")
		}
		made = c.run(ctx, m.ID)
		going, err := insertRun(ctx, tx, made)
		if err == nil && going {
			err = problem.New(problem.Conflict, "churn_run_going", "Customers are being scored already. Wait until that is done.")
		}
		return pg.Result{ID: made.ID, Status: http.StatusAccepted}, err
	})
	if err != nil || !result.Replayed {
		return made, err
	}
	httpx.MarkReplayed(ctx)
	return c.Run(ctx, result.ID)
}

// run is a run that begins now.
func (c *Churn) run(ctx context.Context, model uuid.UUID) Run {
	caller, _ := auth.From(ctx)
	now := c.now()
	return Run{ID: uuid.Must(uuid.NewV7()), State: Queued, Model: model, AsOf: today(now), AskedBy: caller.Subject, AskedAt: now}
}
