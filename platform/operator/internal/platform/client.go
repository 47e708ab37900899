// Package platform calls the platform's API on behalf of the operator: tenants, rollouts, and service level policies.
package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Manager is how the platform knows whoever keeps what Kubernetes intends.
const Manager = "kubernetes"

const (
	callTimeout = 20 * time.Second
	maxAnswer   = 8 << 20 // bytes
)

// Error is what the platform refused, or why it could not be asked.
type Error struct {
	Status int    // of HTTP; 0: it could not be asked
	Code   string // stable
	Detail string // a sentence for people
	Fields []Field
}

// Field is one fault of what was sent.
type Field struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error gives the sentence, with the faults.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)", e.Detail, e.Code)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s %s", f.Location, f.Message)
	}
	return b.String()
}

// Away tells whether the platform could not be asked, or not now: the same may be tried again.
func (e *Error) Away() bool {
	return e.Status == 0 || e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests
}

// As gives the Error in err's chain; one that is away for an error that is none.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: "unknown", Detail: err.Error()}
}

// Code gives the code of an Error; empty for nil.
func Code(err error) string {
	if err == nil {
		return ""
	}
	return As(err).Code
}

// Client calls the API. It is safe for concurrent use.
type Client struct {
	base    string
	tokens  *tokenCache
	http    *http.Client
	tenants tenants
}

// New makes a client. base is where the API is, without /v1; {service} in it is replaced, such as in http://guanxi-{service}:8080.
func New(base string, tokens Tokens) *Client {
	if tokens.Clock == nil {
		tokens.Clock = time.Now
	}
	h := &http.Client{
		Timeout: callTimeout,
		// Whoever sends elsewhere is misconfigured; the token must not go along.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Client{
		base: strings.TrimSuffix(base, "/"), http: h, tokens: &tokenCache{source: tokens, http: h, of: map[string]cachedToken{}},
		tenants: tenants{there: map[string]bool{}},
	}
}

// call is one request.
type call struct {
	service, method, path string
	body                  any
	key                   string // Idempotency-Key of a POST
	version               int64  // sent as If-Match; 0: none
}

func (c *Client) do(ctx context.Context, tenant string, r call, out any) error {
	token, err := c.tokens.get(ctx, tenant)
	if err != nil {
		return err
	}
	var body io.Reader
	if r.body != nil {
		raw, err := json.Marshal(r.body)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, strings.ReplaceAll(c.base, "{service}", r.service)+r.path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if r.version != 0 {
		req.Header.Set("If-Match", fmt.Sprintf("%q", fmt.Sprint(r.version)))
	}
	res, err := c.http.Do(req)
	if err != nil {
		return &Error{Code: "platform_unreachable", Detail: fmt.Sprintf("The platform's service %s cannot be reached.", r.service)}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return &Error{Code: "platform_unreachable", Detail: fmt.Sprintf("The answer of the platform's service %s broke off.", r.service)}
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		if res.StatusCode == http.StatusUnauthorized {
			c.tokens.drop(tenant)
		}
		return refusal(r.service, res.StatusCode, raw)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return &Error{Code: "answer_unreadable", Detail: fmt.Sprintf("The service %s does not answer as this operator expects: do their versions fit?", r.service)}
	}
	return nil
}

// refusal gives what the platform said; what stands between may answer without a code.
func refusal(service string, status int, raw []byte) *Error {
	var said struct {
		Code   string  `json:"code"`
		Detail string  `json:"detail"`
		Errors []Field `json:"errors"`
	}
	_ = json.Unmarshal(raw, &said)
	if said.Code == "" {
		// A proxy that finds no way answers 404 as well: only what has a code speaks of what was asked for.
		return &Error{Code: "platform_unreachable", Detail: fmt.Sprintf("Something in front of the service %s answers with status %d.", service, status)}
	}
	return &Error{Status: status, Code: said.Code, Detail: said.Detail, Fields: said.Errors}
}
