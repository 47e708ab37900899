package ahp

import (
	"context"
	"fmt"
	"net/http"
	"regexp"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const maxPeople = 200

type ahpInput struct{ Body ahpQuestion }

// ahpQuestion is who judged how.
type ahpQuestion struct {
	Criteria []string    `json:"criteria,omitempty" maxItems:"10" doc:"Codes of what is compared, in the order of the rows; c1, c2, ... when left out." example:"[\"price\",\"taste\",\"delivery\"]"`
	Matrix   [][]float64 `json:"matrix,omitempty" doc:"Row i, column j: how many times as important i is as j, on Saaty's scale 1 to 9 and their reciprocals. Reciprocals may be rounded (0.14 for 1/7): they are made exact from the judgement of 1 and more." example:"[[1,3,5],[0.3333,1,2],[0.2,0.5,1]]"`
	Group    []ahpPerson `json:"group,omitempty" maxItems:"200" doc:"Instead of one matrix those of several people, put together by the geometric mean."`
}

// ahpPerson is how one of a group judged.
type ahpPerson struct {
	Matrix [][]float64 `json:"matrix"`
}

type ahpAnswer struct{ Body ahpWeights }

// ahpWeights is what judgements come to.
type ahpWeights struct {
	Weights        []ahpWeight        `json:"weights" nullable:"false" doc:"They sum to 1."`
	Lambda         float64            `json:"lambda" doc:"The principal eigenvalue; the number of criteria where all judgements agree."`
	Index          float64            `json:"consistency_index" doc:"(lambda - n)/(n - 1)."`
	Random         float64            `json:"random_index"`
	Ratio          float64            `json:"consistency_ratio" doc:"Index divided by random index; 0 for fewer than three criteria."`
	Accepted       bool               `json:"accepted" doc:"Whether the ratio is at most 0.10. If not, look at contradictions and judge again."`
	Contradictions []ahpContradiction `json:"contradictions" nullable:"false" doc:"The judgements, at most three, that are off by a factor of 1.5 or more from what all of them make together; the greatest first."`
	People         []ahpOpinion       `json:"people,omitempty" doc:"Of a group: each one's own consistency, in order."`
}

type ahpWeight struct {
	Criterion string  `json:"criterion"`
	Weight    float64 `json:"weight"`
}

type ahpContradiction struct {
	Row     string  `json:"row"`
	Column  string  `json:"column"`
	Judged  float64 `json:"judged" doc:"How many times as important as column row was said to be."`
	Implied float64 `json:"implied" doc:"How many times it is by the weights."`
	Share   float64 `json:"share" doc:"Of the inconsistency lambda - n, 0 to 1."`
}

type ahpOpinion struct {
	Ratio    float64 `json:"consistency_ratio"`
	Accepted bool    `json:"accepted"`
}

var code = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Routes adds the operation.
func Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "weigh-ahp", Method: http.MethodPost, Path: "/v1/ahp/weights", Tag: "AHP", Permission: auth.AnalyticsRead,
		Summary: "Weigh criteria by comparing them in pairs",
		Description: "Analytic hierarchy process: weights by the principal eigenvector, consistency by Saaty's ratio. Judgements that contradict " +
			"each other are answered all the same, with accepted false and where the contradictions are. Nothing is kept.",
	}, func(_ context.Context, in *ahpInput) (*ahpAnswer, error) { return weigh(in.Body) })
}

// check names what is wrong, and gives the matrices.
func (q ahpQuestion) check() (all []Matrix, faults []problem.Field) {
	switch {
	case (q.Matrix == nil) == (q.Group == nil):
		return nil, []problem.Field{{Location: "matrix", Code: "matrix_or_group", Message: "must be there, or group, and not both"}}
	case q.Matrix != nil:
		all = []Matrix{q.Matrix}
		faults = all[0].Check("matrix")
	case len(q.Group) == 0 || len(q.Group) > maxPeople:
		return nil, []problem.Field{{Location: "group", Code: "people_count", Message: fmt.Sprintf("must be 1 to %d people", maxPeople)}}
	}
	for i, p := range q.Group {
		at := fmt.Sprintf("group[%d].matrix", i)
		faults = append(faults, Matrix(p.Matrix).Check(at)...)
		if len(p.Matrix) != len(q.Group[0].Matrix) {
			faults = append(faults, problem.Field{Location: at, Code: "sizes_differ", Message: "must compare as many criteria as the first one's"})
		}
		all = append(all, p.Matrix)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	if q.Criteria != nil && len(q.Criteria) != len(all[0]) {
		faults = append(faults, problem.Field{Location: "criteria", Code: "criteria_count", Message: "must name each row once"})
	}
	seen := map[string]bool{}
	for i, c := range q.Criteria {
		if !code.MatchString(c) || seen[c] {
			faults = append(faults, problem.Field{Location: fmt.Sprintf("criteria[%d]", i), Code: "code_invalid", Message: "must be a code (a-z, 0-9 and _, at most 64) that no other criterion has"})
		}
		seen[c] = true
	}
	return all, faults
}

func weigh(q ahpQuestion) (*ahpAnswer, error) {
	all, faults := q.check()
	if len(faults) > 0 {
		return nil, problem.InvalidBody("judgements_invalid", "The judgements were not accepted: mend the fields named here.", faults)
	}
	names := q.Criteria
	if names == nil {
		for i := range all[0] {
			names = append(names, fmt.Sprintf("c%d", i+1))
		}
	}
	w, err := Weigh(Together(all))
	if err != nil {
		return nil, err
	}
	v := ahpWeights{
		Weights: make([]ahpWeight, len(names)), Lambda: w.Lambda, Index: w.Index, Random: w.Random, Ratio: w.Ratio, Accepted: w.Accepted,
		Contradictions: make([]ahpContradiction, len(w.Contradictions)),
	}
	for i, name := range names {
		v.Weights[i] = ahpWeight{name, w.Weights[i]}
	}
	for i, c := range w.Contradictions {
		v.Contradictions[i] = ahpContradiction{names[c.Row], names[c.Column], c.Judged, c.Implied, c.Share}
	}
	for i := range q.Group {
		own, err := Weigh(all[i])
		if err != nil {
			return nil, err
		}
		v.People = append(v.People, ahpOpinion{own.Ratio, own.Accepted})
	}
	return &ahpAnswer{v}, nil
}
