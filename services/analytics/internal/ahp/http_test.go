package ahp_test

import (
	"math"
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

type body = analyticstest.Body

func TestWeightsAreAskedForAndBadJudgementsRefused(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	const path = "/v1/ahp/weights"
	var got struct {
		Weights []struct {
			Criterion string
			Weight    float64
		}
		Ratio          float64 `json:"consistency_ratio"`
		Accepted       bool
		Contradictions []struct{ Row, Column string }
		People         []struct{ Accepted bool }
	}
	w.Want(http.StatusOK, http.MethodPost, path, w.Sales, body{"criteria": []string{"price", "taste"}, "matrix": [][]float64{{1, 3}, {0.33, 1}}}, &got)
	if len(got.Weights) != 2 || got.Weights[0].Criterion != "price" || math.Abs(got.Weights[0].Weight-.75) > 1e-9 || got.Ratio != 0 || !got.Accepted {
		t.Errorf("%+v", got)
	}
	circle := [][]float64{{1, 3, 1 / 9.}, {1 / 3., 1, 3}, {9, 1 / 3., 1}}
	w.Want(http.StatusOK, http.MethodPost, path, w.Sales, body{"group": []body{{"matrix": circle}, {"matrix": circle}}}, &got)
	if got.Accepted || len(got.Contradictions) == 0 || len(got.People) != 2 || got.People[1].Accepted || got.Weights[2].Criterion != "c3" {
		t.Errorf("%+v", got)
	}
	big := make([][]float64, 11)
	for i := range big {
		for range big {
			big[i] = append(big[i], 1)
		}
	}
	for _, c := range []struct {
		name, field string
		b           body
	}{
		{"nothing", "matrix_or_group", body{}},
		{"both", "matrix_or_group", body{"matrix": [][]float64{{1}}, "group": []body{{"matrix": [][]float64{{1}}}}}},
		{"no criteria", "criteria_count", body{"matrix": [][]float64{}}},
		{"eleven criteria", "criteria_count", body{"matrix": big}},
		{"not square", "not_square", body{"matrix": [][]float64{{1, 2}, {0.5}}}},
		{"zero", "judgement_out_of_range", body{"matrix": [][]float64{{1, 0}, {0.5, 1}}}},
		{"negative", "judgement_out_of_range", body{"matrix": [][]float64{{1, -2}, {-0.5, 1}}}},
		{"not reciprocal", "not_reciprocal", body{"matrix": [][]float64{{1, 2}, {2, 1}}}},
		{"a criterion more than itself", "diagonal", body{"matrix": [][]float64{{2, 2}, {.5, 1}}}},
		{"nobody", "people_count", body{"group": []body{}}},
		{"two sizes", "sizes_differ", body{"group": []body{{"matrix": [][]float64{{1}}}, {"matrix": [][]float64{{1, 2}, {.5, 1}}}}}},
		{"a name too few", "criteria_count", body{"criteria": []string{"a"}, "matrix": [][]float64{{1, 2}, {.5, 1}}}},
		{"a name twice", "code_invalid", body{"criteria": []string{"a", "a"}, "matrix": [][]float64{{1, 2}, {.5, 1}}}},
	} {
		a := w.Do(http.MethodPost, path, w.Sales, c.b)
		var p struct{ Errors []struct{ Code string } }
		a.Decode(t, &p)
		if a.Status != http.StatusUnprocessableEntity || a.Code() != "judgements_invalid" || len(p.Errors) == 0 || p.Errors[0].Code != c.field {
			t.Errorf("%s: got %d %s, want %s", c.name, a.Status, a.Body, c.field)
		}
	}
	badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Sales, Method: http.MethodPost, Path: path, Body: `{"matrix":[[1,2],[0.5,1]]}`})
}
