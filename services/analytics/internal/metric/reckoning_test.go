package metric_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
)

// happened is one thing that a fact says, as the slow reckoning sees it.
type happened struct {
	what  string
	at    time.Time
	who   uuid.UUID         // who stands for the customer
	by    map[string]string // dimension values; empty or absent: unknown
	n     map[string]float64
	ended time.Time // of what goes on
}

// past is everything that happened to a tenant, told to the database and kept for the slow reckoning.
type past struct {
	t      *testing.T
	w      *analyticstest.World
	tenant string
	r      *rand.Rand
	all    []happened
	ids    []uuid.UUID // of customers, merged ones included
	root   map[uuid.UUID]uuid.UUID
	of     map[uuid.UUID]map[string]string // customer dimensions by who stands for all
	first  map[uuid.UUID]time.Time
}

func (p *past) pick(values ...string) string { return values[p.r.IntN(len(values))] }

func (p *past) moment() time.Time {
	return time.Date(1997, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(p.r.IntN(365*24*3600)) * time.Second)
}

func (p *past) somebody() uuid.UUID { return p.ids[p.r.IntN(len(p.ids))] }

func (p *past) tell(table string, columns string, args ...any) {
	places := "$1"
	for i := range args {
		places += fmt.Sprintf(", $%d", i+2)
	}
	p.w.Admin("INSERT INTO "+table+" (tenant_id, "+columns+") VALUES ("+places+")", append([]any{p.tenant}, args...)...)
}

func (p *past) note(what string, at time.Time, customer uuid.UUID, by map[string]string, n map[string]float64) {
	p.all = append(p.all, happened{what: what, at: at, who: p.root[customer], by: by, n: n})
}

type dims = map[string]string
type nums = map[string]float64

// history makes a year up.
func history(t *testing.T, w *analyticstest.World, tenant string, seed uint64) *past {
	p := &past{t: t, w: w, tenant: tenant, r: rand.New(rand.NewPCG(seed, 1)), root: map[uuid.UUID]uuid.UUID{}, of: map[uuid.UUID]map[string]string{}, first: map[uuid.UUID]time.Time{}}
	for range 12 {
		id := analyticstest.ID()
		p.ids, p.root[id] = append(p.ids, id), id
	}
	for i := range 2 { // the first two are the same as the next two
		p.root[p.ids[i]] = p.ids[i+2]
		p.tell("live.customer_alias", "customer_id, survivor_id, merge_id, epoch, seq", p.ids[i], p.ids[i+2], analyticstest.ID(), 1, 1)
	}
	for _, id := range p.ids {
		at := p.moment()
		p.tell("live.fact_customer", "customer_id, kind, source, registered_at", id, "person", "shop", at)
		p.note("registered", at, id, nil, nil)
	}
	p.purchases()
	p.service()
	p.growth()
	p.loyalty()
	for i, id := range p.ids[2:] {
		if i < 2 { // merged into: has a portrait
			p.portrait(id)
		} else if i > 3 { // the others were erased
			p.portrait(id)
		}
	}
	return p
}

func (p *past) portrait(id uuid.UUID) {
	d := dims{"customer_kind": "person", "customer_source": p.pick("shop", "web"), "last_channel": p.pick("web", "shop"), "tier": p.pick("gold", ""), "rfm_cell": p.pick("loyal", "lost"),
		"grade": p.pick("top", "small", ""), "stage": p.pick("loyalty", "exploration"), "cluster": p.pick("a", "b")}
	var first *time.Time
	orders := 0
	if at, ok := p.first[id]; ok {
		first, orders = &at, 1
		d["cohort_month"] = at.Format("2006-01")
	}
	n := nums{"predicted": float64(p.r.IntN(10_000)), "realised": float64(p.r.IntN(10_000)), "churn": float64(p.r.IntN(1000)), "points": float64(p.r.IntN(500)), "orders": float64(orders)}
	p.tell("portrait", "customer_id, kind, source, last_channel, tier, rfm_cell, grade, stage, cluster, first_purchase_on, orders, predicted_value_minor, realised_value_minor, churn_permille, points_available, p_alive",
		id, d["customer_kind"], d["customer_source"], d["last_channel"], d["tier"], d["rfm_cell"], d["grade"], d["stage"], d["cluster"], first, orders,
		int64(n["predicted"]), int64(n["realised"]), int64(n["churn"]), int64(n["points"]), 0.5)
	p.of[id] = d
	p.note("portrait", time.Time{}, id, nil, n)
}

func (p *past) purchases() {
	for i := range 120 {
		at, customer, order := p.moment(), p.somebody(), analyticstest.ID()
		channel, currency, units, total := p.pick("web", "shop"), p.pick("USD", "USD", "EUR"), int64(1+p.r.IntN(5)), int64(p.r.IntN(10_000))
		by := dims{"channel": channel, "currency": currency}
		p.tell("live.fact_order", "order_id, customer_id, channel, currency, units, total_minor, placed_at, skus, quantities, amounts",
			order, customer, channel, currency, units, total, at, []string{"cd", "lp"}, []int64{1, units - 1}, []int64{total / 2, total - total/2})
		p.tell("live.sales_day", "currency, channel, day, slot, orders, units, gross_minor", currency, channel, metric.Day.Start(at), i, 1, units, total)
		for l, sku := range []string{"cd", "lp"} {
			p.note("line", at, customer, dims{"channel": channel, "currency": currency, "product": sku},
				nums{"units": []float64{1, float64(units - 1)}[l], "minor": []float64{float64(total / 2), float64(total - total/2)}[l]})
		}
		n := nums{"units": float64(units), "minor": float64(total)}
		if p.r.IntN(4) == 0 {
			back, when := 1+p.r.Int64N(units), at.Add(time.Duration(p.r.IntN(60*24))*time.Hour)
			p.tell("live.fact_return", "return_id, order_id, currency, units, amount_minor, returned_at", analyticstest.ID(), order, currency, back, total*back/units, when)
			p.tell("live.sales_day", "currency, channel, day, slot, returns, returned_units, returned_minor", currency, channel, metric.Day.Start(when), 1000+i, 1, back, total*back/units)
			p.note("return", when, customer, by, nums{"units": float64(back), "minor": float64(total * back / units)})
			n["back"] = 1
			if back == units {
				n["whole_back"] = 1
			}
		}
		p.note("order", at, customer, by, n)
		if first, ok := p.first[p.root[customer]]; n["whole_back"] == 0 && (!ok || at.Before(first)) {
			p.first[p.root[customer]] = metric.Day.Start(at)
		}
	}
}

func (p *past) service() {
	for range 60 {
		at, customer := p.moment(), p.somebody()
		by := dims{"ticket_kind": p.pick("enquiry", "incident"), "ticket_channel": p.pick("email", "phone"), "priority": p.pick("1", "2")}
		var solved *time.Time
		var first *bool
		hours, reopened := p.r.IntN(100), p.r.IntN(2)
		if p.r.IntN(3) > 0 {
			when, once := at.Add(time.Duration(hours)*time.Hour), p.r.IntN(2) == 0
			solved, first = &when, &once
			p.note("solved", when, customer, by, nums{"hours": float64(hours), "first": one(once), "known": 1})
		}
		p.tell("live.fact_ticket", "ticket_id, customer_id, kind, channel, priority, opened_at, resolved_at, first_contact, reopened", analyticstest.ID(), customer,
			by["ticket_kind"], by["ticket_channel"], int(by["priority"][0]-'0'), at, solved, first, reopened)
		p.note("ticket", at, customer, by, nums{"reopened": float64(reopened)})

		at, customer = p.moment(), p.somebody()
		cost, currency := int64(p.r.IntN(1000)), p.pick("USD", "EUR")
		by = dims{"complaint_category": p.pick("goods", "service"), "severity": p.pick("1", "4")}
		closed := at.Add(100 * time.Hour)
		p.tell("live.fact_complaint", "complaint_id, customer_id, category, severity, registered_at, closed_at, cost_minor, currency", analyticstest.ID(), customer,
			by["complaint_category"], int(by["severity"][0]-'0'), at, closed, cost, currency)
		p.note("complaint", at, customer, by, nil)
		p.note("remedy", closed, customer, dims{"complaint_category": by["complaint_category"], "severity": by["severity"], "currency": currency}, nums{"minor": float64(cost)})

		at, customer = p.moment(), p.somebody()
		by = dims{"interaction_channel": p.pick("phone", "visit"), "direction": p.pick("inbound", "outbound"), "touchpoint": p.pick("checkout", "")}
		p.tell("live.fact_interaction", "interaction_id, customer_id, channel, direction, touchpoint, outcome, duration_seconds, occurred_at", analyticstest.ID(), customer,
			by["interaction_channel"], by["direction"], by["touchpoint"], "done", 60, at)
		p.note("interaction", at, customer, by, nil)

		at, customer = p.moment(), p.somebody()
		kind, score, survey := p.pick("csat", "nps", "ces"), 1+p.r.IntN(5), analyticstest.ID()
		if kind == "nps" {
			score = p.r.IntN(11)
		}
		by = dims{"touchpoint": p.pick("checkout", "delivery"), "survey": survey.String()}
		p.tell("live.fact_answer", "answer_id, customer_id, survey_id, kind, score, touchpoint, answered_at", analyticstest.ID(), customer, survey, kind, score, by["touchpoint"], at)
		p.note("answer", at, customer, by, nums{kind: 1, "score": float64(score)})
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (p *past) growth() {
	for range 60 {
		at, customer := p.moment(), p.somebody()
		by := dims{"campaign": p.pick("spring", "autumn"), "touch_channel": p.pick("email", "sms"), "touch_origin": "nurture"}
		p.tell("live.fact_touch", "touch_id, customer_id, campaign, touch, channel, origin, at", analyticstest.ID(), customer, by["campaign"], "hello", by["touch_channel"], by["touch_origin"], at)
		p.note("touch", at, customer, by, nil)

		at, customer = p.moment(), p.somebody()
		by = dims{"capture": p.pick("api", "form"), "lead_source": p.pick("fair", "web"), "campaign": p.pick("spring", "")}
		var converted *time.Time
		if p.r.IntN(2) == 0 {
			when := at.Add(50 * time.Hour)
			converted = &when
			p.note("converted", when, customer, by, nil)
		}
		p.tell("live.fact_lead", "lead_id, customer_id, capture, source, campaign, captured_at, converted_at", analyticstest.ID(), customer, by["capture"], by["lead_source"], by["campaign"], at, converted)
		p.note("lead", at, customer, by, nums{"become": one(converted != nil)})

		at, customer = p.moment(), p.somebody()
		state, amount := p.pick("won", "lost", "withdrawn", "open"), int64(p.r.IntN(5000))
		by = dims{"pipeline": p.pick("b2b", "b2c"), "opportunity_source": p.pick("lead", "call"), "currency": p.pick("USD", "EUR")}
		var closed *time.Time
		if state != "open" {
			when := at.Add(70 * time.Hour)
			closed = &when
			with := dims{"loss_reason": p.pick("price", "")}
			for k, v := range by {
				with[k] = v
			}
			p.note("closed", when, customer, with, nums{state: 1, "minor": float64(amount)})
			by["loss_reason"] = with["loss_reason"]
		}
		p.tell("live.fact_opportunity", "opportunity_id, customer_id, pipeline, source, state, currency, amount_minor, opened_at, closed_at, reason", analyticstest.ID(), customer,
			by["pipeline"], by["opportunity_source"], state, by["currency"], amount, at, closed, by["loss_reason"])
		p.note("opened", at, customer, by, nil)
	}
}

func (p *past) loyalty() {
	for range 40 {
		at, customer := p.moment(), p.somebody()
		kind, n := p.pick("earned", "spent", "expired", "adjusted"), int64(1+p.r.IntN(100))
		by := dims{"points_reason": p.pick("order", "gift")}
		p.tell("live.fact_points", "entry_id, member_id, customer_id, kind, points, reason_type, at", analyticstest.ID(), analyticstest.ID(), customer, kind, n, by["points_reason"], at)
		p.note("points", at, customer, by, nums{kind: float64(n)})
		p.goesOn("member", dims{"programme": p.pick("club", "pro"), "member_tier": p.pick("gold", "")}, func(by dims, at time.Time, ended *time.Time, customer uuid.UUID) {
			p.tell("live.fact_member", "member_id, customer_id, programme, tier, enrolled_at, left_at", analyticstest.ID(), customer, by["programme"], by["member_tier"], at, ended)
		})
		p.goesOn("contract", dims{"plan": p.pick("month", "year")}, func(by dims, at time.Time, ended *time.Time, customer uuid.UUID) {
			p.tell("live.fact_membership", "membership_id, customer_id, plan, started_at, ended_at", analyticstest.ID(), customer, by["plan"], at, ended)
		})
	}
}

func (p *past) goesOn(what string, by dims, tell func(by dims, at time.Time, ended *time.Time, customer uuid.UUID)) {
	at, customer := p.moment().AddDate(0, -2, 0), p.somebody()
	h := happened{what: what, at: at, who: p.root[customer], by: by}
	var ended *time.Time
	if p.r.IntN(2) == 0 {
		when := at.Add(time.Duration(24*(1+p.r.IntN(200))) * time.Hour)
		ended, h.ended = &when, when
		p.all = append(p.all, happened{what: what + " ended", at: when, who: h.who, by: by})
	}
	tell(by, at, ended, customer)
	p.all = append(p.all, h)
}

// cellOf is what lies in one period and has one value of one dimension.
type cellOf struct {
	p        *past
	from, to time.Time // to is not in it
	by       string    // dimension; empty: all
	value    string    // empty: unknown
	whole    bool      // no time: as things stand
}

func (c cellOf) in(h happened) bool {
	if c.by == "" {
		return true
	}
	v, ok := h.by[c.by]
	if !ok {
		v = c.p.of[h.who][c.by]
	}
	return v == c.value
}

func (c cellOf) each(what string, do func(h happened)) {
	for _, h := range c.p.all {
		if h.what == what && c.in(h) && (c.whole || !h.at.Before(c.from) && h.at.Before(c.to)) {
			do(h)
		}
	}
}

// money tells whether an amount counts: all is asked in US dollars.
func (c cellOf) money(h happened) bool { return h.by["currency"] == "USD" || c.by == "currency" }

func (c cellOf) count(what string, when func(h happened) bool) (n float64) {
	c.each(what, func(h happened) {
		if when == nil || when(h) {
			n++
		}
	})
	return n
}

func (c cellOf) sum(what, field string, money bool) (n float64) {
	c.each(what, func(h happened) {
		if !money || c.money(h) {
			n += h.n[field]
		}
	})
	return n
}

func (c cellOf) buyers(when func(first time.Time) bool) float64 {
	seen := map[uuid.UUID]bool{}
	c.each("order", func(h happened) {
		if h.n["whole_back"] == 0 && when(c.p.first[h.who]) {
			seen[h.who] = true
		}
	})
	return float64(len(seen))
}

func (c cellOf) level(what string) (n float64) {
	for _, h := range c.p.all {
		if h.what == what && c.in(h) && h.at.Before(c.to) && (h.ended.IsZero() || !h.ended.Before(c.to)) {
			n++
		}
	}
	return n
}

func has(field string) func(h happened) bool { return func(h happened) bool { return h.n[field] > 0 } }

func score(kind string, from, to float64) func(h happened) bool {
	return func(h happened) bool { return h.n[kind] > 0 && h.n["score"] >= from && h.n["score"] <= to }
}

func everyFirst(time.Time) bool { return true }

// ref is a slow reckoning: the value, or numerator and denominator.
type ref func(c cellOf) (value, sample float64)

func plain(f func(c cellOf) float64) ref {
	return func(c cellOf) (float64, float64) { return f(c), math.NaN() }
}

func counts(what string) ref { return plain(func(c cellOf) float64 { return c.count(what, nil) }) }

func sums(what, field string, money bool) ref {
	return plain(func(c cellOf) float64 { return c.sum(what, field, money) })
}

func over(a, b func(c cellOf) float64) ref {
	return func(c cellOf) (float64, float64) { return a(c) / b(c), b(c) }
}

func counting(what string, when func(h happened) bool) func(c cellOf) float64 {
	return func(c cellOf) float64 { return c.count(what, when) }
}

func summing(what, field string, money bool) func(c cellOf) float64 {
	return func(c cellOf) float64 { return c.sum(what, field, money) }
}

// sale reckons by lines where the cut is by product, and by orders elsewhere.
func sale(field string, money bool) ref {
	return plain(func(c cellOf) float64 {
		if c.by == "product" {
			return c.sum("line", field, money)
		}
		return c.sum("order", field, money)
	})
}

func newBuyers(c cellOf) float64 {
	return c.buyers(func(first time.Time) bool { return !first.Before(c.from) })
}

func oldBuyers(c cellOf) float64 {
	return c.buyers(func(first time.Time) bool { return first.Before(c.from) })
}

func allBuyers(c cellOf) float64 { return c.buyers(everyFirst) }

var slow = map[string]ref{
	"gross_revenue": sale("minor", true), "units": sale("units", false), "orders": counts("order"),
	"returned_revenue": sums("return", "minor", true), "returns": counts("return"), "returned_units": sums("return", "units", false),
	"net_revenue":         plain(func(c cellOf) float64 { return c.sum("order", "minor", true) - c.sum("return", "minor", true) }),
	"average_order_value": over(summing("order", "minor", true), func(c cellOf) float64 { return c.count("order", c.money) }),
	"return_rate":         over(counting("order", has("back")), counting("order", nil)),
	"returned_share":      over(summing("return", "minor", true), summing("order", "minor", true)),
	"buyers":              plain(allBuyers), "new_customers": plain(newBuyers), "returning_buyers": plain(oldBuyers), "repeat_rate": over(oldBuyers, allBuyers),
	"registrations": plain(func(c cellOf) float64 {
		seen := map[uuid.UUID]bool{}
		c.each("registered", func(h happened) { seen[h.who] = true })
		return float64(len(seen))
	}),
	"tickets_opened": counts("ticket"), "tickets_resolved": counts("solved"),
	"first_contact_resolution": over(counting("solved", has("first")), counting("solved", has("known"))),
	"hours_to_resolve":         over(summing("solved", "hours", false), counting("solved", nil)),
	"reopened_rate":            over(counting("ticket", has("reopened")), counting("ticket", nil)),
	"complaints":               counts("complaint"), "complaints_closed": counts("remedy"), "remedy_cost": sums("remedy", "minor", true),
	"complaints_per_1000_orders": over(func(c cellOf) float64 { return 1000 * c.count("complaint", nil) }, counting("order", nil)),
	"survey_answers":             counts("answer"), "interactions": counts("interaction"), "touches": counts("touch"),
	"csat": over(counting("answer", score("csat", 4, 5)), counting("answer", has("csat"))),
	"nps": func(c cellOf) (float64, float64) {
		n := c.count("answer", has("nps"))
		return (c.count("answer", score("nps", 9, 10)) - c.count("answer", score("nps", 0, 6))) / n, n
	},
	"points_earned": sums("points", "earned", false), "points_spent": sums("points", "spent", false), "points_expired": sums("points", "expired", false),
	"active_members":      plain(func(c cellOf) float64 { return c.level("member") }),
	"running_memberships": plain(func(c cellOf) float64 { return c.level("contract") }),
	"started_memberships": counts("contract"), "churned_memberships": counts("contract ended"),
	"leads_captured": counts("lead"), "leads_converted": counts("converted"), "lead_conversion": over(counting("lead", has("become")), counting("lead", nil)),
	"opportunities_opened": counts("opened"), "opportunities_won": plain(counting("closed", has("won"))),
	"won_amount": plain(func(c cellOf) (n float64) {
		c.each("closed", func(h happened) {
			if h.n["won"] > 0 && c.money(h) {
				n += h.n["minor"]
			}
		})
		return n
	}),
	"win_rate":  over(counting("closed", has("won")), counting("closed", func(h happened) bool { return h.n["won"]+h.n["lost"] > 0 })),
	"customers": counts("portrait"), "customers_who_bought": plain(counting("portrait", has("orders"))),
	"predicted_value": sums("portrait", "predicted", false), "realised_value": sums("portrait", "realised", false), "points_held": sums("portrait", "points", false),
	"mean_churn_risk": over(func(c cellOf) float64 { return c.sum("portrait", "churn", false) / 1000 }, counting("portrait", nil)),
	"mean_p_alive":    over(func(c cellOf) float64 { return c.count("portrait", nil) / 2 }, counting("portrait", nil)),
}

func TestEveryBuiltInMetricIsWhatASlowReckoningFromTheSameFactsGives(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	p := history(t, w, "music", 7)
	history(t, w, "pizza", 8)
	q := metric.NewQueries(w.DB, time.Now, metric.NoSegments)
	from, to := time.Date(1997, 2, 10, 0, 0, 0, 0, time.UTC), time.Date(1997, 10, 20, 0, 0, 0, 0, time.UTC)
	for _, m := range metric.BuiltIn() {
		reckon, ok := slow[m.Code]
		require.True(t, ok, "%s has no slow reckoning", m.Code)
		grains := []metric.Grain{metric.Whole, metric.Week, metric.Month, metric.Quarter}
		if m.Grain == metric.Now {
			grains = grains[:1]
		}
		for _, grain := range grains {
			totals := map[time.Time]float64{}
			for _, by := range append([]string{""}, m.Dimensions...) {
				question := metric.Question{Metrics: []string{m.Code}, Grain: grain, Currency: "USD"}
				if m.Grain != metric.Now {
					question.From, question.To = from, to
				}
				if by != "" {
					question.By = []string{by}
				}
				if by == "currency" {
					question.Currency = ""
				}
				a, err := q.Ask(t.Context(), "music", question, metric.InBody)
				require.NoError(t, err, "%s by %s", m.Code, by)
				sums := map[time.Time]float64{}
				for _, row := range a.Rows {
					c := cellOf{p: p, from: from, to: to.AddDate(0, 0, 1), by: by, whole: m.Grain == metric.Now}
					if grain != metric.Whole {
						c.from, c.to = later(from, row.Start), earlier(c.to, grain.Add(row.Start, 1))
					}
					if by != "" && row.By[0] != nil {
						c.value = *row.By[0]
					}
					value, sample := reckon(c)
					same(t, value, row.Values[0].Value, "%s %s by %s = %q in %s", m.Code, grain, by, c.value, row.Start)
					if !math.IsNaN(sample) {
						same(t, sample, row.Values[0].Sample, "sample of %s by %s", m.Code, by)
					}
					if v := row.Values[0]; v.Low != nil {
						require.True(t, *v.Low <= *v.Value && *v.Value <= *v.High)
					}
					sums[row.Start] += deref(row.Values[0].Value)
				}
				switch {
				case by == "":
					require.NotEmpty(t, a.Rows)
					totals = sums
				case m.Adds == metric.AddsUp && (by != "currency" || m.Unit != metric.Money):
					for at, total := range totals {
						require.InDelta(t, total, sums[at], 1e-6, "%s by %s does not add up in %s", m.Code, by, at)
					}
				}
			}
		}
	}
}

func later(a, b time.Time) time.Time { return slices.MaxFunc([]time.Time{a, b}, time.Time.Compare) }

func earlier(a, b time.Time) time.Time { return slices.MinFunc([]time.Time{a, b}, time.Time.Compare) }

func deref(f *float64) float64 {
	if f == nil {
		return 0
	}
	return *f
}

func same(t *testing.T, want float64, got *float64, format string, args ...any) {
	t.Helper()
	if math.IsNaN(want) || math.IsInf(want, 0) {
		require.Nil(t, got, fmt.Sprintf(format, args...))
		return
	}
	require.NotNil(t, got, fmt.Sprintf(format, args...))
	require.InDelta(t, want, *got, 1e-6, fmt.Sprintf(format, args...))
}
