package satisfaction

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

const (
	maxRows = 50_000
	maxBody = 8 << 20
	// largest is how far from 0 numbers may be: their squares are added up.
	largest = 1e12
	// inflated is the variance inflation from which on attributes are said to go together too much to be told apart well.
	inflated = 10
)

type driversInput struct{ Body driversQuestion }

// driversQuestion is a table of numbers, or where they are.
type driversQuestion struct {
	Columns    []string     `json:"columns,omitempty" maxItems:"50" doc:"Names of the columns of rows."`
	Rows       [][]*float64 `json:"rows,omitempty" maxItems:"50000" doc:"A table of numbers; null where one is missing: such rows are left out."`
	SurveyID   *uuid.UUID   `json:"survey_id,omitempty" format:"uuid" doc:"Instead of columns and rows: what was answered to a survey in numbers."`
	Outcome    string       `json:"outcome" minLength:"1" maxLength:"100" doc:"The column, or the code of the question (score: that of the survey), that is to be explained."`
	Attributes []string     `json:"attributes,omitempty" maxItems:"10" doc:"The columns or questions that may move it; of rows left out: all others."`
	Touchpoint string       `json:"touchpoint,omitempty" maxLength:"64" doc:"Of a survey: only what was asked there."`
	From       *time.Time   `json:"from,omitempty" doc:"Of a survey: answers from then on."`
	To         *time.Time   `json:"to,omitempty" doc:"Of a survey: answers before then."`
}

type satisfactionDrivers struct {
	N        int                  `json:"n" doc:"Complete rows: sample size."`
	LeftRows int                  `json:"incomplete" doc:"Rows that are left out because a number is missing."`
	Enough   bool                 `json:"enough" doc:"At least 30 complete rows."`
	R2       float64              `json:"r2" doc:"Share of the outcome's variance that the attributes explain."`
	Adjusted float64              `json:"r2_adjusted" doc:"The same, less what chance explains with so many attributes."`
	Drivers  []satisfactionDriver `json:"drivers" nullable:"false"`
	LeftOut  []satisfactionOut    `json:"left_out" nullable:"false" doc:"Attributes of which nothing can be told apart."`
	AsOf     *time.Time           `json:"as_of,omitempty" doc:"Of a survey: time of the newest event in these numbers."`
}

type satisfactionDriver struct {
	Attribute   string          `json:"attribute"`
	Beta        rating.Interval `json:"beta" doc:"Standardised coefficient with its 95 % interval (Student; standard deviations are taken as known)."`
	Slope       rating.Interval `json:"slope" doc:"What the outcome rises by for one more of the attribute, the others as they are."`
	P           float64         `json:"p" doc:"Probability of a coefficient so far from 0 by chance."`
	VIF         float64         `json:"vif" doc:"Variance inflation: how much worse the coefficient is known because of the others."`
	Inflated    bool            `json:"inflated" doc:"Whether that is above 10: attributes go together too much to tell well which does it."`
	LMG         float64         `json:"lmg" doc:"Part of r2 (Lindeman, Merenda, Gold; Shapley). All add up to r2."`
	Share       float64         `json:"importance" doc:"The same as a share of r2."`
	Performance rating.Interval `json:"performance" doc:"Mean of the attribute with its 95 % interval."`
	Quadrant    string          `json:"quadrant,omitempty" enum:"concentrate_here,keep_up,low_priority,possible_overkill" doc:"By importance and performance, each against the mean of all; it means something where all are on one scale."`
}

type satisfactionOut struct {
	Attribute string   `json:"attribute"`
	Why       string   `json:"why" enum:"constant,collinear"`
	With      []string `json:"with,omitempty" doc:"The attributes that it follows from."`
}

func (q *Queries) driverRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "find-satisfaction-drivers", Method: http.MethodPost, Path: path + "/drivers", Tag: "Satisfaction", Permission: auth.AnalyticsRead, MaxBody: maxBody,
		Summary:     "Find what moves satisfaction",
		Description: "Multiple regression of an outcome on up to ten attributes, from a table or from the answers to a survey, and what part of it each explains. Nothing is kept. What goes together need not be cause and effect.",
	}, func(ctx context.Context, in *driversInput) (*struct{ Body satisfactionDrivers }, error) {
		table, asOf, err := q.table(ctx, in.Body)
		if err != nil {
			return nil, err
		}
		rows := table.Complete()
		found, ok := Drive(table.Columns[1:], rows)
		if !ok {
			return nil, problem.New(problem.Unprocessable, "not_enough_data",
				"Of %d complete rows nothing can be told: the outcome and at least one attribute must vary, and there must be at least two rows more than attributes.", len(rows))
		}
		v := showDrivers(found)
		v.LeftRows, v.AsOf = len(table.Rows)-len(rows), fact.TimeOrNil(asOf)
		return &struct{ Body satisfactionDrivers }{v}, nil
	})
}

func showDrivers(d Drivers) satisfactionDrivers {
	v := satisfactionDrivers{N: d.N, Enough: d.N >= rating.Enough, R2: d.R2, Adjusted: d.Adjusted, LeftOut: make([]satisfactionOut, len(d.LeftOut))}
	for _, one := range d.Drivers {
		share := 0.0
		if d.R2 > 0 {
			share = one.LMG / d.R2
		}
		v.Drivers = append(v.Drivers, satisfactionDriver{one.Attribute, one.Beta, one.Slope, one.P, one.VIF, one.VIF > inflated, one.LMG, share, one.Mean, one.Quadrant})
	}
	for i, out := range d.LeftOut {
		v.LeftOut[i] = satisfactionOut(out)
	}
	return v
}

func invalidDrivers(faults []problem.Field) error {
	return problem.InvalidBody("drivers_invalid", "The table was not accepted: mend the fields named here.", faults)
}

// table is the numbers that are asked about, the outcome first.
func (q *Queries) table(ctx context.Context, b driversQuestion) (t rating.Table, asOf time.Time, err error) {
	if (b.Rows == nil) == (b.SurveyID == nil) || b.SurveyID != nil && b.Columns != nil {
		return t, asOf, invalidDrivers([]problem.Field{{Location: "rows", Code: "rows_or_survey", Message: "must be there with columns, or survey_id, and not both"}})
	}
	if b.Rows != nil {
		if b.Touchpoint != "" || b.From != nil || b.To != nil {
			return t, asOf, invalidDrivers([]problem.Field{{Location: "rows", Code: "rows_or_survey", Message: "are not chosen by touchpoint and time: send those that count"}})
		}
		t, faults := b.uploaded()
		if len(faults) > 0 {
			return t, asOf, invalidDrivers(faults)
		}
		return t, asOf, nil
	}
	questions := append([]string{b.Outcome}, b.Attributes...)
	faults := rating.CheckQuestions("attributes", b.Attributes)
	if !rating.Question.MatchString(b.Outcome) || slices.Contains(b.Attributes, b.Outcome) {
		faults = append(faults, problem.Field{Location: "outcome", Code: "question_invalid", Message: "must be the code of a question, and none of the attributes"})
	}
	if len(b.Attributes) == 0 {
		faults = append(faults, problem.Field{Location: "attributes", Code: "attributes_count", Message: fmt.Sprintf("must be 1 to %d", MostAttributes)})
	}
	if len(faults) > 0 {
		return t, asOf, invalidDrivers(faults)
	}
	w := rating.Wanted{Survey: *b.SurveyID, Touchpoint: b.Touchpoint}
	if b.From != nil {
		w.From = *b.From
	}
	if b.To != nil {
		w.To = *b.To
	}
	err = q.db.ReadWithin(ctx, auth.Tenant(ctx), rating.Patience, func(tx *pg.Tx) error {
		if asOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		t, err = rating.Read(ctx, tx, w, questions)
		return err
	})
	return t, asOf, err
}

// uploaded reads a table that was sent.
func (b driversQuestion) uploaded() (t rating.Table, faults []problem.Field) {
	place := map[string]int{}
	fault := func(at, code, format string, args ...any) {
		faults = append(faults, problem.Field{Location: at, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	for i, c := range b.Columns {
		if _, twice := place[c]; twice || c == "" {
			fault(fmt.Sprintf("columns[%d]", i), "column_invalid", "must be a name, each once")
		}
		place[c] = i
	}
	attributes := b.Attributes
	if attributes == nil {
		for _, c := range b.Columns {
			if c != b.Outcome {
				attributes = append(attributes, c)
			}
		}
	}
	t.Columns = append([]string{b.Outcome}, attributes...)
	if len(attributes) == 0 || len(attributes) > MostAttributes {
		fault("attributes", "attributes_count", "must be 1 to %d", MostAttributes)
	}
	for i, c := range t.Columns {
		at := "outcome"
		if i > 0 {
			at = fmt.Sprintf("attributes[%d]", i-1)
		}
		if _, there := place[c]; !there || slices.Contains(t.Columns[:i], c) {
			fault(at, "column_unknown", "must be one of the columns, each once")
		}
	}
	if len(b.Rows) > maxRows {
		fault("rows", "rows_count", "must be at most %d", maxRows)
	}
	for i, row := range b.Rows {
		if len(faults) > 20 {
			break
		}
		if len(row) != len(b.Columns) {
			fault(fmt.Sprintf("rows[%d]", i), "row_width", "must have a number, or null, for each of the %d columns", len(b.Columns))
			continue
		}
		numbers := make([]float64, len(t.Columns))
		for j, c := range t.Columns {
			switch v := row[place[c]]; {
			case v == nil:
				numbers[j] = math.NaN()
			case math.Abs(*v) > largest:
				fault(fmt.Sprintf("rows[%d][%d]", i, place[c]), "number_too_large", "must lie within ±1e12")
			default:
				numbers[j] = *v
			}
		}
		t.Rows = append(t.Rows, numbers)
	}
	return t, faults
}
