package referral

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// Code gives the code of a member of the caller's tenant; NotFound where it has none.
func (r *Referrals) Code(ctx context.Context, memberID uuid.UUID) (c Code, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := member.Find(ctx, tx, memberID); err != nil {
			return err
		}
		c, err = codeOf(ctx, tx, memberID)
		return err
	})
	return c, err
}

// Get gives a referral of the caller's tenant.
func (r *Referrals) Get(ctx context.Context, id uuid.UUID) (found Referral, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = find(ctx, tx, id, false)
		return err
	})
	return found.At(r.now()), err
}

// Filter says which referrals are meant; the zero Filter means all.
type Filter struct {
	MemberID   uuid.UUID // of the referrer
	CustomerID uuid.UUID // the referred one, under whichever id
	State      State
	Before     uuid.UUID // only those named before this one
}

// List gives up to limit referrals, the latest first.
func (r *Referrals) List(ctx context.Context, f Filter, limit int) (page []Referral, err error) {
	now := r.now()
	if f.Before == uuid.Nil {
		f.Before = uuid.Max
	}
	where, args := `r.tenant_id = $1 AND r.id < $2`, []any{auth.Tenant(ctx), f.Before}
	also := func(condition string, arg any) {
		args = append(args, arg)
		where += fmt.Sprintf(" AND "+condition, len(args))
	}
	if f.MemberID != uuid.Nil {
		also(`r.referrer_id = $%d`, f.MemberID)
	}
	if f.CustomerID != uuid.Nil {
		also(`r.referred_customer = ANY ((SELECT customer_group($1, $%d))::uuid[])`, f.CustomerID)
	}
	if f.State != "" {
		args = append(args, now)
		also(fmt.Sprintf(stateAt, len(args))+` = $%d`, f.State)
	}
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT `+columns+` FROM referral r WHERE %s ORDER BY r.id DESC LIMIT %d`, where, limit), args...)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Referral, error) {
			one, err := scan(row)
			return one.At(now), err
		})
		return err
	})
	return page, err
}

// stateAt is the state of a referral r at the time in the parameter of the number.
const stateAt = `CASE WHEN r.state = 'open' AND r.expires_at <= $%d THEN 'expired' ELSE r.state END`

// Report is what became of the referrals of a period.
type Report struct {
	Programme    string
	From, To     time.Time // when they were named: from From on, before To
	States       map[State]int
	SameCustomer int // of those completed, whose both sides are one customer by now; they stand in States as well
	Points       int64
	Named        int                  // that could have led to a purchase: all but void ones and those of one customer
	Converted    int                  // of them, that did, and of which not everything came back
	Rate         *proportion.Interval // converted ÷ named; nil while there are fewer than Enough
}

// Enough is how many referrals there have to be before a rate is said.
const Enough = 30

// Report reports the referrals that were named in a period.
func (r *Referrals) Report(ctx context.Context, programme string, from, to time.Time) (Report, error) {
	rep := Report{Programme: programme, From: from, To: to, States: make(map[State]int)}
	err := r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `WITH alias AS MATERIALIZED (SELECT * FROM customer_aliases($1) AS a(customer_id, root_id))
			SELECT `+fmt.Sprintf(stateAt, 5)+`, coalesce(a.root_id, r.referrer_customer) = coalesce(b.root_id, r.referred_customer), count(*),
				sum(CASE WHEN r.state = 'completed' THEN r.referrer_points + r.referred_points ELSE 0 END)::bigint
			FROM referral r LEFT JOIN alias a ON a.customer_id = r.referrer_customer LEFT JOIN alias b ON b.customer_id = r.referred_customer
			WHERE r.tenant_id = $1 AND r.programme = $2 AND r.named_at >= $3 AND r.named_at < $4 GROUP BY 1, 2`,
			tx.Tenant(), programme, from, to, r.now())
		if err != nil {
			return err
		}
		var (
			state  State
			same   bool
			n      int
			points int64
		)
		_, err = pgx.ForEachRow(rows, []any{&state, &same, &n, &points}, func() error {
			rep.add(state, same, n, points)
			return nil
		})
		return err
	})
	if rep.Named >= Enough {
		rate := proportion.Wilson(rep.Converted, rep.Named)
		rep.Rate = &rate
	}
	return rep, err
}

func (r *Report) add(state State, same bool, n int, points int64) {
	r.States[state] += n
	r.Points += points
	switch {
	case state == Completed && same:
		r.SameCustomer += n
	case state != Void && !same:
		r.Named += n
		if state == Completed {
			r.Converted += n
		}
	}
}
