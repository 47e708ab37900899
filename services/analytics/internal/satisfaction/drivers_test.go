package satisfaction_test

import (
	_ "embed"
	"encoding/csv"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/satisfaction"
)

//go:embed testdata/swiss.csv
var swiss string

func readSwiss(t *testing.T) (columns []string, rows [][]float64) {
	t.Helper()
	r := csv.NewReader(strings.NewReader(swiss))
	r.Comment = '#'
	all, err := r.ReadAll()
	if err != nil || len(all) != 48 {
		t.Fatal(len(all), err)
	}
	for _, line := range all[1:] {
		row := make([]float64, len(line))
		for i, text := range line {
			if row[i], err = strconv.ParseFloat(text, 64); err != nil {
				t.Fatal(err)
			}
		}
		rows = append(rows, row)
	}
	return all[0], rows
}

type drivers struct {
	N, Incomplete int
	Enough        bool
	R2            float64 `json:"r2"`
	Drivers       []struct {
		Attribute, Quadrant      string
		Beta, Slope, Performance struct{ Value, Low, High float64 }
		P, VIF                   float64
		LMG                      float64 `json:"lmg"`
		Importance               float64
	}
	LeftOut []struct {
		Attribute, Why string
		With           []string
	} `json:"left_out"`
}

// TestTheSharesOfSwissAreAsPublished has the LMG shares of U. Grömping, Relative importance for linear regression in R: the package
// relaimpo, Journal of Statistical Software 17 (2006), and the coefficients and errors of R's lm.
func TestTheSharesOfSwissAreAsPublished(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	columns, rows := readSwiss(t)
	var got drivers
	w.Want(http.StatusOK, http.MethodPost, root+"/drivers", w.Sales, body{"columns": columns, "rows": rows, "outcome": "Fertility"}, &got)
	if got.N != 47 || !got.Enough || !near(got.R2, .7067, 5e-5) || len(got.Drivers) != 5 {
		t.Fatalf("%+v", got)
	}
	sum := 0.0
	for i, want := range []struct {
		attribute      string
		slope, se, lmg float64
	}{
		{"Agriculture", -.17211, .07030, .0571}, {"Examination", -.25801, .25388, .1712}, {"Education", -.87094, .18303, .2601},
		{"Catholic", .10412, .03526, .1056}, {"Infant.Mortality", 1.07705, .38172, .1128},
	} {
		d := got.Drivers[i]
		sum += d.LMG
		half := 2.019541 * want.se // t with 41 degrees of freedom
		if d.Attribute != want.attribute || !near(d.Slope.Value, want.slope, 5e-6) || !near(d.Slope.High-d.Slope.Value, half, 2e-5) || !near(d.LMG, want.lmg, 6e-5) {
			t.Errorf("%+v, want %+v", d, want)
		}
	}
	if !near(sum, got.R2, 1e-9) {
		t.Errorf("shares add up to %g, not %g", sum, got.R2)
	}
	// R: car::vif gives 2.2841 for Agriculture; Education's p is 2.43e-05.
	if !near(got.Drivers[0].VIF, 2.2841, 5e-5) || !near(got.Drivers[2].P, 2.43e-5, 1e-7) {
		t.Errorf("%+v", got.Drivers)
	}
	if got.Drivers[2].Quadrant != "concentrate_here" || got.Drivers[0].Quadrant != "possible_overkill" {
		t.Errorf("%+v", got.Drivers)
	}
}

func TestSharesOfAnyTableAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.IntRange(1, 5).Draw(t, "p")
		var rows [][]float64
		for range rapid.IntRange(p+2, 30).Draw(t, "n") {
			rows = append(rows, rapid.SliceOfN(rapid.Map(rapid.IntRange(1, 5), func(n int) float64 { return float64(n) }), p+1, p+1).Draw(t, "row"))
		}
		d, ok := satisfaction.Drive([]string{"a", "b", "c", "d", "e"}[:p], rows)
		if !ok {
			return
		}
		sum := 0.0
		for _, one := range d.Drivers {
			sum += one.LMG
			if one.LMG < -1e-9 || one.VIF < 1-1e-9 || math.IsNaN(one.Beta.Low) || one.P < 0 || one.P > 1 {
				t.Fatalf("%+v", one)
			}
		}
		if !near(sum, d.R2, 1e-8) || len(d.Drivers)+len(d.LeftOut) != p {
			t.Fatalf("%g, want %g: %+v", sum, d.R2, d)
		}
	})
}

func TestColumnsThatSayTheSameAreNamed(t *testing.T) {
	t.Parallel()
	columns, rows := readSwiss(t)
	for i := range rows {
		rows[i] = append(rows[i], 2*rows[i][1]-rows[i][3]+7, 5)
	}
	d, ok := satisfaction.Drive(append(columns[1:], "mix", "flat"), rows)
	if !ok || len(d.Drivers) != 5 || len(d.LeftOut) != 2 || d.LeftOut[0].Attribute != "mix" || d.LeftOut[0].Why != "collinear" ||
		!slices.Equal(d.LeftOut[0].With, []string{"Agriculture", "Education"}) || d.LeftOut[1].Why != "constant" {
		t.Errorf("%+v", d)
	}
}

func TestDriversOfASurveyAndTablesThatTellNothing(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	survey := uuid.NewString()
	for tenant, n := range map[string]int{"music": 12, "pizza": 5} {
		w.Admin(`INSERT INTO live.fact_answer (tenant_id, answer_id, survey_id, kind, score, touchpoint, answered_at, ratings)
			SELECT $1, gen_random_uuid(), $2, 'csat', 1 + i % 5, 'shop', '2026-03-01', jsonb_build_object('speed', 1 + i % 5 + i % 2, 'taste', 1 + i * i % 5) || CASE WHEN i = 1 THEN '{}' ELSE jsonb_build_object('price', i % 3) END
			FROM generate_series(1, $3) i`, tenant, survey, n)
	}
	var got drivers
	ask := body{"survey_id": survey, "outcome": "score", "attributes": []string{"speed", "taste", "price"}, "touchpoint": "shop"}
	w.Want(http.StatusOK, http.MethodPost, root+"/drivers", w.Sales, ask, &got)
	if got.N != 11 || got.Incomplete != 1 || got.Enough || len(got.Drivers) != 3 || got.Drivers[0].Slope.Value < .5 {
		t.Errorf("%+v", got)
	}
	one := func(rows ...[]any) body { return body{"columns": []string{"y", "a"}, "outcome": "y", "rows": rows} }
	for name, c := range map[string]struct {
		b    body
		code string
	}{
		"too few":               {one([]any{1, 2}, []any{2, 1}), "not_enough_data"},
		"no rows":               {body{"columns": []string{"y", "a"}, "outcome": "y", "rows": [][]any{}}, "not_enough_data"},
		"a constant outcome":    {one([]any{1, 2}, []any{1, 1}, []any{1, 4}, []any{1, 5}), "not_enough_data"},
		"a constant attribute":  {one([]any{1, 2}, []any{2, 2}, []any{4, 2}, []any{1, 2}), "not_enough_data"},
		"all incomplete":        {one([]any{1, nil}, []any{nil, 2}, []any{nil, 3}), "not_enough_data"},
		"nobody answered":       {body{"survey_id": uuid.NewString(), "outcome": "score", "attributes": []string{"speed"}}, "not_enough_data"},
		"nothing":               {body{"outcome": "y"}, "drivers_invalid"},
		"both":                  {body{"survey_id": survey, "columns": []string{"y"}, "rows": [][]any{{1}}, "outcome": "y"}, "drivers_invalid"},
		"a survey of nothing":   {body{"survey_id": survey, "outcome": "score"}, "drivers_invalid"},
		"itself":                {body{"survey_id": survey, "outcome": "score", "attributes": []string{"score"}}, "drivers_invalid"},
		"a row that is short":   {one([]any{1}), "drivers_invalid"},
		"a number too large":    {one([]any{1, 1e300}), "drivers_invalid"},
		"an unknown outcome":    {body{"columns": []string{"y", "a"}, "outcome": "z", "rows": [][]any{{1, 2}}}, "drivers_invalid"},
		"a column twice":        {body{"columns": []string{"y", "y"}, "outcome": "y", "rows": [][]any{{1, 2}}}, "drivers_invalid"},
		"an attribute twice":    {body{"columns": []string{"y", "a"}, "outcome": "y", "attributes": []string{"a", "a"}, "rows": [][]any{{1, 2}}}, "drivers_invalid"},
		"11 attributes":         {body{"columns": strings.Split("yabcdefghijk", ""), "outcome": "y", "rows": [][]any{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}}, "drivers_invalid"},
		"a table by touchpoint": {body{"columns": []string{"y", "a"}, "outcome": "y", "touchpoint": "shop", "rows": [][]any{{1, 2}}}, "drivers_invalid"},
	} {
		if a := w.Do(http.MethodPost, root+"/drivers", w.Sales, c.b); a.Status != http.StatusUnprocessableEntity || a.Code() != c.code {
			t.Errorf("%s: got %d %s, want %s", name, a.Status, a.Body, c.code)
		}
	}
	w.Want(http.StatusOK, http.MethodPost, root+"/drivers", w.Sales, one([]any{1, 2}, []any{2, 4.5}, []any{3, 6}, []any{4, nil}), &got)
	badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Sales, Method: http.MethodPost, Path: root + "/drivers", Body: `{"columns":["y","a"],"rows":[[1,2],[2,4.5],[3,6]],"outcome":"y"}`})
}
