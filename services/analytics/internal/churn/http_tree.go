package churn

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// TreeBounds are what a tree may grow to; they come by query with a table. They are exported for the documentation, which leaves out
// what is embedded otherwise.
type TreeBounds struct {
	MaxDepth   int     `json:"max_depth,omitempty" query:"max_depth" minimum:"1" maximum:"8" doc:"Conditions from the root to a leaf; 4 when left out."`
	MinLeaf    int     `json:"min_leaf,omitempty" query:"min_leaf" minimum:"1" maximum:"100000" doc:"Rows of a rule; a hundredth of all, 5 at least, when left out."`
	Complexity float64 `json:"complexity,omitempty" query:"complexity" minimum:"0" maximum:"1" doc:"What each rule more has to take off the impurity, as a share of that of all rows; 0.005 when left out."`
}

func (b TreeBounds) growth() Growth {
	g := Growth(b)
	if g.MaxDepth == 0 {
		g.MaxDepth = 4
	}
	if g.Complexity == 0 {
		g.Complexity = 0.005
	}
	return g
}

// treeBody asks for a tree over portraits.
type treeBody struct {
	TreeBounds
	Target string   `json:"target" minLength:"1" maxLength:"32768" doc:"A filter over portraits, as text: the tree explains for whom it holds." example:"churn_permille >= 600"`
	Fields []string `json:"fields,omitempty" maxItems:"100" doc:"That the tree may ask for; left out: all but those in target."`
	Ignore []string `json:"ignore,omitempty" maxItems:"100" doc:"That it may not."`
}

// treeTable is what is said of a table beside it.
type treeTable struct {
	TreeBounds
	Target   string   `json:"target" query:"target" maxLength:"100" doc:"The column that is explained."`
	Positive string   `json:"positive,omitempty" query:"positive" maxLength:"100" doc:"Its value that is explained; left out: yes, true, 1, y, churned, left or lost."`
	ID       string   `json:"id,omitempty" query:"id" maxLength:"100" doc:"The column that names rows."`
	Ignore   []string `json:"ignore,omitempty" query:"ignore" doc:"Columns to be left out, separated by commas."`
	Words    []string `json:"words,omitempty" query:"words" doc:"Columns of codes that look like numbers."`
}

type treeShare struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low" doc:"Of the 95 % interval after Wilson."`
	High  float64 `json:"high"`
}

type treeRule struct {
	Words      string      `json:"words"`
	Filter     string      `json:"filter,omitempty" doc:"The same as a filter over portraits, fit for a segment."`
	Conditions []Condition `json:"conditions" nullable:"false"`
	Rows       int         `json:"rows" doc:"That the tree grew on."`
	Support    float64     `json:"support" doc:"Their share of all."`
	Purity     treeShare   `json:"purity" doc:"The share of them that target holds for."`
	Lift       float64     `json:"lift" doc:"Purity as a multiple of the share among all."`
	Predicts   bool        `json:"predicts" doc:"What most of them are."`
	UnseenRows int         `json:"unseen_rows" doc:"Rows that the tree did not grow on."`
	Unseen     *treeShare  `json:"unseen_purity,omitempty" doc:"The share of those."`
}

type treeView struct {
	AsOf     string     `json:"as_of,omitempty" format:"date" doc:"The day that portraits were asked for."`
	Rows     int        `json:"rows" doc:"That the tree grew on."`
	Base     float64    `json:"base" doc:"The share of all that target holds for."`
	Holdout  int        `json:"holdout" doc:"Rows that it was judged by."`
	Accuracy treeShare  `json:"accuracy" doc:"The share of those whose outcome it predicts."`
	Trivial  float64    `json:"trivial_accuracy" doc:"Of who always predicts what most are."`
	Rules    []treeRule `json:"rules" nullable:"false" doc:"Each row is in one of them. The highest lift first."`
}

type treeOutput struct{ Body treeView }

func showShare(i proportion.Interval) treeShare { return treeShare{i.Value, i.Low, i.High} }

func showTree(e Explanation, portraits bool) treeView {
	v := treeView{Rows: e.Rows, Base: e.Base, Holdout: e.Holdout, Accuracy: showShare(e.Accuracy), Trivial: e.Trivial, Rules: make([]treeRule, len(e.Rules))}
	for i, r := range e.Rules {
		one := treeRule{
			Words: r.Words(), Conditions: r.Conditions, Rows: r.Rows, Support: r.Support, Purity: showShare(r.Purity), Lift: r.Lift, Predicts: r.Predicts, UnseenRows: r.UnseenRows,
		}
		if r.Unseen != nil {
			share := showShare(*r.Unseen)
			one.Unseen = &share
		}
		if portraits {
			if f, ok := r.Filter(); ok {
				one.Filter = f.String()
			}
		}
		v.Rules[i] = one
	}
	return v
}

// maxTreeUpload is the largest table of which a tree is grown, in bytes.
const maxTreeUpload = 32 << 20

func (c *Churn) treeRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "explain-by-tree", Method: http.MethodPost, Path: "/v1/analytics/trees", Tag: tag, Summary: "Explain by rules who is in a part of the customers",
		Description: "A decision tree (CART with Gini's impurity, cut back by cost and complexity) over the fields of portraits, or over a table that comes as CSV. It grows on seven tenths " +
			"of the rows, at most 50,000 portraits, and is judged by the rest. The same rows give the same tree. Of a segment, target is in segment and its code.",
		Permission: auth.AnalyticsManage, Timeout: 40 * time.Second,
		Upload: &httpx.Upload{Consumes: []string{"text/csv"}, MaxBody: maxTreeUpload, Settings: treeTable{}, Handle: c.tableTreeHTTP},
	}, c.treeHTTP)
}

func (c *Churn) treeHTTP(ctx context.Context, in *struct{ Body treeBody }) (*treeOutput, error) {
	target, faults := filter.Parse(in.Body.Target, "target")
	if len(faults) > 0 {
		return nil, problem.InvalidBody("validation_failed", "Some of what was sent is not valid; errors says what.", faults)
	}
	e, asOf, err := c.Explore(ctx, Question{Target: target, Fields: in.Body.Fields, Ignore: in.Body.Ignore, Growth: in.Body.growth()})
	if err != nil {
		return nil, err
	}
	v := showTree(e, true)
	v.AsOf = asOf.Format(time.DateOnly)
	return &treeOutput{v}, nil
}

// tableTreeHTTP explains a column of an uploaded table.
func (c *Churn) tableTreeHTTP(g *gin.Context) error {
	in, err := httpx.SettingsOf[treeTable](g)
	if err != nil {
		return err
	}
	raw, err := model.ReadTable(httpx.HashBody(g))
	if err != nil {
		return err
	}
	t, err := Build(raw.Columns, raw.Rows, Layout{Target: in.Target, Positive: in.Positive, ID: in.ID, Ignore: in.Ignore, Words: in.Words})
	if err != nil {
		return err
	}
	e, err := Explain(t, in.growth())
	if err != nil {
		return err
	}
	g.JSON(http.StatusOK, showTree(e, false))
	return nil
}
