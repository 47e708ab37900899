package httpx_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// world is a server on a real listener with an issuer beside it.
type world struct {
	t      *testing.T
	server *httpx.Server
	api    *httpx.API
	issuer *auth.DevIssuer
	url    string
	log    *lines
}

// lines collects a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const audience = "guanxi"

// newIssuer starts an issuer on loopback.
func newIssuer(t *testing.T) (*auth.DevIssuer, string) {
	t.Helper()
	var issuer *auth.DevIssuer
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { issuer.ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	issuer, err := auth.NewDevIssuer(auth.DevIssuerConfig{URL: web.URL, Audience: audience})
	require.NoError(t, err)
	return issuer, web.URL
}

func newWorld(t *testing.T, cfg httpx.Config, register func(*httpx.API)) *world {
	t.Helper()
	issuer, url := newIssuer(t)
	verifier, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: url, Audience: audience})
	require.NoError(t, err)
	w := &world{t: t, issuer: issuer, log: &lines{}}
	w.server = httpx.NewServer(cfg, verifier, slog.New(slog.NewJSONHandler(w.log, nil)))
	w.api = w.server.API("shop", "1.0.0", "Shop")
	register(w.api)
	web := httptest.NewServer(w.server.Handler())
	t.Cleanup(web.Close)
	w.url = web.URL
	return w
}

// token makes a token of the tenant music with one role.
func (w *world) token(role string) string {
	w.t.Helper()
	raw, err := w.issuer.Token(auth.TokenRequest{Subject: "ann", Tenant: "music", Roles: []string{role}}, time.Now())
	require.NoError(w.t, err)
	return raw
}

// do sends a request with a sales token and JSON, unless header says otherwise.
func (w *world) do(method, path, body string, header http.Header) (*http.Response, []byte) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, bytes.NewBufferString(body))
	require.NoError(w.t, err)
	req.Header.Set("Authorization", "Bearer "+w.token(auth.RoleSales))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return resp, raw
}

// The shop: one operation of each kind.

type thing struct {
	Name     string   `json:"name" minLength:"1" maxLength:"20"`
	Quantity int64    `json:"quantity,omitempty" minimum:"0"`
	Tags     []string `json:"tags,omitempty" nullable:"false"`
}

type created struct {
	Body struct {
		ID string `json:"id"`
	}
}

type createInput struct{ Body thing }

type patchInput struct {
	ID      string `path:"id"`
	IfMatch string `header:"If-Match"`
	Body    thing
}

type listInput struct{ httpx.Page }

type listOutput struct {
	Body struct {
		Limit int `json:"limit"`
	}
}

func shop(create func(context.Context, *createInput) (*created, error)) func(*httpx.API) {
	return func(a *httpx.API) {
		httpx.Register(a, httpx.Operation{
			ID: "things-create", Method: http.MethodPost, Path: "/v1/things", Summary: "Create a thing", Tag: "things",
			Permission: auth.OrdersWrite, Status: http.StatusCreated,
		}, create)
		httpx.Register(a, httpx.Operation{
			ID: "things-change", Method: http.MethodPatch, Path: "/v1/things/{id}", Summary: "Change a thing", Tag: "things",
			Permission: auth.OrdersWrite,
		}, func(_ context.Context, in *patchInput) (*created, error) {
			if err := httpx.IfMatch(in.IfMatch, 3); err != nil {
				return nil, err
			}
			out := &created{}
			out.Body.ID = in.ID
			return out, nil
		})
		httpx.Register(a, httpx.Operation{
			ID: "things-list", Method: http.MethodGet, Path: "/v1/things", Summary: "List things", Tag: "things",
			Permission: auth.OrdersRead,
		}, func(_ context.Context, in *listInput) (*listOutput, error) {
			if _, err := httpx.DecodeCursor(in.Cursor, 2); err != nil {
				return nil, err
			}
			out := &listOutput{}
			out.Body.Limit = in.Limit
			return out, nil
		})
		httpx.Register(a, httpx.Operation{
			ID: "shops-open", Method: http.MethodPost, Path: "/v1/shops/{id}/open", Summary: "Open a shop", Tag: "shops",
			Permission: auth.TenantsManage, AnyTenant: true,
		}, func(context.Context, *struct {
			ID string `path:"id"`
		}) (*struct{}, error) {
			return nil, nil
		})
		httpx.Stream(a, httpx.Operation{
			ID: "things-upload", Method: http.MethodPost, Path: "/v1/things/imports", Summary: "Upload things", Tag: "things",
			Permission: auth.OrdersWrite, MaxBody: 4 << 20, Consumes: []string{"text/csv"}, Status: http.StatusAccepted,
			Parameters: []httpx.Parameter{{Name: "format", Required: true, Enum: []string{"csv"}}},
		}, func(c *gin.Context) error {
			body := httpx.HashBody(c)
			n, err := io.Copy(io.Discard, body)
			if err != nil {
				return err
			}
			c.JSON(http.StatusAccepted, map[string]any{"bytes": n, "once": onceOf(body.Context())})
			return nil
		})
	}
}

func created1(context.Context, *createInput) (*created, error) {
	out := &created{}
	out.Body.ID = "1"
	return out, nil
}
