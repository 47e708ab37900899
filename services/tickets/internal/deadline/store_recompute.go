package deadline

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

const recomputationColumns = `id, cause, tickets, policy_id, calendar_id, by_default, correction, closed_from, closed_to, reason, by_subject,
	asked_at, ticket_id, looked_at, changed, finished_at`

func scanRecomputation(r pgx.CollectableRow) (c Recomputation, err error) {
	var policy, calendar, after *uuid.UUID
	var from, to, finished *time.Time
	err = r.Scan(&c.ID, &c.Cause, &c.Tickets, &policy, &calendar, &c.ByDefault, &c.Correction, &from, &to, &c.Reason, &c.By, &c.AskedAt, &after,
		&c.LookedAt, &c.Changed, &finished)
	c.PolicyID, c.CalendarID, c.After = orZero(policy), orZero(calendar), orZero(after)
	c.ClosedFrom, c.ClosedTo, c.FinishedAt = orZero(from), orZero(to), orZero(finished)
	return c, err
}

// orZero is the inverse of pg.OrNull.
func orZero[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

func insertRecomputation(tx *pg.Tx, r Recomputation) {
	tx.Queue(`INSERT INTO sla_recomputation (tenant_id, `+recomputationColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL, 0, 0, NULL)`,
		tx.Tenant(), r.ID, r.Cause, r.Tickets, pg.OrNull(r.PolicyID), pg.OrNull(r.CalendarID), r.ByDefault, r.Correction, pg.OrNull(r.ClosedFrom),
		pg.OrNull(r.ClosedTo), r.Reason, r.By, r.AskedAt)
}

func saveRecomputation(tx *pg.Tx, r Recomputation) {
	tx.Queue(`UPDATE sla_recomputation SET ticket_id = $3, looked_at = $4, changed = $5, finished_at = $6 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), r.ID, pg.OrNull(r.After), r.LookedAt, r.Changed, pg.OrNull(r.FinishedAt))
}

// holdRecomputation gives a recomputation that is locked until the transaction ends; ok is false where another process has
// it, or it is finished.
func holdRecomputation(ctx context.Context, tx *pg.Tx, id uuid.UUID) (r Recomputation, ok bool, err error) {
	rows, err := tx.Query(ctx, `SELECT `+recomputationColumns+` FROM sla_recomputation
		WHERE tenant_id = $1 AND id = $2 AND finished_at IS NULL FOR UPDATE SKIP LOCKED`, tx.Tenant(), id)
	if err != nil {
		return r, false, err
	}
	r, err = pgx.CollectExactlyOneRow(rows, scanRecomputation)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, err
}

// listRecomputations gives up to limit recomputations before the one of the id, Nil for none, the latest first.
func listRecomputations(ctx context.Context, tx *pg.Tx, before uuid.UUID, limit int) ([]Recomputation, error) {
	rows, err := tx.Query(ctx, `SELECT `+recomputationColumns+` FROM sla_recomputation WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2)
		ORDER BY id DESC LIMIT $3`, tx.Tenant(), pg.OrNull(before), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRecomputation)
}

func getRecomputation(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Recomputation, error) {
	rows, err := tx.Query(ctx, `SELECT `+recomputationColumns+` FROM sla_recomputation WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id)
	if err != nil {
		return Recomputation{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRecomputation)
	if errors.Is(err, pgx.ErrNoRows) {
		return Recomputation{}, problem.New(problem.NotFound, "recomputation_not_found", "There is no such recomputation.")
	}
	return r, err
}

// known refuses a recomputation of a policy or a calendar that is not there.
func known(ctx context.Context, tx *pg.Tx, r Recomputation) error {
	var policy, calendar bool
	err := tx.QueryRow(ctx, `SELECT $2::uuid IS NULL OR EXISTS (SELECT FROM sla_policy WHERE tenant_id = $1 AND id = $2),
		$3::uuid IS NULL OR EXISTS (SELECT FROM calendar WHERE tenant_id = $1 AND id = $3)`,
		tx.Tenant(), pg.OrNull(r.PolicyID), pg.OrNull(r.CalendarID)).Scan(&policy, &calendar)
	if err != nil {
		return err
	}
	var faults []problem.Field
	if !policy {
		faults = append(faults, problem.Field{Location: "policy_id", Code: "sla_policy_not_found", Message: "is no service level policy"})
	}
	if !calendar {
		faults = append(faults, problem.Field{Location: "calendar_id", Code: "calendar_not_found", Message: "is no calendar"})
	}
	if len(faults) > 0 {
		return problem.InvalidBody("recomputation_invalid", "The recomputation was not accepted: mend the fields named here.", faults)
	}
	return nil
}

// takeChange makes a recomputation of a change of a calendar, unless somebody else does.
func takeChange(ctx context.Context, tx *pg.Tx, change, job uuid.UUID, now time.Time) error {
	_, err := tx.ExecNow(ctx, `WITH taken AS (
			SELECT calendar_id, is_default FROM calendar_change WHERE tenant_id = $1 AND id = $2 AND done_at IS NULL FOR UPDATE SKIP LOCKED
		), done AS (
			UPDATE calendar_change c SET done_at = $4 FROM taken WHERE c.tenant_id = $1 AND c.id = $2
		)
		INSERT INTO sla_recomputation (tenant_id, id, cause, tickets, calendar_id, by_default, correction, reason, by_subject, asked_at, looked_at, changed)
		SELECT $1, $3, 'calendar', 'open', calendar_id, is_default, false, 'calendar_changed', $5, $4, 0, 0 FROM taken`,
		tx.Tenant(), change, job, now, actor)
	return err
}

// measuredBy gives the versions of policies by which the tickets are measured that a recomputation means; nil for any.
func measuredBy(ctx context.Context, tx *pg.Tx, r Recomputation) ([]sla.Reference, error) {
	if r.PolicyID == uuid.Nil && r.CalendarID == uuid.Nil {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `SELECT policy_id, version FROM sla_policy_version
		WHERE tenant_id = $1 AND ($2::uuid IS NULL OR policy_id = $2)
		AND ($3::uuid IS NULL OR (definition->>'calendar_id')::uuid = $3 OR $4 AND (definition->>'calendar_id')::uuid = $5)`,
		tx.Tenant(), pg.OrNull(r.PolicyID), pg.OrNull(r.CalendarID), r.ByDefault, uuid.Nil)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (ref sla.Reference, err error) {
		return ref, row.Scan(&ref.ID, &ref.Version)
	})
	if all == nil {
		all = []sla.Reference{}
	}
	return all, err
}

// lockNext queues that the next tickets of a recomputation are locked, in the order of their ids, and read. With a
// correction they are read with the policy's present version.
func lockNext(tx *pg.Tx, r Recomputation, by []sla.Reference, most int) *[]row {
	ids, versions := make([]uuid.UUID, len(by)), make([]int64, len(by))
	for i, ref := range by {
		ids[i], versions[i] = ref.ID, ref.Version
	}
	which := `t.status <> 'closed'` // no list: the tickets come by their ids, and not by status and then sorted
	if r.Tickets == Closed {
		which = `t.status = 'closed' AND ($7::timestamptz IS NULL OR t.closed_at >= $7) AND ($8::timestamptz IS NULL OR t.closed_at < $8)`
	} else {
		which += ` AND $7::timestamptz IS NULL AND $8::timestamptz IS NULL`
	}
	locked := new([]row)
	tx.Queue(`SELECT `+rowColumns+`, (SELECT p.version FROM sla_policy p WHERE p.tenant_id = $1 AND p.id = t.policy_id) FROM ticket t
		WHERE t.tenant_id = $1 AND t.id > $2 AND t.policy_id IS NOT NULL AND `+which+`
		AND ($3 OR EXISTS (SELECT FROM unnest($4::uuid[], $5::bigint[]) AS v(id, version) WHERE v.id = t.policy_id AND v.version = t.policy_version))
		ORDER BY t.id LIMIT $6 FOR UPDATE OF t`,
		tx.Tenant(), r.After, by == nil, ids, versions, most, pg.OrNull(r.ClosedFrom), pg.OrNull(r.ClosedTo)).Query(func(rows pgx.Rows) (err error) {
		*locked, err = pgx.CollectRows(rows, func(c pgx.CollectableRow) (t row, err error) {
			var present *int64
			err = c.Scan(&t.id, &t.number, &t.customer, &t.agent, &t.queue, &t.status, &t.policyID, &t.version, &t.dueAt, &t.clock, &t.grade, &t.tier, &present)
			if r.Correction && present != nil {
				t.version = *present
			}
			return t, err
		})
		return err
	})
	return locked
}

// keptVerdicts gives the verdicts of a batch as they are kept.
func keptVerdicts(ctx context.Context, tx *pg.Tx, b batch) (map[uuid.UUID]map[round]verdict, error) {
	ids := make([]uuid.UUID, len(*b.tickets))
	for i, t := range *b.tickets {
		ids[i] = t.id
	}
	rows, err := tx.Query(ctx, `SELECT ticket_id, clock, round, state, due_at, difference_seconds, policy_version FROM sla_measurement
		WHERE tenant_id = $1 AND ticket_id = ANY($2::uuid[])`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	kept := map[uuid.UUID]map[round]verdict{}
	var id uuid.UUID
	var r round
	var v verdict
	var due *time.Time
	var difference int64
	_, err = pgx.ForEachRow(rows, []any{&id, &r.clock, &r.round, &v.state, &due, &difference, &v.version}, func() error {
		if kept[id] == nil {
			kept[id] = map[round]verdict{}
		}
		v.due, v.difference = orZero(due).UTC(), time.Duration(difference)*time.Second
		kept[id][r] = v
		return nil
	})
	return kept, err
}

// saveDeadlines queues the deadlines of locked tickets, and the version of the policy by which they are. Nobody who edits a
// ticket has to read it anew for that.
func saveDeadlines(tx *pg.Tx, tickets []row) {
	if len(tickets) == 0 {
		return
	}
	ids, versions := make([]uuid.UUID, len(tickets)), make([]int64, len(tickets))
	due, clocks := make([]*time.Time, len(tickets)), make([]string, len(tickets))
	for i, t := range tickets {
		ids[i], versions[i], due[i], clocks[i] = t.id, t.version, t.dueAt, t.clock
	}
	tx.Queue(`UPDATE ticket t SET policy_version = u.version, next_due_at = u.due, next_clock = u.clock
		FROM unnest($2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[]) AS u(id, version, due, clock)
		WHERE t.tenant_id = $1 AND t.id = u.id`, tx.Tenant(), ids, versions, due, clocks)
}

// logChanges queues what became of verdicts of closed tickets.
func logChanges(tx *pg.Tx, recomputation uuid.UUID, changes []change) {
	for _, c := range changes {
		tx.Queue(`INSERT INTO sla_verdict_change (tenant_id, recomputation_id, ticket_id, clock, round, state_before, state, difference_before, difference)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, tx.Tenant(), recomputation, c.ticket, c.clock, c.round.round, c.before.state, c.after.state,
			int64(c.before.difference/time.Second), int64(c.after.difference/time.Second))
	}
}

// listChanges gives up to limit changes of verdicts after one, in the order of tickets.
func listChanges(ctx context.Context, tx *pg.Tx, recomputation uuid.UUID, after change, limit int) ([]change, error) {
	rows, err := tx.Query(ctx, `SELECT ticket_id, clock, round, state_before, state, difference_before, difference FROM sla_verdict_change
		WHERE tenant_id = $1 AND recomputation_id = $2 AND (ticket_id, clock, round) > ($3, $4, $5)
		ORDER BY ticket_id, clock, round LIMIT $6`, tx.Tenant(), recomputation, after.ticket, after.clock, after.round.round, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c change, err error) {
		var before, difference int64
		err = row.Scan(&c.ticket, &c.clock, &c.round.round, &c.before.state, &c.after.state, &before, &difference)
		c.before.difference, c.after.difference = time.Duration(before)*time.Second, time.Duration(difference)*time.Second
		return c, err
	})
}

// eachTenant asks a function of all tenants for ids, and does something with each under its tenant.
func (d *Deadlines) eachTenant(ctx context.Context, sql string, do func(ctx context.Context, tenant string, id uuid.UUID) error) error {
	type item struct {
		tenant string
		id     uuid.UUID
	}
	var all []item
	err := d.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, sql, recomputeMost)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (i item, err error) { return i, row.Scan(&i.tenant, &i.id) })
		return err
	})
	errs := []error{err}
	for _, i := range all {
		errs = append(errs, do(auth.With(ctx, auth.Principal{Subject: actor, Tenant: i.tenant}), i.tenant, i.id))
	}
	return errors.Join(errs...)
}
