package httpx_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// onceOf shows what the context carries of an idempotent request.
func onceOf(ctx context.Context) string {
	once, ok := pg.OnceFrom(ctx)
	if !ok {
		return ""
	}
	return once.Subject + " " + once.Operation + " " + once.Key + " " + hex.EncodeToString(once.BodyHash)
}

// refusal is what a test reads of a problem.
type refusal struct {
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	TraceID string `json:"trace_id"`
}

func refusalOf(t *testing.T, body []byte) refusal {
	t.Helper()
	var r refusal
	require.NoError(t, json.Unmarshal(body, &r), "%s", body)
	return r
}

func TestWhatHandlersFailWithBecomesAProblem(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		fail   func(ctx context.Context) error
		status int
		code   string
		logged string // in the one line about the request
	}{
		{"a problem", func(context.Context) error { return problem.New(problem.Conflict, "sold_out", "Sold out.") }, 409, "sold_out", ""},
		{"a wrapped problem", func(context.Context) error {
			return fmt.Errorf("saving: %w", problem.New(problem.NotFound, "thing_not_found", "No such thing."))
		}, 404, "thing_not_found", ""},
		{"anything else", func(context.Context) error { return errors.New("disk full") }, 500, "internal", "disk full"},
		{"a panic", func(context.Context) error { panic("out of cheese") }, 500, "internal", "out of cheese"},
		{"a time-out", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 503, "timeout", "deadline"},
		{"a connection that the time-out broke", func(ctx context.Context) error { <-ctx.Done(); return errors.New("conn closed") }, 503, "timeout", "conn closed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, httpx.Config{RequestTimeout: 50 * time.Millisecond}, shop(func(ctx context.Context, _ *createInput) (*created, error) {
				return nil, c.fail(ctx)
			}))
			resp, body := w.do(http.MethodPost, "/v1/things?", `{"name":"a"}`, nil)
			require.Equal(t, c.status, resp.StatusCode, "%s", body)
			require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
			r := refusalOf(t, body)
			require.Equal(t, c.code, r.Code)
			require.Equal(t, resp.Header.Get("Trace-Id"), r.TraceID)
			if c.logged == "" {
				require.NotContains(t, w.log.String(), `"error"`)
				return
			}
			require.NotContains(t, string(body), c.logged)
			require.Equal(t, 1, strings.Count(w.log.String(), c.logged), w.log.String())
			require.Equal(t, c.status == 503, resp.Header.Get("Retry-After") != "")
		})
	}
}

func TestAnAnswerCarriesTheCallersTraceAndSafeHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, shop(created1))
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	resp, _ := w.do(http.MethodGet, "/v1/things?cursor=Zhang-San", "", http.Header{"Traceparent": {"00-" + trace + "-00f067aa0ba902b7-01"}})
	require.Equal(t, trace, resp.Header.Get("Trace-Id"))
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))

	resp, _ = w.do(http.MethodGet, "/v1/things", "", nil)
	require.Len(t, resp.Header.Get("Trace-Id"), 32, "a request without a trace gets one")
	require.NotContains(t, w.log.String(), "Zhang-San", "queries stay out of the log")
	require.Contains(t, w.log.String(), `"route":"/v1/things","status":200`)
	require.Contains(t, w.log.String(), `"tenant":"music"`)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, shop(created1))
	resp, body := w.do(http.MethodGet, "/v1/nothing/Zhang-San", "", nil)
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Equal(t, "route_not_found", refusalOf(t, body).Code)
	require.NotContains(t, w.log.String(), "Zhang-San")
	resp, body = w.do(http.MethodPut, "/v1/things", "", nil)
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	require.Equal(t, "method_not_allowed", refusalOf(t, body).Code)
	require.Equal(t, "GET, POST", resp.Header.Get("Allow"))
}

func TestOnlyAPlatformAdministratorMayDoWithoutATenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, shop(created1))
	as := func(role string) (int, string) {
		raw, err := w.issuer.Token(auth.TokenRequest{Subject: "root", Roles: []string{role}}, time.Now())
		require.NoError(t, err)
		resp, body := w.do(http.MethodPost, "/v1/shops/1/open", "", http.Header{"Authorization": {"Bearer " + raw}})
		if resp.StatusCode < 400 {
			return resp.StatusCode, ""
		}
		return resp.StatusCode, refusalOf(t, body).Code
	}
	status, _ := as(auth.RolePlatformAdmin)
	require.Equal(t, http.StatusNoContent, status)
	status, code := as(auth.RoleAdmin)
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "permission_missing", code)
}

// A caller who may not call is told so before a byte of the body is asked for.
func TestTheBodyIsNotReadForAStranger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, shop(created1))
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 401 Unauthorized\r\n", line)
}

func TestABodyThatDoesNotComeIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newServed(t, httpx.Config{ReadTimeout: 300 * time.Millisecond}, shop(created1))
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /v1/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", w.token(auth.RoleSales))
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
	require.Equal(t, "body_timeout", refusalOf(t, body).Code)
}

// newServed is newWorld behind Run instead of a test server.
func newServed(t *testing.T, cfg httpx.Config, register func(*httpx.API)) *world {
	t.Helper()
	w := newWorld(t, cfg, register)
	w.serve(t.Context(), cfg, register)
	return w
}

// serve runs a second server on a port of its own until ctx ends, and gives what Run returned.
func (w *world) serve(ctx context.Context, cfg httpx.Config, register func(*httpx.API)) <-chan error {
	w.t.Helper()
	verifier, err := auth.NewVerifier(ctx, auth.Config{Issuer: w.issuer.Claims(auth.TokenRequest{}, time.Now())["iss"].(string), Audience: audience})
	require.NoError(w.t, err)
	cfg.Addr = "127.0.0.1:0"
	server := httpx.NewServer(cfg, verifier, slog.New(slog.NewJSONHandler(w.log, nil)))
	register(server.API("shop", "1", "Shop"))
	addr, err := server.Listen()
	require.NoError(w.t, err)
	w.url = "http://" + addr.String()
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	return done
}

// slowShop tells when a request has entered and answers it when it is released.
func slowShop(entered chan<- struct{}, release <-chan struct{}) func(*httpx.API) {
	return shop(func(ctx context.Context, in *createInput) (*created, error) {
		close(entered)
		<-release
		return created1(ctx, in)
	})
}

func TestRunLetsRequestsInFlightFinish(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	register := slowShop(entered, release)
	w := newWorld(t, httpx.Config{}, register)
	ctx, stop := context.WithCancel(t.Context())
	done := w.serve(ctx, httpx.Config{}, register)
	answered := make(chan int, 1)
	go func() {
		resp, _ := w.do(http.MethodPost, "/v1/things", `{"name":"a"}`, nil)
		answered <- resp.StatusCode
	}()
	<-entered
	stop()
	require.Eventually(t, func() bool { // nobody new is let in
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 10*time.Second, 5*time.Millisecond)
	close(release)
	require.Equal(t, http.StatusCreated, <-answered)
	require.NoError(t, <-done)
}

func TestRunCutsOffWhatDoesNotFinish(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	register := slowShop(entered, release)
	w := newWorld(t, httpx.Config{}, register)
	ctx, stop := context.WithCancel(t.Context())
	done := w.serve(ctx, httpx.Config{DrainTimeout: 50 * time.Millisecond}, register)
	go func() {
		req, err := http.NewRequest(http.MethodPost, w.url+"/v1/things", strings.NewReader(`{"name":"a"}`))
		if err != nil {
			return
		}
		req.Header.Set("Authorization", "Bearer "+w.token(auth.RoleSales))
		req.Header.Set("Content-Type", "application/json")
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-entered
	stop()
	require.ErrorContains(t, <-done, "cut off")
}

func TestIdempotencyKeyReachesTheCommand(t *testing.T) {
	t.Parallel()
	var got []string
	w := newWorld(t, httpx.Config{}, shop(func(ctx context.Context, in *createInput) (*created, error) {
		got = append(got, onceOf(ctx))
		httpx.MarkReplayed(ctx)
		return created1(ctx, in)
	}))
	key := http.Header{"Idempotency-Key": {"k 1"}}
	resp, _ := w.do(http.MethodPost, "/v1/things", `{"name":"a"}`, key)
	require.Equal(t, "true", resp.Header.Get("Idempotent-Replay"))
	w.do(http.MethodPost, "/v1/things", `{"name":"b"}`, key)
	w.do(http.MethodPost, "/v1/things", `{"name":"b"}`, nil)
	hash := func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
	require.Equal(t, []string{
		"ann things-create k 1 " + hash("POST\n/v1/things\n\n"+`{"name":"a"}`),
		"ann things-create k 1 " + hash("POST\n/v1/things\n\n"+`{"name":"b"}`),
		"",
	}, got)

	_, body := w.do(http.MethodPost, "/v1/things/imports?format=csv", "a,b\n", http.Header{"Idempotency-Key": {"k"}, "Content-Type": {"text/csv"}})
	require.JSONEq(t, `{"bytes":4,"once":"ann things-upload k `+hash("POST\n/v1/things/imports\nformat=csv\na,b\n")+`"}`, string(body))
}

func TestStreamIsGuardedLikeTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, shop(created1))
	csv := http.Header{"Content-Type": {"text/csv"}}
	cases := []struct {
		name, path, body string
		header           http.Header
		status           int
		code             string
	}{
		{"good", "?format=csv", "a,b\n", csv, http.StatusAccepted, ""},
		{"a missing parameter", "", "a", csv, http.StatusUnprocessableEntity, "validation_failed"},
		{"an unknown parameter", "?format=csv&x=1", "a", csv, http.StatusUnprocessableEntity, "validation_failed"},
		{"a parameter twice", "?format=csv&format=csv", "a", csv, http.StatusUnprocessableEntity, "validation_failed"},
		{"another content type", "?format=csv", "a", http.Header{"Content-Type": {"application/json"}}, http.StatusUnsupportedMediaType, "content_type"},
		{"too large", "?format=csv", strings.Repeat("x", 5<<20), csv, http.StatusRequestEntityTooLarge, "body_too_large"},
		{"too large, without a length", "?format=csv", strings.Repeat("x", 5<<20), http.Header{"Content-Type": {"text/csv"}, "Chunked": {"1"}}, http.StatusRequestEntityTooLarge, "body_too_large"},
		{"no token", "?format=csv", "a", http.Header{"Content-Type": {"text/csv"}, "Authorization": nil}, http.StatusUnauthorized, "token_missing"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var body io.Reader = strings.NewReader(c.body)
			if c.header.Get("Chunked") != "" {
				body = io.MultiReader(body) // net/http does not know its length
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/v1/things/imports"+c.path, body)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+w.token(auth.RoleSales))
			for name, values := range c.header {
				req.Header[name] = values
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, resp.StatusCode, "%s", raw)
			if c.code != "" {
				require.Equal(t, c.code, refusalOf(t, raw).Code)
			}
		})
	}
}

// A download that breaks must not look complete.
func TestAStreamThatFailsHalfWayClosesTheConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, func(a *httpx.API) {
		httpx.Stream(a, httpx.Operation{
			ID: "rows", Method: http.MethodGet, Path: "/v1/rows", Permission: auth.OrdersRead, Produces: []string{"text/csv"},
		}, func(c *gin.Context) error {
			c.Status(http.StatusOK)
			_, _ = io.WriteString(c.Writer, "a,b\n")
			c.Writer.Flush()
			return errors.New("the database went away")
		})
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/rows", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+w.token(auth.RoleSales))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	require.Error(t, err)
	require.Eventually(t, func() bool { return strings.Contains(w.log.String(), "the database went away") }, 10*time.Second, 5*time.Millisecond)
}
