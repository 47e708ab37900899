package customer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

type customerView struct {
	CustomerID   string `json:"customer_id"`
	Aliases      []string
	State        string
	Kind         string
	DisplayName  string `json:"display_name"`
	Version      int64  `json:"version"`
	Why          string
	Rank         int
	Identities   []identityView
	Addresses    []addressView
	Tags         []string
	Owner        string
	CustomFields body `json:"custom_fields"`
	Stage        string
	Segment      string
	ManualUntil  string `json:"stage_manual_until"`
	Completeness struct {
		Score   int
		Missing []string
	}
	Withheld []struct{ Class, Why string }
}

type identityView struct {
	Type, Value string
	VerifiedAt  string `json:"verified_at"`
	ValidFrom   string `json:"valid_from"`
	ValidTo     string `json:"valid_to"`
}

type addressView struct {
	AddressID     string `json:"address_id"`
	Kind, Country string
	Lines         []string
	City          string
}

type body = map[string]any

// known is a customer with one identity.
func known(name, kind, value string) body {
	return body{"display_name": name, "identities": []body{{"type": kind, "value": value}}}
}

func TestACustomerIsRegisteredReadAndChanged(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")

	var lei customerView
	created := w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, body{
		"given_name": "雷", "family_name": "李", "source": "counter", "identities": []body{
			{"type": "phone", "value": "138 0013 8000"}, {"type": "email", "value": "Li.Lei@例子.中国"},
			{"type": "card", "value": "vip-0017"}, {"type": "external:till", "value": "A7"},
		},
	}, &lei)
	path := "/v1/customers/" + lei.CustomerID
	read := w.Want(http.StatusOK, http.MethodGet, path, agent, nil, nil)
	golden.JSON(t, "testdata/customer.json", read.Body)
	if created.Header.Get("ETag") != `"1"` || string(created.Body) != string(read.Body) {
		t.Fatalf("created %s %s, read %s", created.Header.Get("ETag"), created.Body, read.Body)
	}

	change := body{"given_name": "蕾"}
	w.Want(http.StatusPreconditionRequired, http.MethodPatch, path, agent, change, nil)
	w.Want(http.StatusOK, http.MethodPatch, path, agent, change, &lei, "If-Match", `"1"`)
	if lei.DisplayName != "李蕾" || lei.Version != 2 {
		t.Fatalf("%+v", lei)
	}
	w.Want(http.StatusPreconditionFailed, http.MethodPatch, path, agent, change, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodPatch, path, agent, change, &lei, "If-Match", `"2"`)
	if lei.Version != 2 {
		t.Fatalf("a change to the same counted: %+v", lei)
	}

	for range 2 { // the second time changes nothing
		w.Want(http.StatusOK, http.MethodPost, path+"/identities", agent, body{"type": "external:shop", "value": "9"}, &lei)
		if lei.Version != 3 || len(lei.Identities) != 5 {
			t.Fatalf("%+v", lei)
		}
	}
	wrong := w.Want(http.StatusUnprocessableEntity, http.MethodPost, path+"/identities", agent, body{"type": "phone", "value": "soon"}, nil)
	if wrong.Code() != "customer_invalid" || strings.Contains(string(wrong.Body), "soon") {
		t.Fatalf("%s", wrong.Body)
	}
}

func TestCustomerEventsCarryNoPersonalData(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	var lei customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, body{
		"given_name": "雷", "family_name": "李", "identities": []body{
			{"type": "phone", "value": "138 0013 8000"}, {"type": "external:till", "value": "A7"}, {"type": "external:shop", "value": "9"},
		},
	}, &lei)
	w.Want(http.StatusOK, http.MethodPatch, "/v1/customers/"+lei.CustomerID, agent, body{"given_name": "蕾"}, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+lei.CustomerID+"/identities", agent, body{"type": "card", "value": "VIP17"}, nil)

	golden.JSON(t, "testdata/customer_registered.json", w.EventsOf("CustomerRegistered", 1)[0].Data)
	changes := w.EventsOf("CustomerChanged", 2)
	golden.JSON(t, "testdata/customer_renamed.json", changes[0].Data)
	golden.JSON(t, "testdata/customer_identified.json", changes[1].Data)
	for n, e := range changes {
		if e.AggregateType != "customer" || e.AggregateID != lei.CustomerID || e.Sequence != int64(n+2) || e.Tenant != "pizza" {
			t.Errorf("event %d: %+v", n, e)
		}
	}
	for _, e := range w.Events(5) {
		for _, personal := range []string{"雷", "蕾", "李", "13800138000", "VIP17"} {
			if strings.Contains(string(e.Data), personal) {
				t.Errorf("%s tells %s", e.Type, personal)
			}
		}
	}
}

func TestAnExclusiveIdentityIsOneCustomersOnly(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	var first, second customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, known("李雷", "external:till", "A7"), &first)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, known("韩梅梅", "phone", "138 0013 8000"), &second)

	for name, refused := range map[string]func() (int, []byte){
		"another registration": func() (int, []byte) {
			a := w.Do(http.MethodPost, "/v1/customers", agent, known("李蕾", "external:till", "A7"))
			return a.Status, a.Body
		},
		"another customer": func() (int, []byte) {
			a := w.Do(http.MethodPost, "/v1/customers/"+second.CustomerID+"/identities", agent, body{"type": "external:till", "value": "A7"})
			return a.Status, a.Body
		},
	} {
		if status, answer := refused(); status != http.StatusConflict || !strings.Contains(string(answer), first.CustomerID) {
			t.Errorf("%s: got %d %s, want 409 naming %s", name, status, answer, first.CustomerID)
		}
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, known("a sister", "phone", "+8613800138000"), nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleAgent, "music"), known("elsewhere", "external:till", "A7"), nil)
}

func TestTwentyAtOnceRegisterOneCustomer(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	var created, refused atomic.Int64
	var wait sync.WaitGroup
	for n := range 20 {
		wait.Go(func() {
			switch answer := w.Do(http.MethodPost, "/v1/customers", agent, known(fmt.Sprintf("caller %d", n), "card", "VIP17")); answer.Status {
			case http.StatusCreated:
				created.Add(1)
			case http.StatusConflict:
				refused.Add(1)
			default:
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if created.Load() != 1 || refused.Load() != 19 {
		t.Fatalf("%d created, %d refused", created.Load(), refused.Load())
	}
	if n := len(w.EventsOf("CustomerRegistered", 1)); n != 1 {
		t.Fatalf("%d events", n)
	}
}

func TestLookupFindsWhoMayBeCalling(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	for _, name := range []string{"李雷", "韩梅梅"} {
		w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, known(name, "phone", "010-6552 9988"), nil)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, known("card holder", "card", "VIP-0017"), nil)

	find := func(token, kind, value string) (names []string) {
		t.Helper()
		var found struct{ Items []customerView }
		w.Want(http.StatusOK, http.MethodGet, "/v1/customers/lookup?"+url.Values{"type": {kind}, "value": {value}}.Encode(), token, nil, &found)
		for _, c := range found.Items {
			names = append(names, c.DisplayName)
		}
		return names
	}
	// The number went to 韩梅梅 last; once 李雷 has shown that it is his, he comes first.
	if got := find(agent, "phone", "+86 10 65529988"); !slices.Equal(got, []string{"韩梅梅", "李雷"}) {
		t.Errorf("by telephone: %v", got)
	}
	if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`UPDATE customer_identity i SET verified_at = now() FROM customer c
			WHERE i.tenant_id = 'pizza' AND c.tenant_id = 'pizza' AND c.id = i.customer_id AND c.display_name = '李雷'`)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := find(agent, "phone", "(010) 65529988"); !slices.Equal(got, []string{"李雷", "韩梅梅"}) {
		t.Errorf("by a verified telephone: %v", got)
	}
	if got := find(agent, "card", "vip 0017"); !slices.Equal(got, []string{"card holder"}) {
		t.Errorf("by card: %v", got)
	}
	if got := find(w.Token(auth.RoleAgent, "music"), "card", "vip 0017"); len(got) > 0 {
		t.Errorf("another tenant finds %v", got)
	}
	for query, status := range map[string]int{
		"type=phone&value=soon": 422, "type=fax&value=1": 422, "type=phone": 422, "value=1": 422, "": 422,
	} {
		if answer := w.Do(http.MethodGet, "/v1/customers/lookup?"+query, agent, nil); answer.Status != status {
			t.Errorf("%s: got %d %s", query, answer.Status, answer.Body)
		}
	}
}

func TestCustomersAreListedInPagesAndCounted(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	var want []string
	for n := range 5 {
		want = append(want, fmt.Sprintf("customer %d", n))
		w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, body{"display_name": want[n]}, nil)
	}
	var got []string
	for cursor := ""; ; {
		var page struct {
			Items      []customerView
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/customers?limit=2&cursor="+cursor, agent, nil, &page)
		for _, c := range page.Items {
			got = append(got, c.DisplayName)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
	for tenant, n := range map[string]int64{"pizza": 5, "music": 0} {
		var summary struct{ Customers int64 }
		w.Want(http.StatusOK, http.MethodGet, "/v1/customers/summary", w.Token(auth.RoleAgent, tenant), nil, &summary)
		if summary.Customers != n {
			t.Errorf("%s has %d customers, want %d", tenant, summary.Customers, n)
		}
	}
}

func TestWhoMaySeeAndChangeACustomer(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	var lei customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleAgent, "pizza"), body{"display_name": "李雷"}, &lei)
	mine, other := "/v1/customers/"+lei.CustomerID, w.Token(auth.RoleAgent, "music")
	stranger := w.Token(auth.RoleAgent, "nobody")
	cases := []struct {
		name, method, path, token string
		body                      any
		status                    int
		code                      string
	}{
		{"another tenant's is not there", http.MethodGet, mine, other, nil, 404, "customer_not_found"},
		{"nor to be changed", http.MethodPatch, mine, other, body{"given_name": "x"}, 404, "customer_not_found"},
		{"nor to be identified", http.MethodPost, mine + "/identities", other, body{"type": "card", "value": "VIP17"}, 404, "customer_not_found"},
		{"nor to be archived", http.MethodPost, mine + "/archive", other, nil, 404, "customer_not_found"},
		{"nor to be given an address", http.MethodPost, mine + "/addresses", other, body{"lines": []string{"1"}}, 404, "customer_not_found"},
		{"nor to end an identity of", http.MethodPost, mine + "/identities/end", other, body{"type": "card", "value": "VIP17"}, 404, "customer_not_found"},
		{"marketing does not archive", http.MethodPost, mine + "/archive", w.Token(auth.RoleMarketing, "pizza"), nil, 403, ""},
		{"nor one that never was", http.MethodGet, "/v1/customers/" + uuid.NewString(), other, nil, 404, "customer_not_found"},
		{"marketing reads only", http.MethodPost, "/v1/customers", w.Token(auth.RoleMarketing, "pizza"), body{"display_name": "x"}, 403, ""},
		{"an agent does not import", http.MethodPost, "/v1/customers/imports", w.Token(auth.RoleAgent, "pizza"), nil, 403, ""},
		{"a tenant that nobody made", http.MethodPost, "/v1/customers", stranger, body{"display_name": "x"}, 403, "tenant_unknown"},
		{"nor can it look up", http.MethodGet, "/v1/customers/lookup?type=card&value=VIP17", stranger, nil, 404, "tenant_not_found"},
		{"an administrator of the platform has no customers", http.MethodGet, "/v1/customers", w.Root, nil, 403, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answer := w.Do(c.method, c.path, c.token, c.body, "If-Match", `"1"`)
			if answer.Status != c.status || (c.code != "" && answer.Code() != c.code) {
				t.Fatalf("got %d %s, want %d %s", answer.Status, answer.Body, c.status, c.code)
			}
		})
	}
}

func TestCustomersRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.TokenFor(map[string]any{"subject": "ann", "tenant": "pizza", "roles": []string{auth.RoleAgent}})
	var made atomic.Int64
	register := func() string {
		raw, err := json.Marshal(known("李雷", "card", fmt.Sprintf("VIP%04d", made.Add(1))))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	var lei customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, register(), &lei)
	path := "/v1/customers/" + lei.CustomerID
	w.Want(http.StatusOK, http.MethodPost, path+"/identities", agent, body{"type": "login", "value": "lilei"}, nil)
	var put, more customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, body{"display_name": "away"}, &put)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, body{"display_name": "at home", "addresses": []body{{"lines": []string{"1"}}}}, &more)
	address := "/v1/customers/" + more.CustomerID + "/addresses/" + more.Addresses[0].AddressID
	for name, target := range map[string]badinput.Target{
		"register": {Method: http.MethodPost, Path: "/v1/customers", Body: register(), Replay: true, Fresh: register, OtherBody: register(),
			Hold: func(t *testing.T, key string) func() { return hold(t, w.DB, "register-customer", key) }},
		"list":     {Method: http.MethodGet, Path: "/v1/customers", List: true},
		"lookup":   {Method: http.MethodGet, Path: "/v1/customers/lookup?type=card&value=VIP0001"},
		"get":      {Method: http.MethodGet, Path: path, Owned: true},
		"change":   {Method: http.MethodPatch, Path: path, Body: `{"display_name":"李雷"}`, Version: true, Owned: true, Header: http.Header{"If-Match": {`*`}}},
		"identify": {Method: http.MethodPost, Path: path + "/identities", Body: `{"type":"card","value":"VIP0001"}`, Owned: true, Replay: true},
		"verify":   {Method: http.MethodPost, Path: path + "/identities/verify", Body: `{"type":"card","value":"VIP0001"}`, Owned: true, Replay: true},
		"end":      {Method: http.MethodPost, Path: path + "/identities/end", Body: `{"type":"login","value":"lilei"}`, Owned: true, Replay: true},
		"archive":  {Method: http.MethodPost, Path: "/v1/customers/" + put.CustomerID + "/archive", Owned: true, Replay: true},
		"add address": {Method: http.MethodPost, Path: "/v1/customers/" + more.CustomerID + "/addresses", Body: `{"kind":"home","lines":["1"],"city":"上海"}`,
			Owned: true, Replay: true, OtherBody: `{"lines":["2"]}`},
		"change address": {Method: http.MethodPatch, Path: address, Body: `{"city":"上海"}`, Version: true, Owned: true, Header: http.Header{"If-Match": {"*"}}},
		"set stage":      {Method: http.MethodPost, Path: path + "/stage", Body: `{"stage":"loyalty","reason":"by_hand"}`, Owned: true, Replay: true},
		"stages":         {Method: http.MethodGet, Path: path + "/stages", List: true, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, agent
			badinput.Check(t, target)
		})
	}
}

// hold keeps an idempotency key of ann's in flight until release is called.
func hold(t *testing.T, db *pg.DB, operation, key string) (release func()) {
	t.Helper()
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	once := pg.Once{Subject: "ann", Operation: operation, Key: key, BodyHash: []byte("another request")}
	go func() {
		_, err := db.Command(pg.WithOnce(t.Context(), once), "pizza", func(tx *pg.Tx) (pg.Result, error) {
			if err := tx.Flush(t.Context()); err != nil {
				return pg.Result{}, err
			}
			close(held)
			<-free
			return pg.Result{}, errGivenUp
		})
		done <- err
	}()
	<-held
	return func() {
		close(free)
		if err := <-done; err != errGivenUp { //nolint:errorlint // it is passed on as it is
			t.Error(err)
		}
	}
}

var errGivenUp = fmt.Errorf("given up")

// systems are those of an event's ids in other systems.
func systems(t *testing.T, event []byte) (out []string) {
	t.Helper()
	var e struct{ ExternalRefs []struct{ System string } }
	if err := json.Unmarshal(event, &e); err != nil {
		t.Fatal(err)
	}
	for _, r := range e.ExternalRefs {
		out = append(out, r.System)
	}
	return out
}
