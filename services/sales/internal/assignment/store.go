package assignment

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/rota"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

var errNoHandover = problem.New(problem.NotFound, "handover_not_found", "There is no such hand-over.")

// lockKey is the advisory lock of whoever gives out a tenant's leads, or changes by what they are given.
const lockKey = `hashtextextended('assignment' || chr(31) || $1, 0)`

func lock(tx *pg.Tx) { tx.Queue(`SELECT pg_advisory_xact_lock(`+lockKey+`)`, tx.Tenant()) }

// rulesOf queues the reading of the tenant's rules; they are filled in by the next round trip.
func rulesOf(tx *pg.Tx) *Rules {
	r := &Rules{}
	tx.Queue(`SELECT version, rules, changed_at, changed_by FROM assignment_rules WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&r.Version, &r.Rules, &r.ChangedAt, &r.By)
		r.ChangedAt = r.ChangedAt.UTC()
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return r
}

func saveRules(tx *pg.Tx, r Rules) {
	if r.Rules == nil {
		r.Rules = []Rule{}
	}
	tx.Queue(`INSERT INTO assignment_rules (tenant_id, version, rules, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id) DO UPDATE SET version = $2, rules = $3, changed_at = $4, changed_by = $5`,
		tx.Tenant(), r.Version, r.Rules, r.ChangedAt, r.By)
}

// sit reads what choices depend on; one round trip.
func sit(ctx context.Context, tx *pg.Tx, now time.Time) (*desk, error) {
	rules, book := rulesOf(tx), team.All(tx, now)
	loads, turns := loadsOf(tx), turnsOf(tx)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	d := &desk{rules: *rules, book: book, turns: rota.New(), now: now, next: map[string]time.Time{}}
	for _, p := range book.People() {
		d.turns.Add(p.Subject, loads[p.Subject], p.Capacity, turns[p.Subject])
	}
	return d, nil
}

// loadsOf queues how many leads that they can work on each person has; it is filled in by the next round trip.
func loadsOf(tx *pg.Tx) map[string]int {
	found := map[string]int{}
	tx.Queue(`SELECT p.subject, (SELECT count(*) FROM lead l WHERE l.tenant_id = $1 AND l.owner = p.subject AND l.owner <> '' AND l.state IN ('open', 'qualified'))
		FROM team_person p WHERE p.tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		var subject string
		var n int
		_, err := pgx.ForEachRow(rows, []any{&subject, &n}, func() error { found[subject] = n; return nil })
		return err
	})
	return found
}

// turnsOf queues whose turn it was when, by subject and team; it is filled in by the next round trip.
func turnsOf(tx *pg.Tx) map[string]map[string]int64 {
	found := map[string]map[string]int64{}
	tx.Queue(`SELECT subject, team, turn FROM assignment_turn WHERE tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		var subject, team string
		var turn int64
		_, err := pgx.ForEachRow(rows, []any{&subject, &team, &turn}, func() error {
			if found[subject] == nil {
				found[subject] = map[string]int64{}
			}
			found[subject][team] = turn
			return nil
		})
		return err
	})
	return found
}

// saveTurns queues whose turn it was, in the teams and of the subjects at the same places.
func saveTurns(tx *pg.Tx, teams, subjects []string, turns []int64) {
	if len(teams) > 0 {
		tx.Queue(`INSERT INTO assignment_turn (tenant_id, team, subject, turn)
			SELECT $1, n.team, n.subject, max(n.turn) FROM unnest($2::text[], $3::text[], $4::bigint[]) AS n(team, subject, turn) GROUP BY 2, 3
			ON CONFLICT (tenant_id, team, subject) DO UPDATE SET turn = EXCLUDED.turn`, tx.Tenant(), teams, subjects, turns)
	}
}

// wait is what is remembered of a lead that nobody has.
type wait struct {
	lead uuid.UUID
	Route
	version    int64 // of the lead
	generation int64
	since      time.Time
}

const waitColumns = `w.lead_id, w.team, w.rule, w.person, w.language, w.skills, w.not_to, w.lead_version, w.generation, w.since`

func scanWait(row pgx.Row) (w wait, err error) {
	err = row.Scan(&w.lead, &w.Team, &w.Rule, &w.Person, &w.Language, &w.Skills, &w.NotTo, &w.version, &w.generation, &w.since)
	w.since = w.since.UTC()
	return w, err
}

// fresh gives up to limit leads that nobody has and the rules have to be asked about, the oldest first: those not looked at yet,
// those changed since, those whose team is none of the live ones any more; and of those that no rule fits the ones looked at by
// other rules or before the given time.
func fresh(ctx context.Context, tx *pg.Tx, generation int64, live []string, before time.Time, limit int) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `SELECT l.id FROM lead l
		LEFT JOIN LATERAL (SELECT * FROM assignment_wait k WHERE k.tenant_id = $1 AND k.lead_id = l.id LIMIT 1) w ON true
		WHERE l.tenant_id = $1 AND l.owner = '' AND l.state IN ('open', 'qualified') AND l.erased_at IS NULL
			AND (w.lead_id IS NULL OR w.lead_version <> l.version OR w.team <> '' AND w.team <> ALL ($3)
				OR w.team = '' AND (w.generation <> $2 OR w.looked_at < $4))
		ORDER BY l.id LIMIT $5`, tx.Tenant(), generation, live, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// formerOwners queues who had each of the leads last, of those that somebody had; it is filled in by the next round trip.
func formerOwners(tx *pg.Tx, ids []uuid.UUID) map[uuid.UUID]string {
	found := map[uuid.UUID]string{}
	tx.Queue(`SELECT n.id, h.owner FROM unnest($2::uuid[]) AS n(id) CROSS JOIN LATERAL (SELECT h.owner FROM lead_history h
		WHERE h.tenant_id = $1 AND h.lead_id = n.id AND h.owner <> '' ORDER BY h.no DESC LIMIT 1) h`, tx.Tenant(), ids).
		Query(func(rows pgx.Rows) error {
			var id uuid.UUID
			var owner string
			_, err := pgx.ForEachRow(rows, []any{&id, &owner}, func() error { found[id] = owner; return nil })
			return err
		})
	return found
}

// remember queues what the rules said of leads that go on to wait.
func remember(tx *pg.Tx, waits []wait, now time.Time) {
	n := len(waits)
	if n == 0 {
		return
	}
	ids, rules, versions, generations, since := make([]uuid.UUID, n), make([]int32, n), make([]int64, n), make([]int64, n), make([]time.Time, n)
	teams, persons, languages, skills, notTo := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, w := range waits {
		ids[i], rules[i], versions[i], generations[i], since[i] = w.lead, int32(w.Rule), w.version, w.generation, w.since
		teams[i], persons[i], languages[i], skills[i], notTo[i] = w.Team, w.Person, w.Language, w.Skills, w.NotTo
	}
	tx.Queue(`INSERT INTO assignment_wait (tenant_id, lead_id, team, rule, person, language, skills, not_to, lead_version, generation, since, looked_at)
		SELECT $1, n.*, $12 FROM unnest($2::uuid[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[],
			$11::timestamptz[]) AS n
		ON CONFLICT (tenant_id, lead_id) DO UPDATE SET team = EXCLUDED.team, rule = EXCLUDED.rule, person = EXCLUDED.person, language = EXCLUDED.language,
			skills = EXCLUDED.skills, not_to = EXCLUDED.not_to, lead_version = EXCLUDED.lead_version, generation = EXCLUDED.generation,
			looked_at = EXCLUDED.looked_at, since = CASE WHEN assignment_wait.not_to = EXCLUDED.not_to THEN assignment_wait.since ELSE EXCLUDED.since END`,
		tx.Tenant(), ids, teams, rules, persons, languages, skills, notTo, versions, generations, since, now)
}

func forget(tx *pg.Tx, ids []uuid.UUID) {
	if len(ids) > 0 {
		tx.Queue(`DELETE FROM assignment_wait WHERE tenant_id = $1 AND lead_id = ANY ($2::uuid[])`, tx.Tenant(), ids)
	}
}

// tidy queues that what is remembered of leads that somebody has, or nobody needs, is dropped; of those that wait for a team it
// is noted that they were looked at. It takes up to limit of those that were not since the given time.
func tidy(tx *pg.Tx, before, now time.Time, limit int) {
	tx.Queue(`DELETE FROM assignment_wait w USING (
			SELECT k.lead_id FROM assignment_wait k WHERE k.tenant_id = $1 AND k.looked_at < $2 ORDER BY k.looked_at LIMIT $3) o
		WHERE w.tenant_id = $1 AND w.lead_id = o.lead_id AND NOT EXISTS (SELECT FROM lead l
			WHERE l.tenant_id = $1 AND l.id = w.lead_id AND l.owner = '' AND l.state IN ('open', 'qualified') AND l.erased_at IS NULL)`, tx.Tenant(), before, limit)
	tx.Queue(`UPDATE assignment_wait w SET looked_at = $4 FROM (
			SELECT k.lead_id FROM assignment_wait k WHERE k.tenant_id = $1 AND k.looked_at < $2 ORDER BY k.looked_at LIMIT $3) o
		WHERE w.tenant_id = $1 AND w.lead_id = o.lead_id AND w.team <> ''`, tx.Tenant(), before, limit, now)
}

// classes gives the kinds of leads that wait for teams. It goes from one to the next, however many leads each has.
func classes(ctx context.Context, tx *pg.Tx) ([]class, error) {
	rows, err := tx.Query(ctx, `WITH RECURSIVE c AS (
			(SELECT team, person, language, skills, not_to FROM assignment_wait WHERE tenant_id = $1 AND team > ''
				ORDER BY team, person, language, skills, not_to LIMIT 1)
			UNION ALL
			SELECT n.* FROM c CROSS JOIN LATERAL (SELECT w.team, w.person, w.language, w.skills, w.not_to FROM assignment_wait w
				WHERE w.tenant_id = $1 AND (w.team, w.person, w.language, w.skills, w.not_to) > (c.team, c.person, c.language, c.skills, c.not_to)
				ORDER BY w.team, w.person, w.language, w.skills, w.not_to LIMIT 1) n)
		SELECT team, person, language, skills, not_to FROM c`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c class, err error) {
		return c, row.Scan(&c.Team, &c.Person, &c.Language, &c.Skills, &c.NotTo)
	})
}

// waitingOf gives the oldest leads of each class that still wait, up to its number.
func waitingOf(ctx context.Context, tx *pg.Tx, wanted []class, most []int) ([]wait, error) {
	n := len(wanted)
	teams, persons, languages, skills, notTo := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, c := range wanted {
		teams[i], persons[i], languages[i], skills[i], notTo[i] = c.Team, c.Person, c.Language, c.Skills, c.NotTo
	}
	rows, err := tx.Query(ctx, `SELECT `+waitColumns+` FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
			AS c(team, person, language, skills, not_to, most)
		CROSS JOIN LATERAL (SELECT k.* FROM assignment_wait k
			JOIN lead l ON l.tenant_id = $1 AND l.id = k.lead_id AND l.owner = '' AND l.state IN ('open', 'qualified') AND l.erased_at IS NULL
			WHERE k.tenant_id = $1 AND k.team = c.team AND k.person = c.person AND k.language = c.language AND k.skills = c.skills AND k.not_to = c.not_to
			ORDER BY k.lead_id LIMIT c.most) w`, tx.Tenant(), teams, persons, languages, skills, notTo, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (wait, error) { return scanWait(row) })
}

// waitOf queues what is remembered of a lead; found is false where that is nothing. Both are filled in by the next round trip.
func waitOf(tx *pg.Tx, id uuid.UUID) (w *wait, found *bool) {
	w, found = new(wait), new(bool)
	tx.Queue(`SELECT `+waitColumns+` FROM assignment_wait w WHERE w.tenant_id = $1 AND w.lead_id = $2`, tx.Tenant(), id).QueryRow(func(row pgx.Row) (err error) {
		*w, err = scanWait(row)
		*found = err == nil
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return w, found
}

// Handover is one command by which somebody's leads went into other hands.
type Handover struct {
	ID      uuid.UUID // UUIDv7
	Subject string    // who had them
	To      string    // who has them; empty: the rules give them again
	Handed  int       // leads
	Left    int       // that the command did not come to: it is to be repeated
	By      string    // subject
	At      time.Time
}

func saveHandover(tx *pg.Tx, h Handover) {
	tx.Queue(`INSERT INTO assignment_handover (tenant_id, id, subject, to_subject, handed, left_over, told_by, told_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		tx.Tenant(), h.ID, h.Subject, h.To, h.Handed, h.Left, h.By, h.At)
}

func getHandover(ctx context.Context, tx *pg.Tx, id uuid.UUID) (h Handover, err error) {
	err = tx.QueryRow(ctx, `SELECT id, subject, to_subject, handed, left_over, told_by, told_at FROM assignment_handover WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), id).Scan(&h.ID, &h.Subject, &h.To, &h.Handed, &h.Left, &h.By, &h.At)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoHandover
	}
	h.At = h.At.UTC()
	return h, err
}

// heldBy gives the oldest leads of a person that something may still come of, up to limit, and how many there are in all.
func heldBy(ctx context.Context, tx *pg.Tx, subject string, limit int) (ids []uuid.UUID, all int, err error) {
	rows, err := tx.Query(ctx, `SELECT l.id, count(*) OVER () FROM lead l
		WHERE l.tenant_id = $1 AND l.owner = $2 AND l.state IN ('open', 'nurturing', 'qualified') AND l.erased_at IS NULL ORDER BY l.id LIMIT $3`,
		tx.Tenant(), subject, limit)
	if err != nil {
		return nil, 0, err
	}
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &all}, func() error { ids = append(ids, id); return nil })
	return ids, all, err
}
