package growth

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

const (
	pageMembers   = 500 // that one transaction scores
	pagesPerRound = 40  // that one activity does
)

// Register registers the workflow and its activity.
func (g *Growths) Register(r worker.Registry) {
	r.RegisterWorkflowWithOptions(ScoreDaily, workflow.RegisterOptions{Name: WorkflowName})
	r.RegisterActivityWithOptions(g.ScorePages, activity.RegisterOptions{Name: activityName})
}

// ScorePages scores some pages of members from the progress on, and gives how far that came.
func (g *Growths) ScorePages(ctx context.Context, p Progress) (Progress, error) {
	for range pagesPerRound {
		activity.RecordHeartbeat(ctx, p)
		scored, more := int64(0), false
		if p.Tenant != "" {
			var err error
			if scored, more, err = g.scorePage(ctx, p.Tenant); err != nil {
				return p, err
			}
		}
		p.Members += scored
		if more {
			continue
		}
		tenant, err := g.nextTenant(ctx, p.Tenant)
		if err != nil {
			return p, err
		}
		if p.Tenant = tenant; tenant == "" {
			p.Done = true
			return p, nil
		}
	}
	return p, nil
}

// nextTenant gives the tenant after the given one that has written terms; empty after the last.
func (g *Growths) nextTenant(ctx context.Context, after string) (tenant string, err error) {
	err = g.ops.System(ctx, func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT coalesce(min(tenant_id), '') FROM programme WHERE tenant_id > $1`, after).Scan(&tenant)
	})
	return tenant, err
}

// scorePage scores the next members of a programme of the tenant whose day is not done; more is false where there is none. The
// place moves in the same transaction: killed anywhere, it goes on behind the last who was scored.
func (g *Growths) scorePage(ctx context.Context, tenant string) (scored int64, more bool, err error) {
	_, err = g.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		scored, more = 0, false
		book := programme.BookOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		now := g.now()
		for _, code := range scoring(book, now) {
			p, _ := book.At(code, now)
			at, done, err := lockRound(ctx, tx, p, today(now, p.Zone))
			if err != nil {
				return pg.Result{}, err
			}
			if done {
				continue
			}
			ids, err := membersAfter(ctx, tx, code, at)
			if err != nil {
				return pg.Result{}, err
			}
			scored, more = int64(len(ids)), true
			if err := g.rescore(ctx, tx, book, ids, CauseDay); err != nil {
				return pg.Result{}, err
			}
			if len(ids) > 0 {
				at = ids[len(ids)-1]
			}
			tx.Queue(`UPDATE growth_round SET after_member = $3, members = members + $4, done = $5 WHERE tenant_id = $1 AND programme = $2`,
				tx.Tenant(), code, at, len(ids), len(ids) < pageMembers)
			return pg.Result{}, nil
		}
		return pg.Result{}, nil
	})
	if err != nil {
		return 0, false, err
	}
	return scored, more, nil
}

// lockRound gives how far the round of a day over a programme is, and keeps others from it until the transaction ends. The first
// of a day begins anew, and so does the first by other terms.
func lockRound(ctx context.Context, tx *pg.Tx, p programme.Programme, day time.Time) (after uuid.UUID, done bool, err error) {
	tx.Queue(`INSERT INTO growth_round AS r (tenant_id, programme, day, version, after_member) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id, programme) DO UPDATE
			SET day = excluded.day, version = excluded.version, after_member = excluded.after_member, members = 0, done = false
			WHERE r.day < excluded.day OR r.day = excluded.day AND r.version <> excluded.version`, tx.Tenant(), p.Code, day, p.Version, uuid.Nil)
	err = tx.QueryRow(ctx, `SELECT after_member, done FROM growth_round WHERE tenant_id = $1 AND programme = $2 FOR UPDATE`, tx.Tenant(), p.Code).Scan(&after, &done)
	return after, done, err
}

// membersAfter gives the next members of a programme who have not left, in the order of their ids.
func membersAfter(ctx context.Context, tx *pg.Tx, code string, after uuid.UUID) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM member WHERE tenant_id = $1 AND id > $2 AND programme = $3 AND state <> 'left' ORDER BY id LIMIT $4`,
		tx.Tenant(), after, code, pageMembers)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}
