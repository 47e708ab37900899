package retention

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a case that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "retention_case_not_found", "There is no such case.")

// The constraints by which a customer has one case at a time, and a decision's id stands once in a tenant.
const (
	openIndex     = "retention_case_open"
	decisionIndex = "retention_step_decision"
)

const columns = `id, version, customer_id, plan, plan_version, kind, trigger, stage, arm, bucket, loss_kind, reason, value_band, value_minor, currency,
	next_step, step_at, round, opened_at, ends_at, bought_at, order_id, offer, offer_state, offer_points, offer_cost_minor, offer_expires_at, entry_id,
	contacts, revenue_minor, cost_minor, code, closed_at`

// insert queues a new case with its first step.
func insert(tx *pg.Tx, c Case, trace map[string]string) {
	if trace == nil {
		trace = map[string]string{}
	}
	tx.Queue(`INSERT INTO retention_case (tenant_id, id, version, customer_id, plan, plan_version, kind, trigger, stage, arm, bucket, loss_kind, reason,
			value_band, value_minor, currency, next_step, step_at, round, due_at, opened_at, ends_at, offer, offer_state, offer_points, offer_cost_minor,
			contacts, revenue_minor, cost_minor, code, untold, trace)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, '', '', 0, 0, 0, 0, 0, '', false, $23)`,
		tx.Tenant(), c.ID, c.Version, c.CustomerID, c.Plan, c.PlanVersion, c.Kind, c.Trigger, c.Stage, c.Arm, c.Bucket, c.LossKind, c.Reason,
		c.Band, c.ValueMinor, c.Currency, c.Next, pg.OrNull(c.StepAt), c.Round, c.DueAt(), c.OpenedAt, c.EndsAt, trace)
	insertSteps(tx, c.ID, c.Steps)
}

// save queues what a rule changed of a case that is locked. untold says that its process does not know yet.
func save(tx *pg.Tx, was, now Case, untold bool) {
	due := now.DueAt()
	if due.IsZero() {
		due = now.ClosedAt
	}
	tx.Queue(`UPDATE retention_case SET version = $3, stage = $4, loss_kind = $5, reason = $6, next_step = $7, step_at = $8, round = $9, due_at = $10,
			bought_at = $11, order_id = $12, offer = $13, offer_state = $14, offer_points = $15, offer_cost_minor = $16, offer_expires_at = $17,
			entry_id = $18, contacts = $19, revenue_minor = $20, cost_minor = $21, code = $22, closed_at = $23, untold = $24
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), now.ID, now.Version, now.Stage, now.LossKind, now.Reason, now.Next, pg.OrNull(now.StepAt), now.Round, due,
		pg.OrNull(now.BoughtAt), pg.OrNull(now.OrderID), now.Offer.Offer, now.Offer.State, now.Offer.Points, now.Offer.CostMinor, pg.OrNull(now.Offer.ExpiresAt),
		pg.OrNull(now.Offer.EntryID), now.Contacts, now.Revenue, now.CostMinor, now.Code, pg.OrNull(now.ClosedAt), untold)
	insertSteps(tx, now.ID, now.Steps[len(was.Steps):])
}

func insertSteps(tx *pg.Tx, of uuid.UUID, steps []Step) {
	for _, s := range steps {
		tx.Queue(`INSERT INTO retention_step (tenant_id, case_id, no, action, step, code, channel, contact_id, decision_id, input_hash, by_subject, at, note_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			tx.Tenant(), of, s.No, s.Action, s.Step, s.Code, s.Channel, pg.OrNull(s.ContactID), pg.OrNull(s.DecisionID), s.Hash, s.By, s.At, pg.OrNull(s.NoteID))
	}
}

// insertNote queues what somebody said; one that is there already stays as it is.
func insertNote(tx *pg.Tx, of, id uuid.UUID, words, by string, at time.Time) {
	tx.Queue(`INSERT INTO retention_note (tenant_id, id, case_id, words, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, id) DO NOTHING`, tx.Tenant(), id, of, words, by, at)
}

// notes gives what was said with the steps of cases, by the notes' ids.
func notes(ctx context.Context, tx *pg.Tx, cases ...uuid.UUID) (map[uuid.UUID]string, error) {
	rows, err := tx.Query(ctx, `SELECT id, words FROM retention_note WHERE tenant_id = $1 AND case_id = ANY($2)`, tx.Tenant(), cases)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]string)
	var id uuid.UUID
	var said string
	_, err = pgx.ForEachRow(rows, []any{&id, &said}, func() error { found[id] = said; return nil })
	return found, err
}

// decided tells where and with which content a decision stands; found is false where it does not.
func decided(ctx context.Context, tx *pg.Tx, decision uuid.UUID) (of uuid.UUID, hash []byte, found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT case_id, input_hash FROM retention_step WHERE tenant_id = $1 AND decision_id = $2`,
		tx.Tenant(), decision).Scan(&of, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil, false, nil
	}
	return of, hash, err == nil, err
}

// load gives a case, or errNotFound; locked until the transaction ends, if asked to. One round trip.
func load(ctx context.Context, tx *pg.Tx, id uuid.UUID, locked bool) (Case, error) {
	if locked {
		tx.Queue(`SELECT 1 FROM retention_case WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	}
	found, err := collect(ctx, tx, `SELECT * FROM retention_case c WHERE c.tenant_id = $1 AND c.id = $2`, id)
	if err == nil && len(found) == 0 {
		err = errNotFound
	}
	if err != nil {
		return Case{}, err
	}
	return found[0], nil
}

// traceOf gives the trace of a case's opening.
func traceOf(ctx context.Context, tx *pg.Tx, id uuid.UUID) (trace map[string]string, err error) {
	err = tx.QueryRow(ctx, `SELECT trace FROM retention_case WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id).Scan(&trace)
	return trace, err
}

// list gives up to limit cases that fit the filter, the latest first.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Case, error) {
	where, args := []string{"c.tenant_id = $1"}, []any{}
	only := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)+1))
	}
	for column, value := range map[string]string{
		"stage": string(f.Stage), "kind": string(f.Kind), "arm": string(f.Arm), "plan": f.Plan, "trigger": string(f.Trigger), "value_band": string(f.Band),
	} {
		if value != "" {
			only("c."+column+" = $%d", value)
		}
	}
	if f.CustomerID != uuid.Nil {
		only("c.customer_id = ANY ((SELECT customer_group($1, $%d))::uuid[])", f.CustomerID)
	}
	if f.Before != uuid.Nil {
		only("c.id < $%d", f.Before)
	}
	return collect(ctx, tx, fmt.Sprintf(`SELECT * FROM retention_case c WHERE %s ORDER BY c.id DESC LIMIT %d`, strings.Join(where, " AND "), limit), args...)
}

// collect reads the cases that a query gives (its values from $2 on) with their steps.
func collect(ctx context.Context, tx *pg.Tx, from string, args ...any) ([]Case, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT c.%s, s.steps
		FROM (%s) c
		LEFT JOIN LATERAL (SELECT json_agg(json_build_object('no', no, 'action', action, 'step', step, 'code', code, 'channel', channel,
				'contact_id', contact_id, 'decision_id', decision_id, 'hash', encode(input_hash, 'base64'), 'by', by_subject, 'at', at,
				'note_id', note_id) ORDER BY no) AS steps
			FROM retention_step WHERE tenant_id = c.tenant_id AND case_id = c.id) s ON true
		ORDER BY c.id DESC`, strings.ReplaceAll(strings.ReplaceAll(columns, "\n\t", " "), ", ", ", c."), from), append([]any{tx.Tenant()}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Case, error) { return scan(row) })
}

func scan(row pgx.Row) (Case, error) {
	var c Case
	var step, bought, expires, closed *time.Time
	var order, entry *uuid.UUID
	err := row.Scan(&c.ID, &c.Version, &c.CustomerID, &c.Plan, &c.PlanVersion, &c.Kind, &c.Trigger, &c.Stage, &c.Arm, &c.Bucket, &c.LossKind, &c.Reason,
		&c.Band, &c.ValueMinor, &c.Currency, &c.Next, &step, &c.Round, &c.OpenedAt, &c.EndsAt, &bought, &order, &c.Offer.Offer, &c.Offer.State,
		&c.Offer.Points, &c.Offer.CostMinor, &expires, &entry, &c.Contacts, &c.Revenue, &c.CostMinor, &c.Code, &closed, &c.Steps)
	if err != nil {
		return Case{}, err
	}
	c.OpenedAt, c.EndsAt = c.OpenedAt.UTC(), c.EndsAt.UTC()
	for to, from := range map[*time.Time]*time.Time{&c.StepAt: step, &c.BoughtAt: bought, &c.Offer.ExpiresAt: expires, &c.ClosedAt: closed} {
		if from != nil {
			*to = from.UTC()
		}
	}
	if order != nil {
		c.OrderID = *order
	}
	if entry != nil {
		c.Offer.EntryID = *entry
	}
	for i := range c.Steps {
		c.Steps[i].At = c.Steps[i].At.UTC()
	}
	return c, nil
}

// ordersOf is a table k of the orders of the ids in g.ids that fit a condition on o, each looked up by the index: of an array that the planner does not
// know it would rather read all orders of the tenant.
func ordersOf(and string) string {
	return `unnest(g.ids) AS i(id) CROSS JOIN LATERAL (SELECT * FROM retention_order o WHERE o.tenant_id = $1 AND o.customer_id = i.id AND ` + and + ` OFFSET 0) k`
}

// around is what is known of a case's customer when something is done about the case.
type around struct {
	older    bool // another case of the customer is open, that was opened before this one
	excluded LossKind
	erased   bool
	recent   int       // contacts of the customer in the last 30 days
	order    uuid.UUID // the first purchase since the opening and in time; Nil where there is none
	boughtAt time.Time
	revenue  int64 // since the opening, in the case's currency, returns taken off
}

// lookAround reads that. The case is locked.
func lookAround(ctx context.Context, tx *pg.Tx, c Case, now time.Time) (a around, err error) {
	var order *uuid.UUID
	var bought *time.Time
	err = tx.QueryRow(ctx, `SELECT
			EXISTS (SELECT FROM retention_case o WHERE o.tenant_id = $1 AND o.customer_id = ANY (g.ids) AND o.closed_at IS NULL AND o.id < $2),
			coalesce((SELECT x.loss_kind FROM retention_exclusion x WHERE x.tenant_id = $1 AND x.customer_id = ANY (g.ids) LIMIT 1), ''),
			EXISTS (SELECT FROM erased_customer e WHERE e.tenant_id = $1 AND e.customer_id = ANY (g.ids)),
			(SELECT count(*) FROM retention_case o JOIN retention_step s ON s.tenant_id = o.tenant_id AND s.case_id = o.id
				WHERE o.tenant_id = $1 AND o.customer_id = ANY (g.ids) AND s.action = 'contact' AND s.at > $4::timestamptz - interval '30 days'),
			b.order_id, b.placed_at,
			(SELECT least(coalesce(sum(k.total_minor - k.returned_minor), 0), 9007199254740991)
				FROM `+ordersOf("o.placed_at > $5 AND o.placed_at <= least($6, $4::timestamptz)")+` WHERE k.currency = $7)::bigint
		FROM (SELECT customer_group($1, $3) AS ids OFFSET 0) g
		LEFT JOIN LATERAL (SELECT k.order_id, k.placed_at FROM `+ordersOf("o.placed_at > $5 AND o.placed_at <= $6")+`
			WHERE k.total_minor > 0 ORDER BY k.placed_at, k.order_id LIMIT 1) b ON true`,
		tx.Tenant(), c.ID, c.CustomerID, now, c.OpenedAt, c.EndsAt, c.Currency).
		Scan(&a.older, &a.excluded, &a.erased, &a.recent, &order, &bought, &a.revenue)
	if order != nil && bought != nil {
		a.order, a.boughtAt = *order, bought.UTC()
	}
	return a, err
}

// inMerge is a condition on an id: that it means another customer, or another one means it. Only for such ids it has to be asked
// which mean the same customer. It is looked up by the keys of both indexes.
func inMerge(id string) string {
	return `(EXISTS (SELECT FROM customer_alias a WHERE a.tenant_id = $1 AND a.customer_id = ` + id + ` AND a.survivor_id IS NOT NULL)
		OR EXISTS (SELECT FROM customer_alias a WHERE a.tenant_id = $1 AND a.survivor_id = ` + id + `))`
}

// openOf gives the open cases of the customers, whoever their ids mean, locked, in the order of their ids.
func openOf(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]Case, error) {
	rows, err := tx.Query(ctx, `WITH ids AS MATERIALIZED (SELECT n.id FROM unnest($2::uuid[]) AS n(id) UNION
			SELECT unnest(customer_group($1, n.id)) FROM unnest($2::uuid[]) AS n(id)
			WHERE `+inMerge("n.id")+`)
		SELECT c.id FROM retention_case c WHERE c.tenant_id = $1 AND c.closed_at IS NULL AND c.customer_id = ANY (ARRAY(SELECT id FROM ids))
		ORDER BY c.id FOR UPDATE`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	ids, err := collectIDs(rows)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return collect(ctx, tx, `SELECT * FROM retention_case c WHERE c.tenant_id = $1 AND c.closed_at IS NULL AND c.id = ANY ($2::uuid[])`, ids)
}
