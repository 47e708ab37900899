package mining

import (
	"context"
	"fmt"
	"time"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// What a basket is.
const (
	ByOrder    = "order"
	ByCustomer = "customer"
)

// RulesBody is what a search for rules is asked with.
type RulesBody struct {
	model.Input
	Rows          [][]string `json:"rows,omitempty" doc:"Baskets: the codes of what is in each."`
	By            string     `json:"by,omitempty" query:"by" enum:"order,customer" doc:"Of facts: a basket is what an order held, or all that a customer bought. Left out: order."`
	From          string     `json:"from,omitempty" query:"from" format:"date" doc:"Of facts: first day of the orders, UTC. Left out: the first there is."`
	To            string     `json:"to,omitempty" query:"to" format:"date" doc:"Of facts: last day of the orders, included. Left out: today."`
	Channel       string     `json:"channel,omitempty" query:"channel" maxLength:"64" doc:"Of facts: only orders by this channel."`
	MinSupport    float64    `json:"min_support,omitempty" query:"min_support" minimum:"0.000001" maximum:"1" doc:"Share of baskets that hold all of a rule. Left out: 0.01."`
	MinConfidence float64    `json:"min_confidence,omitempty" query:"min_confidence" minimum:"0.000001" maximum:"1" doc:"Share of baskets with the condition that hold the consequence. Left out: 0.1."`
	MinLift       float64    `json:"min_lift,omitempty" query:"min_lift" minimum:"0.000001" maximum:"1000000" doc:"Left out: every lift will do. Recommendations use rules with a lift above 1 in any case."`
	MaxLength     int        `json:"max_length,omitempty" query:"max_length" minimum:"2" maximum:"8" doc:"Items of a rule, its consequence included. Left out: 3."`
	MaxRules      int        `json:"max_rules,omitempty" query:"max_rules" minimum:"1" maximum:"20000" doc:"The best by lift times confidence are kept. Left out: 1000."`
	MaxSeconds    int        `json:"max_seconds,omitempty" query:"max_seconds" minimum:"1" maximum:"120" doc:"How long the search may take, at most 20 in a request; what was found by then is the answer, which says so. Left out: 20."`
}

// Given tells how many baskets came.
func (b *RulesBody) Given() (n int, given bool) { return len(b.Rows), b.Rows != nil }

// Check names what is wrong with the settings.
func (b *RulesBody) Check() (faults []problem.Field) {
	if _, _, faulty := b.days(time.Time{}); faulty != nil {
		faults = append(faults, *faulty)
	}
	for i, row := range b.Rows {
		if len(row) > 10*maxBasket {
			return append(faults, problem.Field{Location: fmt.Sprintf("rows[%d]", i), Code: "too_many", Message: "has more than 5000 items"})
		}
		for j, item := range row {
			if item == "" || len(item) > 200 {
				return append(faults, problem.Field{Location: fmt.Sprintf("rows[%d][%d]", i, j), Code: "invalid", Message: "must have 1 to 200 bytes"})
			}
		}
	}
	return faults
}

// days gives the first moment that counts and the first that does not any more.
func (b *RulesBody) days(today time.Time) (from, to time.Time, fault *problem.Field) {
	to = today.AddDate(0, 0, 1)
	for _, day := range []struct {
		name, text string
		into       *time.Time
		plus       int
	}{{"from", b.From, &from, 0}, {"to", b.To, &to, 1}} {
		if day.text == "" {
			continue
		}
		at, err := time.Parse(time.DateOnly, day.text)
		if err != nil {
			return from, to, &problem.Field{Location: day.name, Code: "date", Message: "is not a date of the form 2006-01-02"}
		}
		*day.into = at.AddDate(0, 0, day.plus)
	}
	if b.To != "" && !from.Before(to) {
		return from, to, &problem.Field{Location: "to", Code: "out_of_range", Message: "lies before from"}
	}
	return from, to, nil
}

func (b *RulesBody) fill() {
	standard(&b.By, ByOrder)
	standard(&b.MinSupport, 0.01)
	standard(&b.MinConfidence, 0.1)
	standard(&b.MaxLength, 3)
	standard(&b.MaxRules, 1000)
	standard(&b.MaxSeconds, 20)
}

// standard sets what was left out.
func standard[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// maxItemsets is how many frequent itemsets a search keeps.
const maxItemsets = 500_000

// Mining finds rules and clusters, and applies those in use.
type Mining struct {
	db, ops *pg.DB
	clock   func() time.Time
	chunk   int // portraits that get their cluster in one transaction
}

// New makes the capability: db is of the app role, ops looks over all tenants.
func New(db, ops *pg.DB, clock func() time.Time) *Mining {
	return &Mining{db: db, ops: ops, clock: clock, chunk: 5_000}
}

func (m *Mining) now() time.Time { return m.clock().UTC().Truncate(time.Microsecond) }

// today is the day of now, at midnight UTC.
func (m *Mining) today() time.Time { return m.now().Truncate(24 * time.Hour) }

// RulesOffer is association rules as a kind of model.
func (m *Mining) RulesOffer() model.Offer[RulesBody] {
	return model.Offer[RulesBody]{
		Kind: KindRules, Summary: "Find association rules: what is bought together",
		Description: "FP-growth over baskets of facts, of rows, or of CSV with the columns basket and item (one line an item; lines of one basket in any order). " +
			"predictions are the rules, the best first: if, then, counts, support, confidence and their 95 % intervals (Wilson), lift, leverage, conviction (null where the rule is never wrong). " +
			"detail says what was looked at, and complete: false with why where the search was cut short. A model of facts in use gives the recommendations.",
		Fit: m.fitRules, Used: m.useRules,
	}
}

// ruleView is a rule as a prediction shows it.
type ruleView struct {
	If             []string `json:"if"`
	Then           string   `json:"then"`
	Baskets        int      `json:"baskets" doc:"that were looked at"`
	WithIf         int      `json:"with_if" doc:"that hold the condition"`
	WithThen       int      `json:"with_then" doc:"that hold the consequence"`
	WithBoth       int      `json:"with_both"`
	Support        float64  `json:"support"`
	SupportLow     float64  `json:"support_low"`
	SupportHigh    float64  `json:"support_high"`
	Confidence     float64  `json:"confidence"`
	ConfidenceLow  float64  `json:"confidence_low"`
	ConfidenceHigh float64  `json:"confidence_high"`
	Lift           float64  `json:"lift"`
	Leverage       float64  `json:"leverage"`
	Conviction     *float64 `json:"conviction" doc:"null where the rule was never wrong"`
}

func showRule(r Rule) ruleView {
	support, confidence := r.Support(), r.Confidence()
	v := ruleView{
		If: r.If, Then: r.Then, Baskets: r.N, WithIf: r.Counts.If, WithThen: r.Counts.Then, WithBoth: r.Both,
		Support: support.Value, SupportLow: support.Low, SupportHigh: support.High,
		Confidence: confidence.Value, ConfidenceLow: confidence.Low, ConfidenceHigh: confidence.High, Lift: r.Lift(), Leverage: r.Leverage(),
	}
	if r.Both < r.Counts.If {
		c := r.Conviction()
		v.Conviction = &c
	}
	return v
}

// rulesDetail is what a model of rules says of its search.
type rulesDetail struct {
	Baskets  int    `json:"baskets"`
	Items    int    `json:"items"`
	MinCount int    `json:"min_count"`
	Itemsets int    `json:"itemsets"`
	Rules    int    `json:"rules"`
	Kept     int    `json:"kept"`
	Cut      int    `json:"baskets_cut"` // longer than 500 items
	Complete bool   `json:"complete"`
	Why      string `json:"why,omitempty"`
}

// rulesState is what is needed to apply rules.
type rulesState struct {
	Rules []Rule `json:"rules"`
}

func (m *Mining) fitRules(ctx context.Context, o model.Order[RulesBody]) (model.Fitted, error) {
	body := *o.Body
	body.fill()
	var (
		b   *Baskets
		f   model.Fitted
		err error
	)
	switch {
	case o.Source == model.FromFacts:
		var from, to time.Time
		from, to, _ = body.days(m.today())
		b, err = m.readBaskets(ctx, o.Tenant, basketQuery{by: body.By, from: from, to: to, channel: body.Channel})
	case o.Table != nil:
		b, err = tableBaskets(o.Table)
	default:
		b = &Baskets{}
		for _, row := range body.Rows {
			b.AddNames(row...)
		}
	}
	if err != nil {
		return f, err
	}
	if b.Len() < 2 {
		return f, model.NotEnough("There are %d baskets; rules need at least two.", b.Len())
	}
	searching, stop := context.WithTimeout(ctx, searchTime(ctx, body.MaxSeconds))
	defer stop()
	found := Frequent(searching, b, least(body.MinSupport, b.Len()), Bounds{MaxLength: body.MaxLength, MaxSets: maxItemsets})
	if err := ctx.Err(); err != nil {
		return f, err
	}
	rules := Rules(b, found.Sets, body.MinConfidence, body.MinLift)
	kept := rules[:min(len(rules), body.MaxRules)]
	f.Rows = int64(b.Len())
	f.Params = map[string]float64{
		"min_support": body.MinSupport, "min_confidence": body.MinConfidence, "min_lift": body.MinLift, "max_length": float64(body.MaxLength),
	}
	f.Fit = map[string]float64{"rules": float64(len(rules)), "itemsets": float64(len(found.Sets))}
	f.Detail = rulesDetail{
		Baskets: b.Len(), Items: len(b.Names), MinCount: found.MinCount, Itemsets: len(found.Sets), Rules: len(rules), Kept: len(kept), Cut: b.Cut,
		Complete: found.Cut == CutNone && b.Cut == 0, Why: found.Cut,
	}
	f.Warnings = searchWarnings(found, b, len(rules), len(kept))
	f.State = rulesState{Rules: kept}
	for _, r := range kept {
		f.Predictions = append(f.Predictions, showRule(r))
	}
	return f, nil
}

// searchTime is what of the time that is left a search may take: enough stays to keep what it found.
func searchTime(ctx context.Context, seconds int) time.Duration {
	within := time.Duration(seconds) * time.Second
	if _, bounded := ctx.Deadline(); bounded { // a request
		within = min(within, 20*time.Second)
	}
	return within
}

func searchWarnings(found Search, b *Baskets, rules, kept int) (all []model.Warning) {
	switch found.Cut {
	case CutTime:
		all = append(all, model.Warn("search_out_of_time",
			"The time was up before everything was looked at: there may be more rules. Raise min_support or max_seconds, or lower max_length."))
	case CutSets:
		all = append(all, model.Warn("itemsets_too_many",
			"More than {most} sets of items are frequent: there may be more rules. Raise min_support or lower max_length.", "most", maxItemsets))
	}
	if b.Cut > 0 {
		all = append(all, model.Warn("baskets_cut", "Of {baskets} baskets only the first {items} items were counted.", "baskets", b.Cut, "items", maxBasket))
	}
	if kept < rules {
		all = append(all, model.Warn("rules_cut", "Of {rules} rules the best {kept} were kept.", "rules", rules, "kept", kept))
	}
	if found.MinCount < 5 {
		all = append(all, model.Warn("baskets_few",
			"{baskets} baskets are enough for a rule here: look at the intervals before one is believed.", "baskets", found.MinCount))
	}
	return all
}

// tableBaskets reads baskets from lines of basket and item.
func tableBaskets(t *model.Table) (*Baskets, error) {
	basket, err := t.Column("basket")
	if err != nil {
		return nil, err
	}
	item, err := t.Column("item")
	if err != nil {
		return nil, err
	}
	b := &Baskets{}
	place, held := map[string]int{}, [][]int32{}
	for i, row := range t.Rows {
		if row[basket] == "" || len(row[basket]) > 200 {
			return nil, model.RowFault(i, "basket", "must have 1 to 200 bytes")
		}
		if row[item] == "" || len(row[item]) > 200 {
			return nil, model.RowFault(i, "item", "must have 1 to 200 bytes")
		}
		at, known := place[row[basket]]
		if !known {
			at = len(held)
			place[row[basket]], held = at, append(held, nil)
		}
		held[at] = append(held[at], b.Item(row[item]))
	}
	for _, items := range held {
		b.Add(items...)
	}
	return b, nil
}
