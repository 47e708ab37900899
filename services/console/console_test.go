package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/console"
)

// seen is a request as it came to a service.
type seen struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

// house is a console in front of a service that answers what a test says.
type house struct {
	*apptest.Service
	t        *testing.T
	requests chan seen
}

func open(t *testing.T, change func(*app.Config)) *house {
	t.Helper()
	h := &house{t: t, requests: make(chan seen, 16)}
	behind := httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(behind.Close)
	m := console.Module()
	h.Service = apptest.StartOn(t, m, pgtest.Database(t, m.Source()), func(cfg *app.Config) {
		cfg.Console.URL = "http://localhost:9"
		cfg.Peers.URL = behind.URL + "/{service}"
		change(cfg)
	})
	h.StopAtEnd()
	return h
}

func unchanged(*app.Config) {}

func (h *house) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.requests <- seen{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Body: string(body), Header: r.Header}
	w.Header().Set("Set-Cookie", "theirs=1")
	switch {
	case strings.HasSuffix(r.URL.Path, "/refused"):
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusPreconditionFailed)
		_, _ = io.WriteString(w, `{"code":"changed_meanwhile"}`)
	case strings.HasSuffix(r.URL.Path, "/page"):
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<script>alert(1)</script>`)
	default:
		w.Header().Set("ETag", `"7"`)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"fine":true}`)
	}
}

// browser keeps cookies, does not follow, and remembers all that it was shown.
type browser struct {
	h     *house
	http  *http.Client
	shown strings.Builder
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(h.t, err)
	return &browser{h: h, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (b *browser) do(method, path, body string, headers ...string) answer {
	b.h.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = b.h.URL + path
	}
	req, err := http.NewRequestWithContext(b.h.t.Context(), method, target, strings.NewReader(body))
	require.NoError(b.h.t, err)
	for n := 0; n < len(headers); n += 2 {
		req.Header.Set(headers[n], headers[n+1])
	}
	resp, err := b.http.Do(req)
	require.NoError(b.h.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(b.h.t, err)
	if strings.HasPrefix(target, b.h.URL) {
		_ = resp.Header.Write(&b.shown)
		b.shown.Write(raw)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

func (b *browser) get(path string, headers ...string) answer {
	b.h.t.Helper()
	return b.do(http.MethodGet, path, "", headers...)
}

// leave goes to the issuer, chooses who to be, and gives the path that the issuer sends the browser back to.
func (b *browser) leave(role, tenant, to string) string {
	b.h.t.Helper()
	begun := b.get("/console/sign-in?" + url.Values{"to": {to}}.Encode())
	require.Equal(b.h.t, http.StatusSeeOther, begun.status, begun.body)
	chosen := b.get(begun.header.Get("Location") + "&role=" + role + "&tenant=" + tenant)
	require.Equal(b.h.t, http.StatusSeeOther, chosen.status, chosen.body)
	back, err := url.Parse(chosen.header.Get("Location"))
	require.NoError(b.h.t, err)
	return back.RequestURI()
}

func (b *browser) signIn(role, tenant string) {
	b.h.t.Helper()
	done := b.get(b.leave(role, tenant, "/console/customers"))
	require.Equal(b.h.t, http.StatusSeeOther, done.status, done.body)
	require.Equal(b.h.t, "/console/customers", done.header.Get("Location"))
}

func (a answer) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &p)
	return p.Code
}

func TestSomebodySignsInWorksAndSignsOut(t *testing.T) {
	t.Parallel()
	h := open(t, unchanged)
	b := h.browser()
	require.Equal(t, "signed_out", b.get("/console/session").code())

	b.signIn("sales", "pizza")
	var who struct {
		Subject, Tenant    string
		Roles, Permissions []string
	}
	require.NoError(t, json.Unmarshal([]byte(b.get("/console/session").body), &who))
	require.Equal(t, "sales", who.Subject)
	require.Equal(t, "pizza", who.Tenant)
	require.Contains(t, who.Permissions, "sales.write")
	require.NotContains(t, who.Permissions, "tickets.write")

	require.Contains(t, b.get("/console/session").body, `"workflows_url":""`, "nobody said where workflows are shown")

	got := b.get("/console/api/sales/v1/opportunities?limit=5")
	require.Equal(t, http.StatusOK, got.status)
	r := <-h.requests
	require.Equal(t, "/sales/v1/opportunities", r.Path)
	require.Equal(t, "limit=5", r.Query)
	require.True(t, strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "))
	require.NotEmpty(t, r.Header.Get("Traceparent"), "the trace goes through")
	require.Equal(t, strings.Split(r.Header.Get("Traceparent"), "-")[1], got.header.Get("Trace-Id"))
	require.Empty(t, r.Header.Get("Cookie"), "the cookie stays here")
	require.Empty(t, got.header.Get("Set-Cookie"), "a service sets no cookie on the page's origin")
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	require.NotContains(t, b.shown.String(), token)
	require.NotContains(t, b.shown.String(), "eyJ", "nothing that looks like a token is ever shown")

	cookies := b.http.Jar.Cookies(mustParse(t, h.URL+"/console/"))
	out := b.do(http.MethodPost, "/console/sign-out", "", "X-Guanxi-Console", "1")
	require.Equal(t, http.StatusOK, out.status)
	require.Equal(t, "signed_out", b.get("/console/session").code())
	b.http.Jar.SetCookies(mustParse(t, h.URL+"/console/"), cookies)
	require.Equal(t, "signed_out", b.get("/console/session").code(), "a cookie that was kept is good no more")
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}

func TestSignInIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, unchanged)
	back := func(a answer) string { return mustParse(t, a.header.Get("Location")).Query().Get("problem") }

	t.Run("with another state", func(t *testing.T) {
		t.Parallel()
		b := h.browser()
		way := mustParse(t, h.URL+b.leave("agent", "pizza", ""))
		q := way.Query()
		q.Set("state", "another")
		require.Equal(t, "sign_in_stale", back(b.get("/console/callback?"+q.Encode())))
	})
	t.Run("in another browser than it was begun in", func(t *testing.T) {
		t.Parallel()
		way := h.browser().leave("agent", "pizza", "")
		other := h.browser()
		require.Equal(t, "sign_in_stale", back(other.get(way)))
		other.leave("agent", "pizza", "") // has a sign-in of its own under way
		require.Equal(t, "sign_in_stale", back(other.get(way)))
	})
	t.Run("when the code was used", func(t *testing.T) {
		t.Parallel()
		b := h.browser()
		way := b.leave("agent", "pizza", "")
		cookies := b.http.Jar.Cookies(mustParse(t, h.URL+"/console/"))
		require.Empty(t, back(b.get(way)))
		require.Equal(t, "sign_in_stale", back(b.get(way)), "the browser has given away what it needs")
		b.http.Jar.SetCookies(mustParse(t, h.URL+"/console/"), cookies)
		require.Equal(t, "sign_in_refused", back(b.get(way)), "the issuer refuses a code that was used")
	})
	t.Run("when the issuer says no", func(t *testing.T) {
		t.Parallel()
		b := h.browser()
		way := mustParse(t, h.URL+b.leave("agent", "pizza", ""))
		q := url.Values{"state": way.Query()["state"], "error": {"access_denied"}}
		require.Equal(t, "sign_in_refused", back(b.get("/console/callback?"+q.Encode())))
	})
}

func TestSignInAsksByPKCEAndComesBackToTheConsoleOnly(t *testing.T) {
	t.Parallel()
	h := open(t, unchanged)
	b := h.browser()
	asked := mustParse(t, b.get("/console/sign-in").header.Get("Location")).Query()
	require.Equal(t, "S256", asked.Get("code_challenge_method"))
	require.Len(t, asked.Get("code_challenge"), 43)
	require.NotEmpty(t, asked.Get("nonce"))
	require.Equal(t, "http://localhost:9/console/callback", asked.Get("redirect_uri"))
	for _, to := range []string{"https://evil.example/", "//evil.example/console/", `/\evil.example`, "/v1/customers", ""} {
		require.Equal(t, "/console/", b.get(b.leave("agent", "pizza", to)).header.Get("Location"), to)
	}
}

func TestCookiesAreOutOfReach(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, url, prefix string }{
		{"on loopback", "http://localhost:9", ""},
		{"with a certificate", "https://localhost:9", "__Secure-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, func(cfg *app.Config) { cfg.Console.URL = c.url })
			b := h.browser()
			begun := b.get("/console/sign-in")
			kept := &http.Response{Header: begun.header}
			require.Len(t, kept.Cookies(), 1)
			chosen := b.get(begun.header.Get("Location") + "&role=agent&tenant=pizza")
			done := b.get(mustParse(t, chosen.header.Get("Location")).RequestURI(), "Cookie", kept.Cookies()[0].Name+"="+kept.Cookies()[0].Value)
			all := append(kept.Cookies(), (&http.Response{Header: done.header}).Cookies()...)
			require.Len(t, all, 3, "sign-in begun, sign-in over, session")
			for _, cookie := range all {
				require.True(t, cookie.HttpOnly, cookie.Name)
				require.Equal(t, http.SameSiteLaxMode, cookie.SameSite, cookie.Name)
				require.Equal(t, c.prefix != "", cookie.Secure, cookie.Name)
				require.True(t, strings.HasPrefix(cookie.Name, c.prefix+"guanxi-"), cookie.Name)
				require.Equal(t, "/console", cookie.Path)
			}
			require.Equal(t, c.prefix != "", done.header.Get("Strict-Transport-Security") != "")
		})
	}
}

func TestWhatAnotherSiteSendsIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, unchanged)
	b := h.browser()
	b.signIn("agent", "pizza")
	cases := []struct {
		name, path string
		headers    []string
	}{
		{"a form of another site", "/console/api/tickets/v1/tickets", []string{"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"}},
		{"a form of a sister", "/console/api/tickets/v1/tickets", []string{"Sec-Fetch-Site", "same-site", "X-Guanxi-Console", "1"}},
		{"an old browser's form", "/console/api/tickets/v1/tickets", []string{"Origin", "https://evil.example", "X-Guanxi-Console", "1"}},
		{"no header of ours", "/console/api/tickets/v1/tickets", []string{"Sec-Fetch-Site", "same-origin"}},
		{"signing somebody out", "/console/sign-out", []string{"Sec-Fetch-Site", "cross-site"}},
	}
	for _, c := range cases {
		got := b.do(http.MethodPost, c.path, "{}", c.headers...)
		require.Equal(t, http.StatusForbidden, got.status, c.name)
		require.Equal(t, "cross_origin_refused", got.code(), c.name)
	}
	require.Empty(t, h.requests, "nothing came to the service")
	require.Equal(t, http.StatusForbidden, b.get("/console/live", "Sec-Fetch-Site", "cross-site").status)
	own := b.do(http.MethodPost, "/console/api/tickets/v1/tickets", "{}", "Origin", "http://localhost:9", "X-Guanxi-Console", "1")
	require.Equal(t, http.StatusOK, own.status, "the page's own origin is let through behind a proxy too: %s", own.body)
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	h := open(t, func(cfg *app.Config) { cfg.Console.Idle, cfg.Console.Absolute = time.Hour, 2*time.Hour })
	age := func(set string) {
		require.NoError(t, h.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			tx.Queue(`UPDATE session SET ` + set)
			return nil
		}))
	}
	b := h.browser()
	b.signIn("agent", "pizza")
	age(`used_at = used_at - interval '59 minutes'`)
	require.Equal(t, http.StatusOK, b.get("/console/session").status)
	age(`used_at = used_at - interval '30 minutes'`)
	require.Equal(t, http.StatusOK, b.get("/console/session").status, "whoever works is not idle")
	age(`used_at = used_at - interval '61 minutes'`)
	require.Equal(t, "signed_out", b.get("/console/session").code(), "idle")

	b.signIn("agent", "pizza")
	age(`created_at = created_at - interval '121 minutes'`)
	got := b.get("/console/api/tickets/v1/tickets")
	require.Equal(t, http.StatusUnauthorized, got.status)
	require.Equal(t, "signed_out", got.code(), "too long ago")
	require.Empty(t, h.requests)
}

func TestSessionsOutliveARestartAndTheKeyThatSealsThemIsNeeded(t *testing.T) {
	t.Parallel()
	m := console.Module()
	database := pgtest.Database(t, m.Source())
	h := &house{t: t}
	start := func(change func(*app.Config)) {
		h.Service = apptest.StartOn(t, m, database, func(cfg *app.Config) { cfg.Console.URL = "http://localhost:9"; change(cfg) })
	}
	start(unchanged)
	b := h.browser()
	b.signIn("agent", "pizza")
	var sealed []byte
	require.NoError(t, h.DB.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT tokens FROM session`).Scan(&sealed)
	}))
	require.NotContains(t, string(sealed), "eyJ", "the database has no token that could be read")
	require.NoError(t, h.Stop())
	start(func(cfg *app.Config) { cfg.Console.Key = strings.Repeat("k", 32) })
	h.StopAtEnd()
	cookie := b.http.Jar.Cookies(mustParse(t, h.URL+"/console/"))
	require.NotEmpty(t, cookie)
	require.Equal(t, "signed_out", b.get("/console/session").code(), "another key opens nothing")
}

func TestTokensAreRenewedWhileSomebodyWorks(t *testing.T) {
	t.Parallel()
	h := open(t, unchanged)
	b := h.browser()
	b.signIn("agent", "pizza")
	used := func() string {
		require.Equal(t, http.StatusOK, b.get("/console/api/tickets/v1/tickets").status)
		return (<-h.requests).Header.Get("Authorization")
	}
	first := used()
	require.Equal(t, first, used())
	require.NoError(t, h.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`UPDATE session SET access_until = now()`)
		return nil
	}))
	second := used()
	require.NotEqual(t, first, second, "the token that runs out is replaced")
	require.Equal(t, second, used(), "and the new one is kept")
}

func TestThePageCannotRunWhatItIsNot(t *testing.T) {
	t.Parallel()
	h := open(t, unchanged)
	b := h.browser()
	for _, path := range []string{"/console/", "/console/customers/7", "/console/session", "/console/assets/none.js", "/console/api/nobody/v1/x"} {
		got := b.get(path)
		policy := got.header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'", path)
		require.Contains(t, policy, "script-src 'self';", path)
		require.NotContains(t, policy, "unsafe-eval", path)
		require.Contains(t, policy, "frame-ancestors 'none'", path)
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"), path)
		require.Equal(t, "no-referrer", got.header.Get("Referrer-Policy"), path)
	}
	page := b.get("/console/customers/7")
	require.Equal(t, http.StatusOK, page.status)
	require.Equal(t, "no-cache", page.header.Get("Cache-Control"))
	require.NotContains(t, page.body, "<script>", "no script stands in the page itself")
	require.Equal(t, http.StatusNotModified, b.get("/console/", "If-None-Match", page.header.Get("ETag")).status)
	require.Equal(t, http.StatusNotFound, b.get("/console/assets/none.js").status, "an old page does not get the index for its script")
	require.Equal(t, "/console/", b.get("/").header.Get("Location"))
	require.Equal(t, http.StatusNotFound, b.get("/console/.keep").status)
}

func TestRequestsGoThroughAsTheyAre(t *testing.T) {
	t.Parallel()
	h := open(t, unchanged)
	b := h.browser()
	b.signIn("agent", "pizza")
	got := b.do(http.MethodPatch, "/console/api/accounts/v1/customers/a%2Fb?x=1", `{"a":1}`,
		"X-Guanxi-Console", "1", "Idempotency-Key", "k-1", "If-Match", `"6"`, "Content-Type", "application/merge-patch+json", "X-Forwarded-For", "6.6.6.6",
		"Authorization", "Bearer mine", "Accept-Language", "zh-CN")
	require.Equal(t, `"7"`, got.header.Get("ETag"))
	r := <-h.requests
	require.Equal(t, seen{Method: http.MethodPatch, Path: "/accounts/v1/customers/a%2Fb", Query: "x=1", Body: `{"a":1}`, Header: r.Header}, r)
	require.Equal(t, "k-1", r.Header.Get("Idempotency-Key"))
	require.Equal(t, `"6"`, r.Header.Get("If-Match"))
	require.Equal(t, "application/merge-patch+json", r.Header.Get("Content-Type"))
	require.Equal(t, "zh-CN", r.Header.Get("Accept-Language"))
	require.NotContains(t, r.Header.Get("Authorization"), "mine")
	require.NotContains(t, r.Header.Get("X-Forwarded-For"), "6.6.6.6")

	refused := b.get("/console/api/accounts/v1/refused")
	require.Equal(t, http.StatusPreconditionFailed, refused.status)
	require.Equal(t, "application/problem+json", refused.header.Get("Content-Type"))
	require.Equal(t, "changed_meanwhile", refused.code())
	require.Equal(t, "attachment", b.get("/console/api/accounts/v1/page").header.Get("Content-Disposition"), "a page of a service does not run on this origin")
	<-h.requests
	<-h.requests
	for _, path := range []string{
		"/console/api/nobody/v1/x", "/console/api/accounts/livez", "/console/api/accounts/v1/../../livez", "/console/api/accounts/v1/..%2f..%2flivez", "/console/api/",
	} {
		require.Equal(t, http.StatusNotFound, b.get(path).status, path)
	}
	require.Empty(t, h.requests)
}

func TestAServiceThatIsAwayIsSaidToBe(t *testing.T) {
	t.Parallel()
	h := open(t, func(cfg *app.Config) { cfg.Peers.URL = "http://127.0.0.1:1" })
	b := h.browser()
	b.signIn("agent", "pizza")
	got := b.get("/console/api/accounts/v1/customers")
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Equal(t, "peer_unavailable", got.code())
}

func TestTwoTenantsDoNotMeet(t *testing.T) {
	t.Parallel()
	h := open(t, unchanged)
	pizza, music := h.browser(), h.browser()
	pizza.signIn("agent", "pizza")
	music.signIn("agent", "music")
	at := mustParse(t, h.URL+"/console/")
	cookie := pizza.http.Jar.Cookies(at)[0]
	require.Contains(t, pizza.get("/console/session").body, `"tenant":"pizza"`)
	require.Contains(t, music.get("/console/session").body, `"tenant":"music"`)
	cookie.Value = strings.Replace(cookie.Value, "pizza.", "music.", 1)
	pizza.http.Jar.SetCookies(at, []*http.Cookie{{Name: cookie.Name, Value: cookie.Value, Path: "/console"}})
	require.Equal(t, "signed_out", pizza.get("/console/session").code(), "a cookie that names another tenant is none")
}

// line reads server-sent events.
func (b *browser) line(ctx context.Context, after string) func() (event, data string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.h.URL+"/console/live", nil)
	require.NoError(b.h.t, err)
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := b.http.Do(req)
	require.NoError(b.h.t, err)
	require.Equal(b.h.t, http.StatusOK, resp.StatusCode)
	require.Equal(b.h.t, "text/event-stream", resp.Header.Get("Content-Type"))
	b.h.t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() (event, data string) {
		for lines.Scan() {
			switch key, value, _ := strings.Cut(lines.Text(), ": "); {
			case key == "event":
				event = value
			case key == "data":
				data = value
			case lines.Text() == "" && event != "":
				return event, data
			}
		}
		b.h.t.Error("the line ended: ", lines.Err())
		return "", ""
	}
}

// tell publishes an event of the contract's examples, as a service does.
func (h *house) tell(tenant, service, kind, aggregate string, data string) {
	h.t.Helper()
	topic := bus.TopicFor(service)
	id := uuid.Must(uuid.NewV7())
	m := bus.Encode(bus.Event{
		ID: id, Type: "guanxi." + service + ".events.v1." + kind, Source: "/guanxi/" + service, Tenant: tenant, Topic: topic,
		AggregateType: aggregate, AggregateID: id.String(), Sequence: 1, Epoch: 1, Time: time.Now(), Data: []byte(data),
	})
	require.NoError(h.t, h.Bus.Produce(h.t.Context(), topic, m.Partition, []bus.Message{m}))
}

const (
	opened = `{"ticketId":"019aaa60-0001-7f0a-b2c4-0242ac120002","number":"T-1","customerId":"019aaa5c-0000-7f0a-b2c4-0242ac120002","kind":"question","channel":"phone","priority":2,"openedAt":"2026-11-20T11:30:00Z"}`
	scored = `{"runId":"019aaa60-0001-7f0a-b2c4-0242ac120002"}`
)

// TestPagesHearWhatChanged tells events until the line is heard to stand: topics are read from their end, which is looked for when
// the first page listens.
func TestPagesHearWhatChanged(t *testing.T) {
	t.Parallel()
	h := open(t, unchanged)
	var topics []bus.Topic
	for _, service := range []string{"accounts", "sales", "loyalty", "tickets", "analytics", "rollout"} {
		topics = append(topics, bus.Topic{Name: bus.TopicFor(service), Partitions: bus.Partitions})
	}
	require.NoError(t, h.Bus.EnsureTopics(t.Context(), topics...))
	agent, other := h.browser(), h.browser()
	agent.signIn("agent", "pizza")
	other.signIn("agent", "music")
	require.Equal(t, "signed_out", h.browser().get("/console/live").code())

	next, nextOfOther := agent.line(t.Context(), ""), other.line(t.Context(), "")
	event, data := next()
	require.Equal(t, "ready", event)
	require.JSONEq(t, `{"complete":false}`, data)
	event, _ = nextOfOther()
	require.Equal(t, "ready", event)

	telling, stop := context.WithCancel(t.Context())
	told := make(chan struct{})
	go func() {
		defer close(told)
		for telling.Err() == nil {
			h.tell("pizza", "analytics", "ModelTrained", "model", scored) // which an agent may not see
			h.tell("pizza", "tickets", "TicketOpened", "ticket", opened)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	event, data = next()
	stop()
	<-told
	require.Equal(t, "changed", event)
	var changes []struct{ Service, Type, Aggregate, ID, Customer string }
	require.NoError(t, json.Unmarshal([]byte(data), &changes))
	for _, c := range changes {
		require.Equal(t, "tickets", c.Service, "an agent hears nothing of analytics")
		require.Equal(t, "TicketOpened", c.Type)
		require.Equal(t, "ticket", c.Aggregate)
		require.Equal(t, "019aaa5c-0000-7f0a-b2c4-0242ac120002", c.Customer)
	}
	require.NotContains(t, data, "T-1", "no content is passed on")

	h.tell("music", "tickets", "TicketOpened", "ticket", strings.Replace(opened, "T-1", "T-2", 1))
	event, data = nextOfOther()
	require.Equal(t, "changed", event)
	require.NoError(t, json.Unmarshal([]byte(data), &changes))
	require.Len(t, changes, 1, "one tenant hears nothing of the other's")
}

func TestThePageIsToldWhereWorkflowsAndTracesAreShown(t *testing.T) {
	t.Parallel()
	h := open(t, func(cfg *app.Config) {
		cfg.Temporal.Namespace = "guanxi"
		cfg.Console.WorkflowsURL = "https://temporal.example.com/"
		cfg.Console.TracesURL = "https://traces.example.com/trace/{trace_id}"
	})
	b := h.browser()
	b.signIn("agent", "pizza")
	var who struct {
		Workflows string `json:"workflows_url"`
		Traces    string `json:"traces_url"`
	}
	require.NoError(t, json.Unmarshal([]byte(b.get("/console/session").body), &who))
	require.Equal(t, "https://temporal.example.com/namespaces/guanxi/workflows", who.Workflows)
	require.Equal(t, "https://traces.example.com/trace/{trace_id}", who.Traces)
}
