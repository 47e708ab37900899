package pipeline

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// What is not there, and what is another tenant's, is answered alike.
var (
	errNotFound     = problem.New(problem.NotFound, "pipeline_not_found", "There is no such pipeline.")
	errNoReason     = problem.New(problem.NotFound, "loss_reason_not_found", "There is no such reason.")
	errNoCompetitor = problem.New(problem.NotFound, "competitor_not_found", "There is no such competitor.")
)

// lockKey names the pipelines of the tenant $1 among advisory locks: the standard one has no row to lock.
const lockKey = `hashtextextended('pipeline ' || $1, 0)`

// Hold queues a lock by which the tenant's pipelines stay as they are until the transaction ends, so that no stage is taken
// away while something enters it. Holders do not keep each other waiting. Take it before any lock of a row, and read the
// pipelines after it.
func Hold(tx *pg.Tx) { tx.Queue(`SELECT pg_advisory_xact_lock_shared(`+lockKey+`)`, tx.Tenant()) }

// lock queues the lock that keeps everybody else from using or changing pipelines.
func lock(tx *pg.Tx) { tx.Queue(`SELECT pg_advisory_xact_lock(`+lockKey+`)`, tx.Tenant()) }

const columns = `code, version, name, currency, stages, follow_up, archived, changed_at, changed_by`

func scan(row pgx.Row) (p Pipeline, err error) {
	err = row.Scan(&p.Code, &p.Version, &p.Name, &p.Currency, &p.Stages, &p.FollowUp, &p.Archived, &p.ChangedAt, &p.By)
	p.ChangedAt = p.ChangedAt.UTC()
	return p, err
}

// Find gives the pipeline of a code, an archived one too, or the problem pipeline_not_found; one round trip.
func Find(ctx context.Context, tx *pg.Tx, code string) (Pipeline, error) {
	p, err := scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM pipeline WHERE tenant_id = $1 AND code = $2`, tx.Tenant(), code))
	if errors.Is(err, pgx.ErrNoRows) {
		if code == StandardCode {
			return Standard(), nil
		}
		return Pipeline{}, errNotFound
	}
	return p, err
}

// All queues the reading of the tenant's pipelines; the book is filled in by the next round trip.
func All(tx *pg.Tx) *Book {
	b := &Book{pipelines: make(map[string]Pipeline)}
	tx.Queue(`SELECT `+columns+` FROM pipeline WHERE tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Pipeline, error) { return scan(row) })
		for _, p := range all {
			b.pipelines[p.Code] = p
		}
		return err
	})
	return b
}

// save queues the pipeline as it is now.
func save(tx *pg.Tx, p Pipeline) {
	tx.Queue(`INSERT INTO pipeline (tenant_id, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (tenant_id, code) DO UPDATE SET version = $3, name = $4, currency = $5, stages = $6, follow_up = $7, archived = $8,
			changed_at = $9, changed_by = $10`,
		tx.Tenant(), p.Code, p.Version, p.Name, p.Currency, p.Stages, p.FollowUp, p.Archived, p.ChangedAt, p.By)
}

const reasonColumns = `code, version, name, leads, opportunities, archived, changed_at`

func scanReason(row pgx.Row) (r Reason, err error) {
	err = row.Scan(&r.Code, &r.Version, &r.Name, &r.Leads, &r.Opportunities, &r.Archived, &r.ChangedAt)
	r.ChangedAt = r.ChangedAt.UTC()
	return r, err
}

// AllReasons queues the reading of the tenant's reasons; they are there after the next round trip.
func AllReasons(tx *pg.Tx) *Reasons {
	r := &Reasons{own: make(map[string]Reason)}
	tx.Queue(`SELECT `+reasonColumns+` FROM loss_reason WHERE tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Reason, error) { return scanReason(row) })
		for _, one := range all {
			r.own[one.Code] = one
		}
		return err
	})
	return r
}

func saveReason(tx *pg.Tx, r Reason) {
	tx.Queue(`INSERT INTO loss_reason (tenant_id, `+reasonColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant_id, code) DO UPDATE SET version = $3, name = $4, leads = $5, opportunities = $6, archived = $7, changed_at = $8`,
		tx.Tenant(), r.Code, r.Version, r.Name, r.Leads, r.Opportunities, r.Archived, r.ChangedAt)
}

const competitorColumns = `code, version, name, archived, changed_at`

// AllCompetitors queues the reading of the tenant's competitors; they are there after the next round trip.
func AllCompetitors(tx *pg.Tx) Competitors {
	found := make(Competitors)
	tx.Queue(`SELECT `+competitorColumns+` FROM competitor WHERE tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Competitor, err error) {
			err = row.Scan(&c.Code, &c.Version, &c.Name, &c.Archived, &c.ChangedAt)
			c.ChangedAt = c.ChangedAt.UTC()
			return c, err
		})
		for _, one := range all {
			found[one.Code] = one
		}
		return err
	})
	return found
}

func saveCompetitor(tx *pg.Tx, c Competitor) {
	tx.Queue(`INSERT INTO competitor (tenant_id, `+competitorColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, code) DO UPDATE SET version = $3, name = $4, archived = $5, changed_at = $6`,
		tx.Tenant(), c.Code, c.Version, c.Name, c.Archived, c.ChangedAt)
}
