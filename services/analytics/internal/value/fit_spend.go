package value

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// SpendFit is the body of a fit of Gamma-Gamma.
type SpendFit struct {
	model.Input
	Cutoff   string     `json:"cutoff,omitempty" doc:"Of facts: the last day that is looked at, UTC; left out: today." example:"1997-09-30"`
	Currency string     `json:"currency,omitempty" doc:"Of facts: what was spent in it; left out: the tenant's reporting currency."`
	Rows     []SpendRow `json:"rows,omitempty" nullable:"false"`
}

// SpendRow is one customer of a table.
type SpendRow struct {
	ID            any     `json:"id" doc:"A text or a number; unique within the table. Nothing personal."`
	Frequency     float64 `json:"frequency" doc:"Distinct purchase days after the first."`
	MonetaryValue float64 `json:"monetary_value" doc:"Mean net spend of those days."`
}

// Given tells whether rows were given.
func (f *SpendFit) Given() (int, bool) { return len(f.Rows), f.Rows != nil }

// Check gives what is wrong with the settings.
func (f *SpendFit) Check() []problem.Field { return checkFacts(f.Source, f.Cutoff, f.Currency) }

// spendPrediction is what Gamma-Gamma says of one row.
type spendPrediction struct {
	ID            string   `json:"id"`
	Frequency     int64    `json:"frequency"`
	MonetaryValue float64  `json:"monetary_value"`
	ExpectedSpend *float64 `json:"expected_spend"` // of a purchase; null where the model has no finite mean
}

// spendDetail is what a fit of Gamma-Gamma shows beside its numbers.
type spendDetail struct {
	Mean      *float64   `json:"mean"`     // of a purchase over all customers, by the model; null without an end
	Observed  float64    `json:"observed"` // mean of the rows' means
	Left      int64      `json:"left_out"` // customers without a further purchase, or without anything net of them
	Histogram []spendBin `json:"histogram"`
}

// spendBin is customers whose mean spend lies in a span, and how many the model says: a plot.
type spendBin struct {
	From     float64  `json:"from"`
	To       *float64 `json:"to"` // null: no end
	Actual   int64    `json:"actual"`
	Expected float64  `json:"expected"`
}

func (v *Values) fitSpend(ctx context.Context, o model.Order[SpendFit]) (f model.Fitted, err error) {
	if o.Source == model.FromFacts {
		return v.fitSpendFacts(ctx, o)
	}
	in := o.Body.Rows
	if o.Table != nil {
		if in, err = spendTable(o.Table); err != nil {
			return f, err
		}
	}
	seen := make(unique, len(in))
	ids, all := make([]string, len(in)), make([]Spend, 0, len(in))
	var left int64
	for i, r := range in {
		id, ok := rowID(r.ID)
		if !ok {
			return f, model.RowFault(i, "id", "is neither a number nor a text of 1 to 200 bytes")
		}
		if err := seen.add(i, id); err != nil {
			return f, err
		}
		switch {
		case r.Frequency < 0 || r.Frequency != math.Trunc(r.Frequency) || r.Frequency > maxCount:
			return f, model.RowFault(i, "frequency", "is not a whole number from 0 to 1000000")
		case r.MonetaryValue < 0 || r.MonetaryValue > 1e15:
			return f, model.RowFault(i, "monetary_value", "is below 0 or above 10^15")
		}
		ids[i] = id
		if r.Frequency == 0 || r.MonetaryValue == 0 {
			left++
			continue
		}
		all = append(all, Spend{int64(r.Frequency), r.MonetaryValue})
	}
	f, m, err := fitSpends(all, left)
	if err != nil {
		return f, err
	}
	for i, r := range in {
		p := spendPrediction{ID: ids[i], Frequency: int64(r.Frequency), MonetaryValue: r.MonetaryValue}
		s := Spend{p.Frequency, p.MonetaryValue}
		if s.M == 0 {
			s.X = 0 // the model does not know of purchases worth nothing: it is taken for a customer it knows nothing of
		}
		if e, ok := m.Expected(s); ok {
			p.ExpectedSpend = &e
		}
		f.Predictions = append(f.Predictions, p)
	}
	return f, nil
}

func spendTable(t *model.Table) ([]SpendRow, error) {
	var places [3]int
	for i, name := range []string{"id", "frequency", "monetary_value"} {
		var err error
		if places[i], err = t.Column(name); err != nil {
			return nil, err
		}
	}
	rows := make([]SpendRow, len(t.Rows))
	for i := range t.Rows {
		r := SpendRow{ID: strings.TrimSpace(t.Rows[i][places[0]])}
		for j, to := range []*float64{&r.Frequency, &r.MonetaryValue} {
			v, err := t.Number(i, places[j+1])
			if err != nil {
				return nil, err
			}
			*to = v
		}
		rows[i] = r
	}
	return rows, nil
}

func (v *Values) fitSpendFacts(ctx context.Context, o model.Order[SpendFit]) (f model.Fitted, err error) {
	cutoff, err := v.cutoffDay(o.Body.Cutoff)
	if err != nil {
		return f, err
	}
	currency := o.Body.Currency
	if currency == "" {
		err := v.db.Read(ctx, o.Tenant, func(tx *pg.Tx) (err error) {
			currency, err = portrait.Currency(ctx, tx)
			return err
		})
		if err != nil {
			return f, err
		}
		if currency == "" {
			return f, model.NotEnough("Nothing was bought yet.")
		}
	}
	all, left, err := v.readSpends(ctx, o.Tenant, currency, cutoff)
	if err != nil {
		return f, err
	}
	f, _, err = fitSpends(all, left)
	f.Cutoff, f.Currency = cutoff, currency
	return f, err
}

// fitSpends fits the model and says how good it is; left is how many customers were left out.
func fitSpends(all []Spend, left int64) (f model.Fitted, m GammaGamma, err error) {
	if len(all) < leastSpenders {
		return f, m, model.NotEnough("%d customers spent something on a day after the first; at least %d are needed.", len(all), leastSpenders)
	}
	varied := false
	for _, s := range all {
		varied = varied || s.M != all[0].M
	}
	if !varied {
		return f, m, model.NotEnough("All customers spend the same: there is nothing to tell them apart by.")
	}
	m, e := fitGammaGamma(all)
	if err := e.usable(); err != nil {
		return f, m, err
	}
	names := []string{"p", "q", "gamma"}
	f = model.Fitted{Rows: int64(len(all)), Params: named(names, e.params), Errors: named(names, e.errors), Fit: e.quality(float64(len(all))), Warnings: e.warnings()}
	d := spendDetail{Left: left, Histogram: spendHistogram(m, all)}
	for _, s := range all {
		d.Observed += s.M / float64(len(all))
	}
	if mean, ok := m.Mean(); ok {
		d.Mean = &mean
		f.Fit["mean_spend"] = mean
	} else {
		f.Warnings = append(f.Warnings, model.Warn("mean_unbounded", "q is not above 1: what a purchase is worth in the mean has no end, and customers without a further purchase get no prediction."))
	}
	f.Detail = d
	if r, ok := correlation(all); ok {
		f.Fit["correlation"] = r
		if math.Abs(r) > 0.3 {
			f.Warnings = append(f.Warnings, model.Warn("spend_follows_frequency",
				"How often and how much customers buy go together (correlation {correlation}), which the model takes to be independent: mind its predictions.",
				"correlation", fmt.Sprintf("%.2f", r)))
		}
	}
	return f, m, nil
}

// spendHistogram counts mean spends between twenty quantiles of those observed, and adds up what the
// model says by GammaGamma.below.
func spendHistogram(m GammaGamma, all []Spend) []spendBin {
	const bins = 20
	bounds := quantiles(all, bins)
	out := make([]spendBin, len(bounds)+1)
	counts := make(map[int64]int64)
	for _, s := range all {
		i := 0
		for i < len(bounds) && s.M >= bounds[i] {
			i++
		}
		out[i].Actual++
		counts[s.X]++
	}
	xs := sortedKeys(counts)
	below := make([]float64, len(bounds)+2)
	below[len(bounds)+1] = float64(len(all))
	for i, b := range bounds {
		for _, x := range xs {
			below[i+1] += float64(counts[x]) * m.below(float64(x), b)
		}
	}
	for i := range out {
		if i > 0 {
			out[i].From = bounds[i-1]
		}
		if i < len(bounds) {
			to := bounds[i]
			out[i].To = &to
		}
		out[i].Expected = below[i+1] - below[i]
	}
	return out
}
