// Package peer calls the API of another service of the installation on behalf of somebody.
//
// Services hear of each other by events and ask each other by activities. This is for what may stand in neither: what is
// personal would stay in topics and in the histories of workflows for ever. So it is called outside of transactions, by
// activities and background passes, which come again when the other service is away.
package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
)

const (
	callTimeout = 10 * time.Second
	maxAnswer   = 4 << 20 // bytes
)

// Client calls other services. It is safe for concurrent use.
type Client struct {
	base  func(service string) (string, error)
	key   []byte
	clock func() time.Time
	http  *http.Client
}

// New makes a client: base gives the URL of a service's API, without /v1; key is auth.PeerKey's.
func New(base func(service string) (string, error), key []byte, clock func() time.Time) *Client {
	return &Client{base: base, key: key, clock: clock, http: &http.Client{
		Timeout: callTimeout,
		// A service that sends elsewhere is misconfigured; the token must not go along.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// URL gives where the API of a service is, without /v1 and without a slash at the end, for whoever passes requests on as they are.
func (c *Client) URL(service string) (string, error) {
	base, err := c.base(service)
	return strings.TrimSuffix(base, "/"), err
}

// Request is one call.
type Request struct {
	Service string // such as accounts
	Method  string
	Path    string     // such as /v1/customers; ids in it are escaped
	Query   url.Values // may be nil
	Body    any        // is sent as JSON; nil: none
	Key     string     // the Idempotency-Key of a POST; empty: none
}

// Answer is what came back, where the call was carried out.
type Answer struct {
	Status int
	ETag   string
}

// Call calls on behalf of the principal of the context, in its tenant, and reads the answer into out, where that is not nil.
// What the other service refuses is given as its own problem, of the same kind, with its code and fields. A service that
// cannot be reached, is too busy or fails is Unavailable, peer_unavailable: the same may be tried again.
func (c *Client) Call(ctx context.Context, r Request, out any) (_ Answer, err error) {
	ctx, span := telemetry.Tracer("github.com/guanxi-crm/guanxi/platform/peer").Start(ctx, r.Method+" "+r.Service,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("peer.service", r.Service), attribute.String("http.request.method", r.Method)))
	defer func() {
		if err != nil {
			span.SetStatus(codes.Error, problem.From(err).Code)
		}
		span.End()
	}()
	req, err := c.request(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		return Answer{}, away(r.Service, withoutURL(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Answer{}, away(r.Service, err)
	case len(body) > maxAnswer:
		return Answer{}, fmt.Errorf("peer: %s answers with more than %d bytes", r.Service, maxAnswer)
	case res.StatusCode >= http.StatusMultipleChoices:
		return Answer{}, refusal(r.Service, res.StatusCode, body)
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			return Answer{}, fmt.Errorf("peer: %s: the answer is not what it should be: %w", r.Service, err)
		}
	}
	return Answer{Status: res.StatusCode, ETag: res.Header.Get("ETag")}, nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	who, ok := auth.From(ctx)
	if !ok || who.Tenant == "" {
		return nil, errors.New("peer: the context names nobody to call for")
	}
	base, err := c.base(r.Service)
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	var body io.Reader
	if r.Body != nil {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("peer: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	target := strings.TrimSuffix(base, "/") + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, body)
	if err != nil {
		return nil, fmt.Errorf("peer: %w", withoutURL(err))
	}
	token, err := auth.PeerToken(c.key, who, c.clock())
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Key != "" {
		req.Header.Set("Idempotency-Key", r.Key)
	}
	for name, value := range telemetry.Inject(ctx) {
		req.Header.Set(name, value)
	}
	return req, nil
}

// refusal gives what the other service said.
func refusal(service string, status int, body []byte) error {
	var said struct {
		Code   string          `json:"code"`
		Detail string          `json:"detail"`
		Errors []problem.Field `json:"errors"`
	}
	_ = json.Unmarshal(body, &said) // a proxy's answer has no code, and is told by its status
	kind, known := problem.KindOfStatus(status)
	switch {
	case status >= http.StatusInternalServerError, status == http.StatusTooManyRequests:
		return away(service, fmt.Errorf("status %d %s", status, said.Code))
	case status == http.StatusUnauthorized, status == http.StatusForbidden, !known, said.Code == "":
		// Not what the caller did: the services do not fit each other, or something stands between them.
		return fmt.Errorf("peer: %s answers with status %d %s", service, status, said.Code)
	}
	p := problem.New(kind, said.Code, "%s", said.Detail)
	p.Fields = said.Errors
	return p
}

func away(service string, cause error) error {
	return problem.New(problem.Unavailable, "peer_unavailable", "The service %s cannot be reached at the moment. Try again.", service).Because(cause)
}

// withoutURL takes the URL out of an error, since what is asked for may be personal.
func withoutURL(err error) error {
	var whole *url.Error
	if errors.As(err, &whole) {
		return whole.Err
	}
	return err
}
