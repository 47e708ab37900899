package journey

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Journey is what can be asked of the ways that customers go.
type Journey struct {
	db    *pg.DB
	runs  *run.Runs
	clock func() time.Time
	size  int // rows of a table that one step of a run looks at, about
}

// New makes the capability.
func New(db *pg.DB, runs *run.Runs, clock func() time.Time) *Journey {
	return &Journey{db: db, runs: runs, clock: clock, size: 40_000}
}

func (j *Journey) now() time.Time { return j.clock().UTC().Truncate(time.Microsecond) }

// SetMapping says what counts as which stage from now on; ifMatch names the version that is replaced. A run of the funnel by the
// new rules is asked for with it.
func (j *Journey) SetMapping(ctx context.Context, ifMatch string, rules []Rule) (Mapping, error) {
	who, _ := auth.From(ctx)
	next := Mapping{Rules: rules, ChangedBy: who.Subject, ChangedAt: j.now()}
	if faults := next.Check(); len(faults) > 0 {
		return next, problem.InvalidBody("validation_failed", "Some of the rules are not valid; errors says which.", faults)
	}
	_, err := j.db.Command(ctx, who.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		was, err := loadMapping(ctx, tx, true)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		next.Version = was.Version + 1
		if err := saveMapping(tx, next); err != nil {
			return pg.Result{}, err
		}
		return pg.Result{Status: http.StatusOK}, j.askAgain(ctx, tx)
	})
	return next, err
}

// askAgain asks for a run of the funnel. One that waits or is under way will do: it begins again when it sees other rules.
func (j *Journey) askAgain(ctx context.Context, tx *pg.Tx) error {
	_, err := j.runs.Ask(ctx, tx, KindFunnel, run.Today(j.clock))
	if errors.Is(err, problem.New(problem.Conflict, "run_open", "")) {
		return nil
	}
	return err
}

// Ask asks for a run of cohorts or of the funnel, as of today.
func (j *Journey) Ask(ctx context.Context, kind string) (made run.Run, err error) {
	tenant := auth.Tenant(ctx)
	result, err := j.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		made, err = j.runs.Ask(ctx, tx, kind, run.Today(j.clock))
		return pg.Result{ID: made.ID, Status: http.StatusAccepted}, err
	})
	if err != nil || !result.Replayed {
		return made, err
	}
	httpx.MarkReplayed(ctx)
	return j.Run(ctx, result.ID)
}

// Run reads a run of either kind.
func (j *Journey) Run(ctx context.Context, id uuid.UUID) (found run.Run, err error) {
	err = j.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if found, err = run.Find(ctx, tx, KindCohorts, id); problem.KindOf(err) == problem.NotFound {
			found, err = run.Find(ctx, tx, KindFunnel, id)
		}
		return err
	})
	return found, err
}

// Daily asks for the runs of the day of every tenant.
func (j *Journey) Daily(ctx context.Context) error {
	return errors.Join(j.runs.EachDay(ctx, KindCohorts, nil), j.runs.EachDay(ctx, KindFunnel, nil))
}

// Background works off what waits.
func (j *Journey) Background(ctx context.Context) error {
	return errors.Join(j.runs.Work(ctx, KindCohorts, j.step), j.runs.Work(ctx, KindFunnel, j.step))
}
