package value

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// ContractFit is the body of a fit of sBG.
type ContractFit struct {
	model.Input
	Plan     string        `json:"plan,omitempty" maxLength:"64" doc:"Of facts: only memberships of this plan; left out: of all."`
	Periods  int           `json:"periods,omitempty" query:"periods" minimum:"1" maximum:"120" doc:"Renewals for which survival is foretold, from the first on; left out: 12."`
	Discount float64       `json:"discount,omitempty" query:"discount" minimum:"0" maximum:"10" doc:"Rate a period by which terms to come are discounted, such as 0.1."`
	Rows     []ContractRow `json:"rows,omitempty" nullable:"false"`
}

// ContractRow is a renewal of a table.
type ContractRow struct {
	Period    float64  `json:"period" doc:"Number of the renewal; with survivors the row 0 says how many there were at the start."`
	Survivors *float64 `json:"survivors,omitempty" doc:"How many were still there after it. Either this, or lost and stayed."`
	Lost      *float64 `json:"lost,omitempty" doc:"How many went at it."`
	Stayed    *float64 `json:"stayed,omitempty" doc:"How many stayed at it and were not seen any further."`
}

// Given tells whether rows were given.
func (f *ContractFit) Given() (int, bool) { return len(f.Rows), f.Rows != nil }

// Check gives what is wrong with the settings.
func (f *ContractFit) Check() []problem.Field { return nil }

// contractDetail is what a fit of sBG shows: a plot of survival and retention, and what contracts are still worth.
type contractDetail struct {
	Periods []contractPeriod `json:"periods"`
	// MeanChurn is the share that is lost at the first renewal; of it each customer has its own, U-shaped where alpha and beta are below 1.
	MeanChurn float64 `json:"mean_churn"`
}

type contractPeriod struct {
	Period    int      `json:"period"`
	AtRisk    int64    `json:"at_risk"` // contracts that came to this renewal
	Retention *float64 `json:"retention_actual"`
	Survival  *float64 `json:"survival_actual"` // null from where nothing was seen
	// By the model: the share that renews, the share that is still there, and the terms that a contract that was renewed so many
	// times is paid for from then on, discounted, over at most 1,000.
	ModelRetention float64 `json:"retention"`
	ModelSurvival  float64 `json:"survival"`
	Residual       float64 `json:"residual_terms"`
}

func (v *Values) fitContracts(ctx context.Context, o model.Order[ContractFit]) (f model.Fitted, err error) {
	var terms []Term
	switch {
	case o.Source == model.FromFacts:
		terms, err = v.readTerms(ctx, o.Tenant, o.Body.Plan)
	case o.Table != nil:
		var rows []ContractRow
		if rows, err = contractTable(o.Table); err == nil {
			terms, err = termsOf(rows)
		}
	default:
		terms, err = termsOf(o.Body.Rows)
	}
	if err != nil {
		return f, err
	}
	var n, lost int64
	for _, t := range terms {
		n += t.Lost + t.Stayed
		lost += t.Lost
	}
	switch {
	case n < leastContracts:
		return f, model.NotEnough("%d contracts came to a renewal; at least %d are needed.", n, leastContracts)
	case lost == 0 || len(terms) < 2:
		return f, model.NotEnough("Contracts have to be seen at two renewals at least, and some have to be lost, to tell how retention changes.")
	}
	m, e := fitSBG(terms)
	if err := e.usable(); err != nil {
		return f, err
	}
	names := []string{"alpha", "beta"}
	f = model.Fitted{Rows: n, Params: named(names, e.params), Errors: named(names, e.errors), Fit: e.quality(float64(n)), Warnings: e.warnings()}
	f.Fit["lost"] = float64(lost)
	periods := o.Body.Periods
	if periods == 0 {
		periods = 12
	}
	f.Detail = describeContracts(m, terms, periods, o.Body.Discount)
	return f, nil
}

func describeContracts(m SBG, terms []Term, periods int, discount float64) contractDetail {
	d := contractDetail{MeanChurn: m.Alpha / (m.Alpha + m.Beta)}
	byT := make(map[int]Term, len(terms))
	var left int64
	for _, t := range terms {
		byT[t.T] = t
		left += t.Lost + t.Stayed
	}
	last := terms[len(terms)-1].T
	all, survival := 1.0, 1.0
	d.Periods = append(d.Periods, contractPeriod{AtRisk: left, Survival: &all, ModelRetention: 1, ModelSurvival: 1, Residual: m.Residual(0, discount, 1000)})
	for t := 1; t <= max(periods, min(last, 120)); t++ {
		p := contractPeriod{Period: t, AtRisk: left, ModelRetention: m.Retention(t), ModelSurvival: m.Survival(t), Residual: m.Residual(t, discount, 1000)}
		if t <= last && left > 0 {
			r := 1 - float64(byT[t].Lost)/float64(left)
			survival *= r // Kaplan and Meier's
			s := survival
			p.Retention, p.Survival = &r, &s
		}
		left -= byT[t].Lost + byT[t].Stayed
		d.Periods = append(d.Periods, p)
	}
	return d
}

// termsOf makes terms of the rows of a table.
func termsOf(rows []ContractRow) ([]Term, error) {
	count := func(v float64) bool { return v >= 0 && v == math.Trunc(v) && v <= 1e9 }
	var terms []Term
	seen := make(map[int]bool, len(rows))
	survivors := make(map[int]int64)
	for i, r := range rows {
		t := int(r.Period)
		switch {
		case !count(r.Period) || r.Period > 1000:
			return nil, model.RowFault(i, "period", "is not a whole number from 0 to 1000")
		case seen[t]:
			return nil, model.RowFault(i, "period", "comes twice")
		case r.Survivors != nil && (r.Lost != nil || r.Stayed != nil), r.Survivors == nil && r.Lost == nil && r.Stayed == nil:
			return nil, model.RowFault(i, "survivors", "either this is given, or lost and stayed")
		case (r.Survivors != nil) != (rows[0].Survivors != nil):
			return nil, model.RowFault(i, "survivors", "is given in some rows only")
		}
		seen[t] = true
		for name, v := range map[string]*float64{"survivors": r.Survivors, "lost": r.Lost, "stayed": r.Stayed} {
			if v != nil && !count(*v) {
				return nil, model.RowFault(i, name, "is not a whole number from 0 to 10^9")
			}
		}
		if r.Survivors != nil {
			survivors[t] = int64(*r.Survivors)
			continue
		}
		if t == 0 {
			return nil, model.RowFault(i, "period", "is 0: nobody goes before the first renewal")
		}
		term := Term{T: t}
		if r.Lost != nil {
			term.Lost = int64(*r.Lost)
		}
		if r.Stayed != nil {
			term.Stayed = int64(*r.Stayed)
		}
		terms = append(terms, term)
	}
	if len(survivors) > 0 {
		return termsOfSurvivors(survivors)
	}
	slices.SortFunc(terms, func(a, b Term) int { return a.T - b.T })
	return terms, nil
}

// termsOfSurvivors makes terms of how many were there after each renewal, from 0 for the start.
func termsOfSurvivors(survivors map[int]int64) ([]Term, error) {
	invalid := func(detail string) error { return problem.New(problem.Unprocessable, "rows_invalid", "%s", detail) }
	var terms []Term
	for t := range survivors {
		if t >= len(survivors) {
			return nil, invalid("Survivors are needed of every period from 0 on, without a gap.")
		}
	}
	for t := 1; t < len(survivors); t++ {
		if survivors[t] > survivors[t-1] {
			return nil, invalid("Survivors rise from one period to the next: nobody comes back from the lost.")
		}
		terms = append(terms, Term{T: t, Lost: survivors[t-1] - survivors[t]})
	}
	if len(terms) > 0 {
		terms[len(terms)-1].Stayed = survivors[len(terms)]
	}
	return terms, nil
}

// contractTable reads an uploaded table with the columns period and survivors, or period, lost and stayed.
func contractTable(t *model.Table) ([]ContractRow, error) {
	period, err := t.Column("period")
	if err != nil {
		return nil, err
	}
	names := []string{"survivors"}
	if _, err := t.Column("survivors"); err != nil {
		names = []string{"lost", "stayed"}
	}
	rows := make([]ContractRow, len(t.Rows))
	for i := range t.Rows {
		if rows[i].Period, err = t.Number(i, period); err != nil {
			return nil, err
		}
		for _, name := range names {
			column, err := t.Column(name)
			if err != nil {
				return nil, err
			}
			v, err := t.Number(i, column)
			if err != nil {
				return nil, err
			}
			switch strings.ToLower(name) {
			case "survivors":
				rows[i].Survivors = &v
			case "lost":
				rows[i].Lost = &v
			default:
				rows[i].Stayed = &v
			}
		}
	}
	return rows, nil
}
