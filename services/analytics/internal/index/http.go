package index

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

const (
	tag  = "Satisfaction"
	path = "/v1/analytics/indexes/{code}"
)

// indexNode is an index as it is shown and said: a leaf, or made of children.
type indexNode struct {
	Code       string      `json:"code" maxLength:"40" example:"service"`
	Name       string      `json:"name,omitempty" maxLength:"200"`
	Weight     float64     `json:"weight,omitempty" minimum:"0" maximum:"1" doc:"Within its parent, where they sum to 1. Left out at a level: all the same, or as judged."`
	Judgements [][]float64 `json:"judgements,omitempty" maxItems:"10" doc:"Instead of the weights of the children: how many times as important child i is as child j (AHP). Refused where they contradict each other."`
	Ratio      float64     `json:"consistency_ratio,omitempty" readOnly:"true" doc:"Of the judgements: at most 0.10."`
	Children   []indexNode `json:"children,omitempty" maxItems:"50"`
	Question   string      `json:"question,omitempty" maxLength:"80" doc:"Of a leaf: the code of the survey's question; left out: the leaf's code."`
	Low        *float64    `json:"low,omitempty" minimum:"-1000000" maximum:"1000000" doc:"Of a leaf: the rating that counts 0. Low and high left out: 1 to 10."`
	High       *float64    `json:"high,omitempty" minimum:"-1000000" maximum:"1000000" doc:"Of a leaf: the rating that counts 100."`
}

func (n indexNode) node() (out Node, faults []problem.Field) {
	out = Node{Code: n.Code, Name: n.Name, Weight: n.Weight, Judgements: n.Judgements, Question: n.Question}
	if (n.Low == nil) != (n.High == nil) || n.Low != nil && *n.High <= *n.Low {
		faults = append(faults, problem.Field{Location: "high", Code: "scale_invalid", Message: "must be more than low; give both or neither (" + n.Code + ")"})
	} else if n.Low != nil {
		out.Low, out.High = *n.Low, *n.High
	}
	for _, child := range n.Children {
		c, found := child.node()
		out.Children, faults = append(out.Children, c), append(faults, found...)
	}
	return out, faults
}

func showNode(n Node) indexNode {
	out := indexNode{Code: n.Code, Name: n.Name, Weight: n.Weight, Judgements: n.Judgements, Ratio: n.Ratio, Question: n.Question}
	if n.Leaf() {
		out.Low, out.High = &n.Low, &n.High
	}
	for _, child := range n.Children {
		out.Children = append(out.Children, showNode(child))
	}
	return out
}

type indexView struct {
	Code      string    `json:"code"`
	Version   int64     `json:"version"`
	Archived  bool      `json:"archived"`
	Index     indexNode `json:"index"`
	ChangedBy string    `json:"changed_by" doc:"subject"`
	ChangedAt time.Time `json:"changed_at"`
}

type indexAnswer struct {
	ETag string `header:"ETag"`
	Body indexView
}

func view(s System) indexView {
	return indexView{s.Code, s.Version, s.Archived, showNode(s.Root), s.By, s.ChangedAt}
}

func answer(s System, err error) (*indexAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &indexAnswer{httpx.ETag(s.Version), view(s)}, nil
}

type createIndex struct{ Body indexNode }

// IndexByCode names a system.
type IndexByCode struct {
	Code string `path:"code" maxLength:"40"`
}

type indexVersionInput struct {
	IndexByCode
	Version int64 `query:"version" minimum:"0" maximum:"2147483647" doc:"Left out or 0: the present one."`
}

type replaceIndex struct {
	IndexByCode
	IfMatch string `header:"If-Match" doc:"the ETag of the index as it was read"`
	Body    indexNode
}

type indexListInput struct {
	httpx.Page
	Archived bool `query:"archived" doc:"those in the archive, too"`
}

type indexList struct{ Body indexPage }

type indexPage struct {
	Items      []indexView `json:"items" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty"`
}

// Routes adds the operations.
func (x *Indexes) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-indexes", Method: http.MethodGet, Path: "/v1/analytics/indexes", Tag: tag, Summary: "List index systems by code", Permission: auth.AnalyticsRead,
	}, func(ctx context.Context, in *indexListInput) (*indexList, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]System, error) { return x.List(ctx, in.Archived, after, limit) },
			func(s System) string { return s.Code }, view)
		return &indexList{indexPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "create-index", Method: http.MethodPost, Path: "/v1/analytics/indexes", Tag: tag, Summary: "Define an index system: a tree of weighted indices",
		Permission: auth.AnalyticsManage, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *createIndex) (*indexAnswer, error) {
		root, faults := in.Body.node()
		if len(faults) > 0 {
			return nil, invalid(faults)
		}
		return answer(x.Create(ctx, root))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-index", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read an index system, or what it was", Permission: auth.AnalyticsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *indexVersionInput) (*indexAnswer, error) {
		return answer(x.Get(ctx, in.Code, in.Version))
	})
	httpx.Register(api, httpx.Operation{
		ID: "replace-index", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Give an index system another tree", Permission: auth.AnalyticsManage,
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *replaceIndex) (*indexAnswer, error) {
		root, faults := in.Body.node()
		if root.Code != in.Code {
			faults = append(faults, problem.Field{Location: "code", Code: "code_fixed", Message: "must be that of the path: codes do not change"})
		}
		if len(faults) > 0 {
			return nil, invalid(faults)
		}
		return answer(x.Replace(ctx, in.Code, root, in.IfMatch))
	})
	for verb, archived := range map[string]bool{"archive": true, "restore": false} {
		httpx.Register(api, httpx.Operation{
			ID: verb + "-index", Method: http.MethodPost, Path: path + "/" + verb, Tag: tag, Permission: auth.AnalyticsManage,
			Summary: map[bool]string{true: "Put an index system into the archive", false: "Take an index system out of the archive"}[archived],
			Errors:  []int{http.StatusNotFound, http.StatusConflict},
		}, func(ctx context.Context, in *IndexByCode) (*indexAnswer, error) {
			return answer(x.Archive(ctx, in.Code, archived))
		})
	}
	x.evaluateRoutes(api)
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("index_invalid", "The index was not accepted: mend the fields named here.", faults)
}

// IndexSurvey says which answers of a survey are meant.
type IndexSurvey struct {
	SurveyID   *uuid.UUID `json:"survey_id,omitempty" format:"uuid" doc:"Instead of rows: what was answered to a survey."`
	Touchpoint string     `json:"touchpoint,omitempty" maxLength:"64" doc:"Of a survey: only what was asked there."`
	From       *time.Time `json:"from,omitempty" doc:"Of a survey: answers from then on."`
	To         *time.Time `json:"to,omitempty" doc:"Of a survey: answers before then."`
}

func (s IndexSurvey) wanted() (w rating.Wanted) {
	w = rating.Wanted{Survey: *s.SurveyID, Touchpoint: s.Touchpoint}
	if s.From != nil {
		w.From = *s.From
	}
	if s.To != nil {
		w.To = *s.To
	}
	return w
}

// check names what does not go together.
func (s IndexSurvey) check(rows int, given bool) (faults []problem.Field) {
	switch {
	case given == (s.SurveyID != nil):
		faults = append(faults, problem.Field{Location: "rows", Code: "rows_or_survey", Message: "must be there, or survey_id, and not both"})
	case given && (s.Touchpoint != "" || s.From != nil || s.To != nil):
		faults = append(faults, problem.Field{Location: "rows", Code: "rows_or_survey", Message: "are not chosen by touchpoint and time: send those that count"})
	case given && rows == 0:
		faults = append(faults, problem.Field{Location: "rows", Code: "rows_count", Message: "must be at least one"})
	case s.From != nil && s.To != nil && !s.To.After(*s.From):
		faults = append(faults, problem.Field{Location: "to", Code: "period_invalid", Message: "must be after from"})
	}
	return faults
}
