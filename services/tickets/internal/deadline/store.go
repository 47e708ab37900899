package deadline

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// row is a ticket as far as its deadlines go.
type row struct {
	id       uuid.UUID
	number   int64
	customer *uuid.UUID
	agent    string
	queue    string
	status   string
	policyID *uuid.UUID
	version  int64 // of the policy
	dueAt    *time.Time
	clock    string
	grade    string
	tier     string
}

const rowColumns = `t.id, t.number, t.customer_id, t.agent, t.queue, t.status, t.policy_id, t.policy_version, t.next_due_at, t.next_clock, t.grade, t.tier`

func scanRow(r pgx.CollectableRow) (t row, err error) {
	return t, r.Scan(&t.id, &t.number, &t.customer, &t.agent, &t.queue, &t.status, &t.policyID, &t.version, &t.dueAt, &t.clock, &t.grade, &t.tier)
}

func (t row) settled() bool { return t.status == string(ticket.StatusResolved) || t.closed() }

func (t row) closed() bool { return t.status == string(ticket.StatusClosed) }

func (t row) reference() (ref sla.Reference) {
	if t.policyID != nil {
		ref = sla.Reference{ID: *t.policyID, Version: t.version}
	}
	return ref
}

func (t row) subject(p sla.Policy, c calendar.Calendar) sla.Subject {
	s := sla.Subject{TicketID: t.id, Number: ticket.Number(t.number), Agent: t.agent, Queue: t.queue, Closed: t.closed(), Policy: p, Calendar: c}
	if t.customer != nil {
		s.CustomerID = *t.customer
	}
	return s
}

// found are tickets of which a step is due, the longest due first.
type found struct {
	n        int
	byTenant map[string][]uuid.UUID
}

func (d *Deadlines) alarms(ctx context.Context) (found, error) {
	f := found{byTenant: map[string][]uuid.UUID{}}
	err := d.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, ticket_id FROM sla_alarm_due($1, $2)`, d.now(), scanMost)
		if err != nil {
			return err
		}
		var tenant string
		var id uuid.UUID
		_, err = pgx.ForEachRow(rows, []any{&tenant, &id}, func() error {
			f.n++
			f.byTenant[tenant] = append(f.byTenant[tenant], id)
			return nil
		})
		return err
	})
	return f, err
}

// byKeys has the transaction's statements look rows up by their keys, whatever the planner was told of the tables: a plan made
// while one was empty would be kept, and read all of it for every batch.
func byKeys(tx *pg.Tx) {
	tx.PlanForAny()
	tx.Queue(`SET LOCAL enable_seqscan = off`)
}

// lockTickets queues that tickets are locked, in the order of their ids, and read. Those that somebody else has locked are
// left out: whoever changes them sets their alarm anew, or they are found again.
func lockTickets(tx *pg.Tx, ids []uuid.UUID) *[]row {
	locked := new([]row)
	tx.Queue(`SELECT `+rowColumns+` FROM ticket t WHERE t.tenant_id = $1 AND t.id = ANY($2::uuid[]) ORDER BY t.id FOR UPDATE SKIP LOCKED`,
		tx.Tenant(), ids).Query(func(rows pgx.Rows) (err error) {
		*locked, err = pgx.CollectRows(rows, scanRow)
		return err
	})
	return locked
}

// batch is all that is needed to measure tickets.
type batch struct {
	tickets   *[]row
	calendars *calendar.Book
	histories map[uuid.UUID][]sla.Entry
	policies  map[sla.Reference]sla.Policy
	told      map[uuid.UUID]map[round]int // the last step told of each round
}

// read reads what the tickets need, in two round trips: one for those that were queued to be locked, one for the rest. What
// is read after the lock is what the last change left.
func (b *batch) read(ctx context.Context, tx *pg.Tx, told bool) error {
	b.calendars = calendar.All(tx)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	ids := make([]uuid.UUID, len(*b.tickets))
	var wanted []sla.Reference
	seen := map[sla.Reference]bool{}
	for i, t := range *b.tickets {
		ids[i] = t.id
		if ref := t.reference(); ref.ID != uuid.Nil && !seen[ref] {
			seen[ref] = true
			wanted = append(wanted, ref)
		}
	}
	b.histories, b.told = queueHistories(tx, ids), map[uuid.UUID]map[round]int{}
	if told {
		queueTold(tx, ids, b.told)
	}
	var err error
	b.policies, err = sla.Versions(ctx, tx, wanted)
	return err
}

// policy gives what a ticket is measured by; the zero Policy where nothing is promised.
func (b *batch) policy(t row) (sla.Policy, calendar.Calendar) {
	p, ok := b.policies[t.reference()]
	if !ok {
		return sla.Policy{}, calendar.Always()
	}
	c, ok := b.calendars.Calendar(p.CalendarID)
	if !ok {
		return sla.Policy{}, calendar.Always()
	}
	return p, c
}

// queueHistories queues what the clocks look at of histories. They are read by their key, one after the other, whatever the
// planner was told of the table: a tenant that is new to its statistics has no rows, it believes.
func queueHistories(tx *pg.Tx, ids []uuid.UUID) map[uuid.UUID][]sla.Entry {
	all := make(map[uuid.UUID][]sla.Entry, len(ids))
	tx.Queue(`SELECT h.ticket_id, h.at, h.what, h.status, h.priority FROM unnest($2::uuid[]) AS i(id)
		CROSS JOIN LATERAL (SELECT * FROM ticket_history WHERE tenant_id = $1 AND ticket_id = i.id
			AND what NOT IN ('assigned', 'linked', 'edited', 'merged') ORDER BY no OFFSET 0) h`, tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
		var id uuid.UUID
		var e sla.Entry
		_, err := pgx.ForEachRow(rows, []any{&id, &e.At, &e.What, &e.Status, &e.Priority}, func() error {
			all[id] = append(all[id], e)
			return nil
		})
		return err
	})
	return all
}

func queueTold(tx *pg.Tx, ids []uuid.UUID, told map[uuid.UUID]map[round]int) {
	tx.Queue(`SELECT t.ticket_id, t.clock, t.round, t.percent FROM unnest($2::uuid[]) AS i(id)
		CROSS JOIN LATERAL (SELECT * FROM sla_told WHERE tenant_id = $1 AND ticket_id = i.id OFFSET 0) t`, tx.Tenant(), ids).
		Query(func(rows pgx.Rows) error {
			var id uuid.UUID
			var r round
			var percent int
			_, err := pgx.ForEachRow(rows, []any{&id, &r.clock, &r.round, &percent}, func() error {
				if told[id] == nil {
					told[id] = map[round]int{}
				}
				told[id][r] = percent
				return nil
			})
			return err
		})
}

// keepTold queues the last step told of each round.
func keepTold(tx *pg.Tx, told map[uuid.UUID]map[round]int) {
	var ids []uuid.UUID
	var clocks []string
	var rounds, percents []int
	for id, all := range told {
		for r, percent := range all {
			ids, clocks, rounds, percents = append(ids, id), append(clocks, string(r.clock)), append(rounds, r.round), append(percents, percent)
		}
	}
	if len(ids) == 0 {
		return
	}
	tx.Queue(`INSERT INTO sla_told AS t (tenant_id, ticket_id, clock, round, percent)
		SELECT $1, u.* FROM unnest($2::uuid[], $3::text[], $4::int[], $5::int[]) AS u
		ON CONFLICT (tenant_id, ticket_id, clock, round) DO UPDATE SET percent = greatest(t.percent, excluded.percent)`,
		tx.Tenant(), ids, clocks, rounds, percents)
}

// delay queues that an alarm is looked at again at another time.
func delay(tx *pg.Tx, id uuid.UUID, to time.Time) {
	tx.Queue(`UPDATE sla_alarm SET at = $3 WHERE tenant_id = $1 AND ticket_id = $2 AND at < $3`, tx.Tenant(), id, to)
}

// raise queues that a locked ticket is more urgent by one, as long as it can be.
func raise(tx *pg.Tx, id uuid.UUID, now time.Time) {
	tx.Queue(`WITH raised AS (
			UPDATE ticket SET urgency = CASE WHEN urgency > 1 THEN urgency - 1 ELSE urgency END,
				impact = CASE WHEN urgency > 1 THEN impact ELSE impact - 1 END,
				priority = priority - 1, version = version + 1, entries = entries + 1, changed_at = greatest(changed_at, $3)
			WHERE tenant_id = $1 AND id = $2 AND priority > 1
			RETURNING id, entries, status, priority
		)
		INSERT INTO ticket_history (tenant_id, ticket_id, no, at, what, status, priority, by_subject, code, fields)
		SELECT $1, id, entries, $3, 'edited', status, priority, $4, 'escalated', '{priority}' FROM raised`, tx.Tenant(), id, now, actor)
}

// get gives a ticket of the transaction's tenant, or the problem ticket_not_found.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (row, error) {
	rows, err := tx.Query(ctx, `SELECT `+rowColumns+` FROM ticket t WHERE t.tenant_id = $1 AND t.id = $2`, tx.Tenant(), id)
	if err != nil {
		return row{}, err
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanRow)
	if errors.Is(err, pgx.ErrNoRows) {
		return row{}, problem.New(problem.NotFound, "ticket_not_found", "There is no such ticket.")
	}
	return t, err
}

// settledBy gives the version of the calendar by which the verdicts of a closed ticket were found; ok is false where it has
// none.
func settledBy(ctx context.Context, tx *pg.Tx, id uuid.UUID) (found calendar.Calendar, ok bool, err error) {
	var at *uuid.UUID
	var s calendar.Stored
	err = tx.QueryRow(ctx, `SELECT m.calendar_id, m.calendar_version, coalesce(v.zone, ''), coalesce(v.hours, '{}') FROM sla_measurement m
		LEFT JOIN calendar_version v ON v.tenant_id = m.tenant_id AND v.calendar_id = m.calendar_id AND v.version = m.calendar_version
		WHERE m.tenant_id = $1 AND m.ticket_id = $2 AND m.final ORDER BY m.clock, m.round LIMIT 1`, tx.Tenant(), id).
		Scan(&at, &s.Version, &s.Zone, &s.Hours)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return calendar.Calendar{}, false, nil
	case err != nil:
		return calendar.Calendar{}, false, err
	case at == nil:
		return calendar.Always(), true, nil
	}
	s.ID = *at
	found, err = s.Calendar()
	return found, err == nil, err
}
