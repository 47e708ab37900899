package customer_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// world has two customers of pizza; absorb makes the second an alias of the first.
type world struct {
	*accountstest.World
	t            *testing.T
	agent        string
	first, other customerView
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: accountstest.Start(t), t: t}
	w.agent = w.Token(auth.RoleAgent, "pizza")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.agent, body{
		"given_name": "雷", "family_name": "李", "tags": []string{"vip"}, "identities": []body{
			{"type": "phone", "value": "138 0013 8000"}, {"type": "external:till", "value": "A7"},
		},
	}, &w.first)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.agent, body{
		"display_name": "Li Lei", "allow_duplicate": true, "tags": []string{"web"}, "identities": []body{
			{"type": "phone", "value": "138 0013 8000", "verified": true}, {"type": "external:shop", "value": "9"}, {"type": "card", "value": "VIP17"},
		},
		"addresses": []body{{"kind": "home", "lines": []string{"中山路 1 号"}, "city": "上海"}},
	}, &w.other)
	return w
}

func (w *world) sql(sql string, args ...any) {
	w.t.Helper()
	if err := w.DB.Tx(w.t.Context(), "pizza", func(tx *pg.Tx) error { tx.Queue(sql, args...); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) absorb() {
	w.t.Helper()
	w.sql(`UPDATE customer SET state = 'absorbed', root_id = $2 WHERE tenant_id = 'pizza' AND id = $1`, w.other.CustomerID, w.first.CustomerID)
	w.sql(`UPDATE customer SET aliases = ARRAY[$1::uuid] WHERE tenant_id = 'pizza' AND id = $2`, w.other.CustomerID, w.first.CustomerID)
}

func (w *world) separate() {
	w.t.Helper()
	w.sql(`UPDATE customer SET state = 'active', root_id = NULL WHERE tenant_id = 'pizza' AND id = $1`, w.other.CustomerID)
	w.sql(`UPDATE customer SET aliases = '{}' WHERE tenant_id = 'pizza' AND id = $1`, w.first.CustomerID)
}

func (w *world) get(id string) (c customerView) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+id, w.agent, nil, &c)
	return c
}

// written gives the identities as "type value".
func (c customerView) written() (out []string) {
	for _, i := range c.Identities {
		out = append(out, i.Type+" "+i.Value)
	}
	return out
}

func TestAMergedCustomerIsReadWholeByEitherID(t *testing.T) {
	t.Parallel()
	w := start(t)
	before := []customerView{w.get(w.first.CustomerID), w.get(w.other.CustomerID)}
	w.absorb()
	for _, id := range []string{w.first.CustomerID, w.other.CustomerID} {
		c := w.get(id)
		if c.CustomerID != w.first.CustomerID || c.DisplayName != "李雷" || !slices.Equal(c.Aliases, []string{w.other.CustomerID}) {
			t.Fatalf("by %s: %+v", id, c)
		}
		if got := strings.Join(c.written(), ", "); got != "external:till A7, phone +8613800138000, card VIP17, external:shop 9" {
			t.Errorf("by %s: identities %s", id, got)
		}
		if c.Identities[1].VerifiedAt == "" {
			t.Error("the telephone that one of them verified is not verified")
		}
		if len(c.Addresses) != 1 || !slices.Equal(c.Tags, []string{"vip"}) {
			t.Errorf("by %s: addresses %v, tags %v", id, c.Addresses, c.Tags)
		}
	}
	var list struct{ Items []customerView }
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers", w.agent, nil, &list)
	if len(list.Items) != 1 {
		t.Errorf("%d customers are listed, want 1", len(list.Items))
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/lookup?type=phone&value=13800138000", w.agent, nil, &list)
	if len(list.Items) != 1 || list.Items[0].CustomerID != w.first.CustomerID {
		t.Errorf("looked up: %+v", list.Items)
	}
	w.separate()
	if a, b := w.get(w.first.CustomerID), w.get(w.other.CustomerID); !slices.Equal(a.written(), before[0].written()) ||
		!slices.Equal(b.written(), before[1].written()) || len(a.Addresses) != 0 || len(b.Addresses) != 1 {
		t.Errorf("parted again they are %+v and %+v", a, b)
	}
}

func TestWhatIsAddedByAnAliasHangsOnTheAlias(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.absorb()
	alias, root := "/v1/customers/"+w.other.CustomerID, "/v1/customers/"+w.first.CustomerID
	var c customerView
	w.Want(http.StatusOK, http.MethodPost, alias+"/identities", w.agent, body{"type": "external:erp", "value": "7"}, &c)
	w.Want(http.StatusCreated, http.MethodPost, alias+"/addresses", w.agent, body{"lines": []string{"Nanjing Road 2"}}, &c)
	w.Want(http.StatusOK, http.MethodPost, root+"/identities", w.agent, body{"type": "login", "value": "lilei"}, &c)
	w.Want(http.StatusOK, http.MethodPatch, alias, w.agent, body{"tags": []string{"gold"}}, &c, "If-Match", `"4"`)
	if c.CustomerID != w.first.CustomerID || !slices.Equal(c.Tags, []string{"gold"}) || len(c.Addresses) != 2 || len(c.Identities) != 6 {
		t.Fatalf("%+v", c)
	}
	w.Want(http.StatusOK, http.MethodPost, root+"/identities/end", w.agent, body{"type": "phone", "value": "13800138000"}, &c)
	changes := w.EventsOf("CustomerChanged", 6)
	var got []string
	for _, e := range changes {
		whose := "root"
		if e.AggregateID == w.other.CustomerID {
			whose = "alias"
		}
		got = append(got, whose+" "+strings.Join(systems(t, e.Data), "+"))
	}
	slices.Sort(got)
	// The telephone is both's, so it ends for both. No id in another system is told of on the other's stream.
	if want := []string{"alias erp+shop", "alias erp+shop", "alias erp+shop", "root till", "root till", "root till"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}

	w.separate()
	first, other := w.get(w.first.CustomerID), w.get(w.other.CustomerID)
	if !slices.Contains(other.written(), "external:erp 7") || len(other.Addresses) != 2 || slices.Contains(other.written(), "login lilei") {
		t.Errorf("the one who was absorbed has %v and %v", other.written(), other.Addresses)
	}
	if !slices.Contains(first.written(), "login lilei") || len(first.Addresses) != 0 || !slices.Equal(first.Tags, []string{"gold"}) {
		t.Errorf("the survivor has %+v", first)
	}
	for _, c := range []customerView{first, other} {
		for _, i := range c.Identities {
			if ended := i.ValidTo != ""; ended != (i.Type == "phone") {
				t.Errorf("%s of %s ended: %v", i.Type, c.DisplayName, ended)
			}
		}
	}
}

func TestAnErasedCustomerIsGone(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.absorb()
	ids := []uuid.UUID{uuid.MustParse(w.first.CustomerID), uuid.MustParse(w.other.CustomerID)}
	for round, want := range []int64{2, 0} {
		err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			erased, err := customer.Erase(t.Context(), tx, ids)
			if erased["customers"] != want || round == 0 && (erased["identities"] != 5 || erased["addresses"] != 1) {
				t.Errorf("round %d erased %v", round, erased)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		path := "/v1/customers/" + id.String()
		for _, answer := range []struct {
			code, method, path string
			body               any
		}{
			{"customer_erased", http.MethodGet, path, nil},
			{"customer_erased", http.MethodPatch, path, body{"given_name": "x"}},
			{"customer_erased", http.MethodPost, path + "/identities", body{"type": "card", "value": "VIP18"}},
			{"customer_erased", http.MethodPost, path + "/addresses", body{"lines": []string{"x"}}},
			{"customer_erased", http.MethodPost, path + "/archive", nil},
			{"customer_erased", http.MethodGet, path + "/stages", nil},
		} {
			if got := w.Do(answer.method, answer.path, w.agent, answer.body, "If-Match", `"1"`); got.Status != http.StatusGone || got.Code() != answer.code {
				t.Errorf("%s %s: got %d %s", answer.method, answer.path, got.Status, got.Body)
			}
		}
	}
	if n := w.Count(`SELECT count(*) FROM customer WHERE display_name || given_name || family_name || legal_name || owner <> '' OR tags <> '{}' OR custom <> '{}'`); n != 0 {
		t.Errorf("%d rows tell still who it was", n)
	}
	// What was theirs can be another's.
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.agent, known("韩梅梅", "card", "VIP17"), nil)
}

func TestOthersReadACustomerByWhatIsAsked(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.absorb()
	first, other, nobody := uuid.MustParse(w.first.CustomerID), uuid.MustParse(w.other.CustomerID), uuid.New()
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		owned, err := customer.Own(t.Context(), tx, other, first, nobody)
		own := owned[other]
		if err != nil || len(owned) != 2 || own.ID != other || own.RootID != first || own.State != customer.Absorbed || own.Display != "Li Lei" || len(own.Identities) != 3 {
			t.Errorf("the absorbed one by itself: %+v, %v", own, err)
		}
		if own = owned[first]; len(own.Identities) != 2 || len(own.Addresses) != 0 || !slices.Equal(own.Aliases, []uuid.UUID{other}) {
			t.Errorf("the survivor by itself: %+v", own)
		}
		all, err := customer.ReadAll(t.Context(), tx, nobody, other, first)
		if err != nil || len(all) != 1 || all[0].ID != first || len(all[0].Identities) != 4 {
			t.Errorf("all: %+v, %v", all, err)
		}
		refs, err := customer.Lock(t.Context(), tx, other, nobody)
		if err != nil || len(refs) != 1 || refs[other].Root != first || !slices.Equal(refs[other].Group(), []uuid.UUID{first, other}) {
			t.Errorf("locked: %+v, %v", refs, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = w.DB.Read(t.Context(), "music", func(tx *pg.Tx) error {
		all, err := customer.ReadAll(t.Context(), tx, first, other)
		if len(all) > 0 {
			t.Error("another tenant reads them")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
