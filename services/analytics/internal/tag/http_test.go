package tag_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

// etag gives the version of a tag as it has to be sent back.
func (w *world) etag(code string) string {
	w.t.Helper()
	return w.Do(http.MethodGet, "/v1/tags/"+code, w.Marketing, nil).Header.Get("ETag")
}

func TestTheTreeIsMovedWithoutCyclesAndArchivedFromBelow(t *testing.T) {
	t.Parallel()
	w := start(t)
	group := func(code, parent string) body {
		return body{"code": code, "kind": "group", "name": code, "parent": parent}
	}
	rule := func(code, parent, text string) body {
		return body{"code": code, "kind": "rule", "name": code, "owner": "sales", "parent": parent, "filter_text": text}
	}
	w.define(w.Marketing, group("a", ""))
	w.define(w.Marketing, group("b", "a"))
	w.define(w.Marketing, group("c", "b"))
	w.define(w.Marketing, rule("buyer", "c", "orders >= 1"))
	id, idle := w.person("music", "orders = 2"), w.person("music", "orders = 0")
	w.work()
	_, groups := w.of(w.Sales, id)
	require.Equal(t, []string{"a", "b", "c"}, groups[0].Path)
	require.Equal(t, "buyer", groups[0].Tags[0].Tag)
	_, groups = w.of(w.Sales, idle)
	require.Empty(t, groups)

	change := func(code string, to body) (status int, answer string) {
		delete(to, "code")
		delete(to, "kind")
		got := w.Do(http.MethodPut, "/v1/tags/"+code, w.Marketing, to, "If-Match", w.etag(code))
		return got.Status, string(got.Body)
	}
	for _, into := range []string{"a", "b", "c", "buyer", "nowhere"} {
		status, answer := change("a", group("a", into))
		require.Equal(t, http.StatusUnprocessableEntity, status, into)
		require.Contains(t, answer, `"body.parent"`, into)
	}
	status, _ := change("c", group("c", ""))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []string{"c"}, w.tag(w.Sales, "buyer").Path)
	require.Empty(t, w.tag(w.Sales, "c").Path)
	for i, above := 1, "c"; i <= 8; i++ { // c is the first of those above
		code := fmt.Sprintf("d%d", i)
		got := w.Do(http.MethodPost, "/v1/tags", w.Marketing, group(code, above))
		require.Equal(t, map[bool]int{true: http.StatusCreated, false: http.StatusUnprocessableEntity}[i <= 8], got.Status, code)
		above = code
	}
	status, answer := change("c", group("c", "b"))
	require.Equal(t, http.StatusUnprocessableEntity, status, "what is below would be too deep")
	require.Contains(t, answer, "too_deep")

	// A definition changes, and the one before stays readable.
	status, _ = change("buyer", rule("buyer", "c", "orders >= 3"))
	require.Equal(t, http.StatusOK, status)
	w.work()
	require.Empty(t, w.portraits("music")[id])
	var old shown
	w.Want(http.StatusOK, http.MethodGet, "/v1/tags/buyer?version=1", w.Sales, nil, &old)
	require.Equal(t, "orders >= 1", old.FilterText)
	require.Equal(t, "orders >= 3", w.tag(w.Sales, "buyer").FilterText)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/tags/buyer?version=9", w.Sales, nil, nil)

	// Archived, nobody has it any more, and its codes stay taken.
	status, _ = change("buyer", rule("buyer", "c", "orders >= 1"))
	require.Equal(t, http.StatusOK, status)
	w.work()
	require.Equal(t, []string{"buyer"}, w.portraits("music")[id])
	archive := func(code string) (int, string) {
		got := w.Do(http.MethodPost, "/v1/tags/"+code+"/archive", w.Marketing, nil, "If-Match", w.etag(code))
		return got.Status, got.Code()
	}
	status, why := archive("c")
	require.Equal(t, []any{http.StatusConflict, "tag_has_others"}, []any{status, why})
	status, _ = archive("buyer")
	require.Equal(t, http.StatusOK, status)
	w.work()
	require.Empty(t, w.portraits("music")[id])
	require.Zero(t, w.Count(`SELECT count(*) FROM tag_holder`))
	require.Equal(t, "tag_archived", w.Do(http.MethodPut, "/v1/tags/buyer", w.Marketing, body{"name": "B", "owner": "o", "filter_text": "orders >= 1"}, "If-Match", w.etag("buyer")).Code())
	require.Equal(t, "tag_exists", w.Do(http.MethodPost, "/v1/tags", w.Marketing, rule("buyer", "", "orders >= 1")).Code())
	var list struct{ Items []shown }
	w.Want(http.StatusOK, http.MethodGet, "/v1/tags?limit=100", w.Sales, nil, &list)
	require.NotContains(t, fmt.Sprint(list.Items), "buyer")
	w.Want(http.StatusOK, http.MethodGet, "/v1/tags?limit=100&archived=true", w.Sales, nil, &list)
	require.Contains(t, fmt.Sprint(list.Items), "buyer")
}

func TestATenantHasAtMostThreeHundredTags(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.Admin(`INSERT INTO tag (tenant_id, id, code, kind, name, created_at, updated_at, updated_by)
		SELECT 'music', gen_random_uuid(), 'g' || n, 'group', 'G', now(), now(), '' FROM generate_series(1, 299) n`)
	w.define(w.Marketing, body{"code": "last", "kind": "group", "name": "Last"})
	require.Equal(t, "tags_too_many", w.Do(http.MethodPost, "/v1/tags", w.Marketing, body{"code": "more", "kind": "group", "name": "More"}).Code())
	w.define(w.Token("marketing", "pizza"), body{"code": "more", "kind": "group", "name": "More"})
}

func TestWhoHasATagIsReadPageByPage(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.define(w.Marketing, body{"code": "size", "kind": "fact", "name": "Size", "owner": "sales", "field": "orders", "bands": []body{
		{"code": "none", "below": 1}, {"code": "some", "at_least": 1},
	}})
	w.define(w.Token("marketing", "pizza"), body{"code": "size", "kind": "fact", "name": "Size", "owner": "sales", "field": "orders", "bands": []body{{"code": "none", "below": 1}}})
	other := w.person("pizza", "orders = 0")
	want := map[uuid.UUID]string{}
	for i := range 11 {
		value := map[bool]string{true: "size_none", false: "size_some"}[i%3 == 0]
		want[w.person("music", "orders = $3", i%3)] = value
	}
	w.work()
	read := func(path string) map[uuid.UUID]string {
		got := map[uuid.UUID]string{}
		for cursor := ""; ; {
			var page struct {
				Items []struct {
					CustomerID uuid.UUID `json:"customer_id"`
					Value      string
				}
				NextCursor string `json:"next_cursor"`
			}
			w.Want(http.StatusOK, http.MethodGet, path+"&cursor="+cursor, w.Sales, nil, &page)
			for _, one := range page.Items {
				got[one.CustomerID] = one.Value
			}
			if cursor = page.NextCursor; cursor == "" {
				return got
			}
		}
	}
	require.Equal(t, want, read("/v1/tags/size/customers?limit=3"))
	for id, value := range want {
		if value != "size_some" {
			delete(want, id)
		}
	}
	require.Equal(t, want, read("/v1/tags/size/customers?limit=3&band=some"))
	require.Equal(t, "tag_band_unknown", w.Do(http.MethodGet, "/v1/tags/size/customers?band=many", w.Sales, nil).Code())
	require.Equal(t, "customer_not_found", w.Do(http.MethodGet, "/v1/analytics/customers/"+other.String()+"/tags", w.Sales, nil).Code())
}

func TestWhatCannotBeATagIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.define(w.Marketing, body{"code": "value", "kind": "fact", "name": "Value", "owner": "sales", "field": "net_minor", "bands": []body{{"code": "low", "below": 10}}})
	w.define(w.Marketing, body{"code": "gone", "kind": "group", "name": "Gone"})
	id := w.person("music", "net_minor = 5")
	w.work()
	rule := func(change body) body {
		d := body{"code": "lost", "kind": "rule", "name": "Lost", "owner": "sales", "filter_text": "orders >= 2"}
		for k, v := range change {
			d[k] = v
		}
		return d
	}
	for _, c := range []struct {
		name string
		in   body
		at   string
	}{
		{"a rule without a filter", rule(body{"filter_text": ""}), "body.filter"},
		{"a rule said twice", rule(body{"filter": body{"all": []any{}}}), "body.filter"},
		{"a text that does not read", rule(body{"filter_text": "orders >="}), "body.filter_text"},
		{"an unknown field", rule(body{"filter_text": "mood = 1"}), "body.filter_text"},
		{"a tree that is none", rule(body{"filter_text": "", "filter": []int{1}}), "body.filter"},
		{"a kind that is none", rule(body{"kind": "mood"}), "body.kind"},
		{"a group that is none", rule(body{"parent": "value"}), "body.parent"},
		{"a value that another tag makes", rule(body{"code": "value_low"}), "body.code"},
		{"21 bands", rule(body{"kind": "fact", "filter_text": "", "field": "orders", "bands": make([]body, 21)}), "body.bands"},
	} {
		answer := w.Do(http.MethodPost, "/v1/tags", w.Marketing, c.in)
		if answer.Status != http.StatusUnprocessableEntity || !strings.Contains(string(answer.Body), `"location":"`+c.at) {
			t.Errorf("%s: got %d %s, want 422 at %s", c.name, answer.Status, answer.Body, c.at)
		}
	}
	n := 0
	fresh := func() string {
		n++
		return fmt.Sprintf(`{"code":"t%d","kind":"group","name":"T"}`, n)
	}
	var asked running
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/tags/runs", w.Marketing, nil, &asked)
	for name, target := range map[string]badinput.Target{
		"create": {
			Method: http.MethodPost, Path: "/v1/tags", Body: `{"code":"t0","kind":"group","name":"T"}`, Fresh: fresh, Replay: true, OtherBody: `{"code":"t00","kind":"group","name":"U"}`,
		},
		"list":      {Method: http.MethodGet, Path: "/v1/tags", List: true},
		"get":       {Method: http.MethodGet, Path: "/v1/tags/value", Owned: true},
		"change":    {Method: http.MethodPut, Path: "/v1/tags/gone", Body: `{"name":"Gone"}`, Version: true, Header: http.Header{"If-Match": {"*"}}, Owned: true},
		"customers": {Method: http.MethodGet, Path: "/v1/tags/value/customers", List: true, Owned: true},
		"of":        {Method: http.MethodGet, Path: "/v1/analytics/customers/" + id.String() + "/tags", Owned: true},
		"run":       {Method: http.MethodGet, Path: "/v1/analytics/tags/runs/" + asked.RunID, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Marketing
			badinput.Check(t, target)
		})
	}
	for _, c := range []struct {
		name, method, path, token string
		in                        any
		status                    int
		code                      string
	}{
		{"made by who may only read", http.MethodPost, "/v1/tags", w.Sales, rule(nil), 403, ""},
		{"archived by who may only read", http.MethodPost, "/v1/tags/value/archive", w.Sales, nil, 403, ""},
		{"a run by who may only read", http.MethodPost, "/v1/tags/runs", w.Sales, nil, 403, ""},
		{"archived without a version", http.MethodPost, "/v1/tags/value/archive", w.Marketing, nil, 428, ""},
		{"archived where there is none", http.MethodPost, "/v1/tags/nothing/archive", w.Marketing, nil, 404, "tag_unknown"},
		{"another tenant's", http.MethodPost, "/v1/tags/value/archive", w.Token("marketing", "pizza"), nil, 404, "tag_unknown"},
		{"a run that is none", http.MethodGet, "/v1/analytics/tags/runs/" + analyticstest.ID().String(), w.Sales, nil, 404, "run_not_found"},
		{"a customer that is none", http.MethodGet, "/v1/analytics/customers/" + analyticstest.ID().String() + "/tags", w.Sales, nil, 404, "customer_not_found"},
		{"an id that is none", http.MethodGet, "/v1/analytics/customers/17/tags", w.Sales, nil, 422, ""},
	} {
		if answer := w.Do(c.method, c.path, c.token, c.in); answer.Status != c.status || c.code != "" && answer.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", c.name, answer.Status, answer.Body, c.status, c.code)
		}
	}
}
