package quote

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Erase takes the words out of what customers were offered, and takes back what they could still accept. Amounts, articles and
// days stay, under the customer's id.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	text, note := erasure.Erased{What: "quote_text"}, erasure.Erased{What: "quote_note"}
	const mine = `SELECT id FROM quote WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`
	ended := make([]uuid.UUID, 0)
	tx.Queue(`SELECT 1 FROM quote WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) ORDER BY id FOR UPDATE`, tx.Tenant(), customers)
	tx.Queue(`UPDATE quote_version SET state = 'withdrawn', reason = 'customer_erased', due_at = NULL, ended_at = now()
		WHERE tenant_id = $1 AND quote_id IN (`+mine+`) AND state IN ('draft', 'in_approval', 'approved', 'sent') RETURNING quote_id`, tx.Tenant(), customers).
		Query(func(rows pgx.Rows) (err error) {
			ended, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			return err
		})
	tx.Queue(`UPDATE quote SET state = 'withdrawn', revision = revision + 1 WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])
		AND state IN ('draft', 'in_approval', 'approved', 'sent')`, tx.Tenant(), customers)
	counted := func(to *int64) func(pgx.Row) error {
		return func(row pgx.Row) error { return row.Scan(to) }
	}
	tx.Queue(`WITH v AS (UPDATE quote_version SET title = '', recipient = '', terms = ''
			WHERE tenant_id = $1 AND quote_id IN (`+mine+`) AND (title, recipient, terms) <> ('', '', '') RETURNING 1),
		l AS (UPDATE quote_line SET words = '' WHERE tenant_id = $1 AND quote_id IN (`+mine+`) AND words <> '' RETURNING 1)
		SELECT (SELECT count(*) FROM v) + (SELECT count(*) FROM l)`, tx.Tenant(), customers).QueryRow(counted(&text.Count))
	tx.Queue(`WITH n AS (UPDATE quote_note SET words = '' WHERE tenant_id = $1 AND quote_id IN (`+mine+`) AND words <> '' RETURNING 1)
		SELECT count(*) FROM n`, tx.Tenant(), customers).QueryRow(counted(&note.Count))
	tx.Queue(`SELECT (SELECT count(*) FROM quote_version WHERE tenant_id = $1 AND quote_id IN (`+mine+`) AND (title, recipient, terms) <> ('', '', ''))
		+ (SELECT count(*) FROM quote_line WHERE tenant_id = $1 AND quote_id IN (`+mine+`) AND words <> '')`, tx.Tenant(), customers).QueryRow(counted(&text.Left))
	tx.Queue(`SELECT count(*) FROM quote_note WHERE tenant_id = $1 AND quote_id IN (`+mine+`) AND words <> ''`, tx.Tenant(), customers).QueryRow(counted(&note.Left))
	err := tx.Flush(ctx)
	return []erasure.Erased{text, note, {What: "quote_withdrawn", Count: int64(len(ended))}}, err
}
