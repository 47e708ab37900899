package grade

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// heaviest is the longest that a statement which reads all customers may take.
const heaviest = 20 * time.Second

// Why there is no answer.
const (
	noRun       = "no_run"       // nobody was graded yet
	noPurchases = "no_purchases" // nobody bought anything in the window
	noPotential = "no_potential" // of nobody is the potential value known
)

// Total is what the customers of one grade brought and cost.
type Total struct {
	Grade     string
	Share     int // that was set, in hundredths of a percent
	Least     *int64
	Customers int64
	Account
}

// Result is what a run found.
type Result struct {
	Enough bool
	Why    string
	Running
	SchemeUsed Scheme
	Totals     []Total // the highest first
}

// Result gives what a run found; uuid.Nil is the last one of a present day. NotFound run_not_found.
func (p *Pyramid) Result(ctx context.Context, id uuid.UUID) (all Result, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		own, ok, err := p.pick(ctx, tx, id)
		if err != nil {
			return err
		}
		if !ok {
			all = Result{Why: noRun}
			return nil
		}
		of, err := find(ctx, tx, own)
		if err != nil {
			return err
		}
		s, _, err := loadScheme(ctx, tx, own.Scheme)
		if err != nil {
			return err
		}
		all = Result{Enough: own.Customers > 0, Running: of, SchemeUsed: s}
		if !all.Enough {
			all.Why = noPurchases
		}
		rows, err := tx.Query(ctx, `SELECT grade, customers, net_minor, margin_minor, tickets_minor, complaints_minor, touches_minor, interactions_minor, contribution_minor
			FROM grade_total WHERE tenant_id = $1 AND run_id = $2 ORDER BY place`, tx.Tenant(), own.ID)
		if err != nil {
			return err
		}
		all.Totals, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Total, err error) {
			err = row.Scan(&t.Grade, &t.Customers, &t.NetMinor, &t.MarginMinor, &t.TicketsMinor, &t.ComplaintsMinor, &t.TouchesMinor, &t.InteractionsMinor, &t.ContributionMinor)
			return t, err
		})
		for i := range all.Totals {
			all.Totals[i].Share = s.Grades[i].Share
			if i < len(own.Least) {
				all.Totals[i].Least = &own.Least[i]
			}
		}
		return err
	})
	return all, err
}

// pick gives a run whose result can be read; the last of a present day for uuid.Nil, where ok may be false.
func (p *Pyramid) pick(ctx context.Context, tx *pg.Tx, id uuid.UUID) (reckoning, bool, error) {
	if id == uuid.Nil {
		return loadReckoning(ctx, tx, last)
	}
	own, ok, err := loadReckoning(ctx, tx, `run_id = $2 AND reckoned_at IS NOT NULL`, id)
	if err == nil && !ok {
		err = problem.New(problem.NotFound, "run_not_found", "There is no such run, or it has no result yet.")
	}
	return own, ok, err
}

// Graded is a customer with its place, and what it brought and cost.
type Graded struct {
	CustomerID uuid.UUID
	Grade      string
	Account
}

const accountColumns = `customer_id, net_minor, margin_minor, tickets_minor, complaints_minor, touches_minor, interactions_minor, contribution_minor`

func scanGraded(own reckoning, s Scheme) func(row pgx.CollectableRow) (Graded, error) {
	return func(row pgx.CollectableRow) (g Graded, err error) {
		err = row.Scan(&g.CustomerID, &g.NetMinor, &g.MarginMinor, &g.TicketsMinor, &g.ComplaintsMinor, &g.TouchesMinor, &g.InteractionsMinor, &g.ContributionMinor)
		g.Grade = s.Grades[Place(own.Least, g.ContributionMinor)].Code
		return g, err
	}
}

// Customers gives customers of the last run in the order of their ids, of a grade where it is not empty. NotFound run_not_found
// where nobody was graded yet, Unprocessable grade_unknown for a grade that the run did not have.
func (p *Pyramid) Customers(ctx context.Context, grade string, after uuid.UUID, limit int) (all []Graded, err error) {
	err = p.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		own, ok, err := loadReckoning(ctx, tx, last)
		if err == nil && !ok {
			err = problem.New(problem.NotFound, "run_not_found", "Nobody was graded yet. Ask for a run.")
		}
		if err != nil {
			return err
		}
		s, _, err := loadScheme(ctx, tx, own.Scheme)
		if err != nil {
			return err
		}
		from, to, ok := s.span(own.Least, grade)
		if !ok {
			return problem.New(problem.Unprocessable, "grade_unknown", "The last run has no such grade.").WithField("query.grade", "grade_unknown", "must be a grade of the last run")
		}
		rows, err := tx.Query(ctx, `SELECT `+accountColumns+` FROM grade_contribution
			WHERE tenant_id = $1 AND run_id = $2 AND customer_id > $3 AND ($4::bigint IS NULL OR contribution_minor >= $4) AND ($5::bigint IS NULL OR contribution_minor < $5)
			ORDER BY customer_id LIMIT $6`, tx.Tenant(), own.ID, after, from, to, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanGraded(own, s))
		return err
	})
	return all, err
}

// span is from which contribution on and up to which a grade goes; all of them for no grade. Where several grades begin with the
// same contribution, all who contribute it stand in the highest of them, and the span of the others is empty.
func (s Scheme) span(least []int64, grade string) (from, to *int64, ok bool) {
	if grade == "" {
		return nil, nil, true
	}
	for i, g := range s.Grades {
		if g.Code != grade {
			continue
		}
		if i < len(least) {
			from = &least[i]
		}
		if i > 0 && i <= len(least) {
			to = &least[i-1]
		}
		return from, to, true
	}
	return nil, nil, false
}

// Moved is one step of a customer's way through the grades.
type Moved struct {
	AsOf     time.Time
	From, To string // empty: in none
}

// Customer gives what the customer whom the id means brought and cost by the last run, where it is graded, and its way through the
// grades, the latest step first, at most 200. Gone customer_erased; NotFound customer_not_graded where there is neither.
func (p *Pyramid) Customer(ctx context.Context, id uuid.UUID) (root uuid.UUID, g *Graded, way []Moved, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		whom := alias.Root(tx, id)
		own, ok, err := loadReckoning(ctx, tx, last)
		if err != nil {
			return err
		}
		root, g = *whom, nil
		if err := fact.Gone(ctx, tx, root); err != nil {
			return err
		}
		if ok {
			s, _, err := loadScheme(ctx, tx, own.Scheme)
			if err != nil {
				return err
			}
			rows, err := tx.Query(ctx, `SELECT `+accountColumns+` FROM grade_contribution WHERE tenant_id = $1 AND run_id = $2 AND customer_id = $3`, tx.Tenant(), own.ID, root)
			if err != nil {
				return err
			}
			found, err := pgx.CollectRows(rows, scanGraded(own, s))
			if err != nil {
				return err
			}
			if len(found) > 0 {
				g = &found[0]
			}
		}
		rows, err := tx.Query(ctx, `SELECT as_of, from_grade, grade FROM grade_move WHERE tenant_id = $1 AND customer_id = $2 ORDER BY as_of DESC, run_id DESC LIMIT 200`, tx.Tenant(), root)
		if err != nil {
			return err
		}
		way, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Moved])
		return err
	})
	if err == nil && g == nil && len(way) == 0 {
		err = problem.New(problem.NotFound, "customer_not_graded", "The customer was never graded: it has no net purchase in a window.")
	}
	return root, g, way, err
}

// Flow is how many customers went from one grade to another between two days; empty is none.
type Flow struct {
	From, To  string
	Customers int64
}

// movesSQL is where each customer stood at the ends of the days $2 and $3. Who was merged into another since is left out: the one who stands
// for all has a way of its own.
const movesSQL = `WITH stood AS (
	SELECT f.customer_id, coalesce(f.grade, '') AS from_grade, t.grade AS grade
	FROM (SELECT DISTINCT ON (customer_id) customer_id, grade FROM grade_move
		WHERE tenant_id = $1 AND as_of <= $3 ORDER BY customer_id, as_of DESC, run_id DESC) t
	LEFT JOIN LATERAL (SELECT t.customer_id, (SELECT m.grade FROM grade_move m WHERE m.tenant_id = $1 AND m.customer_id = t.customer_id AND m.as_of <= $2
		ORDER BY m.as_of DESC, m.run_id DESC LIMIT 1) AS grade) f ON true
	WHERE t.customer_id NOT IN (SELECT customer_id FROM customer_aliases($1))
)`

// Moves gives the matrix of moves between two days: every pair of grades that has customers, those who stayed included.
func (p *Pyramid) Moves(ctx context.Context, from, to time.Time) (all []Flow, err error) {
	err = p.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, movesSQL+` SELECT from_grade, grade, count(*) FROM stood WHERE from_grade <> '' OR grade <> '' GROUP BY 1, 2 ORDER BY 1, 2`, tx.Tenant(), from, to)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Flow])
		return err
	})
	return all, err
}

// MovedCustomers gives the customers of one pair of the matrix of moves, in the order of their ids.
func (p *Pyramid) MovedCustomers(ctx context.Context, from, to time.Time, fromGrade, grade string, after uuid.UUID, limit int) (all []uuid.UUID, err error) {
	err = p.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, movesSQL+` SELECT customer_id FROM stood WHERE from_grade = $4 AND grade = $5 AND (from_grade <> '' OR grade <> '') AND customer_id > $6 ORDER BY customer_id LIMIT $7`,
			tx.Tenant(), from, to, fromGrade, grade, after, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	return all, err
}

// Scheme gives a version of the scheme; the present one for a negative number, the house's own for 0. NotFound scheme_not_found.
func (p *Pyramid) Scheme(ctx context.Context, version int64) (s Scheme, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		var ok bool
		if s, ok, err = loadScheme(ctx, tx, version); err == nil && !ok {
			err = problem.New(problem.NotFound, "scheme_not_found", "There is no such version of the scheme.")
		}
		return err
	})
	return s, err
}

// Potential gives how current and potential value are set against each other.
func (p *Pyramid) Potential(ctx context.Context) (v Potential, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		v, err = loadPotential(ctx, tx)
		return err
	})
	return v, err
}

func find(ctx context.Context, tx *pg.Tx, own reckoning) (Running, error) {
	of, err := run.Find(ctx, tx, Kind, own.ID)
	return show(of, own), err
}
