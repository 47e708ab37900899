package mining

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

type productAdviceInput struct {
	Sku   []string `query:"sku,explode" required:"true" minItems:"1" maxItems:"50" doc:"Article code; may come several times, for a basket."`
	Limit int      `query:"limit" minimum:"1" maximum:"50" default:"5"`
}

type customerAdviceInput struct {
	ID    uuid.UUID `path:"id" format:"uuid"`
	Limit int       `query:"limit" minimum:"1" maximum:"50" default:"5"`
}

// recommendation is one article, and the rule that speaks for it.
type recommendation struct {
	Sku   string   `json:"sku"`
	Score float64  `json:"score" doc:"lift times confidence of the rule"`
	Why   ruleView `json:"because"`
}

type recommendations struct {
	CustomerID *uuid.UUID       `json:"customer_id,omitempty" format:"uuid" doc:"Of merged customers, the one who stands for all."`
	Enough     bool             `json:"enough" doc:"false: there is not enough data to recommend anything; why says what is missing"`
	Why        string           `json:"why,omitempty" enum:"no_rules,no_purchases,no_rule_fits"`
	ModelID    *uuid.UUID       `json:"model_id,omitempty" format:"uuid" doc:"The model of rules in use."`
	RulesOf    *time.Time       `json:"rules_of,omitempty" doc:"When its rules were found."`
	Items      []recommendation `json:"items" nullable:"false" doc:"The best first."`
	AsOf       *time.Time       `json:"as_of" doc:"Time of the newest event that was looked at; null when there was none."`
}

type rulesInUseInput struct {
	httpx.Page
	Sku string `query:"sku" maxLength:"200" doc:"Only rules with this article on either side."`
}

type rulesInUse struct {
	Items      []ruleView `json:"items" nullable:"false"`
	NextCursor string     `json:"next_cursor,omitempty"`
}

// clusterAssignment says what clusters are in use, and how far portraits have them.
type clusterAssignment struct {
	InUse      bool              `json:"in_use"`
	ModelID    *uuid.UUID        `json:"model_id,omitempty" format:"uuid"`
	Fields     []string          `json:"fields,omitempty"`
	Clusters   []json.RawMessage `json:"clusters" nullable:"false" doc:"As the model's detail has them: sizes are of its fit."`
	Day        string            `json:"day,omitempty" format:"date" doc:"UTC day of what portraits were assigned by; it is done anew each day, and for a customer whenever something is heard of it."`
	Done       bool              `json:"done" doc:"All portraits have their cluster."`
	Customers  int64             `json:"customers" doc:"That were looked at so far."`
	Changed    int64             `json:"changed" doc:"Whose cluster is another one than before."`
	StartedAt  *time.Time        `json:"started_at,omitempty"`
	FinishedAt *time.Time        `json:"finished_at,omitempty"`
}

// Routes adds recommendations and what is in use; models are fitted and put to use as all models are.
func (m *Mining) Routes(api *httpx.API) {
	read := func(id, path, summary, description string) httpx.Operation {
		return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: "mining", Summary: summary, Description: description, Permission: auth.AnalyticsRead}
	}
	httpx.Register(api, read("recommend-for-products", "/v1/analytics/recommendations/products", "What is bought together with articles",
		"By the association rules in use with a lift above 1 whose condition the articles meet: for each other article the rule with the best lift times confidence."),
		func(ctx context.Context, in *productAdviceInput) (*struct{ Body recommendations }, error) {
			for _, sku := range in.Sku {
				if sku == "" || len(sku) > 200 {
					return nil, problem.New(problem.Unprocessable, "validation_failed", "Mend the query.").WithField("query.sku", "invalid", "must have 1 to 200 bytes")
				}
			}
			a, err := m.ForProducts(ctx, in.Sku, in.Limit)
			return showAdvice(a, err)
		})
	op := read("recommend-for-customer", "/v1/analytics/recommendations/customers/{id}", "The next best offers for a customer",
		"As for articles, by what the customer bought and kept; never what it ever bought, and nothing for one who was erased (410).")
	op.Errors = []int{http.StatusNotFound, http.StatusGone}
	httpx.Register(api, op, func(ctx context.Context, in *customerAdviceInput) (*struct{ Body recommendations }, error) {
		a, err := m.ForCustomer(ctx, in.ID, in.Limit)
		return showAdvice(a, err)
	})
	httpx.Register(api, read("list-rules-in-use", "/v1/analytics/rules", "List the association rules in use", "The best by lift times confidence first."),
		func(ctx context.Context, in *rulesInUseInput) (*struct{ Body rulesInUse }, error) {
			items, next, err := httpx.PageByNumber(in.Page, func(from, limit int) ([]numberedRule, error) { return m.InUse(ctx, in.Sku, from, limit) },
				func(one numberedRule) int { return one.no }, func(one numberedRule) ruleView { return showRule(one.rule) })
			return &struct{ Body rulesInUse }{rulesInUse{items, next}}, err
		})
	httpx.Register(api, read("get-clusters-in-use", "/v1/analytics/clusters", "The clusters in use, and how far portraits have them", ""),
		func(ctx context.Context, _ *struct{}) (*struct{ Body clusterAssignment }, error) {
			body, err := m.showAssignment(ctx)
			return &struct{ Body clusterAssignment }{body}, err
		})
}

func showAdvice(a Advice, err error) (*struct{ Body recommendations }, error) {
	if err != nil {
		return nil, err
	}
	body := recommendations{Enough: a.Why == "", Why: a.Why, Items: make([]recommendation, len(a.Rules)), AsOf: fact.TimeOrNil(a.AsOf)}
	if a.CustomerID != uuid.Nil {
		body.CustomerID = &a.CustomerID
	}
	if a.Model.ID != uuid.Nil {
		body.ModelID, body.RulesOf = &a.Model.ID, &a.Model.TrainedAt
	}
	for i, r := range a.Rules {
		body.Items[i] = recommendation{Sku: r.Then, Score: r.Score(), Why: showRule(r)}
	}
	return &struct{ Body recommendations }{body}, nil
}

func (m *Mining) showAssignment(ctx context.Context) (clusterAssignment, error) {
	body := clusterAssignment{Clusters: []json.RawMessage{}}
	a, of, ok, err := m.Assignment(ctx)
	if err != nil || !ok {
		return body, err
	}
	var detail struct {
		Fields   []string          `json:"fields"`
		Clusters []json.RawMessage `json:"clusters"`
	}
	if err := json.Unmarshal(of.Detail, &detail); err != nil {
		return body, err
	}
	started := a.StartedAt.UTC()
	body = clusterAssignment{
		InUse: true, ModelID: &a.ModelID, Fields: detail.Fields, Clusters: detail.Clusters, Day: a.Day.Format(time.DateOnly), Done: a.Done,
		Customers: a.Customers, Changed: a.Changed, StartedAt: &started,
	}
	if a.FinishedAt != nil {
		finished := a.FinishedAt.UTC()
		body.FinishedAt = &finished
	}
	return body, nil
}
