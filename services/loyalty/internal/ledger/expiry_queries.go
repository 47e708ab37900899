package ledger

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Expiring gives the next times, at most 12, at which points of the member, and of all who are the same customer, run out as
// things stand.
func (l *Ledger) Expiring(ctx context.Context, memberID uuid.UUID) (next []Expiring, err error) {
	err = l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		book := programme.BookOf(tx)
		members, err := member.FindPool(ctx, tx, memberID)
		if err != nil {
			return err
		}
		next, err = l.expiring(ctx, tx, book, members...)
		return err
	})
	return next, err
}

func (l *Ledger) expiring(ctx context.Context, tx *pg.Tx, book *programme.Book, members ...member.Member) ([]Expiring, error) {
	ids, accounts := make([]uuid.UUID, len(members)), make([]Account, len(members))
	for i, m := range members {
		ids[i], accounts[i] = m.ID, Account{m}
	}
	of, err := expiringOf(ctx, tx, ids)
	now := l.Now()
	return soonest(accounts, of, func(a Account) programme.Programme { return termsNow(book, a.Member, now) }), err
}

// foretell adds to an explanation what will run out of the member's own points.
func (l *Ledger) foretell(ctx context.Context, tx *pg.Tx, book *programme.Book, own member.Member, x *Explanation) (err error) {
	p := termsNow(book, own, l.Now())
	x.Zone, x.IdleAt = p.Zone, Account{own}.IdleAt(p)
	x.Expiring, err = l.expiring(ctx, tx, book, own)
	return err
}

// totalsOf adds the entries of a member up.
func totalsOf(ctx context.Context, tx *pg.Tx, memberID uuid.UUID) (t Totals, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce(-sum(issued) FILTER (WHERE kind IN ('earn', 'grant')), 0)::bigint,
			coalesce(sum(redeemed) FILTER (WHERE kind = 'spend'), 0)::bigint, coalesce(-sum(redeemed) FILTER (WHERE kind = 'restore'), 0)::bigint,
			coalesce(sum(issued) FILTER (WHERE kind = 'reversal'), 0)::bigint, coalesce(sum(expired), 0)::bigint, coalesce(-sum(adjusted), 0)::bigint
		FROM ledger_entry WHERE tenant_id = $1 AND member_id = $2`, tx.Tenant(), memberID).
		Scan(&t.Earned, &t.Spent, &t.Restored, &t.Reversed, &t.Expired, &t.Adjusted)
	return t, err
}
