package timeline

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Timelines reads timelines.
type Timelines struct {
	db       *pg.DB
	services []string // that have events on timelines
}

// New makes Timelines on the service's database.
func New(db *pg.DB) *Timelines {
	t := &Timelines{db: db}
	for _, e := range placed() {
		if !slices.Contains(t.services, e.Service()) {
			t.services = append(t.services, e.Service())
		}
	}
	return t
}

// errNotFound is the same for a customer that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "customer_not_found", "There is no such customer.")

// Read gives up to limit entries of a customer's timeline that come before the place, the latest first, with the facts and
// how fresh all of it is, in one round trip. With a service, only its entries. A customer of whom neither accounts nor any
// event knows is NotFound.
func (t *Timelines) Read(ctx context.Context, customer uuid.UUID, service string, before place, limit int) (View, error) {
	var v View
	var known bool
	err := t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		v = View{}
		tx.Queue(`SELECT EXISTS (SELECT FROM customer WHERE tenant_id = $1 AND id = $2)
			OR EXISTS (SELECT FROM timeline_entry WHERE tenant_id = $1 AND customer_id = $2)`, tx.Tenant(), customer).
			QueryRow(func(row pgx.Row) error { return row.Scan(&known) })
		tx.Queue(`SELECT event_id, at, service, title, aggregate, aggregate_id, details::text FROM timeline_entry
			WHERE tenant_id = $1 AND customer_id = $2 AND (at, event_id) < ($3, $4) AND ($5 = '' OR service = $5)
			ORDER BY at DESC, event_id DESC LIMIT $6`, tx.Tenant(), customer, before.at, before.event, service, limit).
			Query(func(rows pgx.Rows) (err error) { v.Entries, err = pgx.CollectRows(rows, scanEntry); return err })
		tx.Queue(`SELECT name, unit, sum(value)::bigint FROM timeline_fact WHERE tenant_id = $1 AND customer_id = $2
			GROUP BY name, unit ORDER BY name, unit`, tx.Tenant(), customer).
			Query(func(rows pgx.Rows) (err error) {
				v.Facts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Fact])
				return err
			})
		tx.Queue(`SELECT service, max(newest_at) FROM timeline_as_of WHERE tenant_id = $1 GROUP BY service ORDER BY service`, tx.Tenant()).
			Query(func(rows pgx.Rows) (err error) {
				v.AsOf, err = pgx.CollectRows(rows, pgx.RowToStructByPos[AsOf])
				return err
			})
		return nil
	})
	if err == nil && !known {
		return View{}, errNotFound
	}
	return v, err
}

func scanEntry(row pgx.CollectableRow) (e Entry, err error) {
	var details string
	err = row.Scan(&e.EventID, &e.At, &e.Service, &e.Title, &e.Aggregate, &e.AggregateID, &details)
	if err != nil {
		return Entry{}, err
	}
	return e, json.Unmarshal([]byte(details), &e.Details)
}
