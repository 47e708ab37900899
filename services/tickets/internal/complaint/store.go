package complaint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// errNotFound is the same for a complaint that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "complaint_not_found", "There is no such complaint.")

// decisionIndex is the constraint that lets a decision's id stand once in a tenant.
const decisionIndex = "complaint_step_decision"

const columns = `id, version, ticket_id, number, customer_id, order_id, category, channel, stage, severity, unit, person, finding, cause,
	proposal, currency, cost_minor, approval, proposed_by, rounds, reminders, silent, due_at, outcome, registered_at, closed_at,
	level, reopened, objected, safety, containment, declined_by, ruled, acknowledge_by, acknowledged_at, legal_due_at, answered_at, alarms,
	score, score_kind, carried_minor, crisis_id, escalated_at, reviewed_at`

// insert queues a new complaint with its first step and the trace of its registration.
func insert(tx *pg.Tx, c Complaint, trace map[string]string) {
	tx.Queue(`INSERT INTO complaint (tenant_id, id, version, ticket_id, number, customer_id, order_id, category, channel, stage, severity,
			unit, person, finding, cause, proposal, currency, cost_minor, approval, proposed_by, rounds, reminders, silent, due_at, outcome,
			registered_at, acknowledge_by, legal_due_at, alarms, trace)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, '', '', '', '', 0, '', 0, '', '', 0, 0, false, $11, '', $12, $13, $14, $15, $16)`,
		tx.Tenant(), c.ID, c.Version, c.TicketID, c.Number, c.CustomerID, pg.OrNull(c.OrderID), c.Category, c.Channel, c.Stage,
		pg.OrNull(c.DueAt), c.RegisteredAt, pg.OrNull(c.AcknowledgeBy), pg.OrNull(c.LegalDueAt), c.Alarms, trace)
	insertSteps(tx, c.ID, c.Steps)
}

// save queues what a rule changed of a complaint that is locked.
func save(tx *pg.Tx, was, now Complaint) {
	p := Proposal{}
	if now.Proposal != nil {
		p = *now.Proposal
	}
	alarms := now.Alarms
	if alarms == nil {
		alarms = []Alarm{}
	}
	tx.Queue(`UPDATE complaint SET version = $3, stage = $4, severity = $5, unit = $6, person = $7, finding = $8, cause = $9, proposal = $10,
			currency = $11, cost_minor = $12, approval = $13, proposed_by = $14, rounds = $15, reminders = $16, silent = $17, due_at = $18,
			outcome = $19, closed_at = $20, level = $21, reopened = $22, objected = $23, safety = $24, containment = $25, declined_by = $26,
			ruled = $27, acknowledged_at = $28, answered_at = $29, alarms = $30, score = $31, score_kind = $32, carried_minor = $33,
			crisis_id = $34, escalated_at = $35, reviewed_at = $36
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), now.ID, now.Version, now.Stage, now.Severity, now.Unit, now.Person, now.Finding, now.Cause, p.No, p.Currency, p.CostMinor,
		p.Approval, p.By, now.Rounds, now.Reminders, now.Silent, pg.OrNull(now.DueAt), now.Outcome, pg.OrNull(now.ClosedAt),
		now.Level, now.Reopened, now.Objected, now.Safety, now.Containment, now.DeclinedBy, now.Ruled, pg.OrNull(now.AcknowledgedAt),
		pg.OrNull(now.AnsweredAt), alarms, now.Score, now.ScoreKind, now.CarriedMinor, pg.OrNull(now.CrisisID), pg.OrNull(now.EscalatedAt),
		pg.OrNull(now.ReviewedAt))
	insertSteps(tx, now.ID, now.Steps[len(was.Steps):])
	for _, part := range p.Parts {
		justice := part.Justice
		if justice == nil {
			justice = []policy.Justice{}
		}
		tx.Queue(`INSERT INTO complaint_part (tenant_id, complaint_id, proposal, no, kind, points, order_id, amount_minor, cost_minor, state,
				reference, entry, justice, consent)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
			ON CONFLICT (tenant_id, complaint_id, proposal, no) DO UPDATE SET amount_minor = excluded.amount_minor,
				cost_minor = excluded.cost_minor, state = excluded.state, reference = excluded.reference`,
			tx.Tenant(), now.ID, p.No, part.No, part.Kind, part.Points, pg.OrNull(part.OrderID), part.AmountMinor, part.CostMinor, part.State,
			part.Reference, part.Entry, justice, part.Consent)
	}
	for i, one := range now.Preventions {
		if i < len(was.Preventions) && was.Preventions[i] == one {
			continue
		}
		tx.Queue(`INSERT INTO complaint_prevention (tenant_id, complaint_id, no, decision_id, owner, due_at, done_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, complaint_id, no) DO UPDATE SET done_at = excluded.done_at`,
			tx.Tenant(), now.ID, one.No, one.DecisionID, one.Owner, one.DueAt, pg.OrNull(one.DoneAt))
	}
}

func insertSteps(tx *pg.Tx, complaint uuid.UUID, steps []Step) {
	for _, s := range steps {
		tx.Queue(`INSERT INTO complaint_step (tenant_id, complaint_id, no, action, decision_id, input_hash, by_subject, at, note_id, detail)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			tx.Tenant(), complaint, s.No, s.Action, pg.OrNull(s.DecisionID), s.Hash, s.By, s.At, pg.OrNull(s.NoteID), s.Detail)
	}
}

// note is what somebody said or wrote.
type note struct {
	id        uuid.UUID
	complaint uuid.UUID
	kind      Word
	words     string
	by        string
	at        time.Time
	no        int       // among those that were said together
	decision  uuid.UUID // with which it was said; Nil: when the complaint was registered, or before that was kept
}

// insertNote queues a note; one that is there already stays as it is.
func insertNote(tx *pg.Tx, n note) {
	tx.Queue(`INSERT INTO complaint_note (tenant_id, id, complaint_id, kind, words, by_subject, at, decision_id, place)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (tenant_id, id) DO NOTHING`,
		tx.Tenant(), n.id, n.complaint, n.kind, n.words, n.by, n.at, pg.OrNull(n.decision), n.no)
}

// notes gives what was said about complaints, by the notes' ids.
func notes(ctx context.Context, tx *pg.Tx, complaints ...uuid.UUID) (map[uuid.UUID]note, error) {
	rows, err := tx.Query(ctx, `SELECT id, complaint_id, kind, words, by_subject, at, place,
			coalesce(decision_id, '00000000-0000-0000-0000-000000000000') FROM complaint_note
		WHERE tenant_id = $1 AND complaint_id = ANY($2) `, tx.Tenant(), complaints)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]note)
	var n note
	_, err = pgx.ForEachRow(rows, []any{&n.id, &n.complaint, &n.kind, &n.words, &n.by, &n.at, &n.no, &n.decision}, func() error { found[n.id] = n; return nil })
	return found, err
}

// decided tells where and with which content a decision stands; found is false where it does not.
func decided(ctx context.Context, tx *pg.Tx, decision uuid.UUID) (complaint uuid.UUID, hash []byte, found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT complaint_id, input_hash FROM complaint_step WHERE tenant_id = $1 AND decision_id = $2`,
		tx.Tenant(), decision).Scan(&complaint, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil, false, nil
	}
	return complaint, hash, err == nil, err
}

// load gives a complaint with its steps and its last proposal, or errNotFound; locked until the transaction ends, if
// asked to. What is read after the lock is what the last change left. One round trip.
func load(ctx context.Context, tx *pg.Tx, id uuid.UUID, locked bool) (Complaint, error) {
	if locked {
		tx.Queue(`SELECT 1 FROM complaint WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	}
	found, err := collect(ctx, tx, latest(`c.id = $2`, 1), id)
	if err == nil && len(found) == 0 {
		err = errNotFound
	}
	if err != nil {
		return Complaint{}, err
	}
	return found[0], nil
}

// traceOf gives the trace of a complaint's registration.
func traceOf(ctx context.Context, tx *pg.Tx, id uuid.UUID) (trace map[string]string, err error) {
	err = tx.QueryRow(ctx, `SELECT trace FROM complaint WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id).Scan(&trace)
	return trace, err
}

// list gives up to limit complaints that fit the filter, the latest first.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Complaint, error) {
	var where []string
	var args []any
	only := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf("c.%s $%d", condition, len(args)+1))
	}
	if f.Stage != "" {
		only("stage =", f.Stage)
	}
	if f.CrisisID != uuid.Nil {
		only("crisis_id =", f.CrisisID)
	}
	if f.TicketID != uuid.Nil {
		only("ticket_id =", f.TicketID)
	}
	if f.Escalated {
		where = append(where, "c.escalated_at IS NOT NULL")
	}
	if f.Before != uuid.Nil {
		only("id <", f.Before)
	}
	if len(where) == 0 {
		where = []string{"true"}
	}
	from := latest(strings.Join(where, " AND "), limit)
	if f.CustomerID != uuid.Nil { // of each id that means the customer the latest, by the index that has them in order
		args = append(args, f.CustomerID)
		from = fmt.Sprintf(`SELECT c.* FROM unnest(customer_group($1, $%d)) AS g(id) CROSS JOIN LATERAL (%s) c ORDER BY c.id DESC LIMIT %d`,
			len(args)+1, latest(strings.Join(append(where, "c.customer_id = g.id"), " AND "), limit), limit)
	}
	return collect(ctx, tx, from, args...)
}

// latest is the query for the latest complaints that fit a condition (on c, its values from $2 on).
func latest(where string, limit int) string {
	return fmt.Sprintf(`SELECT * FROM complaint c WHERE c.tenant_id = $1 AND %s ORDER BY c.id DESC LIMIT %d`, where, limit)
}

// joined are columns, each of c.
var joined = strings.Join(strings.FieldsFunc(columns, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }), ", c.")

// collect reads the complaints that a query gives (its values from $2 on) with their steps and last proposals, each as one
// JSON value beside the row: one statement, however many there are.
func collect(ctx context.Context, tx *pg.Tx, from string, args ...any) ([]Complaint, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT c.%s, p.parts, s.steps, q.preventions
		FROM (%s) c
		LEFT JOIN LATERAL (SELECT json_agg(json_build_object('no', no, 'kind', kind, 'points', points, 'order_id', order_id,
				'amount_minor', amount_minor, 'cost_minor', cost_minor, 'state', state, 'reference', reference, 'entry', entry,
				'justice', justice, 'consent', coalesce(consent, kind = 'refund')) ORDER BY no) AS parts
			FROM complaint_part WHERE tenant_id = c.tenant_id AND complaint_id = c.id AND proposal = c.proposal) p ON true
		LEFT JOIN LATERAL (SELECT json_agg(json_build_object('no', no, 'action', action, 'decision_id', decision_id,
				'hash', encode(input_hash, 'base64'), 'by', by_subject, 'at', at, 'note_id', note_id, 'detail', detail) ORDER BY no) AS steps
			FROM complaint_step WHERE tenant_id = c.tenant_id AND complaint_id = c.id) s ON true
		LEFT JOIN LATERAL (SELECT json_agg(json_build_object('no', no, 'decision_id', decision_id, 'owner', owner, 'due_at', due_at,
				'done_at', done_at) ORDER BY no) AS preventions
			FROM complaint_prevention WHERE tenant_id = c.tenant_id AND complaint_id = c.id) q ON true
		ORDER BY c.id DESC`, joined, from), append([]any{tx.Tenant()}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Complaint, error) { return scan(row) })
}

func scan(row pgx.Row) (Complaint, error) {
	var (
		c             Complaint
		p             Proposal
		order, crisis *uuid.UUID
		approval      string
		times         [8]*time.Time
	)
	err := row.Scan(&c.ID, &c.Version, &c.TicketID, &c.Number, &c.CustomerID, &order, &c.Category, &c.Channel, &c.Stage, &c.Severity,
		&c.Unit, &c.Person, &c.Finding, &c.Cause, &p.No, &p.Currency, &p.CostMinor, &approval, &p.By, &c.Rounds, &c.Reminders, &c.Silent,
		&times[0], &c.Outcome, &c.RegisteredAt, &times[1], &c.Level, &c.Reopened, &c.Objected, &c.Safety, &c.Containment, &c.DeclinedBy,
		&c.Ruled, &times[2], &times[3], &times[4], &times[5], &c.Alarms, &c.Score, &c.ScoreKind, &c.CarriedMinor, &crisis, &times[6],
		&times[7], &p.Parts, &c.Steps, &c.Preventions)
	if err != nil {
		return Complaint{}, err
	}
	c.RegisteredAt = c.RegisteredAt.UTC()
	for i, at := range []*time.Time{&c.DueAt, &c.ClosedAt, &c.AcknowledgeBy, &c.AcknowledgedAt, &c.LegalDueAt, &c.AnsweredAt, &c.EscalatedAt,
		&c.ReviewedAt} {
		if times[i] != nil {
			*at = times[i].UTC()
		}
	}
	if order != nil {
		c.OrderID = *order
	}
	if crisis != nil {
		c.CrisisID = *crisis
	}
	for i := range c.Steps {
		c.Steps[i].At = c.Steps[i].At.UTC()
	}
	for i := range c.Preventions {
		c.Preventions[i].DueAt, c.Preventions[i].DoneAt = c.Preventions[i].DueAt.UTC(), c.Preventions[i].DoneAt.UTC()
	}
	if p.No > 0 {
		p.Approval = policy.Approval(approval)
		c.Proposal = &p
	}
	return c, nil
}

// open gives the complaints of the customers that are not closed, the oldest first.
func open(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM complaint WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND stage <> 'closed' ORDER BY id`,
		tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// eraseNotes queues that the words of complaints of the customers are emptied, and counts with the next round trip those that
// were, and those that still are not. Notes are append-only for everything else: only the function may empty them.
func eraseNotes(tx *pg.Tx, customers []uuid.UUID) *erasure.Erased {
	done := &erasure.Erased{What: "complaint_text"}
	tx.Queue(`SELECT complaint_erase_notes($1)`, customers).QueryRow(func(row pgx.Row) error { return row.Scan(&done.Count) })
	tx.Queue(`SELECT count(*) FROM complaint c JOIN complaint_note n ON n.tenant_id = c.tenant_id AND n.complaint_id = c.id
		WHERE c.tenant_id = $1 AND c.customer_id = ANY($2::uuid[]) AND n.words <> ''`, tx.Tenant(), customers).
		QueryRow(func(row pgx.Row) error { return row.Scan(&done.Left) })
	return done
}
