package search

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/name"
)

// One process at a time writes a tenant's index: so a word that nobody has any more can be told from one that somebody is
// about to have.
const lockKey = `hashtextextended('customer_search/' || $1, 0)`

func lock(tx *pg.Tx) { tx.Queue(`SELECT pg_advisory_xact_lock(`+lockKey+`)`, tx.Tenant()) }

func tryLock(ctx context.Context, tx *pg.Tx) (free bool, err error) {
	err = tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(`+lockKey+`)`, tx.Tenant()).Scan(&free)
	return free, err
}

// pendingTenants gives the tenants of whom anything is pending, each found by its key.
func pendingTenants(ctx context.Context, ops *pg.DB) (tenants []string, err error) {
	err = ops.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `WITH RECURSIVE t AS (
				(SELECT tenant_id FROM customer_pending ORDER BY tenant_id LIMIT 1)
				UNION ALL
				SELECT (SELECT p.tenant_id FROM customer_pending p WHERE p.tenant_id > t.tenant_id ORDER BY p.tenant_id LIMIT 1)
				FROM t WHERE t.tenant_id IS NOT NULL)
			SELECT tenant_id FROM t WHERE tenant_id IS NOT NULL`)
		if err != nil {
			return err
		}
		tenants, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return tenants, err
}

// fromImports is the first number of the marks of what imports change, behind all others.
const fromImports = int64(1) << 62

// takePending takes the oldest marks and gives the customers they are of, each once. It is quiet when nothing was marked
// within the last moments; otherwise it takes a few only, and of an import's none that is not overdue.
func takePending(ctx context.Context, tx *pg.Tx) (ids []uuid.UUID, quiet bool, err error) {
	var waited, imported bool
	err = tx.QueryRow(ctx, `SELECT
			coalesce((SELECT seq >= $3 FROM customer_pending WHERE tenant_id = $1 ORDER BY seq LIMIT 1), true),
			coalesce((SELECT at < clock_timestamp() - $2::interval FROM customer_pending WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1), true),
			coalesce((SELECT at < clock_timestamp() - $4::interval FROM customer_pending WHERE tenant_id = $1 AND seq >= $3 ORDER BY seq LIMIT 1), false)`,
		tx.Tenant(), busy, fromImports, overdue).Scan(&imported, &quiet, &waited)
	if err != nil {
		return nil, false, err
	}
	limit, below := batchSize, int64(math.MaxInt64)
	if !quiet {
		limit = busyBatch
		if !waited {
			if imported { // nothing else is there
				return nil, false, nil
			}
			below = fromImports - 1
		}
	}
	rows, err := tx.Query(ctx, `DELETE FROM customer_pending WHERE tenant_id = $1 AND seq <= least($3, coalesce(
			(SELECT seq FROM customer_pending WHERE tenant_id = $1 ORDER BY seq OFFSET $2 - 1 LIMIT 1), $3))
		RETURNING customer_id`, tx.Tenant(), limit, below)
	if err != nil {
		return nil, false, err
	}
	marked, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	slices.SortFunc(marked, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(marked), quiet, err
}

// Standing is a customer who stands for themselves, and for those who were merged into them.
type Standing struct {
	Record
	ID uuid.UUID
}

// Every row is looked for by its whole key: a set of ids would, by a plan that was made while the tables were small, be a
// filter over all of the tenant's rows.
const loadSQL = `
SELECT r.id, r.kind, r.state = 'archived', r.owner, r.tags, r.custom::text, r.display_name, m.names, i.types, i.vals, i.verified, a.postal
FROM (SELECT DISTINCT coalesce(c.root_id, c.id) AS id FROM unnest($2::uuid[]) AS n(id)
	JOIN LATERAL (SELECT root_id, id FROM customer WHERE tenant_id = $1 AND id = n.id LIMIT 1) c ON true) w
JOIN LATERAL (SELECT *, id || aliases AS ids FROM customer WHERE tenant_id = $1 AND id = w.id AND state IN ('active', 'archived') LIMIT 1) r ON true
LEFT JOIN LATERAL (SELECT array_agg(k.name) AS names FROM unnest(r.ids) AS g(id)
	CROSS JOIN LATERAL (SELECT * FROM customer WHERE tenant_id = $1 AND id = g.id LIMIT 1) c
	CROSS JOIN LATERAL unnest(ARRAY[c.display_name, c.legal_name, c.given_name || ' ' || c.family_name]) AS k(name)
	WHERE k.name <> ' ' AND k.name <> '') m ON true
LEFT JOIN LATERAL (SELECT array_agg(k.type) AS types, array_agg(k.value) AS vals, array_agg(k.verified_at IS NOT NULL) AS verified
	FROM unnest(r.ids) AS g(id)
	CROSS JOIN LATERAL (SELECT * FROM customer_identity WHERE tenant_id = $1 AND customer_id = g.id OFFSET 0) k
	WHERE k.valid_to IS NULL OR k.valid_to > now()) i ON true
LEFT JOIN LATERAL (SELECT array_agg(k.country || ' ' || k.postal_code) AS postal FROM unnest(r.ids) AS g(id)
	CROSS JOIN LATERAL (SELECT * FROM customer_address WHERE tenant_id = $1 AND customer_id = g.id OFFSET 0) k
	WHERE k.postal_code <> '') a ON true`

// Load gives those who are meant by the ids as they are now. Who was absorbed is in the record of the customer they were
// merged into, who comes once; an erased one is nowhere.
func Load(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) ([]Standing, error) {
	open, err := openFields(ctx, tx)
	if err != nil {
		return nil, err
	}
	tx.PlanForAny()
	rows, err := tx.Query(ctx, loadSQL, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Standing, err error) {
		var custom string
		var types, values, postal []string
		var verified []bool
		err = row.Scan(&l.ID, &l.Kind, &l.Archived, &l.Owner, &l.Tags, &custom, &l.Display, &l.Names, &types, &values, &verified, &postal)
		if err != nil {
			return Standing{}, err
		}
		for n, t := range types {
			i := identity.Identity{Type: identity.Type(t), Value: values[n]}
			if l.Identities = append(l.Identities, i); verified[n] {
				l.Verified = append(l.Verified, i)
			}
		}
		for _, p := range postal {
			country, code, _ := strings.Cut(p, " ")
			l.Postal = append(l.Postal, PostalKey(country, code))
		}
		if err := json.Unmarshal([]byte(custom), &l.Custom); err != nil {
			return Standing{}, err
		}
		for field := range l.Custom {
			if !open[field] {
				delete(l.Custom, field)
			}
		}
		return l, nil
	})
}

// openFields gives the custom fields that may be searched: what is financial, of health or special is not put into an
// index at all.
func openFields(ctx context.Context, tx *pg.Tx) (map[string]bool, error) {
	rows, err := tx.Query(ctx, `SELECT name FROM custom_field WHERE tenant_id = $1 AND class IN ('identity', 'contact', 'behaviour')`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	open := make(map[string]bool, len(names))
	for _, n := range names {
		open[n] = true
	}
	return open, err
}

// entry is a row of the index.
type entry struct {
	id    uuid.UUID
	key   string
	words []string
	terms string // as a tsvector is written
}

// maxKey is how many characters of a name are sorted by.
const maxKey = 100

func (s terms) entry(id uuid.UUID, r Record) entry {
	all, words := s.of(r)
	quotedTerms := make([]string, len(all))
	for i, t := range all {
		quotedTerms[i] = quoted(t)
	}
	return entry{id: id, key: NameKey(r.Display), words: words, terms: strings.Join(quotedTerms, " ")}
}

// NameKey gives the form of a display name that customers are sorted and compared by.
func NameKey(display string) string {
	key := []rune(fold.Text(display))
	return string(key[:min(len(key), maxKey)])
}

// A row that would stay as it is is not written: most changes of a customer change nothing that it is found by.
const writeSQL = `
INSERT INTO customer_search AS s (tenant_id, customer_id, name_key, words, terms)
SELECT $1, n.id, n.key, string_to_array(n.words, ' '), n.terms::tsvector
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) AS n(id, key, words, terms)
ON CONFLICT (tenant_id, customer_id) DO UPDATE SET name_key = excluded.name_key, words = excluded.words, terms = excluded.terms
WHERE s.terms <> excluded.terms OR s.name_key <> excluded.name_key`

// write makes the index say of the entries' customers what they say, and nothing of those who are gone.
func write(ctx context.Context, tx *pg.Tx, s terms, entries []entry, gone []uuid.UUID) error {
	n := len(entries)
	ids, keys, words, all := make([][16]byte, n), make([]string, n), make([]string, n), make([]string, n)
	has := make(map[string]bool)
	touched := slices.Clone(gone)
	for i, e := range entries {
		ids[i], keys[i], words[i], all[i] = e.id, e.key, strings.Join(e.words, " "), e.terms
		touched = append(touched, e.id)
		for _, w := range e.words {
			has[w] = true
		}
	}
	had, err := wordsOf(ctx, tx, touched)
	if err != nil {
		return err
	}
	if len(gone) > 0 {
		tx.Queue(`DELETE FROM customer_search WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), gone)
	}
	tx.Queue(writeSQL, tx.Tenant(), ids, keys, words, all)
	var added, left []string
	for w := range has {
		if !had[w] && name.Typos(w) > 0 {
			added = append(added, w)
		}
	}
	for w := range had {
		if !has[w] {
			left = append(left, w)
		}
	}
	if err := addWords(ctx, tx, s, added); err != nil {
		return err
	}
	return dropWords(ctx, tx, s, left)
}

// wordsOf gives the words by which the customers have been found until now.
func wordsOf(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]bool, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT w.word FROM unnest($2::uuid[]) AS n(id)
		CROSS JOIN LATERAL (SELECT words FROM customer_search WHERE tenant_id = $1 AND customer_id = n.id LIMIT 1) s
		CROSS JOIN LATERAL unnest(s.words) AS w(word)`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	words := make(map[string]bool, len(all))
	for _, w := range all {
		words[w] = true
	}
	return words, err
}

// addWords adds those that are not there; most are.
func addWords(ctx context.Context, tx *pg.Tx, s terms, words []string) error {
	if len(words) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `SELECT n.word FROM unnest($2::text[]) AS n(word)
		LEFT JOIN LATERAL (SELECT true AS known FROM customer_search_word w WHERE w.tenant_id = $1 AND w.word = n.word LIMIT 1) k ON true
		WHERE k.known IS NULL`, tx.Tenant(), words)
	if err != nil {
		return err
	}
	unknown, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(unknown) == 0 {
		return err
	}
	near := make([]string, len(unknown))
	for i, w := range unknown {
		text, err := json.Marshal(s.near(w))
		if err != nil {
			return err
		}
		near[i] = "{" + strings.Trim(string(text), "[]") + "}"
	}
	tx.Queue(`INSERT INTO customer_search_word (tenant_id, word, near)
		SELECT $1, n.word, n.near::bigint[] FROM unnest($2::text[], $3::text[]) AS n(word, near) ON CONFLICT DO NOTHING`,
		tx.Tenant(), unknown, near)
	return nil
}

// dropWords removes those that no customer has any more: a rare name is personal data of whoever had it.
func dropWords(ctx context.Context, tx *pg.Tx, s terms, words []string) error {
	if len(words) == 0 {
		return nil
	}
	queries := make([]string, len(words))
	for i, w := range words {
		queries[i] = string(s.lex(termWord, w))
	}
	_, err := tx.ExecNow(ctx, `DELETE FROM customer_search_word w USING unnest($2::text[], $3::text[]) AS n(word, query)
		WHERE w.tenant_id = $1 AND w.word = n.word AND NOT EXISTS (SELECT FROM customer_search_hits(ARRAY[n.query::tsquery], 1))`,
		tx.Tenant(), words, queries)
	return err
}

// rootsOf gives the customers into whom any of these were merged.
func rootsOf(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT c.root_id FROM unnest($2::uuid[]) AS n(id)
		CROSS JOIN LATERAL (SELECT root_id FROM customer WHERE tenant_id = $1 AND id = n.id LIMIT 1) c WHERE c.root_id IS NOT NULL`,
		tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

func erase(ctx context.Context, tx *pg.Tx, s terms, customers []uuid.UUID) (int64, error) {
	had, err := wordsOf(ctx, tx, customers)
	if err != nil {
		return 0, err
	}
	tag, err := tx.ExecNow(ctx, `DELETE FROM customer_search WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers)
	if err != nil {
		return 0, err
	}
	var words []string
	for w := range had {
		words = append(words, w)
	}
	return tag.RowsAffected(), dropWords(ctx, tx, s, words)
}

// highest is behind every name, and no name's first character.
const highest = "\U0010FFFF"

// few asks customer_search_few; many says that it gave nothing because there are more than most.
func (p plan) few(ctx context.Context, tx *pg.Tx, all, exact expr, low, high string, after place, limit, most int) (places []place, many bool, err error) {
	if all == none {
		return nil, false, nil
	}
	if exact == none {
		exact = p.lex(termState, "none") // nobody
	}
	rows, err := tx.Query(ctx, `SELECT customer_id, coalesce(name_key, ''), coalesce(tier, 0), many
		FROM customer_search_few($1::text::tsquery, $2::text::tsquery, $3, $4, $5, $6, $7, $8, $9)`,
		string(all), string(exact), low, high, after.tier, after.name, after.customer, limit, most)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var at place
		var id *uuid.UUID
		if err := rows.Scan(&id, &at.name, &at.tier, &many); err != nil {
			return nil, false, err
		}
		if id != nil {
			at.customer = *id
			places = append(places, at)
		}
	}
	return places, many, rows.Err()
}

// walk asks customer_search_walk; stopped is where it stopped looking after so many, nil when it has limit or came to the
// end.
func (p plan) walk(ctx context.Context, tx *pg.Tx, all, exact expr, low, high string, after place, limit, scan int) (places []place, stopped *place, err error) {
	if exact == none {
		exact = p.lex(termState, "none") // nobody
	}
	rows, err := tx.Query(ctx, `SELECT customer_id, name_key, hit FROM customer_search_walk($1::text::tsquery, $2::text::tsquery, $3, $4, $5, $6, $7, $8, $9)`,
		string(all), string(exact), low, high, after.tier, after.name, after.customer, limit, scan)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		at := place{tier: after.tier}
		var hit bool
		if err := rows.Scan(&at.customer, &at.name, &hit); err != nil {
			return nil, nil, err
		}
		if hit {
			places = append(places, at)
		} else {
			stopped = &at
		}
	}
	return places, stopped, rows.Err()
}

// nearWords gives the words that share a key with the word.
func (p plan) nearWords(ctx context.Context, tx *pg.Tx, word string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT word FROM customer_search_near($1, $2)`, p.near(word), maxNear)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// wordsBegin gives the tenant's words that begin as each of these.
func wordsBegin(ctx context.Context, tx *pg.Tx, beginnings []string) (vocabulary, error) {
	if len(beginnings) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `SELECT n.word, b.words FROM unnest($2::text[]) AS n(word)
		CROSS JOIN LATERAL (SELECT coalesce(array_agg(w.word ORDER BY w.word), '{}') AS words FROM (SELECT word FROM customer_search_word
			WHERE tenant_id = $1 AND word >= n.word AND word < n.word || $3 ORDER BY word LIMIT $4) w) b`,
		tx.Tenant(), beginnings, highest, maxBegin+1)
	if err != nil {
		return nil, err
	}
	all := make(vocabulary, len(beginnings))
	var beginning string
	var words []string
	_, err = pgx.ForEachRow(rows, []any{&beginning, &words}, func() error {
		all[beginning] = words
		words = nil
		return nil
	})
	return all, err
}

// queueAsOf queues the reading of the time before which every change is found.
func queueAsOf(tx *pg.Tx, asOf *time.Time) {
	tx.Queue(`SELECT coalesce((SELECT at FROM customer_pending WHERE tenant_id = $1 ORDER BY seq LIMIT 1), now())`, tx.Tenant()).
		QueryRow(func(row pgx.Row) error { return row.Scan(asOf) })
}

// hits gives the customers as they are now, in the order of the places; one who is gone meanwhile is left out.
func hits(ctx context.Context, tx *pg.Tx, places []place) ([]Hit, error) {
	ids := make([]uuid.UUID, len(places))
	for i, at := range places {
		ids[i] = at.customer
	}
	rows, err := tx.Query(ctx, `SELECT c.id, c.kind, c.display_name, c.state, c.owner, c.tags, c.registered_at
		FROM unnest($2::uuid[]) WITH ORDINALITY AS n(id, n)
		CROSS JOIN LATERAL (SELECT * FROM customer WHERE tenant_id = $1 AND id = n.id AND state IN ('active', 'archived') LIMIT 1) c
		ORDER BY n.n`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Hit])
}

// Hits gives for each of the expressions, which Exact's keys made, the customers whom it finds: none where there are more
// than limit, since such an expression tells nothing.
func Hits(ctx context.Context, tx *pg.Tx, expressions []string, limit int) ([][]uuid.UUID, error) {
	out := make([][]uuid.UUID, len(expressions))
	if len(expressions) == 0 {
		return out, nil
	}
	rows, err := tx.Query(ctx, `SELECT n, customer_id FROM customer_search_hits($1::text[]::tsquery[], $2)`, expressions, limit+1)
	if err != nil {
		return nil, err
	}
	return out, Telling(rows, out, limit)
}

// Named is Hits for display names, which NameKey brought to their form.
func Named(ctx context.Context, tx *pg.Tx, keys []string, limit int) ([][]uuid.UUID, error) {
	out := make([][]uuid.UUID, len(keys))
	if len(keys) == 0 {
		return out, nil
	}
	rows, err := tx.Query(ctx, `SELECT n.n, s.customer_id FROM unnest($2::text[]) WITH ORDINALITY AS n(key, n)
		CROSS JOIN LATERAL (SELECT customer_id FROM customer_search WHERE tenant_id = $1 AND name_key = n.key LIMIT $3) s`,
		tx.Tenant(), keys, limit+1)
	if err != nil {
		return nil, err
	}
	return out, Telling(rows, out, limit)
}

// Telling reads rows of a number from 1 and a customer's id into out, and takes out what has more than limit.
func Telling(rows pgx.Rows, out [][]uuid.UUID, limit int) error {
	defer rows.Close()
	for rows.Next() {
		var n int
		var id uuid.UUID
		if err := rows.Scan(&n, &id); err != nil {
			return err
		}
		out[n-1] = append(out[n-1], id)
	}
	for i := range out {
		if len(out[i]) > limit {
			out[i] = nil
		}
	}
	return rows.Err()
}
