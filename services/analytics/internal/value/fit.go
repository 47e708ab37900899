package value

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// PurchaseFit is the body of a fit of BG/NBD or Pareto/NBD.
type PurchaseFit struct {
	model.Input
	Cutoff       string        `json:"cutoff,omitempty" doc:"Of facts: the last day that is looked at, UTC; left out: today." example:"1997-09-30"`
	Currency     string        `json:"currency,omitempty" doc:"Of facts: only orders in it count; left out: all do."`
	HoldoutUntil string        `json:"holdout_until,omitempty" doc:"Of facts: what was bought after the cut-off up to this day is held against what the model expected."`
	HoldoutTime  float64       `json:"holdout_time,omitempty" query:"holdout_time" minimum:"0" maximum:"1000000" doc:"Of a table with a column holdout: how long the time is in which those purchases took place."`
	Horizons     []float64     `json:"horizons,omitempty" query:"horizons" maxItems:"12" nullable:"false" doc:"Times after the cut-off for which purchases are predicted, in the unit of the table (facts: weeks); left out: 13, 26, 39, 52."`
	Rows         []PurchaseRow `json:"rows,omitempty" nullable:"false"`
}

// PurchaseRow is one customer of a table.
type PurchaseRow struct {
	ID        any      `json:"id" doc:"A text or a number; unique within the table. Nothing personal."`
	Frequency float64  `json:"frequency" doc:"Distinct purchase days after the first: 0, 1, 2 and so on."`
	Recency   float64  `json:"recency" doc:"Time from the first to the last purchase; 0 without a further one."`
	T         float64  `json:"T" doc:"Time from the first purchase to the cut-off."`
	Holdout   *float64 `json:"holdout,omitempty" doc:"Purchase days after the cut-off, within holdout_time."`
}

// Given tells whether rows were given.
func (f *PurchaseFit) Given() (int, bool) { return len(f.Rows), f.Rows != nil }

// Check gives what is wrong with the settings.
func (f *PurchaseFit) Check() []problem.Field {
	faults := checkFacts(f.Source, f.Cutoff, f.Currency)
	for _, h := range f.Horizons {
		if !(h > 0 && h <= 5200) {
			faults = append(faults, problem.Field{Location: "horizons", Code: "out_of_range", Message: "must be above 0, and 5200 at most"})
			break
		}
	}
	if f.HoldoutUntil != "" {
		until, ok := day(f.HoldoutUntil)
		cutoff, cut := day(f.Cutoff)
		switch {
		case !ok:
			faults = append(faults, problem.Field{Location: "holdout_until", Code: "date", Message: "is not a day of the form 2006-01-02"})
		case !cut || !until.After(cutoff):
			faults = append(faults, problem.Field{Location: "holdout_until", Code: "out_of_range", Message: "needs a cutoff before it"})
		}
	}
	return faults
}

func (f *PurchaseFit) horizons() []float64 {
	if len(f.Horizons) == 0 {
		return []float64{13, 26, 39, 52}
	}
	return f.Horizons
}

// tableRow is a row of a table that holds.
type tableRow struct {
	id string
	History
	held int64 // purchases after the cut-off
}

// purchaseTable reads and checks the rows of the order.
func purchaseTable(o model.Order[PurchaseFit]) (rows []tableRow, held bool, err error) {
	in := o.Body.Rows
	if o.Table != nil {
		if in, err = purchaseRows(o.Table); err != nil {
			return nil, false, err
		}
	}
	seen := make(unique, len(in))
	rows = make([]tableRow, len(in))
	for i, r := range in {
		id, ok := rowID(r.ID)
		if !ok {
			return nil, false, model.RowFault(i, "id", "is neither a number nor a text of 1 to 200 bytes")
		}
		if err := seen.add(i, id); err != nil {
			return nil, false, err
		}
		if field, fault := r.fault(); fault != "" {
			return nil, false, model.RowFault(i, field, fault)
		}
		rows[i] = tableRow{id: id, History: History{X: int64(r.Frequency), Recency: r.Recency, Age: r.T}}
		if r.Holdout != nil {
			held = true
			rows[i].held = int64(*r.Holdout)
		}
	}
	if held && o.Body.HoldoutTime <= 0 {
		return nil, false, problem.InvalidBody("validation_failed", "Some of what was sent is not valid; errors says what.",
			[]problem.Field{{Location: "holdout_time", Code: "required", Message: "is missing: rows say what was bought after the cut-off"}})
	}
	return rows, held, nil
}

// fault gives the field that breaks a rule, and how; empty where none does.
func (r PurchaseRow) fault() (field, fault string) {
	whole := func(v float64) bool { return v == math.Trunc(v) }
	switch {
	case r.Frequency < 0:
		return "frequency", "is below 0"
	case !whole(r.Frequency) || r.Frequency > maxCount:
		return "frequency", "is not a whole number up to 1000000"
	case r.T < 0:
		return "T", "is below 0"
	case r.T > maxTime:
		return "T", "is above 1000000"
	case r.Recency < 0:
		return "recency", "is below 0"
	case r.Recency > r.T:
		return "recency", "is after T"
	case r.Frequency == 0 && r.Recency != 0:
		return "recency", "is not 0 although there was no purchase after the first"
	case r.Frequency > 0 && r.Recency == 0:
		return "recency", "is 0 although there was a purchase after the first"
	case r.Holdout != nil && (*r.Holdout < 0 || !whole(*r.Holdout) || *r.Holdout > maxCount):
		return "holdout", "is not a whole number from 0 to 1000000"
	}
	return "", ""
}

// purchaseRows reads an uploaded table with the columns id, frequency, recency, T and, where it is there, holdout.
func purchaseRows(t *model.Table) ([]PurchaseRow, error) {
	var places [4]int
	for i, name := range []string{"id", "frequency", "recency", "T"} {
		var err error
		if places[i], err = t.Column(name); err != nil {
			return nil, err
		}
	}
	holdout, missing := t.Column("holdout")
	rows := make([]PurchaseRow, len(t.Rows))
	for i := range t.Rows {
		r := PurchaseRow{ID: strings.TrimSpace(t.Rows[i][places[0]])}
		for j, to := range []*float64{&r.Frequency, &r.Recency, &r.T} {
			v, err := t.Number(i, places[j+1])
			if err != nil {
				return nil, err
			}
			*to = v
		}
		if missing == nil {
			v, err := t.Number(i, holdout)
			if err != nil {
				return nil, err
			}
			r.Holdout = &v
		}
		rows[i] = r
	}
	return rows, nil
}

// purchasePrediction is what a purchase model says of one row.
type purchasePrediction struct {
	ID        string      `json:"id"`
	Frequency int64       `json:"frequency"`
	Recency   float64     `json:"recency"`
	T         float64     `json:"T"`
	PAlive    *float64    `json:"p_alive"` // null where it is not defined
	Expected  []atHorizon `json:"expected"`
}

type atHorizon struct {
	Horizon   float64 `json:"horizon"`
	Purchases float64 `json:"purchases"`
}

// fitPurchases makes the fit of a kind of purchase model.
func (v *Values) fitPurchases(kind string) func(ctx context.Context, o model.Order[PurchaseFit]) (model.Fitted, error) {
	return func(ctx context.Context, o model.Order[PurchaseFit]) (model.Fitted, error) {
		if o.Source == model.FromFacts {
			return v.fitPurchaseFacts(ctx, kind, o)
		}
		rows, held, err := purchaseTable(o)
		if err != nil {
			return model.Fitted{}, err
		}
		s := sample{until: o.Body.HoldoutTime, holds: held}
		for _, r := range rows {
			s.add(outcome{History: r.History, held: r.held}, 1)
		}
		f, m, err := s.fit(kind, o.Body.horizons())
		if err != nil {
			return f, err
		}
		f.Predictions = predictPurchases(kind, m, rows, o.Body.horizons())
		return f, nil
	}
}

func (v *Values) fitPurchaseFacts(ctx context.Context, kind string, o model.Order[PurchaseFit]) (model.Fitted, error) {
	cutoff, err := v.cutoffDay(o.Body.Cutoff)
	if err != nil {
		return model.Fitted{}, err
	}
	until := cutoff
	if o.Body.HoldoutUntil != "" {
		until, _ = day(o.Body.HoldoutUntil)
	}
	s, err := v.readSample(ctx, o.Tenant, o.Body.Currency, cutoff, until)
	if err != nil {
		return model.Fitted{}, err
	}
	f, _, err := s.fit(kind, o.Body.horizons())
	f.Cutoff, f.Currency = cutoff, o.Body.Currency
	return f, err
}

// predictPurchases says of each row what the model expects; equal histories are reckoned once.
func predictPurchases(kind string, m purchaseModel, rows []tableRow, horizons []float64) []any {
	known := make(map[History]purchasePrediction)
	out := make([]any, len(rows))
	for i, r := range rows {
		p, ok := known[r.History]
		if !ok {
			p = purchasePrediction{Frequency: r.X, Recency: r.Recency, T: r.Age, PAlive: aliveOf(kind, m, r.History)}
			for _, t := range horizons {
				p.Expected = append(p.Expected, atHorizon{t, m.Expected(r.History, t)})
			}
			known[r.History] = p
		}
		p.ID = r.id
		out[i] = p
	}
	return out
}

// outcome is a history and what came after the cut-off.
type outcome struct {
	History
	held int64
}

// sample is customers to fit a purchase model to.
type sample struct {
	outcomes map[outcome]int64
	holds    bool    // what came after the cut-off is known
	until    float64 // how long after the cut-off it is known
	cutoff   time.Time
	repeats  map[int]int64 // purchase days after the first by day, counted from the first of all days; nil where they are not known
	begins   map[int]int64 // customers by the day of their first purchase, likewise
	origin   time.Time     // that first day
}

func (s *sample) add(o outcome, n int64) {
	if s.outcomes == nil {
		s.outcomes = make(map[outcome]int64)
	}
	s.outcomes[o] += n
}

// fit fits the model and says how good it is.
func (s *sample) fit(kind string, horizons []float64) (model.Fitted, purchaseModel, error) {
	all := make([]Group, 0, len(s.outcomes))
	var customers, repeaters, repeats int64
	for o, n := range s.outcomes {
		all = append(all, Group{o.History, n})
		customers += n
		repeats += n * o.X
		if o.X > 0 {
			repeaters += n
		}
	}
	switch {
	case customers == 0:
		return model.Fitted{}, nil, model.NotEnough("There is no customer with a purchase up to the cut-off.")
	case customers < leastCustomers:
		return model.Fitted{}, nil, model.NotEnough("There are %d customers; at least %d are needed.", customers, leastCustomers)
	case repeaters < leastRepeaters:
		return model.Fitted{}, nil, model.NotEnough("%d customers bought on a further day; at least %d are needed to tell how often customers come back.", repeaters, leastRepeaters)
	}
	all = groups(all)
	var (
		m     purchaseModel
		e     estimate
		names []string
	)
	if kind == KindParetoNBD {
		m, e = one(fitParetoNBD(all))
		names = []string{"r", "alpha", "s", "beta"}
	} else {
		m, e = one(fitBGNBD(all))
		names = []string{"r", "alpha", "a", "b"}
	}
	if err := e.usable(); err != nil {
		return model.Fitted{}, nil, err
	}
	f := model.Fitted{
		Rows: customers, Params: named(names, e.params), Errors: named(names, e.errors), Fit: e.quality(float64(customers)), Warnings: e.warnings(),
	}
	f.Fit["groups"], f.Fit["repeat_buyers"], f.Fit["repeat_purchases"] = float64(len(all)), float64(repeaters), float64(repeats)
	detail := s.judge(m, all)
	for _, t := range horizons {
		detail.NewCustomer = append(detail.NewCustomer, atHorizon{t, m.New(t)})
	}
	if h := detail.Holdout; h != nil {
		f.Fit["holdout_actual"], f.Fit["holdout_expected"], f.Fit["holdout_mae"] = h.Actual, h.Expected, h.MeanAbsoluteError
	}
	f.Detail = detail
	return f, m, nil
}

func one[M purchaseModel](m M, e estimate) (purchaseModel, estimate) { return m, e }
