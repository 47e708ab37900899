package activity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// RemindEvery is how often is looked for reminders that are due.
const RemindEvery = 5 * time.Second

// remindPage is how many reminders are given in one transaction.
const remindPage = 500

// due is a reminder that is due.
type due struct {
	activity, root uuid.UUID
	no             int
	kind           Kind
	owner          string
	dueAt          time.Time
}

// Remind gives the reminders that are due, of all tenants, each with its event in one transaction. It may run in any number of processes
// and may be stopped at any time: a reminder is given by whoever locks its row first, and those that others have in hand are passed over.
// What fails of a tenant is tried again by the next scan, and keeps no other one waiting.
func (a *Activities) Remind(ctx context.Context) error {
	now := a.now()
	var tenants []string
	err := a.ops.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id FROM activity_reminder WHERE given_at IS NULL AND remind_at <= $1 GROUP BY tenant_id ORDER BY tenant_id`, now)
		if err != nil {
			return err
		}
		tenants, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, tenant := range tenants {
		for more := true; more && ctx.Err() == nil; {
			if more, err = a.remindSome(ctx, tenant, now); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", tenant, err))
				break
			}
		}
	}
	return errors.Join(errs...)
}

// remindSome gives up to a page of a tenant's reminders, and tells whether there may be more.
func (a *Activities) remindSome(ctx context.Context, tenant string, now time.Time) (more bool, err error) {
	_, err = a.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		page, err := dueNow(ctx, tx, now)
		if more = len(page) == remindPage; err != nil || len(page) == 0 {
			return pg.Result{}, err
		}
		people := team.All(tx, now)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		later := make(map[int]time.Time)
		var events []outbox.Event
		for i, d := range page {
			if p, known := people.Person(d.owner); known {
				// Whoever is late, since nothing ran for a while, or whose hours changed, waits until they work, if that is in time.
				if at := worksAs(p).next(now, d.dueAt); at.After(now) && at.Before(d.dueAt) {
					later[i] = at
					continue
				}
			}
			events = append(events, remindedEvent(d, now))
		}
		saveGiven(tx, page, later, now)
		return pg.Result{}, a.outbox.Append(ctx, tx, events...)
	})
	return more, err
}

// dueNow locks up to a page of the tenant's reminders that are due and that nobody else has in hand, the longest due first.
func dueNow(ctx context.Context, tx *pg.Tx, now time.Time) ([]due, error) {
	rows, err := tx.Query(ctx, `SELECT r.activity_id, r.no, a.kind, a.owner, a.due_at,
			coalesce(customer_root($1, coalesce(a.customer_id, l.customer_id)), '00000000-0000-0000-0000-000000000000')
		FROM (SELECT tenant_id, activity_id, no, remind_at FROM activity_reminder WHERE tenant_id = $1 AND given_at IS NULL AND remind_at <= $2
			ORDER BY remind_at, activity_id, no LIMIT $3 FOR UPDATE SKIP LOCKED) r
		CROSS JOIN LATERAL (SELECT * FROM activity WHERE tenant_id = $1 AND id = r.activity_id LIMIT 1) a
		LEFT JOIN LATERAL (SELECT customer_id FROM lead WHERE tenant_id = $1 AND id = a.lead_id LIMIT 1) l ON true
		ORDER BY r.remind_at, r.activity_id, r.no`, tx.Tenant(), now, remindPage)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) {
		err = row.Scan(&d.activity, &d.no, &d.kind, &d.owner, &d.dueAt, &d.root)
		d.dueAt = d.dueAt.UTC()
		return d, err
	})
}

// saveGiven queues that the reminders of a page are given, or, those that have a time in later, wait until then.
func saveGiven(tx *pg.Tx, page []due, later map[int]time.Time, now time.Time) {
	ids, numbers, owners := make([]uuid.UUID, len(page)), make([]int32, len(page)), make([]string, len(page))
	at := make([]*time.Time, len(page))
	for i, d := range page {
		ids[i], numbers[i], owners[i] = d.activity, int32(d.no), d.owner
		if t, waits := later[i]; waits {
			at[i] = &t
		}
	}
	tx.Queue(`UPDATE activity_reminder r SET remind_at = coalesce(n.later, r.remind_at), given_at = CASE WHEN n.later IS NULL THEN $2::timestamptz END,
			given_to = CASE WHEN n.later IS NULL THEN n.owner ELSE '' END
		FROM unnest($3::uuid[], $4::int[], $5::text[], $6::timestamptz[]) AS n (id, no, owner, later)
		WHERE r.tenant_id = $1 AND r.activity_id = n.id AND r.no = n.no AND r.given_at IS NULL`, tx.Tenant(), now, ids, numbers, owners, at)
}
