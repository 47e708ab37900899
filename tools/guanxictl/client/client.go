// Package client calls the platform's public HTTP surface: tokens, problems, imports, summaries and operations. It is
// what guanxictl, the development stack, the end-to-end tests and the benchmarks share.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Client calls one installation as one principal. It is safe for concurrent use.
type Client struct {
	base   string
	http   *http.Client
	tokens TokenSource
}

// New makes a client for the server at base, e.g. http://127.0.0.1:8080.
func New(base string, tokens TokenSource) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("server %q is not an URL like http://127.0.0.1:8080", base)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	return &Client{base: strings.TrimRight(base, "/"), http: &http.Client{Transport: transport}, tokens: tokens}, nil
}

// Problem is an application/problem+json answer.
type Problem struct {
	Status int            `json:"status"`
	Code   string         `json:"code"`
	Title  string         `json:"title"`
	Detail string         `json:"detail"`
	Errors []ProblemField `json:"errors"`
	Trace  string         `json:"trace_id"`
}

// ProblemField is one fault of one field.
type ProblemField struct {
	Location string `json:"location"`
	Code     string `json:"code"`
	Message  string `json:"message"`
}

// Error gives status, detail and the faulty fields, one a line.
func (p *Problem) Error() string {
	var b strings.Builder
	what := p.Detail
	if what == "" {
		what = p.Title
	}
	fmt.Fprintf(&b, "%s (%d %s)", what, p.Status, p.Code)
	for _, f := range p.Errors {
		fmt.Fprintf(&b, "\n  %s: %s", f.Location, f.Message)
	}
	if p.Trace != "" {
		fmt.Fprintf(&b, "\n  trace %s", p.Trace)
	}
	return b.String()
}

// Temporary tells whether err is worth another try unchanged: the server could not be reached, or said so itself.
func Temporary(err error) bool {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status >= 500 || p.Status == http.StatusTooManyRequests
	}
	var u *url.Error
	return errors.As(err, &u) || errors.Is(err, io.ErrUnexpectedEOF)
}

type traceKey struct{}

// NewTraceID makes a random W3C trace id.
func NewTraceID() string { return randomHex(16) }

// WithTrace makes every call with the context part of the trace, which is 32 hexadecimal digits.
func WithTrace(ctx context.Context, traceID string) context.Context {
	return context.WithValue(ctx, traceKey{}, traceID)
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Request is one call.
type Request struct {
	Method, Path string
	Query        url.Values
	// In is sent as JSON; Body, when set, is streamed as it is with ContentType.
	In          any
	Body        io.Reader
	ContentType string
	// IdempotencyKey of a POST; one is made up when it is empty, so that a repeated connection cannot act twice.
	IdempotencyKey string
	IfMatch        string
}

// Do calls and decodes a JSON answer into out, unless that is nil. Any status from 400 on is a *Problem.
func (c *Client) Do(ctx context.Context, r Request, out any) (http.Header, error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil || resp.StatusCode == http.StatusNoContent {
		_, err := io.Copy(io.Discard, resp.Body)
		return resp.Header, err
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return nil, fmt.Errorf("%s %s: answer is not the JSON expected: %w", r.Method, r.Path, err)
	}
	return resp.Header, nil
}

// Get is Do with GET.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := c.Do(ctx, Request{Method: http.MethodGet, Path: path, Query: query}, out)
	return err
}

// Post is Do with POST and a JSON body.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: path, In: in}, out)
	return err
}

func (c *Client) send(ctx context.Context, r Request) (*http.Response, error) {
	body, contentType := r.Body, r.ContentType
	if r.In != nil {
		raw, err := json.Marshal(r.In)
		if err != nil {
			return nil, err
		}
		body, contentType = bytes.NewReader(raw), "application/json"
	}
	target := c.base + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, body)
	if err != nil {
		return nil, err
	}
	if err := c.headers(ctx, req, r, contentType); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer func() { _ = resp.Body.Close() }()
		return nil, problem(resp)
	}
	return resp, nil
}

func (c *Client) headers(ctx context.Context, req *http.Request, r Request, contentType string) error {
	req.Header.Set("Accept", "application/json, application/problem+json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if r.IfMatch != "" {
		req.Header.Set("If-Match", r.IfMatch)
	}
	if r.Method == http.MethodPost {
		key := r.IdempotencyKey
		if key == "" {
			key = uuid.NewString()
		}
		req.Header.Set("Idempotency-Key", key)
	}
	if trace, ok := ctx.Value(traceKey{}).(string); ok {
		req.Header.Set("Traceparent", "00-"+trace+"-"+randomHex(8)+"-01")
	}
	if c.tokens == nil {
		return nil
	}
	token, err := c.tokens(ctx)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

func problem(resp *http.Response) error {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	p := &Problem{}
	if err := json.Unmarshal(raw, p); err != nil || p.Code == "" && p.Title == "" && p.Detail == "" {
		p = &Problem{Code: "http_error", Detail: strings.TrimSpace(string(raw[:min(len(raw), 300)]))}
	}
	p.Status = resp.StatusCode
	if p.Detail == "" && p.Title == "" {
		p.Title = http.StatusText(resp.StatusCode)
	}
	return p
}

// Ready asks /readyz once.
func (c *Client) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := c.Do(ctx, Request{Method: http.MethodGet, Path: "/readyz"}, nil)
	return err
}

// WaitReady asks /readyz until it says yes or ctx ends.
func (c *Client) WaitReady(ctx context.Context) error {
	return until(ctx, 100*time.Millisecond, func() (bool, error) { return c.Ready(ctx) == nil, nil })
}

// until calls check at the interval until it is done, fails, or ctx ends.
func until(ctx context.Context, every time.Duration, check func() (bool, error)) error {
	for {
		done, err := check()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// follow reads a state until it has ended, calling progress (which may be nil) each time. It sits out servers that are
// away; only ctx and refusals end it.
func follow[S any](ctx context.Context, read func() (S, error), ended func(S) bool, progress func(S)) (state S, err error) {
	err = until(ctx, 250*time.Millisecond, func() (bool, error) {
		now, err := read()
		if err != nil {
			if ctx.Err() == nil && Temporary(err) {
				return false, nil
			}
			return false, err
		}
		state = now
		if progress != nil {
			progress(state)
		}
		return ended(state), nil
	})
	return state, err
}
