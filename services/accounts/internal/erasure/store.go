package erasure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

var (
	errNotFound     = problem.New(problem.NotFound, "erasure_not_found", "There is no such erasure.")
	errHoldNotFound = problem.New(problem.NotFound, "legal_hold_not_found", "There is no such legal hold.")
)

// openIndex lets a customer have one erasure at a time.
const openIndex = "erasure_open"

const columns = `id, version, customer_id, customer_ids, state, reason, holds::text, requested_at, requested_by, changed_at, erased_at`

func insert(tx *pg.Tx, e Erasure) {
	tx.Queue(`INSERT INTO erasure (tenant_id, id, version, customer_id, customer_ids, state, reason, requested_at, requested_by, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		tx.Tenant(), e.ID, e.Version, e.CustomerID, e.CustomerIDs, e.State, e.Reason, e.RequestedAt, e.RequestedBy, e.ChangedAt)
}

func update(tx *pg.Tx, e Erasure) error {
	holds, err := json.Marshal(e.Holds)
	if err != nil {
		return err
	}
	tx.Queue(`UPDATE erasure SET version = $3, state = $4, holds = $5::jsonb, changed_at = $6, erased_at = $7 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), e.ID, e.Version, e.State, string(holds), e.ChangedAt, pg.OrNull(e.ErasedAt))
	return nil
}

// get gives an erasure, or errNotFound.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID, locking string) (Erasure, error) {
	e, err := scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM erasure WHERE tenant_id = $1 AND id = $2`+locking, tx.Tenant(), id))
	if errors.Is(err, pgx.ErrNoRows) {
		return Erasure{}, errNotFound
	}
	return e, err
}

// list gives up to limit erasures before the one of the given id, the latest first; of one state only unless it is empty.
func list(ctx context.Context, tx *pg.Tx, state State, before uuid.UUID, limit int) ([]Erasure, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM erasure WHERE tenant_id = $1 AND ($2 = '' OR state = $2) AND id < $3
		ORDER BY id DESC LIMIT $4`, tx.Tenant(), string(state), before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Erasure, error) { return scan(row) })
}

func scan(row pgx.Row) (e Erasure, err error) {
	var holds string
	var erased *time.Time
	err = row.Scan(&e.ID, &e.Version, &e.CustomerID, &e.CustomerIDs, &e.State, &e.Reason, &holds, &e.RequestedAt, &e.RequestedBy, &e.ChangedAt, &erased)
	if err != nil {
		return Erasure{}, err
	}
	if erased != nil {
		e.ErasedAt = erased.UTC()
	}
	e.RequestedAt, e.ChangedAt = e.RequestedAt.UTC(), e.ChangedAt.UTC()
	return e, json.Unmarshal([]byte(holds), &e.Holds)
}

// insertReport queues what a service says; what it said for the round before stays.
func insertReport(tx *pg.Tx, id uuid.UUID, r Report, at time.Time) error {
	erased, err := json.Marshal(r.Erased)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO erasure_report (tenant_id, erasure_id, service, round, erased, reported_at) VALUES ($1, $2, $3, $4, $5::jsonb, $6)
		ON CONFLICT DO NOTHING`, tx.Tenant(), id, r.Service, int16(r.Round), string(erased), at)
	return nil
}

// reports gives what the services said, by round and service.
func reports(ctx context.Context, tx *pg.Tx, id uuid.UUID) ([]Report, error) {
	rows, err := tx.Query(ctx, `SELECT service, round, erased::text, reported_at FROM erasure_report
		WHERE tenant_id = $1 AND erasure_id = $2 ORDER BY round, service`, tx.Tenant(), id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Report, err error) {
		var erased string
		if err := row.Scan(&r.Service, &r.Round, &erased, &r.ReportedAt); err != nil {
			return Report{}, err
		}
		r.ReportedAt = r.ReportedAt.UTC()
		return r, json.Unmarshal([]byte(erased), &r.Erased)
	})
}

const holdColumns = `id, customer_id, code, reference, until, placed_at, placed_by, lifted_at, coalesce(lifted_by, '')`

func insertHold(tx *pg.Tx, h LegalHold) {
	tx.Queue(`INSERT INTO legal_hold (tenant_id, id, customer_id, code, reference, until, placed_at, placed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		tx.Tenant(), h.ID, h.CustomerID, h.Code, h.Reference, pg.OrNull(h.Until), h.PlacedAt, h.PlacedBy)
}

// liftHold ends a hold that stands, or stays without effect.
func liftHold(tx *pg.Tx, h LegalHold) {
	tx.Queue(`UPDATE legal_hold SET lifted_at = $3, lifted_by = $4 WHERE tenant_id = $1 AND id = $2 AND lifted_at IS NULL`,
		tx.Tenant(), h.ID, h.LiftedAt, h.LiftedBy)
}

func getHold(ctx context.Context, tx *pg.Tx, id uuid.UUID, locking string) (LegalHold, error) {
	h, err := scanHold(tx.QueryRow(ctx, `SELECT `+holdColumns+` FROM legal_hold WHERE tenant_id = $1 AND id = $2`+locking, tx.Tenant(), id))
	if errors.Is(err, pgx.ErrNoRows) {
		return LegalHold{}, errHoldNotFound
	}
	return h, err
}

// holdsOf gives the customers' holds, lifted ones included, in the order in which they were placed.
func holdsOf(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]LegalHold, error) {
	rows, err := tx.Query(ctx, `SELECT `+holdColumns+` FROM legal_hold WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) ORDER BY id`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (LegalHold, error) { return scanHold(row) })
}

func scanHold(row pgx.Row) (h LegalHold, err error) {
	var until, lifted *time.Time
	err = row.Scan(&h.ID, &h.CustomerID, &h.Code, &h.Reference, &until, &h.PlacedAt, &h.PlacedBy, &lifted, &h.LiftedBy)
	if until != nil {
		h.Until = until.UTC()
	}
	if lifted != nil {
		h.LiftedAt = lifted.UTC()
	}
	h.PlacedAt = h.PlacedAt.UTC()
	return h, err
}

// words gives what people could be recognised by: names and identities of the customers, each at least three bytes.
func words(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]string, error) {
	own, err := customer.Own(ctx, tx, customers...)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, c := range own {
		all = append(all, c.Display, c.Given+" "+c.Family, c.Family+c.Given, c.Legal)
		for _, i := range c.Identities {
			all = append(all, i.Value)
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(w string) bool { return len(strings.Trim(w, " ")) <= 2 }), nil
}

// groupOf gives all ids that mean the same customers as the given ones.
func groupOf(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]uuid.UUID, error) {
	refs, err := customer.Refs(ctx, tx, customers...)
	var group []uuid.UUID
	for _, r := range refs {
		group = append(group, r.Group()...)
	}
	slices.SortFunc(group, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(group), err
}

// Open tells whether an erasure of any of the customers is under way.
func Open(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (open bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM erasure WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])
		AND state IN ('requested', 'held', 'erasing'))`, tx.Tenant(), customers).Scan(&open)
	return open, err
}
