package field_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

type body = map[string]any

type fieldView struct {
	Name, Title, Type, Class string
	Choices                  []string
	Archived, Used           bool
	Version                  int64
}

func TestAFieldIsDefinedUsedAndChanged(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	admin, agent := w.Token(auth.RoleAdmin, "pizza"), w.Token(auth.RoleAgent, "pizza")
	var diet fieldView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", admin, body{
		"name": "diet", "title": "饮食", "type": "choice", "choices": []string{"halal", "vegan"}, "class": "behaviour",
	}, &diet)
	if again := w.Do(http.MethodPost, "/v1/custom-fields", admin, body{"name": "diet", "title": "x", "type": "text", "class": "health"}); again.Status != http.StatusConflict ||
		again.Code() != "custom_field_exists" {
		t.Fatalf("defined twice: %d %s", again.Status, again.Body)
	}
	const path = "/v1/custom-fields/diet"
	w.Want(http.StatusPreconditionRequired, http.MethodPatch, path, admin, body{"title": "Diet"}, nil)
	w.Want(http.StatusOK, http.MethodPatch, path, admin, body{"title": "Diet", "type": "choices"}, &diet, "If-Match", `"1"`)
	if diet.Title != "Diet" || diet.Type != "choices" || diet.Version != 2 || diet.Used {
		t.Fatalf("%+v", diet)
	}
	var customer struct {
		CustomFields body `json:"custom_fields"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, body{"display_name": "李雷", "custom_fields": body{"diet": []string{"vegan"}}}, &customer)
	if fmt.Sprint(customer.CustomFields) != "map[diet:[vegan]]" {
		t.Fatalf("%+v", customer)
	}
	w.Want(http.StatusOK, http.MethodGet, path, agent, nil, &diet)
	if !diet.Used || diet.Version != 2 {
		t.Fatalf("after its first use: %+v", diet)
	}
	refused := w.Want(http.StatusUnprocessableEntity, http.MethodPatch, path, admin, body{"type": "text", "choices": []string{}}, nil, "If-Match", `"2"`)
	if refused.Code() != "custom_field_invalid" {
		t.Fatalf("%s", refused.Body)
	}
	w.Want(http.StatusOK, http.MethodPatch, path, admin, body{"class": "health", "archived": true}, &diet, "If-Match", `"2"`)
	if diet.Class != "health" || !diet.Archived {
		t.Fatalf("%+v", diet)
	}
	if answer := w.Do(http.MethodPost, "/v1/customers", agent, body{"display_name": "x", "custom_fields": body{"diet": []string{"vegan"}}}); answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("an archived field took a value: %d %s", answer.Status, answer.Body)
	}
}

func TestFieldsAreATenantsOwn(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	pizza, music := w.Token(auth.RoleAdmin, "pizza"), w.Token(auth.RoleAdmin, "music")
	for _, name := range []string{"b", "a", "c"} {
		w.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", pizza, body{"name": name, "title": name, "type": "text", "class": "behaviour"}, nil)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", music, body{"name": "a", "title": "other", "type": "date", "class": "health"}, nil)
	names := func(token string) (out []string) {
		for cursor := ""; ; {
			var page struct {
				Items      []fieldView
				NextCursor string `json:"next_cursor"`
			}
			w.Want(http.StatusOK, http.MethodGet, "/v1/custom-fields?limit=2&cursor="+cursor, token, nil, &page)
			for _, f := range page.Items {
				out = append(out, f.Name+" "+f.Type)
			}
			if cursor = page.NextCursor; cursor == "" {
				return out
			}
		}
	}
	if got := names(pizza); !slices.Equal(got, []string{"a text", "b text", "c text"}) {
		t.Errorf("pizza has %q", got)
	}
	if got := names(music); !slices.Equal(got, []string{"a date"}) {
		t.Errorf("music has %q", got)
	}
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/custom-fields/b", music, nil, nil)
	w.Want(http.StatusNotFound, http.MethodPatch, "/v1/custom-fields/b", music, body{"title": "x"}, nil, "If-Match", `"1"`)
	if answer := w.Do(http.MethodPost, "/v1/customers", music, body{"display_name": "x", "custom_fields": body{"b": "x"}}); answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("another tenant's field took a value: %d %s", answer.Status, answer.Body)
	}
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/custom-fields", w.Token(auth.RoleAgent, "pizza"), body{"name": "d", "title": "d", "type": "text", "class": "behaviour"}, nil)
	w.Want(http.StatusForbidden, http.MethodPatch, "/v1/custom-fields/a", w.Token(auth.RoleManager, "pizza"), body{"title": "d"}, nil, "If-Match", `"1"`)
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/custom-fields", w.Token(auth.RoleAdmin, "nobody"), body{"name": "d", "title": "d", "type": "text", "class": "behaviour"}, nil)
}

func TestFieldsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	admin := w.TokenFor(map[string]any{"subject": "ann", "tenant": "pizza", "roles": []string{auth.RoleAdmin}})
	var made atomic.Int64
	define := func() string {
		return fmt.Sprintf(`{"name":"f%d","title":"A field","type":"choice","choices":["a","b"],"class":"behaviour"}`, made.Add(1))
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", admin, define(), nil)
	for name, target := range map[string]badinput.Target{
		"define": {Method: http.MethodPost, Path: "/v1/custom-fields", Body: define(), Replay: true, Fresh: define, OtherBody: define()},
		"list":   {Method: http.MethodGet, Path: "/v1/custom-fields", List: true},
		"get":    {Method: http.MethodGet, Path: "/v1/custom-fields/f1", Owned: true},
		"change": {Method: http.MethodPatch, Path: "/v1/custom-fields/f1", Body: `{"title":"A field"}`, Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, admin
			badinput.Check(t, target)
		})
	}
}
