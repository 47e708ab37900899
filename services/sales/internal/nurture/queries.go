package nurture

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a case of the caller's tenant.
func (n *Nurture) Get(ctx context.Context, id uuid.UUID) (c Case, err error) {
	err = n.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error { c, err = load(ctx, tx, id, false); return err })
	return c, err
}

// Filter says which cases are meant; the zero Filter means all.
type Filter struct {
	LeadID uuid.UUID
	Stage  Stage
	Before uuid.UUID // only those begun before this one
}

// List gives up to limit cases, the latest first.
func (n *Nurture) List(ctx context.Context, f Filter, limit int) (page []Case, err error) {
	err = n.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+caseColumns+` FROM nurture_case c WHERE c.tenant_id = $1 AND ($2::uuid IS NULL OR c.lead_id = $2)
			AND ($3 = '' OR c.stage = $3) AND ($4::uuid IS NULL OR c.id < $4) ORDER BY c.id DESC LIMIT $5`,
			tx.Tenant(), pg.OrNull(f.LeadID), f.Stage, pg.OrNull(f.Before), limit)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Case, error) { return scanCase(row) })
		return err
	})
	return page, err
}

// Programme gives a programme of the caller's tenant as it is now.
func (n *Nurture) Programme(ctx context.Context, code string) (p Programme, err error) {
	err = n.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error { p, err = latest(ctx, tx, code, false); return err })
	return p, err
}

// Programmes gives up to limit programmes after a code, in the order of their codes.
func (n *Nurture) Programmes(ctx context.Context, after string, limit int) (page []Programme, err error) {
	err = n.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+programmeColumns+` FROM nurture_programme p WHERE p.tenant_id = $1 AND p.code > $2 AND p.latest ORDER BY p.code LIMIT $3`,
			tx.Tenant(), after, limit)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Programme, error) { return scanProgramme(row) })
		return err
	})
	return page, err
}
