package metric

import (
	"maps"
	"strings"
)

// source is a place where measures stand. Texts are SQL in which $1 is the tenant, $2 the first day and $3 the day after the
// last; {root} stands for whom the fact's customer means, {cur} for the amounts that count, {start} for the first day of the
// period.
type source struct {
	name     string
	from     string
	where    string // besides tenant and time
	tenant   string // column of the tenant
	at       string // the moment of the fact; empty where day is a column, or where there is no time
	day      string // the day of the fact, where it is a column
	customer string // the customer's id as it came; empty where facts have none
	portrait bool   // rows are portraits
	level    bool   // rows are steps (column step) up and down, from the beginning of time
	once     bool   // measures count customers: each is a row once in a period, and in what else is cut by
	kind     string // what an answer says it was served from
	by       map[string]string
}

// What an answer is served from.
const (
	fromRollUp    = "daily roll-up"
	fromFacts     = "facts"
	fromPortraits = "portraits"
)

func (s source) now() bool { return s.at == "" && s.day == "" }

// has tells whether rows can be cut by the dimension.
func (s source) has(dimension string) bool {
	if _, ok := s.by[dimension]; ok {
		return true
	}
	return dimensionOf[dimension].Customer && (s.customer != "" || s.portrait)
}

// facts is a source of one table of facts, whose rows are f.
func facts(table, at string, by map[string]string) source {
	return source{name: table + " by " + at, from: table + " f", tenant: "f.tenant_id", at: "f." + at, customer: "f.customer_id", kind: fromFacts, by: by}
}

// of gives the source with some of its rows.
func (s source) of(where string) source {
	s.where = where
	s.name += " where " + where
	return s
}

func (s source) joined(more string) source {
	s.from += " " + more
	return s
}

func with(by map[string]string, more map[string]string) map[string]string {
	all := maps.Clone(by)
	maps.Copy(all, more)
	return all
}

// returnsOf adds what came back of an order f: one that came back whole was no purchase; one of no units never does.
const returnsOf = `LEFT JOIN (SELECT order_id, sum(units)::bigint AS units FROM fact_return WHERE tenant_id = $1 GROUP BY order_id) r ON r.order_id = f.order_id`

var (
	sales    = map[string]string{"channel": "f.channel", "currency": "f.currency"}
	salesDay = source{name: "sales_day", from: "sales_day f", tenant: "f.tenant_id", day: "f.day", kind: fromRollUp, by: sales}
	orders   = facts("fact_order", "placed_at", sales)
	lines    = func() source {
		s := facts("fact_order", "placed_at", with(sales, map[string]string{"product": "l.sku"})).joined("CROSS JOIN LATERAL unnest(f.skus, f.quantities, f.amounts) AS l(sku, quantity, amount)")
		s.name = "lines of orders"
		return s
	}()
	purchases = func() source {
		s := facts("fact_order", "placed_at", sales).joined(returnsOf).of("(f.units = 0 OR coalesce(r.units, 0) < f.units) AND f.customer_id IS NOT NULL")
		s.once = true
		return s
	}()
	returned = source{
		name: "fact_return", from: "fact_return f LEFT JOIN fact_order o ON o.tenant_id = $1 AND o.order_id = f.order_id", tenant: "f.tenant_id",
		at: "f.returned_at", customer: "o.customer_id", kind: fromFacts, by: map[string]string{"channel": "o.channel", "currency": "f.currency"},
	}
	registered = facts("fact_customer", "registered_at", nil)

	ticketBy       = map[string]string{"ticket_kind": "f.kind", "ticket_channel": "f.channel", "priority": "nullif(f.priority, 0)::text"}
	ticketsOpened  = facts("fact_ticket", "opened_at", ticketBy)
	ticketsSolved  = facts("fact_ticket", "resolved_at", ticketBy)
	complaintBy    = map[string]string{"complaint_category": "f.category", "severity": "f.severity::text"}
	complaintsIn   = facts("fact_complaint", "registered_at", complaintBy)
	complaintsDone = facts("fact_complaint", "closed_at", with(complaintBy, map[string]string{"currency": "f.currency"}))
	interactions   = facts("fact_interaction", "occurred_at", map[string]string{"interaction_channel": "f.channel", "direction": "f.direction", "touchpoint": "f.touchpoint"})
	touches        = facts("fact_touch", "at", map[string]string{"campaign": "f.campaign", "touch_channel": "f.channel", "touch_origin": "f.origin"})
	answers        = facts("fact_answer", "answered_at", map[string]string{"touchpoint": "f.touchpoint", "survey": "f.survey_id::text"})
	points         = facts("fact_points", "at", map[string]string{"points_reason": "f.reason_type"})
	contracts      = map[string]string{"plan": "f.plan"}
	contractsBegun = facts("fact_membership", "started_at", contracts)
	contractsEnded = facts("fact_membership", "ended_at", contracts)
	leadBy         = map[string]string{"capture": "f.capture", "lead_source": "f.source", "campaign": "f.campaign"}
	leadsIn        = facts("fact_lead", "captured_at", leadBy)
	leadsConverted = facts("fact_lead", "converted_at", leadBy)
	opportunityBy  = map[string]string{"pipeline": "f.pipeline", "opportunity_source": "f.source", "currency": "f.currency"}
	opened         = facts("fact_opportunity", "opened_at", opportunityBy)
	closed         = facts("fact_opportunity", "closed_at", with(opportunityBy, map[string]string{"loss_reason": "f.reason"}))

	memberSteps = source{
		name: "fact_member", tenant: "f.tenant_id", at: "f.at", customer: "f.customer_id", level: true, kind: fromFacts,
		from: `(SELECT tenant_id, customer_id, programme, tier, enrolled_at AS at, 1 AS step FROM fact_member WHERE tenant_id = $1
			UNION ALL SELECT tenant_id, customer_id, programme, tier, left_at, -1 FROM fact_member WHERE tenant_id = $1 AND left_at IS NOT NULL) f`,
		by: map[string]string{"programme": "f.programme", "member_tier": "f.tier"},
	}
	contractSteps = source{
		name: "fact_membership", tenant: "f.tenant_id", at: "f.at", customer: "f.customer_id", level: true, kind: fromFacts,
		from: `(SELECT tenant_id, customer_id, plan, started_at AS at, 1 AS step FROM fact_membership WHERE tenant_id = $1
			UNION ALL SELECT tenant_id, customer_id, plan, ended_at, -1 FROM fact_membership WHERE tenant_id = $1 AND ended_at IS NOT NULL) f`,
		by: contracts,
	}
	portraits = source{name: "portrait", from: "portrait", tenant: "portrait.tenant_id", portrait: true, kind: fromPortraits}
)

// option is one way to have a measure.
type option struct {
	source
	sql string // an aggregate
}

// firstDay is the day of the first net purchase of the customer of f. Customers who were erased have no portrait, and still are
// in all totals: theirs is looked up.
const firstDay = `coalesce(portrait.first_purchase_on, (
	SELECT min((o.placed_at AT TIME ZONE 'UTC')::date) FROM fact_order o
	WHERE o.tenant_id = $1 AND o.customer_id = ANY ((SELECT customer_group($1, {root}))::uuid[])
		AND (o.units = 0 OR o.units > coalesce((SELECT sum(b.units) FROM fact_return b WHERE b.tenant_id = $1 AND b.order_id = o.order_id), 0))))`

const came = `EXISTS (SELECT FROM fact_return b WHERE b.tenant_id = $1 AND b.order_id = f.order_id)`

// measures are what metrics are made of, each with its ways, the cheapest first.
var measures = map[string][]option{
	"orders":          {{salesDay, "sum(f.orders)"}, {orders, "count(*)"}},
	"orders_of_money": {{salesDay, "sum(f.orders) FILTER (WHERE {cur})"}, {orders, "count(*) FILTER (WHERE {cur})"}},
	"units":           {{salesDay, "sum(f.units)"}, {orders, "sum(f.units)"}, {lines, "sum(l.quantity)"}},
	"gross":           {{salesDay, "sum(f.gross_minor) FILTER (WHERE {cur})"}, {orders, "sum(f.total_minor) FILTER (WHERE {cur})"}, {lines, "sum(l.amount) FILTER (WHERE {cur})"}},
	"returns":         {{salesDay, "sum(f.returns)"}, {returned, "count(*)"}},
	"returned_units":  {{salesDay, "sum(f.returned_units)"}, {returned, "sum(f.units)"}},
	"returned":        {{salesDay, "sum(f.returned_minor) FILTER (WHERE {cur})"}, {returned, "sum(f.amount_minor) FILTER (WHERE {cur})"}},
	"placed":          {{orders, "count(*)"}},
	"placed_and_back": {{orders, "count(*) FILTER (WHERE " + came + ")"}},
	"buyers":          {{purchases, "count(*)"}},
	"new_buyers":      {{purchases, "count(*) FILTER (WHERE " + firstDay + " >= {start})"}},
	"old_buyers":      {{purchases, "count(*) FILTER (WHERE " + firstDay + " < {start})"}},
	"registered":      {{registered, "count(DISTINCT {root})"}},

	"tickets_opened":   {{ticketsOpened, "count(*)"}},
	"tickets_resolved": {{ticketsSolved, "count(*)"}},
	"resolved_known":   {{ticketsSolved, "count(*) FILTER (WHERE f.first_contact IS NOT NULL)"}},
	"resolved_first":   {{ticketsSolved, "count(*) FILTER (WHERE f.first_contact)"}},
	"hours_to_resolve": {{ticketsSolved, "sum(extract(epoch FROM f.resolved_at - f.opened_at)) / 3600"}},
	"tickets_reopened": {{ticketsOpened, "count(*) FILTER (WHERE f.reopened > 0)"}},
	"complaints":       {{complaintsIn, "count(*)"}},
	"complaints_done":  {{complaintsDone, "count(*)"}},
	"remedies":         {{complaintsDone, "sum(f.cost_minor) FILTER (WHERE {cur})"}},

	"answers":      {{answers, "count(*)"}},
	"csat_known":   {{answers, "count(*) FILTER (WHERE f.kind = 'csat' AND f.score IS NOT NULL)"}},
	"csat_good":    {{answers, "count(*) FILTER (WHERE f.kind = 'csat' AND f.score >= 4)"}},
	"nps_known":    {{answers, "count(*) FILTER (WHERE f.kind = 'nps' AND f.score IS NOT NULL)"}},
	"promoters":    {{answers, "count(*) FILTER (WHERE f.kind = 'nps' AND f.score >= 9)"}},
	"detractors":   {{answers, "count(*) FILTER (WHERE f.kind = 'nps' AND f.score <= 6)"}},
	"interactions": {{interactions, "count(*)"}},
	"touches":      {{touches, "count(*)"}},

	"points_earned":   {{points, "sum(f.points) FILTER (WHERE f.kind = 'earned')"}},
	"points_spent":    {{points, "sum(f.points) FILTER (WHERE f.kind = 'spent')"}},
	"points_expired":  {{points, "sum(f.points) FILTER (WHERE f.kind = 'expired')"}},
	"members":         {{memberSteps, "sum(f.step)"}},
	"contracts":       {{contractSteps, "sum(f.step)"}},
	"contracts_begun": {{contractsBegun, "count(*)"}},
	"contracts_ended": {{contractsEnded, "count(*)"}},

	"leads":           {{leadsIn, "count(*)"}},
	"leads_become":    {{leadsIn, "count(*) FILTER (WHERE f.converted_at IS NOT NULL)"}},
	"leads_converted": {{leadsConverted, "count(*)"}},
	"opened":          {{opened, "count(*)"}},
	"won":             {{closed, "count(*) FILTER (WHERE f.state = 'won')"}},
	"decided":         {{closed, "count(*) FILTER (WHERE f.state IN ('won', 'lost'))"}},
	"won_amount":      {{closed, "sum(f.amount_minor) FILTER (WHERE f.state = 'won' AND {cur})"}},

	"customers":        {{portraits, "count(*)"}},
	"customers_bought": {{portraits, "count(*) FILTER (WHERE portrait.orders > 0)"}},
	"predicted":        {{portraits, "sum(portrait.predicted_value_minor)"}},
	"realised":         {{portraits, "sum(portrait.realised_value_minor)"}},
	"churn_sum":        {{portraits, "sum(portrait.churn_permille) / 1000.0"}},
	"churn_known":      {{portraits, "count(portrait.churn_permille)"}},
	"alive_sum":        {{portraits, "sum(portrait.p_alive)"}},
	"alive_known":      {{portraits, "count(portrait.p_alive)"}},
	"points_held":      {{portraits, "sum(portrait.points_available)"}},
}

// choose gives the cheapest way to have the measure with all the dimensions.
func choose(measure string, by []string, customers bool) (option, bool) {
	for _, o := range measures[measure] {
		fits := !customers || o.customer != "" || o.portrait
		for _, d := range by {
			fits = fits && o.has(d)
		}
		if fits {
			return o, true
		}
	}
	return option{}, false
}

func (o option) byCurrency() bool { return strings.Contains(o.sql, "{cur}") }
