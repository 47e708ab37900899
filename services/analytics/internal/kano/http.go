package kano

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

const (
	maxRows   = 50_000
	maxBody   = 8 << 20
	maxFaults = 200
)

type kanoInput struct{ Body kanoQuestion }

// kanoQuestion is answers, or where they are.
type kanoQuestion struct {
	Rows       []kanoRow  `json:"rows,omitempty" maxItems:"50000" doc:"A table of answers, each respondent once an attribute."`
	SurveyID   *uuid.UUID `json:"survey_id,omitempty" format:"uuid" doc:"Instead of rows: what was answered to the pairs of a survey."`
	Touchpoint string     `json:"touchpoint,omitempty" maxLength:"64" doc:"Of a survey: only what was asked there."`
	From       *time.Time `json:"from,omitempty" doc:"Of a survey: answers from then on."`
	To         *time.Time `json:"to,omitempty" doc:"Of a survey: answers before then."`
}

// kanoRow is how somebody answered one pair.
type kanoRow struct {
	Respondent    string `json:"respondent" minLength:"1" maxLength:"200" example:"r1"`
	Attribute     string `json:"attribute" minLength:"1" maxLength:"200" example:"crust"`
	Functional    any    `json:"functional" doc:"With the attribute: 1 or like, 2 or must, 3 or neutral, 4 or live_with, 5 or dislike." example:"1"`
	Dysfunctional any    `json:"dysfunctional" doc:"Without it, in the same way." example:"5"`
}

type kanoAnswer struct{ Body kanoFindings }

// kanoFindings are what the attributes are.
type kanoFindings struct {
	Attributes []kanoFinding `json:"attributes" nullable:"false" doc:"In the order in which rows name them first; of a survey sorted by code."`
	AsOf       *time.Time    `json:"as_of,omitempty" doc:"Of a survey: time of the newest event in these numbers."`
}

type kanoFinding struct {
	Attribute   string           `json:"attribute"`
	N           int              `json:"n" doc:"Answers."`
	Enough      bool             `json:"enough" doc:"At least 30 answers. With fewer the category is what these few said."`
	Category    Category         `json:"category" enum:"M,O,A,I,R,Q" doc:"Must-be, one-dimensional, attractive, indifferent, reverse, questionable: the most frequent, of several the first of M, O, A, I."`
	Counts      kanoCounts       `json:"counts"`
	Better      *rating.Interval `json:"better,omitempty" doc:"(A+O)/(A+O+M+I): how much satisfaction it adds, with Wilson's 95 % interval. Absent where nobody answered these."`
	Worse       *rating.Interval `json:"worse,omitempty" doc:"-(O+M)/(A+O+M+I): how much its lack takes away."`
	Strength    float64          `json:"category_strength" doc:"Share of the most frequent category less that of the next (Lee, Newcomb 1997)."`
	Clear       bool             `json:"clear" doc:"Whether that is at least 0.06. If not, customers are divided: look at segments."`
	Total       float64          `json:"total_strength" doc:"Share of M, O and A (Lee, Newcomb 1997)."`
	Concerns    bool             `json:"concerns" doc:"Whether that is at least 0.60."`
	Significant bool             `json:"significant" doc:"Whether the two most frequent categories differ by more than chance, at 90 % (Fong 1996)."`
}

type kanoCounts struct {
	M int `json:"M"`
	O int `json:"O"`
	A int `json:"A"`
	I int `json:"I"`
	R int `json:"R"`
	Q int `json:"Q"`
}

// Routes adds the operation.
func Routes(q *Queries) func(*httpx.API) {
	return func(api *httpx.API) {
		httpx.Register(api, httpx.Operation{
			ID: "classify-kano", Method: http.MethodPost, Path: "/v1/kano/classify", Tag: "Satisfaction", Permission: auth.AnalyticsRead, MaxBody: maxBody,
			Summary:     "Say what attributes are to customers, by pairs of questions",
			Description: "Kano's categories of each attribute, from a table or from the answers to a survey. Nothing is kept.",
		}, func(ctx context.Context, in *kanoInput) (*kanoAnswer, error) { return q.classify(ctx, in.Body) })
	}
}

func (q *Queries) classify(ctx context.Context, b kanoQuestion) (*kanoAnswer, error) {
	var found []Finding
	var v kanoFindings
	switch {
	case (b.Rows == nil) == (b.SurveyID == nil):
		return nil, invalidKano([]problem.Field{{Location: "rows", Code: "rows_or_survey", Message: "must be there, or survey_id, and not both"}})
	case b.Rows != nil:
		if b.Touchpoint != "" || b.From != nil || b.To != nil {
			return nil, invalidKano([]problem.Field{{Location: "rows", Code: "rows_or_survey", Message: "are not chosen by touchpoint and time: send those that count"}})
		}
		var faults []problem.Field
		if found, faults = Classify(b.Rows); len(faults) > 0 {
			return nil, invalidKano(faults)
		}
	default:
		w := rating.Wanted{Survey: *b.SurveyID, Touchpoint: b.Touchpoint}
		if b.From != nil {
			w.From = *b.From
		}
		if b.To != nil {
			w.To = *b.To
		}
		all, asOf, err := q.Survey(ctx, w)
		if err != nil {
			return nil, err
		}
		found, v.AsOf = all, fact.TimeOrNil(asOf)
	}
	v.Attributes = make([]kanoFinding, len(found))
	for i, f := range found {
		v.Attributes[i] = kanoFinding{
			Attribute: f.Attribute, N: f.N, Enough: f.N >= rating.Enough, Category: f.Category,
			Counts: kanoCounts{f.Counts[MustBe], f.Counts[OneDimensional], f.Counts[Attractive], f.Counts[Indifferent], f.Counts[Reverse], f.Counts[Questionable]},
			Better: f.Better, Worse: f.Worse, Strength: f.Strength, Clear: f.Clear, Total: f.Total, Concerns: f.Concerns, Significant: f.Significant,
		}
	}
	return &kanoAnswer{v}, nil
}

func invalidKano(faults []problem.Field) error {
	return problem.InvalidBody("kano_invalid", "The answers were not accepted: mend the fields named here.", faults)
}

// Classify finds what the attributes of a table are, in the order in which it names them first.
func Classify(rows []kanoRow) (found []Finding, faults []problem.Field) {
	if len(rows) == 0 || len(rows) > maxRows {
		return nil, []problem.Field{{Location: "rows", Code: "rows_count", Message: fmt.Sprintf("must be 1 to %d", maxRows)}}
	}
	type once struct{ respondent, attribute string }
	seen := make(map[once]bool, len(rows))
	counts := map[string]map[Category]int{}
	var order []string
	for i, r := range rows {
		at := fmt.Sprintf("rows[%d].", i)
		with, ok := ReadAnswer(r.Functional)
		without, too := ReadAnswer(r.Dysfunctional)
		const must = "must be 1 to 5, or like, must, neutral, live_with or dislike"
		if !ok {
			faults = append(faults, problem.Field{Location: at + "functional", Code: "answer_unknown", Message: must})
		}
		if !too {
			faults = append(faults, problem.Field{Location: at + "dysfunctional", Code: "answer_unknown", Message: must})
		}
		if key := (once{r.Respondent, r.Attribute}); seen[key] {
			faults = append(faults, problem.Field{Location: at + "respondent", Code: "answered_twice", Message: "has answered this attribute already"})
		} else {
			seen[key] = true
		}
		if len(faults) >= maxFaults {
			break // who sent another table altogether need not read of every row
		}
		if len(faults) > 0 {
			continue
		}
		if counts[r.Attribute] == nil {
			counts[r.Attribute] = map[Category]int{}
			order = append(order, r.Attribute)
		}
		counts[r.Attribute][Categorise(with, without)]++
	}
	if len(faults) > 0 {
		return nil, faults
	}
	for _, a := range order {
		found = append(found, Find(a, counts[a]))
	}
	return found, nil
}
