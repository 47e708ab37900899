package churn

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Kind is the code of models of churn.
const Kind = "churn"

// chunk is how many customers are read at once.
const chunk = 2000

// churnFitBody is what a fit is asked for with.
type churnFitBody struct {
	model.Input
	Columns  []string   `json:"columns,omitempty" maxItems:"200" doc:"Of rows: the names of their values."`
	Rows     [][]string `json:"rows,omitempty" maxItems:"20000" doc:"Values as texts, as long as columns; blank, NA, NaN and null are missing."`
	Target   string     `json:"target,omitempty" query:"target" maxLength:"100" doc:"Of a table: the column that says who went." example:"Churn"`
	Positive string     `json:"positive,omitempty" query:"positive" maxLength:"100" doc:"Its value of those who went; left out: yes, true, 1, y, churned, left or lost, in any case."`
	ID       string     `json:"id,omitempty" query:"id" maxLength:"100" doc:"The column that names rows; left out: rows are numbered from 1." example:"customerID"`
	Ignore   []string   `json:"ignore,omitempty" query:"ignore" maxItems:"200" doc:"Columns to be left out; by query separated by commas."`
	Words    []string   `json:"words,omitempty" query:"words" maxItems:"200" doc:"Columns of codes that look like numbers."`
	Lambda   float64    `json:"lambda,omitempty" query:"lambda" minimum:"0" maximum:"1000000" doc:"Penalty λ of −log L + λ/2·Σβ² over standardised fields, 0.001 and more; left out: the one of 0.1 to 1000 with the least log loss in cross validation."`
	Cutoff   string     `json:"cutoff,omitempty" format:"date" doc:"Of facts: the last day of which is known what the model learns from; who went is seen at the end of the horizon after it. Left out: the latest day whose horizon has passed."`
}

// Given tells whether rows were given, and how many.
func (b *churnFitBody) Given() (int, bool) { return len(b.Rows), b.Rows != nil || b.Columns != nil }

// Check names what is wrong.
func (b *churnFitBody) Check() (faults []problem.Field) {
	if b.Lambda != 0 && b.Lambda < MinLambda {
		faults = append(faults, problem.Field{Location: "lambda", Code: "out_of_range", Message: fmt.Sprintf("must be %g to %g", MinLambda, MaxLambda)})
	}
	if b.Source != model.FromFacts && b.Target == "" {
		faults = append(faults, problem.Field{Location: "target", Code: "required", Message: "must name the column that says who went"})
	}
	if b.Source == model.FromFacts && (b.Target != "" || b.ID != "" || b.Positive != "" || len(b.Ignore)+len(b.Words) > 0) {
		faults = append(faults, problem.Field{Location: "target", Code: "not_allowed", Message: "target, positive, id, ignore and words are of tables"})
	}
	if b.Source != model.FromFacts && b.Cutoff != "" {
		faults = append(faults, problem.Field{Location: "cutoff", Code: "not_allowed", Message: "is of facts"})
	}
	return faults
}

// kept is what a model needs to be applied.
type kept struct {
	Trained    Trained    `json:"trained"`
	Definition Definition `json:"definition"` // of facts
}

// churnDetail is what is shown of a model beside its parameters.
type churnDetail struct {
	Target       string        `json:"target"`
	Positive     int           `json:"positive"`
	Lambda       float64       `json:"lambda"`
	Separable    bool          `json:"separable"`
	Coefficients []Coefficient `json:"coefficients"`
	Columns      []Treatment   `json:"columns"`
	Validation   Validation    `json:"validation"`
	Tried        []Tried       `json:"tried,omitempty"`
	Definition   *Definition   `json:"definition,omitempty"`
	Left         *leftOut      `json:"left_out,omitempty"`
}

// leftOut says of facts whom a model was not fitted to.
type leftOut struct {
	Gone    int `json:"gone"`    // before the cut-off already
	Never   int `json:"never"`   // were no customers at the cut-off
	Sampled int `json:"sampled"` // not looked at, since there were enough
}

// churnPrediction is what a model says of a row of its table.
type churnPrediction struct {
	Prediction
	OutOfFold float64 `json:"out_of_fold"` // by the model of the folds that the row is not in
}

// Offer is how models of churn are fitted.
func (c *Churn) Offer() model.Offer[churnFitBody] {
	return model.Offer[churnFitBody]{
		Kind:    Kind,
		Summary: "Fit how likely customers go",
		Description: "A logistic regression with the penalty λ/2·Σβ² over standardised fields, the intercept free, of a table with a column that says who went, or of facts by the " +
			"tenant's definition. Numbers that are missing become the median and are flagged; of words, missing is a category of its own; rarer words than the 49 most frequent " +
			"are folded into other, and a column of more than 1000 is refused. detail has coefficients with standard errors, 5-fold stratified cross validation (AUC with its interval, " +
			"Brier score, log loss; by tenths of risk: calibration with intervals after Wilson, lift), and what became of each column.",
		Fit: c.fit, Used: c.used,
	}
}

func (c *Churn) fit(ctx context.Context, o model.Order[churnFitBody]) (model.Fitted, error) {
	if o.Source == model.FromFacts {
		return c.fitFacts(ctx, o)
	}
	b := o.Body
	columns, rows := b.Columns, b.Rows
	if o.Table != nil {
		columns, rows = o.Table.Columns, o.Table.Rows
	}
	t, err := Build(columns, rows, Layout{Target: b.Target, Positive: b.Positive, ID: b.ID, Ignore: b.Ignore, Words: b.Words})
	if err != nil {
		return model.Fitted{}, err
	}
	m, err := Train(t, b.Lambda, c.left(ctx))
	if err != nil {
		return model.Fitted{}, err
	}
	out := fitted(m, b.Target)
	out.State = kept{Trained: m}
	for i, p := range m.Predict(t, every(t.Rows())) {
		out.Predictions = append(out.Predictions, churnPrediction{p, m.OutOfFold[i]})
	}
	return out, nil
}

// fitted is what a model and its detail have in common, wherever the rows came from.
func fitted(m Trained, target string) model.Fitted {
	intercept, e := m.Intercept()
	out := model.Fitted{
		Rows: int64(m.Rows), Params: map[string]float64{"intercept": intercept, "lambda": m.Fit.Lambda}, Errors: map[string]float64{"intercept": e},
		Fit: map[string]float64{
			"log_likelihood": m.Fit.LogL, "auc": m.Validation.AUC, "auc_low": m.Validation.Low, "auc_high": m.Validation.High, "brier": m.Validation.Brier,
			"log_loss": m.Validation.LogLoss, "base_rate": float64(m.Positive) / float64(m.Rows),
		},
		Detail: churnDetail{
			Target: target, Positive: m.Positive, Lambda: m.Fit.Lambda, Separable: m.Separable, Coefficients: m.Coefficients(),
			Columns: m.Encoding.Columns, Validation: m.Validation, Tried: m.Tried,
		},
	}
	for j, f := range m.Encoding.Fields {
		out.Params[f.name()], out.Errors[f.name()] = m.Fit.Beta[j+1], m.Fit.Errors[j+1]
	}
	if m.Separable {
		out.Warnings = append(out.Warnings, model.Warn("outcomes_separable",
			"The fields tell the outcomes apart without a mistake: the coefficients are as large as the penalty lets them be, and one of the fields may give the target away."))
	}
	for _, how := range m.Encoding.Columns {
		if how.Folded > 0 {
			out.Warnings = append(out.Warnings, model.Warn("categories_folded",
				"Of column {column}, the {categories} rarest categories are folded into one.", "column", how.Column, "categories", how.Folded))
		}
		if how.Missing > 0 {
			out.Warnings = append(out.Warnings, model.Warn("column_incomplete", "Column {column} is missing in {rows} rows.", "column", how.Column, "rows", how.Missing))
		}
		switch how.Kind {
		case "constant":
			out.Warnings = append(out.Warnings, model.Warn("column_constant", "Column {column} says nothing: it is the same in all rows.", "column", how.Column))
		case "duplicate":
			out.Warnings = append(out.Warnings, model.Warn("column_duplicate", "Column {column} says nothing of its own: another column says the same.", "column", how.Column))
		}
	}
	return out
}

// fitFacts learns from who went within the horizon after the cut-off, of those who were there at it, by what was known of them then.
func (c *Churn) fitFacts(ctx context.Context, o model.Order[churnFitBody]) (model.Fitted, error) {
	var (
		set      Settings
		currency string
		ids      []uuid.UUID
	)
	err := c.db.Read(ctx, o.Tenant, func(tx *pg.Tx) (err error) {
		if set, err = settings(ctx, tx); err != nil {
			return err
		}
		if currency, err = portrait.Currency(ctx, tx); err != nil {
			return err
		}
		ids, err = shuffled(ctx, tx)
		return err
	})
	if err != nil {
		return model.Fitted{}, err
	}
	cutoff, err := c.cutoff(o.Body.Cutoff, set.HorizonDays)
	if err != nil {
		return model.Fitted{}, err
	}
	t, left, err := c.learnable(ctx, o.Tenant, ids, cutoff, set.Definition, currency)
	if err != nil {
		return model.Fitted{}, err
	}
	if t.Rows() == 0 {
		return model.Fitted{}, model.NotEnough("Nobody was a customer at the end of %s by the definition %s.", cutoff.Format(time.DateOnly), set.Kind)
	}
	m, err := Train(t, o.Body.Lambda, c.left(ctx))
	if err != nil {
		return model.Fitted{}, err
	}
	out := fitted(m, set.Kind)
	out.Cutoff, out.Currency, out.State = cutoff, currency, kept{Trained: m, Definition: set.Definition}
	detail, _ := out.Detail.(churnDetail)
	detail.Definition, detail.Left = &set.Definition, &left
	out.Detail = detail
	return out, nil
}

// left is how long whoever asked waits.
func (c *Churn) left(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return deadline.Sub(c.clock())
	}
	return Patience
}

// cutoff is the day that is asked for, or the latest whose horizon has passed.
func (c *Churn) cutoff(asked string, horizon int) (time.Time, error) {
	latest := run.Today(c.clock).AddDate(0, 0, -1-horizon)
	if asked == "" {
		return latest, nil
	}
	day, err := time.Parse(time.DateOnly, asked)
	if err != nil || day.After(latest) {
		return time.Time{}, problem.InvalidBody("validation_failed", "Some of what was sent is not valid; errors says what.",
			[]problem.Field{{Location: "cutoff", Code: "too_late", Message: fmt.Sprintf("must be %s or before: %d days have to have passed after it", latest.Format(time.DateOnly), horizon)}})
	}
	return day, nil
}

// learnable makes the table that a model learns from. Features are read as they were at the end of the cut-off, the target is what
// came after it: the two never meet but here.
func (c *Churn) learnable(ctx context.Context, tenant string, ids []uuid.UUID, cutoff time.Time, d Definition, currency string) (*Table, leftOut, error) {
	var (
		left   leftOut
		of     []uuid.UUID
		all    []Features
		target []bool
	)
	day := dayNumber(cutoff)
	for ; len(ids) > 0 && len(of) < MaxRows; ids = ids[min(chunk, len(ids)):] {
		part := slices.Clone(ids[:min(chunk, len(ids))])
		err := c.db.Read(ctx, tenant, func(tx *pg.Tx) error {
			got, features, err := featuresOf(ctx, tx, part, cutoff, currency)
			if err != nil {
				return err
			}
			after, err := afterOf(ctx, tx, part, cutoff, d.HorizonDays)
			if err != nil {
				return err
			}
			for i := range features {
				switch f := &features[i]; {
				case d.There(f.History, day):
					of, all = append(of, got[i]), append(all, *f)
					target = append(target, d.Gone(f.History, after[i].purchases, after[i].contracts, day))
				case len(f.Purchases) == 0:
					left.Never++
				default:
					left.Gone++
				}
			}
			return nil
		})
		if err != nil {
			return nil, left, err
		}
	}
	left.Sampled = len(ids)
	t := table(d, of, all, day)
	t.Target = target
	return t, left, nil
}

// load reads the model that is in use; ok is false where there is none.
func load(ctx context.Context, tx *pg.Tx) (m model.Model, k kept, ok bool, err error) {
	m, ok, err = model.InUse(ctx, tx, Kind)
	if err == nil && ok {
		err = json.Unmarshal(m.State, &k)
	}
	return m, k, ok, err
}
