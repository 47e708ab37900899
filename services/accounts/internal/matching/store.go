package matching

import (
	"cmp"
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
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

// queueRules queues the reading of the tenant's rules; they are the standard ones where it has set none.
func queueRules(tx *pg.Tx) *Rules {
	r := &Rules{Rules: Standard()}
	tx.Queue(`SELECT version, rules::text, changed_by, changed_at FROM matching_rules WHERE tenant_id = $1`, tx.Tenant()).
		QueryRow(func(row pgx.Row) error {
			var text string
			err := row.Scan(&r.Version, &text, &r.ChangedBy, &r.ChangedAt)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
			r.Rules = nil
			return json.Unmarshal([]byte(text), &r.Rules)
		})
	return r
}

func saveRules(tx *pg.Tx, r Rules) error {
	text, err := json.Marshal(r.Rules)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO matching_rules AS r (tenant_id, version, rules, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version, rules = excluded.rules, changed_by = excluded.changed_by,
			changed_at = excluded.changed_at`, tx.Tenant(), r.Version, string(text), r.ChangedBy, r.ChangedAt)
	return nil
}

// searchable gives the test whether a custom field may be compared.
func searchable(ctx context.Context, tx *pg.Tx) (func(name string) bool, error) {
	defined, err := field.Definitions(ctx, tx)
	return func(name string) bool {
		d, ok := defined[name]
		return ok && !d.Class.Sensitive()
	}, err
}

// tooMany is how many customers a criterion may find: one that more have in common tells nothing.
const tooMany = 20

// clues are what subjects are looked for by beside identities, with the subjects that each is a clue of.
type clues struct {
	names, exprs []string
	of           map[string][]int // by the clue, as it is noted
}

// note adds a clue to a list unless it is in there.
func (c *clues) note(list *[]string, mark, clue string, subject int) {
	key := mark + clue
	if _, known := c.of[key]; !known {
		*list = append(*list, clue)
	}
	if who := c.of[key]; len(who) == 0 || who[len(who)-1] != subject {
		c.of[key] = append(who, subject)
	}
}

// collect gives the clues of subjects that any of the rules asks for, as far as the subject has all that the rule compares.
func collect(tenant string, rules []Rule, subjects []subject) *clues {
	c := &clues{of: make(map[string][]int)}
	keys := search.Exact(tenant)
	for n, s := range subjects {
		for _, r := range rules {
			if slices.ContainsFunc(r.Criteria, s.blank) {
				continue
			}
			for _, k := range r.Criteria {
				for _, e := range k.exprs(keys, s) {
					c.note(&c.exprs, "e", e, n)
				}
				if k.Kind == SameName && s.key != "" {
					c.note(&c.names, "n", s.key, n)
				}
			}
		}
	}
	return c
}

// exprs gives the search's expressions for whoever fits the criterion as the subject does.
func (c Criterion) exprs(keys search.Keys, s subject) (all []string) {
	switch c.Kind {
	case SameSound:
		for _, sound := range s.sounds {
			all = append(all, keys.Sound(sound))
		}
	case SameInitials:
		for _, letters := range s.initials {
			all = append(all, keys.Initials(letters))
		}
	case SamePostal:
		for _, postal := range s.postal {
			if country, code, ok := strings.Cut(postal, " "); ok {
				all = append(all, keys.Postal(country, code))
			}
		}
	case SameField:
		for _, value := range s.fields[c.Field] {
			all = append(all, keys.Field(c.Field, value))
		}
	}
	return all
}

// crowd gathers candidates for each subject.
type crowd struct {
	subjects []subject
	ids      [][]uuid.UUID
}

func (c crowd) add(n int, hits []uuid.UUID) {
	for _, id := range hits {
		if id != c.subjects[n].id && !slices.Contains(c.ids[n], id) {
			c.ids[n] = append(c.ids[n], id)
		}
	}
}

// candidates gives for each subject who has something in common with it that tells something. The rules may be queued yet:
// they come with who has the subjects' identities, in one round trip, which is all that most subjects take.
func candidates(ctx context.Context, tx *pg.Tx, rules *Rules, subjects []subject) ([][]uuid.UUID, error) {
	out := crowd{subjects, make([][]uuid.UUID, len(subjects))}
	limit := tooMany
	if slices.ContainsFunc(subjects, func(s subject) bool { return s.id != uuid.Nil }) {
		limit++ // the customer itself is among those who have it
	}
	var identities []identity.Identity
	seen := make(map[identity.Identity]int)
	for _, s := range subjects {
		for _, i := range s.identities {
			if _, known := seen[i]; !known {
				seen[i] = len(identities)
				identities = append(identities, i)
			}
		}
	}
	held, err := holders(ctx, tx, identities, limit)
	if err != nil {
		return nil, err
	}
	for n, s := range subjects {
		for _, i := range s.identities {
			asked := func(r Rule) bool {
				return !slices.ContainsFunc(r.Criteria, s.blank) &&
					slices.ContainsFunc(r.Criteria, func(c Criterion) bool { return c.Kind == SameIdentity && c.of(i.Type) })
			}
			if slices.ContainsFunc(rules.Rules, asked) {
				out.add(n, held[seen[i]])
			}
		}
	}
	c := collect(tx.Tenant(), rules.Rules, subjects)
	byName, err := search.Named(ctx, tx, c.names, limit)
	if err != nil {
		return nil, err
	}
	byTerm, err := search.Hits(ctx, tx, c.exprs, limit)
	if err != nil {
		return nil, err
	}
	for k, key := range c.names {
		for _, n := range c.of["n"+key] {
			out.add(n, byName[k])
		}
	}
	for k, e := range c.exprs {
		for _, n := range c.of["e"+e] {
			out.add(n, byTerm[k])
		}
	}
	return out.ids, nil
}

const holdersSQL = `
SELECT n.n, h.id FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS n(type, value, n)
CROSS JOIN LATERAL (SELECT DISTINCT coalesce(c.root_id, c.id) AS id FROM (
		SELECT customer_id FROM customer_identity
		WHERE tenant_id = $1 AND type = n.type AND value = n.value AND (valid_to IS NULL OR valid_to > now()) LIMIT $4) k
	CROSS JOIN LATERAL (SELECT root_id, id FROM customer WHERE tenant_id = $1 AND id = k.customer_id LIMIT 1) c) h`

// holders gives for each identity the customers who have it now, each as the one who stands for it; none where there are
// more than limit.
func holders(ctx context.Context, tx *pg.Tx, identities []identity.Identity, limit int) ([][]uuid.UUID, error) {
	out := make([][]uuid.UUID, len(identities))
	if len(identities) == 0 {
		return out, tx.Flush(ctx)
	}
	types, values := make([]string, len(identities)), make([]string, len(identities))
	for n, i := range identities {
		types[n], values[n] = string(i.Type), i.Value
	}
	// Twice: of those who were merged several have it.
	rows, err := tx.Query(ctx, holdersSQL, tx.Tenant(), types, values, 2*limit)
	if err != nil {
		return nil, err
	}
	return out, search.Telling(rows, out, limit)
}

// loaded gives customers who stand for themselves as subjects, by id.
func loaded(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (map[uuid.UUID]subject, error) {
	out := make(map[uuid.UUID]subject, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	standing, err := search.Load(ctx, tx, ids)
	for _, s := range standing {
		out[s.ID] = subjectOf(s.ID, s.Record)
	}
	return out, err
}

// found is a pair that is not written yet.
type found struct {
	low, high uuid.UUID
	Match
}

// dropOpen deletes the undecided pairs of these customers but those that were found again.
func dropOpen(tx *pg.Tx, customers []uuid.UUID, again []found) {
	low, high := make([]uuid.UUID, len(again)), make([]uuid.UUID, len(again))
	for n, f := range again {
		low[n], high[n] = f.low, f.high
	}
	const stale = ` AND state = 'open' AND NOT EXISTS (SELECT FROM unnest($3::uuid[], $4::uuid[]) AS n(low, high)
		WHERE n.low = p.low AND n.high = p.high)`
	tx.Queue(`DELETE FROM duplicate_pair p WHERE tenant_id = $1 AND low = ANY($2::uuid[])`+stale, tx.Tenant(), customers, low, high)
	tx.Queue(`DELETE FROM duplicate_pair p WHERE tenant_id = $1 AND high = ANY($2::uuid[])`+stale, tx.Tenant(), customers, low, high)
}

// A pair is not written when people have decided on any ids of the two, whichever of them stood for which then.
const insertSQL = `
INSERT INTO duplicate_pair AS p (tenant_id, id, low, high, score, result, rule, criteria, found_at)
SELECT $1, n.id, n.low, n.high, n.score, n.result, n.rule, string_to_array(n.criteria, ','), $9
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::integer[], $6::text[], $7::text[], $8::text[]) AS n(id, low, high, score, result, rule, criteria)
CROSS JOIN LATERAL (SELECT id || aliases AS ids FROM customer WHERE tenant_id = $1 AND id = n.low LIMIT 1) a
CROSS JOIN LATERAL (SELECT id || aliases AS ids FROM customer WHERE tenant_id = $1 AND id = n.high LIMIT 1) b
WHERE NOT EXISTS (SELECT ` + pairsOf + ` WHERE d.state <> 'open')
ON CONFLICT (tenant_id, low, high) DO UPDATE SET score = excluded.score, result = excluded.result, rule = excluded.rule, criteria = excluded.criteria, left_because = ''
WHERE p.state = 'open' AND ((p.score, p.result, p.rule, p.criteria) IS DISTINCT FROM (excluded.score, excluded.result, excluded.rule, excluded.criteria)
	OR p.left_because <> '')`

// pairsOf are the pairs d of any of a.ids with any of b.ids.
const pairsOf = `FROM unnest(a.ids) AS x(id) CROSS JOIN unnest(b.ids) AS y(id)
	CROSS JOIN LATERAL (SELECT least(x.id, y.id) AS low, greatest(x.id, y.id) AS high OFFSET 0) k
	CROSS JOIN LATERAL (SELECT state FROM duplicate_pair WHERE tenant_id = $1 AND low = k.low AND high = k.high LIMIT 1) d`

// insertPairs queues pairs.
func insertPairs(tx *pg.Tx, pairs []found, at time.Time) error {
	n := len(pairs)
	if n == 0 {
		return nil
	}
	ids, low, high, scores := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n), make([]int32, n)
	results, rules, criteria := make([]string, n), make([]string, n), make([]string, n)
	for i, f := range pairs {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		ids[i], low[i], high[i], scores[i] = id, f.low, f.high, int32(f.Score)
		results[i], rules[i], criteria[i] = string(f.Result), f.Rule, strings.Join(f.Criteria, ",")
	}
	tx.Queue(insertSQL, tx.Tenant(), ids, low, high, scores, results, rules, criteria, at)
	return nil
}

// errNotFound is the same for a pair that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "duplicate_not_found", "There is no such pair.")

const pairColumns = `p.id, p.low, p.high, p.score, p.result, p.rule, p.criteria, p.state, p.found_at, p.decided_at, p.decided_by, p.left_because,
	a.display_name, b.display_name`

// both are the customers of a pair p.
const both = ` CROSS JOIN LATERAL (SELECT * FROM customer WHERE tenant_id = $1 AND id = p.low LIMIT 1) a
	CROSS JOIN LATERAL (SELECT * FROM customer WHERE tenant_id = $1 AND id = p.high LIMIT 1) b`

func scanPair(row pgx.CollectableRow) (p Pair, err error) {
	var decided *time.Time
	err = row.Scan(&p.ID, &p.Low, &p.High, &p.Score, &p.Result, &p.Rule, &p.Criteria, &p.State, &p.FoundAt, &decided, &p.DecidedBy,
		&p.LeftBecause, &p.Names[0], &p.Names[1])
	if decided != nil {
		p.DecidedAt = *decided
	}
	return p, err
}

// get gives a pair, or errNotFound.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Pair, error) {
	rows, err := tx.Query(ctx, `SELECT `+pairColumns+` FROM duplicate_pair p`+both+` WHERE p.tenant_id = $1 AND p.id = $2`, tx.Tenant(), id)
	if err != nil {
		return Pair{}, err
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPair)
	if errors.Is(err, pgx.ErrNoRows) {
		return Pair{}, errNotFound
	}
	return p, err
}

func lock(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`SELECT 1 FROM duplicate_pair WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
}

func saveDecision(tx *pg.Tx, p Pair) {
	tx.Queue(`UPDATE duplicate_pair SET state = $3, decided_at = $4, decided_by = $5 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), p.ID, p.State, p.DecidedAt, p.DecidedBy)
}

// waiting gives up to limit pairs behind after, of all tenants that may write, that an automatic rule says to be one and that
// nobody looked at yet.
func waiting(ctx context.Context, tx *pg.Tx, after uuid.UUID, limit int) ([]Waiting, error) {
	rows, err := tx.Query(ctx, `SELECT tenant_id, id FROM duplicate_automatic($1, $2)`, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Waiting])
}

// claim locks a pair that waits so; there is none where it waits no longer, or another process has it this moment.
func claim(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Pair, bool, error) {
	rows, err := tx.Query(ctx, `SELECT `+pairColumns+` FROM duplicate_pair p`+both+` WHERE p.tenant_id = $1 AND p.id = $2
		AND p.state = 'open' AND p.result = 'automatic' AND p.left_because = '' FOR UPDATE OF p SKIP LOCKED`, tx.Tenant(), id)
	if err != nil {
		return Pair{}, false, err
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPair)
	if errors.Is(err, pgx.ErrNoRows) {
		return Pair{}, false, nil
	}
	return p, err == nil, err
}

// dismissed tells of each pair of customers who stand for themselves whether somebody said of any ids of the two that they
// differ.
func dismissed(ctx context.Context, tx *pg.Tx, pairs [][2]uuid.UUID) (map[[2]uuid.UUID]bool, error) {
	first, second := make([]uuid.UUID, len(pairs)), make([]uuid.UUID, len(pairs))
	for n, p := range pairs {
		first[n], second[n] = p[0], p[1]
	}
	rows, err := tx.Query(ctx, `SELECT n.first, n.second FROM unnest($2::uuid[], $3::uuid[]) AS n(first, second)
		CROSS JOIN LATERAL (SELECT id || aliases AS ids FROM customer WHERE tenant_id = $1 AND id = n.first LIMIT 1) a
		CROSS JOIN LATERAL (SELECT id || aliases AS ids FROM customer WHERE tenant_id = $1 AND id = n.second LIMIT 1) b
		WHERE EXISTS (SELECT `+pairsOf+` WHERE d.state = 'dismissed')`, tx.Tenant(), first, second)
	if err != nil {
		return nil, err
	}
	out := make(map[[2]uuid.UUID]bool)
	var p [2]uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&p[0], &p[1]}, func() error {
		out[p] = true
		return nil
	})
	return out, err
}

// place is where a pair stands in the queue.
type place struct {
	score int
	id    uuid.UUID
}

// list gives pairs of a state, the surest first. Undecided ones of customers who have been merged, or archived, meanwhile
// are left out.
func list(ctx context.Context, tx *pg.Tx, state State, after place, limit int) ([]Pair, error) {
	rows, err := tx.Query(ctx, `SELECT `+pairColumns+` FROM duplicate_pair p`+both+`
		WHERE p.tenant_id = $1 AND p.state = $2 AND (p.score < $3 OR p.score = $3 AND p.id > $4)
			AND ($2 <> 'open' OR a.state = 'active' AND b.state = 'active')
		ORDER BY p.score DESC, p.id LIMIT $5`, tx.Tenant(), state, after.score, after.id, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanPair)
}

// markAll has every customer looked at again and gives their number.
func markAll(ctx context.Context, tx *pg.Tx) (int64, error) {
	tag, err := tx.ExecNow(ctx, `INSERT INTO customer_pending (tenant_id, customer_id)
		SELECT tenant_id, id FROM customer WHERE tenant_id = $1 AND root_id IS NULL`, tx.Tenant())
	return tag.RowsAffected(), err
}

// verified gives the exclusive identities that were shown to be of each customer, whoever stands for them.
func verified(ctx context.Context, tx *pg.Tx, a, b uuid.UUID) (ofA, ofB []identity.Identity, err error) {
	rows, err := tx.Query(ctx, `SELECT n.n, k.type, k.value FROM unnest($2::uuid[]) WITH ORDINALITY AS n(id, n)
		CROSS JOIN LATERAL (SELECT root_id, id FROM customer WHERE tenant_id = $1 AND id = n.id LIMIT 1) c
		CROSS JOIN LATERAL (SELECT coalesce(c.root_id, c.id) AS id OFFSET 0) w
		CROSS JOIN LATERAL (SELECT id || aliases AS ids FROM customer WHERE tenant_id = $1 AND id = w.id LIMIT 1) g
		CROSS JOIN LATERAL unnest(g.ids) AS m(id)
		CROSS JOIN LATERAL (SELECT * FROM customer_identity WHERE tenant_id = $1 AND customer_id = m.id OFFSET 0) k
		WHERE k.exclusive AND k.verified_at IS NOT NULL AND (k.valid_to IS NULL OR k.valid_to > now())`, tx.Tenant(), []uuid.UUID{a, b})
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		var i identity.Identity
		if err := rows.Scan(&n, &i.Type, &i.Value); err != nil {
			return nil, nil, err
		}
		if n == 1 {
			ofA = append(ofA, i)
		} else {
			ofB = append(ofB, i)
		}
	}
	return ofA, ofB, rows.Err()
}

// Erase deletes the pairs of the customers.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	tag, err := tx.ExecNow(ctx, `DELETE FROM duplicate_pair WHERE tenant_id = $1 AND (low = ANY($2::uuid[]) OR high = ANY($2::uuid[]))`,
		tx.Tenant(), customers)
	return map[string]int64{"duplicate_pair": tag.RowsAffected()}, err
}

// sorted orders pairs by their key, so that two writers never wait for each other in a circle.
func sorted(pairs []found) []found {
	slices.SortFunc(pairs, func(a, b found) int {
		return cmp.Or(slices.Compare(a.low[:], b.low[:]), slices.Compare(a.high[:], b.high[:]))
	})
	return pairs
}
