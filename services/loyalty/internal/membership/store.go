package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a membership that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "membership_not_found", "There is no such membership.")

// paymentConstraint is what pays one term only with a payment.
const paymentConstraint = "membership_payment"

const columns = `s.id, s.member_id, s.plan, s.tier, s.benefits, s.state, s.starts_at, s.over_at, s.remind_at, s.ended_at, s.end_reason,
	s.end_code, s.refund_minor`

func scan(row pgx.CollectableRow) (m Membership, err error) {
	var remind, ended *time.Time
	err = row.Scan(&m.ID, &m.MemberID, &m.Plan, &m.Tier, &m.Benefits, &m.State, &m.StartsAt, &m.OverAt, &remind, &ended, &m.End, &m.Code, &m.Refund)
	m.StartsAt, m.OverAt, m.RemindAt, m.EndedAt = m.StartsAt.UTC(), m.OverAt.UTC(), orZero(remind), orZero(ended)
	return m, err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func orNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// read is memberships that a queued query gives; they are there after the next round trip, without their terms.
type read struct{ all []Membership }

// queue queues the reading of memberships s, by the rest of a query whose $1 is the tenant.
func queue(tx *pg.Tx, rest string, args ...any) *read {
	r := &read{}
	tx.Queue(`SELECT `+columns+` `+rest, append([]any{tx.Tenant()}, args...)...).Query(func(rows pgx.Rows) (err error) {
		r.all, err = pgx.CollectRows(rows, scan)
		return err
	})
	return r
}

// withTerms reads the terms of memberships.
func withTerms(ctx context.Context, tx *pg.Tx, all []Membership) ([]Membership, error) {
	if len(all) == 0 {
		return all, nil
	}
	ids, place := make([]uuid.UUID, len(all)), make(map[uuid.UUID]int, len(all))
	for i, m := range all {
		ids[i], place[m.ID] = m.ID, i
	}
	rows, err := tx.Query(ctx, `SELECT t.membership_id, t.no, t.programme, t.plan, coalesce(t.payment, ''), t.currency, t.fee_minor, t.months, t.renewable,
			t.first_day::timestamp AT TIME ZONE 'UTC', t.end_day::timestamp AT TIME ZONE 'UTC', t.ends_at, t.over_at, t.paid_at, t.cut_at
		FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT * FROM membership_term k WHERE k.tenant_id = $1 AND k.membership_id = n.id ORDER BY k.no) t ON true
		ORDER BY t.membership_id, t.no`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	all = slices.Clone(all)
	var (
		id  uuid.UUID
		t   Term
		cut *time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{
		&id, &t.No, &t.Programme, &t.Plan, &t.Payment, &t.Currency, &t.Fee, &t.Months, &t.Renewable, &t.FirstDay, &t.EndDay, &t.EndsAt, &t.OverAt, &t.PaidAt, &cut,
	}, func() error {
		t.FirstDay, t.EndDay, t.EndsAt, t.OverAt, t.PaidAt, t.CutAt = t.FirstDay.UTC(), t.EndDay.UTC(), t.EndsAt.UTC(), t.OverAt.UTC(), t.PaidAt.UTC(), orZero(cut)
		m := &all[place[id]]
		m.Terms = append(m.Terms, t)
		return nil
	})
	return all, err
}

// find gives a membership, or the problem membership_not_found.
func find(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Membership, error) {
	r := queue(tx, `FROM membership s WHERE s.tenant_id = $1 AND s.id = $2`, id)
	if err := tx.Flush(ctx); err != nil {
		return Membership{}, err
	}
	all, err := withTerms(ctx, tx, r.all)
	if err == nil && len(all) == 0 {
		err = errNotFound
	}
	if err != nil {
		return Membership{}, err
	}
	return all[0], nil
}

// lockOwner queues the locking of the member whose the membership is: whoever changes a membership holds its member.
func lockOwner(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`SELECT 1 FROM member m WHERE m.tenant_id = $1 AND m.id = (SELECT s.member_id FROM membership s WHERE s.tenant_id = $1 AND s.id = $2)
		FOR UPDATE`, tx.Tenant(), id)
}

// insert queues a new membership with its first term.
func insert(tx *pg.Tx, m Membership) {
	tx.Queue(`INSERT INTO membership (tenant_id, id, member_id, plan, tier, benefits, state, term, starts_at, ends_at, over_at, remind_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		tx.Tenant(), m.ID, m.MemberID, m.Plan, m.Tier, benefits(m), m.State, m.Latest().No, m.StartsAt, m.Latest().EndsAt, m.OverAt, orNone(m.RemindAt))
	insertTerm(tx, m)
}

func benefits(m Membership) []string {
	if m.Benefits == nil {
		return []string{}
	}
	return m.Benefits
}

// insertTerm queues the latest term.
func insertTerm(tx *pg.Tx, m Membership) {
	t := m.Latest()
	tx.Queue(`INSERT INTO membership_term (tenant_id, membership_id, no, programme, plan, payment, currency, fee_minor, months, renewable,
			first_day, end_day, ends_at, over_at, paid_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		tx.Tenant(), m.ID, t.No, t.Programme, t.Plan, t.Payment, t.Currency, t.Fee, t.Months, t.Renewable, t.FirstDay, t.EndDay, t.EndsAt, t.OverAt, t.PaidAt)
}

// save queues what a membership is now, but for its terms.
func save(tx *pg.Tx, m Membership) {
	tx.Queue(`UPDATE membership SET plan = $3, tier = $4, benefits = $5, state = $6, term = $7, ends_at = $8, over_at = $9, remind_at = $10, ended_at = $11,
			end_reason = $12, end_code = $13, refund_minor = $14
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), m.ID, m.Plan, m.Tier, benefits(m), m.State, m.Latest().No, m.Latest().EndsAt, m.OverAt, orNone(m.RemindAt), orNone(m.EndedAt),
		m.End, m.Code, m.Refund)
}

// saveEnd queues the end of a membership: what it is, and which terms were cut short.
func saveEnd(tx *pg.Tx, m Membership) {
	save(tx, m)
	tx.Queue(`UPDATE membership_term SET cut_at = $3 WHERE tenant_id = $1 AND membership_id = $2 AND ends_at > $3 AND cut_at IS NULL`,
		tx.Tenant(), m.ID, m.EndedAt)
}

// payment is a term that was paid by a payment.
type payment struct {
	membership, member uuid.UUID
	no                 int
	plan               string
}

// queuePayment queues the reading of what the payment of a reference paid; there is none where membership is Nil.
func queuePayment(tx *pg.Tx, reference string) *payment {
	p := &payment{}
	tx.Queue(`SELECT t.membership_id, s.member_id, t.no, t.plan FROM membership_term t
		JOIN LATERAL (SELECT * FROM membership k WHERE k.tenant_id = t.tenant_id AND k.id = t.membership_id LIMIT 1) s ON true
		WHERE t.tenant_id = $1 AND t.payment = $2`, tx.Tenant(), reference).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&p.membership, &p.member, &p.no, &p.plan)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return p
}

// saveLeaving queues that the points of a member who left are to be taken later.
func saveLeaving(tx *pg.Tx, memberID uuid.UUID, left, forfeit time.Time) {
	tx.Queue(`INSERT INTO leaving (tenant_id, member_id, left_at, forfeit_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, member_id) DO UPDATE SET left_at = excluded.left_at, forfeit_at = excluded.forfeit_at`, tx.Tenant(), memberID, left, forfeit)
}

// deleteLeaving queues that they are not to be taken any more.
func deleteLeaving(tx *pg.Tx, memberID uuid.UUID) {
	tx.Queue(`DELETE FROM leaving WHERE tenant_id = $1 AND member_id = $2`, tx.Tenant(), memberID)
}

// list gives up to limit memberships, in the order of their ids.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Membership, error) {
	where, args := `s.tenant_id = $1 AND s.id > $2`, []any{f.After}
	if f.CustomerID != uuid.Nil {
		args = append(args, f.CustomerID)
		where += fmt.Sprintf(` AND s.member_id = ANY (ARRAY(SELECT m.id FROM member m
			WHERE m.tenant_id = $1 AND m.customer_id = ANY ((SELECT customer_group($1, $%d))::uuid[])))`, len(args)+1)
	}
	if f.MemberID != uuid.Nil {
		args = append(args, f.MemberID)
		where += fmt.Sprintf(` AND s.member_id = $%d`, len(args)+1)
	}
	switch f.State {
	case Active:
		where += ` AND s.state = 'active'`
	case Ended:
		where += ` AND s.state = 'ended'`
	}
	r := queue(tx, fmt.Sprintf(`FROM membership s WHERE %s ORDER BY s.id LIMIT %d`, where, limit), args...)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	return withTerms(ctx, tx, r.all)
}

// runningOf is the rest of the query for the memberships that were not ended of the members of a customer, by the member $2.
const runningOf = `FROM membership s WHERE s.tenant_id = $1 AND s.state = 'active' AND s.member_id = ANY (ARRAY(`

// rates adds up terms that ended, by month, programme and plan.
func rates(ctx context.Context, tx *pg.Tx, in ReportQuery, now time.Time) ([]Rate, error) {
	rows, err := tx.Query(ctx, `SELECT to_char(t.end_day - 1, 'YYYY-MM'), t.programme, t.plan,
			count(*) FILTER (WHERE t.over_at <= $4), count(*) FILTER (WHERE t.over_at <= $4 AND n.renewed), count(*) FILTER (WHERE t.over_at > $4)
		FROM membership_term t CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM membership_term k
			WHERE k.tenant_id = t.tenant_id AND k.membership_id = t.membership_id AND k.no = t.no + 1) AS renewed) n
		WHERE t.tenant_id = $1 AND t.end_day > $2 AND t.end_day <= $3 AND t.renewable AND t.cut_at IS NULL
			AND ($5 = '' OR t.programme = $5) AND ($6 = '' OR t.plan = $6)
		GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, tx.Tenant(), in.From, in.To.AddDate(0, 1, 0), now, in.Programme, in.Plan)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Rate, err error) {
		return r, row.Scan(&r.Month, &r.Programme, &r.Plan, &r.Due, &r.Renewed, &r.Open)
	})
}

// findLeaving gives when the points of a member are taken; zero: nothing is to be taken.
func findLeaving(ctx context.Context, tx *pg.Tx, memberID uuid.UUID) (time.Time, error) {
	var at *time.Time
	err := tx.QueryRow(ctx, `SELECT max(forfeit_at) FROM leaving WHERE tenant_id = $1 AND member_id = $2`, tx.Tenant(), memberID).Scan(&at)
	return orZero(at), err
}
