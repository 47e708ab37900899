package leadfield_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

const root = "/v1/lead-fields"

type view struct {
	Name, Title, Type string
	Choices           []string
	Archived, Used    bool
	Version           int64
}

// manager is the token of who may define fields.
func manager(w *salestest.World) string { return w.Token(auth.RoleManager, "pizza") }

// somebody is a lead with values of fields.
func somebody(custom body) body { return body{"name": "Lily Chen", "custom_fields": custom} }

func TestAFieldIsDefinedUsedAndChanged(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var v view
	w.Want(http.StatusCreated, http.MethodPost, root, manager(w), body{"name": "oven", "title": " 烤箱 ", "type": "choice", "choices": []string{"left", "right"}}, &v)
	if v.Title != "烤箱" || v.Used || v.Version != 1 {
		t.Fatalf("%+v", v)
	}
	if again := w.Do(http.MethodPost, root, manager(w), body{"name": "oven", "title": "x", "type": "text"}); again.Status != http.StatusConflict || again.Code() != "lead_field_exists" {
		t.Fatalf("defined twice: %d %s", again.Status, again.Body)
	}
	w.Want(http.StatusOK, http.MethodPatch, root+"/oven", manager(w), body{"type": "choices"}, nil, "If-Match", `"1"`)
	var made struct {
		ID     string `json:"lead_id"`
		Custom body   `json:"custom_fields"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/leads", w.Sales, somebody(body{"oven": []string{"right", "left"}}), &made)
	if fmt.Sprint(made.Custom) != "map[oven:[left right]]" {
		t.Fatalf("%+v", made)
	}
	w.Want(http.StatusOK, http.MethodGet, root+"/oven", w.Sales, nil, &v)
	if !v.Used || v.Version != 2 {
		t.Fatalf("after its first use: %+v", v)
	}
	for name, change := range map[string]body{"another type": {"type": "choice"}, "a choice less": {"choices": []string{"left"}}} {
		if refused := w.Do(http.MethodPatch, root+"/oven", manager(w), change, "If-Match", `"2"`); refused.Status != http.StatusUnprocessableEntity || refused.Code() != "lead_field_invalid" {
			t.Errorf("%s: %d %s", name, refused.Status, refused.Body)
		}
	}
	w.Want(http.StatusOK, http.MethodPatch, root+"/oven", manager(w), body{"choices": []string{"middle", "left", "right"}}, nil, "If-Match", `"2"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPatch, root+"/oven", manager(w), body{"archived": true}, nil, "If-Match", `"2"`)
	w.Want(http.StatusOK, http.MethodPatch, root+"/oven", manager(w), body{"archived": true}, nil, "If-Match", `"3"`)
	w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/leads", w.Sales, somebody(body{"oven": []string{"left"}}), nil)
	w.Want(http.StatusOK, http.MethodPatch, "/v1/leads/"+made.ID, w.Sales, body{"custom_fields": body{"oven": nil}}, nil, "If-Match", "*")
}

func TestFieldsAreATenantsOwn(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	for _, name := range []string{"b", "a", "c"} {
		w.Want(http.StatusCreated, http.MethodPost, root, manager(w), body{"name": name, "title": name, "type": "text"}, nil)
	}
	w.Want(http.StatusCreated, http.MethodPost, root, w.Token(auth.RoleManager, "music"), body{"name": "a", "title": "other", "type": "date"}, nil)
	names := func(token string) (out []string) {
		for cursor := ""; ; {
			var page struct {
				Items      []view
				NextCursor string `json:"next_cursor"`
			}
			w.Want(http.StatusOK, http.MethodGet, root+"?limit=2&cursor="+cursor, token, nil, &page)
			for _, f := range page.Items {
				out = append(out, f.Name+" "+f.Type)
			}
			if cursor = page.NextCursor; cursor == "" {
				return out
			}
		}
	}
	music := w.Token(auth.RoleSales, "music")
	if got := names(w.Sales); !slices.Equal(got, []string{"a text", "b text", "c text"}) {
		t.Errorf("pizza has %q", got)
	}
	if got := names(music); !slices.Equal(got, []string{"a date"}) {
		t.Errorf("music has %q", got)
	}
	w.Want(http.StatusNotFound, http.MethodGet, root+"/b", music, nil, nil)
	w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/leads", music, somebody(body{"b": "x"}), nil)
	w.Want(http.StatusForbidden, http.MethodPost, root, w.Sales, body{"name": "d", "title": "d", "type": "text"}, nil)
}

func TestFieldsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var made atomic.Int64
	define := func() string {
		return fmt.Sprintf(`{"name":"f%d","title":"A field","type":"choice","choices":["a","b"]}`, made.Add(1))
	}
	w.Want(http.StatusCreated, http.MethodPost, root, manager(w), define(), nil)
	for name, target := range map[string]badinput.Target{
		"define": {Method: http.MethodPost, Path: root, Body: define(), Replay: true, Fresh: define, OtherBody: define()},
		"list":   {Method: http.MethodGet, Path: root, List: true},
		"get":    {Method: http.MethodGet, Path: root + "/f1", Owned: true},
		"change": {Method: http.MethodPatch, Path: root + "/f1", Body: `{"title":"A field"}`, Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, manager(w)
			badinput.Check(t, target)
		})
	}
}
