package journey

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// liveTime is how long one statement of an answer may take.
const liveTime = 5 * time.Second

// Source says what an answer was read from.
type Source struct {
	RunID uuid.UUID // that kept the numbers; Nil: reckoned now
	Until time.Time // the first moment that does not count any more
	AsOf  time.Time // time of the newest event that analytics has
	Kept  time.Time
	None  bool // nothing was kept yet
}

// kept gives the run whose numbers are read.
func (j *Journey) kept(ctx context.Context, tx *pg.Tx, kind string) (s Source, err error) {
	if s.AsOf, err = fact.AsOf(ctx, tx); err != nil {
		return s, err
	}
	var day time.Time
	err = tx.QueryRow(ctx, `SELECT run_id, as_of, kept_at FROM journey_kept WHERE tenant_id = $1 AND kind = $2`, tx.Tenant(), kind).Scan(&s.RunID, &day, &s.Kept)
	if errors.Is(err, pgx.ErrNoRows) {
		s.None = true
		return s, nil
	}
	s.Until, s.Kept = day.UTC().AddDate(0, 0, 1), s.Kept.UTC()
	return s, err
}

// everyone is the part that an answer as of now looks at.
func (j *Journey) everyone(ctx context.Context, tx *pg.Tx) (p part, s Source, err error) {
	if s.AsOf, err = fact.AsOf(ctx, tx); err != nil {
		return p, s, err
	}
	s.Until = run.Today(j.clock).AddDate(0, 0, 1)
	p = part{phase: phaseEveryone, until: s.Until}
	p.merged, err = readMerged(ctx, tx)
	return p, s, err
}

// Mapping reads what counts as which stage.
func (j *Journey) Mapping(ctx context.Context) (m Mapping, err error) {
	err = j.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		m, err = loadMapping(ctx, tx, false)
		return err
	})
	return m, err
}

// Cohorts reads cohorts in a currency (empty: the reporting one): those of the last run, or, live, as they are now.
func (j *Journey) Cohorts(ctx context.Context, currency string, live bool) (c *Cohorts, in string, s Source, err error) {
	err = j.db.ReadWithin(ctx, auth.Tenant(ctx), liveTime, func(tx *pg.Tx) error {
		c, in = NewCohorts(), currency
		if in == "" {
			if in, err = portrait.Currency(ctx, tx); err != nil {
				return err
			}
		}
		if live {
			var p part
			if p, s, err = j.everyone(ctx, tx); err != nil {
				return err
			}
			if err := readCohorts(ctx, tx, p, c); err != nil {
				return err
			}
			return readNobodys(ctx, tx, p, c)
		}
		if s, err = j.kept(ctx, tx, KindCohorts); err != nil || s.None {
			return err
		}
		return loadCohorts(ctx, tx, s.RunID, in, c)
	})
	return c, in, s, err
}

func loadCohorts(ctx context.Context, tx *pg.Tx, id uuid.UUID, currency string, c *Cohorts) error {
	var first time.Time
	key, cell := CohortKey{Currency: currency}, Cell{}
	rows, err := tx.Query(ctx, `SELECT cohort, channel, age, customers, orders, gross_minor, returned_minor FROM journey_cohort
		WHERE tenant_id = $1 AND run_id = $2 AND currency = $3`, tx.Tenant(), id, currency)
	if err != nil {
		return err
	}
	if _, err = pgx.ForEachRow(rows, []any{&first, &key.Channel, &key.Age, &cell.Customers, &cell.Orders, &cell.GrossMinor, &cell.ReturnedMinor}, func() error {
		key.Month = MonthOf(first)
		c.cell(key).plus(cell)
		return nil
	}); err != nil {
		return err
	}
	cell = Cell{}
	if rows, err = tx.Query(ctx, `SELECT month, orders, gross_minor, returned_minor FROM journey_rest WHERE tenant_id = $1 AND run_id = $2 AND currency = $3`,
		tx.Tenant(), id, currency); err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&first, &cell.Orders, &cell.GrossMinor, &cell.ReturnedMinor}, func() error {
		c.rest(currency, MonthOf(first)).plus(cell)
		return nil
	})
	return err
}

// Funnels reads the funnel by month and channel: that of the last run, or, live, as it is now.
func (j *Journey) Funnels(ctx context.Context, live bool) (f Funnels, s Source, err error) {
	err = j.db.ReadWithin(ctx, auth.Tenant(ctx), liveTime, func(tx *pg.Tx) error {
		f = Funnels{}
		if live {
			m, err := loadMapping(ctx, tx, false)
			if err != nil {
				return err
			}
			var p part
			if p, s, err = j.everyone(ctx, tx); err != nil {
				return err
			}
			return readFunnel(ctx, tx, p, m, f)
		}
		if s, err = j.kept(ctx, tx, KindFunnel); err != nil || s.None {
			return err
		}
		return loadFunnels(ctx, tx, s.RunID, f)
	})
	return f, s, err
}

func loadFunnels(ctx context.Context, tx *pg.Tx, id uuid.UUID, f Funnels) error {
	var (
		first   time.Time
		channel string
		stage   int
		days    int
		people  int64
	)
	at := func() *Funnel {
		key := FunnelKey{MonthOf(first), channel}
		if f[key] == nil {
			f[key] = &Funnel{}
		}
		return f[key]
	}
	rows, err := tx.Query(ctx, `SELECT month, channel, stage, people FROM journey_funnel WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), id)
	if err != nil {
		return err
	}
	if _, err = pgx.ForEachRow(rows, []any{&first, &channel, &stage, &people}, func() error {
		at().Reached[stage-1] += people
		return nil
	}); err != nil {
		return err
	}
	if rows, err = tx.Query(ctx, `SELECT month, channel, stage, days, people FROM journey_funnel_days WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), id); err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&first, &channel, &stage, &days, &people}, func() error {
		own := at()
		if own.Days[stage-1] == nil {
			own.Days[stage-1] = map[int]int64{}
		}
		own.Days[stage-1][days] += people
		return nil
	})
	return err
}

// Filter is which part of a funnel or of cohorts is shown.
type Filter struct {
	From, To Month // both included
	Channel  string
	By       string // month, channel, month_channel, or empty for all in one
}

// By what is shown.
const (
	ByMonth        = "month"
	ByChannel      = "channel"
	ByMonthChannel = "month_channel"
)

func (f Filter) holds(m Month, channel string) bool {
	return m >= f.From && m <= f.To && (f.Channel == "" || f.Channel == channel)
}

// key is what stands together.
func (f Filter) key(m Month, channel string) FunnelKey {
	switch f.By {
	case ByMonth:
		return FunnelKey{Month: m}
	case ByChannel:
		return FunnelKey{Channel: channel}
	case ByMonthChannel:
		return FunnelKey{m, channel}
	default:
		return FunnelKey{}
	}
}

// KeyedFunnel is a funnel with what it is of.
type KeyedFunnel struct {
	FunnelKey
	Funnel
}

// Shown adds up what stands together, in the order of months and channels.
func (f Funnels) Shown(by Filter) []KeyedFunnel {
	sums := map[FunnelKey]*KeyedFunnel{}
	for key, one := range f {
		if !by.holds(key.Month, key.Channel) {
			continue
		}
		to := by.key(key.Month, key.Channel)
		if sums[to] == nil {
			sums[to] = &KeyedFunnel{FunnelKey: to}
		}
		sums[to].Plus(one)
	}
	all := make([]KeyedFunnel, 0, len(sums))
	for _, one := range sums {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b KeyedFunnel) int { return compareKeys(a.FunnelKey, b.FunnelKey) })
	return all
}

func compareKeys(a, b FunnelKey) int {
	return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(a.Channel, b.Channel))
}

// Cohort is a row of a triangle: the cells from age 0 to that of the last month, some of them empty.
type Cohort struct {
	FunnelKey
	Ages []Cell
}

// Shown adds up the rows that stand together, until the last month there is; and the whole triangle and the rest, of all months.
func (c *Cohorts) Shown(by Filter, last Month, maxAge int) (rows []Cohort, triangle, rest Cell) {
	sums := map[FunnelKey]*Cohort{}
	for key, cell := range c.Cells {
		own := *cell
		own.Customers = 0
		triangle.plus(own)
		if !by.holds(key.Month, key.Channel) || key.Age > maxAge {
			continue
		}
		to := by.key(key.Month, key.Channel)
		if sums[to] == nil {
			sums[to] = &Cohort{FunnelKey: to, Ages: make([]Cell, min(int(last-key.Month), maxAge)+1)}
		}
		row := sums[to]
		for len(row.Ages) <= key.Age {
			row.Ages = append(row.Ages, Cell{})
		}
		row.Ages[key.Age].plus(*cell)
	}
	for _, row := range sums {
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b Cohort) int { return compareKeys(a.FunnelKey, b.FunnelKey) })
	for _, cell := range c.Rest {
		rest.plus(*cell)
	}
	return rows, triangle, rest
}
