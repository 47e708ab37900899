package rfm

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

// Ratings is what can be done with ratings: schemes, maps of cells, and runs that give portraits their scores.
type Ratings struct {
	*Queries
	outbox *outbox.Outbox
	runs   *run.Runs

	readChunk, writeChunk int // customers that are read, and portraits that are written, at once
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, runs *run.Runs, clock func() time.Time) *Ratings {
	return &Ratings{Queries: NewQueries(db, clock), outbox: o, runs: runs, readChunk: 500_000, writeChunk: 20_000}
}

func (r *Ratings) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

// SetCells makes a new version of the tenant's map of cells, of all 25 pairs. Runs from now on name by it.
func (r *Ratings) SetCells(ctx context.Context, pairs []Pair, ifMatch string) (CellMap, error) {
	names, err := namesOf(pairs)
	if err != nil {
		return CellMap{}, err
	}
	caller, _ := auth.From(ctx)
	m := CellMap{Names: names, By: caller.Subject, ChangedAt: r.now()}
	_, err = r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		queueLock(tx)
		was, _, err := loadCells(ctx, tx, 0)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		m.Version = was.Version + 1
		tx.Queue(`INSERT INTO rfm_cell_map (tenant_id, version, cells, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5)`,
			tx.Tenant(), m.Version, m.Names[:], m.By, m.ChangedAt)
		return pg.Result{}, nil
	})
	return m, err
}

// SetScheme makes a new version of the scheme of a currency. Runs from now on rate by it.
func (r *Ratings) SetScheme(ctx context.Context, s Scheme, ifMatch string) (Scheme, error) {
	if err := s.check(); err != nil {
		return Scheme{}, err
	}
	caller, _ := auth.From(ctx)
	s.By, s.ChangedAt = caller.Subject, r.now()
	_, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		queueLock(tx)
		was, _, err := loadScheme(ctx, tx, s.Currency, 0)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		s.Version = was.Version + 1
		tx.Queue(`INSERT INTO rfm_scheme (tenant_id, currency, version, window_days, r_bounds, f_bounds, m_bounds, by_subject, changed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, tx.Tenant(), s.Currency, s.Version, s.WindowDays, s.R, s.F, s.M, s.By, s.ChangedAt)
		return pg.Result{}, nil
	})
	return s, err
}

// queueLock has those who change definitions of a tenant do so one after the other.
func queueLock(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('rfm ' || $1, 0))`, tx.Tenant())
}

// Wish is what somebody wants rated. What is left out is what daily runs take.
type Wish struct {
	Currency   string    // empty: the reporting currency
	AsOf       time.Time // zero: today
	WindowDays *int      // nil: the scheme's
}

// Ask has everybody rated behind the scenes. Where the day is today, the currency the reporting one and the window the scheme's,
// portraits take the scores over; otherwise the ratings are only kept to be read. One at a time: Conflict run_open.
func (r *Ratings) Ask(ctx context.Context, wish Wish) (Running, error) {
	today := run.Today(r.clock)
	if wish.AsOf.IsZero() {
		wish.AsOf = today
	}
	if wish.AsOf.After(today) {
		return Running{}, problem.InvalidBody("run_invalid", "Nothing was begun: mend the field named here.",
			[]problem.Field{{Location: "as_of", Code: "in_future", Message: "must not be in the future"}})
	}
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		asked, err := r.runs.Ask(ctx, tx, Kind, wish.AsOf)
		if err != nil {
			return pg.Result{}, err
		}
		ok, err := r.prepareRun(ctx, tx, asked, wish)
		if err == nil && !ok {
			err = problem.New(problem.Unprocessable, "not_enough_data", "There is no order yet, and so no reporting currency. Name a currency.")
		}
		return pg.Result{ID: asked.ID, Status: http.StatusAccepted}, err
	})
	if err != nil {
		return Running{}, err
	}
	return r.Running(ctx, result.ID)
}

// Daily has every tenant rated once a day.
func (r *Ratings) Daily(ctx context.Context) error {
	return r.runs.EachDay(ctx, Kind, func(ctx context.Context, tx *pg.Tx, day run.Run) (bool, error) {
		return r.prepareRun(ctx, tx, day, Wish{AsOf: day.AsOf})
	})
}

// prepareRun stores what a run has to do; ok is false where there is no currency to rate in.
func (r *Ratings) prepareRun(ctx context.Context, tx *pg.Tx, of run.Run, wish Wish) (ok bool, err error) {
	reporting, err := portrait.Currency(ctx, tx)
	if err != nil {
		return false, err
	}
	if wish.Currency == "" {
		wish.Currency = reporting
	}
	if wish.Currency == "" {
		return false, nil
	}
	s, _, err := loadScheme(ctx, tx, wish.Currency, 0)
	if err != nil {
		return false, err
	}
	m, _, err := loadCells(ctx, tx, 0)
	if err != nil {
		return false, err
	}
	days := s.WindowDays
	if wish.WindowDays != nil {
		days = *wish.WindowDays
	}
	tx.Queue(`INSERT INTO rfm_run (tenant_id, run_id, currency, as_of, window_days, scheme_version, cell_map, portraits) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		tx.Tenant(), of.ID, wish.Currency, of.AsOf, days, s.Version, m.Version,
		wish.Currency == reporting && days == s.WindowDays && of.AsOf.Equal(run.Today(r.clock)))
	return true, nil
}

// Running is a run with what it found so far.
type Running struct {
	run.Run
	Currency   string
	WindowDays int
	Scheme     int64  // version
	Map        string // name of the version
	Portraits  bool
	Phase      string
	Customers  int64
	Changed    int64
	Cuts       Cuts
	FactsAsOf  time.Time
	ReckonedAt time.Time
	Kept       bool
}

func show(of run.Run, r reckoning) Running {
	return Running{
		Run: of, Currency: r.Currency, WindowDays: r.Window.Days, Scheme: r.Scheme, Map: mapName(r.Map), Portraits: r.Portraits, Phase: r.Phase,
		Customers: r.Customers, Changed: r.Changed, Cuts: r.Cuts, FactsAsOf: r.FactsAsOf, ReckonedAt: r.Reckoned, Kept: r.Kept,
	}
}

// Running gives how far a run is.
func (r *Ratings) Running(ctx context.Context, id uuid.UUID) (all Running, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
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
func (r *Ratings) Runs(ctx context.Context, before uuid.UUID, limit int) (all []Running, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err = run.ListWith(ctx, tx, Kind, before, limit, reckonings, show)
		return err
	})
	return all, err
}

// reckonings gives what runs found so far, by their ids.
func reckonings(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (map[uuid.UUID]reckoning, error) {
	rows, err := tx.Query(ctx, `SELECT `+reckoningColumns+` FROM rfm_run WHERE tenant_id = $1 AND run_id = ANY ($2)`, tx.Tenant(), ids)
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
