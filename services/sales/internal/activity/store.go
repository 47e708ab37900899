package activity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for an activity that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "activity_not_found", "There is no such activity.")

// selected are activities a of the tenant $1. One of a lead is about the customer whom the lead is known to be by now.
const selected = `SELECT a.id, a.version, a.kind, a.state, a.customer_id, a.lead_id, a.opportunity_id,
		coalesce(customer_root($1, coalesce(a.customer_id, l.customer_id)), '00000000-0000-0000-0000-000000000000'),
		a.title, a.notes, a.report, a.owner, a.due_on, coalesce(to_char(a.due_time, 'HH24:MI'), ''), a.zone, a.due_at, a.outcome, a.effect, a.objection,
		a.answer_id, a.completed_at, a.cancelled_at, a.reason, a.closed_by, a.erased_at, a.reminders, a.reminded, a.created_at, a.created_by, a.changed_at, a.changed_by,
		(SELECT json_agg(json_build_object('no', r.no, 'amount', r.amount, 'unit', r.unit, 'at', r.remind_at, 'givenat', r.given_at, 'givento', r.given_to,
				'seenat', r.seen_at) ORDER BY r.no)
			FROM activity_reminder r WHERE r.tenant_id = a.tenant_id AND r.activity_id = a.id)::text
	FROM activity a LEFT JOIN LATERAL (SELECT customer_id FROM lead WHERE tenant_id = a.tenant_id AND id = a.lead_id LIMIT 1) l ON true
	WHERE a.tenant_id = $1 AND `

func scan(row pgx.Row) (a Activity, err error) {
	var (
		customer, ofLead, ofOpportunity, answer *uuid.UUID
		done, stopped, erased                   *time.Time
		alarms                                  *string
	)
	err = row.Scan(&a.ID, &a.Version, &a.Kind, &a.State, &customer, &ofLead, &ofOpportunity, &a.Root, &a.Title, &a.Notes, &a.Report, &a.Owner,
		&a.Due.On, &a.Due.Time, &a.Due.Zone, &a.DueAt, &a.Outcome, &a.Effect, &a.Objection, &answer, &done, &stopped, &a.Reason, &a.ClosedBy, &erased,
		&a.Reminders, &a.Reminded, &a.CreatedAt, &a.CreatedBy, &a.ChangedAt, &a.ChangedBy, &alarms)
	if errors.Is(err, pgx.ErrNoRows) {
		return Activity{}, errNotFound
	}
	if err != nil {
		return Activity{}, err
	}
	a.Customer, a.Lead, a.Opportunity, a.Answer = orZero(customer), orZero(ofLead), orZero(ofOpportunity), orZero(answer)
	a.DoneAt, a.StoppedAt, a.ErasedAt, a.DueAt = orZero(done).UTC(), orZero(stopped).UTC(), orZero(erased).UTC(), a.DueAt.UTC()
	a.Due.On, a.CreatedAt, a.ChangedAt = a.Due.On.UTC(), a.CreatedAt.UTC(), a.ChangedAt.UTC()
	if alarms != nil {
		if err := json.Unmarshal([]byte(*alarms), &a.Alarms); err != nil {
			return Activity{}, err
		}
	}
	for i := range a.Alarms {
		a.Alarms[i].At, a.Alarms[i].GivenAt, a.Alarms[i].SeenAt = a.Alarms[i].At.UTC(), a.Alarms[i].GivenAt.UTC(), a.Alarms[i].SeenAt.UTC()
	}
	return a, nil
}

// orZero reads what may be absent.
func orZero[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

// find gives an activity, or errNotFound.
func find(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Activity, error) {
	return scan(tx.QueryRow(ctx, selected+`a.id = $2`, tx.Tenant(), id))
}

// lock is find that also keeps everybody else from changing the activity until the transaction ends.
func lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Activity, error) {
	tx.Queue(`SELECT 1 FROM activity WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	return find(ctx, tx, id)
}

// Filter says which activities are meant; the zero Filter means all.
type Filter struct {
	Owner     string
	State     State
	Kind      Kind
	Of        Links     // each by itself
	DueBefore time.Time // up to and including; zero: ever
	DueAfter  time.Time // later than that
	Objection string    // code of what was objected
	After     place     // only those that come later in the list
}

// place is where an activity stands in a list.
type place struct {
	due time.Time
	id  uuid.UUID
}

// list gives up to limit activities in the order in which they are due.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Activity, error) {
	conditions, args := []string{"true"}, []any{tx.Tenant()}
	only := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		conditions = append(conditions, condition)
	}
	if !f.After.due.IsZero() {
		only("(a.due_at, a.id) > (?, ?)", f.After.due, f.After.id)
	}
	for condition, value := range map[string]string{"a.owner = ?": f.Owner, "a.state = ?": string(f.State), "a.kind = ?": string(f.Kind), "a.objection = ?": f.Objection} {
		if value != "" {
			only(condition, value)
		}
	}
	if f.Of.Customer != uuid.Nil {
		only(`(a.customer_id = ANY ((SELECT customer_group($1, ?))::uuid[]) OR a.customer_id IS NULL AND a.lead_id = ANY (ARRAY(
			SELECT l.id FROM lead l WHERE l.tenant_id = $1 AND l.customer_id = ANY ((SELECT customer_group($1, ?))::uuid[]))))`, f.Of.Customer, f.Of.Customer)
	}
	if f.Of.Lead != uuid.Nil {
		only("a.lead_id = ?", f.Of.Lead)
	}
	if f.Of.Opportunity != uuid.Nil {
		only("a.opportunity_id = ?", f.Of.Opportunity)
	}
	if !f.DueBefore.IsZero() {
		only("a.due_at <= ?", f.DueBefore)
	}
	if !f.DueAfter.IsZero() {
		only("a.due_at > ?", f.DueAfter)
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("%s%s ORDER BY a.due_at, a.id LIMIT %d", selected, strings.Join(conditions, " AND "), limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Activity, error) { return scan(row) })
}

// befores is a list that the database keeps: never NULL.
func befores(list []Before) []Before { return append([]Before{}, list...) }

func insert(tx *pg.Tx, a Activity) {
	tx.Queue(`INSERT INTO activity (tenant_id, id, version, kind, state, customer_id, lead_id, opportunity_id, title, notes, report, owner, due_on, due_time,
			zone, due_at, outcome, effect, objection, reason, closed_by, reminders, reminded, created_at, created_by, changed_at, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11, $12, $13::text::time, $14, $15, '', '', '', '', '', $16, $17, $18, $19, $18, $19)`,
		tx.Tenant(), a.ID, a.Version, a.Kind, a.State, pg.OrNull(a.Customer), pg.OrNull(a.Lead), pg.OrNull(a.Opportunity), a.Title, a.Notes, a.Owner,
		a.Due.On, pg.OrNull(a.Due.Time), a.Due.Zone, a.DueAt, befores(a.Reminders), a.Reminded, a.CreatedAt, a.CreatedBy)
}

// save queues an activity that is locked.
func save(tx *pg.Tx, a Activity) {
	tx.Queue(`UPDATE activity SET version = $3, state = $4, title = $5, notes = $6, report = $7, owner = $8, due_on = $9, due_time = $10::text::time, zone = $11,
			due_at = $12, outcome = $13, effect = $14, objection = $15, answer_id = $16, completed_at = $17, cancelled_at = $18, reason = $19, closed_by = $20,
			erased_at = $21, reminders = $22, reminded = $23, changed_at = $24, changed_by = $25
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), a.ID, a.Version, a.State, a.Title, a.Notes, a.Report, a.Owner, a.Due.On, pg.OrNull(a.Due.Time), a.Due.Zone, a.DueAt, a.Outcome, a.Effect,
		a.Objection, pg.OrNull(a.Answer), pg.OrNull(a.DoneAt), pg.OrNull(a.StoppedAt), a.Reason, a.ClosedBy, pg.OrNull(a.ErasedAt), befores(a.Reminders), a.Reminded,
		a.ChangedAt, a.ChangedBy)
}

func saveAlarms(tx *pg.Tx, id uuid.UUID, alarms []Alarm) {
	for _, r := range alarms {
		tx.Queue(`INSERT INTO activity_reminder (tenant_id, activity_id, no, amount, unit, remind_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			tx.Tenant(), id, r.No, r.Amount, r.Unit, r.At)
	}
}

// dropAlarms queues that nobody is reminded any more, and has seen what they were given. It comes before the events of an activity
// are appended: whoever reminds locks in this order.
func dropAlarms(tx *pg.Tx, id uuid.UUID, now time.Time) {
	tx.Queue(`DELETE FROM activity_reminder WHERE tenant_id = $1 AND activity_id = $2 AND given_at IS NULL`, tx.Tenant(), id)
	tx.Queue(`UPDATE activity_reminder SET seen_at = $3 WHERE tenant_id = $1 AND activity_id = $2 AND seen_at IS NULL AND given_at IS NOT NULL`, tx.Tenant(), id, now)
}

// givenTo gives whom a reminder was given to, empty where it was not given yet, and locks it.
func givenTo(ctx context.Context, tx *pg.Tx, id uuid.UUID, no int) (subject string, err error) {
	err = tx.QueryRow(ctx, `SELECT given_to FROM activity_reminder WHERE tenant_id = $1 AND activity_id = $2 AND no = $3 FOR UPDATE`, tx.Tenant(), id, no).Scan(&subject)
	if errors.Is(err, pgx.ErrNoRows) {
		err = problem.New(problem.NotFound, "reminder_not_found", "There is no such reminder.")
	}
	return subject, err
}

func see(tx *pg.Tx, id uuid.UUID, no int, now time.Time) {
	tx.Queue(`UPDATE activity_reminder SET seen_at = coalesce(seen_at, $4) WHERE tenant_id = $1 AND activity_id = $2 AND no = $3`, tx.Tenant(), id, no, now)
}

// Reminder is a reminder that somebody was given and has not seen.
type Reminder struct {
	Alarm
	Of Activity
}

// mark is where a reminder stands in the list of whoever was given it.
type mark struct {
	at time.Time
	id uuid.UUID
	no int
}

// given gives up to limit reminders that somebody was given and has not seen, the oldest first.
func given(ctx context.Context, tx *pg.Tx, subject string, after mark, limit int) ([]Reminder, error) {
	rows, err := tx.Query(ctx, `SELECT activity_id, no FROM activity_reminder
		WHERE tenant_id = $1 AND given_to = $2 AND given_at IS NOT NULL AND seen_at IS NULL AND (given_at, activity_id, no) > ($3, $4, $5)
		ORDER BY given_at, activity_id, no LIMIT $6`, tx.Tenant(), subject, after.at, after.id, after.no, limit)
	if err != nil {
		return nil, err
	}
	type name struct {
		ID uuid.UUID
		No int
	}
	names, err := pgx.CollectRows(rows, pgx.RowToStructByPos[name])
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(names))
	for i, n := range names {
		ids[i] = n.ID
	}
	rows, err = tx.Query(ctx, selected+`a.id = ANY ($2::uuid[])`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Activity, error) { return scan(row) })
	of := make(map[uuid.UUID]Activity, len(found))
	for _, a := range found {
		of[a.ID] = a
	}
	all := make([]Reminder, 0, len(names))
	for _, n := range names {
		for _, r := range of[n.ID].Alarms {
			if r.No == n.No {
				all = append(all, Reminder{r, of[n.ID]})
			}
		}
	}
	return all, err
}

// about is the condition that an activity of the tenant $1 may be about one of the customers $2: of them, of a lead who is one of
// them, or of an opportunity of theirs or in which they are contacts.
const about = `(a.customer_id = ANY ($2::uuid[])
	OR a.lead_id IN (SELECT l.id FROM lead l WHERE l.tenant_id = $1 AND (l.customer_id = ANY ($2::uuid[]) OR l.contact_id = ANY ($2::uuid[]) OR l.before_customer = ANY ($2::uuid[])))
	OR a.opportunity_id IN (SELECT c.opportunity_id FROM opportunity_contact c WHERE c.tenant_id = $1 AND c.customer_id = ANY ($2::uuid[])))`

// Erase takes the words out of the activities that may be about the customers, and cancels what was to be done with them. It has to come
// before contacts are taken away.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	tx.Queue(`DELETE FROM activity_reminder r USING activity a WHERE a.tenant_id = $1 AND a.customer_id = ANY ($2::uuid[]) AND a.state = 'open'
		AND r.tenant_id = $1 AND r.activity_id = a.id AND r.given_at IS NULL`, tx.Tenant(), customers)
	tx.Queue(`UPDATE activity a SET state = 'cancelled', cancelled_at = now(), reason = 'customer_erased', closed_by = 'erasure', version = version + 1,
			changed_at = now(), changed_by = 'erasure'
		WHERE a.tenant_id = $1 AND a.customer_id = ANY ($2::uuid[]) AND a.state = 'open'`, tx.Tenant(), customers)
	done, err := tx.ExecNow(ctx, `UPDATE activity a SET title = '', notes = '', report = '', erased_at = now(), version = version + 1
		WHERE a.tenant_id = $1 AND a.erased_at IS NULL AND `+about, tx.Tenant(), customers)
	return []erasure.Erased{{What: "activity", Count: done.RowsAffected()}}, err
}

// EraseLeads takes the words out of activities on leads that are erased by themselves, and cancels what was to be done with them.
func EraseLeads(tx *pg.Tx, leads []uuid.UUID) {
	tx.Queue(`DELETE FROM activity_reminder r USING activity a WHERE a.tenant_id = $1 AND a.lead_id = ANY ($2::uuid[]) AND a.state = 'open'
		AND r.tenant_id = $1 AND r.activity_id = a.id AND r.given_at IS NULL`, tx.Tenant(), leads)
	tx.Queue(`UPDATE activity SET title = '', notes = '', report = '', erased_at = coalesce(erased_at, now()), version = version + 1,
			state = CASE state WHEN 'open' THEN 'cancelled' ELSE state END, cancelled_at = CASE state WHEN 'open' THEN now() ELSE cancelled_at END,
			reason = CASE state WHEN 'open' THEN 'lead_erased' ELSE reason END, closed_by = CASE state WHEN 'open' THEN 'erasure' ELSE closed_by END
		WHERE tenant_id = $1 AND lead_id = ANY ($2::uuid[]) AND (erased_at IS NULL OR state = 'open')`, tx.Tenant(), leads)
}
