package kano_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

type body = analyticstest.Body

const path = "/v1/kano/classify"

type findings struct {
	Attributes []struct {
		Attribute, Category string
		N                   int
		Enough              bool
		Counts              map[string]int
		Better, Worse       *struct{ Value, Low, High float64 }
	}
	AsOf *string `json:"as_of"`
}

func TestATableOfAnswersIsClassified(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	var rows []body
	for i := range 30 {
		rows = append(rows, body{"respondent": fmt.Sprint(i), "attribute": "crust", "functional": 1, "dysfunctional": []any{5, "live with"}[i%3/2]},
			body{"respondent": fmt.Sprint(i), "attribute": "box", "functional": "must", "dysfunctional": "dislike"})
	}
	var got findings
	w.Want(http.StatusOK, http.MethodPost, path, w.Sales, body{"rows": rows}, &got)
	if len(got.Attributes) != 2 {
		t.Fatalf("%+v", got)
	}
	if c := got.Attributes[0]; c.Attribute != "crust" || c.Category != "O" || c.N != 30 || !c.Enough || c.Counts["O"] != 20 || c.Counts["A"] != 10 || c.Better.Value != 1 || c.Worse.Value < -.67 || c.Worse.Value > -.66 {
		t.Errorf("%+v", c)
	}
	if c := got.Attributes[1]; c.Attribute != "box" || c.Category != "M" || c.Better.Value != 0 || c.Worse.Value != -1 {
		t.Errorf("%+v", c)
	}
	for _, c := range []struct {
		name, field string
		b           body
	}{
		{"nothing", "rows_or_survey", body{}},
		{"both", "rows_or_survey", body{"rows": rows, "survey_id": uuid.NewString()}},
		{"a table by time", "rows_or_survey", body{"rows": rows, "from": "2026-01-01T00:00:00Z"}},
		{"no rows", "rows_count", body{"rows": []body{}}},
		{"six", "answer_unknown", body{"rows": []body{{"respondent": "a", "attribute": "b", "functional": 6, "dysfunctional": 1}}}},
		{"a half", "answer_unknown", body{"rows": []body{{"respondent": "a", "attribute": "b", "functional": 1.5, "dysfunctional": 1}}}},
		{"another word", "answer_unknown", body{"rows": []body{{"respondent": "a", "attribute": "b", "functional": "love", "dysfunctional": 1}}}},
		{"a list", "answer_unknown", body{"rows": []body{{"respondent": "a", "attribute": "b", "functional": []int{1}, "dysfunctional": 1}}}},
		{"twice", "answered_twice", body{"rows": []body{rows[0], rows[0]}}},
	} {
		a := w.Do(http.MethodPost, path, w.Sales, c.b)
		var p struct{ Errors []struct{ Code string } }
		a.Decode(t, &p)
		if a.Status != http.StatusUnprocessableEntity || a.Code() != "kano_invalid" || len(p.Errors) == 0 || p.Errors[0].Code != c.field {
			t.Errorf("%s: got %d %s, want %s", c.name, a.Status, a.Body, c.field)
		}
	}
	badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Sales, Method: http.MethodPost, Path: path, Body: `{"survey_id":"` + uuid.NewString() + `"}`})
}

// TestPairsOfASurveyAreClassified has answers without a customer count, and another tenant's, another time's and halves of pairs not.
func TestPairsOfASurveyAreClassified(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	survey := uuid.NewString()
	answer := func(tenant, at, ratings string, customer any) {
		w.Admin(`INSERT INTO live.fact_answer (tenant_id, answer_id, customer_id, survey_id, kind, touchpoint, answered_at, ratings)
			VALUES ($1, gen_random_uuid(), $2, $3, 'questionnaire', 'store', $4, $5)`, tenant, customer, survey, at, ratings)
	}
	answer("music", "2026-03-01", `{"crust.functional": 1, "crust.dysfunctional": 5, "much": 3}`, nil)
	answer("music", "2026-03-02", `{"crust.functional": 1, "crust.dysfunctional": 5, "box.functional": 2, "box.dysfunctional": 5}`, uuid.NewString())
	answer("music", "2026-03-03", `{"crust.functional": 3}`, nil)
	answer("music", "2026-05-01", `{"crust.functional": 3, "crust.dysfunctional": 3}`, nil)
	answer("pizza", "2026-03-01", `{"crust.functional": 3, "crust.dysfunctional": 3}`, nil)
	var got findings
	w.Want(http.StatusOK, http.MethodPost, path, w.Sales, body{"survey_id": survey, "to": "2026-04-01T00:00:00Z", "touchpoint": "store"}, &got)
	if len(got.Attributes) != 2 || got.Attributes[0].Attribute != "box" || got.Attributes[0].Category != "M" || got.Attributes[1].Category != "O" ||
		got.Attributes[1].N != 2 || got.Attributes[1].Enough {
		t.Errorf("%+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, path, w.Token(auth.RoleSales, "pizza"), body{"survey_id": survey}, &got)
	if len(got.Attributes) != 1 || got.Attributes[0].Category != "I" || got.Attributes[0].N != 1 {
		t.Errorf("%+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, path, w.Sales, body{"survey_id": survey, "touchpoint": "web"}, &got)
	if len(got.Attributes) != 0 {
		t.Errorf("%+v", got)
	}
}
