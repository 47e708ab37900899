// Package value reckons what customers are worth: models of how often they buy (BG/NBD, Pareto/NBD), of what a purchase is worth
// (Gamma-Gamma) and of contracts (sBG), fitted to facts or to uploaded tables; the textbook's lifetime value of what was; the
// predicted value of what is to come; and customer equity, the sum of the latter.
package value

import (
	"math"
	"strconv"
	"time"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Kinds of models.
const (
	KindBGNBD      = "bgnbd"
	KindParetoNBD  = "pareto-nbd"
	KindGammaGamma = "gamma-gamma"
	KindSBG        = "sbg"
)

// Least that a model is fitted to.
const (
	leastCustomers = 10 // of purchase models
	leastRepeaters = 3  // of them, those who bought on a further day
	leastSpenders  = 10 // of Gamma-Gamma
	leastContracts = 10 // of sBG
)

// Bounds of what a table may say.
const (
	maxCount    = 1_000_000
	maxTime     = 1_000_000 // in the unit of the table
	maxHorizons = 12
)

// Values is what can be done with values of customers.
type Values struct {
	db     *pg.DB
	outbox *outbox.Outbox
	runs   *run.Runs
	clock  func() time.Time
	chunk  int // customers of one step of a run
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, runs *run.Runs, clock func() time.Time) *Values {
	return &Values{db: db, outbox: o, runs: runs, clock: clock, chunk: chunk}
}

func (v *Values) now() time.Time { return v.clock().UTC().Truncate(time.Microsecond) }

func (v *Values) today() time.Time { return v.clock().UTC().Truncate(24 * time.Hour) }

// Offer gives the kinds of models to m, so that they can be fitted and used.
func (v *Values) Offer(m *model.Models) {
	model.Take(m, model.Offer[PurchaseFit]{
		Kind: KindBGNBD, Summary: "Fit how often customers buy, by BG/NBD", Description: purchaseText, Fit: v.fitPurchases(KindBGNBD), Used: v.used,
	})
	model.Take(m, model.Offer[PurchaseFit]{
		Kind: KindParetoNBD, Summary: "Fit how often customers buy, by Pareto/NBD", Description: purchaseText, Fit: v.fitPurchases(KindParetoNBD), Used: v.used,
	})
	model.Take(m, model.Offer[SpendFit]{
		Kind: KindGammaGamma, Summary: "Fit what a purchase is worth, by Gamma-Gamma",
		Description: "Rows are customers with frequency (distinct purchase days after the first) and monetary_value (mean net spend of those days, above 0). " +
			"Of facts it is reckoned in major units of the currency. Whoever has no such day, or spent nothing net on them, is left out.",
		Fit: v.fitSpend, Used: v.used,
	})
	model.Take(m, model.Offer[ContractFit]{
		Kind: KindSBG, Summary: "Fit how long contracts are renewed, by the shifted-beta-geometric model",
		Description: "Rows are renewals by number: how many went at it and, of those not seen any further, how many stayed; or how many survived each, from 0 for all at the start. " +
			"Of facts it is the paid memberships: one that has ended went at the renewal after its last, one that runs stayed at those it had.",
		Fit: v.fitContracts,
	})
}

const purchaseText = "Rows are customers with frequency (distinct purchase days after the first), recency (time from the first to the last) and T (time from the first to the cut-off), " +
	"all in one unit of time. Of facts the unit is the week, days divided by 7; orders that came back whole up to the cut-off do not count."

// purchaseModel is a model of how often customers buy.
type purchaseModel interface {
	Alive(h History) float64
	Expected(h History, t float64) float64
	New(t float64) float64
	Count(x int, t float64) float64
}

// purchaseModelOf gives the model of the parameters that were kept.
func purchaseModelOf(kind string, p map[string]float64) purchaseModel {
	if kind == KindParetoNBD {
		return ParetoNBD{p["r"], p["alpha"], p["s"], p["beta"]}
	}
	return BGNBD{p["r"], p["alpha"], p["a"], p["b"]}
}

// aliveOf is how likely the customer is active; nil where the model cannot tell: by BG/NBD nobody goes before the second purchase.
func aliveOf(kind string, m purchaseModel, h History) *float64 {
	if kind == KindBGNBD && h.X == 0 {
		return nil
	}
	p := m.Alive(h)
	return &p
}

// named gives numbers their names.
func named(names []string, values []float64) map[string]float64 {
	out := make(map[string]float64, len(values))
	for i, v := range values {
		out[names[i]] = v
	}
	return out
}

// quality is what every estimate says of itself: AIC = 2k − 2 log L, BIC = k log n − 2 log L.
func (e estimate) quality(n float64) map[string]float64 {
	k := float64(len(e.params))
	converged := 0.0
	if e.converged {
		converged = 1
	}
	return map[string]float64{
		"log_likelihood": e.logLikelihood, "aic": 2*k - 2*e.logLikelihood, "bic": k*math.Log(n) - 2*e.logLikelihood, "evaluations": float64(e.evaluations),
		"converged": converged,
	}
}

// warnings says what to mind about an estimate.
func (e estimate) warnings() (all []model.Warning) {
	if !e.converged {
		all = append(all, model.Warn("search_unfinished", "The search did not come to rest at a top: the estimates are the best that were seen."))
	}
	if e.edge {
		all = append(all, model.Warn("parameter_at_edge", "A parameter ran away to 0 or without end: the data do not tell it. Predictions may still be right; there are no standard errors."))
	}
	if e.errors == nil && !e.edge {
		all = append(all, model.Warn("errors_undefined", "The likelihood is too flat for standard errors."))
	}
	return all
}

// usable refuses an estimate that says nothing.
func (e estimate) usable() error {
	if math.IsInf(e.logLikelihood, 0) || math.IsNaN(e.logLikelihood) {
		return model.NotEnough("The model could not be fitted to these rows: its likelihood has no finite value near any start.")
	}
	return nil
}

// rowID reads the id of a JSON row, a text or a number.
func rowID(v any) (string, bool) {
	switch id := v.(type) {
	case string:
		return id, id != "" && len(id) <= 200
	case float64:
		return strconv.FormatFloat(id, 'f', -1, 64), true
	}
	return "", false
}

// unique refuses a table in which an id comes twice.
type unique map[string]int

func (u unique) add(row int, id string) error {
	if first, there := u[id]; there {
		return model.RowFault(row, "id", "is the id of row "+strconv.Itoa(first+1)+", too")
	}
	u[id] = row
	return nil
}

// day reads a day; ok is false where it is none.
func day(s string) (time.Time, bool) {
	d, err := time.Parse(time.DateOnly, s)
	return d, err == nil
}

// checkFacts gives what is wrong with a cut-off and a currency; both may be empty.
func checkFacts(source, cutoff, currency string) (faults []problem.Field) {
	if cutoff != "" {
		if _, ok := day(cutoff); !ok {
			faults = append(faults, problem.Field{Location: "cutoff", Code: "date", Message: "is not a day of the form 2006-01-02"})
		}
	}
	if currency != "" {
		if _, ok := money.Digits(currency); !ok {
			faults = append(faults, problem.Field{Location: "currency", Code: "currency_unknown", Message: "is not a code of ISO 4217"})
		}
	}
	if source == model.FromTable && (cutoff != "" || currency != "") {
		faults = append(faults, problem.Field{Location: "source", Code: "not_allowed", Message: "a cut-off and a currency are for facts; a table has its own"})
	}
	return faults
}

// cutoffDay gives the day of a cut-off, today where there is none; one in the future is refused.
func (v *Values) cutoffDay(s string) (time.Time, error) {
	today := v.today()
	if s == "" {
		return today, nil
	}
	d, _ := day(s)
	if d.After(today) {
		return d, problem.InvalidBody("validation_failed", "Some of what was sent is not valid; errors says what.",
			[]problem.Field{{Location: "cutoff", Code: "in_future", Message: "is in the future"}})
	}
	return d, nil
}

// major is how many minor units make one unit of the currency.
func major(currency string) float64 {
	digits, _ := money.Digits(currency)
	return math.Pow10(digits)
}

// roundAway rounds half away from zero.
func roundAway(v float64) int64 { return int64(math.Round(v)) }
