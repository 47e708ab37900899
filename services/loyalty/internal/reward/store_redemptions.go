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

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// errNoRedemption is the same for a redemption that is not there and for another tenant's.
var errNoRedemption = problem.New(problem.NotFound, "redemption_not_found", "There is no such redemption.")

const redemptionColumns = `k.id, k.version, k.member_id, k.customer_id, k.programme, k.reward_id, k.reward, k.kind, k.quantity, k.points, k.spend_id,
	k.confirm, k.fulfil_seconds, k.state, k.reference, k.reason, k.failure, k.by_subject, k.handed_over_by, k.closed_by, k.redeemed_at,
	k.handed_over_at, k.closed_at, k.due_at`

func scanRedemption(row pgx.Row) (r Redemption, err error) {
	var handed, closed, due *time.Time
	var seconds int64
	err = row.Scan(&r.ID, &r.Version, &r.MemberID, &r.CustomerID, &r.Programme, &r.RewardID, &r.Reward, &r.Kind, &r.Quantity, &r.Points, &r.SpendID,
		&r.Confirm, &seconds, &r.State, &r.Reference, &r.Reason, &r.Failure, &r.By, &r.HandedOverBy, &r.ClosedBy, &r.RedeemedAt,
		&handed, &closed, &due)
	if errors.Is(err, pgx.ErrNoRows) {
		return Redemption{}, errNoRedemption
	}
	r.FulfilWithin, r.RedeemedAt = time.Duration(seconds)*time.Second, r.RedeemedAt.UTC()
	r.HandedOverAt, r.ClosedAt, r.DueAt = utc(handed), utc(closed), utc(due)
	return r, err
}

// request is which request makes a redemption: known for ever by its Idempotency-Key, where it has one.
type request struct {
	key  string // empty without one
	hash []byte // of the body
}

func insertRedemption(tx *pg.Tx, r Redemption, by request) {
	tx.Queue(`INSERT INTO redemption (tenant_id, id, version, member_id, customer_id, programme, reward_id, reward, kind, quantity, points, spend_id,
			confirm, fulfil_seconds, state, by_subject, redeemed_at, due_at, step_at, request_key, input_hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		tx.Tenant(), r.ID, r.Version, r.MemberID, r.CustomerID, r.Programme, r.RewardID, r.Reward, r.Kind, r.Quantity, r.Points, r.SpendID,
		r.Confirm, int64(r.FulfilWithin/time.Second), r.State, r.By, r.RedeemedAt, r.DueAt, r.StepAt(), pg.OrNull(by.key), by.hash)
}

// saveRedemption queues what a rule changed of a redemption that is locked.
func saveRedemption(tx *pg.Tx, r Redemption) {
	tx.Queue(`UPDATE redemption SET version = $3, state = $4, reference = $5, reason = $6, failure = $7, handed_over_by = $8, closed_by = $9,
			handed_over_at = $10, closed_at = $11, due_at = $12, step_at = $13 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), r.ID, r.Version, r.State, r.Reference, r.Reason, r.Failure, r.HandedOverBy, r.ClosedBy, pg.OrNull(r.HandedOverAt),
		pg.OrNull(r.ClosedAt), pg.OrNull(r.DueAt), pg.OrNull(r.StepAt()))
}

// queueRequest queues the looking up of what a request made before; id is Nil where it made nothing.
func queueRequest(tx *pg.Tx, by request) (id *uuid.UUID, hash *[]byte) {
	id, hash = new(uuid.UUID), new([]byte)
	if by.key == "" {
		return id, hash
	}
	tx.Queue(`SELECT id, input_hash FROM redemption WHERE tenant_id = $1 AND request_key = $2`, tx.Tenant(), by.key).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(id, hash); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	})
	return id, hash
}

// queueTaken queues the counting of how many of a reward members redeemed since a time, those left out that were cancelled.
func queueTaken(tx *pg.Tx, reward uuid.UUID, members []uuid.UUID, since time.Time) (taken *int64) {
	taken = new(int64)
	tx.Queue(`SELECT coalesce(sum(quantity), 0)::bigint FROM redemption
		WHERE tenant_id = $1 AND member_id = ANY($2::uuid[]) AND reward_id = $3 AND redeemed_at > $4 AND state <> 'cancelled'`,
		tx.Tenant(), members, reward, since).QueryRow(func(row pgx.Row) error { return row.Scan(taken) })
	return taken
}

// findRedemption gives a redemption, or errNoRedemption; locked until the transaction ends, if asked to.
func findRedemption(ctx context.Context, tx *pg.Tx, id uuid.UUID, locked bool) (Redemption, error) {
	sql := `SELECT ` + redemptionColumns + ` FROM redemption k WHERE k.tenant_id = $1 AND k.id = $2`
	if locked {
		sql += ` FOR UPDATE`
	}
	return scanRedemption(tx.QueryRow(ctx, sql, tx.Tenant(), id))
}

// RedemptionFilter says which redemptions are meant; the zero one means all.
type RedemptionFilter struct {
	MemberID uuid.UUID // and all who are the same customer since a merge
	RewardID uuid.UUID
	State    State
	Before   uuid.UUID // only those made before this one
}

// listRedemptions gives up to limit redemptions, the latest first.
func listRedemptions(ctx context.Context, tx *pg.Tx, f RedemptionFilter, limit int) ([]Redemption, error) {
	where, args := []string{"k.tenant_id = $1"}, []any{tx.Tenant()}
	only := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if f.MemberID != uuid.Nil { // the first: the query of the pool knows its member as $2
		only("k.member_id = ANY (ARRAY("+member.OfPool+")) AND $%d::uuid IS NOT NULL", f.MemberID)
	}
	if f.RewardID != uuid.Nil {
		only("k.reward_id = $%d", f.RewardID)
	}
	if f.State != "" {
		only("k.state = $%d", f.State)
	}
	if f.Before != uuid.Nil {
		only("k.id < $%d", f.Before)
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT `+redemptionColumns+` FROM redemption k WHERE %s ORDER BY k.id DESC LIMIT %d`,
		strings.Join(where, " AND "), limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Redemption, error) { return scanRedemption(row) })
}

// Figures are what became of a reward in a time.
type Figures struct {
	Redeemed, Open, Fulfilled, Cancelled int64 // pieces; the first is all of them
	Redemptions                          int64
	Points                               int64 // spent on it and not given back
}

// figures gives what became, of what was redeemed from a time until before another (zero: without a bound), of each of the rewards.
func figures(ctx context.Context, tx *pg.Tx, rewards []uuid.UUID, from, until time.Time) (map[uuid.UUID]Figures, error) {
	rows, err := tx.Query(ctx, `SELECT n.id, f.* FROM unnest($2::uuid[]) AS n(id)
		CROSS JOIN LATERAL (SELECT coalesce(sum(quantity), 0)::bigint,
				coalesce(sum(quantity) FILTER (WHERE state IN ('reserved', 'handed_over')), 0)::bigint,
				coalesce(sum(quantity) FILTER (WHERE state = 'fulfilled'), 0)::bigint,
				coalesce(sum(quantity) FILTER (WHERE state = 'cancelled'), 0)::bigint,
				count(*), coalesce(sum(points) FILTER (WHERE state <> 'cancelled'), 0)::bigint
			FROM redemption k WHERE k.tenant_id = $1 AND k.reward_id = n.id AND k.redeemed_at >= coalesce($3::timestamptz, '-infinity')
				AND k.redeemed_at < coalesce($4::timestamptz, 'infinity')) f`, tx.Tenant(), rewards, pg.OrNull(from), pg.OrNull(until))
	if err != nil {
		return nil, err
	}
	all := make(map[uuid.UUID]Figures, len(rewards))
	var (
		id uuid.UUID
		f  Figures
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &f.Redeemed, &f.Open, &f.Fulfilled, &f.Cancelled, &f.Redemptions, &f.Points},
		func() error { all[id] = f; return nil })
	return all, err
}

// Erase takes out the codes that the customers were given, and what their redemptions are called elsewhere. Where they redeemed
// what, and for how many points, stays. A code that is reserved for them and was not handed out yet goes back by the process.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	codes, references := erasure.Erased{What: "reward_voucher"}, erasure.Erased{What: "redemption_reference"}
	tx.Queue(`UPDATE reward_voucher v SET code = NULL FROM redemption k
		WHERE k.tenant_id = $1 AND k.customer_id = ANY($2::uuid[]) AND k.state = 'fulfilled'
			AND v.tenant_id = $1 AND v.redemption_id = k.id AND v.code IS NOT NULL`, tx.Tenant(), customers).
		Exec(func(tag pgconn.CommandTag) error { codes.Count = tag.RowsAffected(); return nil })
	tx.Queue(`UPDATE redemption SET reference = '' WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND reference <> ''`, tx.Tenant(), customers).
		Exec(func(tag pgconn.CommandTag) error { references.Count = tag.RowsAffected(); return nil })
	err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM redemption k JOIN reward_voucher v ON v.tenant_id = k.tenant_id AND v.redemption_id = k.id
				AND v.code IS NOT NULL WHERE k.tenant_id = $1 AND k.customer_id = ANY($2::uuid[]) AND k.state = 'fulfilled'),
			(SELECT count(*) FROM redemption WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND reference <> '')`,
		tx.Tenant(), customers).Scan(&codes.Left, &references.Left)
	return []erasure.Erased{codes, references}, err
}
