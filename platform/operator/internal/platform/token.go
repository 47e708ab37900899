package platform

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Tokens says where access tokens come from: by the client credentials of an OIDC issuer, or from the issuer for development.
type Tokens struct {
	// URL is the issuer's token endpoint.
	URL string
	// ClientID is how the issuer knows the operator.
	ClientID string
	// SecretFile has the client's secret, or the password of the issuer for development. It is read anew for each token.
	SecretFile string
	// Scope is asked for; {tenant} in it is replaced by the tenant.
	Scope string
	// Audience is asked for, where the issuer wants that.
	Audience string
	// Development says that URL is the one of the issuer for development, which gives any token to whoever asks.
	Development bool
	// Clock is the time by which tokens expire.
	Clock func() time.Time
}

// subject is who the operator is with the issuer for development.
const subject = "guanxi-operator"

// early is how long before its end a token is asked for anew.
const early = 30 * time.Second

type cachedToken struct {
	token string
	until time.Time
}

type tokenCache struct {
	source Tokens
	http   *http.Client
	mu     sync.Mutex
	of     map[string]cachedToken
}

// get gives a token for a tenant. A token of another tenant is refused, since what is meant for one would be done to the other.
func (c *tokenCache) get(ctx context.Context, tenant string) (string, error) {
	c.mu.Lock()
	kept, ok := c.of[tenant]
	c.mu.Unlock()
	now := c.source.Clock()
	if ok && now.Before(kept.until) {
		return kept.token, nil
	}
	req, err := c.request(ctx, tenant)
	if err != nil {
		return "", &Error{Code: "token_source", Detail: err.Error()}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return "", &Error{Code: "issuer_unreachable", Detail: "The issuer of tokens cannot be reached."}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	var answer struct {
		Token     string `json:"access_token"`
		ExpiresIn int64  `json:"expires_in"`
	}
	switch {
	case err != nil || res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests:
		return "", &Error{Code: "issuer_unreachable", Detail: fmt.Sprintf("The issuer of tokens answers with status %d.", res.StatusCode)}
	case res.StatusCode != http.StatusOK || json.Unmarshal(raw, &answer) != nil || answer.Token == "":
		return "", &Error{Status: http.StatusUnauthorized, Code: "token_refused", Detail: fmt.Sprintf("The issuer gives no token for the tenant %s: status %d.", tenant, res.StatusCode)}
	}
	if is := tenantOf(answer.Token); is != tenant {
		return "", &Error{Status: http.StatusForbidden, Code: "token_of_another_tenant",
			Detail: fmt.Sprintf("The issuer gave a token whose tenant is not %s: have the scope %s give it.", tenant, c.source.Scope)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[tenant] = cachedToken{answer.Token, now.Add(time.Duration(answer.ExpiresIn)*time.Second - early)}
	return answer.Token, nil
}

// drop forgets a token that was refused.
func (c *tokenCache) drop(tenant string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.of, tenant)
}

func (c *tokenCache) request(ctx context.Context, tenant string) (*http.Request, error) {
	secret := ""
	if c.source.SecretFile != "" {
		raw, err := os.ReadFile(c.source.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("the secret of the issuer's client cannot be read: %w", err)
		}
		secret = strings.TrimSpace(string(raw))
	}
	if c.source.Development {
		body, err := json.Marshal(map[string]any{"subject": subject, "tenant": tenant, "roles": []string{"admin"}})
		if err != nil {
			return nil, err
		}
		return prepared(ctx, c.source.URL, "application/json", body, subject, secret)
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if c.source.Scope != "" {
		form.Set("scope", strings.ReplaceAll(c.source.Scope, "{tenant}", tenant))
	}
	if c.source.Audience != "" {
		form.Set("audience", c.source.Audience)
	}
	// What RFC 6749 puts into HTTP Basic is escaped as a form is.
	return prepared(ctx, c.source.URL, "application/x-www-form-urlencoded", []byte(form.Encode()), url.QueryEscape(c.source.ClientID), url.QueryEscape(secret))
}

func prepared(ctx context.Context, address, kind string, body []byte, user, password string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Accept", "application/json")
	if password != "" {
		req.SetBasicAuth(user, password)
	}
	return req, nil
}

// tenantOf reads the tenant of a token that comes from the issuer itself; whoever takes the token verifies it.
func tenantOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Tenant string `json:"tenant"`
	}
	if json.Unmarshal(raw, &claims) != nil {
		return ""
	}
	return claims.Tenant
}
