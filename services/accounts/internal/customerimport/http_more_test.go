package customerimport_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

// someone is a customer as the API shows it.
type someone struct {
	CustomerID  string   `json:"customer_id"`
	DisplayName string   `json:"display_name"`
	State       string   `json:"state"`
	Tags        []string `json:"tags"`
	Identities  []struct{ Type, Value string }
}

// has gives the values of a type of identity, sorted.
func (s someone) has(kind string) (values []string) {
	for _, i := range s.Identities {
		if i.Type == kind {
			values = append(values, i.Value)
		}
	}
	slices.Sort(values)
	return values
}

// desk registers and reads customers of pizza.
type desk struct {
	*accountstest.World
	t          *testing.T
	integrator string
}

func open(t *testing.T) *desk {
	t.Helper()
	w := accountstest.Start(t)
	return &desk{World: w, t: t, integrator: w.Token(auth.RoleIntegrator, "pizza")}
}

// known registers a customer; identities are types and values in turns.
func (d *desk) known(name string, identities ...string) string {
	d.t.Helper()
	list := []map[string]any{}
	for n := 0; n < len(identities); n += 2 {
		list = append(list, map[string]any{"type": identities[n], "value": identities[n+1]})
	}
	var made someone
	d.Want(http.StatusCreated, http.MethodPost, "/v1/customers", d.integrator,
		map[string]any{"display_name": name, "identities": list, "allow_duplicate": true}, &made)
	return made.CustomerID
}

func (d *desk) read(id string) (s someone) {
	d.t.Helper()
	d.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+id, d.integrator, nil, &s)
	return s
}

// holder gives who has a card; nobody: the empty one.
func (d *desk) holder(card string) someone {
	d.t.Helper()
	var found struct{ Items []someone }
	d.Want(http.StatusOK, http.MethodGet, "/v1/customers/lookup?type=card&value="+card, d.integrator, nil, &found)
	if len(found.Items) == 0 {
		return someone{}
	}
	return found.Items[0]
}

// brings has all rows of a file taken.
func (d *desk) brings(policy, file string) {
	d.t.Helper()
	v := bring(d.World, d.integrator, url.Values{"policy": {policy}}, file)
	if v.State != "finished" || v.Rejected != 0 || v.Accepted != v.Rows {
		d.t.Fatalf("%+v: %v", v, d.Rejections(v))
	}
}

func TestARowThatNamesAnAbsorbedCustomerIsAboutTheSurvivor(t *testing.T) {
	t.Parallel()
	d := open(t)
	manager := d.Token(auth.RoleManager, "pizza")
	lily, lilly := d.known("Lily Chen", "card", "VIP1"), d.known("Lilly Chen", "card", "VIP2", "phone", "138 0013 8002")
	var merge struct {
		MergeID string `json:"merge_id"`
	}
	d.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+lily+"/merges", manager, map[string]any{"absorbed_id": lilly, "rule": "oldest"}, &merge)

	d.brings("skip", "card,display_name\nVIP2,Nobody\n")
	if s := d.read(lily); s.DisplayName != "Lily Chen" {
		t.Errorf("skipped, and %+v", s)
	}
	// By the absorbed one's card, by its telephone and the name, and by both cards at once: each is about the one customer.
	d.brings("update", "card,display_name,phone,tags,external:till\nVIP2,Lili Chen,,club,\n,Lili Chen,138 0013 8002,vip,\nVIP1,,,,t-1\nVIP2,,,,t-2\n")
	s := d.read(lilly)
	if s.CustomerID != lily || s.DisplayName != "Lili Chen" || !slices.Equal(s.Tags, []string{"club", "vip"}) ||
		!slices.Equal(s.has("external:till"), []string{"t-1", "t-2"}) {
		t.Errorf("%+v", s)
	}
	if n := d.Count(`SELECT count(*) FROM customer`); n != 2 {
		t.Errorf("there are %d rows of customers, want the two", n)
	}
	refused := bring(d.World, d.integrator, url.Values{"policy": {"create"}}, "card,display_name\nVIP2,Other\n")
	if rejected := d.Rejections(refused); len(rejected) != 1 || rejected[0].String() != "2 card identity_taken" {
		t.Errorf("%v", rejected)
	}

	// What a row added is of the customer whose card it named, when they are taken apart.
	d.Want(http.StatusOK, http.MethodPost, "/v1/merges/"+merge.MergeID+"/undo", manager, nil, nil)
	first, second := d.read(lily), d.read(lilly)
	if all := append(first.has("external:till"), second.has("external:till")...); len(all) != 2 || second.DisplayName != "Lilly Chen" {
		t.Errorf("taken apart: %+v and %+v", first, second)
	}
	if !slices.Equal(first.has("card"), []string{"VIP1"}) || !slices.Equal(second.has("card"), []string{"VIP2"}) {
		t.Errorf("taken apart: %+v and %+v", first, second)
	}
}

func TestARowThatNamesAnErasedCustomerIsAboutSomebodyNew(t *testing.T) {
	t.Parallel()
	d := open(t)
	gone := d.known("韩梅梅", "card", "VIP1", "phone", "138 0013 8001")
	if err := d.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		_, err := customer.Erase(t.Context(), tx, []uuid.UUID{uuid.MustParse(gone)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, policy := range []string{"skip", "update", "create"} {
		card := "VIP1"
		if policy == "create" {
			card = "" // the card is somebody's by then
		}
		d.brings(policy, "card,display_name,phone\n"+card+",韩梅梅,138 0013 8001\n")
		if a := d.Do(http.MethodGet, "/v1/customers/"+gone, d.integrator, nil); a.Status != http.StatusGone {
			t.Errorf("%s: the erased one is back: %d %s", policy, a.Status, a.Body)
		}
		if n := d.Count(`SELECT count(*) FROM customer_identity WHERE customer_id = $1`, gone); n != 0 {
			t.Errorf("%s: the erased one has %d identities", policy, n)
		}
		if s := d.holder("VIP1"); s.CustomerID == gone || s.DisplayName != "韩梅梅" {
			t.Errorf("%s: the card is of %+v", policy, s)
		}
	}
	if n := d.Count(`SELECT count(*) FROM customer WHERE state = 'active'`); n != 2 { // the one of skip and update, and the one of create
		t.Errorf("%d customers, want 2", n)
	}
}

func TestAnIdentityThatHasEndedNamesNobody(t *testing.T) {
	t.Parallel()
	d := open(t)
	lei := d.known("李雷", "card", "VIP1", "phone", "138 0013 8000")
	for kind, value := range map[string]string{"card": "VIP1", "phone": "138 0013 8000"} {
		d.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+lei+"/identities/end", d.integrator, map[string]any{"type": kind, "value": value}, nil)
	}
	// The number was given to another customer of the same name, and so was the card.
	d.brings("update", "card,display_name,phone,tags\nVIP1,李雷,,new\n,李雷,138 0013 8000,newer\n")
	if s := d.read(lei); len(s.Tags) != 0 {
		t.Errorf("who had the card gets %v", s.Tags)
	}
	if s := d.holder("VIP1"); s.CustomerID == lei || !slices.Equal(s.Tags, []string{"new"}) {
		t.Errorf("the card is of %+v", s)
	}
	if n := d.Count(`SELECT count(*) FROM customer`); n != 3 {
		t.Errorf("%d customers, want the one who was there and two new ones", n)
	}
	// The same file again is about those two.
	d.brings("update", "card,display_name,phone,tags\nVIP1,李雷,,new\n,李雷,138 0013 8000,newer\n")
	if n := d.Count(`SELECT count(*) FROM customer`); n != 3 {
		t.Errorf("the same file again makes them %d customers", n)
	}
	// Who had the card before can have it back once the other one has it no longer.
	other := d.holder("VIP1").CustomerID
	d.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+other+"/identities/end", d.integrator, map[string]any{"type": "card", "value": "VIP1"}, nil)
	d.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+lei+"/identities", d.integrator, map[string]any{"type": "card", "value": "VIP1"}, nil)
	d.brings("update", "card,tags\nVIP1,back\n")
	if s := d.read(lei); !slices.Equal(s.Tags, []string{"back"}) {
		t.Errorf("%+v", s)
	}
}

// TestAFileIsReadByTheTenantsRules brings the same people by every policy: by the tenant's rules, who has the same day of
// birth and the same name is the same person.
func TestAFileIsReadByTheTenantsRules(t *testing.T) {
	t.Parallel()
	const file = "display_name,custom:born,tags\nLi Lei,1990-05-06,club\nLi Lei,1991-05-06,club\n王伟,1990-05-06,club\n"
	for policy, c := range map[string]struct {
		customers int64
		tags      []string
	}{
		"skip":   {5, nil}, // two of the three are new
		"update": {5, []string{"club"}},
		"create": {6, nil},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			admin := d.Token(auth.RoleAdmin, "pizza")
			d.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", admin, map[string]any{"name": "born", "title": "Born", "type": "date", "class": "identity"}, nil)
			rule := func(name, result string, criteria ...map[string]any) map[string]any {
				return map[string]any{"name": name, "result": result, "criteria": criteria}
			}
			sound, born := map[string]any{"kind": "name_sound"}, map[string]any{"kind": "custom_field", "field": "born"}
			d.Want(http.StatusOK, http.MethodPut, "/v1/matching-rules", admin, map[string]any{"rules": []any{
				rule("born_and_sound", "automatic", sound, born), rule("born", "review", born),
			}}, nil, "If-Match", `"0"`)
			person := func(name, born string) string {
				var made someone
				d.Want(http.StatusCreated, http.MethodPost, "/v1/customers", d.integrator,
					map[string]any{"display_name": name, "custom_fields": map[string]any{"born": born}, "allow_duplicate": true}, &made)
				return made.CustomerID
			}
			lei := person("李雷", "1990-05-06")
			person("韩梅梅", "1990-05-06") // by a rule for people only, the third row is her
			other := person("李雷", "1992-05-06")
			indexer := search.NewIndexer(d.DB, d.Database.DB(pg.Ops), slog.New(slog.DiscardHandler), nil)
			d.Eventually("the index is level", func() bool {
				return indexer.Turn(t.Context()) == nil && d.Count(`SELECT count(*) FROM customer_pending`) == 0
			})
			d.brings(policy, file)
			if n := d.Count(`SELECT count(*) FROM customer`); n != c.customers {
				t.Errorf("there are %d customers, want %d", n, c.customers)
			}
			if s := d.read(lei); !slices.Equal(s.Tags, c.tags) {
				t.Errorf("who has name and day of birth of the first row has the tags %v, want %v", s.Tags, c.tags)
			}
			if s := d.read(other); len(s.Tags) != 0 {
				t.Errorf("who has the name alone has %v", s.Tags)
			}
			if v := bring(d.World, d.Token(auth.RoleIntegrator, "music"), nil, "display_name\nLi Lei\n"); v.Accepted != 1 || d.Count(`SELECT count(*) FROM customer`) != c.customers+1 {
				t.Errorf("another tenant's row is about somebody of this one: %+v", v)
			}
		})
	}
}

func TestARowThatIsSeveralByTheTenantsRulesIsRefused(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Want(http.StatusOK, http.MethodPut, "/v1/matching-rules", d.Token(auth.RoleAdmin, "pizza"), map[string]any{"rules": []any{map[string]any{
		"name": "mail", "result": "automatic", "criteria": []any{map[string]any{"kind": "identity", "type": "email"}}}}}, nil, "If-Match", `"0"`)
	first := d.known("Lily", "email", "family@example.com")
	d.brings("update", "display_name,email,tags\nLilly,family@example.com,vip\n")
	if s := d.read(first); s.DisplayName != "Lilly" || !slices.Equal(s.Tags, []string{"vip"}) {
		t.Errorf("by the mailbox alone: %+v", s)
	}
	d.known("Tom", "email", "family@example.com")
	v := bring(d.World, d.integrator, url.Values{"policy": {"update"}}, "display_name,email\nSam,family@example.com\nMei,mei@example.com\n")
	if rejected := d.Rejections(v); v.Accepted != 1 || len(rejected) != 1 || rejected[0].String() != "2  match_ambiguous" {
		t.Errorf("%+v: %v", v, rejected)
	}
}
