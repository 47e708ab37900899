package timeline

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Timelines reads timelines.
type Timelines struct {
	db *pg.DB
	// What there can be on timelines.
	services, titles, aggregates []string
}

// New makes Timelines on the service's database.
func New(db *pg.DB) *Timelines {
	t := &Timelines{db: db}
	for _, e := range placed() {
		t.services, t.titles, t.aggregates = append(t.services, e.Service()), append(t.titles, e.Title()), append(t.aggregates, e.Aggregate())
	}
	for _, codes := range []*[]string{&t.services, &t.titles, &t.aggregates} {
		slices.Sort(*codes)
		*codes = slices.Compact(*codes)
	}
	return t
}

var (
	// errNotFound is the same for a customer that is not there and for another tenant's.
	errNotFound = problem.New(problem.NotFound, "customer_not_found", "There is no such customer.")
	errErased   = problem.New(problem.Gone, "customer_erased", "The customer was erased: nothing is known of them any more.")
)

// Filter keeps some entries of a timeline. What is empty keeps all.
type Filter struct {
	Service   string
	Aggregate string
	Titles    []string
	Since     time.Time // that time and later
	Until     time.Time // earlier than that time
}

// end is the place before which the entries stand that the filter keeps and that come before the given one.
func (f Filter) end(before place) place {
	if !f.Until.IsZero() && f.Until.Before(before.at) {
		return place{at: f.Until}
	}
	return before
}

const (
	// groupSQL gives all ids that mean the customer $2: what was written for a customer keeps its id, so that merges and
	// their undoing need no writing here. One who is known by events only is a group of its own. Each id is looked for
	// apart, whereby the first entries of each are enough for a page of all. The limits keep what is coalesced from becoming
	// a condition, which under row level security could not use the index.
	groupSQL = `unnest(coalesce((SELECT r.id || r.aliases FROM (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = $1 AND id = $2 LIMIT 1) c
		CROSS JOIN LATERAL (SELECT id, aliases FROM customer WHERE tenant_id = $1 AND id = c.root LIMIT 1) r), ARRAY[$2::uuid])) AS g (id)`

	// stateSQL gives the customer's state; unknown where only events know the customer, and no row where nobody does.
	stateSQL = `SELECT coalesce((SELECT r.state FROM (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = $1 AND id = $2 LIMIT 1) c
			CROSS JOIN LATERAL (SELECT state FROM customer WHERE tenant_id = $1 AND id = c.root LIMIT 1) r),
		(SELECT 'unknown' FROM timeline_entry WHERE tenant_id = $1 AND customer_id = $2 LIMIT 1), '')`

	entriesSQL = `SELECT e.event_id, e.at, e.service, e.title, e.aggregate, e.aggregate_id, e.details::text, coalesce(encode(e.trace_id, 'hex'), '')
		FROM ` + groupSQL + ` CROSS JOIN LATERAL (
			SELECT * FROM timeline_entry WHERE tenant_id = $1 AND customer_id = g.id AND (at, event_id) < ($3, $4) AND at >= $5
				AND ($6 = '' OR service = $6) AND ($7 = '' OR aggregate = $7) AND (cardinality($8::text[]) = 0 OR title = ANY($8::text[]))
			ORDER BY at DESC, event_id DESC LIMIT $9) e
		ORDER BY e.at DESC, e.event_id DESC LIMIT $9`

	factsSQL = `SELECT f.name, f.unit, sum(f.value)::bigint FROM ` + groupSQL + ` CROSS JOIN LATERAL (
			SELECT name, unit, value FROM timeline_fact WHERE tenant_id = $1 AND customer_id = g.id OFFSET 0) f
		GROUP BY f.name, f.unit ORDER BY f.name, f.unit`
)

// Read gives up to limit entries of a customer's timeline that the filter keeps and that come before the place, the latest
// first, with the facts and how fresh all of it is, in one round trip. It is the timeline of all whose ids mean the customer
// now. One of whom neither accounts nor any event knows is NotFound, one who was erased is Gone.
func (t *Timelines) Read(ctx context.Context, customer uuid.UUID, f Filter, before place, limit int) (View, error) {
	var v View
	var state string
	before = f.end(before)
	err := t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		v = View{}
		tx.Queue(stateSQL, tx.Tenant(), customer).QueryRow(func(row pgx.Row) error { return row.Scan(&state) })
		titles := append([]string{}, f.Titles...) // not NULL
		tx.Queue(entriesSQL, tx.Tenant(), customer, before.at, before.event, f.Since, f.Service, f.Aggregate, titles, limit).
			Query(func(rows pgx.Rows) (err error) { v.Entries, err = pgx.CollectRows(rows, scanEntry); return err })
		tx.Queue(factsSQL, tx.Tenant(), customer).
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
	switch {
	case err != nil:
		return View{}, err
	case state == "":
		return View{}, errNotFound
	case state == "erased":
		return View{}, errErased
	}
	return v, nil
}

func scanEntry(row pgx.CollectableRow) (e Entry, err error) {
	var details string
	err = row.Scan(&e.EventID, &e.At, &e.Service, &e.Title, &e.Aggregate, &e.AggregateID, &details, &e.TraceID)
	if err != nil {
		return Entry{}, err
	}
	return e, json.Unmarshal([]byte(details), &e.Details)
}
