package grade

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Pyramid is what can be done with grades.
type Pyramid struct {
	db     *pg.DB
	outbox *outbox.Outbox
	runs   *run.Runs
	clock  func() time.Time

	readChunk, writeChunk int // customers that are read, and portraits that are written, at once
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, runs *run.Runs, clock func() time.Time) *Pyramid {
	return &Pyramid{db: db, outbox: o, runs: runs, clock: clock, readChunk: 500_000, writeChunk: 5000}
}

func (p *Pyramid) now() time.Time { return p.clock().UTC().Truncate(time.Microsecond) }

// SetScheme makes a new version of the scheme. Runs from now on grade by it.
func (p *Pyramid) SetScheme(ctx context.Context, s Scheme, ifMatch string) (Scheme, error) {
	if err := s.check(); err != nil {
		return Scheme{}, err
	}
	caller, _ := auth.From(ctx)
	s.By, s.ChangedAt = caller.Subject, p.now()
	_, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		queueLock(tx)
		was, _, err := loadScheme(ctx, tx, -1)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		s.Version = was.Version + 1
		return pg.Result{}, saveDefinition(tx, schemeName, s.Version, s, s.By, s.ChangedAt)
	})
	return s, err
}

// SetPotential makes a new version of the matrix of current and potential value, of all four cells.
func (p *Pyramid) SetPotential(ctx context.Context, v Potential, cells []Cell, ifMatch string) (Potential, error) {
	if err := v.check(cells); err != nil {
		return Potential{}, err
	}
	caller, _ := auth.From(ctx)
	v.By, v.ChangedAt = caller.Subject, p.now()
	_, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		queueLock(tx)
		was, err := loadPotential(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		v.Version = was.Version + 1
		return pg.Result{}, saveDefinition(tx, potentialName, v.Version, v, v.By, v.ChangedAt)
	})
	return v, err
}

// queueLock has those who change definitions of a tenant do so one after the other.
func queueLock(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('grade ' || $1, 0))`, tx.Tenant())
}

// Ask has everybody graded behind the scenes, as of a day; zero is today. Grades of today are those that portraits have from then
// on; of a past day only the result is kept. One at a time: Conflict run_open.
func (p *Pyramid) Ask(ctx context.Context, asOf time.Time) (Running, error) {
	today := run.Today(p.clock)
	if asOf.IsZero() {
		asOf = today
	}
	if asOf.After(today) {
		return Running{}, problem.InvalidBody("run_invalid", "Nothing was begun: mend the field named here.",
			[]problem.Field{{Location: "as_of", Code: "in_future", Message: "must not be in the future"}})
	}
	result, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		currency, err := portrait.Currency(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if currency == "" {
			return pg.Result{}, problem.New(problem.Unprocessable, "not_enough_data", "There is no order yet, and so no reporting currency.")
		}
		asked, err := p.runs.Ask(ctx, tx, Kind, asOf)
		if err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: asked.ID, Status: http.StatusAccepted}, p.prepareRun(ctx, tx, asked, currency)
	})
	if err != nil {
		return Running{}, err
	}
	return p.Running(ctx, result.ID)
}

// Daily has every tenant graded once a day.
func (p *Pyramid) Daily(ctx context.Context) error {
	return p.runs.EachDay(ctx, Kind, func(ctx context.Context, tx *pg.Tx, day run.Run) (bool, error) {
		currency, err := portrait.Currency(ctx, tx)
		if err != nil || currency == "" {
			return false, err // nothing was bought yet
		}
		return true, p.prepareRun(ctx, tx, day, currency)
	})
}

func (p *Pyramid) prepareRun(ctx context.Context, tx *pg.Tx, of run.Run, currency string) error {
	s, _, err := loadScheme(ctx, tx, -1)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO grade_run (tenant_id, run_id, as_of, currency, scheme_version, portraits) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), of.ID, of.AsOf, currency, s.Version, of.AsOf.Equal(run.Today(p.clock)))
	return nil
}

// Running is a run with what it found so far.
type Running struct {
	run.Run
	Currency   string
	Scheme     int64 // version
	Portraits  bool
	Phase      string
	Customers  int64
	Changed    int64
	FactsAsOf  time.Time
	ReckonedAt time.Time
	Kept       bool
}

func show(of run.Run, r reckoning) Running {
	return Running{
		Run: of, Currency: r.Currency, Scheme: r.Scheme, Portraits: r.Portraits, Phase: r.Phase, Customers: r.Customers, Changed: r.Changed,
		FactsAsOf: r.FactsAsOf, ReckonedAt: r.Reckoned, Kept: r.Kept,
	}
}

// Running gives how far a run is.
func (p *Pyramid) Running(ctx context.Context, id uuid.UUID) (all Running, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		of, err := run.Find(ctx, tx, Kind, id)
		if err != nil {
			return err
		}
		own, _, err := loadReckoning(ctx, tx, `run_id = $2`, id)
		all = show(of, own)
		return err
	})
	return all, err
}

// Runs gives runs, the newest first.
func (p *Pyramid) Runs(ctx context.Context, before uuid.UUID, limit int) (all []Running, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err = run.ListWith(ctx, tx, Kind, before, limit, reckonings, show)
		return err
	})
	return all, err
}

// reckonings gives what runs found so far, by their ids.
func reckonings(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (map[uuid.UUID]reckoning, error) {
	rows, err := tx.Query(ctx, `SELECT `+reckoningColumns+` FROM grade_run WHERE tenant_id = $1 AND run_id = ANY ($2)`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	all := make(map[uuid.UUID]reckoning, len(ids))
	own, err := pgx.CollectRows(rows, scanReckoning)
	for _, one := range own {
		all[one.ID] = one
	}
	return all, err
}
