package retention

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// ScanWorkflow is the name of the workflow that looks for silence and for occasions, and of the schedule that starts it.
const ScanWorkflow = "loyalty-retention-scan"

// Schedule has all tenants looked through every six hours. Whoever has been found is not found again: a case is open, or an
// occasion was given.
func Schedule() flow.Schedule {
	return flow.Schedule{ID: ScanWorkflow, Every: 6 * time.Hour, Workflow: ScanWorkflow, Args: []any{Cursor{}}}
}

// The parts of a scan, one after the other, of each tenant.
const (
	partSilence = "silence"
	partMembers = "members" // birthdays and anniversaries
	partAssets  = "assets"  // maintenance
)

// Cursor is how far a scan is. Each page is a transaction of its own, and done again it changes nothing: so a scan goes on
// from here after any failure.
type Cursor struct {
	Tenant string    `json:"tenant"` // whom the scan is at, or has passed where Part is empty
	Part   string    `json:"part,omitempty"`
	After  uuid.UUID `json:"after,omitzero"` // of the part
	Done   bool      `json:"done,omitempty"`
	Looked int64     `json:"looked"`
	Opened int64     `json:"opened"` // cases
	Given  int64     `json:"given"`  // occasions
}

const (
	pageSize      = 500
	roundsOfAScan = 200 // before it continues as new
)

// Scan looks through all tenants, round by round.
func Scan(ctx workflow.Context, c Cursor) (Cursor, error) {
	ctx = flow.InRounds(ctx)
	for round := 0; !c.Done; round++ {
		if round == roundsOfAScan {
			return c, workflow.NewContinueAsNewError(ctx, ScanWorkflow, c)
		}
		var next Cursor
		if err := flow.Insist(ctx, scanActivity, &next, c); err != nil {
			return c, err
		}
		c = next
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d rows looked at, %d cases opened, %d occasions given", c.Looked, c.Opened, c.Given))
	}
	return c, nil
}

// scanRound looks through some pages.
func (r *Retention) scanRound(ctx context.Context, c Cursor) (Cursor, error) {
	return flow.Round(ctx, c, r.now, r.scanPage, func(c Cursor) bool { return c.Done })
}

// scanPage looks through one page, and says where the next one begins.
func (r *Retention) scanPage(ctx context.Context, c Cursor) (Cursor, error) {
	if c.Part == "" {
		next, err := r.nextTenant(ctx, c.Tenant)
		c.Tenant, c.Part, c.After, c.Done = next, partSilence, uuid.Nil, next == ""
		return c, err
	}
	ctx = auth.With(ctx, auth.Principal{Subject: process, Tenant: c.Tenant})
	var after uuid.UUID
	var looked int
	switch c.Part {
	case partSilence:
		found, opened, err := r.silentPage(ctx, c.After)
		if err != nil {
			return c, err
		}
		c.Opened += int64(opened)
		looked, after = len(found), lastOf(found)
	default:
		ids, given, err := r.carePage(ctx, c.Part, c.After)
		if err != nil {
			return c, err
		}
		c.Given += int64(given)
		looked, after = len(ids), lastOf(ids)
	}
	c.Looked += int64(looked)
	if c.After = after; looked < pageSize {
		c.After = uuid.Nil
		switch c.Part {
		case partSilence:
			c.Part = partMembers
		case partMembers:
			c.Part = partAssets
		default:
			c.Part = ""
		}
	}
	return c, nil
}

func lastOf(ids []uuid.UUID) uuid.UUID {
	if len(ids) == 0 {
		return uuid.Nil
	}
	return ids[len(ids)-1]
}

func (r *Retention) nextTenant(ctx context.Context, after string) (next string, err error) {
	err = r.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT t FROM retention_scanned($1, 1) AS t`, after)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if len(found) > 0 {
			next = found[0]
		}
		return err
	})
	return next, err
}

// ScanTenant looks through the caller's tenant at once: for silence, and for occasions.
func (r *Retention) ScanTenant(ctx context.Context) (Cursor, error) {
	ctx = pg.WithOnce(ctx, pg.Once{}) // each page is a command of its own; repeated, it finds nothing left to do
	c := Cursor{Tenant: auth.Tenant(ctx), Part: partSilence}
	for c.Part != "" {
		var err error
		if c, err = r.scanPage(ctx, c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// quiet is how a customer bought, with all ids that mean the same one.
type quiet struct {
	id, root    uuid.UUID
	purchases   int64
	first, last time.Time
}

// silentPage opens cases of those of the next page of customers who have been silent for too long by a plan. It gives the page.
func (r *Retention) silentPage(ctx context.Context, after uuid.UUID) (ids []uuid.UUID, opened int, err error) {
	now := r.now()
	_, err = r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		ids, opened = nil, 0
		plans, err := plansOf(ctx, tx, "", true, maxPlans)
		if err != nil {
			return pg.Result{}, err
		}
		if !slices.ContainsFunc(plans, func(p Plan) bool { return p.Triggers.silence() }) {
			return pg.Result{}, nil
		}
		page, err := quietPage(ctx, tx, after)
		if err != nil {
			return pg.Result{}, err
		}
		var calls []call
		for _, q := range page {
			ids = append(ids, q.id)
			fits := func(p Plan) bool { return p.Triggers.silence() && p.Triggers.Silent(q.purchases, q.first, q.last, now) }
			for _, p := range plans {
				if !fits(p) {
					continue
				}
				id, err := uuid.NewV7()
				if err != nil {
					return pg.Result{}, err
				}
				calls = append(calls, call{id: id, customer: q.root, trigger: Silence, fits: fits, by: process})
				break
			}
		}
		made, _, err := r.openAll(ctx, tx, plans, calls...)
		opened = len(made)
		return pg.Result{}, err
	})
	return ids, opened, err
}

// quietPage reads the next page of customer ids that ever bought. Where several ids mean one customer, each stands for all.
func quietPage(ctx context.Context, tx *pg.Tx, after uuid.UUID) ([]quiet, error) {
	rows, err := tx.Query(ctx, `WITH page AS MATERIALIZED (SELECT c.customer_id, c.purchases, c.first_at, c.last_at FROM retention_customer c
			WHERE c.tenant_id = $1 AND c.customer_id > $2 ORDER BY c.customer_id LIMIT $3),
		merged AS MATERIALIZED (SELECT p.customer_id, customer_group($1, p.customer_id) AS ids FROM page p
			WHERE `+inMerge("p.customer_id")+`)
		SELECT p.customer_id, p.customer_id, p.purchases, p.first_at, p.last_at FROM page p
		WHERE NOT EXISTS (SELECT FROM merged m WHERE m.customer_id = p.customer_id)
		UNION ALL
		SELECT m.customer_id, m.ids[1], g.purchases, g.first_at, g.last_at FROM merged m
		CROSS JOIN LATERAL (SELECT sum(c.purchases)::bigint AS purchases, min(c.first_at) AS first_at, max(c.last_at) AS last_at FROM retention_customer c
			WHERE c.tenant_id = $1 AND c.customer_id = ANY (m.ids)) g
		ORDER BY 1`, tx.Tenant(), after, pageSize)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (q quiet, err error) {
		return q, row.Scan(&q.id, &q.root, &q.purchases, &q.first, &q.last)
	})
}
