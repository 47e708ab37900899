package earning

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

var errNoDryRun = problem.New(problem.NotFound, "dry_run_not_found", "There is no such dry run of the programme.")

func countWaiting(ctx context.Context, tx *pg.Tx) (n int, err error) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('dry_runs/' || $1, 0))`, tx.Tenant()) // so that no two are the last one
	err = tx.QueryRow(ctx, `SELECT count(*) FROM earning_dry_run WHERE tenant_id = $1 AND state IN ('queued', 'running')`, tx.Tenant()).Scan(&n)
	return n, err
}

func insertDryRun(tx *pg.Tx, d dryRun) error {
	terms, err := json.Marshal(d.Terms)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO earning_dry_run (tenant_id, id, programme, terms, from_at, until_at, state, by_subject, created_at, lease_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`, tx.Tenant(), d.ID, d.Programme, terms, d.From, d.Until, d.State, d.By, d.CreatedAt)
	return nil
}

const dryRunColumns = `id, programme, terms, from_at, until_at, state, reason, orders, result, by_subject, created_at, ended_at`

func scanDryRun(row pgx.Row) (d dryRun, err error) {
	var (
		terms, result []byte
		ended         *time.Time
	)
	err = row.Scan(&d.ID, &d.Programme, &terms, &d.From, &d.Until, &d.State, &d.Reason, &d.Orders, &result, &d.By, &d.CreatedAt, &ended)
	if err != nil {
		return d, err
	}
	d.From, d.Until, d.CreatedAt = d.From.UTC(), d.Until.UTC(), d.CreatedAt.UTC()
	if ended != nil {
		d.EndedAt = ended.UTC()
	}
	if result != nil {
		d.Result = newTally()
		if err := json.Unmarshal(result, d.Result); err != nil {
			return d, err
		}
	}
	return d, json.Unmarshal(terms, &d.Terms)
}

func findDryRun(ctx context.Context, tx *pg.Tx, code string, id uuid.UUID) (dryRun, error) {
	d, err := scanDryRun(tx.QueryRow(ctx, `SELECT `+dryRunColumns+` FROM earning_dry_run WHERE tenant_id = $1 AND programme = $2 AND id = $3`,
		tx.Tenant(), code, id))
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoDryRun
	}
	return d, err
}

// claim takes a dry run that nobody is at work on; mine is false where somebody is. One that was interrupted too often has failed.
func claim(ctx context.Context, tx *pg.Tx, id uuid.UUID, now time.Time) (d dryRun, mine bool, err error) {
	d, err = scanDryRun(tx.QueryRow(ctx, `UPDATE earning_dry_run SET lease_until = $4, attempts = attempts + 1, orders = 0,
			state = CASE WHEN attempts < $5 THEN 'running' ELSE 'failed' END,
			reason = CASE WHEN attempts < $5 THEN '' ELSE 'interrupted' END,
			ended_at = CASE WHEN attempts < $5 THEN NULL ELSE $3::timestamptz END
		WHERE tenant_id = $1 AND id = $2 AND state IN ('queued', 'running') AND lease_until <= $3 RETURNING `+dryRunColumns,
		tx.Tenant(), id, now, now.Add(lease), maxAttempts))
	if errors.Is(err, pgx.ErrNoRows) {
		return d, false, nil
	}
	return d, true, err
}

// goOn tells how far a dry run is, and that somebody is at work on it.
func goOn(tx *pg.Tx, id uuid.UUID, orders int64, now time.Time) {
	tx.Queue(`UPDATE earning_dry_run SET orders = $3, lease_until = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'running'`,
		tx.Tenant(), id, orders, now.Add(lease))
}

func end(tx *pg.Tx, id uuid.UUID, state, reason string, result *tally, now time.Time) {
	var (
		text   *string
		orders int64
	)
	if result != nil {
		orders = result.Orders
		if written, err := json.Marshal(result); err == nil { // it has nothing that cannot be written
			one := string(written)
			text = &one
		}
	}
	tx.Queue(`UPDATE earning_dry_run SET state = $3, reason = $4, result = $5::jsonb, orders = greatest(orders, $6), ended_at = $7
		WHERE tenant_id = $1 AND id = $2 AND state = 'running'`, tx.Tenant(), id, state, reason, text, orders, now)
}

// position is where a part of the orders ends.
type position struct {
	customer uuid.UUID
	placedAt time.Time
	order    uuid.UUID
}

// tookTooLong tells whether PostgreSQL ended a statement that took too long.
func tookTooLong(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "57014"
}

// readPart reads orders of the dry run's time that earned in its programme, customer by customer, with what was counted for
// their members' caps before that time.
func readPart(ctx context.Context, tx *pg.Tx, d dryRun, s *simulation, after position, size int) (part []seen, before map[uuid.UUID][]capUse, err error) {
	tx.Queue(`SELECT set_config('statement_timeout', '5s', true)`)
	birth, first := `0`, `false`
	if s.terms.Earning.Asks("birthday_month") {
		birth = `coalesce((SELECT b.month FROM birthday_month b WHERE b.tenant_id = $1 AND b.customer_id = ANY ((SELECT customer_group($1, o.customer_id))::uuid[])
			ORDER BY b.customer_id <> o.customer_id, b.at DESC LIMIT 1), 0)`
	}
	if s.terms.Earning.Asks("first_purchase") {
		first = `coalesce(o.first_purchase, NOT EXISTS (SELECT FROM earning_order f WHERE f.tenant_id = $1
			AND f.customer_id = ANY ((SELECT customer_group($1, o.customer_id))::uuid[]) AND (f.placed_at, f.order_id) < (o.placed_at, o.order_id)))`
	}
	from, of := `(SELECT k.* FROM earning_order k WHERE k.tenant_id = $1 AND k.customer_id IS NOT NULL AND (k.member_id IS NOT NULL OR k.entry_id IS NOT NULL)
		AND (k.customer_id, k.placed_at, k.order_id) > ($3, $4, $5) AND k.placed_at >= $6 AND k.placed_at < $7
		ORDER BY k.customer_id, k.placed_at, k.order_id LIMIT $8) o`, `o`
	if d.Programme != programme.StandardCode {
		from, of = `(SELECT k.* FROM earning_share k WHERE k.tenant_id = $1 AND k.programme = $2 AND (k.customer_id, k.placed_at, k.order_id) > ($3, $4, $5)
			AND k.placed_at >= $6 AND k.placed_at < $7 ORDER BY k.customer_id, k.placed_at, k.order_id LIMIT $8) s
			JOIN LATERAL (SELECT * FROM earning_order k WHERE k.tenant_id = $1 AND k.order_id = s.order_id LIMIT 1) o ON true`, `s`
	}
	columns := shareColumns
	if of == "o" {
		columns = shareOfOrder
	}
	rows, err := tx.Query(ctx, `SELECT `+orderColumns+`, `+columns+`, m.id, m.enrolled_at, `+birth+`, `+first+`
		FROM `+from+` JOIN LATERAL (SELECT k.id, k.enrolled_at FROM member k WHERE k.tenant_id = $1 AND k.customer_id = o.customer_id AND k.programme = $2 LIMIT 1) m ON true
		ORDER BY o.customer_id, o.placed_at, o.order_id`,
		tx.Tenant(), d.Programme, after.customer, after.placedAt, after.order, d.From, d.Until, size)
	if err != nil {
		return nil, nil, err
	}
	members := make(map[uuid.UUID]bool)
	part, err = pgx.CollectRows(rows, func(one pgx.CollectableRow) (o seen, err error) {
		var (
			r  row
			id uuid.UUID
		)
		if err := one.Scan(append(append(r.ofOrder(), r.ofShare()...), &id, &o.since, &o.birth, &o.first)...); err != nil {
			return o, err
		}
		if o.order, err = r.read(); err != nil {
			return o, err
		}
		o.share, _, err = r.readShare(d.Programme)
		o.since, o.MemberID = o.since.UTC(), id
		members[id] = true
		return o, err
	})
	if err != nil || len(s.terms.Earning.Caps) == 0 || len(members) == 0 {
		return part, nil, err
	}
	before, err = countedBefore(ctx, tx, members, s.since(), d.From)
	return part, before, err
}

// countedBefore gives what was counted for members' caps before a time.
func countedBefore(ctx context.Context, tx *pg.Tx, members map[uuid.UUID]bool, since, until time.Time) (map[uuid.UUID][]capUse, error) {
	ids := make([]uuid.UUID, 0, len(members))
	for id := range members {
		ids = append(ids, id)
	}
	rows, err := tx.Query(ctx, `SELECT c.member_id, c.cap, c.placed_at, c.order_id, c.points FROM unnest($2::uuid[]) AS n(id)
		CROSS JOIN LATERAL (SELECT * FROM earning_cap k WHERE k.tenant_id = $1 AND k.member_id = n.id AND k.placed_at >= $3 AND k.placed_at < $4 OFFSET 0) c`,
		tx.Tenant(), ids, since, until)
	if err != nil {
		return nil, err
	}
	before := make(map[uuid.UUID][]capUse)
	var u capUse
	_, err = pgx.ForEachRow(rows, []any{&u.member, &u.cap, &u.placedAt, &u.order, &u.points}, func() error {
		before[u.member] = append(before[u.member], u)
		return nil
	})
	return before, err
}
