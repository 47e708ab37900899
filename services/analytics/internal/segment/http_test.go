package segment_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	live, list := w.define("live", "regulars", "orders >= 3"), w.define("static", "guests", "")
	w.paint(true, person{id: analyticstest.ID(), orders: 3})
	one := "/v1/segments/" + live.ID
	n := 0
	fresh := func() string { n++; return fmt.Sprintf(`{"code":"s%d","name":"S","kind":"static"}`, n) }
	for name, target := range map[string]badinput.Target{
		"list":    {Method: http.MethodGet, Path: "/v1/segments", List: true},
		"read":    {Method: http.MethodGet, Path: one, Owned: true},
		"members": {Method: http.MethodGet, Path: one + "/members", List: true, Owned: true},
		"history": {Method: http.MethodGet, Path: one + "/history", Owned: true},
		"export":  {Method: http.MethodGet, Path: one + "/export", Owned: true},
		"preview": {Method: http.MethodPost, Path: "/v1/segments/preview", Body: `{"filter_text":"orders >= 3"}`},
		"create":  {Method: http.MethodPost, Path: "/v1/segments", Body: `{"code":"all_of_them","name":"All","kind":"live","filter_text":"orders >= 0"}`, Fresh: fresh, Replay: true, OtherBody: `{"code":"other","name":"O","kind":"static"}`},
		"change":  {Method: http.MethodPut, Path: one, Body: `{"name":"Regulars","filter_text":"orders >= 3"}`, Version: true, Header: http.Header{"If-Match": {"*"}}, Owned: true},
		"by hand": {Method: http.MethodPost, Path: "/v1/segments/" + list.ID + "/members", Body: `{"remove":["01890000-0000-7000-8000-0000000000aa"]}`, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Marketing
			badinput.Check(t, target)
		})
	}
	long := strings.Repeat("(", 100) + "orders >= 1" + strings.Repeat(")", 100)
	for _, c := range []struct {
		name, method, path string
		body               any
		status             int
		code               string
	}{
		{"a field that is none", http.MethodPost, "/v1/segments/preview", body{"filter_text": "shoe_size >= 3"}, 422, "filter_invalid"},
		{"words where a number belongs", http.MethodPost, "/v1/segments/preview", body{"filter_text": `orders >= "many"`}, 422, "filter_invalid"},
		{"brackets without end", http.MethodPost, "/v1/segments/preview", body{"filter_text": "(orders >= 3"}, 422, "filter_invalid"},
		{"too deep", http.MethodPost, "/v1/segments/preview", body{"filter_text": long}, 422, "filter_invalid"},
		{"nothing to count", http.MethodPost, "/v1/segments/preview", body{}, 422, "filter_invalid"},
		{"two ways at once", http.MethodPost, "/v1/segments/preview", body{"filter_text": "orders >= 3", "filter": body{"field": "orders", "op": "at_least", "value": 3}}, 422, "filter_invalid"},
		{"a segment that is none", http.MethodPost, "/v1/segments/preview", body{"filter_text": "in segment nobody"}, 422, "segment_unknown"},
		{"SQL in a value", http.MethodPost, "/v1/segments/preview", body{"filter_text": `source = "'; DROP TABLE portrait; --"`}, 200, ""},
		{"a live one without a filter", http.MethodPost, "/v1/segments", body{"code": "x", "name": "X", "kind": "live"}, 422, "segment_invalid"},
		{"a code that is none", http.MethodPost, "/v1/segments", body{"code": "Big Spenders", "name": "X", "kind": "static"}, 422, "segment_invalid"},
		{"a code twice", http.MethodPost, "/v1/segments", body{"code": "guests", "name": "X", "kind": "static"}, 409, "segment_exists"},
		{"itself", http.MethodPost, "/v1/segments", body{"code": "me", "name": "X", "kind": "live", "filter_text": "in segment me"}, 422, "segment_cycle"},
		{"a live one by hand", http.MethodPost, one + "/members", body{"add": []string{uuid.NewString()}}, 409, "segment_not_list"},
		{"a column that is none", http.MethodGet, one + "/export?fields=shoe_size", nil, 422, "invalid"},
		{"no day", http.MethodGet, one + "/history?before=2026-02-30", nil, 422, "validation_failed"},
		{"a customer nobody knows", http.MethodGet, "/v1/analytics/customers/" + uuid.NewString() + "/segments", nil, 404, "customer_not_found"},
	} {
		if got := w.Do(c.method, c.path, w.Marketing, c.body); got.Status != c.status || c.code != "" && got.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", c.name, got.Status, got.Body, c.status, c.code)
		}
	}
	if got := w.Do(http.MethodPost, "/v1/segments", w.Sales, body{"code": "x", "name": "X", "kind": "static"}); got.Status != http.StatusForbidden {
		t.Errorf("who may only read made a segment: %d", got.Status)
	}
}

func TestSegmentsAreMadeOfSegments(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b, c := person{id: analyticstest.ID(), orders: 3, net: 100}, person{id: analyticstest.ID(), orders: 3, net: 90_000}, person{id: analyticstest.ID(), net: 90_000}
	w.paint(true, a, b, c)
	regulars := w.define("live", "regulars", "orders >= 3")
	w.define("static", "rich", "net_minor >= 90000")
	for op, want := range map[string][]string{
		"union": {a.id.String(), b.id.String(), c.id.String()}, "intersection": {b.id.String()}, "difference": {a.id.String()},
	} {
		var made view
		w.Want(http.StatusCreated, http.MethodPost, "/v1/segments", w.Marketing,
			body{"code": op, "name": op, "kind": "live", "combine": body{"op": op, "segments": []string{"regulars", "rich"}}}, &made)
		w.pass()
		slices.Sort(want)
		if got := w.members(made.ID); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", op, got, want)
		}
	}
	// A static one stays as it was; what names a live one follows it.
	b.net, a.orders = 0, 0
	w.paint(true, a, b)
	var of struct{ Items []struct{ Code string } }
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/customers/"+b.id.String()+"/segments", w.Sales, nil, &of)
	if got := fmt.Sprint(of.Items); got != "[{intersection} {regulars} {rich} {union}]" {
		t.Errorf("b is in %s", got)
	}
	answer := w.Do(http.MethodPost, "/v1/segments/"+regulars.ID+"/retire", w.Marketing, nil, "If-Match", `"1"`)
	if answer.Status != http.StatusConflict || answer.Code() != "segment_in_use" {
		t.Errorf("a segment that others name was retired: %d %s", answer.Status, answer.Body)
	}
	export := w.Do(http.MethodGet, "/v1/segments/"+regulars.ID+"/export?fields=orders,net_minor", w.Sales, nil)
	if lines := strings.Split(strings.TrimSpace(string(export.Body)), "\n"); len(lines) != 2 || lines[0] != "customer_id,since,orders,net_minor" ||
		!strings.HasPrefix(lines[1], b.id.String()+",") || !strings.HasSuffix(lines[1], "Z,3,0") {
		t.Errorf("export: %s", export.Body)
	}
	var history struct {
		Items []struct{ Entered, Left, Members int64 }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/segments/"+regulars.ID+"/history", w.Sales, nil, &history)
	if len(history.Items) != 1 || history.Items[0].Entered != 2 || history.Items[0].Left != 1 || history.Items[0].Members != 1 {
		t.Errorf("history: %+v", history.Items)
	}
}

func TestTenantsSeeTheirOwnSegmentsOnly(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.paint(true, person{id: analyticstest.ID(), orders: 3})
	w.define("live", "regulars", "orders >= 3")
	other := w.Token("marketing", "bakery")
	var found struct{ Count, Customers int64 }
	w.Want(http.StatusOK, http.MethodPost, "/v1/segments/preview", other, body{"filter_text": "orders >= 3"}, &found)
	if found.Count != 0 || found.Customers != 0 {
		t.Errorf("another tenant counts %+v", found)
	}
	if got := w.Do(http.MethodPost, "/v1/segments/preview", other, body{"filter_text": "in segment regulars"}); got.Code() != "segment_unknown" {
		t.Errorf("another tenant's segment can be named: %d %s", got.Status, got.Body)
	}
}
