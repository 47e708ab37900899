package opportunity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// process stands in the place of the subject where no person acts.
const process = "process:opportunity"

// scanMost is how many opportunities are looked at in one transaction.
const scanMost = 500

// Scan looks over all tenants at the opportunities that may have stalled, and flags those that did: once, and again when they stalled
// anew after something was done about them. It may be called in any number of processes.
func (o *Opportunities) Scan(ctx context.Context) error {
	for {
		due, err := o.db.Across(ctx, `SELECT tenant_id, id FROM opportunity_due($1, $2)`, o.now(), scanMost)
		if err != nil {
			return fmt.Errorf("opportunities that may have stalled: %w", err)
		}
		of := make(map[string][]uuid.UUID)
		for _, one := range due {
			of[one.Tenant] = append(of[one.Tenant], one.ID)
		}
		var errs []error
		for tenant, ids := range of {
			if err := o.scan(auth.With(ctx, auth.Principal{Subject: process, Tenant: tenant}), tenant, ids); err != nil {
				errs = append(errs, fmt.Errorf("opportunities of %s that may have stalled: %w", tenant, err))
			}
		}
		if len(due) < scanMost || len(errs) > 0 {
			return errors.Join(errs...)
		}
	}
}

// scan looks at opportunities of one tenant.
func (o *Opportunities) scan(ctx context.Context, tenant string, ids []uuid.UUID) error {
	return o.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		now := o.now()
		pipeline.Hold(tx)
		book := pipeline.All(tx)
		all, err := lockAll(ctx, tx, ids)
		if err != nil {
			return err
		}
		var looked []Opportunity
		var mended []uuid.UUID
		var events []outbox.Event
		for _, was := range all {
			if was.LookAt.IsZero() || was.LookAt.After(now) {
				continue // somebody else was faster
			}
			p, _ := book.Find(was.Pipeline)
			stage, _, _ := p.Stage(was.Stage)
			is, anew := was.found(stage, now)
			looked = append(looked, is)
			switch {
			case anew:
				events = append(events, stalledEvent(is))
			case was.Stall.Reason != "" && is.Stall.Reason == "":
				mended = append(mended, is.ID)
			}
		}
		saveStalls(tx, looked)
		settle(tx, now, mended...)
		return o.outbox.Append(ctx, tx, events...)
	})
}

// lockAll gives opportunities by themselves, without what hangs on them, and keeps everybody else from changing them until the
// transaction ends.
func lockAll(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) ([]Opportunity, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM opportunity o WHERE o.tenant_id = $1 AND o.id = ANY ($2::uuid[]) ORDER BY o.id FOR UPDATE`,
		tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(from pgx.CollectableRow) (Opportunity, error) {
		var r row
		err := from.Scan(r.into()...)
		return r.read(), err
	})
}

// saveStalls queues whether opportunities that are locked stalled; that is no change that people make.
func saveStalls(tx *pg.Tx, all []Opportunity) {
	if len(all) == 0 {
		return
	}
	n := len(all)
	ids, reasons, stalls := make([]uuid.UUID, n), make([]string, n), make([]int32, n)
	since, look, follow := make([]*time.Time, n), make([]*time.Time, n), make([]*time.Time, n)
	for i, o := range all {
		ids[i], reasons[i], stalls[i] = o.ID, o.Stall.Reason, int32(o.Stalls)
		since[i], look[i], follow[i] = pg.OrNull(o.Stall.At), pg.OrNull(o.LookAt), pg.OrNull(o.FollowUpAt)
	}
	tx.Queue(`UPDATE opportunity o SET stalled_at = n.since, stalled_reason = n.reason, stalls = n.stalls, look_at = n.look, follow_up_at = n.follow
		FROM unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::int[], $6::timestamptz[], $7::timestamptz[]) AS n(id, since, reason, stalls, look, follow)
		WHERE o.tenant_id = $1 AND o.id = n.id`, tx.Tenant(), ids, since, reasons, stalls, look, follow)
}
