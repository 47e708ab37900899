package access_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

type page struct {
	Items []struct {
		Seq                                        int64
		Subject, Purpose, Reason, View, CustomerID string
		Customer                                   string `json:"customer_id"`
		Roles, Classes                             []string
	}
	NextCursor string `json:"next_cursor"`
}

func (p page) seqs() (seqs []int64) {
	for _, e := range p.Items {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

// look has somebody look at a customer's profile for credit.
func look(t *testing.T, w *accountstest.World, subject, tenant, customer string) {
	t.Helper()
	manager := w.TokenFor(map[string]any{"subject": subject, "tenant": tenant, "roles": []string{auth.RoleManager}})
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+customer+"/profile?purpose=credit&reason=T-000123", manager, nil, nil)
}

func TestAuditorsReadTheLogByCustomerAndBySubject(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	lei, mei := w.Customer(t, "pizza", "person", "李雷"), w.Customer(t, "pizza", "person", "韩梅梅")
	other := w.Customer(t, "music", "person", "Jim")
	for _, l := range [][2]string{{"ann", lei}, {"bob", lei}, {"ann", mei}, {"ann", lei}} {
		look(t, w, l[0], "pizza", l[1])
	}
	look(t, w, "eve", "music", other)
	admin := w.Token(auth.RoleAdmin, "pizza")
	read := func(query string) (p page) {
		t.Helper()
		w.Want(http.StatusOK, http.MethodGet, "/v1/access-log"+query, admin, nil, &p)
		return p
	}
	for query, want := range map[string][]int64{
		"": {4, 3, 2, 1}, "?subject=ann": {4, 3, 1}, "?customer_id=" + lei: {4, 2, 1}, "?subject=ann&customer_id=" + lei: {4, 1},
		"?customer_id=" + other: nil, "?subject=eve": nil, "?limit=3&customer_id=" + lei: {4, 2, 1},
	} {
		if got := read(query); !slices.Equal(got.seqs(), want) || got.NextCursor != "" {
			t.Errorf("%s: got %v, want %v", query, got.seqs(), want)
		}
	}
	first := read("?limit=2&subject=ann")
	if second := read("?limit=2&subject=ann&cursor=" + first.NextCursor); !slices.Equal(second.seqs(), []int64{1}) || second.NextCursor != "" {
		t.Errorf("after %v came %v", first.seqs(), second.seqs())
	}
	if e := first.Items[0]; e.Purpose != "credit" || e.Reason != "T-000123" || e.View != "profile" || !slices.Equal(e.Roles, []string{"manager"}) ||
		!slices.Equal(e.Classes, []string{"financial"}) || e.Customer != lei {
		t.Errorf("%+v", e)
	}
	// What was looked at before a merge is found by the id of the one who is left, and by the one that was absorbed.
	w.Absorb(t, "pizza", mei, lei)
	for _, id := range []string{lei, mei} {
		if got := read("?customer_id=" + id); !slices.Equal(got.seqs(), []int64{4, 3, 2, 1}) {
			t.Errorf("after the merge: %v", got.seqs())
		}
	}
}

func TestTheLogIsCheckedOverHTTP(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	lei := w.Customer(t, "pizza", "person", "李雷")
	for range 3 {
		look(t, w, "ann", "pizza", lei)
	}
	admin := w.Token(auth.RoleAdmin, "pizza")
	var proof struct {
		OK      bool
		Entries int64
		Hash    string
		Break   struct {
			Seq  int64
			Kind string
		}
	}
	const path = "/v1/access-log/verify"
	w.Want(http.StatusOK, http.MethodPost, path, admin, nil, &proof)
	if !proof.OK || proof.Entries != 3 || len(proof.Hash) != 64 {
		t.Fatalf("%+v", proof)
	}
	look(t, w, "ann", "pizza", lei)
	w.Want(http.StatusOK, http.MethodPost, path, admin, map[string]any{"entries": proof.Entries, "hash": proof.Hash}, &proof)
	if !proof.OK || proof.Entries != 4 {
		t.Fatalf("%+v", proof)
	}
	w.AsSuperuser(t, `UPDATE access_log SET subject = 'bob' WHERE seq = 2`)
	w.Want(http.StatusOK, http.MethodPost, path, admin, nil, &proof)
	if proof.OK || proof.Break.Seq != 2 || proof.Break.Kind != "changed" {
		t.Errorf("%+v", proof)
	}
	var music struct {
		OK      bool
		Entries int64
	}
	w.Want(http.StatusOK, http.MethodPost, path, w.Token(auth.RoleAdmin, "music"), nil, &music)
	if !music.OK || music.Entries != 0 {
		t.Errorf("of the other tenant: %+v", music)
	}
}

func TestTheLogRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	admin := w.Token(auth.RoleAdmin, "pizza")
	t.Run("list", func(t *testing.T) {
		badinput.Check(t, badinput.Target{URL: w.URL, Method: http.MethodGet, Path: "/v1/access-log", Token: admin, List: true})
	})
	t.Run("verify", func(t *testing.T) {
		badinput.Check(t, badinput.Target{
			URL: w.URL, Method: http.MethodPost, Path: "/v1/access-log/verify", Token: admin, Body: `{"entries":0,"hash":""}`,
			Skip: []string{"empty body"}, // it takes none, too,
		})
	})
	for name, c := range map[string]struct {
		method, path, body, token, code string
		status                          int
	}{
		"somebody who only reads":        {"GET", "", "", w.Token(auth.RoleAgent, "pizza"), "", 403},
		"a manager":                      {"POST", "/verify", "", w.Token(auth.RoleManager, "pizza"), "", 403},
		"a customer who is none":         {"GET", "?customer_id=17", "", admin, "validation_failed", 422},
		"a subject without end":          {"GET", "?subject=" + strings.Repeat("s", 256), "", admin, "validation_failed", 422},
		"a cursor of no number":          {"GET", "?cursor=" + otherCursor(t, w), "", admin, "cursor_invalid", 400},
		"entries without their hash":     {"POST", "/verify", `{"entries":3,"hash":""}`, admin, "proof_invalid", 422},
		"a hash without its entries":     {"POST", "/verify", fmt.Sprintf(`{"entries":0,"hash":%q}`, strings.Repeat("0", 64)), admin, "proof_invalid", 422},
		"a hash that is too short":       {"POST", "/verify", `{"entries":3,"hash":"00"}`, admin, "validation_failed", 422},
		"a number of entries below zero": {"POST", "/verify", `{"entries":-3,"hash":""}`, admin, "validation_failed", 422},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		if answer := w.Do(c.method, "/v1/access-log"+c.path, c.token, body); answer.Status != c.status || c.code != "" && answer.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", name, answer.Status, answer.Body, c.status, c.code)
		}
	}
}

// otherCursor is a good cursor of the list of customers.
func otherCursor(t *testing.T, w *accountstest.World) string {
	t.Helper()
	w.Customer(t, "pizza", "person", "李雷")
	w.Customer(t, "pizza", "person", "韩梅梅")
	var p page
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers?limit=1", w.Token(auth.RoleAgent, "pizza"), nil, &p)
	return p.NextCursor
}
