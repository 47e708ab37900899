// Package tracestore is a small OpenTelemetry backend for development: it takes traces over OTLP/HTTP, keeps the last
// hour of them in bounded memory, and gives them back as JSON. Nothing is written to disk.
package tracestore

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// maxLinks bounds in how many other traces a span can be found: a batch of events links to the trace of each.
const maxLinks = 1024

// Store keeps spans, oldest out first. It is safe for concurrent use.
type Store struct {
	maxSpans int
	keep     time.Duration
	now      func() time.Time

	mu     sync.Mutex
	ring   []kept // in order of arrival
	traces map[string][]client.Span
}

type kept struct {
	arrived time.Time
	traces  []string // where the span is listed: its own trace and those that it links to
}

// New makes a store for at most maxSpans spans, none older than keep.
func New(maxSpans int, keep time.Duration, now func() time.Time) *Store {
	return &Store{maxSpans: maxSpans, keep: keep, now: now, traces: make(map[string][]client.Span)}
}

// Add takes the spans of an export request.
func (s *Store) Add(resources []*tracepb.ResourceSpans) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range resources {
		service := serviceName(r.GetResource())
		for _, scope := range r.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				s.add(service, span)
			}
		}
	}
	s.expire()
}

func (s *Store) add(service string, in *tracepb.Span) {
	span := convert(service, in)
	where := []string{span.TraceID}
	s.traces[span.TraceID] = append(s.traces[span.TraceID], span)
	for _, link := range in.GetLinks()[:min(len(in.GetLinks()), maxLinks)] {
		trace := hex.EncodeToString(link.GetTraceId())
		if slices.Contains(where, trace) {
			continue
		}
		linked := span
		linked.Linked, linked.ParentID = true, hex.EncodeToString(link.GetSpanId())
		s.traces[trace] = append(s.traces[trace], linked)
		where = append(where, trace)
	}
	s.ring = append(s.ring, kept{arrived: s.now(), traces: where})
}

func (s *Store) expire() {
	oldest := s.now().Add(-s.keep)
	drop := 0
	for drop < len(s.ring) && (len(s.ring)-drop > s.maxSpans || s.ring[drop].arrived.Before(oldest)) {
		for _, trace := range s.ring[drop].traces {
			if rest := s.traces[trace][1:]; len(rest) > 0 {
				s.traces[trace] = rest // within a trace, too, spans stand in order of arrival
			} else {
				delete(s.traces, trace)
			}
		}
		drop++
	}
	s.ring = slices.Delete(s.ring, 0, drop)
}

// Trace gives what is known of a trace.
func (s *Store) Trace(id string) (client.Trace, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	spans, ok := s.traces[id]
	return client.Trace{TraceID: id, Spans: slices.Clone(spans)}, ok
}

// Summary is one trace in a list.
type Summary struct {
	TraceID string    `json:"trace_id"`
	Service string    `json:"service"`
	Name    string    `json:"name"`
	Start   time.Time `json:"start"`
	Spans   int       `json:"spans"`
}

// Recent lists the traces that began last, newest first, each by its first span.
func (s *Store) Recent(limit int) []Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	list := make([]Summary, 0, len(s.traces))
	for id, spans := range s.traces {
		first := slices.MinFunc(spans, func(a, b client.Span) int { return a.Start.Compare(b.Start) })
		list = append(list, Summary{TraceID: id, Service: first.Service, Name: first.Name, Start: first.Start, Spans: len(spans)})
	}
	slices.SortFunc(list, func(a, b Summary) int { return b.Start.Compare(a.Start) })
	return list[:min(limit, len(list))]
}

func convert(service string, in *tracepb.Span) client.Span {
	start := time.Unix(0, int64(in.GetStartTimeUnixNano())).UTC()
	span := client.Span{
		TraceID: hex.EncodeToString(in.GetTraceId()), SpanID: hex.EncodeToString(in.GetSpanId()),
		ParentID: hex.EncodeToString(in.GetParentSpanId()), Service: service, Name: in.GetName(), Kind: kindName(in.GetKind()),
		Start: start, Duration: time.Duration(in.GetEndTimeUnixNano() - in.GetStartTimeUnixNano()),
	}
	if in.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		span.Error = in.GetStatus().GetMessage()
		if span.Error == "" {
			span.Error = "error"
		}
	}
	if len(in.GetAttributes()) > 0 {
		span.Attributes = make(map[string]string, len(in.GetAttributes()))
		for _, a := range in.GetAttributes() {
			span.Attributes[a.GetKey()] = valueText(a.GetValue())
		}
	}
	return span
}

func kindName(kind tracepb.Span_SpanKind) string {
	switch kind {
	case tracepb.Span_SPAN_KIND_SERVER:
		return "server"
	case tracepb.Span_SPAN_KIND_CLIENT:
		return "client"
	case tracepb.Span_SPAN_KIND_PRODUCER:
		return "producer"
	case tracepb.Span_SPAN_KIND_CONSUMER:
		return "consumer"
	default:
		return "internal"
	}
}

func serviceName(r *resourcepb.Resource) string {
	for _, a := range r.GetAttributes() {
		if a.GetKey() == "service.name" {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

func valueText(v *commonpb.AnyValue) string {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return x.StringValue
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(x.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(x.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(x.DoubleValue, 'g', -1, 64)
	case *commonpb.AnyValue_ArrayValue:
		parts := make([]string, 0, len(x.ArrayValue.GetValues()))
		for _, e := range x.ArrayValue.GetValues() {
			parts = append(parts, valueText(e))
		}
		return strings.Join(parts, ", ")
	default:
		return ""
	}
}
