package portrait

import (
	"strings"
)

// Type is what the values of a field are, and so what can be asked of them.
type Type string

// The types.
const (
	Number  Type = "number"  // whole or not, ordered
	Money   Type = "money"   // minor units of the reporting currency
	Text    Type = "text"    // a code
	Day     Type = "day"     // a day in UTC
	Instant Type = "instant" // a moment
	Flag    Type = "flag"    // yes or no
	Codes   Type = "codes"   // a set of codes
)

// Field is something that is known of a customer.
type Field struct {
	Name   string
	Column string // of the table portrait; empty where the field is reckoned when it is asked for
	Type   Type
	Doc    string
	Score  bool // a room reckons it in runs; otherwise it follows facts within a second

	derived string // the SQL expression of a field without a column, with $today in the place of the day
}

// SQL is the expression of the field over a row of portrait. today is what stands there for the day of the question, such as
// a placeholder cast to date: "$2::date".
func (f Field) SQL(today string) string {
	if f.Column != "" {
		return f.Column
	}
	return "(" + strings.ReplaceAll(f.derived, "$today", today) + ")"
}

// Fields lists all fields: those of facts, those that are reckoned from them, scores.
func Fields() []Field { return append([]Field(nil), fields...) }

var byName = func() map[string]Field {
	m := make(map[string]Field, len(fields))
	for _, f := range fields {
		m[f.Name] = f
	}
	return m
}()

// Lookup finds a field by its name; ok is false where there is none.
func Lookup(name string) (f Field, ok bool) {
	f, ok = byName[name]
	return f, ok
}

func heard(name string, t Type, doc string) Field {
	return Field{Name: name, Column: name, Type: t, Doc: doc}
}

func score(name string, t Type, doc string) Field {
	return Field{Name: name, Column: name, Type: t, Doc: doc, Score: true}
}

func derived(name string, t Type, sql, doc string) Field {
	return Field{Name: name, Type: t, Doc: doc, derived: sql}
}

var fields = []Field{
	heard("kind", Text, "person, organisation or unknown"),
	heard("source", Text, "code of where the registration came from"),
	heard("registered_at", Instant, "when the customer was registered"),
	heard("orders", Number, "net purchases: orders that did not come back whole"),
	heard("purchase_days", Number, "distinct days of net purchases"),
	heard("first_purchase_on", Day, "day of the first net purchase"),
	heard("last_purchase_on", Day, "day of the last net purchase"),
	heard("units", Number, "units bought, less those that came back"),
	heard("gross_minor", Money, "bought in the reporting currency"),
	heard("returned_minor", Money, "came back, positive"),
	heard("net_minor", Money, "bought less came back"),
	heard("last_channel", Text, "channel of the last net purchase"),
	heard("channels", Codes, "channels of net purchases"),
	heard("products", Codes, "article codes of net purchases, at most 200"),
	heard("tickets", Number, "tickets that were opened"),
	heard("tickets_open", Number, "tickets that are neither resolved nor closed"),
	heard("complaints", Number, "complaints that were registered"),
	heard("complaints_open", Number, "complaints that are not closed"),
	heard("last_complaint_at", Instant, "when the last complaint was registered"),
	heard("interactions", Number, "interactions that were recorded"),
	heard("last_contact_at", Instant, "the last interaction, ticket or complaint"),
	heard("touches", Number, "times that the customer heard from us by a campaign or a survey"),
	heard("last_touch_at", Instant, "the last of them"),
	heard("csat", Number, "the latest answer on satisfaction, 1 to 5"),
	heard("csat_at", Instant, "when it was given"),
	heard("nps", Number, "the latest answer on recommending us, 0 to 10"),
	heard("nps_at", Instant, "when it was given"),
	heard("tier", Text, "code of the highest tier; empty for none"),
	heard("points_available", Number, "points that can be spent, of all programmes"),
	heard("contract_ends_on", Day, "the end of the paid membership that runs longest"),
	heard("leads_open", Number, "leads that are open"),
	heard("opportunities_open", Number, "opportunities that are open"),
	heard("opportunities_won", Number, "opportunities that were won"),

	derived("recency_days", Number, "$today - last_purchase_on", "days since the last net purchase; none without one"),
	derived("tenure_days", Number, "$today - first_purchase_on", "days since the first net purchase; none without one"),
	derived("registered_days", Number, "$today - (registered_at AT TIME ZONE 'UTC')::date", "days since the registration"),
	derived("silent_days", Number, "$today - greatest(last_purchase_on, (last_contact_at AT TIME ZONE 'UTC')::date)", "days since the last net purchase or contact"),
	derived("complaint_days", Number, "$today - (last_complaint_at AT TIME ZONE 'UTC')::date", "days since the last complaint"),
	derived("contract_days", Number, "contract_ends_on - $today", "days until the contract ends; below zero where it has ended"),
	derived("repeats", Number, "greatest(purchase_days - 1, 0)", "distinct purchase days after the first"),
	derived("mean_order_minor", Money, "round(net_minor::numeric / nullif(orders, 0))::bigint", "net amount of a net purchase in the mean, half away from zero; none without one"),
	derived("return_rate", Number, "round(returned_minor::numeric / nullif(gross_minor, 0), 4)::float8", "share of what was bought that came back, 0 to 1"),
	derived("rhythm_days", Number, "round((last_purchase_on - first_purchase_on)::numeric / nullif(purchase_days - 1, 0), 2)::float8", "days between purchase days in the mean; none before the second"),
	derived("buyer", Flag, "orders > 0", "whether there is a net purchase"),
	derived("member", Flag, "tier <> '' OR points_available > 0", "whether there is a tier or points to spend"),

	score("rfm_r", Number, "recency, 1 to 5 best"),
	score("rfm_f", Number, "frequency, 1 to 5 best"),
	score("rfm_m", Number, "monetary value, 1 to 5 best"),
	score("rfm_cell", Text, "code of the cell of R and F"),
	score("grade", Text, "place in the customer pyramid"),
	score("realised_value_minor", Money, "value up to now"),
	score("predicted_value_minor", Money, "value to come"),
	score("expected_purchases", Number, "purchase days to come within the horizon of the model in use"),
	score("p_alive", Number, "how likely the customer still buys, 0 to 1; none without a repeat purchase"),
	score("churn_permille", Number, "how likely the customer goes, in thousandths"),
	score("stage", Text, "stage of the relationship's life"),
	score("cluster", Text, "code of the cluster"),
	score("strength", Number, "strength of the relationship"),
	score("loyalty_index", Number, "index of loyalty"),
	score("tags", Codes, "tags"),
}
