package preference_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/preference"
)

type body = map[string]any

type view struct {
	Key, Value, Source string
	Stated             []view
}

type world struct {
	*accountstest.World
	agent string
}

func start(t *testing.T) *world {
	t.Helper()
	w := accountstest.Start(t)
	return &world{w, w.Token(auth.RoleAgent, "pizza")}
}

func (w *world) customer() string {
	var made struct {
		ID string `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.agent, body{"display_name": "李雷", "allow_duplicate": true}, &made)
	return "/v1/customers/" + made.ID
}

func (w *world) set(customer, key string, b body) (v view) {
	w.Want(http.StatusOK, http.MethodPut, customer+"/preferences/"+key, w.agent, b, &v)
	return v
}

// values are the preferences that count.
func (w *world) values(customer string) (all []string) {
	var list struct{ Items []view }
	w.Want(http.StatusOK, http.MethodGet, customer+"/preferences", w.agent, nil, &list)
	for _, p := range list.Items {
		all = append(all, p.Key+"="+p.Value)
	}
	return all
}

func TestAPreferenceIsStatedReadAndForgotten(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer()
	w.set(lei, "contact_channel", body{"value": "sms", "source": "inferred", "confidence": 0.7})
	w.set(lei, "contact_channel", body{"value": "email", "at": "2026-01-01T09:00:00Z"})
	w.set(lei, "topics", body{"value": "pizza,wine", "source": "inferred", "confidence": 0.4})
	if got := w.set(lei, "contact_channel", body{"value": "phone", "at": "2025-12-31T09:00:00Z"}); got.Value != "email" {
		t.Errorf("an older word takes the place of a newer one: %+v", got)
	}
	golden.JSON(t, "testdata/preference.json", w.Want(http.StatusOK, http.MethodGet, lei+"/preferences/contact_channel", w.agent, nil, nil).Body)
	if got := w.values(lei); !slices.Equal(got, []string{"contact_channel=email", "topics=pizza,wine"}) {
		t.Errorf("got %v", got)
	}
	w.Want(http.StatusNoContent, http.MethodDelete, lei+"/preferences/contact_channel?source=said", w.agent, nil, nil)
	if got := w.values(lei); !slices.Equal(got, []string{"contact_channel=sms", "topics=pizza,wine"}) {
		t.Errorf("what was inferred counts again: %v", got)
	}
	w.Want(http.StatusNoContent, http.MethodDelete, lei+"/preferences/contact_channel", w.agent, nil, nil)
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if a := w.Do(method, lei+"/preferences/contact_channel", w.agent, nil); a.Status != http.StatusNotFound || a.Code() != "preference_not_found" {
			t.Errorf("%s: %d %s", method, a.Status, a.Body)
		}
	}
}

func TestCustomersWhoAreOnePreferAsOne(t *testing.T) {
	t.Parallel()
	w := start(t)
	manager := w.Token(auth.RoleManager, "pizza")
	lei, twin := w.customer(), w.customer()
	w.set(lei, "language", body{"value": "en", "at": "2026-01-01T09:00:00Z"})
	w.set(twin, "language", body{"value": "zh-Hans", "at": "2026-02-01T09:00:00Z"})
	w.set(lei, "contact_channel", body{"value": "sms", "source": "inferred", "confidence": 0.9})
	w.set(twin, "contact_channel", body{"value": "email", "at": "2020-02-01T09:00:00Z"})
	var merged struct {
		ID string `json:"merge_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, lei+"/merges", manager, body{"absorbed_id": strings.TrimPrefix(twin, "/v1/customers/")}, &merged)
	for _, by := range []string{lei, twin} {
		if got := w.values(by); !slices.Equal(got, []string{"contact_channel=email", "language=zh-Hans"}) {
			t.Errorf("while they are one: %v", got)
		}
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/merges/"+merged.ID+"/undo", manager, nil, nil)
	if got := w.values(lei); !slices.Equal(got, []string{"contact_channel=sms", "language=en"}) {
		t.Errorf("afterwards: %v", got)
	}
}

func TestPreferencesAreErased(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei, mei := w.customer(), w.customer()
	for _, c := range []string{lei, mei} {
		w.set(c, "language", body{"value": "en"})
	}
	id := uuid.MustParse(strings.TrimPrefix(lei, "/v1/customers/"))
	for tenant, want := range map[string]int64{"music": 0, "pizza": 1} {
		err := w.DB.Tx(t.Context(), tenant, func(tx *pg.Tx) error {
			done, err := preference.Erase(t.Context(), tx, []uuid.UUID{id})
			if done["preference"] != want {
				t.Errorf("%s erased %v", tenant, done)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := append(w.values(lei), w.values(mei)...); !slices.Equal(got, []string{"language=en"}) {
		t.Errorf("left: %v", got)
	}
}

func TestPreferencesRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer()
	w.set(lei, "language", body{"value": "en"})
	for name, target := range map[string]badinput.Target{
		"list": {Method: http.MethodGet, Path: lei + "/preferences", Owned: true},
		"get":  {Method: http.MethodGet, Path: lei + "/preferences/language", Owned: true},
		"state": {Method: http.MethodPut, Path: lei + "/preferences/contact_channel", Body: `{"value":"email","source":"said","confidence":1}`, Owned: true,
			Skip: []string{"a fraction: confidence", "more than 64 bits: confidence"}}, // it is a fraction
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.agent
			badinput.Check(t, target)
		})
	}
	marketing, other := w.Token(auth.RoleMarketing, "pizza"), w.Token(auth.RoleAgent, "music")
	for name, c := range map[string]struct {
		method, path, token string
		body                any
		status              int
		says                string
	}{
		"a key that is no code":       {http.MethodPut, lei + "/preferences/Topics", w.agent, body{"value": "x"}, 422, "path.key"},
		"a value that is prose":       {http.MethodPut, lei + "/preferences/topics", w.agent, body{"value": "call his wife"}, 422, "body.value"},
		"a channel that nobody knows": {http.MethodPut, lei + "/preferences/contact_channel", w.agent, body{"value": "fax"}, 422, "channel_unknown"},
		"inferred without certainty":  {http.MethodPut, lei + "/preferences/topics", w.agent, body{"value": "x", "source": "inferred"}, 422, "body.confidence"},
		"another source":              {http.MethodPut, lei + "/preferences/topics", w.agent, body{"value": "x", "source": "guessed"}, 422, "body.source"},
		"nobody's":                    {http.MethodPut, "/v1/customers/" + uuid.NewString() + "/preferences/topics", w.agent, body{"value": "x"}, 404, "customer_not_found"},
		"another tenant forgets":      {http.MethodDelete, lei + "/preferences/language", other, nil, 404, "customer_not_found"},
		"marketing reads only":        {http.MethodPut, lei + "/preferences/topics", marketing, body{"value": "x"}, 403, ""},
		"and forgets nothing":         {http.MethodDelete, lei + "/preferences/language", marketing, nil, 403, ""},
	} {
		if a := w.Do(c.method, c.path, c.token, c.body); a.Status != c.status || !strings.Contains(string(a.Body), c.says) {
			t.Errorf("%s: got %d %s", name, a.Status, a.Body)
		}
	}
}
