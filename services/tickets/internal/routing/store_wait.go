package routing

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

const waitColumns = `ticket_id, queue, need, released_by, reopened, since, looked_at, look_at`

func scanWait(row pgx.Row) (w Wait, err error) {
	var at *time.Time
	err = row.Scan(&w.TicketID, &w.Queue, &w.Need, &w.ReleasedBy, &w.Reopened, &w.Since, &w.LookedAt, &at)
	if at != nil {
		w.LookAt = *at
	}
	return w, err
}

// toLook gives up to limit tickets that have to be looked at by now, in the order of their ids.
func toLook(ctx context.Context, tx *pg.Tx, now time.Time, limit int) ([]Wait, error) {
	rows, err := tx.Query(ctx, `SELECT `+waitColumns+` FROM routing_wait WHERE tenant_id = $1 AND ticket_id IN (
			SELECT ticket_id FROM routing_wait WHERE tenant_id = $1 AND look_at <= $2 ORDER BY look_at LIMIT $3)
		ORDER BY ticket_id`, tx.Tenant(), now, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Wait, error) { return scanWait(row) })
}

// unlook queues that no ticket is looked at until something changes.
func unlook(tx *pg.Tx, now time.Time) {
	tx.Queue(`UPDATE routing_wait SET look_at = NULL, looked_at = $2 WHERE tenant_id = $1 AND look_at <= $2`, tx.Tenant(), now)
}

// waitOf gives what is remembered of a ticket; found is false where that is nothing.
func waitOf(tx *pg.Tx, id uuid.UUID) (w *Wait, found *bool) {
	w, found = new(Wait), new(bool)
	tx.Queue(`SELECT `+waitColumns+` FROM routing_wait WHERE tenant_id = $1 AND ticket_id = $2`, tx.Tenant(), id).QueryRow(func(row pgx.Row) (err error) {
		*w, err = scanWait(row)
		*found = err == nil
		return absent(err, nil)
	})
	return w, found
}

func saveWait(tx *pg.Tx, w Wait) {
	tx.Queue(`INSERT INTO routing_wait (tenant_id, `+waitColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant_id, ticket_id) DO UPDATE SET queue = $3, need = $4, released_by = $5, reopened = $6, since = $7, looked_at = $8, look_at = $9`,
		tx.Tenant(), w.TicketID, w.Queue, w.Need, w.ReleasedBy, w.Reopened, w.Since, w.LookedAt, pg.OrNull(w.LookAt))
}

func dropWaits(tx *pg.Tx, ids ...uuid.UUID) {
	if len(ids) > 0 {
		tx.Queue(`DELETE FROM routing_wait WHERE tenant_id = $1 AND ticket_id = ANY($2)`, tx.Tenant(), ids)
	}
}

// remember queues that tickets are looked at soon: those that may have an agent who is away, and the others. What is
// remembered of tickets in somebody's hands, or done, is dropped. Rows are locked in the order of their ids, as whoever
// looks at them does.
func remember(tx *pg.Tx, all, waiting []uuid.UUID, reopened []bool, now time.Time) {
	tx.Queue(`SELECT FROM routing_wait WHERE tenant_id = $1 AND ticket_id = ANY($2) ORDER BY ticket_id FOR UPDATE`, tx.Tenant(), all)
	tx.Queue(`INSERT INTO routing_wait (tenant_id, `+waitColumns+`)
		SELECT $1, x.id, '', '', '', bool_or(x.reopened), $4, $4, $4 FROM unnest($2::uuid[], $3::boolean[]) AS x(id, reopened)
			JOIN ticket t ON t.tenant_id = $1 AND t.id = x.id
			GROUP BY x.id ORDER BY x.id
		ON CONFLICT (tenant_id, ticket_id) DO UPDATE SET look_at = $4, reopened = routing_wait.reopened OR EXCLUDED.reopened`,
		tx.Tenant(), waiting, reopened, now)
	tx.Queue(`DELETE FROM routing_wait w USING ticket t WHERE w.tenant_id = $1 AND w.ticket_id = ANY($2)
		AND t.tenant_id = $1 AND t.id = w.ticket_id AND (t.status IN ('resolved', 'closed') OR t.agent <> '' AND NOT w.reopened)`, tx.Tenant(), all)
}

// changed queues a look at tickets in no queue that were written to since: another rule may fit now.
func changed(tx *pg.Tx, now time.Time) {
	tx.Queue(`UPDATE routing_wait w SET look_at = $2 FROM ticket t WHERE w.tenant_id = $1 AND w.queue = '' AND w.look_at IS NULL
		AND t.tenant_id = $1 AND t.id = w.ticket_id AND t.written_at > w.looked_at`, tx.Tenant(), now)
}

// class is a kind of waiting ticket: whoever can take one of it can take each.
type class struct {
	Queue, Need, ReleasedBy string
}

// classes gives the kinds of tickets that wait in queues. It goes from one to the next, however many tickets each has.
func classes(ctx context.Context, tx *pg.Tx) ([]class, error) {
	rows, err := tx.Query(ctx, `WITH RECURSIVE c AS (
			(SELECT queue, need, released_by FROM routing_wait WHERE tenant_id = $1 AND queue > '' ORDER BY queue, need, released_by LIMIT 1)
			UNION ALL
			SELECT n.* FROM c CROSS JOIN LATERAL (SELECT w.queue, w.need, w.released_by FROM routing_wait w
				WHERE w.tenant_id = $1 AND (w.queue, w.need, w.released_by) > (c.queue, c.need, c.released_by)
				ORDER BY w.queue, w.need, w.released_by LIMIT 1) n)
		SELECT queue, need, released_by FROM c`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[class])
}

// next gives the most urgent tickets of each class, up to its number: those whose deadline is next, then the more important,
// then the older.
func next(ctx context.Context, tx *pg.Tx, wanted []class, most []int) ([]Waiting, error) {
	queues, needs, released := make([]string, len(wanted)), make([]string, len(wanted)), make([]string, len(wanted))
	for i, c := range wanted {
		queues[i], needs[i], released[i] = c.Queue, c.Need, c.ReleasedBy
	}
	rows, err := tx.Query(ctx, `SELECT t.id, c.queue, c.need, c.released_by
		FROM unnest($2::text[], $3::text[], $4::text[], $5::int[]) AS c(queue, need, released_by, most)
		CROSS JOIN LATERAL (SELECT t.id, t.next_due_at, t.priority FROM ticket t
			JOIN routing_wait w ON w.tenant_id = $1 AND w.ticket_id = t.id AND w.need = c.need AND w.released_by = c.released_by AND w.queue = c.queue
			WHERE t.tenant_id = $1 AND t.queue = c.queue AND t.agent = '' AND t.status IN ('new', 'open')
			ORDER BY t.next_due_at, t.id LIMIT c.most) t
		ORDER BY t.next_due_at NULLS LAST, t.priority, t.id`, tx.Tenant(), queues, needs, released, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (w Waiting, err error) {
		var need string
		err = row.Scan(&w.TicketID, &w.Queue, &need, &w.ReleasedBy)
		w.Need = unspell(need)
		return w, err
	})
}

// candidates gives the agents who are available and have any capacity, with their loads and turns; two round trips.
func candidates(ctx context.Context, tx *pg.Tx, now time.Time) ([]Candidate, error) {
	rows, err := tx.Query(ctx, `SELECT `+agentColumns+` FROM routing_agent
		WHERE tenant_id = $1 AND presence = 'available' AND present_until > $2 AND capacity > 0`, tx.Tenant(), now)
	if err != nil {
		return nil, err
	}
	agents, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Agent, error) { return scanAgent(row) })
	if err != nil || len(agents) == 0 {
		return nil, err
	}
	subjects := make([]string, len(agents))
	for i, a := range agents {
		subjects[i] = a.Subject
	}
	load := loads(tx, subjects)
	turns := map[string]map[string]int64{}
	tx.Queue(`SELECT subject, queue, turn FROM routing_turn WHERE tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var subject, queue string
			var turn int64
			if err := rows.Scan(&subject, &queue, &turn); err != nil {
				return err
			}
			if turns[subject] == nil {
				turns[subject] = map[string]int64{}
			}
			turns[subject][queue] = turn
		}
		return rows.Err()
	})
	err = tx.Flush(ctx)
	found := make([]Candidate, len(agents))
	for i, a := range agents {
		found[i] = Candidate{Agent: a, Load: load[a.Subject], Turns: turns[a.Subject]}
	}
	return found, err
}

func saveTurn(tx *pg.Tx, p Placement) {
	tx.Queue(`INSERT INTO routing_turn (tenant_id, queue, subject, turn) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, queue, subject) DO UPDATE SET turn = $4`, tx.Tenant(), p.Queue, p.Subject, p.Turn)
}

// presentOf queues which of the subjects are at work, available or away; it is filled by the next round trip.
func presentOf(tx *pg.Tx, subjects []string, now time.Time) map[string]bool {
	found := map[string]bool{}
	tx.Queue(`SELECT subject FROM routing_agent WHERE tenant_id = $1 AND subject = ANY($2) AND presence <> 'offline' AND present_until > $3`,
		tx.Tenant(), subjects, now).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, s := range list {
			found[s] = true
		}
		return err
	})
	return found
}
