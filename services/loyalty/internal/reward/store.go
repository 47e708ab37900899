package reward

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a reward that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "reward_not_found", "There is no such reward.")

// codeConstraint is what gives a code to one reward of a programme only.
const codeConstraint = "reward_code"

// selected are rewards r of the tenant $1 with what they cost at $2 and the cost that comes next.
const selected = `SELECT r.id, r.programme, r.code, r.version, r.kind, r.name, r.tier, r.limit_quantity, r.limit_days, r.valid_from, r.valid_until,
		r.fulfil_seconds, r.confirm, r.low_stock, r.archived_at, r.by_subject, r.created_at, r.changed_at,
		r.received, r.stock, r.reserved, r.given, r.movements, c.points, n.no, n.points, n.effective_from, n.by_subject, n.created_at
	FROM reward r
	LEFT JOIN LATERAL (SELECT points FROM reward_cost k WHERE k.tenant_id = r.tenant_id AND k.reward_id = r.id AND k.effective_from <= $2
		ORDER BY k.effective_from DESC, k.no DESC LIMIT 1) c ON true
	LEFT JOIN LATERAL (SELECT * FROM reward_cost k WHERE k.tenant_id = r.tenant_id AND k.reward_id = r.id AND k.effective_from > $2
		ORDER BY k.effective_from, k.no DESC LIMIT 1) n ON true
	WHERE r.tenant_id = $1 AND `

func scan(row pgx.Row) (r Reward, err error) {
	var (
		limit, no                         *int
		from, until, archived, begins, at *time.Time
		seconds                           int64
		received, free, points, next      *int64
		by                                *string
	)
	err = row.Scan(&r.ID, &r.Programme, &r.Code, &r.Version, &r.Kind, &r.Name, &r.Tier, &limit, &r.LimitDays, &from, &until, &seconds, &r.Confirm,
		&r.LowStock, &archived, &r.By, &r.CreatedAt, &r.ChangedAt, &received, &free, &r.Reserved, &r.Given, &r.Movements, &points,
		&no, &next, &begins, &by, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return Reward{}, errNotFound
	}
	if err != nil {
		return Reward{}, err
	}
	r.Limit, r.ValidFrom, r.ValidUntil, r.ArchivedAt = orZero(limit), utc(from), utc(until), utc(archived)
	r.CreatedAt, r.ChangedAt, r.FulfilWithin = r.CreatedAt.UTC(), r.ChangedAt.UTC(), time.Duration(seconds)*time.Second
	r.Limited, r.Received, r.Free, r.Points = free != nil, orZero(received), orZero(free), orZero(points)
	r.Next = Cost{No: orZero(no), Points: orZero(next), EffectiveFrom: utc(begins), By: orZero(by), CreatedAt: utc(at)}
	return r, nil
}

// orZero reads what may be absent.
func orZero[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

func utc(t *time.Time) time.Time { return orZero(t).UTC() }

// find gives a reward as it is offered at a time, or errNotFound.
func find(ctx context.Context, tx *pg.Tx, id uuid.UUID, at time.Time) (Reward, error) {
	return scan(tx.QueryRow(ctx, selected+`r.id = $3`, tx.Tenant(), at, id))
}

// lock is find that also keeps everybody else from changing the reward until the transaction ends. Whoever locks members or a
// redemption as well has locked them before.
func lock(ctx context.Context, tx *pg.Tx, id uuid.UUID, at time.Time) (Reward, error) {
	tx.Queue(`SELECT 1 FROM reward WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	return find(ctx, tx, id, at)
}

// queueByCode queues the reading of the reward of a code; it is errNotFound in missing where there is none.
func queueByCode(tx *pg.Tx, programme, code string, at time.Time) (r *Reward, missing *error) {
	r, missing = &Reward{}, new(error)
	tx.Queue(selected+`r.programme = $3 AND r.code = $4`, tx.Tenant(), at, programme, code).QueryRow(func(row pgx.Row) (err error) {
		if *r, err = scan(row); errors.Is(err, errNotFound) {
			*missing, err = err, nil
		}
		return err
	})
	return r, missing
}

// Filter says which rewards are meant; the zero Filter means all that are not archived.
type Filter struct {
	Programme string
	Kind      Kind
	LowStock  bool      // only those of which there is little left
	Archived  bool      // also those that are archived
	After     uuid.UUID // only those made after this one
}

// list gives up to limit rewards in the order in which they were made.
func list(ctx context.Context, tx *pg.Tx, f Filter, at time.Time, limit int) ([]Reward, error) {
	where, args := f.where(3)
	rows, err := tx.Query(ctx, fmt.Sprintf(`%s%s ORDER BY r.id LIMIT %d`, selected, where, limit), append([]any{tx.Tenant(), at}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Reward, error) { return scan(row) })
}

// where gives the filter's conditions on rewards r, with values from the given place on.
func (f Filter) where(place int) (string, []any) {
	conditions, args := []string{fmt.Sprintf("r.id > $%d", place)}, []any{f.After}
	only := func(condition string, value any) {
		args = append(args, value)
		conditions = append(conditions, fmt.Sprintf(condition, place+len(args)-1))
	}
	if f.Programme != "" {
		only("r.programme = $%d", f.Programme)
	}
	if f.Kind != "" {
		only("r.kind = $%d", f.Kind)
	}
	if f.LowStock {
		conditions = append(conditions, "r.stock <= r.low_stock")
	}
	if !f.Archived {
		conditions = append(conditions, "r.archived_at IS NULL")
	}
	return strings.Join(conditions, " AND "), args
}

// insert queues a new reward. A code that another one of the programme has is refused by codeConstraint.
func insert(tx *pg.Tx, r Reward) {
	var received, free *int64
	if r.Limited {
		received, free = new(int64), new(int64)
	}
	tx.Queue(`INSERT INTO reward (tenant_id, id, programme, code, version, kind, name, tier, limit_quantity, limit_days, valid_from, valid_until,
			fulfil_seconds, confirm, low_stock, by_subject, created_at, changed_at, received, stock)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		tx.Tenant(), r.ID, r.Programme, r.Code, r.Version, r.Kind, r.Name, r.Tier, pg.OrNull(r.Limit), r.LimitDays, pg.OrNull(r.ValidFrom),
		pg.OrNull(r.ValidUntil), int64(r.FulfilWithin/time.Second), r.Confirm, r.LowStock, r.By, r.CreatedAt, r.ChangedAt, received, free)
}

// saveOffer queues what people changed of a reward that is locked.
func saveOffer(tx *pg.Tx, r Reward) {
	tx.Queue(`UPDATE reward SET version = $3, name = $4, tier = $5, limit_quantity = $6, limit_days = $7, valid_from = $8, valid_until = $9,
			fulfil_seconds = $10, confirm = $11, low_stock = $12, archived_at = $13, by_subject = $14, changed_at = $15
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), r.ID, r.Version, r.Name, r.Tier, pg.OrNull(r.Limit), r.LimitDays, pg.OrNull(r.ValidFrom), pg.OrNull(r.ValidUntil),
		int64(r.FulfilWithin/time.Second), r.Confirm, r.LowStock, pg.OrNull(r.ArchivedAt), r.By, r.ChangedAt)
}

// insertCost queues a cost of a reward that is locked.
func insertCost(tx *pg.Tx, reward uuid.UUID, c Cost) {
	tx.Queue(`INSERT INTO reward_cost (tenant_id, reward_id, no, points, effective_from, by_subject, created_at)
		SELECT $1, $2, coalesce(max(no), 0) + 1, $3, $4, $5, $6 FROM reward_cost WHERE tenant_id = $1 AND reward_id = $2`,
		tx.Tenant(), reward, c.Points, c.EffectiveFrom, c.By, c.CreatedAt)
}

// costs gives up to limit costs of a reward, the latest written first: those before the number, where it is not 0.
func costs(ctx context.Context, tx *pg.Tx, reward uuid.UUID, before int64, limit int) ([]Cost, error) {
	rows, err := tx.Query(ctx, `SELECT no, points, effective_from, by_subject, created_at FROM reward_cost
		WHERE tenant_id = $1 AND reward_id = $2 AND ($3 = 0 OR no < $3) ORDER BY no DESC LIMIT $4`, tx.Tenant(), reward, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Cost, err error) {
		err = row.Scan(&c.No, &c.Points, &c.EffectiveFrom, &c.By, &c.CreatedAt)
		c.EffectiveFrom, c.CreatedAt = c.EffectiveFrom.UTC(), c.CreatedAt.UTC()
		return c, err
	})
}

// saveStock queues the stock of a reward that is locked, and the movement that changed it.
func saveStock(tx *pg.Tx, reward uuid.UUID, s Stock, m Movement) {
	var received, free, after *int64
	if s.Limited {
		received, free, after = &s.Received, &s.Free, &m.After
	}
	tx.Queue(`UPDATE reward SET received = $3, stock = $4, reserved = $5, given = $6, movements = $7 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), reward, received, free, s.Reserved, s.Given, s.Movements)
	tx.Queue(`INSERT INTO reward_movement (tenant_id, reward_id, no, kind, quantity, reason, redemption_id, by_subject, at, stock_after)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		tx.Tenant(), reward, m.No, m.Move, m.Quantity, m.Reason, pg.OrNull(m.RedemptionID), m.By, m.At, after)
}

// movements gives up to limit movements of a reward, the latest first: those before the number, where it is not 0.
func movements(ctx context.Context, tx *pg.Tx, reward uuid.UUID, before int64, limit int) ([]Movement, error) {
	rows, err := tx.Query(ctx, `SELECT no, kind, quantity, reason, redemption_id, by_subject, at, stock_after FROM reward_movement
		WHERE tenant_id = $1 AND reward_id = $2 AND ($3 = 0 OR no < $3) ORDER BY no DESC LIMIT $4`, tx.Tenant(), reward, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Movement, err error) {
		var redemption *uuid.UUID
		var after *int64
		err = row.Scan(&m.No, &m.Move, &m.Quantity, &m.Reason, &redemption, &m.By, &m.At, &after)
		m.RedemptionID, m.Limited, m.After, m.At = orZero(redemption), after != nil, orZero(after), m.At.UTC()
		return m, err
	})
}

// insertVouchers adds codes to a reward that is locked, and gives the places, from 0, of up to a few that are known already; then
// nothing may be committed.
func insertVouchers(ctx context.Context, tx *pg.Tx, reward uuid.UUID, codes []string) (known []int, err error) {
	hashes := make([][]byte, len(codes))
	for i, c := range codes {
		hashes[i] = hashOf(c)
	}
	rows, err := tx.Query(ctx, `SELECT n.place FROM unnest($2::bytea[]) WITH ORDINALITY AS n(hash, place)
		JOIN LATERAL (SELECT 1 FROM reward_voucher v WHERE v.tenant_id = $1 AND v.code_hash = n.hash LIMIT 1) v ON true
		ORDER BY n.place LIMIT $3`, tx.Tenant(), hashes, maxVoucherFaults)
	if err != nil {
		return nil, err
	}
	if known, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (place int, err error) {
		err = row.Scan(&place)
		return place - 1, err
	}); err != nil || len(known) > 0 {
		return known, err
	}
	tx.Queue(`INSERT INTO reward_voucher (tenant_id, reward_id, no, code, code_hash)
		SELECT $1, $2, r.vouchers + n.place, n.code, n.hash FROM reward r, unnest($3::text[], $4::bytea[]) WITH ORDINALITY AS n(code, hash, place)
		WHERE r.tenant_id = $1 AND r.id = $2`, tx.Tenant(), reward, codes, hashes)
	tx.Queue(`UPDATE reward SET vouchers = vouchers + $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), reward, len(codes))
	return nil, nil
}

// freeVouchers picks $4 codes of the reward $2 that nobody has, the first uploaded first.
const freeVouchers = `(SELECT no FROM reward_voucher WHERE tenant_id = $1 AND reward_id = $2 AND redemption_id IS NULL AND withdrawn_at IS NULL
	ORDER BY no LIMIT $4) f WHERE v.tenant_id = $1 AND v.reward_id = $2 AND v.no = f.no`

// takeVouchers queues the reservation of codes of a reward that is locked.
func takeVouchers(tx *pg.Tx, reward, redemption uuid.UUID, quantity int) {
	exactly(tx.Queue(`UPDATE reward_voucher v SET redemption_id = $3 FROM `+freeVouchers, tx.Tenant(), reward, redemption, quantity), quantity)
}

// withdrawVouchers queues the withdrawal of codes of a reward that is locked.
func withdrawVouchers(tx *pg.Tx, reward uuid.UUID, quantity int64, at time.Time) {
	exactly(tx.Queue(`UPDATE reward_voucher v SET withdrawn_at = $3 FROM `+freeVouchers, tx.Tenant(), reward, at, quantity), int(quantity))
}

// releaseVouchers queues the return of codes that were reserved, and that nobody has seen.
func releaseVouchers(tx *pg.Tx, redemption uuid.UUID, quantity int) {
	exactly(tx.Queue(`UPDATE reward_voucher SET redemption_id = NULL WHERE tenant_id = $1 AND redemption_id = $2`, tx.Tenant(), redemption), quantity)
}

// exactly fails the transaction where a statement was not about so many rows.
func exactly(q *pgx.QueuedQuery, n int) {
	q.Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(n) {
			return problem.New(problem.Internal, "vouchers_broken", "%d vouchers were to be moved, and %d were there.", n, tag.RowsAffected())
		}
		return nil
	})
}

// vouchers gives the codes of a redemption; those that were taken out are left out.
func vouchers(ctx context.Context, tx *pg.Tx, redemption uuid.UUID) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT code FROM reward_voucher WHERE tenant_id = $1 AND redemption_id = $2 AND code IS NOT NULL ORDER BY no`,
		tx.Tenant(), redemption)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
