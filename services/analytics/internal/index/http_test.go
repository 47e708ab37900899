package index_test

import (
	"fmt"
	"math"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

type body = analyticstest.Body

const root = "/v1/analytics/indexes"

type findings struct {
	Value    *float64
	Interval *struct{ Low, High float64 }
	N        int
	LeftOut  int `json:"left_out"`
	OffScale int `json:"off_scale"`
	Version  int64
	Enough   bool
	Missing  []string
	Indexes  []struct {
		Code, Parent  string
		Weight, Share float64
		Value         *float64
		Answers       *int
	}
}

// system is two levels, the upper one by hand, one of the lower ones judged in pairs.
func system(code string) body {
	return body{"code": code, "children": []body{
		{"code": "product", "weight": .6, "judgements": [][]float64{{1, 3}, {.3333, 1}}, "children": []body{{"code": "taste"}, {"code": "warmth", "low": 0, "high": 5}}},
		{"code": "service", "weight": .4, "children": []body{{"code": "speed"}, {"code": "words", "question": "friendly"}}},
	}}
}

func near(got *float64, want float64) bool { return got != nil && math.Abs(*got-want) < 1e-6 }

func TestASystemIsDefinedChangedAndEvaluated(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	a := w.Want(http.StatusCreated, http.MethodPost, root, w.Marketing, system("shop"), nil)
	if a.Header.Get("ETag") != `"1"` {
		t.Errorf("ETag %q", a.Header.Get("ETag"))
	}
	var got findings
	w.Want(http.StatusOK, http.MethodPost, root+"/shop/evaluate", w.Sales, body{"rows": []body{{"taste": 10, "warmth": 2.5, "speed": 1, "words": 10}}}, &got)
	// Product: ¾·100 + ¼·50 = 87.5; service: 50; in all .6·87.5 + .4·50.
	if !near(got.Value, 72.5) || got.Interval != nil || got.N != 1 || got.Enough || len(got.Indexes) != 7 || !near(got.Indexes[1].Value, 87.5) || math.Abs(got.Indexes[2].Share-.45) > 1e-9 {
		t.Errorf("%+v", got)
	}
	got = findings{}
	w.Want(http.StatusOK, http.MethodPost, root+"/shop/evaluate", w.Sales, body{"rows": []body{{"taste": 10, "warmth": 2.5, "speed": 1}}}, &got)
	if got.Value != nil || len(got.Missing) != 1 || got.Missing[0] != "words" || !near(got.Indexes[1].Value, 87.5) || got.Enough {
		t.Errorf("what is missing is not said: %+v", got)
	}
	other := system("shop")
	other["children"].([]body)[0]["weight"], other["children"].([]body)[1]["weight"] = .5, .5
	a = w.Do(http.MethodPut, root+"/shop", w.Marketing, other)
	if a.Status != http.StatusPreconditionRequired {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	w.Want(http.StatusOK, http.MethodPut, root+"/shop", w.Marketing, other, nil, "If-Match", `"1"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, root+"/shop", w.Marketing, other, nil, "If-Match", `"1"`)
	for version, want := range map[int]float64{1: 72.5, 2: 68.75} {
		w.Want(http.StatusOK, http.MethodPost, root+"/shop/evaluate", w.Sales, body{"version": version, "rows": []body{{"taste": 10, "warmth": 2.5, "speed": 1, "words": 10}}}, &got)
		if !near(got.Value, want) || got.Version != int64(version) {
			t.Errorf("version %d: %+v", version, got)
		}
	}
	w.Want(http.StatusOK, http.MethodPost, root+"/shop/archive", w.Marketing, nil, nil)
	w.Want(http.StatusConflict, http.MethodPut, root+"/shop", w.Marketing, other, nil, "If-Match", "*")
	var list struct{ Items []struct{ Code string } }
	for query, n := range map[string]int{"": 0, "?archived=true": 1} {
		if w.Want(http.StatusOK, http.MethodGet, root+query, w.Sales, nil, &list); len(list.Items) != n {
			t.Errorf("%s: %+v", query, list)
		}
	}
	w.Want(http.StatusConflict, http.MethodPost, root, w.Marketing, system("shop"), nil)
	w.Want(http.StatusOK, http.MethodPost, root+"/shop/restore", w.Marketing, nil, nil)
	pizza := w.Token(auth.RoleMarketing, "pizza")
	w.Want(http.StatusNotFound, http.MethodGet, root+"/shop", pizza, nil, nil)
	w.Want(http.StatusCreated, http.MethodPost, root, pizza, system("shop"), nil)
}

// TestRatingsOfASurveyMakeTheIndex has 40 answers of 9, 8 and 7 or 5, 4 and 3 in turn, beside what must not count.
func TestRatingsOfASurveyMakeTheIndex(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	survey := uuid.NewString()
	say := func(tenant, at, ratings string) {
		w.Admin(`INSERT INTO live.fact_answer (tenant_id, answer_id, survey_id, kind, touchpoint, answered_at, ratings)
			VALUES ($1, gen_random_uuid(), $2, 'questionnaire', 'store', $3, $4)`, tenant, survey, at, ratings)
	}
	for i := range 40 {
		d := i % 2 * 4
		say("music", "2026-03-01", fmt.Sprintf(`{"overall": %d, "expectation": %d, "ideal": %d, "speed": 10}`, 9-d, 8-d, 7-d))
	}
	say("music", "2026-03-02", `{"overall": 1, "expectation": 1}`)
	say("music", "2026-03-02", `{"overall": 1, "expectation": 1, "ideal": 11}`)
	say("music", "2026-05-01", `{"overall": 1, "expectation": 1, "ideal": 1}`)
	say("pizza", "2026-03-01", `{"overall": 10, "expectation": 10, "ideal": 10}`)
	var got findings
	w.Want(http.StatusOK, http.MethodPost, "/v1/analytics/acsi", w.Sales, body{"survey_id": survey, "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}, &got)
	// A respondent's own index is 7/9 or 3/9 of 100, in the mean 5/9; t with 39 degrees of freedom is 2.0227.
	half := 2.0227 * 100 * (2. / 9) * math.Sqrt(40./39) / math.Sqrt(40)
	if !near(got.Value, 500./9) || got.N != 40 || got.LeftOut != 2 || got.OffScale != 1 || !got.Enough || math.Abs(got.Interval.Low-(500./9-half)) > .01 {
		t.Errorf("%+v %+v", got, got.Interval)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/analytics/acsi", w.Token(auth.RoleSales, "pizza"), body{"survey_id": survey}, &got)
	if !near(got.Value, 100) || got.N != 1 || got.Enough {
		t.Errorf("%+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/analytics/acsi", w.Sales, body{"survey_id": survey, "to": "2026-03-02T00:00:00Z",
		"weights": body{"overall": .5, "expectation": .25, "ideal": .25}, "questions": body{"overall": "speed", "expectation": "expectation", "ideal": "ideal"}}, &got)
	if !near(got.Value, .5*100+.25*500./9+.25*400./9) {
		t.Errorf("%+v", got)
	}
	w.Want(http.StatusCreated, http.MethodPost, root, w.Marketing, system("shop"), nil)
	got = findings{}
	w.Want(http.StatusOK, http.MethodPost, root+"/shop/evaluate", w.Sales, body{"survey_id": survey}, &got)
	if got.Value != nil || len(got.Missing) != 3 || got.N != 40 {
		t.Errorf("%+v", got)
	}
}

func TestBadSystemsAreRefused(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	two := func(a, b body) body { return body{"code": "x", "children": []body{a, b}} }
	judged := func(m [][]float64) body {
		return body{"code": "x", "judgements": m, "children": []body{{"code": "a"}, {"code": "b"}, {"code": "c"}}}
	}
	for _, c := range []struct {
		name, field string
		b           body
	}{
		{"weights that do not sum to 1", "weights_off", two(body{"code": "a", "weight": .5}, body{"code": "b", "weight": .4})},
		{"half of the weights", "weights_off", two(body{"code": "a", "weight": 1}, body{"code": "b"})},
		{"a code twice", "code_twice", two(body{"code": "a"}, body{"code": "a"})},
		{"the code of the root", "code_twice", two(body{"code": "a"}, body{"code": "x"})},
		{"no code", "code_invalid", body{"code": "1 x"}},
		{"a question that is none", "question_invalid", body{"code": "x", "question": "How?"}},
		{"a scale of nothing", "scale_invalid", body{"code": "x", "low": 3, "high": 3}},
		{"half a scale", "scale_invalid", body{"code": "x", "low": 3}},
		{"a parent that is asked", "not_a_leaf", body{"code": "x", "question": "q", "children": []body{{"code": "a"}}}},
		{"judgements of others", "criteria_count", judged([][]float64{{1, 2}, {.5, 1}})},
		{"judgements that are none", "judgement_out_of_range", judged([][]float64{{1, 0, 1}, {1, 1, 1}, {1, 1, 1}})},
		{"judgements that contradict each other", "inconsistent", judged([][]float64{{1, 3, 1. / 9}, {1. / 3, 1, 3}, {9, 1. / 3, 1}})},
	} {
		a := w.Do(http.MethodPost, root, w.Marketing, c.b)
		var p struct{ Errors []struct{ Code string } }
		a.Decode(t, &p)
		if a.Status != http.StatusUnprocessableEntity || len(p.Errors) == 0 || p.Errors[0].Code != c.field {
			t.Errorf("%s: got %d %s, want %s", c.name, a.Status, a.Body, c.field)
		}
	}
	w.Want(http.StatusCreated, http.MethodPost, root, w.Marketing, system("shop"), nil)
	for name, b := range map[string]body{
		"nothing": {}, "both": {"rows": []body{{"taste": 1}}, "survey_id": uuid.NewString()}, "no rows": {"rows": []body{}},
		"another's leaf": {"rows": []body{{"product": 1}}}, "off the scale": {"rows": []body{{"warmth": 6}}}, "a word": {"rows": []body{{"warmth": "much"}}},
		"a time the wrong way round": {"survey_id": uuid.NewString(), "from": "2026-03-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
	} {
		if a := w.Do(http.MethodPost, root+"/shop/evaluate", w.Sales, b); a.Status != http.StatusUnprocessableEntity || a.Code() == "" {
			t.Errorf("%s: got %d %s", name, a.Status, a.Body)
		}
	}
	for name, target := range map[string]badinput.Target{
		"list":     {Method: http.MethodGet, Path: root, List: true},
		"get":      {Method: http.MethodGet, Path: root + "/shop"},
		"create":   {Method: http.MethodPost, Path: root, Body: `{"code":"y","children":[{"code":"a","weight":0.5},{"code":"b","weight":0.5}]}`},
		"replace":  {Method: http.MethodPut, Path: root + "/shop", Header: http.Header{"If-Match": {"*"}}, Version: true, Body: `{"code":"shop","children":[{"code":"taste"}]}`},
		"evaluate": {Method: http.MethodPost, Path: root + "/shop/evaluate", Body: `{"rows":[{"taste":1.5}]}`},
		"acsi":     {Method: http.MethodPost, Path: "/v1/analytics/acsi", Body: `{"rows":[{"overall":1.5}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Marketing
			badinput.Check(t, target)
		})
	}
}
