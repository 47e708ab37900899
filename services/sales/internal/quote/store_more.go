package quote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// listSQL lists the quotes that fit the filter, the latest first.
func listSQL(f Filter, limit int) (sql string, args []any) {
	where, from := []string{"q.tenant_id = $1"}, "quote q"
	only := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)+1), 1))
	}
	if f.OpportunityID != uuid.Nil {
		only("q.opportunity_id = ?", f.OpportunityID)
	}
	if f.State != "" {
		only("q.state = ?", f.State)
	}
	if f.Before != uuid.Nil {
		only("q.id < ?", f.Before)
	}
	end := fmt.Sprintf(" ORDER BY q.id DESC LIMIT %d", limit)
	if f.CustomerID == uuid.Nil {
		return `SELECT q.* FROM ` + from + ` WHERE ` + strings.Join(where, " AND ") + end, args
	}
	args = append(args, f.CustomerID) // of each id that means the customer the latest, by the index that has them in order
	return fmt.Sprintf(`SELECT q.* FROM unnest(customer_group($1, $%d)) AS g(id)
		CROSS JOIN LATERAL (SELECT * FROM quote q WHERE q.customer_id = g.id AND %s%s) q%s`, len(args)+1, strings.Join(where, " AND "), end, end), args
}

// awaiting lists the quotes that wait for the person's approval. It says by columns what Quote.Check says of rows.
func awaiting(ctx context.Context, tx *pg.Tx, who flow.Actor, before uuid.UUID, limit int) ([]Quote, error) {
	return collect(ctx, tx, fmt.Sprintf(`SELECT q.* FROM quote_version v JOIN quote q ON q.tenant_id = v.tenant_id AND q.id = v.quote_id
		CROSS JOIN LATERAL (SELECT v.policy->'levels'->v.level_at->'approvers' AS approvers) l
		WHERE v.tenant_id = $1 AND v.state = 'in_approval' AND ($3::uuid IS NULL OR v.quote_id < $3) AND NOT $2::text = ANY (v.authors)
			AND (jsonb_array_length(coalesce(l.approvers, '[]')) = 0 OR l.approvers @> to_jsonb($2::text))
			AND (coalesce((v.policy->>'twice')::boolean, false) OR NOT v.given @> jsonb_build_array(jsonb_build_object('by', $2::text)))
		ORDER BY q.id DESC LIMIT %d`, limit), who.Subject, pg.OrNull(before))
}

// policyOf queues the search for the policy of the transaction's tenant; it is filled by the next round trip.
func policyOf(tx *pg.Tx) *Policy {
	found := StandardPolicy()
	tx.Queue(`SELECT policy, version FROM quote_policy WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var p Policy
		var version int64
		err := row.Scan(&p, &version)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if p.Version = version; err == nil {
			found = p
		}
		return err
	})
	return &found
}

func savePolicy(tx *pg.Tx, p Policy, by string, at time.Time) {
	tx.Queue(`INSERT INTO quote_policy (tenant_id, version, policy, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id) DO UPDATE SET version = $2, policy = $3, by_subject = $4, changed_at = $5`, tx.Tenant(), p.Version, p, by, at)
}

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
