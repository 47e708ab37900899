package quote

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// insertNote queues what somebody said; one that is there already stays as it is.
func insertNote(tx *pg.Tx, quote, id uuid.UUID, words, by string, at time.Time) {
	if words == "" {
		return
	}
	tx.Queue(`INSERT INTO quote_note (tenant_id, id, quote_id, words, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, id) DO NOTHING`, tx.Tenant(), id, quote, words, by, at)
}

// notes gives what was said with the steps of a quote, by the notes' ids.
func notes(ctx context.Context, tx *pg.Tx, quote uuid.UUID) (map[uuid.UUID]string, error) {
	rows, err := tx.Query(ctx, `SELECT id, words FROM quote_note WHERE tenant_id = $1 AND quote_id = $2`, tx.Tenant(), quote)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]string)
	var id uuid.UUID
	var said string
	_, err = pgx.ForEachRow(rows, []any{&id, &said}, func() error { found[id] = said; return nil })
	return found, err
}

// decided tells of which quote and with which content a decision stands; found is false where it does not.
func decided(ctx context.Context, tx *pg.Tx, decision uuid.UUID) (quote uuid.UUID, hash []byte, found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT quote_id, input_hash FROM quote_step WHERE tenant_id = $1 AND decision_id = $2`, tx.Tenant(), decision).Scan(&quote, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil, false, nil
	}
	return quote, hash, err == nil, err
}
