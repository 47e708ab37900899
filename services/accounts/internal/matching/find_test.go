package matching_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

type candidates struct {
	Items []struct {
		CustomerID   string `json:"customer_id"`
		Score        int
		Result, Rule string
		Criteria     []string
	}
}

func (w *world) mayBe(token string, b body) candidates {
	w.t.Helper()
	var found candidates
	w.Want(http.StatusOK, http.MethodPost, "/v1/customers/matches", token, b, &found)
	return found
}

func TestWhoSomebodyMayBeIsToldBeforeTheyAreRegistered(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei, card := w.register(somebody("李雷", "phone", phone)), w.register(somebody("韩梅梅", "card", "VIP17"))
	w.follow()
	if found := w.mayBe(w.agent, somebody("Li Lei", "phone", "+86 13800138000")); len(found.Items) != 1 || found.Items[0].CustomerID != lei ||
		found.Items[0].Rule != "phone_and_name" || found.Items[0].Result != "review" || found.Items[0].Score < 1 {
		t.Errorf("by telephone and name: %+v", found)
	}
	if found := w.mayBe(w.agent, somebody("Meimei", "card", "vip17")); len(found.Items) != 1 || found.Items[0].CustomerID != card || found.Items[0].Result != "automatic" {
		t.Errorf("by a card, whatever the name: %+v", found)
	}
	if found := w.mayBe(w.agent, somebody("王芳", "phone", phone)); len(found.Items) != 0 {
		t.Errorf("somebody else of the same telephone: %+v", found)
	}
	organisation := somebody("李雷", "phone", phone)
	organisation["kind"] = "organisation"
	if found := w.mayBe(w.agent, organisation); len(found.Items) != 0 {
		t.Errorf("a company of the same name: %+v", found)
	}
	if found := w.mayBe(w.Token(auth.RoleAgent, "music"), somebody("李雷", "phone", phone)); len(found.Items) != 0 {
		t.Errorf("another tenant's: %+v", found)
	}
	if n := w.Count(`SELECT count(*) FROM customer`); n != 2 {
		t.Errorf("%d customers: asking registers nobody", n)
	}
}

func TestWhoCannotBeLookedFor(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, c := range map[string]struct {
		body body
		code string
	}{
		"nobody":                     {body{}, "match_invalid"},
		"a kind that is none":        {body{"display_name": "李雷", "kind": "ghost"}, "validation_failed"},
		"a telephone that is none":   {somebody("李雷", "phone", "17"), "match_invalid"},
		"a type that is none":        {somebody("李雷", "fax", "17"), "match_invalid"},
		"a country that is none":     {body{"display_name": "李雷", "postal_code": "200001", "country": "XX"}, "match_invalid"},
		"a name that is too long":    {body{"display_name": strings.Repeat("李", 201)}, "validation_failed"},
		"a field that is not known":  {body{"display_name": "李雷", "age": 17}, "validation_failed"},
		"half a name of controls":    {body{"display_name": "Li\x01Lei"}, "match_invalid"},
		"more identities than fifty": {somebody("李雷", strings.Split(strings.Repeat("phone,13800138000,", 51), ",")[:102]...), "validation_failed"},
	} {
		if got := w.Do(http.MethodPost, "/v1/customers/matches", w.agent, c.body); got.Status != http.StatusUnprocessableEntity || got.Code() != c.code {
			t.Errorf("%s: got %d %s, want %s", name, got.Status, got.Body, c.code)
		}
	}
}
