package platform

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// seen is a request as it arrived.
type seen struct {
	method, path, body          string
	authorization, key, ifMatch string
}

// server answers everything the same and keeps what it was asked.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []seen
	status int
	body   string
}

func newServer(t *testing.T, status int, body string) *server {
	t.Helper()
	s := &server{status: status, body: body}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/token" {
		var wanted struct{ Tenant string }
		_ = json.Unmarshal(raw, &wanted)
		_, _ = io.WriteString(w, `{"access_token": "`+tokenOf(wanted.Tenant)+`", "expires_in": 3600}`)
		return
	}
	h := r.Header
	s.asked = append(s.asked, seen{r.Method, r.URL.RequestURI(), string(raw), h.Get("Authorization"), h.Get("Idempotency-Key"), h.Get("If-Match")})
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

func (s *server) last(t *testing.T) seen {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(t, s.asked)
	return s.asked[len(s.asked)-1]
}

func tokenOf(tenant string) string {
	return "h." + base64.RawURLEncoding.EncodeToString([]byte(`{"tenant":"`+tenant+`"}`)) + ".s"
}

func (s *server) client() *Client {
	return New(s.URL+"/{service}/", Tokens{URL: s.URL + "/token", Development: true})
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	s, ctx := newServer(t, http.StatusOK, `{"items": []}`), context.Background()
	c := s.client()
	plan := Plan{Phases: []Phase{{Code: "pilot", Name: "Pilot", Kind: "pilot"}}}
	const planned = `{"phases":[{"code":"pilot","name":"Pilot","kind":"pilot"}]}`
	policy := Policy{Name: "Gold", Targets: map[string]Target{"p1": {FirstResponse: 900}}, Reopening: "first", Steps: []Step{}, ManagedBy: Manager, ExternalID: "kubernetes:1"}
	const gold = `{"name":"Gold","position":0,"targets":{"p1":{"first_response_seconds":900}},"pausing":{},"reopening":"first","steps":[],"managed_by":"kubernetes","external_id":"kubernetes:1"}`
	for name, one := range map[string]struct {
		call func() error
		want seen
	}{
		"tenant":       {func() error { return c.Tenant(ctx, "pizza") }, seen{method: "GET", path: "/accounts/v1/tenants/pizza"}},
		"find rollout": {func() error { _, _, err := c.FindRollout(ctx, "pizza", "kubernetes:a&b"); return err }, seen{method: "GET", path: "/rollout/v1/rollouts?external_id=kubernetes%3Aa%26b"}},
		"read rollout": {func() error { _, err := c.Rollout(ctx, "pizza", "a/b"); return err }, seen{method: "GET", path: "/rollout/v1/rollouts/a%2Fb"}},
		"read plan":    {func() error { _, err := c.RolloutPlan(ctx, "pizza", "r"); return err }, seen{method: "GET", path: "/rollout/v1/rollouts/r/plan"}},
		"make rollout": {func() error { _, err := c.MakeRollout(ctx, "pizza", "k", "kubernetes:1", "North", plan); return err }, seen{method: "POST", path: "/rollout/v1/rollouts", key: "k", body: `{"name":"North","plan":` + planned + `,"external_id":"kubernetes:1","managed_by":"kubernetes"}`}},
		"change plan":  {func() error { _, err := c.ChangePlan(ctx, "pizza", "r", 3, plan); return err }, seen{method: "PUT", path: "/rollout/v1/rollouts/r/plan", ifMatch: `"3"`, body: `{"plan":` + planned + `,"managed_by":"kubernetes"}`}},
		"rename":       {func() error { _, err := c.RenameRollout(ctx, "pizza", "r", "South"); return err }, seen{method: "PUT", path: "/rollout/v1/rollouts/r/name", body: `{"name":"South","managed_by":"kubernetes"}`}},
		"start":        {func() error { _, err := c.StartRollout(ctx, "pizza", "k", "r"); return err }, seen{method: "POST", path: "/rollout/v1/rollouts/r/start", key: "k"}},
		"decide": {func() error {
			_, err := c.DecideRollout(ctx, "pizza", "k", "r", Decision{Action: "roll_back", Phase: "pilot", Reason: "why"})
			return err
		}, seen{method: "POST", path: "/rollout/v1/rollouts/r/decisions", key: "k", body: `{"action":"roll_back","phase":"pilot","reason":"why"}`}},
		"release":        {func() error { _, err := c.ReleaseRollout(ctx, "pizza", "r"); return err }, seen{method: "POST", path: "/rollout/v1/rollouts/r/release?managed_by=kubernetes"}},
		"find policy":    {func() error { _, _, err := c.FindPolicy(ctx, "pizza", "kubernetes:1"); return err }, seen{method: "GET", path: "/tickets/v1/sla-policies?external_id=kubernetes%3A1"}},
		"make policy":    {func() error { _, err := c.MakePolicy(ctx, "pizza", "k", policy); return err }, seen{method: "POST", path: "/tickets/v1/sla-policies", key: "k", body: gold}},
		"change policy":  {func() error { _, err := c.ChangePolicy(ctx, "pizza", "p", 7, policy); return err }, seen{method: "PUT", path: "/tickets/v1/sla-policies/p", ifMatch: `"7"`, body: gold}},
		"archive policy": {func() error { _, err := c.ArchivePolicy(ctx, "pizza", "p", 7); return err }, seen{method: "POST", path: "/tickets/v1/sla-policies/p/archive?managed_by=kubernetes", ifMatch: `"7"`}},
		"release policy": {func() error { _, err := c.ReleasePolicy(ctx, "pizza", "p", 7); return err }, seen{method: "POST", path: "/tickets/v1/sla-policies/p/release?managed_by=kubernetes", ifMatch: `"7"`}},
	} {
		require.NoError(t, one.call(), name)
		one.want.authorization = "Bearer " + tokenOf("pizza")
		require.Equal(t, one.want, s.last(t), name)
	}
}

func TestWhatIsAnswered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   Error
		away   bool
	}{
		"a refusal with faults": {422, `{"code": "rollout_invalid", "detail": "Mend it.", "errors": [{"location": "body.plan", "message": "is none"}]}`,
			Error{422, "rollout_invalid", "Mend it.", []Field{{"body.plan", "is none"}}}, false},
		"no right":              {403, `{"code": "permission_missing", "detail": "No."}`, Error{403, "permission_missing", "No.", nil}, false},
		"too many":              {429, `{"code": "too_many_requests", "detail": "Wait."}`, Error{429, "too_many_requests", "Wait.", nil}, true},
		"a fault":               {500, `{"code": "internal", "detail": "Ours."}`, Error{500, "internal", "Ours.", nil}, true},
		"a proxy without a way": {404, `<html>no such host</html>`, Error{0, "platform_unreachable", "Something in front of the service rollout answers with status 404.", nil}, true},
		"a redirect":            {302, ``, Error{0, "platform_unreachable", "Something in front of the service rollout answers with status 302.", nil}, true},
		"no JSON":               {200, `<html>`, Error{0, "answer_unreadable", "The service rollout does not answer as this operator expects: do their versions fit?", nil}, true},
	} {
		s := newServer(t, c.status, c.body)
		_, err := s.client().Rollout(context.Background(), "pizza", "r")
		require.Equal(t, &c.want, As(err), name)
		require.Equal(t, c.want.Code, Code(err), name)
		require.Equal(t, c.away, As(err).Away(), name)
	}
	require.Equal(t, "Mend it. (rollout_invalid); body.plan is none", (&Error{422, "rollout_invalid", "Mend it.", []Field{{"body.plan", "is none"}}}).Error())
	require.Empty(t, Code(nil))
	require.True(t, As(io.ErrUnexpectedEOF).Away(), "what nobody understands is tried again")

	s := newServer(t, http.StatusOK, `{}`)
	c := s.client()
	require.NoError(t, c.Tenant(context.Background(), "pizza"))
	s.Close()
	_, err := c.Rollout(context.Background(), "pizza", "r")
	require.Equal(t, &Error{Code: "platform_unreachable", Detail: "The platform's service rollout cannot be reached."}, As(err))
}

func TestATenantThatIsThereIsAskedForOnce(t *testing.T) {
	t.Parallel()
	s, ctx := newServer(t, http.StatusNotFound, `{"code": "tenant_not_found", "detail": "There is no such tenant."}`), context.Background()
	c := s.client()
	for range 2 {
		require.Equal(t, "tenant_not_found", Code(c.Tenant(ctx, "pizza")), "it may be made yet")
	}
	require.Len(t, s.asked, 2)
	s.mu.Lock()
	s.status, s.body = http.StatusOK, `{"tenant_id": "pizza"}`
	s.mu.Unlock()
	for range 3 {
		require.NoError(t, c.Tenant(ctx, "pizza"))
	}
	require.Len(t, s.asked, 3)
	require.NoError(t, c.Tenant(ctx, "music"))
	require.Len(t, s.asked, 4)
}

// issuer gives tokens as it is told and keeps what it was asked.
type issuer struct {
	*httptest.Server
	forms  []string
	users  []string
	answer func() (status int, body string)
}

func newIssuer(t *testing.T, answer func() (int, string)) *issuer {
	t.Helper()
	i := &issuer{answer: answer}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		i.forms, i.users = append(i.forms, string(raw)), append(i.users, user+"/"+password)
		status, body := i.answer()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(i.Close)
	return i
}

func given(tenant string) func() (int, string) {
	return func() (int, string) { return 200, `{"access_token": "` + tokenOf(tenant) + `", "expires_in": 100}` }
}

func TestTokensAreAskedForByTheTenantAndKeptUntilShortlyBeforeTheirEnd(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("a:b c\n"), 0o600))
	i := newIssuer(t, given("pizza"))
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := newServer(t, http.StatusOK, `{}`)
	c := New(s.URL, Tokens{URL: i.URL, ClientID: "guanxi:operator", SecretFile: secret, Scope: "tenant:{tenant}", Audience: "guanxi", Clock: func() time.Time { return now }})
	ask := func() error { _, err := c.Rollout(context.Background(), "pizza", "r"); return err }
	require.NoError(t, ask())
	require.NoError(t, ask())
	require.Equal(t, []string{"audience=guanxi&grant_type=client_credentials&scope=tenant%3Apizza"}, i.forms)
	require.Equal(t, []string{"guanxi%3Aoperator/a%3Ab+c"}, i.users, "a client and a secret in HTTP Basic are escaped")
	now = now.Add(71 * time.Second) // it would end in 29
	require.NoError(t, ask())
	require.Len(t, i.forms, 2)
	s.mu.Lock()
	s.status, s.body = http.StatusUnauthorized, `{"code": "token_invalid", "detail": "No."}`
	s.mu.Unlock()
	for n := range 2 {
		require.Equal(t, "token_invalid", Code(ask()))
		require.Len(t, i.forms, 2+n, "a token that is refused is not used again")
	}
}

func TestWhatIssuersDoWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func() (int, string)
		code   string
		away   bool
	}{
		"a token of another tenant": {given("music"), "token_of_another_tenant", false},
		"no tenant in the token":    {func() (int, string) { return 200, `{"access_token": "opaque", "expires_in": 1}` }, "token_of_another_tenant", false},
		"refused":                   {func() (int, string) { return 400, `{"error": "invalid_client"}` }, "token_refused", false},
		"no token":                  {func() (int, string) { return 200, `{}` }, "token_refused", false},
		"down":                      {func() (int, string) { return 503, `` }, "issuer_unreachable", true},
		"busy":                      {func() (int, string) { return 429, `` }, "issuer_unreachable", true},
	} {
		i, s := newIssuer(t, c.answer), newServer(t, http.StatusOK, `{}`)
		_, err := New(s.URL, Tokens{URL: i.URL, ClientID: "a"}).Rollout(context.Background(), "pizza", "r")
		require.Equal(t, c.code, Code(err), name)
		require.Equal(t, c.away, As(err).Away(), name)
		require.Empty(t, s.asked, "%s: nothing is asked without a token", name)
	}
	s := newServer(t, http.StatusOK, `{}`)
	_, err := New(s.URL, Tokens{URL: s.URL + "/token", SecretFile: filepath.Join(t.TempDir(), "none")}).Rollout(context.Background(), "pizza", "r")
	require.Equal(t, "token_source", Code(err))
	require.True(t, strings.HasPrefix(As(err).Detail, "the secret of the issuer's client cannot be read"), As(err).Detail)
}
