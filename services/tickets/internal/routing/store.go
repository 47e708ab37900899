package routing

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// What is not there, and what is another tenant's, is answered alike.
var (
	errNoQueue = problem.New(problem.NotFound, "queue_not_found", "There is no such queue.")
	errNoSkill = problem.New(problem.NotFound, "skill_not_found", "There is no such skill.")
	errNoAgent = problem.New(problem.NotFound, "agent_not_found", "There is no such agent: whoever configures the tenant makes one first.")
)

// lockKey is the advisory lock that whoever gives tickets out, or changes how they are given out, holds alone.
const lockKey = `hashtextextended('routing' || chr(31) || $1, 0)`

func lock(tx *pg.Tx) { tx.Queue(`SELECT pg_advisory_xact_lock(`+lockKey+`)`, tx.Tenant()) }

const (
	skillColumns = `code, version, title, archived, changed_at`
	queueColumns = `code, version, title, strategy, skills, overflow_seconds, overflow_to, calendar_id, archived, changed_at`
	agentColumns = `subject, version, capacity, queues, skills, changed_at, presence, present_until`
)

func scanSkill(row pgx.Row) (s Skill, err error) {
	return s, absent(row.Scan(&s.Code, &s.Version, &s.Title, &s.Archived, &s.ChangedAt), errNoSkill)
}

func scanQueue(row pgx.Row) (q Queue, err error) {
	var seconds int64
	var calendar *uuid.UUID
	err = row.Scan(&q.Code, &q.Version, &q.Title, &q.Strategy, &q.Skills, &seconds, &q.OverflowTo, &calendar, &q.Archived, &q.ChangedAt)
	if calendar != nil {
		q.CalendarID = *calendar
	}
	q.OverflowAfter = time.Duration(seconds) * time.Second
	return q, absent(err, errNoQueue)
}

func scanAgent(row pgx.Row) (a Agent, err error) {
	var until *time.Time
	err = row.Scan(&a.Subject, &a.Version, &a.Capacity, &a.Queues, &a.Skills, &a.ChangedAt, &a.Presence, &until)
	if until != nil {
		a.PresentUntil = *until
	}
	return a, absent(err, errNoAgent)
}

func absent(err, missing error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return missing
	}
	return err
}

// all queues the search for what a table has, by key; it is filled by the next round trip.
func all[T any](tx *pg.Tx, columns, table string, scan func(pgx.Row) (T, error), key func(T) string) map[string]T {
	found := map[string]T{}
	tx.Queue(`SELECT `+columns+` FROM `+table+` WHERE tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (T, error) { return scan(row) })
		for _, one := range list {
			found[key(one)] = one
		}
		return err
	})
	return found
}

func allSkills(tx *pg.Tx) map[string]Skill {
	return all(tx, skillColumns, "routing_skill", scanSkill, func(s Skill) string { return s.Code })
}

func allQueues(tx *pg.Tx) map[string]Queue {
	return all(tx, queueColumns, "routing_queue", scanQueue, func(q Queue) string { return q.Code })
}

// one gives one row of a table by its key; one round trip.
func one[T any](ctx context.Context, tx *pg.Tx, columns, table, by, key string, scan func(pgx.Row) (T, error)) (T, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM `+table+` WHERE tenant_id = $1 AND `+by+` = $2`, tx.Tenant(), key))
}

func getSkill(ctx context.Context, tx *pg.Tx, code string) (Skill, error) {
	return one(ctx, tx, skillColumns, "routing_skill", "code", code, scanSkill)
}

func getQueue(ctx context.Context, tx *pg.Tx, code string) (Queue, error) {
	return one(ctx, tx, queueColumns, "routing_queue", "code", code, scanQueue)
}

func getAgent(ctx context.Context, tx *pg.Tx, subject string) (Agent, error) {
	return one(ctx, tx, agentColumns, "routing_agent", "subject", subject, scanAgent)
}

// listOf gives up to limit rows of a table after a key, in the order of the keys.
func listOf[T any](ctx context.Context, tx *pg.Tx, columns, table, by, after, where string, limit int, scan func(pgx.Row) (T, error)) ([]T, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM `+table+` WHERE tenant_id = $1 AND `+by+` COLLATE "C" > $2 AND `+where+`
		ORDER BY `+by+` COLLATE "C" LIMIT $3`, tx.Tenant(), after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (T, error) { return scan(row) })
}

// agentsOf gives the agents of a queue, in the order of their subjects: at most 200.
func agentsOf(ctx context.Context, tx *pg.Tx, queue string) ([]Agent, error) {
	rows, err := tx.Query(ctx, `SELECT `+agentColumns+` FROM routing_agent WHERE tenant_id = $1 AND $2 = ANY(queues)
		ORDER BY subject COLLATE "C" LIMIT 200`, tx.Tenant(), queue)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Agent, error) { return scanAgent(row) })
}

func saveSkill(tx *pg.Tx, s Skill) {
	tx.Queue(`INSERT INTO routing_skill (tenant_id, `+skillColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, code) DO UPDATE SET version = $3, title = $4, archived = $5, changed_at = $6`,
		tx.Tenant(), s.Code, s.Version, s.Title, s.Archived, s.ChangedAt)
}

// saveQueue queues the queue, and a look at whatever waits in it; of a new one, at tickets that were sent there before.
func saveQueue(tx *pg.Tx, q Queue) {
	tx.Queue(`INSERT INTO routing_queue (tenant_id, `+queueColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant_id, code) DO UPDATE SET version = $3, title = $4, strategy = $5, skills = $6, overflow_seconds = $7,
			overflow_to = $8, calendar_id = $9, archived = $10, changed_at = $11`,
		tx.Tenant(), q.Code, q.Version, q.Title, q.Strategy, list(q.Skills), int64(q.OverflowAfter/time.Second), q.OverflowTo,
		pg.OrNull(q.CalendarID), q.Archived, q.ChangedAt)
	tx.Queue(`UPDATE routing_wait SET look_at = $3 WHERE tenant_id = $1 AND (queue = $2 OR $4 AND queue = '')`, tx.Tenant(), q.Code, q.ChangedAt, q.Version == 1)
}

func saveAgent(tx *pg.Tx, a Agent) {
	tx.Queue(`INSERT INTO routing_agent (tenant_id, `+agentColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, 'offline', NULL)
		ON CONFLICT (tenant_id, subject) DO UPDATE SET version = $3, capacity = $4, queues = $5, skills = $6, changed_at = $7`,
		tx.Tenant(), a.Subject, a.Version, a.Capacity, list(a.Queues), list(a.Skills), a.ChangedAt)
}

// setPresence gives the agent as it is then, or the problem agent_not_found; one round trip.
func setPresence(ctx context.Context, tx *pg.Tx, subject string, p Presence, until time.Time) (Agent, error) {
	return scanAgent(tx.QueryRow(ctx, `UPDATE routing_agent SET presence = $3, present_until = $4
		WHERE tenant_id = $1 AND subject = $2 RETURNING `+agentColumns, tx.Tenant(), subject, p, pg.OrNull(until)))
}

// list gives an empty list for none, as columns that are never null want it.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// rulesOf queues the search for the tenant's rules; it is filled by the next round trip.
func rulesOf(tx *pg.Tx) *Rules {
	found := new(Rules)
	tx.Queue(`SELECT version, rules, changed_at FROM routing_rules WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		return absent(row.Scan(&found.Version, &found.Rules, &found.ChangedAt), nil)
	})
	return found
}

// saveRules queues the rules, and a look at whatever is in no queue.
func saveRules(tx *pg.Tx, r Rules) {
	tx.Queue(`INSERT INTO routing_rules (tenant_id, version, rules, changed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id) DO UPDATE SET version = $2, rules = $3, changed_at = $4`, tx.Tenant(), r.Version, list(r.Rules), r.ChangedAt)
	tx.Queue(`UPDATE routing_wait SET look_at = $2 WHERE tenant_id = $1 AND queue = ''`, tx.Tenant(), r.ChangedAt)
}

// loads queues the search for how many tickets each agent works on; it is filled by the next round trip. Those on which
// the customer or somebody else has to act are no work.
func loads(tx *pg.Tx, subjects []string) map[string]int {
	found := map[string]int{}
	tx.Queue(`SELECT agent, count(*) FROM ticket WHERE tenant_id = $1 AND agent = ANY($2) AND agent <> '' AND status IN ('new', 'open') GROUP BY agent`,
		tx.Tenant(), subjects).Query(func(rows pgx.Rows) error { return counts(rows, found) })
	return found
}

// waitingIn queues the search for how many tickets wait in each queue; it is filled by the next round trip.
func waitingIn(tx *pg.Tx, codes []string) map[string]int {
	found := map[string]int{}
	tx.Queue(`SELECT queue, count(*) FROM ticket WHERE tenant_id = $1 AND queue = ANY($2) AND agent = '' AND status IN ('new', 'open') GROUP BY queue`,
		tx.Tenant(), codes).Query(func(rows pgx.Rows) error { return counts(rows, found) })
	return found
}

func counts(rows pgx.Rows, into map[string]int) error {
	for rows.Next() {
		var key string
		var n int
		if err := rows.Scan(&key, &n); err != nil {
			return err
		}
		into[key] = n
	}
	return rows.Err()
}
