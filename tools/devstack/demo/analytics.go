package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// definition is something that is defined once: where it is made, and as what.
type definition struct {
	path string
	body object
}

// The history of the CD shop: models learn from what was bought up to learnt, and are held against what came after, up to known,
// its last day.
const (
	learnt = "1997-09-30"
	known  = "1998-06-30"
)

// musicModels say how often customers buy, and what a purchase is worth: together what customers will be worth.
var musicModels = []fit{
	{"bgnbd", object{"source": "facts", "cutoff": learnt, "holdout_until": known, "currency": "USD"}},
	{"gamma-gamma", object{"source": "facts", "cutoff": learnt, "currency": "USD"}},
}

// musicRuns look at everybody as of the last day of the history. They leave portraits, which are of today, as they are.
var musicRuns = []definition{
	{"/v1/analytics/rfm/runs", object{"currency": "USD", "as_of": known, "window_days": 365}},
	{"/v1/analytics/grades/runs", object{"as_of": known}},
	{"/v1/analytics/value/runs", object{"as_of": known}},
}

var musicDefinitions = []definition{
	{"/v1/segments", object{
		"code": "regulars", "name": "Regulars", "description": "Whoever bought at least five times.", "owner": "marketing",
		"kind": "live", "filter_text": "orders >= 5",
	}},
}

// pizzaModels say who likes what else: an order of the shop has one line, so that a basket is all that a customer bought.
var pizzaModels = []fit{
	{"association", object{"source": "facts", "by": "customer", "min_support": 0.1, "min_confidence": 0.3}},
}

var pizzaDefinitions = []definition{
	{"/v1/segments", object{
		"code": "regulars", "name": "常客 Regulars", "description": "五单及以上。Five orders or more.", "owner": "marketing",
		"kind": "live", "filter_text": "orders >= 5",
	}},
	{"/v1/segments", object{
		"code": "to_be_cared_for", "name": "需要关怀 To be cared for", "description": "投诉过，或者不满意。Complained, or was not satisfied.", "owner": "service",
		"kind": "live", "filter_text": "complaints > 0 or csat <= 2",
	}},
	{"/v1/tags", object{"code": "buying", "kind": "group", "name": "消费 Buying", "owner": "marketing"}},
	{"/v1/tags", object{
		"code": "spend", "kind": "fact", "parent": "buying", "name": "消费金额 Spend", "owner": "marketing", "field": "net_minor",
		"bands": []object{
			{"code": "low", "name": "低 Low", "below": 20_000}, {"code": "middle", "name": "中 Middle", "at_least": 20_000, "below": 60_000},
			{"code": "high", "name": "高 High", "at_least": 60_000},
		},
	}},
	{"/v1/tags", object{
		"code": "durian_friend", "kind": "rule", "parent": "buying", "name": "榴莲爱好者 Friend of durian", "owner": "marketing",
		"filter_text": `products has "durian"`,
	}},
	{"/v1/tags", object{
		"code": "unhappy", "kind": "rule", "name": "不满意 Unhappy", "owner": "service", "filter_text": "csat <= 2", "valid_days": 90,
	}},
	{"/v1/metrics", object{
		"code": "revenue_a_buyer", "name": "客均收入 Net revenue a buyer", "definition": "What a buyer of the time brought in, after returns.",
		"formula": "net_revenue / buyers", "unit": "money_minor", "owner": "sales",
	}},
	{"/v1/reports", weekly},
}

// weekly is what the shop looks at on Monday morning.
var weekly = object{
	"code": "week", "title": "一周小结 The week",
	"schedule": object{"every": "week", "weekday": 1, "hour": 8, "time_zone": "Asia/Shanghai"},
	"sections": []object{
		{
			"title": "上周 Last week", "text": "与前一周相比。Beside the week before.", "last_days": 7,
			"question": object{"metrics": []string{"net_revenue", "orders", "buyers", "revenue_a_buyer"}, "compare": "previous"},
		},
		{"title": "投诉与满意 Complaints and satisfaction", "last_days": 28, "question": object{"metrics": []string{"complaints", "survey_answers", "csat"}}},
		{
			"title": "去年 The year", "text": "按月份和渠道。By month and channel.", "question": object{
				"metrics": []string{"net_revenue", "orders"}, "by": []string{"channel"}, "grain": "month", "from": "2025-09-01", "to": "2026-08-31",
			},
		},
	},
}

// survey asks guests of the pizza shop how it was, and what they make of a quick delivery.
var survey = object{"code": "after_meal", "kind": "csat", "content": object{
	"title": object{"zh": "您吃得好吗？", "en": "How was it?"}, "language": "zh",
	"questions": []object{
		{"code": "score", "kind": "score", "text": object{"zh": "您满意吗？（1 很不满意，5 非常满意）", "en": "How satisfied are you? (1 not at all, 5 very)"}},
		{
			"code": "half_an_hour", "kind": "kano", "text": object{"zh": "半小时内送到，您觉得如何？", "en": "How is it when we deliver within half an hour?"},
			"without": object{"zh": "超过半小时才送到，您觉得如何？", "en": "How is it when we take longer?"},
		},
	},
}}

// guest is who answered, by the number at the till.
type guest struct {
	number        string
	score         int
	with, without int // of the pair of questions: 1 (I like it) to 5 (I dislike it)
}

func guests() []guest {
	return []guest{
		{"K001", 5, 1, 4}, {"K002", 2, 2, 5}, {"K003", 4, 1, 5}, {"K004", 5, 1, 3}, {"K005", 3, 1, 5},
		{"K006", 5, 1, 4}, {"K007", 4, 3, 3}, {"K008", 5, 1, 5}, {"K014", 4, 1, 4}, {"K015", 1, 2, 5},
	}
}

// LoadAnalytics has analytics learn what it can of both tenants: models, segments, tags, a metric and a report of their own, and what
// guests answered. Runs over everybody are asked for, not waited for. What is there already stays as it is.
func (i Installation) LoadAnalytics(ctx context.Context) error {
	if err := i.analysePizza(ctx); err != nil {
		return fmt.Errorf("tenant %s, analytics: %w", Pizza, err)
	}
	if err := i.analyseMusic(ctx); err != nil { // after pizza: its history is longer, and may be on its way still
		return fmt.Errorf("tenant %s, analytics: %w", Music, err)
	}
	return nil
}

func (i Installation) analyseMusic(ctx context.Context) error {
	api, err := i.ClientOf("manager", Music, "manager")
	if err != nil {
		return err
	}
	if err := i.heardOfAll(ctx, Music, api); err != nil {
		return err
	}
	var settings struct{ Currency string }
	if err := api.Get(ctx, "/v1/analytics/settings", nil, &settings); err != nil {
		return err
	}
	if err := define(ctx, api, musicDefinitions); err != nil {
		return err
	}
	if err := costs(ctx, api); err != nil {
		return err
	}
	if err := learn(ctx, api, musicModels); err != nil {
		return err
	}
	for _, r := range musicRuns { // under a key: asked for once
		request := client.Request{Method: http.MethodPost, Path: r.path, In: r.body, IdempotencyKey: "demo" + r.path}
		_, err := api.Do(ctx, request, nil)
		if err = made(err); err != nil {
			return fmt.Errorf("%s: %w", r.path, err)
		}
	}
	i.Report(fmt.Sprintf("tenant %s: a live segment, how often customers buy and what they are worth (learnt up to %s), %d runs as of %s asked for, in %s",
		Music, learnt, len(musicRuns), known, settings.Currency))
	return nil
}

// costs sets what is left of revenue, unless somebody has set it.
func costs(ctx context.Context, api *client.Client) error {
	const path = "/v1/analytics/value/settings"
	var settings struct{ Version int64 }
	if err := api.Get(ctx, path, nil, &settings); err != nil || settings.Version > 0 {
		return err
	}
	_, err := api.Do(ctx, client.Request{Method: http.MethodPut, Path: path, IfMatch: "*", In: object{
		"margin": 0.35, "tax": 0, "annual_rate": 0.1, "horizon_months": 36, "purchase_model": "bgnbd", "ticket_minor": 350, "acquisition_minor": 400,
	}}, nil)
	return err
}

func (i Installation) analysePizza(ctx context.Context) error {
	api, err := i.ClientOf("manager", Pizza, "manager")
	if err != nil {
		return err
	}
	if err := i.heardOfAll(ctx, Pizza, api); err != nil {
		return err
	}
	answered, err := i.askGuests(ctx)
	if err != nil {
		return fmt.Errorf("survey: %w", err)
	}
	if err := define(ctx, api, pizzaDefinitions); err != nil {
		return err
	}
	if err := learn(ctx, api, pizzaModels); err != nil {
		return err
	}
	runs := fmt.Sprintf("/v1/reports/%s/runs", weekly["code"])
	var ran struct{ Items []object }
	if err := api.Get(ctx, runs, url.Values{"limit": {"1"}}, &ran); err != nil {
		return err
	}
	if len(ran.Items) == 0 {
		if err := api.Post(ctx, runs, nil, nil); err != nil {
			return err
		}
	}
	i.Report(fmt.Sprintf("tenant %s: live segments, a tree of tags, a metric of its own, what is liked together, a report every Monday, %d guests who said how it was", Pizza, answered))
	return nil
}

// heardOfAll waits until analytics has heard of every order: what is learnt before that is learnt from half of it.
func (i Installation) heardOfAll(ctx context.Context, tenant string, api *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	want, err := api.SalesTotals(ctx)
	if err != nil {
		return err
	}
	for told := time.Now(); ; {
		heard, err := api.AnalyticsTotals(ctx)
		if err != nil {
			return err
		}
		if heard.Orders >= want.Orders {
			return nil
		}
		if time.Since(told) > 3*time.Second {
			told = time.Now()
			i.Report(fmt.Sprintf("tenant %s: analytics has heard of %d of %d orders", tenant, heard.Orders, want.Orders))
		}
		if err := wait(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("analytics has heard of %d of %d orders: %w", heard.Orders, want.Orders, err)
		}
	}
}

// define makes what is not there yet.
func define(ctx context.Context, api *client.Client, all []definition) error {
	for _, d := range all {
		if err := made(api.Post(ctx, d.path, d.body, nil)); err != nil {
			return fmt.Errorf("%s %v: %w", d.path, d.body["code"], err)
		}
	}
	return nil
}

// fit is a model that is learnt from facts.
type fit struct {
	kind string
	body object
}

// learn fits each model and puts it to use, unless there is one of its kind in use.
func learn(ctx context.Context, api *client.Client, all []fit) error {
	for _, f := range all {
		if err := f.learn(ctx, api); err != nil {
			return fmt.Errorf("model %s: %w", f.kind, err)
		}
	}
	return nil
}

func (f fit) learn(ctx context.Context, api *client.Client) error {
	var used struct{ Items []object }
	err := api.Get(ctx, "/v1/models", url.Values{"kind": {f.kind}, "in_use": {"true"}, "limit": {"1"}}, &used)
	if err != nil || len(used.Items) > 0 {
		return err
	}
	var answer struct{ Model struct{ ID string } }
	if err := api.Post(ctx, "/v1/models/"+f.kind+"/fit", f.body, &answer); err != nil {
		return err
	}
	if answer.Model.ID == "" {
		return errors.New("it has become a job: there are more orders than the demo has")
	}
	return api.Post(ctx, "/v1/models/"+answer.Model.ID+"/use", nil, nil)
}

// askGuests asks each guest who has not answered yet, and tells how many have by now.
func (i Installation) askGuests(ctx context.Context) (answered int, err error) {
	manager, err := i.ClientOf("manager", Pizza, "manager")
	if err != nil {
		return 0, err
	}
	agent, err := i.ClientOf("agent", Pizza, "agent")
	if err != nil {
		return 0, err
	}
	if err := made(manager.Post(ctx, "/v1/surveys", survey, nil)); err != nil {
		return 0, err
	}
	var id string
	err = manager.List(ctx, "/v1/surveys", "items", nil, func(raw []byte) error {
		var s struct {
			ID   string `json:"survey_id"`
			Code string
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		if s.Code != survey["code"] {
			return nil
		}
		id = s.ID
		return client.ErrStop
	})
	if err != nil {
		return 0, err
	}
	for _, g := range guests() {
		if err := g.answer(ctx, agent, id); err != nil {
			return answered, fmt.Errorf("guest %s: %w", g.number, err)
		}
		answered++
	}
	return answered, nil
}

// answer hands the link over to the guest, who answers.
func (g guest) answer(ctx context.Context, agent *client.Client, survey string) error {
	found, err := agent.LookupCustomers(ctx, "external:till", g.number)
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("%d customers have this number", len(found))
	}
	customer := found[0].CustomerID
	var before struct{ Items []object }
	err = agent.Get(ctx, "/v1/survey-invitations", url.Values{"survey_id": {survey}, "customer_id": {customer}, "state": {"answered"}}, &before)
	if err != nil || len(before.Items) > 0 {
		return err
	}
	var invitation struct {
		ID string `json:"invitation_id"`
	}
	err = agent.Post(ctx, "/v1/survey-invitations", object{"survey_id": survey, "customer_id": customer, "touchpoint": "meal", "by_hand": true}, &invitation)
	if err != nil {
		return err
	}
	var link struct{ Path string }
	if err := agent.Post(ctx, "/v1/survey-invitations/"+invitation.ID+"/hand-over", nil, &link); err != nil {
		return err
	}
	return agent.Post(ctx, link.Path+"/answer", object{"language": "zh", "answers": []object{
		{"question": "score", "number": g.score}, {"question": "half_an_hour", "with": g.with, "without": g.without},
	}}, nil)
}
