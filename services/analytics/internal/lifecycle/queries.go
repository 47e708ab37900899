package lifecycle

import (
	"context"
	"errors"
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

// patience is how long one question over all customers may take.
const patience = 20 * time.Second

// Settings gives the settings of the caller's tenant.
func (l *Lifecycle) Settings(ctx context.Context) (s Settings, err error) {
	err = l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		s, err = settings(ctx, tx)
		return err
	})
	return s, err
}

// Progress is a run and how far it is.
type Progress struct {
	run.Run
	Customers int64 // looked at so far
	Proposed  int64 // events
}

// Run gives a run of the caller's tenant.
func (l *Lifecycle) Run(ctx context.Context, id uuid.UUID) (p Progress, err error) {
	err = l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if p.Run, err = run.Find(ctx, tx, Kind, id); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `SELECT customers, proposed FROM lifecycle_run WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), id).Scan(&p.Customers, &p.Proposed)
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return err
	})
	return p, err
}

// Relationship is where a customer stands and how it came there.
type Relationship struct {
	CustomerID uuid.UUID // of merged customers, the one who stands for all
	Known      bool      // a run has looked at the customer
	Stage      string
	Since      time.Time
	Reasons    []string
	Pattern    string
	AsOf       time.Time
	Steps      []Seen
}

// Seen is a stage that a customer was seen to come to.
type Seen struct {
	Stage   string
	BeganOn time.Time
	SeenAt  time.Time
	Reasons []string
}

// Of gives where the customer stands whom the id means; Gone customer_erased, NotFound customer_not_found.
func (l *Lifecycle) Of(ctx context.Context, id uuid.UUID) (r Relationship, err error) {
	err = l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		r = Relationship{}
		root := alias.Root(tx, id)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		r.CustomerID = *root
		var (
			stage, pattern *string
			since, asOf    *time.Time
		)
		err := tx.QueryRow(ctx, `SELECT l.stage, l.since, l.reasons, l.pattern, l.as_of FROM portrait p
			LEFT JOIN lifecycle_state l ON l.tenant_id = $1 AND l.customer_id = p.customer_id WHERE p.tenant_id = $1 AND p.customer_id = $2`, tx.Tenant(), *root).
			Scan(&stage, &since, &r.Reasons, &pattern, &asOf)
		if errors.Is(err, pgx.ErrNoRows) {
			return fact.Missing(ctx, tx, *root)
		}
		if err != nil || stage == nil {
			return err
		}
		r.Known, r.Stage, r.Since, r.Pattern, r.AsOf = true, *stage, *since, *pattern, *asOf
		rows, err := tx.Query(ctx, `SELECT stage, began_on, seen_at, reasons FROM lifecycle_step WHERE tenant_id = $1 AND customer_id = $2 ORDER BY no`, tx.Tenant(), *root)
		if err != nil {
			return err
		}
		r.Steps, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Seen])
		return err
	})
	return r, err
}

// StageNow is how many customers are in a stage, and how long it lasts.
type StageNow struct {
	Stage          string
	Customers      int64
	PredictedMinor int64 // the sum of their predicted values
	Length         Curve // days from its beginning to the next stage; those still in it are censored
}

// Overview counts customers by stage. asOf is the earliest day up to which one of them was looked at; zero where nobody was.
func (l *Lifecycle) Overview(ctx context.Context) (all []StageNow, asOf time.Time, err error) {
	err = l.db.ReadWithin(ctx, auth.Tenant(ctx), patience, func(tx *pg.Tx) error {
		all, asOf = make([]StageNow, 0, 5), time.Time{}
		place := map[string]int{}
		for i, stage := range Stages() {
			all, place[stage] = append(all, StageNow{Stage: stage}), i
		}
		rows, err := tx.Query(ctx, `SELECT l.stage, count(*), coalesce(sum(p.predicted_value_minor), 0)::bigint, min(l.as_of)
			FROM lifecycle_state l JOIN portrait p ON p.tenant_id = $1 AND p.customer_id = l.customer_id WHERE l.tenant_id = $1 GROUP BY 1`, tx.Tenant())
		if err != nil {
			return err
		}
		var (
			now StageNow
			day time.Time
		)
		_, err = pgx.ForEachRow(rows, []any{&now.Stage, &now.Customers, &now.PredictedMinor, &day}, func() error {
			s := &all[place[now.Stage]]
			s.Customers, s.PredictedMinor = now.Customers, now.PredictedMinor
			if asOf.IsZero() || day.Before(asOf) {
				asOf = day
			}
			return nil
		})
		if err != nil {
			return err
		}
		// Of who is still in a stage no more is known than that it lasted up to the day that was looked at.
		rows, err = tx.Query(ctx, `SELECT stage, days, count(*) FILTER (WHERE over), count(*) FILTER (WHERE NOT over) FROM (
				SELECT s.stage, coalesce(lead(s.began_on) OVER w, l.as_of) - s.began_on AS days, lead(s.began_on) OVER w IS NOT NULL AS over
				FROM lifecycle_state l JOIN lifecycle_step s ON s.tenant_id = $1 AND s.customer_id = l.customer_id
				WHERE l.tenant_id = $1 WINDOW w AS (PARTITION BY s.customer_id ORDER BY s.no)
			) AS spell GROUP BY 1, 2`, tx.Tenant())
		if err != nil {
			return err
		}
		spells := map[string][]Observed{}
		var (
			stage string
			o     Observed
		)
		_, err = pgx.ForEachRow(rows, []any{&stage, &o.Time, &o.Ended, &o.Censored}, func() error {
			spells[stage] = append(spells[stage], o)
			return nil
		})
		for i := range all {
			all[i].Length = KaplanMeier(spells[all[i].Stage])
		}
		return err
	})
	return all, asOf, err
}

// Patterns counts customers by the pattern of their relationship's life.
func (l *Lifecycle) Patterns(ctx context.Context) (counts map[string]int64, asOf time.Time, err error) {
	err = l.db.ReadWithin(ctx, auth.Tenant(ctx), patience, func(tx *pg.Tx) error {
		counts, asOf = map[string]int64{}, time.Time{}
		rows, err := tx.Query(ctx, `SELECT pattern, count(*), min(as_of) FROM lifecycle_state WHERE tenant_id = $1 GROUP BY 1`, tx.Tenant())
		if err != nil {
			return err
		}
		var (
			pattern string
			n       int64
			day     time.Time
		)
		_, err = pgx.ForEachRow(rows, []any{&pattern, &n, &day}, func() error {
			counts[pattern] = n
			if asOf.IsZero() || day.Before(asOf) {
				asOf = day
			}
			return nil
		})
		return err
	})
	return counts, asOf, err
}

// Group is how long the relationships of a group last, in days from the first purchase.
type Group struct {
	Name string
	All  []Observed
}

// By what relationships are grouped.
var groupings = map[string]string{
	"":        `''`,
	"year":    `to_char(first_on, 'YYYY')`,
	"month":   `to_char(first_on, 'YYYY-MM')`,
	"channel": `channel`,
}

// maxGroups is how many curves an answer has at most.
const maxGroups = 100

// Lives gives how long relationships last, of customers who bought first from a day and up to a day, by year or month of the first
// purchase, by its channel, or together.
func (l *Lifecycle) Lives(ctx context.Context, by string, from, to *time.Time) (groups []Group, asOf time.Time, err error) {
	err = l.db.ReadWithin(ctx, auth.Tenant(ctx), patience, func(tx *pg.Tx) error {
		groups, asOf = nil, time.Time{}
		rows, err := tx.Query(ctx, `SELECT `+groupings[by]+`, coalesce(left_on, as_of) - first_on, count(*) FILTER (WHERE left_on IS NOT NULL),
				count(*) FILTER (WHERE left_on IS NULL), min(as_of)
			FROM lifecycle_state WHERE tenant_id = $1 AND first_on IS NOT NULL AND ($2::date IS NULL OR first_on >= $2) AND ($3::date IS NULL OR first_on <= $3)
			GROUP BY 1, 2 ORDER BY 1, 2`, tx.Tenant(), from, to)
		if err != nil {
			return err
		}
		var (
			name string
			o    Observed
			day  time.Time
		)
		_, err = pgx.ForEachRow(rows, []any{&name, &o.Time, &o.Ended, &o.Censored, &day}, func() error {
			if asOf.IsZero() || day.Before(asOf) {
				asOf = day
			}
			if n := len(groups); n == 0 || groups[n-1].Name != name {
				groups = append(groups, Group{Name: name})
			}
			g := &groups[len(groups)-1]
			g.All = append(g.All, o)
			return nil
		})
		return err
	})
	if err == nil && len(groups) > maxGroups {
		err = problem.New(problem.Unprocessable, "query_too_heavy", "There are more than %d groups. Narrow first_from and first_to, or group by year.", maxGroups)
	}
	return groups, asOf, err
}
