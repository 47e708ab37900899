package contact_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

func TestContactsAreListedWithTheirAnswers(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("phone", "138 0013 8000")
	sent := w.resolve(t, lei, "service", "")
	w.fetch(sent)
	w.resolve(t, lei, "marketing", "sms")
	w.resolve(t, lei, "service", "wechat")
	var got []string
	for cursor := ""; ; {
		var page struct {
			Items []struct{ Purpose, Refusal string }
			Next  string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, path(lei, "contacts?limit=2&cursor=")+cursor, w.agent, nil, &page)
		for _, c := range page.Items {
			got = append(got, c.Purpose+" "+c.Refusal)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, []string{"service no_address", "marketing no_consent", "service "}) {
		t.Errorf("got %q", got)
	}
	golden.JSON(t, "testdata/contacts.json", w.Want(http.StatusOK, http.MethodGet, path(lei, "contacts"), w.agent, nil, nil).Body)
}

func TestAnAddressIsForTheCourierAlone(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("email", "li.lei@example.com")
	fetch := "/v1/contacts/" + w.resolve(t, lei, "service", "").GetContactId() + "/address"
	for name, c := range map[string]struct {
		path, token string
		status      int
		code        string
	}{
		"an agent":                 {fetch, w.agent, 403, ""},
		"an administrator":         {fetch, w.Token(auth.RoleAdmin, "pizza"), 403, ""},
		"another tenant's courier": {fetch, w.Token(auth.RoleIntegrator, "music"), 404, "contact_not_found"},
		"one that never was":       {"/v1/contacts/" + uuid.NewString() + "/address", w.courier, 404, "contact_not_found"},
		"no id":                    {"/v1/contacts/17/address", w.courier, 422, ""},
	} {
		if a := w.Do(http.MethodGet, c.path, c.token, nil); a.Status != c.status || c.code != "" && a.Code() != c.code {
			t.Errorf("%s: got %d %s", name, a.Status, a.Body)
		}
	}
	a := w.Want(http.StatusOK, http.MethodGet, fetch, w.courier, nil, nil)
	golden.JSON(t, "testdata/address.json", a.Body)
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("it may be kept by caches: %q", got)
	}
	if a := w.Do(http.MethodGet, path(lei, "contacts"), w.Token(auth.RoleAgent, "music"), nil); a.Status != http.StatusNotFound {
		t.Errorf("another tenant's log: %d %s", a.Status, a.Body)
	}
}

func TestTheContactLogIsOnlyAddedTo(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("phone", "138 0013 8000")
	w.resolve(t, lei, "service", "")
	for _, sql := range []string{`UPDATE contact_log SET refusal = ''`, `DELETE FROM contact_log`, `UPDATE contact_reveal SET by = ''`, `DELETE FROM contact_reveal`} {
		if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error { tx.Queue(sql); return nil }); err == nil {
			t.Errorf("%s is allowed", sql)
		}
	}
	err := w.DB.Tx(t.Context(), "music", func(tx *pg.Tx) error {
		tx.Queue(`SELECT contact_erase($1)`, []uuid.UUID{lei})
		return nil
	})
	if err != nil || w.Count(`SELECT count(*) FROM contact_log WHERE address_hash IS NOT NULL`) != 1 {
		t.Errorf("another tenant erased: %v", err)
	}
}

func TestTheContactLogRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	target := badinput.Target{URL: w.URL, Token: w.agent, Method: http.MethodGet, Path: path(w.customer(), "contacts"), List: true, Owned: true}
	badinput.Check(t, target)
}
