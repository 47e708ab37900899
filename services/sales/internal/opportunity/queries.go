package opportunity

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Read gives an opportunity of the caller's tenant.
func (o *Opportunities) Read(ctx context.Context, id uuid.UUID) (Opportunity, error) {
	return read(ctx, o, func(tx *pg.Tx) (Opportunity, error) { return Get(ctx, tx, id) })
}

// read gives what a reading transaction of the caller's tenant gives.
func read[T any](ctx context.Context, o *Opportunities, of func(tx *pg.Tx) (T, error)) (found T, err error) {
	err = o.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = of(tx)
		return err
	})
	return found, err
}

// Filter says which opportunities are meant; the zero Filter means all.
type Filter struct {
	CustomerID uuid.UUID // and whoever was merged with this one
	LeadID     uuid.UUID
	Pipeline   string
	Stage      string
	State      State
	Owner      string
	Team       string
	Stalled    bool
	Before     uuid.UUID // only those opened before this one
}

// conditions are conditions of a statement and the values of their places, the first of which are taken.
type conditions struct {
	all  []string
	args []any
}

// only adds a condition with one value, whose place stands as $%d.
func (c *conditions) only(condition string, value any) {
	c.args = append(c.args, value)
	c.all = append(c.all, fmt.Sprintf(condition, len(c.args)))
}

func (c *conditions) String() string { return strings.Join(c.all, " AND ") }

// where gives the filter's conditions on opportunities o of a tenant.
func (f Filter) where(tenant string) *conditions {
	c := &conditions{}
	c.only(`o.tenant_id = $%d`, tenant)
	if f.CustomerID != uuid.Nil {
		c.only(`o.customer_id = ANY ((SELECT customer_group($1, $%d))::uuid[])`, f.CustomerID)
	}
	if f.LeadID != uuid.Nil {
		c.only(`o.lead_id = $%d`, f.LeadID)
	}
	if f.Before != uuid.Nil {
		c.only(`o.id < $%d`, f.Before)
	}
	for _, one := range []struct{ column, value string }{
		{"pipeline", f.Pipeline}, {"stage", f.Stage}, {"state", string(f.State)}, {"owner", f.Owner}, {"team", f.Team},
	} {
		if one.value != "" {
			c.only(`o.`+one.column+` = $%d`, one.value)
		}
	}
	if f.Stalled {
		c.all = append(c.all, `o.stalled_at IS NOT NULL`)
	}
	return c
}

// List gives up to limit opportunities, the latest opened first.
func (o *Opportunities) List(ctx context.Context, f Filter, limit int) ([]Opportunity, error) {
	return read(ctx, o, func(tx *pg.Tx) ([]Opportunity, error) {
		where := f.where(tx.Tenant())
		rows, err := tx.Query(ctx, fmt.Sprintf(`%s WHERE %s ORDER BY o.id DESC LIMIT %d`, selected, where, limit), where.args...)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Opportunity, error) { return scan(row) })
	})
}

// History gives up to limit entries of the stage history after the one of a number, from the opening on.
func (o *Opportunities) History(ctx context.Context, id uuid.UUID, after, limit int) ([]Entry, error) {
	return read(ctx, o, func(tx *pg.Tx) ([]Entry, error) {
		if _, err := customerOf(ctx, tx, id); err != nil {
			return nil, err
		}
		rows, err := tx.Query(ctx, `SELECT h.no, h.pipeline, h.stage, h.state, h.entered_at, h.by_subject, h.previous_stage, h.previous_state,
				h.previous_seconds, n.entered_at
			FROM opportunity_stage h
			LEFT JOIN opportunity_stage n ON n.tenant_id = h.tenant_id AND n.opportunity_id = h.opportunity_id AND n.no = h.no + 1
			WHERE h.tenant_id = $1 AND h.opportunity_id = $2 AND h.no > $3 ORDER BY h.no LIMIT $4`, tx.Tenant(), id, after, limit)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
			var left *time.Time
			err = row.Scan(&e.No, &e.Pipeline, &e.Stage, &e.State, &e.EnteredAt, &e.By, &e.PreviousStage, &e.PreviousState, &e.PreviousSeconds, &left)
			e.EnteredAt, e.LeftAt = e.EnteredAt.UTC(), utc(left)
			return e, err
		})
	})
}
