package portrait

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const (
	// atOnce is how many marks one transaction of a pass takes: it bounds for how long news wait for a batch that is under way.
	atOnce = 300
	// eachStep is how many customers one step of a run reckons.
	eachStep = 2000
)

// Portraits keeps portraits up to what facts say.
type Portraits struct {
	db, ops *pg.DB
	outbox  *outbox.Outbox
	runs    *run.Runs
	clock   func() time.Time
	follows []Follow
}

// New makes Portraits. After each reckoning follows are called in their order, in the same transaction. db is of the app
// role, ops of the ops role.
func New(db, ops *pg.DB, o *outbox.Outbox, clock func() time.Time, follows ...Follow) *Portraits {
	return &Portraits{db: db, ops: ops, outbox: o, runs: run.New(db, ops, clock), clock: clock, follows: follows}
}

func (p *Portraits) now() time.Time { return p.clock().UTC().Truncate(time.Microsecond) }

// Background reckons all that is due.
func (p *Portraits) Background(ctx context.Context) error {
	for ctx.Err() == nil {
		if n, err := p.Pass(ctx); err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// dueSQL lists the tenants of whose customers some are due, by one look each.
const dueSQL = `WITH RECURSIVE t AS (
	SELECT min(tenant_id) AS tenant_id FROM portrait_due
	UNION ALL SELECT (SELECT min(d.tenant_id) FROM portrait_due d WHERE d.tenant_id > t.tenant_id) FROM t WHERE t.tenant_id IS NOT NULL
) SELECT tenant_id, '00000000-0000-0000-0000-000000000000'::uuid FROM t WHERE tenant_id IS NOT NULL`

// Pass reckons some of what is due, of each tenant, and gives how many customers that were: 0 when nothing is due. What
// is heard of customers one by one comes before what comes in masses.
func (p *Portraits) Pass(ctx context.Context) (customers int, err error) {
	tenants, err := p.ops.Across(ctx, dueSQL)
	if err != nil {
		return 0, err
	}
	var failed error
	for _, one := range tenants {
		err := p.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
			due, err := takeDue(ctx, tx, atOnce)
			if err != nil || len(due) == 0 {
				return err
			}
			if err := p.reckon(ctx, tx, due); err != nil {
				return err
			}
			tx.OnCommit(func() { customers += len(due) })
			return nil
		})
		failed = errors.Join(failed, err)
	}
	return customers, failed
}

// reckon makes the portraits of the customers whom the ids mean anew, and has everything follow that hangs on them.
func (p *Portraits) reckon(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) error {
	with, without, err := standing(ctx, tx, ids)
	if err != nil {
		return err
	}
	currency, err := Currency(ctx, tx)
	if err != nil {
		return err
	}
	at := p.now()
	tx.Queue(saveSQL, tx.Tenant(), with, currency, at)
	if len(without) > 0 {
		tx.Queue(`DELETE FROM portrait WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[])`, tx.Tenant(), without)
	}
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	every := slices.Concat(with, without)
	for _, follow := range p.follows {
		events, err := follow(ctx, tx, every, at)
		if err != nil {
			return err
		}
		if err := p.outbox.Append(ctx, tx, events...); err != nil {
			return err
		}
	}
	return tx.Flush(ctx)
}

// Kind is the kind of runs that make all portraits anew.
const Kind = "portraits"

// Rebuild asks for all portraits of the tenant to be made anew: Conflict run_open where that was asked for and is not done.
func (p *Portraits) Rebuild(ctx context.Context) (r run.Run, err error) {
	result, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		var err error
		r, err = p.runs.Ask(ctx, tx, Kind, run.Today(p.clock))
		return pg.Result{ID: r.ID, Status: http.StatusAccepted}, err
	})
	if err != nil || !result.Replayed {
		return r, err
	}
	httpx.MarkReplayed(ctx)
	return p.Rebuilding(ctx, result.ID)
}

// Rebuilds works off what was asked for.
func (p *Portraits) Rebuilds(ctx context.Context) error { return p.runs.Work(ctx, Kind, p.step) }

// step makes the next portraits of a run.
func (p *Portraits) step(ctx context.Context, tx *pg.Tx, r run.Run) (done bool, err error) {
	// One at a time makes portraits of a tenant; a pass finds this taken and comes again.
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('portraits' || chr(31) || $1, 0))`, tx.Tenant())
	var after uuid.UUID
	err = tx.QueryRow(ctx, `SELECT after_id FROM portrait_run WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), r.ID).Scan(&after)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, err
	}
	rows, err := tx.Query(ctx, nextSQL, tx.Tenant(), after, eachStep)
	if err != nil {
		return false, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) == 0 {
		return err == nil, err
	}
	tx.Queue(`INSERT INTO portrait_run AS r (tenant_id, run_id, after_id, customers) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, run_id) DO UPDATE SET after_id = excluded.after_id, customers = r.customers + excluded.customers`,
		tx.Tenant(), r.ID, ids[len(ids)-1], len(ids))
	return false, p.reckon(ctx, tx, ids)
}

// SetCurrency sets the reporting currency and has all portraits made anew. ifMatch is the version that was read.
func (p *Portraits) SetCurrency(ctx context.Context, currency, ifMatch string) (s Settings, err error) {
	if _, ok := money.Digits(currency); !ok {
		return Settings{}, problem.New(problem.Unprocessable, "invalid", "Mend the settings.").WithField("body.currency", "currency", "is not an ISO 4217 code")
	}
	_, err = p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		there, err := readSettings(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, there.Version); err != nil {
			return pg.Result{}, err
		}
		s = Settings{Currency: currency, Set: true, Version: there.Version + 1}
		tag, err := tx.ExecNow(ctx, `INSERT INTO analytics_settings AS s (tenant_id, currency, version, updated_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant_id) DO UPDATE SET currency = excluded.currency, version = excluded.version, updated_at = excluded.updated_at
			WHERE s.version = excluded.version - 1`, tx.Tenant(), s.Currency, s.Version, p.now())
		if err == nil && tag.RowsAffected() == 0 {
			err = httpx.IfMatch(ifMatch, s.Version)
		}
		if err != nil {
			return pg.Result{}, err
		}
		_, err = p.runs.Ask(ctx, tx, Kind, run.Today(p.clock))
		if problem.KindOf(err) == problem.Conflict { // one that goes on writes what it reckons by the new currency from now on: it begins anew
			tx.Queue(`DELETE FROM portrait_run r USING analytics_run a WHERE r.tenant_id = $1 AND a.tenant_id = $1 AND a.run_id = r.run_id AND a.kind = $2 AND a.state <> 'done'`, tx.Tenant(), Kind)
			err = nil
		}
		return pg.Result{Status: http.StatusOK}, err
	})
	return s, err
}
