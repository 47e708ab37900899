package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Balance gives a member with what it had at a time, by when entries were booked; now where at is zero. What those had
// together who are one customer is told of those who are that today.
func (l *Ledger) Balance(ctx context.Context, memberID uuid.UUID, at time.Time) (member.Seen, error) {
	var m member.Seen
	err := l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if m, err = member.See(ctx, tx, memberID); err != nil || at.IsZero() {
			return err
		}
		m.Balance, m.Pool, err = balancesAt(ctx, tx, memberID, at)
		return err
	})
	return m, err
}

// balancesAt gives what a member, and what the whole pool, had at a time.
func balancesAt(ctx context.Context, tx *pg.Tx, memberID uuid.UUID, at time.Time) (own, pool member.Balance, err error) {
	rows, err := tx.Query(ctx, `SELECT n.id, e.available, e.pending, e.debt, e.entries FROM (`+member.OfPool+`) AS n(id) CROSS JOIN LATERAL (
			SELECT coalesce(sum(available), 0)::bigint AS available, coalesce(sum(pending), 0)::bigint AS pending,
				coalesce(-sum(debt), 0)::bigint AS debt, count(*) AS entries
			FROM ledger_entry WHERE tenant_id = $1 AND member_id = n.id AND recorded_at <= $3) e`, tx.Tenant(), memberID, at)
	if err != nil {
		return own, pool, err
	}
	var (
		id  uuid.UUID
		b   member.Balance
		sum member.Balance
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &b.Available, &b.Pending, &b.Debt, &b.Entries}, func() error {
		if id == memberID {
			own = b
		}
		sum.Available, sum.Pending, sum.Debt = sum.Available+b.Available, sum.Pending+b.Pending, sum.Debt+b.Debt
		return nil
	})
	return own, member.Pooled(sum.Available, sum.Pending, sum.Debt), err
}

// openLots is how many lots an explanation lists.
const openLots = 200

// Explanation is what a member's own balance is made of. All of it was true at one moment, but for the others.
type Explanation struct {
	member.Balance
	Others    []member.Member       // who are the same customer since a merge, by their customers' ids
	Zone      *time.Location        // of the member's programme
	Expiring  []Expiring            // the next times at which points of its own run out, at most 12
	IdleAt    time.Time             // when all of it runs out if nothing is earned or spent until then; zero: not by that
	Totals    Totals                // what all its entries add up to; of the latest entries on only
	Lots      []Lot                 // that have points left, those that run out first before others and then the oldest; at most 200
	LotsTotal int64                 // how many there are
	Entries   []Entry               // the latest first
	Parts     map[uuid.UUID][]Entry // of these, what spends took from others who are the same customer, and what gave that back
}

// Explain gives a member's balance with its lots, and up to limit entries before the one of the number before; 0: from the
// latest on.
func (l *Ledger) Explain(ctx context.Context, memberID uuid.UUID, before int64, limit int) (Explanation, error) {
	var x Explanation
	err := l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		book := programme.BookOf(tx)
		if x, err = explained(ctx, tx, memberID); err != nil {
			return err
		}
		if x.Others, err = member.FindPool(ctx, tx, memberID); err != nil {
			return err
		}
		own := slices.IndexFunc(x.Others, func(m member.Member) bool { return m.ID == memberID })
		if err := l.foretell(ctx, tx, book, x.Others[own], &x); err != nil {
			return err
		}
		x.Others = slices.Delete(x.Others, own, own+1)
		if before == 0 {
			if x.Totals, err = totalsOf(ctx, tx, memberID); err != nil {
				return err
			}
		}
		if before == 0 || before > x.Balance.Entries {
			before = x.Balance.Entries + 1 // those that were booked since are not in the balance either
		}
		rows, err := tx.Query(ctx, `SELECT `+entryColumns+` FROM ledger_entry e `+uses+`
			WHERE e.tenant_id = $1 AND e.member_id = $2 AND e.entry_no < $3 ORDER BY e.entry_no DESC LIMIT $4`,
			tx.Tenant(), memberID, before, limit)
		if err != nil {
			return err
		}
		if x.Entries, err = pgx.CollectRows(rows, scanEntry); err != nil {
			return err
		}
		x.Parts, err = partsOfAll(ctx, tx, x.Entries)
		return err
	})
	return x, err
}

// explained reads balance and lots in one statement, so that they fit.
func explained(ctx context.Context, tx *pg.Tx, memberID uuid.UUID) (x Explanation, err error) {
	rows, err := tx.Query(ctx, `SELECT m.available, m.pending, m.debt, m.entries, l.total, l.id, l.points, l.remaining, l.available_at,
			l.released, l.earned_at, l.reason_type, l.reason_id, l.expires_at, l.expired
		FROM member m LEFT JOIN LATERAL (
			SELECT o.*, count(*) OVER () AS total FROM lot o
			WHERE o.tenant_id = m.tenant_id AND o.member_id = m.id AND o.remaining > 0 ORDER BY o.expires_at, o.earned_at, o.id LIMIT $3
		) l ON true
		WHERE m.tenant_id = $1 AND m.id = $2 ORDER BY l.expires_at, l.earned_at, l.id`, tx.Tenant(), memberID, openLots)
	if err != nil {
		return x, err
	}
	defer rows.Close()
	there := false
	for rows.Next() {
		there = true
		var (
			total, points, remaining *int64
			id                       *uuid.UUID
			availableAt, earnedAt    *time.Time
			expires                  *time.Time
			expired                  *int64
			released                 *bool
			reasonType, reasonID     *string
		)
		if err := rows.Scan(&x.Available, &x.Pending, &x.Debt, &x.Balance.Entries, &total, &id, &points, &remaining, &availableAt,
			&released, &earnedAt, &reasonType, &reasonID, &expires, &expired); err != nil {
			return x, err
		}
		if id == nil {
			continue
		}
		x.LotsTotal = *total
		x.Lots = append(x.Lots, Lot{
			ID: *id, MemberID: memberID, Points: *points, Remaining: *remaining, AvailableAt: availableAt.UTC(), Released: *released,
			EarnedAt: earnedAt.UTC(), Reason: Reason{*reasonType, *reasonID}, ExpiresAt: orZero(expires), Expired: *expired,
		})
	}
	if err := rows.Err(); err != nil {
		return x, err
	}
	if !there {
		_, err = member.Find(ctx, tx, memberID) // says that there is none
	}
	return x, err
}
