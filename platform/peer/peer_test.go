package peer_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// service is an API that answers as handle does, and a client of it on behalf of Li of the pizza shop.
func service(t *testing.T, handle http.HandlerFunc) (*peer.Client, []byte, context.Context) {
	t.Helper()
	key, err := auth.PeerKey([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	base := func(service string) (string, error) { return server.URL + "/" + service, nil }
	return peer.New(base, key, time.Now), key, auth.With(t.Context(), auth.Principal{Subject: "li", Tenant: "pizza", Roles: []string{auth.RoleAdmin}})
}

func TestACallActsForItsPrincipalWithTheRightsOfAService(t *testing.T) {
	t.Parallel()
	var seen *http.Request
	var who auth.Principal
	var verifier *auth.Verifier
	client, key, ctx := service(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		var err error
		if who, err = verifier.Verify(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")); err != nil {
			t.Error(err)
		}
		w.Header().Set("ETag", `"3"`)
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]string{"customer_id": "17"})
	})
	verifier, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: "http://127.0.0.1:1", Audience: "guanxi", PeerKey: key})
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		CustomerID string `json:"customer_id"`
	}
	answer, err := client.Call(ctx, peer.Request{
		Service: "accounts", Method: http.MethodPost, Path: "/v1/customers", Query: url.Values{"q": {"雷 & Co"}}, Body: map[string]string{"display_name": "雷"}, Key: "once",
	}, &out)
	if err != nil || answer.Status != http.StatusCreated || answer.ETag != `"3"` || out.CustomerID != "17" {
		t.Fatalf("%+v %+v %v", answer, out, err)
	}
	if seen.URL.Path != "/accounts/v1/customers" || seen.URL.Query().Get("q") != "雷 & Co" || seen.Header.Get("Idempotency-Key") != "once" {
		t.Errorf("asked %s with the key %q", seen.URL, seen.Header.Get("Idempotency-Key"))
	}
	if who.Subject != "li" || who.Tenant != "pizza" || !who.Can(auth.CustomersWrite) || who.Can(auth.TicketsWrite) || who.Can(auth.CustomersErase) {
		t.Errorf("acts as %+v", who)
	}
}

func TestWhatTheOtherServiceRefusesIsItsOwnProblem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   problem.Kind
		code   string
	}{
		{"a rule is broken", 422, `{"code":"customer_invalid","detail":"Mend it.","errors":[{"location":"body.kind","code":"kind_unknown","message":"must be"}]}`, problem.Unprocessable, "customer_invalid"},
		{"somebody else has it", 409, `{"code":"identity_taken","detail":"It is another's."}`, problem.Conflict, "identity_taken"},
		{"not there", 404, `{"code":"customer_not_found"}`, problem.NotFound, "customer_not_found"},
		{"erased", 410, `{"code":"customer_erased"}`, problem.Gone, "customer_erased"},
		{"too busy", 429, `{"code":"slow_down"}`, problem.Unavailable, "peer_unavailable"},
		{"it fails", 500, `{"code":"internal"}`, problem.Unavailable, "peer_unavailable"},
		{"a proxy without the service", 503, `no upstream`, problem.Unavailable, "peer_unavailable"},
		{"keys that differ", 401, `{"code":"token_algorithm"}`, problem.Internal, "internal"},
		{"it does not let services in", 403, `{"code":"permission_missing"}`, problem.Internal, "internal"},
		{"something else stands there", 404, `<html>`, problem.Internal, "internal"},
		{"it sends elsewhere", 302, ``, problem.Internal, "internal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, _, ctx := service(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			})
			_, err := client.Call(ctx, peer.Request{Service: "accounts", Method: http.MethodGet, Path: "/v1/customers/1"}, nil)
			if p := problem.From(err); err == nil || p.Kind != c.kind || p.Code != c.code {
				t.Fatalf("got %v", err)
			}
			if c.status == 422 && len(problem.From(err).Fields) != 1 {
				t.Errorf("the fields are lost: %v", problem.From(err).Fields)
			}
		})
	}
}

func TestAServiceThatIsAwayIsTriedAgainAndNothingPersonalIsSaid(t *testing.T) {
	t.Parallel()
	away := func(string) (string, error) { return "http://127.0.0.1:1", nil }
	client := peer.New(away, []byte(strings.Repeat("k", 32)), time.Now)
	ask := peer.Request{Service: "accounts", Method: http.MethodGet, Path: "/v1/customers/lookup", Query: url.Values{"value": {"13800138000"}}}
	if _, err := client.Call(t.Context(), ask, nil); err == nil || problem.CallersFault(err) {
		t.Errorf("for nobody: %v", err)
	}
	ctx := auth.With(t.Context(), auth.Principal{Subject: "li", Tenant: "pizza"})
	_, err := client.Call(ctx, ask, nil)
	if problem.From(err).Kind != problem.Unavailable || strings.Contains(err.Error(), "13800138000") {
		t.Fatalf("got %v", err)
	}
}

func TestTheTokenOfAnotherInstallationOrAnOldOneOpensNothing(t *testing.T) {
	t.Parallel()
	ours, _ := auth.PeerKey([]byte(strings.Repeat("k", 32)))
	theirs, _ := auth.PeerKey([]byte(strings.Repeat("x", 32)))
	now := time.Now()
	verifier, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: "http://127.0.0.1:1", Audience: "guanxi", PeerKey: ours})
	if err != nil {
		t.Fatal(err)
	}
	li := auth.Principal{Subject: "li", Tenant: "pizza"}
	for _, c := range []struct {
		name string
		key  []byte
		who  auth.Principal
		at   time.Time
		code string
	}{
		{"another installation's", theirs, li, now, "token_algorithm"},
		{"an old one", ours, li, now.Add(-time.Hour), "token_expired"},
		{"without a tenant", ours, auth.Principal{Subject: "li"}, now, "token_tenant"},
		{"without a subject", ours, auth.Principal{Tenant: "pizza"}, now, "token_subject"},
		{"of a tenant that is none", ours, auth.Principal{Subject: "li", Tenant: "Pizza!"}, now, "token_tenant"},
	} {
		raw, err := auth.PeerToken(c.key, c.who, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.Verify(t.Context(), raw); problem.From(err).Code != c.code {
			t.Errorf("%s: got %v, want %s", c.name, err, c.code)
		}
	}
}
