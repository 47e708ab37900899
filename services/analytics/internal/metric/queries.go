package metric

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// heavy is how long one statement of a question may take: counting the customers of 10,000,000 orders takes most of it.
const heavy = 25 * time.Second

// roomy is what a statement that counts customers may use of memory: with less it sorts them on disk.
const roomy = "64MB"

// Resolve puts what they mean in the place of the segments that a filter names; one that is not there is a problem.
type Resolve func(ctx context.Context, tx *pg.Tx, n filter.Node) (filter.Node, error)

// Queries answers questions. It is the one place that reads numbers, whatever shows them.
type Queries struct {
	db      *pg.DB
	clock   func() time.Time
	resolve Resolve
	within  time.Duration
}

// NewQueries makes Queries on the service's database.
func NewQueries(db *pg.DB, clock func() time.Time, resolve Resolve) *Queries {
	return &Queries{db, clock, resolve, heavy}
}

// Within gives Queries whose statements may take no longer than d.
func (q *Queries) Within(d time.Duration) *Queries {
	other := *q
	other.within = d
	return &other
}

func (q *Queries) today() time.Time { return Day.Start(q.clock().UTC()) }

// catalogueOf gives all metrics of the transaction's tenant by their codes, those in the archive included.
func catalogueOf(ctx context.Context, tx *pg.Tx) (map[string]Metric, error) {
	defined, err := load(ctx, tx)
	if err != nil {
		return nil, err
	}
	catalogue := make(map[string]Metric, len(builtIn)+len(defined))
	for _, m := range defined {
		catalogue[m.Code] = m
	}
	for _, m := range builtIn {
		catalogue[m.Code] = m // a code that became built-in later than the tenant's is the built-in one
	}
	return catalogue, nil
}

// Catalogue lists all metrics: the built-in ones, then the tenant's by their codes; and the time of the newest event.
func (q *Queries) Catalogue(ctx context.Context, tenant string, archived bool) (all []Metric, asOf time.Time, err error) {
	err = q.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		if asOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		defined, err := load(ctx, tx)
		all = append(BuiltIn(), slices.DeleteFunc(defined, func(m Metric) bool { return m.Archived && !archived })...)
		return err
	})
	return all, asOf, err
}

// Metric gives one metric, also one in the archive.
func (q *Queries) Metric(ctx context.Context, tenant, code string) (m Metric, err error) {
	if m, ok := builtInOf[code]; ok {
		return m, nil
	}
	err = q.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		m, err = get(ctx, tx, code)
		return err
	})
	return m, err
}

// Check tells what is wrong with a question, without asking it. at names the places of faults.
func (q *Queries) Check(ctx context.Context, tx *pg.Tx, question Question, at func(field string, i int) string) ([]problem.Field, error) {
	catalogue, err := catalogueOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	_, found := planned(question, catalogue, q.today(), at)
	return found, nil
}

// Ask answers a question. One that does not fit together is Unprocessable metric_query_invalid, with each fault at its place as
// at names it; one that reads or gives too much is query_too_heavy.
func (q *Queries) Ask(ctx context.Context, tenant string, question Question, at func(field string, i int) string) (a Answer, err error) {
	err = q.db.ReadWithin(ctx, tenant, q.within, func(tx *pg.Tx) error {
		a, err = q.ask(ctx, tx, question, at)
		return err
	})
	return a, err
}

// ground is what is asked of the tenant before the question.
type ground struct {
	merged    bool
	asOf      time.Time
	reporting string // currency
}

func groundOf(ctx context.Context, tx *pg.Tx) (g ground, err error) {
	tx.Queue(`SELECT EXISTS (SELECT FROM customer_alias WHERE tenant_id = $1 AND survivor_id IS NOT NULL)`, tx.Tenant()).
		QueryRow(func(row pgx.Row) error { return row.Scan(&g.merged) })
	if g.asOf, err = fact.AsOf(ctx, tx); err != nil {
		return g, err
	}
	g.reporting, err = portrait.Currency(ctx, tx)
	return g, err
}

func (q *Queries) ask(ctx context.Context, tx *pg.Tx, question Question, at where) (Answer, error) {
	g, err := groundOf(ctx, tx)
	if err != nil {
		return Answer{}, err
	}
	catalogue, err := catalogueOf(ctx, tx)
	if err != nil {
		return Answer{}, err
	}
	p, found := planned(question, catalogue, q.today(), at)
	if len(found) == 0 {
		found = p.ofCurrency(g.reporting, at)
	}
	if len(found) > 0 {
		return Answer{}, invalid(found)
	}
	if p.Customers != nil && len(p.Customers.Segments()) > 0 {
		resolved, err := q.resolve(ctx, tx, *p.Customers)
		if err != nil {
			return Answer{}, err
		}
		p.Customers = &resolved
	}
	return p.answer(ctx, tx, g)
}

func invalid(found []problem.Field) error {
	p := problem.New(problem.Unprocessable, "metric_query_invalid", "These numbers cannot be had like this; errors says why, and what there is instead.")
	for _, f := range found {
		p = p.WithField(f.Location, f.Code, f.Message)
	}
	return p
}

// ofCurrency refuses another currency than the reporting one where a metric has no other.
func (p plan) ofCurrency(reporting string, at where) []problem.Field {
	f := &faults{at: at}
	for _, m := range p.metrics {
		if m.Unit == Money && !m.ByCurrency && p.Currency != "" && p.Currency != reporting {
			f.add("currency", -1, "reporting_currency_only", "%s is kept in the reporting currency %s only", m.Code, reporting)
		}
	}
	return f.found
}

func (p plan) answer(ctx context.Context, tx *pg.Tx, g ground) (Answer, error) {
	a := Answer{Question: p.Question, Span: Span{p.From, p.To}, AsOf: g.asOf}
	currency := p.Currency
	if currency == "" {
		currency = g.reporting
	}
	for _, m := range p.metrics {
		if m.Unit == Money && !slices.Contains(p.By, "currency") {
			a.Currency = currency
		}
		a.Metrics = append(a.Metrics, Served{m, p.servedFrom(m)})
	}
	rows, err := p.read(ctx, tx, currency, a.Span, g.merged)
	if err != nil {
		return a, err
	}
	if p.Previous {
		if err := p.previous(ctx, tx, &a, rows, currency, g.merged); err != nil {
			return a, err
		}
	}
	p.sorted(rows)
	limit := p.Limit
	if limit <= 0 {
		limit = MaxRows
	}
	a.More = len(rows) > limit
	a.Rows = rows[:min(limit, len(rows))]
	return a, nil
}

// previous reads the periods before and puts their values beside those of the rows.
func (p plan) previous(ctx context.Context, tx *pg.Tx, a *Answer, rows []Row, currency string, merged bool) error {
	a.Before = a.Span.Before()
	shift := func(t time.Time) time.Time { return t }
	span := a.Before
	if p.Grain != Whole { // beside the rows' own, one more: the period before the first
		first := p.Grain.Start(p.From)
		span = Span{p.Grain.Add(first, -1), first.AddDate(0, 0, -1)}
		shift = func(t time.Time) time.Time { return p.Grain.Add(t, -1) }
	}
	before, err := p.read(ctx, tx, currency, span, merged)
	if err != nil {
		return err
	}
	compare(rows, before, shift)
	return nil
}

// servedFrom tells where all parts of the metric come from: facts where only some do.
func (p plan) servedFrom(m Metric) (from string) {
	parts, _ := p.formulas.ingredients(m)
	for _, part := range parts {
		for _, name := range part.parts {
			if kind := p.measures[name].kind; from == "" || from != fromFacts && kind != from {
				from = kind
			}
		}
	}
	return from
}

// read asks every source once, all in one round trip, and makes rows of what they say.
func (p plan) read(ctx context.Context, tx *pg.Tx, currency string, span Span, merged bool) ([]Row, error) {
	t := newTable()
	var starts []time.Time
	switch {
	case p.timeless || p.Grain == Whole:
		if len(p.By) == 0 {
			t.at(time.Time{}, nil)
		}
	default:
		starts = span.Periods(p.Grain, MaxPeriods)
		for _, start := range starts {
			if len(p.By) == 0 {
				t.at(start, nil)
			}
		}
	}
	var levels []string
	names := make([]string, 0, len(p.sources))
	for name := range p.sources {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s, err := p.statementFor(name, tx.Tenant(), currency, span, merged, MaxRows+1)
		if err != nil {
			return nil, err
		}
		first := p.measures[p.sources[name][0]]
		if first.level {
			levels = append(levels, p.sources[name]...)
		}
		if first.once {
			tx.Queue(`SELECT set_config('work_mem', $1, true)`, roomy)
		}
		tx.Queue(s.sql, s.args...).Query(func(rows pgx.Rows) error { return p.collect(t, rows, p.sources[name]) })
	}
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	if len(levels) > 0 && p.Grain != Whole {
		if len(t.order)*len(starts) > 100*MaxRows {
			return nil, tooMany()
		}
		t.levels(levels, starts)
	}
	if len(t.order) > MaxRows {
		return nil, tooMany()
	}
	return p.rows(t, span), nil
}

func tooMany() error {
	return problem.New(problem.Unprocessable, "query_too_heavy",
		"This question gives more than %d rows. Ask for fewer dimensions, a longer grain, a shorter time, or filter.", MaxRows)
}

// collect puts the rows of one source into the table.
func (p plan) collect(t *table, rows pgx.Rows, names []string) error {
	var period *time.Time
	measured := make([]float64, len(names))
	n := 0
	for rows.Next() {
		if n++; n > MaxRows {
			return tooMany()
		}
		by := make([]*string, len(p.By))
		to := []any{&period}
		for i := range by {
			to = append(to, &by[i])
		}
		for i := range measured {
			to = append(to, &measured[i])
		}
		if err := rows.Scan(to...); err != nil {
			return err
		}
		var start time.Time
		if period != nil && p.Grain != Whole {
			start = period.UTC()
		}
		c := t.at(start, by)
		for i, name := range names {
			c.measured[name] = measured[i]
		}
	}
	return rows.Err()
}

// NoSegments is Resolve where there are no segments.
func NoSegments(context.Context, *pg.Tx, filter.Node) (filter.Node, error) {
	return filter.Node{}, problem.New(problem.Unprocessable, "unknown_segment", "The filter names a segment, and there are none.")
}
