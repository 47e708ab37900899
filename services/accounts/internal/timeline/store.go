package timeline

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// Each statement takes a whole batch as arrays; ids as [16]byte, since a uuid.UUID would travel as text.
const (
	// Each aggregate is looked for by its key.
	keptSQL = `
SELECT k.* FROM unnest($2::text[], $3::text[], $4::text[]) AS s (service, aggregate, id)
CROSS JOIN LATERAL (
	SELECT u.service, u.aggregate, u.aggregate_id, u.event_id, u.epoch, u.seq, u.at, u.title, u.details::text, u.changes::text, u.trace_id
	FROM timeline_unresolved u
	WHERE u.tenant_id = $1 AND u.service = s.service AND u.aggregate = s.aggregate AND u.aggregate_id = s.id OFFSET 0) k`

	// One row: a set of them would, by a plan for a table with few rows, be looked for among all of the tenant's.
	dropKeptSQL = `
DELETE FROM timeline_unresolved WHERE tenant_id = $1 AND service = $2 AND aggregate = $3 AND aggregate_id = $4 AND event_id = $5`

	keepSQL = `
INSERT INTO timeline_unresolved (tenant_id, service, aggregate, aggregate_id, event_id, epoch, seq, at, title, details, changes, trace_id)
SELECT $1, u.service, u.aggregate, u.id, u.event_id, u.epoch, u.seq, u.at, u.title, u.details::json, u.changes::json, u.trace_id
FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::integer[], $7::bigint[], $8::timestamptz[], $9::text[], $10::text[], $11::text[],
	$12::bytea[]) AS u (service, aggregate, id, event_id, epoch, seq, at, title, details, changes, trace_id)
ON CONFLICT DO NOTHING`

	// A row that is there already stays as it is, and is not given back: an event that got past the consumer's cursor
	// twice, since its producer was restored, counts once.
	insertSQL = `
INSERT INTO timeline_entry (tenant_id, customer_id, at, event_id, service, title, aggregate, aggregate_id, details, trace_id)
SELECT $1, e.customer_id, e.at, e.event_id, e.service, e.title, e.aggregate, e.id, e.details::json, e.trace_id
FROM unnest($2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[])
	AS e (customer_id, at, event_id, service, title, aggregate, id, details, trace_id)
ON CONFLICT DO NOTHING
RETURNING event_id`

	addSQL = `
INSERT INTO timeline_fact AS f (tenant_id, customer_id, name, unit, contributor, value)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[])
ON CONFLICT (tenant_id, customer_id, name, unit, contributor) DO UPDATE SET value = f.value + excluded.value`

	setSQL = `
INSERT INTO timeline_fact AS f (tenant_id, customer_id, name, unit, contributor, value)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[])
ON CONFLICT (tenant_id, customer_id, name, unit, contributor) DO UPDATE SET value = excluded.value`

	moveAsOfSQL = `
INSERT INTO timeline_as_of AS a (tenant_id, service, slot, newest_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, service, slot) DO UPDATE SET newest_at = greatest(a.newest_at, excluded.newest_at)`
)

// takeKept gives the entries that waited for one of batch to name their customer, in order, and queues their removal.
func takeKept(ctx context.Context, tx *pg.Tx, batch []entry) ([]entry, error) {
	var services, aggregates, ids []string
	seen := make(map[stream]bool)
	for _, e := range batch {
		if e.customer == uuid.Nil || e.first() || seen[e.stream] {
			continue
		}
		seen[e.stream] = true
		services, aggregates, ids = append(services, e.service), append(aggregates, e.aggregate), append(ids, e.id)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	// The table is empty most of the time. A plan that reads it from end to end would be made then, and kept when it fills.
	tx.Queue(`SELECT set_config('enable_seqscan', 'off', true)`)
	rows, err := tx.Query(ctx, keptSQL, tx.Tenant(), services, aggregates, ids)
	if err != nil {
		return nil, err
	}
	kept, err := pgx.CollectRows(rows, scanKept)
	slices.SortFunc(kept, func(a, b entry) int { return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.seq, b.seq)) })
	for _, e := range kept {
		tx.Queue(dropKeptSQL, tx.Tenant(), e.service, e.aggregate, e.id, e.event)
	}
	return kept, err
}

func scanKept(row pgx.CollectableRow) (e entry, err error) {
	var changes string
	err = row.Scan(&e.service, &e.aggregate, &e.id, &e.event, &e.epoch, &e.seq, &e.at, &e.title, &e.details, &changes, &e.trace)
	if err != nil {
		return entry{}, err
	}
	return e, json.Unmarshal([]byte(changes), &e.changes)
}

// keep queues entries whose customer is not known.
func keep(tx *pg.Tx, unknown []entry) error {
	n := len(unknown)
	if n == 0 {
		return nil
	}
	services, aggregates, ids, titles := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	events, epochs, seqs, at := make([][16]byte, n), make([]int32, n), make([]int64, n), make([]time.Time, n)
	details, changes, traces := make([]string, n), make([]string, n), make([][]byte, n)
	for i, e := range unknown {
		text, err := json.Marshal(e.changes)
		if err != nil {
			return err
		}
		services[i], aggregates[i], ids[i], titles[i] = e.service, e.aggregate, e.id, e.title
		events[i], epochs[i], seqs[i], at[i] = e.event, int32(e.epoch), e.seq, e.at
		details[i], changes[i], traces[i] = e.details, string(text), e.trace
	}
	tx.Queue(keepSQL, tx.Tenant(), services, aggregates, ids, events, epochs, seqs, at, titles, details, changes, traces)
	return nil
}

// insert writes entries whose customer is known and gives those that were not there yet, in order.
func insert(ctx context.Context, tx *pg.Tx, known []entry) ([]entry, error) {
	n := len(known)
	if n == 0 {
		return nil, nil
	}
	customers, events, at := make([][16]byte, n), make([][16]byte, n), make([]time.Time, n)
	services, titles, aggregates, ids, details := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	traces := make([][]byte, n)
	for i, e := range known {
		customers[i], events[i], at[i], traces[i] = e.customer, e.event, e.at, e.trace
		services[i], titles[i], aggregates[i], ids[i], details[i] = e.service, e.title, e.aggregate, e.id, e.details
	}
	rows, err := tx.Query(ctx, insertSQL, tx.Tenant(), customers, at, events, services, titles, aggregates, ids, details, traces)
	if err != nil {
		return nil, err
	}
	inserted, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(inserted) == n {
		return known, err
	}
	fresh := make(map[uuid.UUID]bool, len(inserted))
	for _, id := range inserted {
		fresh[id] = true
	}
	return slices.DeleteFunc(known, func(e entry) bool {
		was := fresh[e.event]
		delete(fresh, e.event) // the next one of this id is the same event
		return !was
	}), nil
}

// count queues what entries do to facts.
func count(tx *pg.Tx, fresh []entry, partition int) error {
	if len(fresh) == 0 {
		return nil
	}
	added, set, err := tally(fresh, fresh[0].service+"/"+strconv.Itoa(partition))
	if err != nil {
		return err
	}
	queueFacts(tx, addSQL, added)
	queueFacts(tx, setSQL, set)
	return nil
}

func queueFacts(tx *pg.Tx, sql string, facts map[part]int64) {
	n := len(facts)
	if n == 0 {
		return
	}
	customers, names, units := make([][16]byte, 0, n), make([]string, 0, n), make([]string, 0, n)
	contributors, values := make([]string, 0, n), make([]int64, 0, n)
	for p, value := range facts {
		customers, names, units = append(customers, p.customer), append(names, p.name), append(units, p.unit)
		contributors, values = append(contributors, p.contributor), append(values, value)
	}
	tx.Queue(sql, tx.Tenant(), customers, names, units, contributors, values)
}

func moveAsOf(tx *pg.Tx, service string, partition int, newest time.Time) {
	tx.Queue(moveAsOfSQL, tx.Tenant(), service, int16(partition), newest)
}

// Portable gives what the timeline shows, by all ids that mean the customer, for the customer to take along. Traces are no data of
// the customer's: they are how our machines worked.
func Portable(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
	return customer.Rows(ctx, tx, group, "timeline_entry", "customer_id", "at, event_id", "trace_id")
}

// PortableFacts gives the facts that the timeline adds up to, by all ids that mean the customer, for the customer to take along.
func PortableFacts(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
	return customer.Rows(ctx, tx, group, "timeline_fact", "customer_id", "name, unit, contributor")
}
