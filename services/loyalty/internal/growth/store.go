package growth

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// queueOrders queues orders, as they were placed; one that is there stays as it is.
func queueOrders(tx *pg.Tx, orders []order) {
	n := len(orders)
	if n == 0 {
		return
	}
	ids, customers, currencies := make([]uuid.UUID, n), make([]*uuid.UUID, n), make([]string, n)
	totals, placed := make([]int64, n), make([]time.Time, n)
	var (
		of      []uuid.UUID
		nos     []int32
		skus    []string
		amounts []int64
	)
	for i, o := range orders {
		ids[i], customers[i], currencies[i], totals[i], placed[i] = o.id, pg.OrNull(o.customer), o.currency, o.total, o.placedAt
		for _, l := range o.lines {
			of, nos, skus, amounts = append(of, o.id), append(nos, l.no), append(skus, l.sku), append(amounts, l.amount)
		}
	}
	tx.Queue(`INSERT INTO growth_order (tenant_id, order_id, customer_id, currency, total_minor, placed_at)
		SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::timestamptz[]) ON CONFLICT DO NOTHING`,
		tx.Tenant(), ids, customers, currencies, totals, placed)
	if len(of) > 0 {
		tx.Queue(`INSERT INTO growth_line (tenant_id, order_id, line_no, sku, amount_minor)
			SELECT $1, * FROM unnest($2::uuid[], $3::integer[], $4::text[], $5::bigint[]) ON CONFLICT DO NOTHING`,
			tx.Tenant(), of, nos, skus, amounts)
	}
}

// queueAttributions queues whose orders these are; the first that is told of an order stays.
func queueAttributions(tx *pg.Tx, orders, customers []uuid.UUID) {
	if len(orders) == 0 {
		return
	}
	// The ids are said twice, so that only these orders are read, also by a plan made while the table was new.
	tx.Queue(`UPDATE growth_order o SET customer_id = a.customer_id FROM unnest($2::uuid[], $3::uuid[]) AS a(order_id, customer_id)
		WHERE o.tenant_id = $1 AND o.order_id = a.order_id AND o.order_id = ANY($2::uuid[]) AND o.customer_id IS NULL`,
		tx.Tenant(), orders, customers)
}

// queueReturns queues what came back, of each return once; no more than was bought. A return of an order that was never placed
// changes nothing: the room earning sets it aside.
func queueReturns(tx *pg.Tx, returns []goodsBack) {
	n := len(returns)
	if n == 0 {
		return
	}
	orders, ids, amounts := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]int64, n)
	var (
		of          []uuid.UUID
		nos         []int32
		lineAmounts []int64
	)
	for i, r := range returns {
		orders[i], ids[i], amounts[i] = r.order, r.id, r.amount
		for _, l := range r.lines {
			of, nos, lineAmounts = append(of, r.id), append(nos, l.no), append(lineAmounts, l.amount)
		}
	}
	tx.Queue(`WITH fresh AS (
			INSERT INTO growth_return (tenant_id, order_id, return_id, amount_minor)
			SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::bigint[]) ON CONFLICT DO NOTHING
			RETURNING order_id, return_id, amount_minor
		), counted AS (
			UPDATE growth_order o SET returned_minor = least(o.total_minor, o.returned_minor + f.amount)::bigint
			FROM (SELECT order_id, sum(amount_minor) AS amount FROM fresh GROUP BY 1) f
			WHERE o.tenant_id = $1 AND o.order_id = f.order_id AND o.order_id = ANY($2::uuid[])
		)
		UPDATE growth_line l SET returned_minor = least(l.amount_minor, l.returned_minor + r.amount)::bigint
		FROM (SELECT f.order_id, n.line_no, sum(n.amount) AS amount FROM unnest($5::uuid[], $6::integer[], $7::bigint[]) AS n(return_id, line_no, amount)
			JOIN fresh f ON f.return_id = n.return_id GROUP BY 1, 2) r
		WHERE l.tenant_id = $1 AND l.order_id = r.order_id AND l.line_no = r.line_no AND l.order_id = ANY($2::uuid[])`,
		tx.Tenant(), orders, ids, amounts, of, nos, lineAmounts)
}

// queueBehaviours queues what customers did; what is known by its key stays as it is.
func queueBehaviours(tx *pg.Tx, all []Behaviour) {
	n := len(all)
	if n == 0 {
		return
	}
	kinds, keys, customers, members := make([]string, n), make([]string, n), make([]uuid.UUID, n), make([]*uuid.UUID, n)
	programmes, occurred, recorded, by := make([]string, n), make([]time.Time, n), make([]time.Time, n), make([]string, n)
	for i, b := range all {
		kinds[i], keys[i], customers[i], members[i] = b.Kind, b.Key, b.CustomerID, pg.OrNull(b.MemberID)
		programmes[i], occurred[i], recorded[i], by[i] = b.Programme, b.OccurredAt, b.RecordedAt, b.RecordedBy
	}
	tx.Queue(`INSERT INTO growth_behaviour (tenant_id, kind, key, customer_id, member_id, programme, occurred_at, recorded_at, recorded_by)
		SELECT $1, * FROM unnest($2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::text[])
		ON CONFLICT DO NOTHING`, tx.Tenant(), kinds, keys, customers, members, programmes, occurred, recorded, by)
}

// Withdraw queues that behaviours of the kind with the keys do not count any more.
func Withdraw(tx *pg.Tx, kind string, keys []string, at time.Time) {
	tx.Queue(`UPDATE growth_behaviour SET withdrawn_at = $4 WHERE tenant_id = $1 AND kind = $2 AND key = ANY($3::text[]) AND withdrawn_at IS NULL`,
		tx.Tenant(), kind, keys, at)
}

const behaviourColumns = `kind, key, customer_id, member_id, programme, occurred_at, recorded_at, recorded_by`

func scanBehaviour(row pgx.Row) (b Behaviour, err error) {
	var memberID *uuid.UUID
	err = row.Scan(&b.Kind, &b.Key, &b.CustomerID, &memberID, &b.Programme, &b.OccurredAt, &b.RecordedAt, &b.RecordedBy)
	if memberID != nil {
		b.MemberID = *memberID
	}
	b.OccurredAt, b.RecordedAt = b.OccurredAt.UTC(), b.RecordedAt.UTC()
	return b, err
}

// findBehaviour gives what is known by a key; there is false where nothing is.
func findBehaviour(ctx context.Context, tx *pg.Tx, kind, key string) (b Behaviour, there bool, err error) {
	b, err = scanBehaviour(tx.QueryRow(ctx, `SELECT `+behaviourColumns+` FROM growth_behaviour WHERE tenant_id = $1 AND kind = $2 AND key = $3`,
		tx.Tenant(), kind, key))
	if errors.Is(err, pgx.ErrNoRows) {
		return Behaviour{}, false, nil
	}
	return b, err == nil, err
}

// customersOf gives the customers of orders, as far as they are known.
func customersOf(ctx context.Context, tx *pg.Tx, orders []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT o.customer_id FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT * FROM growth_order k WHERE k.tenant_id = $1 AND k.order_id = n.id LIMIT 1) o ON true
		WHERE o.customer_id IS NOT NULL`, tx.Tenant(), orders)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// membersOf gives the members, of the programmes, who are the customers or one with them.
func membersOf(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, programmes []string) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT m.id FROM unnest($2::uuid[]) AS n(id)
		CROSS JOIN LATERAL (SELECT customer_group($1, n.id) AS ids OFFSET 0) g
		CROSS JOIN LATERAL unnest(g.ids) AS c(id)
		CROSS JOIN LATERAL unnest($3::text[]) AS p(code)
		JOIN LATERAL (SELECT k.id FROM member k WHERE k.tenant_id = $1 AND k.customer_id = c.id AND k.programme = p.code LIMIT 1) m ON true`,
		tx.Tenant(), customers, programmes)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// subject is a member who is scored.
type subject struct {
	member.Member
	terms        programme.Programme
	since, until time.Time
	facts        Facts
	was, told    int // 0 before the first score
	version      int // of the terms by which it was made; -1 before the first
}

// readFacts fills in what the subjects did and how they were scored last. One round trip.
func readFacts(ctx context.Context, tx *pg.Tx, subjects []*subject) error {
	n := len(subjects)
	byID := make(map[uuid.UUID]*subject, n)
	ids, customers, programmes := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]string, n)
	since, until := make([]time.Time, n), make([]time.Time, n)
	for i, s := range subjects {
		byID[s.ID] = s
		s.facts, s.version = Facts{Spent: make(map[string]int64)}, -1
		ids[i], customers[i], programmes[i], since[i], until[i] = s.ID, s.CustomerID, s.Programme, s.since, s.until
	}
	// Whoever is one customer since a merge is looked for by each id alone, so that an index serves; and each by itself (OFFSET 0): of
	// a tenant that is new to its statistics the planner would join all rows instead.
	const asked = `unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[]) AS n(id, customer_id, programme, since, until)
		CROSS JOIN LATERAL (SELECT customer_group($1, n.customer_id) AS ids OFFSET 0) g CROSS JOIN LATERAL unnest(g.ids) AS c(id)`
	args := []any{tx.Tenant(), ids, customers, programmes, since, until}
	var (
		id     uuid.UUID
		text   string
		number int64
	)
	tx.Queue(`SELECT n.id, o.currency, least(sum(o.net), 9007199254740991)::bigint FROM `+asked+`
		CROSS JOIN LATERAL (SELECT k.currency, k.total_minor - k.returned_minor AS net FROM growth_order k
			WHERE k.tenant_id = $1 AND k.customer_id = c.id AND k.placed_at >= n.since AND k.placed_at < n.until OFFSET 0) o
		GROUP BY 1, 2`, args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&id, &text, &number}, func() error { byID[id].facts.Spent[text] = number; return nil })
		return err
	})
	tx.Queue(`SELECT n.id, b.kind, count(*) FROM `+asked+`
		CROSS JOIN LATERAL (SELECT k.kind FROM growth_behaviour k WHERE k.tenant_id = $1 AND k.customer_id = c.id AND k.withdrawn_at IS NULL
			AND k.occurred_at >= n.since AND k.occurred_at < n.until AND k.programme IN ('', n.programme) OFFSET 0) b
		GROUP BY 1, 2`, args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&id, &text, &number}, func() error {
			byID[id].facts.count(text, number)
			return nil
		})
		return err
	})
	skus := make(map[uuid.UUID][]string)
	tx.Queue(`SELECT DISTINCT n.id, o.sku FROM `+asked+`
		CROSS JOIN LATERAL (SELECT k.order_id FROM growth_order k WHERE k.tenant_id = $1 AND k.customer_id = c.id
			AND k.placed_at >= n.since AND k.placed_at < n.until AND k.returned_minor < k.total_minor OFFSET 0) k
		CROSS JOIN LATERAL (SELECT l.sku FROM growth_line l WHERE l.tenant_id = $1 AND l.order_id = k.order_id
			AND l.returned_minor < l.amount_minor OFFSET 0) o`, args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&id, &text}, func() error { skus[id] = append(skus[id], text); return nil })
		return err
	})
	tx.Queue(`SELECT n.id, s.score, s.told, s.programme_version FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT * FROM growth_score k WHERE k.tenant_id = $1 AND k.member_id = n.id LIMIT 1) s ON true`,
		tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
		var score, told, version int
		_, err := pgx.ForEachRow(rows, []any{&id, &score, &told, &version}, func() error {
			s := byID[id]
			s.was, s.told, s.version = score, told, version
			return nil
		})
		return err
	})
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	for _, s := range subjects {
		s.facts.Categories = categories(s.terms.Terms, skus[s.ID])
	}
	return nil
}

// change is a score that is told of.
type change struct {
	id     uuid.UUID // of the history's row
	s      *subject
	to     Score
	cause  string
	scored time.Time
}

// queueScores queues the scores of the members as they are now, by the terms of the versions; told is what the last event said of
// each.
func queueScores(tx *pg.Tx, ids []uuid.UUID, scores, told, versions []int32, at time.Time) {
	if len(ids) == 0 {
		return
	}
	tx.Queue(`INSERT INTO growth_score AS s (tenant_id, member_id, score, told, programme_version, scored_at)
		SELECT $1, n.id, n.score, n.told, n.version, $6 FROM unnest($2::uuid[], $3::integer[], $4::integer[], $5::integer[]) AS n(id, score, told, version)
		ORDER BY n.id
		ON CONFLICT (tenant_id, member_id) DO UPDATE SET score = excluded.score, told = excluded.told,
			programme_version = excluded.programme_version, scored_at = excluded.scored_at`,
		tx.Tenant(), ids, scores, told, versions, at)
}

// queueHistory queues the changes that are told of.
func queueHistory(tx *pg.Tx, changes []change) error {
	n := len(changes)
	if n == 0 {
		return nil
	}
	ids, members, causes := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]string, n)
	scores, from, versions := make([]int32, n), make([]int32, n), make([]int32, n)
	parts, at := make([]string, n), make([]time.Time, n)
	for i, c := range changes {
		raw, err := json.Marshal(c.to.Parts)
		if err != nil {
			return err
		}
		ids[i], members[i], causes[i], parts[i], at[i] = c.id, c.s.ID, c.cause, string(raw), c.scored
		scores[i], from[i], versions[i] = int32(c.to.Score), int32(c.s.told), int32(c.s.terms.Version)
	}
	tx.Queue(`INSERT INTO growth_history (tenant_id, id, member_id, cause, score, from_score, programme_version, parts, scored_at)
		SELECT $1, n.id, n.member_id, n.cause, n.score, n.from_score, n.version, n.parts::jsonb, n.at
		FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::integer[], $6::integer[], $7::integer[], $8::text[], $9::timestamptz[])
			AS n(id, member_id, cause, score, from_score, version, parts, at)`,
		tx.Tenant(), ids, members, causes, scores, from, versions, parts, at)
	return nil
}

// Told is a change of a score that was told of.
type Told struct {
	ID       uuid.UUID
	Score    int
	From     int
	Cause    string
	Version  int // of the programme's terms; 0 for those of the code
	Parts    []Part
	ScoredAt time.Time
}

// listHistory gives up to limit changes of a member before the given one (Nil: the latest), the latest first.
func listHistory(ctx context.Context, tx *pg.Tx, memberID, before uuid.UUID, limit int) ([]Told, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT id, score, from_score, cause, programme_version, parts, scored_at FROM growth_history
		WHERE tenant_id = $1 AND member_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4`, tx.Tenant(), memberID, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Told, err error) {
		err = row.Scan(&t.ID, &t.Score, &t.From, &t.Cause, &t.Version, &t.Parts, &t.ScoredAt)
		t.ScoredAt = t.ScoredAt.UTC()
		return t, err
	})
}
