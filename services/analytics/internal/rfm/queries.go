package rfm

import (
	"context"
	"fmt"
	"strings"
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

// heaviest is the longest that a statement which reads all orders may take.
const heaviest = 25 * time.Second

// Queries rates customers.
type Queries struct {
	db    *pg.DB
	clock func() time.Time
}

// NewQueries makes Queries on the service's database; clock says what day is today.
func NewQueries(db *pg.DB, clock func() time.Time) *Queries { return &Queries{db: db, clock: clock} }

// Population is what a rating is relative to.
type Population struct {
	Customers int64 // customers with a purchase in the window
	AsOf      time.Time
	Scheme    Scheme
	Map       CellMap
	Cuts      Cuts
	Run       uuid.UUID // that it was read from; Nil: it was reckoned for this answer
}

// Source says where ratings come from.
type Source string

// The sources.
const (
	// Auto: from the last finished run of the very day, window and currency where the day is over, else from facts.
	Auto Source = "auto"
	// FromFacts: they are reckoned anew, which takes seconds where there are millions of orders.
	FromFacts Source = "facts"
	// FromRun: from the last finished run of the day, window and currency.
	FromRun Source = "run"
)

// Question is which ratings are asked for.
type Question struct {
	Currency string
	Window   Window
	Source   Source
}

// List rates customers in the order of their ids, at most limit after the id after. In the currency only what was bought
// in it counts.
func (q *Queries) List(ctx context.Context, tenant string, ask Question, after uuid.UUID, limit int) ([]Rating, Population, error) {
	return q.rate(ctx, tenant, ask, `WHERE customer_id > $%d ORDER BY customer_id LIMIT $%d`, after, limit)
}

// Customer rates the customer whom the id means; a problem of the kind NotFound when it bought nothing in the window.
func (q *Queries) Customer(ctx context.Context, tenant string, ask Question, id uuid.UUID) (Rating, Population, error) {
	var root *uuid.UUID
	err := q.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		root = alias.Root(tx, id)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		return fact.Gone(ctx, tx, *root)
	})
	if err != nil {
		return Rating{}, Population{}, err
	}
	ratings, population, err := q.rate(ctx, tenant, ask, `WHERE customer_id = $%d`, *root)
	if err == nil && len(ratings) == 0 {
		err = problem.New(problem.NotFound, "no_purchase_in_window", "The customer bought nothing in this window and currency.")
	}
	if err != nil {
		return Rating{}, population, err
	}
	return ratings[0], population, nil
}

// rate rates those of all customers whom which (the end of a statement, with a place for the number of each argument) names.
func (q *Queries) rate(ctx context.Context, tenant string, ask Question, which string, more ...any) (ratings []Rating, p Population, err error) {
	err = q.db.ReadWithin(ctx, tenant, heaviest, func(tx *pg.Tx) error {
		from, err := q.prepare(ctx, tx, ask, &p)
		if err != nil {
			return err
		}
		ratings = nil
		rows, err := tx.Query(ctx, from.sql+` SELECT n, r, f, m, c.* FROM cut LEFT JOIN (
			SELECT customer_id, last_day, days, net_minor FROM customer `+from.numbered(which)+`) c ON true ORDER BY c.customer_id`, append(from.args, more...)...)
		if err != nil {
			return err
		}
		var (
			id        *uuid.UUID
			last      *time.Time
			days, net *int64
		)
		_, err = pgx.ForEachRow(rows, []any{&p.Customers, &p.Cuts.R, &p.Cuts.F, &p.Cuts.M, &id, &last, &days, &net}, func() error {
			if id != nil {
				ratings = append(ratings, p.Cuts.Rate(Purchases{*id, *last, *days, *net}, p.Map, ask.Window.AsOf))
			}
			return nil
		})
		return err
	})
	return ratings, p, err
}

// CellCount is how many customers stand in a cell, and what they brought in.
type CellCount struct {
	R, F      int
	Cell      string
	Customers int64
	NetMinor  int64
}

// Cells counts customers by R and F, best first.
func (q *Queries) Cells(ctx context.Context, tenant string, ask Question) (counts []CellCount, p Population, err error) {
	var grid [5][5]CellCount
	err = q.db.ReadWithin(ctx, tenant, heaviest, func(tx *pg.Tx) error {
		from, err := q.prepare(ctx, tx, ask, &p)
		if err != nil {
			return err
		}
		grid = [5][5]CellCount{}
		rows, err := tx.Query(ctx, from.sql+` SELECT n, cut.r, cut.f, m, c.* FROM cut LEFT JOIN LATERAL (
			SELECT width_bucket(last_day, cut.r) AS at_r, width_bucket(days, cut.f) AS at_f, count(*), sum(net_minor)::bigint FROM customer GROUP BY 1, 2) c ON true`,
			from.args...)
		if err != nil {
			return err
		}
		var r, f *int
		var customers, net *int64
		_, err = pgx.ForEachRow(rows, []any{&p.Customers, &p.Cuts.R, &p.Cuts.F, &p.Cuts.M, &r, &f, &customers, &net}, func() error {
			if r != nil {
				grid[*r][*f].Customers, grid[*r][*f].NetMinor = *customers, *net
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, p, err
	}
	for r := 5; r >= 1; r-- {
		for f := 5; f >= 1; f-- {
			c := grid[r-1][f-1]
			c.R, c.F, c.Cell = r, f, p.Map.Cell(r, f)
			counts = append(counts, c)
		}
	}
	return counts, p, nil
}

// basis is the beginning of a statement: it has customer, and cut with n, r, f and m.
type basis struct {
	sql  string
	args []any
}

// numbered puts the numbers of the arguments that follow into the end of a statement.
func (b basis) numbered(end string) string {
	numbers := make([]any, strings.Count(end, "%d"))
	for i := range numbers {
		numbers[i] = len(b.args) + 1 + i
	}
	return fmt.Sprintf(end, numbers...)
}

// prepare finds where the ratings come from, and what they are relative to as far as that is known before.
func (q *Queries) prepare(ctx context.Context, tx *pg.Tx, ask Question, p *Population) (basis, error) {
	*p = Population{}
	if ask.Source == FromRun || ask.Source == Auto && ask.Window.AsOf.Before(run.Today(q.clock)) {
		r, ok, err := loadReckoning(ctx, tx, `currency = $2 AND as_of = $3 AND window_days = $4 AND kept AND reckoned_at IS NOT NULL
			ORDER BY reckoned_at DESC, run_id DESC LIMIT 1`, ask.Currency, ask.Window.AsOf, ask.Window.Days)
		if err != nil {
			return basis{}, err
		}
		if ok {
			return fromRun(ctx, tx, r, p)
		}
		if ask.Source == FromRun {
			return basis{}, problem.New(problem.NotFound, "run_not_found", "There is no finished run of this day, window and currency whose ratings are kept. Ask for one, or have them reckoned from facts.")
		}
	}
	var err error
	if p.Scheme, _, err = loadScheme(ctx, tx, ask.Currency, 0); err != nil {
		return basis{}, err
	}
	if p.Map, _, err = loadCells(ctx, tx, 0); err != nil {
		return basis{}, err
	}
	merged := anybodyMerged(tx)
	if p.AsOf, err = fact.AsOf(ctx, tx); err != nil {
		return basis{}, err
	}
	from, to := ask.Window.Bounds()
	fixed := p.Scheme.fixed(ask.Window.AsOf)
	return basis{beginning(*merged, "") + cutSQL(5), []any{tx.Tenant(), ask.Currency, from, to, fixed.R, fixed.F, fixed.M}}, nil
}

func fromRun(ctx context.Context, tx *pg.Tx, r reckoning, p *Population) (_ basis, err error) {
	p.Run, p.AsOf = r.ID, r.FactsAsOf
	if p.Scheme = (Scheme{Currency: r.Currency}); r.Scheme > 0 {
		if p.Scheme, _, err = loadScheme(ctx, tx, r.Currency, r.Scheme); err != nil {
			return basis{}, err
		}
	}
	if p.Map, _, err = loadCells(ctx, tx, r.Map); err != nil {
		return basis{}, err
	}
	return basis{`WITH customer AS (SELECT customer_id, last_day, days, net_minor FROM rfm_rating WHERE tenant_id = $1 AND run_id = $2),
		cut AS (SELECT $3::bigint AS n, $4::date[] AS r, $5::bigint[] AS f, $6::bigint[] AS m)`,
		[]any{tx.Tenant(), r.ID, r.Customers, r.Cuts.R, r.Cuts.F, r.Cuts.M}}, nil
}

// CellMap gives a version of the names of cells; the present one for 0. NotFound cell_map_not_found.
func (r *Ratings) CellMap(ctx context.Context, version int64) (m CellMap, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		var ok bool
		if m, ok, err = loadCells(ctx, tx, version); err == nil && !ok {
			err = problem.New(problem.NotFound, "cell_map_not_found", "There is no such version of the names of cells.")
		}
		return err
	})
	return m, err
}

// CellMaps gives the versions before the version before (0: all), the newest first; the house's own is the last.
func (r *Ratings) CellMaps(ctx context.Context, before, limit int) (all []CellMap, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT version, cells, by_subject, changed_at FROM rfm_cell_map
			WHERE tenant_id = $1 AND ($2 = 0 OR version < $2) ORDER BY version DESC LIMIT $3`, tx.Tenant(), before, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanCells)
		return err
	})
	if before != 1 && len(all) < limit {
		all = append(all, HouseCells())
	}
	return all, err
}

// Scheme gives a version of the scheme of a currency; the present one for 0. NotFound scheme_not_found.
func (r *Ratings) Scheme(ctx context.Context, currency string, version int64) (s Scheme, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		var ok bool
		if s, ok, err = loadScheme(ctx, tx, currency, version); err == nil && !ok {
			err = problem.New(problem.NotFound, "scheme_not_found", "There is no such version of the scheme of this currency.")
		}
		return err
	})
	return s, err
}

// Schemes gives the present schemes of the currencies after a currency.
func (r *Ratings) Schemes(ctx context.Context, after string, limit int) (all []Scheme, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT DISTINCT ON (currency) `+schemeColumns+` FROM rfm_scheme
			WHERE tenant_id = $1 AND currency > $2 ORDER BY currency, version DESC LIMIT $3`, tx.Tenant(), after, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanScheme)
		return err
	})
	return all, err
}
