package mining_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	ann, _ := shopping(w)
	for name, target := range map[string]badinput.Target{
		"rules":     {Method: http.MethodGet, Path: "/v1/analytics/rules", List: true},
		"products":  {Method: http.MethodGet, Path: "/v1/analytics/recommendations/products?sku=bread"},
		"customers": {Method: http.MethodGet, Path: "/v1/analytics/recommendations/customers/" + ann.String(), Owned: true},
		"clusters":  {Method: http.MethodGet, Path: "/v1/analytics/clusters"},
		"fit rules": {Method: http.MethodPost, Path: "/v1/models/association/fit", Body: `{"rows":[["a","b"],["a","b"]],"min_support":0.5,"max_length":3,"max_rules":10}`},
		"fit clusters": {Method: http.MethodPost, Path: "/v1/models/kmeans/fit",
			Body: `{"rows":[[1,2],[2,3],[9,8]],"fields":["a","b"],"log":["a"],"k":2,"starts":3,"seed":1,"scale":"population","missing":"mean"}`},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Marketing
			badinput.Check(t, target)
		})
	}
	for _, c := range []struct {
		name, method, path string
		in                 any
		status             int
		code               string
	}{
		{"no article", http.MethodGet, "/v1/analytics/recommendations/products", nil, 422, "validation_failed"},
		{"an empty article", http.MethodGet, "/v1/analytics/recommendations/products?sku=", nil, 422, "validation_failed"},
		{"a limit too high", http.MethodGet, "/v1/analytics/recommendations/products?sku=a&limit=51", nil, 422, "validation_failed"},
		{"a customer that is no id", http.MethodGet, "/v1/analytics/recommendations/customers/ann", nil, 422, "validation_failed"},
		{"no source and no rows", http.MethodPost, "/v1/models/association/fit", body{}, 422, "validation_failed"},
		{"no baskets", http.MethodPost, "/v1/models/association/fit", body{"rows": []any{}}, 422, "not_enough_data"},
		{"one basket", http.MethodPost, "/v1/models/association/fit", body{"rows": []any{[]string{"a"}}}, 422, "not_enough_data"},
		{"an item without a name", http.MethodPost, "/v1/models/association/fit", body{"rows": []any{[]string{""}, []string{"a"}}}, 422, "validation_failed"},
		{"an item that is null", http.MethodPost, "/v1/models/association/fit", body{"rows": []any{[]any{nil}, []string{"a"}}}, 422, "validation_failed"},
		{"support above 1", http.MethodPost, "/v1/models/association/fit", body{"source": "facts", "min_support": 1.5}, 422, "validation_failed"},
		{"support of nothing", http.MethodPost, "/v1/models/association/fit", body{"source": "facts", "min_support": 0}, 422, "validation_failed"},
		{"rules of nine", http.MethodPost, "/v1/models/association/fit", body{"source": "facts", "max_length": 9}, 422, "validation_failed"},
		{"a day that is none", http.MethodPost, "/v1/models/association/fit", body{"source": "facts", "from": "2026-02-30"}, 422, "validation_failed"},
		{"days the wrong way round", http.MethodPost, "/v1/models/association/fit", body{"source": "facts", "from": "2026-03-01", "to": "2026-02-01"}, 422, "validation_failed"},
		{"baskets of what is not known", http.MethodPost, "/v1/models/association/fit", body{"source": "facts", "by": "household"}, 422, "validation_failed"},
		{"no fields", http.MethodPost, "/v1/models/kmeans/fit", body{"source": "facts", "fields": []string{}}, 422, "validation_failed"},
		{"a field that is none", http.MethodPost, "/v1/models/kmeans/fit", body{"source": "facts", "fields": []string{"shoe_size"}}, 422, "validation_failed"},
		{"a field that is no number", http.MethodPost, "/v1/models/kmeans/fit", body{"source": "facts", "fields": []string{"tier"}}, 422, "validation_failed"},
		{"a field twice", http.MethodPost, "/v1/models/kmeans/fit", body{"source": "facts", "fields": []string{"orders", "orders"}}, 422, "validation_failed"},
		{"the logarithm of another field", http.MethodPost, "/v1/models/kmeans/fit", body{"source": "facts", "fields": []string{"orders"}, "log": []string{"units"}}, 422, "validation_failed"},
		{"one cluster", http.MethodPost, "/v1/models/kmeans/fit", body{"source": "facts", "fields": []string{"orders"}, "k": 1}, 422, "validation_failed"},
		{"k_min above k_max", http.MethodPost, "/v1/models/kmeans/fit", body{"source": "facts", "fields": []string{"orders"}, "k_min": 5, "k_max": 3}, 422, "validation_failed"},
		{"nobody to cluster", http.MethodPost, "/v1/models/kmeans/fit", body{"source": "facts", "fields": []string{"orders"}}, 422, "not_enough_data"},
		{"one row", http.MethodPost, "/v1/models/kmeans/fit", body{"rows": []any{[]int{1}}, "fields": []string{"a"}}, 422, "not_enough_data"},
		{"rows that are all equal", http.MethodPost, "/v1/models/kmeans/fit", body{"rows": []any{[]int{1}, []int{1}, []int{1}, []int{1}}, "fields": []string{"a"}}, 422, "not_enough_data"},
		{"rows of nothing", http.MethodPost, "/v1/models/kmeans/fit", body{"rows": []any{[]any{nil}, []any{nil}, []any{nil}}, "fields": []string{"a"}, "missing": "mean"}, 422, "not_enough_data"},
		{"a row that is too short", http.MethodPost, "/v1/models/kmeans/fit", body{"rows": []any{[]int{1, 2}, []int{1}}, "fields": []string{"a", "b"}}, 422, "validation_failed"},
		{"more clusters than different rows", http.MethodPost, "/v1/models/kmeans/fit", body{"rows": []any{[]int{1}, []int{2}, []int{3}}, "fields": []string{"a"}, "k": 4}, 422, "not_enough_data"},
	} {
		if answer := w.Do(c.method, c.path, w.Marketing, c.in); answer.Status != c.status || answer.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", c.name, answer.Status, answer.Body, c.status, c.code)
		}
	}
	for _, c := range []struct {
		name, path, csv, code string
	}{
		{"CSV without the columns", "association/fit", "a,b\n1,2\n", "columns_missing"},
		{"CSV with an empty item", "association/fit", "basket,item\n1,\n", "rows_invalid"},
		{"CSV with a text for a number", "kmeans/fit?fields=a", "a\n1\nx\n", "rows_invalid"},
		{"CSV without a column that is asked for", "kmeans/fit?fields=a,b", "a\n1\n2\n", "columns_missing"},
		{"CSV of endless numbers", "kmeans/fit?fields=a", "a\n1\nInf\n", "rows_invalid"},
		{"CSV without rows", "kmeans/fit?fields=a", "a\n", "not_enough_data"},
		{"CSV without fields", "kmeans/fit", "a\n1\n", "validation_failed"},
	} {
		if answer := w.Do(http.MethodPost, "/v1/models/"+c.path, w.Marketing, c.csv, "Content-Type", "text/csv"); answer.Status < 400 || answer.Status > 499 || answer.Code() != c.code {
			t.Errorf("%s: got %d %s, want %s", c.name, answer.Status, answer.Body, c.code)
		}
	}
	if answer := w.Do(http.MethodPost, "/v1/models/association/fit", w.Sales, body{"source": "facts"}); answer.Status != http.StatusForbidden {
		t.Errorf("who may only read fits: %d", answer.Status)
	}
	table := w.fit("kmeans", body{"rows": []any{[]int{1}, []int{2}, []int{9}}, "fields": []string{"a"}, "k": 2})
	if answer := w.Do(http.MethodPost, "/v1/models/"+table.Model.ID+"/use", w.Marketing, nil); answer.Code() != "model_of_a_table" {
		t.Errorf("%d: %s", answer.Status, answer.Body)
	}
}
