package matching_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/matching"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

type body = map[string]any

// world is the service, and an indexer that takes a turn when it is told.
type world struct {
	*accountstest.World
	t                     *testing.T
	agent, manager, admin string
	matches               *matching.Matches
	indexer               *search.Indexer
}

func start(t *testing.T) *world {
	t.Helper()
	s := accountstest.Start(t)
	matches := matching.New(s.DB, time.Now)
	return &world{
		World: s, t: t, agent: s.Token(auth.RoleAgent, "pizza"), manager: s.Token(auth.RoleManager, "pizza"), admin: s.Token(auth.RoleAdmin, "pizza"),
		matches: matches, indexer: search.NewIndexer(s.DB, s.Database.DB(pg.Ops), slog.New(slog.DiscardHandler), matches.Follow),
	}
}

// follow brings index and queue up to date.
func (w *world) follow() {
	w.t.Helper()
	w.Eventually("the queue is level", func() bool {
		if err := w.indexer.Turn(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		var left int
		err := w.DB.Read(w.t.Context(), "pizza", func(tx *pg.Tx) error {
			return tx.QueryRow(w.t.Context(), `SELECT count(*) FROM customer_pending WHERE tenant_id = 'pizza'`).Scan(&left)
		})
		return err == nil && left == 0
	})
}

// somebody is a registration; identities are types and values in turns.
func somebody(display string, identities ...string) body {
	list := []body{}
	for i := 0; i < len(identities); i += 2 {
		list = append(list, body{"type": identities[i], "value": identities[i+1]})
	}
	return body{"display_name": display, "identities": list}
}

func (w *world) register(b body) string {
	w.t.Helper()
	var made struct {
		CustomerID string `json:"customer_id"`
	}
	b["allow_duplicate"] = true
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.agent, b, &made)
	return made.CustomerID
}

type pair struct {
	DuplicateID string `json:"duplicate_id"`
	Customers   []struct {
		CustomerID  string `json:"customer_id"`
		DisplayName string `json:"display_name"`
	}
	Score               int
	Result, Rule, State string
	Criteria            []string
	DecidedBy           string `json:"decided_by"`
}

// between tells whether the pair is of the two.
func (p pair) between(a, b string) bool {
	ids := []string{p.Customers[0].CustomerID, p.Customers[1].CustomerID}
	return slices.Contains(ids, a) && slices.Contains(ids, b)
}

func (w *world) queue(token, query string) []pair {
	w.t.Helper()
	var page struct{ Items []pair }
	w.Want(http.StatusOK, http.MethodGet, "/v1/duplicates"+query, token, nil, &page)
	return page.Items
}

const phone = "138 0013 8000"

func TestARegistrationThatMatchesIsAnsweredWithWhom(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.register(somebody("李雷", "phone", phone, "card", "VIP17"))
	refused := w.Want(http.StatusConflict, http.MethodPost, "/v1/customers", w.agent, somebody("Li Lei", "phone", phone), nil)
	if refused.Code() != "duplicate_suspected" || !strings.Contains(string(refused.Body), lei) || !strings.Contains(string(refused.Body), "phone_and_name") {
		t.Errorf("%s", refused.Body)
	}
	if strings.Contains(string(refused.Body), "雷") || strings.Contains(string(refused.Body), "13800138000") {
		t.Errorf("the problem tells personal data: %s", refused.Body)
	}
	for what, b := range map[string]body{
		"somebody else of the family": somebody("李梅", "phone", phone), "a name alone": somebody("李雷"), "nobody by name": somebody("", "phone", phone, "card", "VIP18"),
	} {
		if a := w.Do(http.MethodPost, "/v1/customers", w.agent, b); a.Status != http.StatusCreated {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	if a := w.Do(http.MethodPost, "/v1/customers", w.agent, somebody("Anna", "card", "VIP17")); a.Code() != "identity_taken" {
		t.Errorf("a card of somebody else's: %d %s", a.Status, a.Body)
	}
	if a := w.Do(http.MethodPost, "/v1/customers", w.Token(auth.RoleAgent, "music"), somebody("李雷", "phone", "+8613800138000")); a.Status != http.StatusCreated {
		t.Errorf("another tenant meets him: %d %s", a.Status, a.Body)
	}
	w.register(somebody("Li Lei", "phone", phone)) // it is known that there is somebody alike
}

func TestPairsAreFoundAndDecided(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei, li := w.register(somebody("李雷", "phone", phone)), w.register(somebody("Li Lei", "phone", phone))
	w.register(somebody("李梅", "phone", phone))
	jon, john := w.register(somebody("Jon Smith", "email", "smith@example.com")), w.register(somebody("John Smith", "email", "smith@example.com"))
	w.follow()
	got := w.queue(w.manager, "")
	if len(got) != 2 || !got[0].between(lei, li) || got[0].Rule != "phone_and_name" || got[0].Result != "review" || got[0].Score != 95 ||
		!slices.Equal(got[0].Criteria, []string{"identity.phone", "name_similar"}) || got[0].Customers[0].DisplayName != "李雷" {
		t.Fatalf("%+v", got)
	}
	if !got[1].between(jon, john) || got[1].Rule != "email_and_name" {
		t.Fatalf("%+v", got[1])
	}
	if other := w.queue(w.Token(auth.RoleManager, "music"), ""); len(other) > 0 {
		t.Errorf("another tenant sees %v", other)
	}
	path := "/v1/duplicates/" + got[0].DuplicateID
	if a := w.Do(http.MethodPost, path+"/dismiss", w.Token(auth.RoleManager, "music"), nil); a.Status != http.StatusNotFound {
		t.Errorf("another tenant dismisses: %d", a.Status)
	}
	if a := w.Do(http.MethodGet, "/v1/duplicates", w.agent, nil); a.Status != http.StatusForbidden {
		t.Errorf("an agent sees the queue: %d", a.Status)
	}
	var dismissed pair
	w.Want(http.StatusOK, http.MethodPost, path+"/dismiss", w.manager, nil, &dismissed, "Idempotency-Key", "once")
	w.Want(http.StatusOK, http.MethodPost, path+"/dismiss", w.manager, nil, nil, "Idempotency-Key", "once")
	if dismissed.State != "dismissed" || dismissed.DecidedBy == "" {
		t.Errorf("%+v", dismissed)
	}
	if a := w.Do(http.MethodPost, path+"/dismiss", w.manager, nil); a.Status != http.StatusConflict || a.Code() != "duplicate_decided" {
		t.Errorf("twice: %d %s", a.Status, a.Body)
	}

	// It stays away, whatever happens to the two.
	w.Want(http.StatusOK, http.MethodPatch, "/v1/customers/"+li, w.agent, body{"display_name": "LI LEI"}, nil, "If-Match", "*")
	w.follow()
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/duplicates/scan", w.manager, nil, nil)
	w.follow()
	if got := w.queue(w.manager, ""); len(got) != 1 || !got[0].between(jon, john) {
		t.Errorf("%+v", got)
	}
	if got := w.queue(w.manager, "?state=dismissed"); len(got) != 1 || got[0].DuplicateID != dismissed.DuplicateID {
		t.Errorf("%+v", got)
	}
}

func TestADismissedPairDoesNotComeBackByAMerge(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei, li := w.register(somebody("李雷", "phone", phone)), w.register(somebody("Li Lei", "phone", phone))
	w.follow()
	w.Want(http.StatusOK, http.MethodPost, "/v1/duplicates/"+w.queue(w.manager, "")[0].DuplicateID+"/dismiss", w.manager, nil, nil)
	third := w.register(somebody("李雷", "phone", "139 1111 2222"))
	var merge struct {
		MergeID string `json:"merge_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+third+"/merges", w.manager, body{"absorbed_id": lei}, &merge)
	w.follow() // the third has the telephone now
	if got := w.queue(w.manager, ""); len(got) != 0 {
		t.Errorf("after the merge %+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/merges/"+merge.MergeID+"/undo", w.manager, nil, nil)
	w.follow()
	if got := w.queue(w.manager, ""); len(got) != 0 {
		t.Errorf("after it was undone %+v", got)
	}
	_ = li
}

func TestPairsOfTheMergedAreGone(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei, li := w.register(somebody("李雷", "phone", phone)), w.register(somebody("Li Lei", "phone", phone))
	w.follow()
	if len(w.queue(w.manager, "")) != 1 {
		t.Fatal("there is no pair: this test shows nothing")
	}
	var merge struct {
		MergeID string `json:"merge_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+lei+"/merges", w.manager, body{"absorbed_id": li}, &merge)
	for range 2 { // at once, and when the queue has followed
		if got := w.queue(w.manager, ""); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		w.follow()
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/merges/"+merge.MergeID+"/undo", w.manager, nil, nil)
	w.follow()
	if got := w.queue(w.manager, ""); len(got) != 1 || !got[0].between(lei, li) {
		t.Errorf("after it was undone: %+v", got)
	}
	w.Want(http.StatusOK, http.MethodPatch, "/v1/customers/"+li, w.agent, body{"display_name": "Anna"}, nil, "If-Match", "*")
	w.follow()
	if got := w.queue(w.manager, ""); len(got) != 0 {
		t.Errorf("they have no more in common, and %+v", got)
	}
}

func TestWhatMoreThanTwentyHaveInCommonTellsNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	const number = "010-6552 9988"
	for n := range 20 {
		w.register(somebody(fmt.Sprintf("Clerk %c%c", 'A'+n, 'a'+n*7%26), "phone", number))
	}
	w.register(somebody("李雷", "phone", number))
	if a := w.Do(http.MethodPost, "/v1/customers", w.agent, somebody("李雷", "phone", number)); a.Status != http.StatusCreated {
		t.Errorf("a switchboard's number counts: %d %s", a.Status, a.Body)
	}
	w.follow()
	if got := w.queue(w.manager, ""); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestATenantSetsItsRules(t *testing.T) {
	t.Parallel()
	w := start(t)
	read := w.Want(http.StatusOK, http.MethodGet, "/v1/matching-rules", w.agent, nil, nil)
	if read.Header.Get("ETag") != `"0"` || !strings.Contains(string(read.Body), `"standard":true`) {
		t.Fatalf("%s %s", read.Header.Get("ETag"), read.Body)
	}
	w.AsSuperuser(t, `INSERT INTO custom_field (tenant_id, name, title, type, choices, class, version, created_at, changed_at)
		VALUES ('pizza', 'birth_date', 'Birth date', 'date', '{}', 'identity', 1, now(), now()), ('pizza', 'allergy', 'Allergy', 'text', '{}', 'health', 1, now(), now())`)
	rules := body{"rules": []body{
		{"name": "name_and_birth_date", "result": "automatic", "criteria": []body{{"kind": "name_sound"}, {"kind": "custom_field", "field": "birth_date"}}},
		{"name": "name", "result": "review", "criteria": []body{{"kind": "name"}}},
	}}
	set := func(token string, b body, etag string) int {
		return w.Do(http.MethodPut, "/v1/matching-rules", token, b, "If-Match", etag).Status
	}
	if a := w.Do(http.MethodPut, "/v1/matching-rules", w.admin, rules); a.Status != http.StatusPreconditionRequired {
		t.Errorf("without If-Match: %d", a.Status)
	}
	rule := func(result string, criterion body) body {
		return body{"rules": []body{{"name": "x", "result": result, "criteria": []body{criterion}}}}
	}
	for _, c := range []struct {
		what  string
		token string
		body  body
		etag  string
		want  int
	}{
		{"an agent", w.agent, rules, `"0"`, http.StatusForbidden},
		{"a stale version", w.admin, rules, `"7"`, http.StatusPreconditionFailed},
		{"a name alone, automatic", w.admin, rule("automatic", body{"kind": "name"}), `"0"`, http.StatusUnprocessableEntity},
		{"a field of health", w.admin, rule("review", body{"kind": "custom_field", "field": "allergy"}), `"0"`, http.StatusUnprocessableEntity},
		{"all in order", w.admin, rules, `"0"`, http.StatusOK},
		{"the version before", w.admin, rules, `"0"`, http.StatusPreconditionFailed},
	} {
		if got := set(c.token, c.body, c.etag); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
	read = w.Want(http.StatusOK, http.MethodGet, "/v1/matching-rules", w.agent, nil, nil)
	if read.Header.Get("ETag") != `"1"` || !strings.Contains(string(read.Body), "name_and_birth_date") {
		t.Fatalf("%s %s", read.Header.Get("ETag"), read.Body)
	}
	born := func(display, date string) body {
		return body{"display_name": display, "custom_fields": body{"birth_date": date}}
	}
	lei, li := w.register(born("李雷", "1990-05-06")), w.register(born("Li Lei", "1990-05-06"))
	w.register(born("Lei Li", "1991-05-06"))
	other := w.register(body{"display_name": "李  雷"})
	w.follow()
	got := w.queue(w.manager, "")
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	for _, p := range got {
		switch {
		case p.between(lei, li):
			if p.Result != "automatic" || p.Rule != "name_and_birth_date" {
				t.Errorf("%+v", p)
			}
		case p.between(lei, other):
			if p.Result != "review" || p.Rule != "name" || p.Score != 100 {
				t.Errorf("%+v", p)
			}
		default:
			t.Errorf("%+v", p)
		}
	}
	if a := w.Do(http.MethodPost, "/v1/customers", w.agent, body{"display_name": "李雷"}); a.Code() != "duplicate_suspected" {
		t.Errorf("by the tenant's rule of names: %d %s", a.Status, a.Body)
	}
}

func TestPagesOfTheQueueAreStable(t *testing.T) {
	t.Parallel()
	w := start(t)
	for n := range 5 {
		number := fmt.Sprintf("138 0013 800%d", n)
		w.register(somebody("李雷", "phone", number))
		w.register(somebody([]string{"Li Lei", "李雷"}[n%2], "phone", number))
	}
	w.follow()
	var ids []string
	for cursor := ""; ; {
		var page struct {
			Items      []pair
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/duplicates?limit=2&cursor="+cursor, w.manager, nil, &page)
		for _, p := range page.Items {
			ids = append(ids, p.DuplicateID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	whole := w.queue(w.manager, "?limit=200")
	if len(ids) != 5 || len(whole) != 5 || !slices.IsSortedFunc(whole, func(a, b pair) int { return b.Score - a.Score }) {
		t.Fatalf("%d in pages, %d at once", len(ids), len(whole))
	}
	for n, p := range whole {
		if ids[n] != p.DuplicateID {
			t.Error("pages and whole differ")
		}
	}
}

func TestAcceptingMarksThePairOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei, li := w.register(somebody("李雷", "phone", phone)), w.register(somebody("Li Lei", "phone", phone))
	w.follow()
	id := uuid.MustParse(w.queue(w.manager, "")[0].DuplicateID)
	accept := func(tenant string) (p matching.Pair, err error) {
		err = w.DB.Tx(t.Context(), tenant, func(tx *pg.Tx) (err error) {
			p, err = matching.Accept(t.Context(), tx, id, "ann", time.Now().UTC())
			return err
		})
		return p, err
	}
	if _, err := accept("music"); err == nil {
		t.Error("another tenant accepts it")
	}
	p, err := accept("pizza")
	if err != nil || p.Low.String() != lei || p.High.String() != li || p.State != matching.Accepted {
		t.Fatalf("%+v %v", p, err)
	}
	if _, err := accept("pizza"); err == nil {
		t.Error("it is accepted twice")
	}
	if got := w.queue(w.manager, "?state=accepted"); len(got) != 1 || got[0].DecidedBy != "ann" {
		t.Errorf("%+v", got)
	}
	err = w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		n, err := matching.Erase(t.Context(), tx, []uuid.UUID{uuid.MustParse(li)})
		if n["duplicate_pair"] != 1 {
			t.Errorf("erased %v", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCandidatesOfABatchAreThoseOfEach(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.register(somebody("李雷", "phone", phone, "card", "VIP17"))
	john := w.register(somebody("John Smith", "email", "smith@example.com"))
	w.follow()
	draft := func(display string, i ...identity.Identity) customer.Customer {
		c := customer.Customer{Names: customer.Names{Display: display}, Kind: customer.Person}
		for _, one := range i {
			c.Identities = append(c.Identities, customer.Identity{Identity: one})
		}
		return c
	}
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		got, err := matching.Candidates(t.Context(), tx, []customer.Customer{
			draft("Anna", identity.Identity{Type: "card", Value: "VIP17"}), draft("Nobody"), draft("Jon Smith", identity.Identity{Type: "email", Value: "smith@example.com"}),
		})
		if err != nil {
			return err
		}
		if len(got[0]) != 1 || got[0][0].CustomerID.String() != lei || got[0][0].Result != matching.Automatic || len(got[1]) != 0 ||
			len(got[2]) != 1 || got[2][0].CustomerID.String() != john || got[2][0].Result != matching.Review {
			t.Errorf("%+v", got)
		}
		types, err := matching.Differing(t.Context(), tx, uuid.MustParse(lei), uuid.MustParse(john))
		if len(types) != 0 {
			t.Errorf("not verified, and they differ by %v", types)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.AsSuperuser(t, `INSERT INTO customer_identity (tenant_id, type, value, customer_id, added_at) VALUES ('pizza', 'card', 'VIP18', $1, now())`, john)
	w.AsSuperuser(t, `UPDATE customer_identity SET verified_at = now() WHERE type = 'card'`)
	err = w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		types, err := matching.Differing(t.Context(), tx, uuid.MustParse(lei), uuid.MustParse(john))
		if !slices.Equal(types, []identity.Type{"card"}) {
			t.Errorf("they differ by %v", types)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDraftsAreComparedWithWhoIsThere has custom fields of every type as the criterion: a draft has them as they were given.
func TestDraftsAreComparedWithWhoIsThere(t *testing.T) {
	t.Parallel()
	w := start(t)
	values := map[string]any{"number": 7, "share": 1.5, "member": true, "born": "1990-05-06", "motto": "Carpe Diem", "colour": "red", "colours": []string{"blue", "red"}}
	for name, typ := range map[string]string{"number": "integer", "share": "number", "member": "boolean", "born": "date", "motto": "text", "colour": "choice", "colours": "choices"} {
		b := body{"name": name, "title": name, "type": typ, "class": "behaviour"}
		if strings.HasPrefix(typ, "choice") {
			b["choices"] = []string{"red", "blue"}
		}
		w.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", w.admin, b, nil)
	}
	there := w.register(body{"display_name": "李雷", "custom_fields": values})
	w.follow()
	version := 0
	for name, value := range values {
		rules := body{"rules": []body{{"name": "sound_and_field", "result": "automatic", "criteria": []body{{"kind": "name_sound"}, {"kind": "custom_field", "field": name}}}}}
		w.Want(http.StatusOK, http.MethodPut, "/v1/matching-rules", w.admin, rules, nil, "If-Match", fmt.Sprintf("%q", fmt.Sprint(version)))
		version++
		a := w.Do(http.MethodPost, "/v1/customers", w.agent, body{"display_name": "Li Lei", "custom_fields": body{name: value}})
		if a.Code() != "duplicate_suspected" || !strings.Contains(string(a.Body), there) {
			t.Errorf("by %s: %d %s", name, a.Status, a.Body)
		}
	}
}

func TestWhoIsCertainlyThereIsKnownByAutomaticRulesAlone(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei, li := w.register(somebody("李雷", "phone", phone, "card", "VIP17")), w.register(somebody("Li Lei", "phone", phone))
	w.register(somebody("John Smith", "email", "smith@example.com"))
	w.follow()
	drafts := func() []customer.Customer {
		one := func(display string, all ...identity.Identity) customer.Customer {
			c := customer.Customer{Names: customer.Names{Display: display}, Kind: customer.Person}
			for _, i := range all {
				c.Identities = append(c.Identities, customer.Identity{Identity: i})
			}
			return c
		}
		return []customer.Customer{
			one("Li Lei", identity.Identity{Type: "phone", Value: "+8613800138000"}), one("Nobody"),
			one("Jon Smith", identity.Identity{Type: "email", Value: "smith@example.com"}), one("李雷", identity.Identity{Type: "card", Value: "VIP17"}),
		}
	}
	certain := func(tenant string) (all [][]uuid.UUID) {
		if err := w.DB.Read(t.Context(), tenant, func(tx *pg.Tx) (err error) {
			rules := matching.QueueRules(tx)
			if err := tx.Flush(t.Context()); err != nil {
				return err
			}
			all, err = rules.Certain(t.Context(), tx, drafts())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	if got := certain("pizza"); len(got) != 4 || len(slices.Concat(got...)) != 0 {
		t.Errorf("by the standard rules nobody is but by a card, which is left to the caller: %v", got)
	}
	w.Want(http.StatusOK, http.MethodPut, "/v1/matching-rules", w.admin, body{"rules": []body{
		{"name": "phone_and_sound", "result": "automatic", "criteria": []body{{"kind": "identity", "type": "phone"}, {"kind": "name_sound"}}},
		{"name": "mail_and_name", "result": "review", "criteria": []body{{"kind": "identity", "type": "email"}, {"kind": "name_similar", "threshold": 0.5}}},
		{"name": "card_and_name", "result": "automatic", "criteria": []body{{"kind": "identity", "type": "card"}, {"kind": "name"}}},
	}}, nil, "If-Match", `"0"`)
	got := certain("pizza")
	if want := []uuid.UUID{uuid.MustParse(lei), uuid.MustParse(li)}; !slices.Equal(got[0], want) || len(slices.Concat(got[1:]...)) != 0 {
		t.Errorf("%v, want %v and nobody", got, want)
	}
	if got := certain("music"); len(slices.Concat(got...)) != 0 {
		t.Errorf("another tenant's are %v", got)
	}
}

func TestMatchingRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.register(somebody("李雷", "phone", phone))
	w.register(somebody("Li Lei", "phone", phone))
	w.follow()
	path := "/v1/duplicates/" + w.queue(w.manager, "")[0].DuplicateID
	rules := `{"rules":[{"name":"phone","result":"review","criteria":[{"kind":"identity","type":"phone"}]}]}`
	for name, target := range map[string]badinput.Target{
		"rules": {Method: http.MethodPut, Path: "/v1/matching-rules", Body: rules, Version: true, Token: w.admin, Header: http.Header{"If-Match": {`"0"`}}},
		"list":  {Method: http.MethodGet, Path: "/v1/duplicates", List: true, Token: w.manager},
		"get":   {Method: http.MethodGet, Path: path, Owned: true, Token: w.manager},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL = w.URL
			badinput.Check(t, target)
		})
	}
	for _, query := range []string{"?state=gone", "?limit=0", "?cursor=x", "?colour=red"} {
		if a := w.Do(http.MethodGet, "/v1/duplicates"+query, w.manager, nil); a.Status < 400 || a.Status > 422 {
			t.Errorf("%s: %d", query, a.Status)
		}
	}
}
