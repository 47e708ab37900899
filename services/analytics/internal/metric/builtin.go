package metric

import (
	"slices"
	"strings"
)

// BuiltIn lists the metrics that every tenant has, in the order in which they are shown.
func BuiltIn() []Metric { return slices.Clone(builtIn) }

const (
	atOnce    = "in the same moment as the event"
	aSecond   = "within a second of the event"
	aRun      = "with the last run of the model or scheme behind it"
	bySales   = "sales"
	byService = "service"
	byLoyalty = "loyalty"
	byGrowth  = "marketing"
)

// entry makes a metric whose definition needs no more than its parts.
func entry(code, name, owner string, unit Unit, how how, parts []string, definition string) Metric {
	m := Metric{
		Code: code, Name: name, Owner: owner, Unit: unit, how: how, parts: parts, Definition: definition, BuiltIn: true, scale: 1,
		Grain: Day, Freshness: atOnce, Formula: formulaOf(how, parts),
	}
	m.Adds = NoneAdded
	if how == sum || how == difference {
		m.Adds = AddsUp
	}
	for _, part := range parts {
		for _, o := range measures[part] {
			m.ByCurrency = m.ByCurrency || o.byCurrency()
			if o.level {
				m.Adds = Level
			}
			if o.now() {
				m.Grain = Now
				m.Freshness = aSecond
			}
			if (o.once || strings.Contains(o.sql, "DISTINCT")) && how == sum {
				m.Adds = Distinct
			}
		}
	}
	for _, d := range dimensions {
		if _, fits := m.plan([]string{d.Code}, false); fits {
			m.Dimensions = append(m.Dimensions, d.Code)
		}
	}
	return m
}

func formulaOf(h how, p []string) string {
	switch h {
	case sum:
		return p[0]
	case difference:
		return p[0] + " - " + p[1]
	case net:
		return "(" + p[0] + " - " + p[1] + ") / " + p[2]
	default:
		return p[0] + " / " + p[1]
	}
}

func of(parts ...string) []string { return parts }

// times gives a ratio with a factor.
func (m Metric) times(scale float64, text string) Metric {
	m.scale, m.Formula = scale, text+" * "+m.Formula
	return m
}

// fresh gives the metric with another freshness.
func (m Metric) fresh(freshness string) Metric {
	m.Freshness = freshness
	return m
}

// plan chooses where each part of a built-in metric is taken from; fits is false where some part has not all the dimensions, or
// no customers to choose from.
func (m Metric) plan(by []string, customers bool) (chosen map[string]option, fits bool) {
	chosen = make(map[string]option, len(m.parts))
	for _, part := range m.parts {
		o, ok := choose(part, by, customers)
		if !ok {
			return nil, false
		}
		chosen[part] = o
	}
	return chosen, true
}

var builtIn = []Metric{
	entry("gross_revenue", "Gross revenue", bySales, Money, sum, of("gross"), "Amount of the orders placed, by the day of the order, before returns."),
	entry("returned_revenue", "Returned", bySales, Money, sum, of("returned"), "Amount of what came back, positive, by the day on which it came back."),
	entry("net_revenue", "Net revenue", bySales, Money, difference, of("gross", "returned"), "Gross revenue less what came back in the same time."),
	entry("orders", "Orders", bySales, Number, sum, of("orders"), "Orders placed, in all currencies."),
	entry("units", "Units", bySales, Number, sum, of("units"), "Units ordered, before returns."),
	entry("returns", "Returns", bySales, Number, sum, of("returns"), "Times that goods came back."),
	entry("returned_units", "Returned units", bySales, Number, sum, of("returned_units"), "Units that came back, by the day on which they did."),
	entry("average_order_value", "Average order value", bySales, Money, ratio, of("gross", "orders_of_money"), "Gross revenue by order of that currency."),
	entry("return_rate", "Return rate", bySales, Share, share, of("placed_and_back", "placed"), "Of the orders placed in the time, the share of which something came back, whenever it did."),
	entry("returned_share", "Returned share of revenue", bySales, Number, ratio, of("returned", "gross"), "What came back in the time by what was sold in it; above 1 where more came back."),
	entry("buyers", "Buyers", bySales, Number, sum, of("buyers"), "Customers with a net purchase in the time: an order that did not come back whole. Merged customers count once, erased ones still."),
	entry("new_customers", "New customers", bySales, Number, sum, of("new_buyers"), "Buyers whose first net purchase ever lies in the period.").fresh(aSecond),
	entry("returning_buyers", "Returning buyers", bySales, Number, sum, of("old_buyers"), "Buyers whose first net purchase lies before the period.").fresh(aSecond),
	entry("repeat_rate", "Repeat rate", bySales, Share, share, of("old_buyers", "buyers"), "Of the buyers of the period, the share who had bought before it.").fresh(aSecond),
	entry("registrations", "Registrations", byGrowth, Number, sum, of("registered"), "Customers by the day of their registration."),

	entry("tickets_opened", "Tickets opened", byService, Number, sum, of("tickets_opened"), "Tickets by the day on which they were opened."),
	entry("tickets_resolved", "Tickets resolved", byService, Number, sum, of("tickets_resolved"), "Tickets by the day on which they were resolved; one that was reopened counts again when it is resolved again."),
	entry("first_contact_resolution", "First-contact resolution", byService, Share, share, of("resolved_first", "resolved_known"), "Of the tickets resolved in the time, the share that needed no further word of the customer."),
	entry("hours_to_resolve", "Hours to resolve", byService, Hours, ratio, of("hours_to_resolve", "tickets_resolved"), "Hours from opening to resolution of the tickets resolved in the time, in the mean, around the clock."),
	entry("reopened_rate", "Reopened tickets", byService, Share, share, of("tickets_reopened", "tickets_opened"), "Of the tickets opened in the time, the share that was reopened since."),
	entry("complaints", "Complaints", byService, Number, sum, of("complaints"), "Complaints by the day of their registration."),
	entry("complaints_closed", "Complaints closed", byService, Number, sum, of("complaints_done"), "Complaints by the day on which they were closed."),
	entry("complaints_per_1000_orders", "Complaints per 1,000 orders", byService, Number, ratio, of("complaints", "orders"), "Complaints registered by orders placed in the same time, times 1,000.").times(1000, "1000"),
	entry("remedy_cost", "Cost of remedies", byService, Money, sum, of("remedies"), "What the remedies of the complaints closed in the time cost."),

	entry("survey_answers", "Survey answers", byService, Number, sum, of("answers"), "Answers to surveys of all kinds."),
	entry("csat", "Satisfied", byService, Share, share, of("csat_good", "csat_known"), "Of the answers on satisfaction, the share of 4 or 5 of 5."),
	entry("nps", "Net promoter score", byService, Share, net, of("promoters", "detractors", "nps_known"), "Share of answers of 9 or 10 less that of 0 to 6, −1 to 1."),
	entry("interactions", "Interactions", byService, Number, sum, of("interactions"), "Interactions recorded, both ways."),
	entry("touches", "Touches", byGrowth, Number, sum, of("touches"), "Times that somebody heard from us by a campaign, a programme or a survey."),

	entry("points_earned", "Points earned", byLoyalty, Points, sum, of("points_earned"), "Points that members earned, before what was taken back."),
	entry("points_spent", "Points spent", byLoyalty, Points, sum, of("points_spent"), "Points that members spent."),
	entry("points_expired", "Points expired", byLoyalty, Points, sum, of("points_expired"), "Points that expired unspent."),
	entry("active_members", "Active members", byLoyalty, Number, sum, of("members"), "Members of loyalty programmes at the end of the period: enrolled, and not left."),
	entry("running_memberships", "Running memberships", byLoyalty, Number, sum, of("contracts"), "Paid memberships that run at the end of the period."),
	entry("started_memberships", "Started memberships", byLoyalty, Number, sum, of("contracts_begun"), "Paid memberships by the day on which they began."),
	entry("churned_memberships", "Churned memberships", byLoyalty, Number, sum, of("contracts_ended"), "Paid memberships by the day on which they were over."),

	entry("leads_captured", "Leads captured", byGrowth, Number, sum, of("leads"), "Leads by the day on which they came in."),
	entry("leads_converted", "Leads converted", byGrowth, Number, sum, of("leads_converted"), "Leads by the day on which they were converted."),
	entry("lead_conversion", "Lead conversion", byGrowth, Share, share, of("leads_become", "leads"), "Of the leads that came in in the time, the share that is converted by now."),
	entry("opportunities_opened", "Opportunities opened", bySales, Number, sum, of("opened"), "Opportunities by the day on which they were opened."),
	entry("opportunities_won", "Opportunities won", bySales, Number, sum, of("won"), "Opportunities by the day on which they were won."),
	entry("won_amount", "Amount won", bySales, Money, sum, of("won_amount"), "Amount of the opportunities won."),
	entry("win_rate", "Win rate", bySales, Share, share, of("won", "decided"), "Of the opportunities won or lost in the time, the share that was won; withdrawn ones are left out."),

	entry("customers", "Customers", byGrowth, Number, sum, of("customers"), "Customers there are now; merged ones count once, erased ones not."),
	entry("customers_who_bought", "Customers who bought", bySales, Number, sum, of("customers_bought"), "Customers with at least one net purchase up to now; erased ones not."),
	entry("predicted_value", "Predicted value", byGrowth, Money, sum, of("predicted"), "Sum of what customers are expected to bring within the horizon of the model in use, in the reporting currency.").fresh(aRun),
	entry("realised_value", "Realised value", byGrowth, Money, sum, of("realised"), "Sum of what customers have brought after what they cost, in the reporting currency.").fresh(aRun),
	entry("mean_churn_risk", "Churn risk", byLoyalty, Share, ratio, of("churn_sum", "churn_known"), "Mean of the likelihood to go, over the customers of whom it is known.").fresh(aRun),
	entry("mean_p_alive", "Still buying", byGrowth, Share, ratio, of("alive_sum", "alive_known"), "Mean of the likelihood to still buy, over the customers with a repeat purchase.").fresh(aRun),
	entry("points_held", "Points held", byLoyalty, Points, sum, of("points_held"), "Points that customers can spend now."),
}

var builtInOf = func() map[string]Metric {
	m := make(map[string]Metric, len(builtIn))
	for _, one := range builtIn {
		m[one.Code] = one
	}
	return m
}()
