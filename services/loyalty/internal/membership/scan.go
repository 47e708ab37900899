package membership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// ScanEvery is how often is looked for what is due.
const ScanEvery = time.Minute

const (
	scanPage = 500
	actor    = "memberships" // in whose name is done what is due
)

// due is something that is due: a membership, or a member who left.
type due struct {
	at     time.Time
	tenant string
	id     uuid.UUID
}

// Scan reminds of memberships that end soon, ends those that are over, and takes the points of members who left and did not come
// back. It may run in any number of processes: each membership is locked and judged anew when its turn comes. What fails is
// tried again by the next scan, and keeps nothing else waiting.
func (m *Memberships) Scan(ctx context.Context) error {
	now := m.now()
	return errors.Join(
		m.each(ctx, now, `SELECT over_at, tenant_id, id FROM membership WHERE state = 'active' AND over_at <= $1
			AND (over_at, tenant_id, id) > ($2, $3, $4) ORDER BY over_at, tenant_id, id LIMIT $5`, m.expire),
		m.each(ctx, now, `SELECT remind_at, tenant_id, id FROM membership WHERE state = 'active' AND remind_at <= $1
			AND (remind_at, tenant_id, id) > ($2, $3, $4) ORDER BY remind_at, tenant_id, id LIMIT $5`, m.remind),
		m.each(ctx, now, `SELECT forfeit_at, tenant_id, member_id FROM leaving WHERE forfeit_at <= $1
			AND (forfeit_at, tenant_id, member_id) > ($2, $3, $4) ORDER BY forfeit_at, tenant_id, member_id LIMIT $5`, m.forfeitLater),
	)
}

// each goes through all that is due now by a query, a page after the other, and does something about each.
func (m *Memberships) each(ctx context.Context, now time.Time, query string, do func(ctx context.Context, tenant string, id uuid.UUID) error) error {
	var errs []error
	for last := (due{}); ctx.Err() == nil; {
		var page []due
		err := m.ops.System(ctx, func(tx *pg.Tx) error {
			rows, err := tx.Query(ctx, query, now, last.at, last.tenant, last.id, scanPage)
			if err != nil {
				return err
			}
			page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) { return d, row.Scan(&d.at, &d.tenant, &d.id) })
			return err
		})
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, d := range page {
			ctx := auth.With(ctx, auth.Principal{Subject: actor, Tenant: d.tenant})
			if err := do(ctx, d.tenant, d.id); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", d.id, err))
			}
		}
		if len(page) < scanPage {
			break
		}
		last = page[len(page)-1]
	}
	return errors.Join(errs...)
}

// expire ends a membership that is over, unless that was done, or it was renewed.
func (m *Memberships) expire(ctx context.Context, _ string, id uuid.UUID) error {
	_, err := m.change(ctx, id, func(*pg.Tx) {}, func(tx *pg.Tx, c *owned) error {
		if c.membership.State == Ended || !c.membership.Over(c.now) {
			return nil
		}
		c.membership = c.membership.Expire()
		saveEnd(tx, c.membership)
		c.events = append(c.events, endedEvent(c.member, c.membership))
		return nil
	})
	return err
}

// remind tells that a membership ends soon, unless that was done, or it was renewed. One whose term has ended meanwhile, or whose
// member has left, is not told of any more.
func (m *Memberships) remind(ctx context.Context, _ string, id uuid.UUID) error {
	_, err := m.change(ctx, id, func(*pg.Tx) {}, func(tx *pg.Tx, c *owned) error {
		s := c.membership
		if s.State == Ended || s.RemindAt.IsZero() || s.RemindAt.After(c.now) {
			return nil
		}
		s.RemindAt = time.Time{}
		save(tx, s)
		if c.now.Before(s.Latest().EndsAt) {
			c.events = append(c.events, endingEvent(c.member, s, c.now))
		}
		return nil
	})
	return err
}

// forfeitLater takes the points of a member who left, unless that was done, or it came back.
func (m *Memberships) forfeitLater(ctx context.Context, tenant string, memberID uuid.UUID) error {
	_, err := m.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		one, err := member.Lock(ctx, tx, memberID)
		if err != nil {
			return pg.Result{}, err
		}
		at, err := findLeaving(ctx, tx, memberID)
		if err != nil || at.IsZero() || at.After(m.now()) {
			return pg.Result{}, err
		}
		deleteLeaving(tx, memberID)
		if one.State != member.Left {
			return pg.Result{}, nil
		}
		steps, err := m.forfeit(ctx, tx, one)
		if err != nil {
			return pg.Result{}, err
		}
		return pg.Result{}, m.ledger.Book(ctx, tx, nil, steps...)
	})
	return err
}

// queueRunning queues the reading of the memberships that were not ended of members of the customers, their members locked.
func queueRunning(tx *pg.Tx, customers []uuid.UUID) (*programme.Book, *read) {
	const of = `SELECT m.id FROM member m WHERE m.tenant_id = $1 AND m.customer_id = ANY($2::uuid[])`
	tx.Queue(of+` ORDER BY m.customer_id, m.programme FOR UPDATE`, tx.Tenant(), customers)
	return programme.BookOf(tx), queue(tx, runningOf+of+`))`, customers)
}
