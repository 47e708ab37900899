package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Span is one step of a trace, as the development stack keeps it.
type Span struct {
	TraceID  string `json:"trace_id"`
	SpanID   string `json:"span_id"`
	ParentID string `json:"parent_id,omitempty"`
	Service  string `json:"service"`
	Name     string `json:"name"`
	// Kind is internal, server, client, producer or consumer.
	Kind       string            `json:"kind"`
	Start      time.Time         `json:"start"`
	Duration   time.Duration     `json:"duration_ns"`
	Error      string            `json:"error,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Linked tells that the span belongs to another trace (TraceID) and has a link to this one: a batch of events links
	// to the traces of each.
	Linked bool `json:"linked,omitempty"`
}

// Trace is all spans that are known of a trace.
type Trace struct {
	TraceID string `json:"trace_id"`
	Spans   []Span `json:"spans"`
}

// GetTrace reads a trace from the development stack's trace store at base, e.g. http://127.0.0.1:4318.
func GetTrace(ctx context.Context, base, id string) (Trace, error) {
	target := strings.TrimRight(base, "/") + "/traces/" + id
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return Trace{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Trace{}, fmt.Errorf("trace store: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return Trace{}, problem(resp)
	}
	var t Trace
	if err := json.NewDecoder(resp.Body).Decode(&t); err != nil {
		return Trace{}, fmt.Errorf("trace store: %w", err)
	}
	return t, nil
}

// Has tells whether the trace has a span of the kind.
func (t Trace) Has(kind string) bool {
	return slices.ContainsFunc(t.Spans, func(s Span) bool { return s.Kind == kind })
}

// TraceNode is a span with what it caused.
type TraceNode struct {
	Span
	Children []TraceNode
}

// Tree orders the spans by cause and, among siblings, by start. A span whose parent is not known is a root.
func (t Trace) Tree() []TraceNode {
	known := make(map[string]bool, len(t.Spans))
	for _, s := range t.Spans {
		known[s.SpanID] = true
	}
	children := make(map[string][]Span)
	for _, s := range t.Spans {
		parent := s.ParentID
		if !known[parent] || parent == s.SpanID {
			parent = ""
		}
		children[parent] = append(children[parent], s)
	}
	var build func(parent string) []TraceNode
	build = func(parent string) []TraceNode {
		spans := children[parent]
		delete(children, parent) // a cycle, which only a broken sender makes, ends here
		slices.SortStableFunc(spans, func(a, b Span) int {
			return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.SpanID, b.SpanID))
		})
		nodes := make([]TraceNode, 0, len(spans))
		for _, s := range spans {
			nodes = append(nodes, TraceNode{Span: s, Children: build(s.SpanID)})
		}
		return nodes
	}
	return build("")
}
