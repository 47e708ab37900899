package tracestore_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/tools/devstack/internal/tracestore"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func id(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

func span(trace, self, parent byte, kind tracepb.Span_SpanKind, links ...*tracepb.Span_Link) *tracepb.Span {
	s := &tracepb.Span{
		TraceId: id(16, trace), SpanId: id(8, self), Name: "step", Kind: kind, Links: links,
		StartTimeUnixNano: uint64(noon.UnixNano()) + uint64(self), EndTimeUnixNano: uint64(noon.UnixNano()) + uint64(self) + 1000,
	}
	if parent != 0 {
		s.ParentSpanId = id(8, parent)
	}
	return s
}

func export(service string, spans ...*tracepb.Span) []*tracepb.ResourceSpans {
	name := &commonpb.KeyValue{Key: "service.name", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: service}}}
	return []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{name}},
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}},
	}}
}

const traceOne = "01010101010101010101010101010101"

func TestTraceOverHTTPBecomesATree(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(tracestore.New(100, time.Hour, func() time.Time { return noon }).Handler())
	t.Cleanup(server.Close)
	for _, part := range [][]*tracepb.ResourceSpans{
		export("analytics", span(9, 5, 0, tracepb.Span_SPAN_KIND_CONSUMER, &tracepb.Span_Link{TraceId: id(16, 1), SpanId: id(8, 2)})),
		export("sales", span(1, 2, 1, tracepb.Span_SPAN_KIND_PRODUCER), span(1, 1, 0, tracepb.Span_SPAN_KIND_SERVER)),
	} {
		raw, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{ResourceSpans: part})
		require.NoError(t, err)
		resp, err := http.Post(server.URL+"/v1/traces", "application/x-protobuf", bytes.NewReader(raw))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}

	trace, err := client.GetTrace(t.Context(), server.URL, traceOne)
	require.NoError(t, err)
	tree := trace.Tree()
	require.Len(t, tree, 1)
	require.Equal(t, "server", tree[0].Kind)
	require.Equal(t, "producer", tree[0].Children[0].Kind)
	consumer := tree[0].Children[0].Children[0]
	require.Equal(t, "analytics", consumer.Service)
	require.True(t, consumer.Linked, "a batch of another trace is found by its link")

	resp, err := http.Get(server.URL + "/traces?limit=1")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var recent struct{ Items []tracestore.Summary }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&recent))
	require.Len(t, recent.Items, 1)
}

func TestBadExportsAreRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(tracestore.New(100, time.Hour, time.Now).Handler())
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		contentType, body string
		want              int
	}{
		"JSON":         {"application/json", "{}", http.StatusUnsupportedMediaType},
		"not protobuf": {"application/x-protobuf", "\xff\xff\xff", http.StatusBadRequest},
	} {
		resp, err := http.Post(server.URL+"/v1/traces", c.contentType, bytes.NewReader([]byte(c.body)))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, c.want, resp.StatusCode, name)
	}
	_, err := client.GetTrace(t.Context(), server.URL, traceOne)
	require.ErrorContains(t, err, "only the last hour is kept")
}

func TestOldestSpansGoFirst(t *testing.T) {
	t.Parallel()
	now := noon
	store := tracestore.New(2, time.Hour, func() time.Time { return now })
	link := &tracepb.Span_Link{TraceId: id(16, 7), SpanId: id(8, 1)}
	store.Add(export("a", span(1, 1, 0, tracepb.Span_SPAN_KIND_SERVER, link)))
	store.Add(export("a", span(2, 2, 0, tracepb.Span_SPAN_KIND_SERVER), span(3, 3, 0, tracepb.Span_SPAN_KIND_SERVER)))
	_, ok := store.Trace(traceOne)
	require.False(t, ok, "over the count")
	require.Len(t, store.Recent(10), 2, "and the link of the dropped span is gone as well")

	now = now.Add(2 * time.Hour)
	require.Empty(t, store.Recent(10), "over the age")
}
