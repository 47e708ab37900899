package forecast

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// monthsJudged is how many months are judged at once at most.
const monthsJudged = 36

// Said is what one weekly snapshot said of a month, against what was won in it.
type Said struct {
	Month, Currency string
	// LeadWeeks is how many whole weeks the month still had to go when the snapshot was taken.
	LeadWeeks   int
	SnapshotID  uuid.UUID
	TakenAt     time.Time
	SaidMinor   int64 // what was won by then, and what was open weighted
	ActualMinor int64 // what was won in the month, as it stands now
}

// Error gives how far the forecast was above (or, less than 0, below) what came, in percent of that with two decimals; ok is
// false where nothing came: nothing can be said in percent of that.
func (s Said) Error() (percent float64, ok bool) {
	if s.ActualMinor == 0 {
		return 0, false
	}
	return ratio(s.SaidMinor-s.ActualMinor, s.ActualMinor), true
}

// ratio gives a part in percent of a whole that is not 0, with two decimals, halves away from 0.
func ratio(part, whole int64) float64 { return math.Round(float64(part)/float64(whole)*10000) / 100 }

// Lead is how good forecasts were at one lead in time, in one currency.
type Lead struct {
	Currency               string
	LeadWeeks              int
	Months                 int // that were compared
	SaidMinor, ActualMinor int64
	// AbsoluteMinor is the sum of what each month was off by, whichever way.
	AbsoluteMinor int64
}

// Error gives the mean error, whichever way, weighted by what came, in percent of that (WAPE); ok is false where nothing came.
func (l Lead) Error() (percent float64, ok bool) {
	if l.ActualMinor == 0 {
		return 0, false
	}
	return ratio(l.AbsoluteMinor, l.ActualMinor), true
}

// Bias gives by how much all months together were forecast too high, or, less than 0, too low, in percent of what came.
func (l Lead) Bias() (percent float64, ok bool) {
	if l.ActualMinor == 0 {
		return 0, false
	}
	return ratio(l.SaidMinor-l.ActualMinor, l.ActualMinor), true
}

// Accuracy is how good the forecasts of months that are over were.
type Accuracy struct {
	From, To string // months that were looked at
	Each     []Said
	Leads    []Lead
	// Reason is a code of why there is nothing to compare: no_month_over, no_snapshot or nothing_expected; empty where there is.
	Reason string
}

// Judge compares what weekly snapshots said of months with what was won in them. Months that are not over are left out. From and to
// may be empty: the twelve months before the present one.
func (f *Forecasts) Judge(ctx context.Context, scope Scope) (a Accuracy, err error) {
	if scope, err = narrowed(ctx, scope); err != nil {
		return a, err
	}
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		set := SettingOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		now := f.now()
		first := begins(monthOf(now, set.Zone), set.Zone)
		a.From, a.To = cmp.Or(scope.From, monthOf(first.AddDate(0, -12, 0), set.Zone)), cmp.Or(scope.To, monthOf(first.AddDate(0, -1, 0), set.Zone))
		a.To = min(a.To, monthOf(first.AddDate(0, -1, 0), set.Zone))
		over := months(a.From, a.To)
		switch {
		case len(over) > monthsJudged:
			return problem.New(problem.Unprocessable, "forecast_invalid", "At most %d months are judged at once.", monthsJudged).
				WithField("query.from", "period_too_long", "is too long ago")
		case len(over) == 0:
			a.Reason = "no_month_over"
			return nil
		}
		return a.judge(ctx, tx, scope, over, set.Zone)
	})
	return a, err
}

// monthly is a month in a currency.
type monthly struct{ month, currency string }

func (a *Accuracy) judge(ctx context.Context, tx *pg.Tx, scope Scope, over []string, zone *time.Location) error {
	snapshots, err := weeklySnapshots(ctx, tx, begins(over[0], zone).AddDate(0, -6, 0), ends(over[len(over)-1], zone))
	if err != nil {
		return err
	}
	actual, err := actuals(ctx, tx, scope, over, zone)
	if err != nil {
		return err
	}
	said, err := saidOf(ctx, tx, scope, over, snapshots)
	if err != nil {
		return err
	}
	all := maps.Clone(actual)
	for k := range said {
		if _, there := all[k.monthly]; !there {
			all[k.monthly] = 0 // it was forecast, and nothing came
		}
	}
	for k, came := range all {
		at := map[int]bool{}
		for _, s := range snapshots { // the latest first: of two in one week of lead the later one counts
			end := ends(k.month, zone)
			lead := int(end.Sub(s.TakenAt) / (7 * 24 * time.Hour))
			if !s.TakenAt.Before(end) || lead > 26 || at[lead] {
				continue
			}
			at[lead] = true
			a.Each = append(a.Each, Said{k.month, k.currency, lead, s.ID, s.TakenAt, said[saidKey{s.ID, k}], came})
		}
	}
	slices.SortFunc(a.Each, func(x, y Said) int {
		return cmp.Or(cmp.Compare(x.Currency, y.Currency), cmp.Compare(x.Month, y.Month), cmp.Compare(x.LeadWeeks, y.LeadWeeks))
	})
	a.lead()
	switch {
	case len(snapshots) == 0:
		a.Reason = "no_snapshot"
	case len(a.Each) == 0:
		a.Reason = "nothing_expected"
	}
	return nil
}

// lead adds up by lead in time.
func (a *Accuracy) lead() {
	leads := map[[2]any]*Lead{}
	for _, s := range a.Each {
		k := [2]any{s.Currency, s.LeadWeeks}
		l := leads[k]
		if l == nil {
			l = &Lead{Currency: s.Currency, LeadWeeks: s.LeadWeeks}
			leads[k] = l
		}
		l.Months++
		l.SaidMinor, l.ActualMinor, l.AbsoluteMinor = l.SaidMinor+s.SaidMinor, l.ActualMinor+s.ActualMinor, l.AbsoluteMinor+max(s.SaidMinor-s.ActualMinor, s.ActualMinor-s.SaidMinor)
	}
	for _, l := range leads {
		a.Leads = append(a.Leads, *l)
	}
	slices.SortFunc(a.Leads, func(x, y Lead) int {
		return cmp.Or(cmp.Compare(x.Currency, y.Currency), cmp.Compare(x.LeadWeeks, y.LeadWeeks))
	})
}

func weeklySnapshots(ctx context.Context, tx *pg.Tx, from, to time.Time) ([]Snapshot, error) {
	rows, err := tx.Query(ctx, `SELECT `+snapshotColumns+` FROM forecast_snapshot WHERE tenant_id = $1 AND week IS NOT NULL AND taken_at >= $2 AND taken_at < $3
		ORDER BY taken_at DESC`, tx.Tenant(), from, to)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSnapshot)
}

// actuals gives what was won in each month.
func actuals(ctx context.Context, tx *pg.Tx, scope Scope, over []string, zone *time.Location) (map[monthly]int64, error) {
	args := pgx.NamedArgs{"tenant": tx.Tenant(), "zone": zone.String(), "since": begins(over[0], zone), "until": ends(over[len(over)-1], zone)}
	scope.args(args)
	rows, err := tx.Query(ctx, `SELECT l.month, l.currency, sum(l.amount_minor)::bigint FROM (
			SELECT o.*, to_char(o.closed_at AT TIME ZONE @zone, 'YYYY-MM') AS month FROM opportunity o
			WHERE o.tenant_id = @tenant AND o.state = 'won' AND o.closed_at >= @since AND o.closed_at < @until
		) l WHERE `+inScope+` GROUP BY 1, 2`, args)
	if err != nil {
		return nil, err
	}
	all := map[monthly]int64{}
	var (
		k monthly
		n int64
	)
	_, err = pgx.ForEachRow(rows, []any{&k.month, &k.currency, &n}, func() error {
		all[k] = n
		return nil
	})
	return all, err
}

type saidKey struct {
	snapshot uuid.UUID
	monthly
}

// saidOf gives what each snapshot said of each month.
func saidOf(ctx context.Context, tx *pg.Tx, scope Scope, over []string, snapshots []Snapshot) (map[saidKey]int64, error) {
	ids := make([]uuid.UUID, len(snapshots))
	for i, s := range snapshots {
		ids[i] = s.ID
	}
	args := pgx.NamedArgs{"tenant": tx.Tenant(), "snapshots": ids, "months": over}
	scope.args(args)
	rows, err := tx.Query(ctx, `SELECT l.snapshot_id, l.month, l.currency, sum(l.weighted_minor)::bigint FROM forecast_snapshot_line l
		WHERE l.tenant_id = @tenant AND l.snapshot_id = ANY (@snapshots) AND l.month = ANY (@months) AND `+inScope+` GROUP BY 1, 2, 3`, args)
	if err != nil {
		return nil, err
	}
	all := map[saidKey]int64{}
	var (
		k saidKey
		n int64
	)
	_, err = pgx.ForEachRow(rows, []any{&k.snapshot, &k.month, &k.currency, &n}, func() error {
		all[k] = n
		return nil
	})
	return all, err
}
