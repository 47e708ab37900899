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
) SELECT tenant_id, '00000000-0000-0000-0000-000000000000'::uuid FROM t WHERE tenant_id IS NOT NULL
UNION SELECT tenant_id, '00000000-0000-0000-0000-000000000000' FROM portrait_aside WHERE again_at <= $1`

// Pass reckons some of what is due, of each tenant, and gives how many customers that were: 0 when nothing is due. What
// is heard of customers one by one comes before what comes in masses.
func (p *Portraits) Pass(ctx context.Context) (customers int, err error) {
	tenants, err := p.ops.Across(ctx, dueSQL, p.now())
	if err != nil {
		return 0, err
	}
	var failed error
	for _, one := range tenants {
		var aside []error
		err := p.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
			byKeys(tx)
			due, mine, err := takeDue(ctx, tx, atOnce)
			if err != nil || !mine {
				return err
			}
			byCost(tx)
			due, again, err := p.apart(ctx, tx, due)
			if err != nil || len(due)+len(again) == 0 {
				return err
			}
			if aside, err = p.each(ctx, tx, due); err != nil {
				return err
			}
			for _, customer := range again {
				if err := p.tryAgain(ctx, tx, customer); err != nil {
					return err
				}
			}
			tx.OnCommit(func() { customers += len(due) + len(again) })
			return nil
		})
		failed = errors.Join(failed, err)
		if err == nil {
			failed = errors.Join(append([]error{failed}, aside...)...)
		}
	}
	return customers, failed
}

// reckon makes the portraits of the customers whom the ids mean anew, and has everything follow that hangs on them.
func (p *Portraits) reckon(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) error {
	currency, err := Currency(ctx, tx)
	if err != nil {
		return err
	}
	byKeys(tx)
	with, without, err := standing(ctx, tx, ids)
	if err != nil {
		return err
	}
	at := p.now()
	tx.Queue(saveSQL, tx.Tenant(), with, currency, at)
	if len(without) > 0 {
		tx.Queue(`DELETE FROM portrait WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[])`, tx.Tenant(), without)
	}
	byCost(tx)
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

// Rebuilds works off what was asked for, by people or by facts that were rebuilt.
func (p *Portraits) Rebuilds(ctx context.Context) error {
	return errors.Join(p.followRebuilt(ctx), p.runs.Work(ctx, Kind, p.step))
}

// rebuiltSQL lists, of each tenant that has facts, the last rebuild of them that its portraits were not made anew after.
const rebuiltSQL = `SELECT DISTINCT f.tenant_id, b.id
	FROM (SELECT id FROM inbox_rebuild WHERE state = 'done' ORDER BY finished_at DESC LIMIT 1) b CROSS JOIN fact_as_of f
	WHERE NOT EXISTS (SELECT FROM portrait_rebuilt p WHERE p.tenant_id = f.tenant_id AND p.rebuild_id = b.id)`

// followRebuilt has portraits made anew once after each rebuild of the facts: what it puts right nobody is told of.
func (p *Portraits) followRebuilt(ctx context.Context) error {
	rebuilt, err := p.ops.Across(ctx, rebuiltSQL)
	if err != nil {
		return err
	}
	var failed error
	for _, one := range rebuilt {
		failed = errors.Join(failed, p.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
			tag, err := tx.ExecNow(ctx, `INSERT INTO portrait_rebuilt AS p (tenant_id, rebuild_id) VALUES ($1, $2)
				ON CONFLICT (tenant_id) DO UPDATE SET rebuild_id = excluded.rebuild_id WHERE p.rebuild_id <> excluded.rebuild_id`, tx.Tenant(), one.ID)
			if err != nil || tag.RowsAffected() == 0 { // another process was first
				return err
			}
			return p.anew(ctx, tx)
		}))
	}
	return failed
}

// anew asks for a run that makes all portraits from what is known now. One that goes on already begins anew.
func (p *Portraits) anew(ctx context.Context, tx *pg.Tx) error {
	_, err := p.runs.Ask(ctx, tx, Kind, run.Today(p.clock))
	if problem.KindOf(err) != problem.Conflict {
		return err
	}
	tx.Queue(`DELETE FROM portrait_run r USING analytics_run a WHERE r.tenant_id = $1 AND a.tenant_id = $1 AND a.run_id = r.run_id AND a.kind = $2 AND a.state <> 'done'`, tx.Tenant(), Kind)
	return nil
}

// step makes the next portraits of a run.
func (p *Portraits) step(ctx context.Context, tx *pg.Tx, r run.Run) (done bool, err error) {
	// One at a time makes portraits of a tenant; a pass finds this taken and comes again.
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('portraits' || chr(31) || $1, 0))`, tx.Tenant())
	var after uuid.UUID
	err = tx.QueryRow(ctx, `SELECT after_id FROM portrait_run WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), r.ID).Scan(&after)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, err
	}
	byKeys(tx)
	rows, err := tx.Query(ctx, nextSQL, tx.Tenant(), after)
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
	// Between two steps there is hardly time for a pass: news come along.
	news, err := taken(ctx, tx, 0, atOnce)
	if err != nil {
		return false, err
	}
	byCost(tx)
	_, err = p.each(ctx, tx, inOrder(append(ids, news...)))
	return false, err
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
		return pg.Result{Status: http.StatusOK}, p.anew(ctx, tx)
	})
	return s, err
}
