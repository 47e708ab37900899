package value

import (
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Settings are by what values are reckoned. Amounts are minor units of Currency.
type Settings struct {
	Version       int64 // 0: the defaults
	Currency      string
	Margin        float64 // share of revenue, net of tax, that is left once the goods are paid
	Tax           float64 // rate that is in the totals of orders, such as 0.13
	AnnualRate    float64 // by which money is discounted
	HorizonMonths int     // of predicted value
	PurchaseModel string
	TicketMinor   int64            // cost to serve of a ticket
	Touches       map[string]int64 // cost of a touch by its origin: nurture, retention, survey
	Acquisition   map[string]int64 // cost of acquiring a customer by source
	// AcquisitionMinor is that of other sources.
	AcquisitionMinor int64
	ChangedAt        time.Time
	ChangedBy        string
}

// Defaults are the settings of a tenant that has set nothing: all that is bought is margin, nothing costs anything, money loses a
// tenth a year, and three years count.
func Defaults() Settings {
	return Settings{Margin: 1, AnnualRate: 0.1, HorizonMonths: 36, PurchaseModel: KindBGNBD, Touches: map[string]int64{}, Acquisition: map[string]int64{}}
}

// monthlyRate is i = (1 + annual)^(1/12) − 1.
func (s Settings) monthlyRate() float64 { return math.Pow(1+s.AnnualRate, 1.0/12) - 1 }

// costsIn are the settings for the reporting currency: what was set in another one costs nothing known.
func (s Settings) costsIn(currency string) Settings {
	if s.Currency != currency {
		s.TicketMinor, s.Touches, s.Acquisition, s.AcquisitionMinor = 0, nil, nil, 0
	}
	return s
}

// weeksOfMonths is how many weeks so many months have: k · 365.25/84.
func weeksOfMonths(k int) float64 { return float64(k) * 365.25 / 84 }

// bought is what a customer bought, net, on a day in a currency.
type bought struct {
	day      time.Time
	currency string
	net      int64
}

// caused is something a customer caused on a day that costs.
type caused struct {
	day   time.Time
	what  string // ticket, complaint, or touch
	minor int64
}

// story is what is known of one customer up to a day.
type story struct {
	customer   uuid.UUID
	source     string
	registered time.Time // zero: not known
	bought     []bought  // by day
	caused     []caused
}

// begin is when the customer was won: the day of the first net purchase, else that of the registration.
func (s story) begin() time.Time {
	if len(s.bought) > 0 {
		return s.bought[0].day
	}
	return s.registered.Truncate(24 * time.Hour)
}

// Month is one term of the textbook's sum.
type Month struct {
	Month        int   `json:"month" doc:"Whole months since the customer was won."`
	RevenueMinor int64 `json:"revenue_minor" doc:"Net of returns and tax."`
	CostMinor    int64 `json:"cost_minor" doc:"What the customer caused: goods, service, remedies, touches."`
	ValueMinor   int64 `json:"value_minor" doc:"(revenue − cost) / (1 + i)^month."`
}

// Realised is the textbook's lifetime value of what was, with its parts.
type Realised struct {
	Minor            int64
	Begin            time.Time
	AcquisitionMinor int64
	RevenueMinor     int64 // net of returns and tax, not discounted; so are the costs
	GoodsMinor       int64
	ServiceMinor     int64
	RemediesMinor    int64
	TouchesMinor     int64
	Months           []Month // those in which something was
}

// realise reckons CLV = −AC + Σ_t (R_t − C_t)/(1+i)^t over whole months t since the customer was won, in the currency: R net of returns
// and tax, C only what the customer caused. What was before the customer was won counts in month 0.
func realise(s story, set Settings, currency string) Realised {
	set = set.costsIn(currency)
	r := Realised{Begin: s.begin(), AcquisitionMinor: set.AcquisitionMinor}
	if ac, ok := set.Acquisition[s.source]; ok {
		r.AcquisitionMinor = ac
	}
	type sums struct{ revenue, cost float64 }
	months := make(map[int]*sums)
	at := func(day time.Time) *sums {
		t := max(0, wholeMonths(r.Begin, day))
		if months[t] == nil {
			months[t] = new(sums)
		}
		return months[t]
	}
	var revenue, goods, service, remedies, touches float64
	for _, b := range s.bought {
		if b.currency != currency {
			continue
		}
		in := float64(b.net) / (1 + set.Tax)
		m := at(b.day)
		m.revenue += in
		m.cost += in * (1 - set.Margin)
		revenue += in
		goods += in * (1 - set.Margin)
	}
	for _, c := range s.caused {
		cost := float64(c.minor)
		switch c.what {
		case "ticket":
			cost = float64(set.TicketMinor)
			service += cost
		case "complaint":
			remedies += cost
		default:
			cost = float64(set.Touches[c.what])
			touches += cost
		}
		if cost != 0 {
			at(c.day).cost += cost
		}
	}
	total := -float64(r.AcquisitionMinor)
	i := set.monthlyRate()
	ts := make([]int, 0, len(months))
	for t := range months {
		ts = append(ts, t)
	}
	slices.Sort(ts)
	for _, t := range ts {
		m := months[t]
		worth := (m.revenue - m.cost) / math.Pow(1+i, float64(t))
		total += worth
		r.Months = append(r.Months, Month{t, roundAway(m.revenue), roundAway(m.cost), roundAway(worth)})
	}
	r.Minor, r.RevenueMinor, r.GoodsMinor = roundAway(total), roundAway(revenue), roundAway(goods)
	r.ServiceMinor, r.RemediesMinor, r.TouchesMinor = roundAway(service), roundAway(remedies), roundAway(touches)
	return r
}

// wholeMonths counts months from one day to another that are over: from 31 January to 28 February it is 0, to 1 March 1.
func wholeMonths(from, to time.Time) int {
	n := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
	if to.Day() < from.Day() {
		n--
	}
	return n
}

// models are those in use that predict with.
type models struct {
	purchases        purchaseModel // nil: none is in use
	purchaseKind     string
	purchaseCurrency string // only days of purchases in it count; empty: all
	spend            *GammaGamma
	spendCurrency    string
	version          string // of both, as events name it
}

// Predicted is what a customer is expected to be worth, with its parts. What is nil cannot be told, and Why says so.
type Predicted struct {
	Minor         *int64
	History       History
	SpendMinor    int64    // mean net spend of the days after the first
	PAlive        *float64 // nil also where it is not defined
	Purchases     *float64 // within the horizon
	ExpectedSpend *float64 // minor units a purchase, tax included
	Discounted    *float64 // purchases within the horizon, each discounted
	Why           string   // code of what is missing; empty
}

// predict reckons margin · E[M]/(1+tax) · Σ_{k=1..horizon} ΔE[Y(k·365.25/84)]/(1+i)^k as of a day.
func predict(s story, set Settings, m models, currency string, asOf time.Time, known map[History]foretold) (p Predicted) {
	if m.purchases == nil {
		p.Why = "no_purchase_model"
		return p
	}
	h, spend, ok := historyOf(s, m.purchaseCurrency, currency, asOf)
	if !ok {
		p.Why = "no_purchase"
		return p
	}
	p.History = h
	f, ok := known[h]
	if !ok {
		f = foretell(m.purchases, h, set)
		f.alive = aliveOf(m.purchaseKind, m.purchases, h)
		known[h] = f
	}
	p.PAlive, p.Purchases, p.Discounted = f.alive, &f.purchases, &f.discounted
	p.SpendMinor = roundAway(spend.M)
	switch {
	case m.spend == nil:
		p.Why = "no_spend_model"
		return p
	case m.spendCurrency != currency:
		p.Why = "spend_model_of_another_currency"
		return p
	}
	spend.M /= major(currency)
	if spend.M <= 0 {
		spend = Spend{} // the model does not know of purchases that are worth nothing: it is a customer like all
	}
	mean, ok := m.spend.Expected(spend)
	if !ok {
		p.Why = "spend_without_mean"
		return p
	}
	mean *= major(currency)
	minor := roundAway(set.Margin * mean / (1 + set.Tax) * f.discounted)
	p.ExpectedSpend, p.Minor = &mean, &minor
	return p
}

// foretold is what a purchase model says of a history within the horizon.
type foretold struct {
	alive                 *float64
	purchases, discounted float64
}

func foretell(m purchaseModel, h History, set Settings) (f foretold) {
	i := set.monthlyRate()
	discount, before := 1.0, 0.0
	for k := 1; k <= set.HorizonMonths; k++ {
		discount /= 1 + i
		e := m.Expected(h, weeksOfMonths(k))
		f.discounted += (e - before) * discount
		before = e
	}
	f.purchases = before
	return f
}

// historyOf gives what the models know of a customer on a day: purchase days in one currency (all where it is empty), and the mean
// net spend, in minor units of another, of the days after the first on which something was bought in that one.
func historyOf(s story, purchases, spend string, asOf time.Time) (h History, m Spend, ok bool) {
	var first, last time.Time
	var days int64
	var firstSpent time.Time
	var spendDays, net int64
	for _, b := range s.bought {
		if purchases == "" || b.currency == purchases {
			if days == 0 {
				first = b.day
			}
			if days == 0 || !b.day.Equal(last) {
				days++
			}
			last = b.day
		}
		if b.currency == spend {
			if firstSpent.IsZero() {
				firstSpent = b.day
			} else {
				spendDays++
				net += b.net
			}
		}
	}
	if days == 0 {
		return h, m, false
	}
	week := float64(7 * 24 * time.Hour)
	h = History{X: days - 1, Recency: float64(last.Sub(first)) / week, Age: float64(asOf.Sub(first)) / week}
	if spendDays > 0 {
		m = Spend{X: spendDays, M: float64(net) / float64(spendDays)}
	}
	return h, m, true
}
