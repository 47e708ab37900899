package opportunity

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// errNotFound is the same for an opportunity that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "opportunity_not_found", "There is no such opportunity.")

// leadConstraint lets one opportunity come of a lead only, those left out that were withdrawn.
const leadConstraint = "opportunity_lead"

// columns of an opportunity o by itself.
const columns = `o.id, o.version, o.customer_id, customer_root(o.tenant_id, o.customer_id), o.lead_id, o.name, o.pipeline, o.stage, o.state,
	o.currency, o.amount_minor, o.expected_close_on, o.next_step, o.next_step_on, o.next_step_since, o.owner, o.team, o.source, o.campaign,
	o.forecast_category, o.tags, o.custom_fields, o.score_fields, o.opened_at, o.stage_since, o.closed_at, o.reason, o.competitor,
	o.stalled_at, o.stalled_reason, o.stalls, o.look_at, o.follow_up_at, o.moves, o.followed, o.changed_at, o.changed_by`

// parts are what hangs on an opportunity o, each as one value.
const parts = `LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_array(l.sku, l.quantity, l.unit_minor, l.amount_minor) ORDER BY l.no) AS lines
		FROM opportunity_line l WHERE l.tenant_id = o.tenant_id AND l.opportunity_id = o.id) l ON true
	LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_array(c.customer_id, customer_root(c.tenant_id, c.customer_id), c.role, c.influence, c.leaning,
			c.changed_at, c.changed_by) ORDER BY c.customer_id) AS contacts
		FROM opportunity_contact c WHERE c.tenant_id = o.tenant_id AND c.opportunity_id = o.id) c ON true
	LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_array(r.competitor, r.strengths, r.weaknesses, r.changed_at, r.changed_by) ORDER BY r.competitor) AS rivals
		FROM opportunity_competitor r WHERE r.tenant_id = o.tenant_id AND r.opportunity_id = o.id) r ON true
	LEFT JOIN LATERAL (SELECT array_agg(w.order_id ORDER BY w.order_id) AS orders
		FROM opportunity_order w WHERE w.tenant_id = o.tenant_id AND w.opportunity_id = o.id) w ON true`

const selected = `SELECT ` + columns + `, l.lines, c.contacts, r.rivals, w.orders FROM opportunity o ` + parts

// row is an opportunity as it is scanned.
type row struct {
	o                                                 Opportunity
	lead                                              *uuid.UUID
	category                                          *string
	expected, step, closed, stalled, lookAt, followUp *time.Time
}

// into gives where the columns go.
func (r *row) into() []any {
	o := &r.o
	return []any{
		&o.ID, &o.Version, &o.CustomerID, &o.Root, &r.lead, &o.Name, &o.Pipeline, &o.Stage, &o.State, &o.Currency, &o.AmountMinor, &r.expected,
		&o.NextStep, &r.step, &o.NextStepSince, &o.Owner, &o.Team, &o.Source, &o.Campaign, &r.category, &o.Tags, &o.Custom, &o.Fields,
		&o.OpenedAt, &o.StageSince, &r.closed, &o.Reason, &o.Competitor, &r.stalled, &o.Stall.Reason, &o.Stalls, &r.lookAt, &r.followUp, &o.Moves,
		&o.Followed, &o.ChangedAt, &o.By,
	}
}

// read gives the opportunity that was scanned.
func (r *row) read() Opportunity {
	o := r.o
	if r.lead != nil {
		o.LeadID = *r.lead
	}
	if r.category != nil {
		o.Category = pipeline.Category(*r.category)
	}
	o.ExpectedCloseOn, o.NextStepOn, o.ClosedAt, o.Stall.At, o.LookAt = utc(r.expected), utc(r.step), utc(r.closed), utc(r.stalled), utc(r.lookAt)
	o.FollowUpAt = utc(r.followUp)
	o.NextStepSince, o.OpenedAt, o.StageSince, o.ChangedAt = o.NextStepSince.UTC(), o.OpenedAt.UTC(), o.StageSince.UTC(), o.ChangedAt.UTC()
	return o
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// scan reads an opportunity with what hangs on it.
func scan(from pgx.Row) (Opportunity, error) {
	var (
		r                       row
		lines, contacts, rivals []json.RawMessage
	)
	err := from.Scan(append(r.into(), &lines, &contacts, &rivals, &r.o.Orders)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return Opportunity{}, errNotFound
	}
	if err != nil {
		return Opportunity{}, err
	}
	o := r.read()
	for _, raw := range lines {
		var l Line
		err = errors.Join(err, fields(raw, &l.SKU, &l.Quantity, &l.UnitMinor, &l.AmountMinor))
		o.Lines = append(o.Lines, l)
	}
	for _, raw := range contacts {
		var c Contact
		var influence *int
		err = errors.Join(err, fields(raw, &c.CustomerID, &c.Root, &c.Role, &influence, &c.Leaning, &c.ChangedAt, &c.By))
		if influence != nil {
			c.Influence = *influence
		}
		c.ChangedAt = c.ChangedAt.UTC()
		o.Contacts = append(o.Contacts, c)
	}
	for _, raw := range rivals {
		var v Rival
		err = errors.Join(err, fields(raw, &v.Competitor, &v.Strengths, &v.Weaknesses, &v.ChangedAt, &v.By))
		v.ChangedAt = v.ChangedAt.UTC()
		o.Rivals = append(o.Rivals, v)
	}
	return o, err
}

// fields reads the members of a JSON array.
func fields(raw json.RawMessage, into ...any) error { return json.Unmarshal(raw, &into) }

// Get gives an opportunity with what hangs on it, or the problem opportunity_not_found; one round trip.
func Get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Opportunity, error) {
	return scan(tx.QueryRow(ctx, selected+` WHERE o.tenant_id = $1 AND o.id = $2`, tx.Tenant(), id))
}

// Lock is Get that also keeps everybody else from changing the opportunity until the transaction ends.
func Lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Opportunity, error) {
	tx.Queue(`SELECT 1 FROM opportunity WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	return Get(ctx, tx, id)
}

// Follow queues the mark that something hangs on an opportunity, such as a quote or an activity, so that its opening can no
// longer be taken back by whoever converted a lead.
func Follow(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`UPDATE opportunity SET followed = true WHERE tenant_id = $1 AND id = $2 AND NOT followed`, tx.Tenant(), id)
}

// customerOf gives the id that an opportunity was opened with, which never changes, or errNotFound.
func customerOf(ctx context.Context, tx *pg.Tx, id uuid.UUID) (customer uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT customer_id FROM opportunity WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id).Scan(&customer)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return customer, err
}

// insert queues a new opportunity. One of a lead that another one comes of violates leadConstraint.
func insert(tx *pg.Tx, o Opportunity) {
	tx.Queue(`INSERT INTO opportunity (tenant_id, id, version, customer_id, lead_id, name, pipeline, stage, state, currency, amount_minor,
			expected_close_on, next_step, next_step_on, next_step_since, owner, team, source, campaign, forecast_category, tags, custom_fields,
			score_fields, opened_at, stage_since, reason, competitor, stalled_reason, stalls, look_at, moves, changed_at, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
			'', '', '', 0, $26, $27, $28, $29)`,
		tx.Tenant(), o.ID, o.Version, o.CustomerID, pg.OrNull(o.LeadID), o.Name, o.Pipeline, o.Stage, o.State, o.Currency, o.AmountMinor,
		pg.OrNull(o.ExpectedCloseOn), o.NextStep, pg.OrNull(o.NextStepOn), o.NextStepSince, o.Owner, o.Team, o.Source, o.Campaign,
		pg.OrNull(string(o.Category)), list(o.Tags), mapping(o.Custom), mapping(o.Fields), o.OpenedAt, o.StageSince, pg.OrNull(o.LookAt), o.Moves,
		o.ChangedAt, o.By)
	saveLines(tx, o)
	for _, c := range o.Contacts {
		saveContact(tx, o.ID, c)
	}
}

// save queues what changes of an opportunity that is locked; what hangs on it is saved by itself.
func save(tx *pg.Tx, o Opportunity) {
	tx.Queue(`UPDATE opportunity SET version = $3, name = $4, stage = $5, state = $6, currency = $7, amount_minor = $8, expected_close_on = $9,
			next_step = $10, next_step_on = $11, next_step_since = $12, owner = $13, team = $14, source = $15, campaign = $16,
			forecast_category = $17, tags = $18, custom_fields = $19, stage_since = $20, closed_at = $21, reason = $22, competitor = $23,
			stalled_at = $24, stalled_reason = $25, stalls = $26, look_at = $27, moves = $28, changed_at = $29, changed_by = $30,
			follow_up_at = $31
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), o.ID, o.Version, o.Name, o.Stage, o.State, o.Currency, o.AmountMinor, pg.OrNull(o.ExpectedCloseOn), o.NextStep,
		pg.OrNull(o.NextStepOn), o.NextStepSince, o.Owner, o.Team, o.Source, o.Campaign, pg.OrNull(string(o.Category)), list(o.Tags),
		mapping(o.Custom), o.StageSince, pg.OrNull(o.ClosedAt), o.Reason, o.Competitor, pg.OrNull(o.Stall.At), o.Stall.Reason, o.Stalls,
		pg.OrNull(o.LookAt), o.Moves, o.ChangedAt, o.By, pg.OrNull(o.FollowUpAt))
}

// saveEntry queues a row of the stage history.
func saveEntry(tx *pg.Tx, id uuid.UUID, e Entry) {
	tx.Queue(`INSERT INTO opportunity_stage (tenant_id, opportunity_id, no, pipeline, stage, state, entered_at, by_subject, previous_stage,
			previous_state, previous_seconds)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		tx.Tenant(), id, e.No, e.Pipeline, e.Stage, e.State, e.EnteredAt, e.By, e.PreviousStage, e.PreviousState, e.PreviousSeconds)
}

// saveLines queues the lines in the place of those that are there.
func saveLines(tx *pg.Tx, o Opportunity) {
	skus, quantities, units, amounts := make([]string, len(o.Lines)), make([]int64, len(o.Lines)), make([]int64, len(o.Lines)), make([]int64, len(o.Lines))
	for i, l := range o.Lines {
		skus[i], quantities[i], units[i], amounts[i] = l.SKU, l.Quantity, l.UnitMinor, l.AmountMinor
	}
	if o.Version > 1 {
		tx.Queue(`DELETE FROM opportunity_line WHERE tenant_id = $1 AND opportunity_id = $2`, tx.Tenant(), o.ID)
	}
	if len(o.Lines) > 0 {
		tx.Queue(`INSERT INTO opportunity_line (tenant_id, opportunity_id, no, sku, quantity, unit_minor, amount_minor)
			SELECT $1, $2, n.no, n.sku, n.quantity, n.unit_minor, n.amount_minor
			FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY AS n(sku, quantity, unit_minor, amount_minor, no)`,
			tx.Tenant(), o.ID, skus, quantities, units, amounts)
	}
}

func saveContact(tx *pg.Tx, id uuid.UUID, c Contact) {
	tx.Queue(`INSERT INTO opportunity_contact (tenant_id, opportunity_id, customer_id, role, influence, leaning, changed_at, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant_id, opportunity_id, customer_id) DO UPDATE SET role = $4, influence = $5, leaning = $6, changed_at = $7, changed_by = $8`,
		tx.Tenant(), id, c.CustomerID, c.Role, pg.OrNull(c.Influence), c.Leaning, c.ChangedAt, c.By)
}

func deleteContact(tx *pg.Tx, id, customer uuid.UUID) {
	tx.Queue(`DELETE FROM opportunity_contact WHERE tenant_id = $1 AND opportunity_id = $2 AND customer_id = $3`, tx.Tenant(), id, customer)
}

func saveRival(tx *pg.Tx, id uuid.UUID, r Rival) {
	tx.Queue(`INSERT INTO opportunity_competitor (tenant_id, opportunity_id, competitor, strengths, weaknesses, changed_at, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, opportunity_id, competitor) DO UPDATE SET strengths = $4, weaknesses = $5, changed_at = $6, changed_by = $7`,
		tx.Tenant(), id, r.Competitor, r.Strengths, r.Weaknesses, r.ChangedAt, r.By)
}

func deleteRival(tx *pg.Tx, id uuid.UUID, competitor string) {
	tx.Queue(`DELETE FROM opportunity_competitor WHERE tenant_id = $1 AND opportunity_id = $2 AND competitor = $3`, tx.Tenant(), id, competitor)
}

// saveOrders queues the orders in the place of those that are there.
func saveOrders(tx *pg.Tx, o Opportunity) {
	tx.Queue(`DELETE FROM opportunity_order WHERE tenant_id = $1 AND opportunity_id = $2`, tx.Tenant(), o.ID)
	tx.Queue(`INSERT INTO opportunity_order (tenant_id, opportunity_id, order_id) SELECT DISTINCT $1::text, $2::uuid, n FROM unnest($3::uuid[]) AS n`,
		tx.Tenant(), o.ID, list(o.Orders))
}

// buyers gives the customers of orders as they are meant now; orders that are not known, or are nobody's yet, are left out.
func buyers(ctx context.Context, tx *pg.Tx, orders []uuid.UUID) (map[uuid.UUID]uuid.UUID, error) {
	of := make(map[uuid.UUID]uuid.UUID, len(orders))
	if len(orders) == 0 {
		return of, nil
	}
	rows, err := tx.Query(ctx, `SELECT s.id, customer_root(s.tenant_id, s.customer_id) FROM sales_order s
		WHERE s.tenant_id = $1 AND s.id = ANY ($2::uuid[]) AND s.customer_id IS NOT NULL`, tx.Tenant(), orders)
	if err != nil {
		return nil, err
	}
	var id, customer uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &customer}, func() error { of[id] = customer; return nil })
	return of, err
}

// list gives an empty list for none, as columns that are never null want it.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// mapping is list for maps.
func mapping[V any](all map[string]V) map[string]V {
	if all == nil {
		return map[string]V{}
	}
	return all
}
