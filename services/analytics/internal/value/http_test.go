package value_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

// rows makes n customers of whom every third came back.
func rows(n int) []body {
	out := make([]body, n)
	for i := range out {
		out[i] = body{"id": fmt.Sprint("c", i), "frequency": 0, "recency": 0, "T": 30 + i%7}
		if i%3 == 0 {
			out[i]["frequency"], out[i]["recency"] = 1+i%5, 5+i%20
		}
	}
	return out
}

func spends(n int) []body {
	out := make([]body, n)
	for i := range out {
		out[i] = body{"id": i, "frequency": 1 + i%4, "monetary_value": 10 + float64(i*i%37)}
	}
	return out
}

const survivors = `{"rows":[{"period":0,"survivors":1000},{"period":1,"survivors":869},{"period":2,"survivors":743},{"period":3,"survivors":653}],"discount":0.1,"periods":12}`

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	customer := analyticstest.ID()
	w.portraits("music", customer)
	var one struct {
		Model struct{ ID string }
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/models/sbg/fit", w.Marketing, survivors, &one)
	settings := `{"margin":0.4,"tax":0.13,"annual_rate":0.1,"horizon_months":36,"purchase_model":"bgnbd","ticket_minor":500,"acquisition_minor":0}`
	for name, target := range map[string]badinput.Target{
		"fit":          {Method: http.MethodPost, Path: "/v1/models/sbg/fit", Body: survivors, Replay: true, OtherBody: strings.Replace(survivors, "869", "870", 1), Skip: []string{"wrong type: rows"}},
		"settings":     {Method: http.MethodPut, Path: "/v1/analytics/value/settings", Body: settings, Version: true, Header: http.Header{"If-Match": {"*"}}},
		"read":         {Method: http.MethodGet, Path: "/v1/analytics/value/settings"},
		"runs":         {Method: http.MethodGet, Path: "/v1/analytics/value/runs", List: true},
		"customer":     {Method: http.MethodGet, Path: "/v1/analytics/value/customers/" + customer.String(), Owned: true},
		"distribution": {Method: http.MethodGet, Path: "/v1/analytics/value/distribution"},
		"equity":       {Method: http.MethodGet, Path: "/v1/analytics/value/equity"},
		"models":       {Method: http.MethodGet, Path: "/v1/models", List: true},
		"model":        {Method: http.MethodGet, Path: "/v1/models/" + one.Model.ID, Owned: true},
		"predictions":  {Method: http.MethodGet, Path: "/v1/models/" + one.Model.ID + "/predictions", List: true, Owned: true},
		"jobs":         {Method: http.MethodGet, Path: "/v1/models/jobs", List: true},
		"use":          {Method: http.MethodPost, Path: "/v1/models/" + one.Model.ID + "/use", Owned: true, Replay: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Marketing
			badinput.Check(t, target)
		})
	}
}

func TestTablesThatCannotBeFittedAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	with := func(field string, v any) []body {
		all := rows(30)
		all[4][field] = v
		if field == "recency" || field == "frequency" {
			all[4]["frequency"], all[4]["recency"] = 2, 7
			all[4][field] = v
		}
		return all
	}
	zero := rows(30)
	for _, r := range zero {
		r["frequency"], r["recency"] = 0, 0
	}
	twice := rows(30)
	twice[7]["id"] = twice[6]["id"]
	same := spends(30)
	for _, r := range same {
		r["monetary_value"] = 5
	}
	purchases := []struct {
		name     string
		body     any
		status   int
		code     string
		location string
	}{
		{"no rows", body{"rows": []body{}}, 422, "not_enough_data", ""},
		{"neither rows nor facts", body{}, 422, "validation_failed", "body.source"},
		{"a table without rows", body{"source": "table"}, 422, "validation_failed", "body.rows"},
		{"facts with rows", body{"source": "facts", "rows": rows(3)}, 422, "validation_failed", "body.rows"},
		{"one row", body{"rows": rows(1)}, 422, "not_enough_data", ""},
		{"nobody came back", body{"rows": zero}, 422, "not_enough_data", ""},
		{"a negative frequency", body{"rows": with("frequency", -1)}, 422, "rows_invalid", "body.rows[4].frequency"},
		{"half a purchase", body{"rows": with("frequency", 1.5)}, 422, "rows_invalid", "body.rows[4].frequency"},
		{"a negative recency", body{"rows": with("recency", -1)}, 422, "rows_invalid", "body.rows[4].recency"},
		{"recency after T", body{"rows": with("recency", 90)}, 422, "rows_invalid", "body.rows[4].recency"},
		{"a second purchase on the first day", body{"rows": with("recency", 0)}, 422, "rows_invalid", "body.rows[4].recency"},
		{"a negative T", body{"rows": with("T", -3)}, 422, "rows_invalid", "body.rows[4].T"},
		{"an id that comes twice", body{"rows": twice}, 422, "rows_invalid", "body.rows[7].id"},
		{"no id", body{"rows": with("id", "")}, 422, "rows_invalid", "body.rows[4].id"},
		{"an id that is a list", body{"rows": with("id", []int{1})}, 422, "rows_invalid", "body.rows[4].id"},
		{"a field that is none", body{"rows": with("monetary", 3)}, 422, "validation_failed", ""},
		{"NaN", `{"rows":[{"id":"1","frequency":NaN,"recency":0,"T":3}]}`, 400, "json_malformed", ""},
		{"too many rows", body{"rows": rows(20_001)}, 422, "validation_failed", "body.rows"},
		{"a horizon of nothing", body{"rows": rows(30), "horizons": []float64{0}}, 422, "validation_failed", "body.horizons"},
		{"later, with rows", body{"rows": rows(30), "later": true}, 422, "validation_failed", "body.later"},
		{"a hold-out without its time", body{"rows": with("holdout", 2)}, 422, "validation_failed", "body.holdout_time"},
		{"a table with a cut-off", body{"source": "table", "rows": rows(30), "cutoff": "1997-09-30"}, 422, "validation_failed", "body.source"},
		{"no facts", body{"source": "facts"}, 422, "not_enough_data", ""},
		{"a cut-off that is no day", body{"source": "facts", "cutoff": "1997-02-30"}, 422, "validation_failed", "body.cutoff"},
		{"a cut-off in the future", body{"source": "facts", "cutoff": "2997-01-01"}, 422, "validation_failed", "body.cutoff"},
		{"a hold-out before its cut-off", body{"source": "facts", "cutoff": "1997-02-03", "holdout_until": "1997-02-03"}, 422, "validation_failed", "body.holdout_until"},
		{"a currency that is none", body{"source": "facts", "currency": "ABC"}, 422, "validation_failed", "body.currency"},
		{"a source that is none", body{"source": "oracle"}, 422, "validation_failed", "body.source"},
	}
	for _, kind := range []string{"bgnbd", "pareto-nbd"} {
		for _, c := range purchases {
			refused(t, w, kind+": "+c.name, "/v1/models/"+kind+"/fit", c.body, c.status, c.code, c.location)
		}
	}
	refused(t, w, "spend: one row", "/v1/models/gamma-gamma/fit", body{"rows": spends(1)}, 422, "not_enough_data", "")
	refused(t, w, "spend: all alike", "/v1/models/gamma-gamma/fit", body{"rows": same}, 422, "not_enough_data", "")
	refused(t, w, "spend: below nothing", "/v1/models/gamma-gamma/fit", body{"rows": append(spends(20), body{"id": "x", "frequency": 1, "monetary_value": -1})}, 422, "rows_invalid", "body.rows[20].monetary_value")
	refused(t, w, "spend: no facts", "/v1/models/gamma-gamma/fit", body{"source": "facts"}, 422, "not_enough_data", "")
	refused(t, w, "contracts: no rows", "/v1/models/sbg/fit", body{"rows": []body{}}, 422, "not_enough_data", "")
	refused(t, w, "contracts: nobody lost", "/v1/models/sbg/fit", body{"rows": []body{{"period": 0, "survivors": 50}, {"period": 1, "survivors": 50}, {"period": 2, "survivors": 50}}}, 422, "not_enough_data", "")
	refused(t, w, "contracts: back from the lost", "/v1/models/sbg/fit", body{"rows": []body{{"period": 0, "survivors": 50}, {"period": 1, "survivors": 51}}}, 422, "rows_invalid", "")
	refused(t, w, "contracts: a gap", "/v1/models/sbg/fit", body{"rows": []body{{"period": 0, "survivors": 50}, {"period": 2, "survivors": 40}}}, 422, "rows_invalid", "")
	refused(t, w, "contracts: both ways", "/v1/models/sbg/fit", body{"rows": []body{{"period": 1, "survivors": 50, "lost": 3}}}, 422, "rows_invalid", "body.rows[0].survivors")
	refused(t, w, "contracts: no facts", "/v1/models/sbg/fit", body{"source": "facts"}, 422, "not_enough_data", "")
	for name, c := range map[string]struct {
		csv, query string
		status     int
		code       string
	}{
		"nothing":                {"", "", 400, "body_missing"},
		"a header alone":         {"id,frequency,recency,T\n", "", 422, "not_enough_data"},
		"another column":         {"id,frequency,recency,age\n1,0,0,3\n", "", 422, "columns_missing"},
		"a column twice":         {"id,id,frequency,recency,T\n1,1,0,0,3\n", "", 422, "columns_invalid"},
		"too few fields":         {"id,frequency,recency,T\n1,0,0\n", "", 400, "csv_invalid"},
		"an open quote":          {"id,frequency,recency,T\n\"1,0,0,3\n", "", 400, "csv_invalid"},
		"words":                  {"id,frequency,recency,T\n1,none,0,3\n", "", 422, "rows_invalid"},
		"NaN":                    {"id,frequency,recency,T\n1,NaN,0,3\n", "", 422, "rows_invalid"},
		"without end":            {"id,frequency,recency,T\n1,0,0,Inf\n", "", 422, "rows_invalid"},
		"a missing value":        {"id,frequency,recency,T\n1,0,,3\n", "", 422, "rows_invalid"},
		"U+0000":                 {"id,frequency,recency,T\n1\x00,0,0,3\n", "", 400, "csv_invalid"},
		"no UTF-8":               {"id,frequency,recency,T\n\xff,0,0,3\n", "", 400, "csv_invalid"},
		"a setting that is none": {"id,frequency,recency,T\n1,0,0,3\n", "?cutoff=1997-09-30", 422, "validation_failed"},
		"a horizon that is none": {"id,frequency,recency,T\n1,0,0,3\n", "?horizons=soon", 422, "validation_failed"},
		"horizons out of range":  {"id,frequency,recency,T\n1,0,0,3\n", "?horizons=-4", 422, "validation_failed"},
	} {
		answer := w.Do(http.MethodPost, "/v1/models/bgnbd/fit"+c.query, w.Marketing, c.csv, "Content-Type", "text/csv")
		if answer.Status != c.status || answer.Code() != c.code {
			t.Errorf("CSV, %s: got %d %s, want %d %s", name, answer.Status, answer.Body, c.status, c.code)
		}
	}
	if answer := w.Do(http.MethodPost, "/v1/models/bgnbd/fit", w.Marketing, "x", "Content-Type", "text/plain"); answer.Status != http.StatusUnsupportedMediaType {
		t.Errorf("a table of another type: %d %s", answer.Status, answer.Body)
	}
	if answer := w.Do(http.MethodPost, "/v1/models/bgnbd/fit", w.Sales, csvOf([]string{"id", "frequency", "recency", "T"}, rows(30)), "Content-Type", "text/csv"); answer.Status != http.StatusForbidden {
		t.Errorf("who may only read fitted: %d %s", answer.Status, answer.Body)
	}
	var page struct{ Items []any }
	w.Want(http.StatusOK, http.MethodGet, "/v1/models", w.Sales, nil, &page)
	require.Empty(t, page.Items, "what is refused leaves no model behind")
}

func refused(t *testing.T, w *world, name, path string, request any, status int, code, location string) {
	t.Helper()
	answer := w.Do(http.MethodPost, path, w.Marketing, request)
	if answer.Status != status || answer.Code() != code || !strings.Contains(string(answer.Body), location) {
		t.Errorf("%s: got %d %.600s, want %d %s at %s", name, answer.Status, answer.Body, status, code, location)
	}
}

func TestSettingsThatBreakRulesAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	good := func() body {
		return body{"margin": 0.4, "tax": 0.13, "annual_rate": 0.1, "horizon_months": 36, "purchase_model": "bgnbd", "ticket_minor": 500, "acquisition_minor": 0}
	}
	for name, change := range map[string]func(b body){
		"margin":        func(b body) { b["margin"] = 1.1 },
		"horizon":       func(b body) { b["horizon_months"] = 0 },
		"model":         func(b body) { b["purchase_model"] = "sbg" },
		"currency":      func(b body) { b["currency"] = "DOL" },
		"touch":         func(b body) { b["touches"] = body{"smoke": 3} },
		"acquisition":   func(b body) { b["acquisition"] = body{"web": -3} },
		"no code":       func(b body) { b["acquisition"] = body{"": 3} },
		"ticket":        func(b body) { b["ticket_minor"] = -1 },
		"missing field": func(b body) { delete(b, "tax") },
	} {
		b := good()
		change(b)
		if answer := w.Do(http.MethodPut, "/v1/analytics/value/settings", w.Marketing, b, "If-Match", `"0"`); answer.Status != 422 || answer.Code() == "" {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/value/settings", w.Marketing, good(), nil, "If-Match", `"0"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, "/v1/analytics/value/settings", w.Marketing, good(), nil, "If-Match", `"0"`)
	w.Want(http.StatusForbidden, http.MethodPut, "/v1/analytics/value/settings", w.Sales, good(), nil, "If-Match", `"1"`)
	var other struct{ Version int64 }
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/value/settings", w.Token("sales", "pizza"), nil, &other)
	require.Zero(t, other.Version, "another tenant has set nothing")
	for _, request := range []body{{"as_of": "2997-01-01"}, {"as_of": "soon"}} {
		if answer := w.Do(http.MethodPost, "/v1/analytics/value/runs", w.Marketing, request); answer.Status != 422 || answer.Code() == "" {
			t.Errorf("a run as of %v: %d %s", request, answer.Status, answer.Body)
		}
	}
}
