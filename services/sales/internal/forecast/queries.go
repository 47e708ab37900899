package forecast

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// most is how many sums one answer has at most.
const most = 5000

// Setting gives what the tenant has set.
func (f *Forecasts) Setting(ctx context.Context) (Setting, error) {
	var set *Setting
	err := f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		set = SettingOf(tx)
		return nil
	})
	if err != nil {
		return Setting{}, err
	}
	return *set, nil
}

// Now gives the forecast of this moment: what is open, and what was won since the quarter began or since the first month that is
// asked for.
func (f *Forecasts) Now(ctx context.Context, scope Scope, by By) (all []Sum, zone string, err error) {
	if scope, err = narrowed(ctx, scope); err != nil {
		return nil, "", err
	}
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		set, args, err := present(ctx, tx)
		if err != nil {
			return err
		}
		zone = set.Zone.String()
		since := quarterBegins(f.now(), set.Zone)
		if from := begins(scope.From, set.Zone); scope.From != "" && from.Before(since) {
			since = from
		}
		args["since"] = since
		scope.args(args)
		all, err = sums(ctx, tx, presentLines, by, args, most)
		return err
	})
	return all, zone, err
}

func narrowed(ctx context.Context, scope Scope) (Scope, error) {
	owner, err := Own(ctx, scope.Owner)
	if err != nil {
		return scope, err
	}
	scope.Owner = owner
	return scope, scope.check()
}

// Snapshot gives a snapshot without its lines.
func (f *Forecasts) Snapshot(ctx context.Context, id uuid.UUID) (s Snapshot, err error) {
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		s, err = findSnapshot(ctx, tx, id)
		return err
	})
	return s, err
}

// Snapshots lists snapshots, the latest first, before the one of an id.
func (f *Forecasts) Snapshots(ctx context.Context, weekly bool, before uuid.UUID, limit int) (all []Snapshot, err error) {
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+snapshotColumns+` FROM forecast_snapshot
			WHERE tenant_id = $1 AND ($2 = '00000000-0000-0000-0000-000000000000'::uuid OR id < $2) AND (NOT $3 OR week IS NOT NULL) ORDER BY id DESC LIMIT $4`,
			tx.Tenant(), before, weekly, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanSnapshot)
		return err
	})
	return all, err
}

// Then gives the forecast as it was in a snapshot.
func (f *Forecasts) Then(ctx context.Context, id uuid.UUID, scope Scope, by By) (s Snapshot, all []Sum, err error) {
	if scope, err = narrowed(ctx, scope); err != nil {
		return s, nil, err
	}
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if s, err = findSnapshot(ctx, tx, id); err != nil {
			return err
		}
		args := pgx.NamedArgs{"tenant": tx.Tenant(), "snapshot": id}
		scope.args(args)
		all, err = sums(ctx, tx, snapshotLines, by, args, most)
		return err
	})
	return s, all, err
}

// Lines lists the lines of a snapshot by opportunity.
func (f *Forecasts) Lines(ctx context.Context, id uuid.UUID, scope Scope, after uuid.UUID, limit int) (all []Line, err error) {
	if scope, err = narrowed(ctx, scope); err != nil {
		return nil, err
	}
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := findSnapshot(ctx, tx, id); err != nil {
			return err
		}
		args := pgx.NamedArgs{"tenant": tx.Tenant(), "snapshot": id, "after": after, "limit": limit}
		scope.args(args)
		rows, err := tx.Query(ctx, `SELECT opportunity_id, pipeline, stage, team, owner, month, category, probability, currency, amount_minor, weighted_minor
			FROM forecast_snapshot_line l WHERE l.tenant_id = @tenant AND l.snapshot_id = @snapshot AND l.opportunity_id > @after AND `+inScope+`
			ORDER BY l.opportunity_id LIMIT @limit`, args)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Line])
		return err
	})
	return all, err
}
