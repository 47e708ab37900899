package badinput

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// claims is what the kit reads of the working token.
type claims struct {
	Issuer  string   `json:"iss"`
	Subject string   `json:"sub"`
	Tenant  string   `json:"tenant"`
	Roles   []string `json:"roles"`
}

func (target Target) claims(t *testing.T) claims {
	t.Helper()
	parts := strings.Split(target.Token, ".")
	var c claims
	raw, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err != nil {
		t.Fatalf("the working token is no JWT: %v", err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatalf("the working token is no JWT: %v", err)
	}
	return c
}

// mint asks the issuer of the working token for another one.
func (c claims) mint(t *testing.T, change map[string]any) string {
	t.Helper()
	request := map[string]any{"subject": c.Subject, "tenant": c.Tenant, "roles": c.Roles}
	for k, v := range change {
		request[k] = v
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	raw, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	c.ask(t, http.MethodPost, "/token", raw, &answer)
	return answer.AccessToken
}

func (c claims) ask(t *testing.T, method, path string, body []byte, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(c.Issuer, "/")+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("the issuer of the working token does not answer: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the issuer answered %d %v: %s", resp.StatusCode, err, raw)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

// tokens are callers who must stay outside.
func (target Target) tokens(t *testing.T) []Case {
	t.Helper()
	c := target.claims(t)
	parts := strings.Split(target.Token, ".")
	with := func(name, token string, status int, code string) Case {
		return Case{Name: name, Status: status, Code: code, Echo: token, Change: func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+token)
		}}
	}
	const out = http.StatusUnauthorized
	elevated := encode(t, map[string]any{"iss": c.Issuer, "sub": c.Subject, "tenant": c.Tenant, "roles": []string{"admin"}, "aud": "x", "exp": 1 << 40})
	cases := []Case{
		{Name: "no token", Status: out, Code: "token_missing", Change: func(r *http.Request) { r.Header.Del("Authorization") }},
		{Name: "a password for a token", Status: out, Code: "token_malformed", Change: func(r *http.Request) { r.SetBasicAuth("ann", "pw") }},
		{Name: "two tokens", Status: out, Code: "token_malformed", Change: func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }},
		with("a malformed token", "a.b.c", out, "token_malformed"),
		with("a token of 9 KiB", strings.Repeat("a", 9<<10), out, "token_malformed"),
		with("an expired token", c.mint(t, map[string]any{"ttl_seconds": -3600}), out, "token_expired"),
		with("a token for another audience", c.mint(t, map[string]any{"audience": "elsewhere"}), out, "token_audience"),
		with("a token with other claims below the signature", parts[0]+"."+elevated+"."+parts[2], out, "token_forged"),
		with("a token with another signature", parts[0]+"."+parts[1]+"."+base64.RawURLEncoding.EncodeToString(make([]byte, 64)), out, "token_forged"),
		with("a token with the algorithm none", encode(t, map[string]any{"alg": "none"})+"."+elevated+".", out, "token_algorithm"),
		with("a token signed with the public key", target.symmetric(t, c, parts[1]), out, "token_algorithm"),
		with("a token without a role", c.mint(t, map[string]any{"roles": []string{}}), http.StatusForbidden, "permission_missing"),
	}
	if c.Tenant != "" && !target.AnyTenant {
		cases = append(cases, with("a token without a tenant", c.mint(t, map[string]any{"tenant": ""}), http.StatusForbidden, "tenant_missing"))
	}
	if target.Owned {
		cases = append(cases, with("another tenant's", c.mint(t, map[string]any{"tenant": c.Tenant[:min(len(c.Tenant), 50)] + "-other"}), http.StatusNotFound, ""))
	}
	return cases
}

// symmetric signs the payload by HMAC with the issuer's public key as the secret.
func (target Target) symmetric(t *testing.T, c claims, payload string) string {
	t.Helper()
	var keys json.RawMessage
	c.ask(t, http.MethodGet, "/jwks", nil, &keys)
	signed := encode(t, map[string]any{"alg": "HS256", "typ": "JWT"}) + "." + payload
	mac := hmac.New(sha256.New, keys)
	_, _ = io.WriteString(mac, signed)
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}
