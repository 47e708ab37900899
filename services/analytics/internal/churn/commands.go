package churn

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Churn is what can be done about customers who go.
type Churn struct {
	db, ops *pg.DB // ops looks over all tenants
	outbox  *outbox.Outbox
	runs    *run.Runs
	clock   func() time.Time
	meaning Meaning
}

// New makes the capability. Meaning says what segments are that a tree is to explain.
func New(db, ops *pg.DB, o *outbox.Outbox, runs *run.Runs, clock func() time.Time, meaning Meaning) *Churn {
	return &Churn{db: db, ops: ops, outbox: o, runs: runs, clock: clock, meaning: meaning}
}

func (c *Churn) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }

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

// Ask has everybody scored anew, behind the scenes. Conflict churn_model_missing where no model is in use, and run_open while a run
// that was asked for is not done.
func (c *Churn) Ask(ctx context.Context) (made run.Run, err error) {
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		_, ok, err := model.InUse(ctx, tx, Kind)
		if err == nil && !ok {
			err = problem.New(problem.Conflict, "churn_model_missing", "No model of churn is in use. Fit one to facts and put it to use.")
		}
		if err != nil {
			return pg.Result{}, err
		}
		made, err = c.runs.Ask(ctx, tx, Kind, run.Today(c.clock))
		return pg.Result{ID: made.ID, Status: http.StatusAccepted}, err
	})
	if err != nil || !result.Replayed {
		return made, err
	}
	httpx.MarkReplayed(ctx)
	p, err := c.Run(ctx, result.ID)
	return p.Run, err
}

// used has everybody scored by a model that comes into use: by the run of the day, or by another one where that was before.
func (c *Churn) used(ctx context.Context, tx *pg.Tx, m model.Model) error {
	if m.Source != model.FromFacts {
		return problem.New(problem.Conflict, "model_of_table",
			"The model was fitted to a table, whose columns are not known of customers. Only one that was fitted to facts can be put to use.")
	}
	today := run.Today(c.clock)
	_, ok, err := c.runs.Daily(ctx, tx, Kind, today)
	if err != nil || ok {
		return err
	}
	_, err = c.runs.Ask(ctx, tx, Kind, today)
	if errors.Is(err, problem.New(problem.Conflict, "run_open", "")) {
		return nil // it goes by the model that is in use when it gets to a customer, and begins anew when that is another one
	}
	return err
}
