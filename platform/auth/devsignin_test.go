package auth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

const verifierOfTest = "a-verifier-that-is-long-enough-for-the-rule-0123"

func authorizeQuery() url.Values {
	sum := sha256.Sum256([]byte(verifierOfTest))
	return url.Values{
		"client_id": {"page"}, "response_type": {"code"}, "redirect_uri": {"http://127.0.0.1:9/back"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"role": {"sales"}, "tenant": {"pizza"},
	}
}

// authorize asks without following the way back, and gives the status and where it leads.
func authorize(t *testing.T, issuer string, q url.Values) (status int, location *url.URL, body string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, issuer+"/authorize?"+q.Encode(), nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	location, _ = resp.Location()
	return resp.StatusCode, location, string(raw)
}

// exchange sends a form to the token endpoint.
func exchange(t *testing.T, issuer string, form url.Values) (int, map[string]any) {
	t.Helper()
	resp, err := http.PostForm(issuer+"/token", form)
	require.NoError(t, err)
	defer resp.Body.Close()
	var answer map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return resp.StatusCode, answer
}

func TestTheDevelopmentSignInGivesTokensForACodeOnce(t *testing.T) {
	t.Parallel()
	_, issuer := devIssuer(t, "")
	v, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: issuer, Audience: audience})
	require.NoError(t, err)

	status, back, _ := authorize(t, issuer, authorizeQuery())
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "s", back.Query().Get("state"))
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "client_id": {"page"},
		"redirect_uri": {"http://127.0.0.1:9/back"}, "code_verifier": {verifierOfTest},
	}
	status, tokens := exchange(t, issuer, form)
	require.Equal(t, http.StatusOK, status, "%v", tokens)
	who, err := v.Verify(t.Context(), tokens["access_token"].(string))
	require.NoError(t, err)
	require.Equal(t, auth.Principal{Subject: "sales", Tenant: "pizza", Unit: auth.DevUnit, Roles: []string{"sales"}}, who)

	status, again := exchange(t, issuer, form)
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "invalid_grant", again["error"], "a code is good once")

	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}, "client_id": {"page"}}
	status, renewed := exchange(t, issuer, refresh)
	require.Equal(t, http.StatusOK, status, "%v", renewed)
	still, err := v.Verify(t.Context(), renewed["access_token"].(string))
	require.NoError(t, err)
	require.Equal(t, who, still, "the same person of the same unit")
	_, err = v.Verify(t.Context(), tokens["refresh_token"].(string))
	require.Error(t, err, "a refresh token is no access token")
	_, err = v.Verify(t.Context(), tokens["id_token"].(string))
	require.Error(t, err, "an ID token is no access token")
	refresh.Set("client_id", "other")
	status, _ = exchange(t, issuer, refresh)
	require.Equal(t, http.StatusBadRequest, status, "the refresh token is another client's")
}

func TestTheDevelopmentSignInRefuses(t *testing.T) {
	t.Parallel()
	_, issuer := devIssuer(t, "")
	cases := []struct{ name, key, value string }{
		{"no challenge", "code_challenge", ""},
		{"the plain method", "code_challenge_method", "plain"},
		{"a way back to elsewhere", "redirect_uri", "https://evil.example/"},
		{"another response type", "response_type", "token"},
		{"no client", "client_id", ""},
		{"a role that the page does not offer", "role", "platform-admin"},
		{"a tenant that the page does not offer", "tenant", "other"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := authorizeQuery()
			q.Set(c.key, c.value)
			status, _, _ := authorize(t, issuer, q)
			require.Equal(t, http.StatusBadRequest, status)
		})
	}
	for name, change := range map[string][2]string{
		"another verifier":    {"code_verifier", "another-verifier-that-is-long-enough-0123456789"},
		"another client":      {"client_id", "other"},
		"another way back":    {"redirect_uri", "http://127.0.0.1:9/elsewhere"},
		"an invented code":    {"code", "invented"},
		"an unknown grant":    {"grant_type", "password"},
		"no verifier at all":  {"code_verifier", ""},
		"an invented refresh": {"grant_type", "refresh_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, back, _ := authorize(t, issuer, authorizeQuery())
			form := url.Values{
				"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "client_id": {"page"},
				"redirect_uri": {"http://127.0.0.1:9/back"}, "code_verifier": {verifierOfTest},
			}
			form.Set(change[0], change[1])
			status, answer := exchange(t, issuer, form)
			require.Equal(t, http.StatusBadRequest, status)
			require.NotContains(t, answer, "access_token")
		})
	}
}

func TestTheDevelopmentSignInOffersEveryRoleOfTwoTenants(t *testing.T) {
	t.Parallel()
	_, issuer := devIssuer(t, "")
	q := authorizeQuery()
	q.Del("role")
	q.Del("tenant")
	q.Set("state", `"><script>`)
	status, _, page := authorize(t, issuer, q)
	require.Equal(t, http.StatusOK, status)
	for _, choice := range []string{"agent@pizza", "sales@pizza", "manager@music", "marketing@pizza", "operations@music", "admin@pizza"} {
		require.Contains(t, page, choice)
	}
	require.False(t, strings.Contains(page, "<script"), "what comes in the query stays text")
}
