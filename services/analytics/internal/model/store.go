package model

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// columns are read from model m left joined to model_kind k on the model that is in use.
const columns = `m.id, m.kind, m.version, m.source, m.cutoff, m.currency, m.rows, m.params, m.errors, m.fit, m.warned, m.warnings, m.options,
	m.detail, m.state, m.predicted, m.trained_at, m.trained_by, k.used_since`

const from = ` FROM model m LEFT JOIN model_kind k ON k.tenant_id = m.tenant_id AND k.kind = m.kind AND k.in_use = m.id `

func scanModel(row pgx.Row) (m Model, err error) {
	var cutoff, since *time.Time
	var words []string
	err = row.Scan(&m.ID, &m.Kind, &m.Version, &m.Source, &cutoff, &m.Currency, &m.Rows, &m.Params, &m.Errors, &m.Fit, &m.Warnings, &words, &m.Options,
		&m.Detail, &m.State, &m.Predicted, &m.TrainedAt, &m.TrainedBy, &since)
	m.TrainedAt = m.TrainedAt.UTC()
	m.Warnings = coded(m.Warnings, words)
	if cutoff != nil {
		m.Cutoff = cutoff.UTC()
	}
	if since != nil {
		m.InUse, m.UsedSince = true, since.UTC()
	}
	return m, err
}

// Find gives the model; NotFound model_not_found where there is none.
func Find(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Model, error) {
	m, err := scanModel(tx.QueryRow(ctx, `SELECT `+columns+from+`WHERE m.tenant_id = $1 AND m.id = $2`, tx.Tenant(), id))
	if errors.Is(err, pgx.ErrNoRows) {
		return Model{}, problem.New(problem.NotFound, "model_not_found", "There is no model with this id.")
	}
	return m, err
}

// InUse gives the model of the kind that is in use; ok is false where none is.
func InUse(ctx context.Context, tx *pg.Tx, kind string) (m Model, ok bool, err error) {
	m, err = scanModel(tx.QueryRow(ctx, `SELECT `+columns+` FROM model_kind k JOIN model m ON m.tenant_id = k.tenant_id AND m.id = k.in_use
		WHERE k.tenant_id = $1 AND k.kind = $2`, tx.Tenant(), kind))
	if errors.Is(err, pgx.ErrNoRows) {
		return Model{}, false, nil
	}
	return m, err == nil, err
}

// list gives up to limit models before the given id (Nil: from the newest), of the kind unless that is empty.
func list(ctx context.Context, tx *pg.Tx, kind string, inUse bool, before uuid.UUID, limit int) ([]Model, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+from+`WHERE m.tenant_id = $1 AND m.id < $2 AND ($3 = '' OR m.kind = $3) AND (NOT $4 OR k.in_use IS NOT NULL)
		ORDER BY m.id DESC LIMIT $5`, tx.Tenant(), before, kind, inUse, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Model, error) { return scanModel(row) })
}

// nextVersion draws the kind's next version; the kind stays locked until the transaction ends.
func nextVersion(ctx context.Context, tx *pg.Tx, kind string) (version int64, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO model_kind AS k (tenant_id, kind, last_version) VALUES ($1, $2, 1)
		ON CONFLICT (tenant_id, kind) DO UPDATE SET last_version = k.last_version + 1 RETURNING last_version`, tx.Tenant(), kind).Scan(&version)
	return version, err
}

func queueModel(tx *pg.Tx, m Model) {
	tx.Queue(`INSERT INTO model (tenant_id, id, kind, version, source, cutoff, currency, rows, params, errors, fit, warned, warnings, options, detail, state,
			predicted, trained_at, trained_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		tx.Tenant(), m.ID, m.Kind, m.Version, m.Source, pg.OrNull(m.Cutoff), m.Currency, m.Rows, m.Params, m.Errors, m.Fit, m.Warnings, details(m.Warnings), m.Options,
		m.Detail, m.State, m.Predicted, m.TrainedAt, m.TrainedBy)
}

// queuePredictions queues the rows in chunks.
func queuePredictions(ctx context.Context, tx *pg.Tx, id uuid.UUID, rows []any) error {
	for chunk := 0; chunk*chunkRows < len(rows); chunk++ {
		raw, err := json.Marshal(rows[chunk*chunkRows : min((chunk+1)*chunkRows, len(rows))])
		if err != nil {
			return err
		}
		tx.Queue(`INSERT INTO model_prediction (tenant_id, model_id, chunk, rows) VALUES ($1, $2, $3, $4)`, tx.Tenant(), id, chunk, json.RawMessage(raw))
		if chunk%100 == 99 {
			if err := tx.Flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// predictions gives up to limit rows of what the model says, from the row first, counted from 0.
func predictions(ctx context.Context, tx *pg.Tx, id uuid.UUID, first, limit int) ([]json.RawMessage, error) {
	rows, err := tx.Query(ctx, `SELECT rows FROM model_prediction WHERE tenant_id = $1 AND model_id = $2 AND chunk BETWEEN $3 AND $4 ORDER BY chunk`,
		tx.Tenant(), id, first/chunkRows, (first+limit-1)/chunkRows)
	if err != nil {
		return nil, err
	}
	all := []json.RawMessage{}
	var chunk []json.RawMessage
	_, err = pgx.ForEachRow(rows, []any{&chunk}, func() error {
		all, chunk = append(all, chunk...), nil
		return nil
	})
	skip := first % chunkRows
	if err != nil || skip >= len(all) {
		return []json.RawMessage{}, err
	}
	return all[skip:min(skip+limit, len(all))], nil
}

// queueUse queues that the model is the one of its kind that is in use.
func queueUse(tx *pg.Tx, m Model, by string, at time.Time) {
	tx.Queue(`UPDATE model_kind SET in_use = $3, used_since = $4, used_by = $5 WHERE tenant_id = $1 AND kind = $2`, tx.Tenant(), m.Kind, m.ID, at, by)
}

// lockKind locks the kind and gives the model that is in use; Nil where none is.
func lockKind(ctx context.Context, tx *pg.Tx, kind string) (id uuid.UUID, err error) {
	var inUse *uuid.UUID
	err = tx.QueryRow(ctx, `SELECT in_use FROM model_kind WHERE tenant_id = $1 AND kind = $2 FOR UPDATE`, tx.Tenant(), kind).Scan(&inUse)
	if inUse != nil {
		id = *inUse
	}
	return id, err
}

// manyOrders tells whether the tenant has more than limit orders, without counting further.
func manyOrders(ctx context.Context, tx *pg.Tx, limit int) (many bool, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) > $2 FROM (SELECT FROM fact_order WHERE tenant_id = $1 LIMIT $2 + 1) o`, tx.Tenant(), limit).Scan(&many)
	return many, err
}
