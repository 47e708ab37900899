package recovery

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
)

// Recoveries measures recovery.
type Recoveries struct {
	db      *pg.DB
	service string
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, service string, clock func() time.Time) *Recoveries {
	return &Recoveries{db: db, service: service, clock: clock}
}

// Report measures the complaints of the caller's tenant that ended in a period, with the outcome (empty: any). Everything is
// read at one moment each, in short transactions.
func (r *Recoveries) Report(ctx context.Context, period survey.Period, outcome string) (Report, error) {
	tenant, at := auth.Tenant(ctx), r.clock().UTC().Truncate(time.Microsecond)
	var ready []Case
	var early int
	var purchases *time.Time
	err := r.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		tx.Queue(`SELECT max(newest_at) FROM purchase_as_of WHERE tenant_id = $1`, tenant).QueryRow(func(row pgx.Row) error { return row.Scan(&purchases) })
		all, err := cases(ctx, tx, period, outcome)
		ready, early = Split(all, at)
		return err
	})
	if err != nil {
		return Report{}, err
	}
	report := Report{}
	if len(ready) > 0 {
		if report, err = r.measure(ctx, tenant, ready); err != nil {
			return Report{}, err
		}
	}
	report.AsOf, report.TooEarly = at, early
	if purchases != nil {
		report.PurchasesAt = purchases.UTC()
	}
	return report, nil
}

func (r *Recoveries) measure(ctx context.Context, tenant string, ready []Case) (Report, error) {
	from, to := ready[0].RegisteredAt.Add(-Back), ready[0].ClosedAt // the earliest comes first
	customers := make([]uuid.UUID, len(ready))
	for i, c := range ready {
		customers[i] = c.Customer
		if c.ClosedAt.After(to) {
			to = c.ClosedAt
		}
	}
	to = to.Add(Window)
	var pool, talking []Person
	of := make([]Person, len(ready))
	err := r.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
		pool, err = buyers(ctx, tx, from, to)
		return err
	})
	if err != nil {
		return Report{}, err
	}
	err = r.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		said, complainers, err := speakers(ctx, tx, from, to)
		if err != nil {
			return err
		}
		for id, all := range said {
			if len(all) > 1 && !complainers[id] {
				talking = append(talking, Person{ID: id, Said: all})
			}
		}
		slices.SortFunc(talking, func(a, b Person) int { return bytes.Compare(a.ID[8:], b.ID[8:]) }) // by what is random of an id
		talking = talking[:min(len(talking), poolMost)]
		everybody := slices.Clone(customers)
		for _, p := range talking {
			everybody = append(everybody, p.ID)
		}
		when, err := bought(ctx, tx, everybody, from, to)
		for i := range talking {
			talking[i].Bought = when[talking[i].ID]
		}
		for i, id := range customers {
			of[i] = Person{ID: id, Bought: when[id], Said: said[id]}
		}
		return err
	})
	return Measure(ready, of, pool, talking), err
}
