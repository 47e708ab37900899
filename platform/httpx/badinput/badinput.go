// Package badinput is the table of bad input that every operation of every service must refuse, and say why. A service's
// http_test.go hands over one working request for each operation; the kit derives the bad ones from it. Only tests
// import it.
package badinput

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Target is one operation and one request that it takes.
type Target struct {
	URL    string // of the server, such as http://127.0.0.1:8080
	Method string
	Path   string // with everything filled in; may have a query
	Token  string // that may call it; its issuer must be an auth.DevIssuer
	Body   string // a JSON object that it takes; empty when it takes no body
	// Header goes with every request, such as If-Match for an operation that needs it.
	Header http.Header

	List    bool // it has limit and cursor
	Version bool // it needs If-Match; Header has a good one
	// AnyTenant: a platform administrator may call it without a tenant.
	AnyTenant bool
	// Owned: Path names a thing of the tenant; for another tenant there is none.
	Owned bool
	// Skip names cases that make no sense here, such as "wrong type: note" for a field of any type.
	Skip []string

	// Replay is for a POST: it says that the operation keeps its promise about Idempotency-Key. OtherBody is another
	// body that it takes; Fresh gives a new working body each time, where Body works only once.
	Replay    bool
	OtherBody string
	Fresh     func() string
	// Hold makes the next use of the key hang until release is called, to see a second use refused at once.
	Hold func(t *testing.T, key string) (release func())
}

// Check runs every case that fits the target, each as a subtest, and the working request at the end.
func Check(t *testing.T, target Target) {
	t.Helper()
	var cases []Case
	cases = append(cases, target.tokens(t)...)
	cases = append(cases, target.requests()...)
	if target.Body != "" {
		cases = append(cases, target.bodies()...)
		cases = append(cases, target.fields(t)...)
	} else {
		cases = append(cases, target.unexpectedBodies()...)
	}
	if target.List {
		cases = append(cases, lists()...)
	}
	if target.Version {
		cases = append(cases, versions()...)
	}
	if target.List {
		t.Run("cursors that somebody made up", target.forged)
	}
	for _, c := range cases {
		if !target.skips(c.Name) {
			t.Run(c.Name, func(t *testing.T) { target.check(t, c) })
		}
	}
	if target.Replay {
		target.replays(t)
	}
	t.Run("and the good request still works", func(t *testing.T) {
		status, _, body := target.send(t, func(*http.Request) {})
		if status < 200 || status > 299 {
			t.Fatalf("got %d: %s", status, body)
		}
	})
}

// Case is one bad request and the refusal that is due.
type Case struct {
	Name     string
	Change   func(r *http.Request) // makes the working request bad
	Status   int
	Code     string // of the problem; empty: any
	Location string // that one of its errors must have; empty: none asked
	Echo     string // of the input, that must not stand in the answer
}

func (target Target) skips(name string) bool {
	for _, s := range target.Skip {
		if s == name {
			return true
		}
	}
	return false
}

// problem is what clients read of a refusal.
type problem struct {
	Type, Title, Detail, Code string
	Status                    int
	Errors                    []struct{ Location, Code, Message string }
	TraceID                   string `json:"trace_id"`
}

func (target Target) check(t *testing.T, c Case) {
	t.Helper()
	status, header, body := target.send(t, c.Change)
	refused(t, status, header, body, c)
}

// refused holds an answer against the refusal that is due.
func refused(t *testing.T, status int, header http.Header, body []byte, c Case) {
	t.Helper()
	if status != c.Status {
		t.Fatalf("got %d, want %d: %s", status, c.Status, body)
	}
	if ct := header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("Content-Type %q: %s", ct, body)
	}
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("the problem is not JSON: %v: %s", err, body)
	}
	switch {
	case c.Code != "" && p.Code != c.Code:
		t.Fatalf("got code %s, want %s: %s", p.Code, c.Code, body)
	case p.Status != status || p.Type == "" || p.Title == "" || p.Detail == "":
		t.Fatalf("the problem is not whole: %s", body)
	case p.TraceID == "" || p.TraceID != header.Get("Trace-Id"):
		t.Fatalf("no trace id, or another than in the header: %s", body)
	case c.Echo != "" && bytes.Contains(body, []byte(c.Echo)):
		t.Fatalf("the answer repeats the input: %s", body)
	case status == http.StatusUnauthorized && !strings.HasPrefix(header.Get("WWW-Authenticate"), "Bearer"):
		t.Fatal("401 without WWW-Authenticate")
	}
	for _, e := range p.Errors {
		if e.Location == c.Location {
			return
		}
	}
	if c.Location != "" {
		t.Fatalf("no error at %s: %s", c.Location, body)
	}
}

// send sends the working request after change.
func (target Target) send(t *testing.T, change func(*http.Request)) (int, http.Header, []byte) {
	t.Helper()
	body := target.Body
	if target.Fresh != nil {
		body = target.Fresh()
	}
	req, err := http.NewRequestWithContext(t.Context(), target.Method, target.URL+target.Path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range target.Header {
		req.Header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+target.Token)
	change(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, raw
}

// setBody replaces the request's body.
func setBody(r *http.Request, body string) {
	r.Body = io.NopCloser(strings.NewReader(body))
	r.ContentLength = int64(len(body))
	r.GetBody = nil
}
