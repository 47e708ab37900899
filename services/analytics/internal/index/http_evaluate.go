package index

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

const (
	maxBody   = 8 << 20
	maxFaults = 200
)

type evaluateIndex struct {
	IndexByCode
	Body indexQuestion
}

// indexQuestion is what an index system is evaluated on.
type indexQuestion struct {
	Version int64    `json:"version,omitempty" minimum:"0" maximum:"2147483647" doc:"Of the system; left out: the present one."`
	Rows    []Scores `json:"rows,omitempty" maxItems:"50000" doc:"Given scores: of each respondent or thing by the codes of the leaves, on their scales. One row is enough."`
	IndexSurvey
}

type acsiInput struct{ Body acsiQuestion }

// acsiQuestion asks for the index of three.
type acsiQuestion struct {
	Weights   *acsiWeights   `json:"weights,omitempty" doc:"In sum 1; left out: a third each."`
	Rows      []Scores       `json:"rows,omitempty" maxItems:"50000" doc:"Given scores: overall, expectation and ideal, 1 to 10, of each respondent."`
	Questions *acsiQuestions `json:"questions,omitempty" doc:"Of a survey: the codes of its questions; left out: overall, expectation, ideal."`
	IndexSurvey
}

type acsiWeights struct {
	Overall     float64 `json:"overall" minimum:"0" maximum:"1"`
	Expectation float64 `json:"expectation" minimum:"0" maximum:"1"`
	Ideal       float64 `json:"ideal" minimum:"0" maximum:"1"`
}

type acsiQuestions struct {
	Overall     string `json:"overall" maxLength:"80"`
	Expectation string `json:"expectation" maxLength:"80"`
	Ideal       string `json:"ideal" maxLength:"80"`
}

type indexEvaluation struct{ Body indexFindings }

// indexFindings is what an index came to.
type indexFindings struct {
	Code     string           `json:"code"`
	Version  int64            `json:"version,omitempty"`
	Value    *float64         `json:"value,omitempty" doc:"0 to 100; absent where a leaf has no score at all: weights are never spread over what is there."`
	Interval *rating.Interval `json:"interval,omitempty" doc:"95 %, Student's t; absent for fewer than two rows."`
	N        int              `json:"n" doc:"Rows that have all that anybody has: the sample of every index here."`
	LeftOut  int              `json:"left_out" doc:"Rows that do not, and do not count."`
	OffScale int              `json:"off_scale" doc:"Ratings of a survey that are not on the scale of their leaf: they count as not given."`
	Enough   bool             `json:"enough" doc:"A value, of at least 30 rows."`
	Missing  []string         `json:"missing" nullable:"false" doc:"Leaves without any score."`
	Indexes  []indexFinding   `json:"indexes" nullable:"false" doc:"Each level, an index before what it is made of."`
	AsOf     *time.Time       `json:"as_of,omitempty" doc:"Of a survey: time of the newest event in these numbers."`
}

type indexFinding struct {
	Code     string           `json:"code"`
	Name     string           `json:"name,omitempty"`
	Parent   string           `json:"parent,omitempty"`
	Level    int              `json:"level"`
	Weight   float64          `json:"weight" doc:"Within its parent."`
	Share    float64          `json:"share" doc:"Of the whole index."`
	Value    *float64         `json:"value,omitempty"`
	Interval *rating.Interval `json:"interval,omitempty"`
	Answers  *int             `json:"answers,omitempty" doc:"Of a leaf: how many scores there are, those of rows that are left out as well."`
	Missing  []string         `json:"missing,omitempty" doc:"Leaves below it without any score."`
}

func (x *Indexes) evaluateRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "evaluate-index", Method: http.MethodPost, Path: path + "/evaluate", Tag: tag, Permission: auth.AnalyticsRead, MaxBody: maxBody,
		Summary: "Evaluate an index system on given scores or on the ratings of a survey", Description: "Nothing is kept.", Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *evaluateIndex) (*indexEvaluation, error) {
		s, err := x.Get(ctx, in.Code, in.Body.Version)
		if err != nil {
			return nil, err
		}
		return x.evaluate(ctx, s.Root, s.Version, in.Body.Rows, in.Body.IndexSurvey)
	})
	httpx.Register(api, httpx.Operation{
		ID: "evaluate-acsi", Method: http.MethodPost, Path: "/v1/analytics/acsi", Tag: tag, Permission: auth.AnalyticsRead, MaxBody: maxBody,
		Summary:     "Reckon the index of overall satisfaction, expectation and ideal",
		Description: "After the American Customer Satisfaction Index: 100 times the weighted mean of (x - 1)/9, from given scores or from the ratings of a survey. Nothing is kept.",
	}, func(ctx context.Context, in *acsiInput) (*indexEvaluation, error) {
		var w acsiWeights
		if in.Body.Weights != nil {
			if w = *in.Body.Weights; w == (acsiWeights{}) {
				return nil, invalid([]problem.Field{{Location: "weights", Code: "weights_off", Message: "must each be above 0, in sum 1"}})
			}
		}
		root, err := ACSI(w.Overall, w.Expectation, w.Ideal)
		if err != nil {
			return nil, err
		}
		if q := in.Body.Questions; q != nil {
			codes := []string{q.Overall, q.Expectation, q.Ideal}
			if faults := rating.CheckQuestions("questions", codes); len(faults) > 0 || in.Body.SurveyID == nil {
				return nil, invalid(append(faults, problem.Field{Location: "questions", Code: "question_invalid", Message: "must be the codes of three questions of a survey"}))
			}
			for i := range codes {
				root.Children[i].Question = codes[i]
			}
		}
		return x.evaluate(ctx, root, 0, in.Body.Rows, in.Body.IndexSurvey)
	})
}

func (x *Indexes) evaluate(ctx context.Context, root Node, version int64, given []Scores, of IndexSurvey) (*indexEvaluation, error) {
	if faults := of.check(len(given), given != nil); len(faults) > 0 {
		return nil, invalidScores(faults)
	}
	if given == nil {
		s, err := x.Survey(ctx, root, of.wanted())
		if err != nil {
			return nil, err
		}
		v := findings(root, version, s.Evaluated)
		v.OffScale, v.AsOf = s.OffScale, fact.TimeOrNil(s.AsOf)
		return &indexEvaluation{v}, nil
	}
	rows, faults := table(root, given)
	if len(faults) > 0 {
		return nil, invalidScores(faults)
	}
	return &indexEvaluation{findings(root, version, Evaluate(root, rows))}, nil
}

func invalidScores(faults []problem.Field) error {
	return problem.InvalidBody("scores_invalid", "The scores were not accepted: mend the fields named here.", faults)
}

// table has given scores in the order of the leaves; what is not of a leaf, or not on its scale, is a fault.
func table(root Node, given []Scores) (rows [][]float64, faults []problem.Field) {
	leaves := root.Leaves()
	column := make(map[string]int, len(leaves))
	for i, l := range leaves {
		column[l.Code] = i
	}
	for i, scores := range given {
		row := make([]float64, len(leaves))
		for j := range row {
			row[j] = math.NaN()
		}
		for _, code := range slices.Sorted(maps.Keys(scores)) {
			at := fmt.Sprintf("rows[%d].%.40s", i, code)
			j, ok := column[code]
			switch v := scores[code]; {
			case !ok:
				faults = append(faults, problem.Field{Location: at, Code: "leaf_unknown", Message: "is not a leaf of the index"})
			case v < leaves[j].Low || v > leaves[j].High:
				faults = append(faults, problem.Field{Location: at, Code: "out_of_scale", Message: fmt.Sprintf("must be %g to %g", leaves[j].Low, leaves[j].High)})
			default:
				row[j] = v
			}
		}
		if len(faults) >= maxFaults {
			return nil, faults[:maxFaults]
		}
		rows = append(rows, row)
	}
	return rows, faults
}

func findings(root Node, version int64, e Evaluated) indexFindings {
	whole := e.Indexes[0]
	v := indexFindings{
		Code: root.Code, Version: version, Value: whole.Value, Interval: whole.Interval, N: e.N, LeftOut: e.LeftOut,
		Enough: whole.Value != nil && e.N >= rating.Enough, Missing: append([]string{}, whole.Missing...),
	}
	for _, f := range e.Indexes {
		one := indexFinding{
			Code: f.Node.Code, Name: f.Node.Name, Parent: f.Parent, Level: f.Level, Weight: f.Node.Weight, Share: f.Share, Value: f.Value, Interval: f.Interval, Missing: f.Missing,
		}
		if f.Node.Leaf() {
			one.Answers = &f.Answers
		}
		v.Indexes = append(v.Indexes, one)
	}
	return v
}
