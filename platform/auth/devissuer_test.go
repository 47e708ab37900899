package auth_test

import (
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

	"github.com/guanxi-crm/guanxi/platform/auth"
)

func TestTheDevelopmentIssuerStaysAtHome(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		cfg  auth.DevIssuerConfig
		ok   bool
	}{
		{"localhost", auth.DevIssuerConfig{URL: "http://localhost:8080/dev", Audience: "a"}, true},
		{"IPv4", auth.DevIssuerConfig{URL: "http://127.0.0.1:8080", Audience: "a"}, true},
		{"IPv6", auth.DevIssuerConfig{URL: "http://[::1]:8080", Audience: "a"}, true},
		{"production", auth.DevIssuerConfig{URL: "http://localhost", Audience: "a", Production: true}, false},
		{"every address", auth.DevIssuerConfig{URL: "http://0.0.0.0:8080", Audience: "a"}, false},
		{"a name", auth.DevIssuerConfig{URL: "http://guanxi.example", Audience: "a"}, false},
		{"a name that looks like home", auth.DevIssuerConfig{URL: "http://localhost.example", Audience: "a"}, false},
		{"a name, with a secret", auth.DevIssuerConfig{URL: "http://issuer:8080", Audience: "a", Secret: "0123456789abcdef"}, true},
		{"a name, with a secret that can be guessed", auth.DevIssuerConfig{URL: "http://issuer:8080", Audience: "a", Secret: "secret"}, false},
		{"production, with a secret", auth.DevIssuerConfig{URL: "http://issuer", Audience: "a", Secret: "0123456789abcdef", Production: true}, false},
		{"no URL", auth.DevIssuerConfig{Audience: "a"}, false},
		{"no audience", auth.DevIssuerConfig{URL: "http://localhost"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := auth.NewDevIssuer(c.cfg)
			require.Equal(t, c.ok, err == nil, "%v", err)
		})
	}
}

func TestTheDevelopmentIssuerRefusesStrangers(t *testing.T) {
	t.Parallel()
	d, err := auth.NewDevIssuer(auth.DevIssuerConfig{URL: "http://localhost:8080/dev", Audience: "a"})
	require.NoError(t, err)
	ask := func(remote, host, path string) int {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+path, nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, ask("127.0.0.1:9", "localhost:8080", "/dev/jwks"))
	require.Equal(t, http.StatusOK, ask("[::1]:9", "[::1]:8080", "/dev/jwks"))
	require.Equal(t, http.StatusForbidden, ask("10.0.0.7:9", "localhost:8080", "/dev/jwks"), "an address from outside")
	require.Equal(t, http.StatusForbidden, ask("127.0.0.1:9", "rebound.example", "/dev/jwks"), "a name that was made to point here")
	require.Equal(t, http.StatusNotFound, ask("127.0.0.1:9", "localhost:8080", "/jwks"))
}

func TestADevelopmentIssuerWithASecretGivesTokensToWhoKnowsIt(t *testing.T) {
	t.Parallel()
	d, err := auth.NewDevIssuer(auth.DevIssuerConfig{URL: "http://issuer:8080", Audience: "a", Secret: "0123456789abcdef"})
	require.NoError(t, err)
	ask := func(password string) int {
		r := httptest.NewRequest(http.MethodPost, "http://issuer:8080/token", strings.NewReader(`{"subject":"ann"}`))
		r.RemoteAddr = "10.0.0.7:9"
		r.Header.Set("Content-Type", "application/json")
		if password != "" {
			r.SetBasicAuth("demo", password)
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, ask("0123456789abcdef"))
	require.Equal(t, http.StatusUnauthorized, ask("0123456789abcdeF"))
	require.Equal(t, http.StatusUnauthorized, ask(""))
	look := func(path string) int {
		r := httptest.NewRequest(http.MethodGet, "http://issuer:8080"+path, nil)
		r.RemoteAddr = "10.0.0.7:9"
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, look("/jwks"), "the keys are public")
	require.Equal(t, http.StatusUnauthorized, look("/authorize"), "nobody signs in without it")
}

// devIssuer serves a development issuer below a path, as a service does.
func devIssuer(t *testing.T, keyFile string) (*auth.DevIssuer, string) {
	t.Helper()
	var d *auth.DevIssuer
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	d, err := auth.NewDevIssuer(auth.DevIssuerConfig{URL: web.URL + "/dev", Audience: audience, KeyFile: keyFile})
	require.NoError(t, err)
	return d, web.URL + "/dev"
}

func TestTokensOfTheDevelopmentIssuerPassTheVerifier(t *testing.T) {
	t.Parallel()
	_, url := devIssuer(t, "")
	v, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: url, Audience: audience})
	require.NoError(t, err)
	cases := []struct {
		name, contentType, body string
		status                  int
		verified                string
	}{
		{"a token", "application/json", `{"subject":"ann","tenant":"music","roles":["sales"],"unit":"north"}`, 200, ""},
		{"an expired token", "application/json", `{"subject":"ann","tenant":"music","ttl_seconds":-60}`, 200, "unauthenticated token_expired"},
		{"for another audience", "application/json", `{"subject":"ann","tenant":"music","audience":"x"}`, 200, "unauthenticated token_audience"},
		{"no subject", "application/json", `{"tenant":"music"}`, 422, ""},
		{"an unknown role", "application/json", `{"subject":"ann","roles":["root"]}`, 422, ""},
		{"a tenant that is none", "application/json", `{"subject":"ann","tenant":"Music!"}`, 422, ""},
		{"two days", "application/json", `{"subject":"ann","ttl_seconds":172800}`, 422, ""},
		{"an unknown field", "application/json", `{"subject":"ann","admin":true}`, 400, ""},
		{"what a web page can send unasked", "text/plain", `{"subject":"ann"}`, 415, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			resp, err := http.Post(url+"/token", c.contentType, strings.NewReader(c.body))
			require.NoError(t, err)
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, resp.StatusCode, "%s", raw)
			if c.status != http.StatusOK {
				return
			}
			var answer struct {
				AccessToken string `json:"access_token"`
			}
			require.NoError(t, json.Unmarshal(raw, &answer))
			_, err = v.Verify(t.Context(), answer.AccessToken)
			require.Equal(t, c.verified, code(err))
		})
	}
}

func TestTokensSurviveARestartOfTheIssuer(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state", "key.pem")
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for n := range ids {
		wg.Go(func() { // all at once, as when every service starts
			d, err := auth.NewDevIssuer(auth.DevIssuerConfig{URL: "http://localhost", Audience: audience, KeyFile: file})
			if err != nil {
				t.Error(err)
				return
			}
			ids[n] = d.JWKS().Keys[0].KeyID
		})
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
		require.NotEmpty(t, id)
	}
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	before, _ := devIssuer(t, file)
	token, err := before.Token(auth.TokenRequest{Subject: "ann"}, time.Now())
	require.NoError(t, err)
	require.NotEmpty(t, token)

	require.NoError(t, os.WriteFile(file, []byte("junk"), 0o600))
	_, err = auth.NewDevIssuer(auth.DevIssuerConfig{URL: "http://localhost", Audience: audience, KeyFile: file})
	require.ErrorContains(t, err, "not PEM")
}
