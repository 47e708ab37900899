package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
)

// collector counts what is exported, by path.
type collector struct {
	mu   sync.Mutex
	seen map[string]int
	body bytes.Buffer
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[r.URL.Path]++
	_, _ = io.Copy(&c.body, r.Body)
}

// The tests of Setup share the process's providers, so they do not run in parallel.

func TestExportsWhenAnEndpointIsSet(t *testing.T) {
	c := &collector{seen: map[string]int{}}
	web := httptest.NewServer(c)
	t.Cleanup(web.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", web.URL)
	tell, err := Setup(t.Context(), Config{Service: "accounts", Version: "1.2.3", Env: "production", Pull: true})
	require.NoError(t, err)
	require.NotNil(t, tell.Log)
	ctx, span := Tracer("test").Start(t.Context(), "register a customer")
	require.True(t, span.IsRecording())
	counter, err := otel.Meter("test").Int64Counter("customers")
	require.NoError(t, err)
	counter.Add(ctx, 1)
	span.End()
	page := httptest.NewRecorder()
	tell.Metrics.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Contains(t, page.Body.String(), "customers_total 1", "is fetched as well")
	require.NoError(t, tell.Shutdown(t.Context()), "flushes")
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Equal(t, 1, c.seen["/v1/traces"])
	require.Equal(t, 1, c.seen["/v1/metrics"])
	for _, want := range []string{"register a customer", "accounts", "1.2.3", "customers"} {
		require.True(t, bytes.Contains(c.body.Bytes(), []byte(want)), want)
	}
}

func TestTheStandardVariablesSayHowOftenThingsLeave(t *testing.T) {
	c := &collector{seen: map[string]int{}}
	web := httptest.NewServer(c)
	t.Cleanup(web.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", web.URL)
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
	tell, err := Setup(t.Context(), Config{Service: "accounts"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tell.Shutdown(context.Background())) })
	counter, err := otel.Meter("test").Int64Counter("customers")
	require.NoError(t, err)
	counter.Add(t.Context(), 1)
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.seen["/v1/metrics"] > 1
	}, metricInterval/2, 10*time.Millisecond, "sooner than they leave by themselves")
}

func TestGaugesKeepNoExemplarsAndCountersDo(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithView(plainGauges)).Meter("test")
	gauge, err := meter.Int64Gauge("backlog", metric.WithUnit("{event}"))
	require.NoError(t, err)
	counter, err := meter.Int64Counter("sent")
	require.NoError(t, err)
	sampled := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
	gauge.Record(sampled, 7)
	counter.Add(sampled, 1)
	var got metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &got))
	metrics := got.ScopeMetrics[0].Metrics
	require.Len(t, metrics, 2)
	require.Equal(t, "backlog", metrics[0].Name)
	require.Equal(t, "{event}", metrics[0].Unit)
	backlog := metrics[0].Data.(metricdata.Gauge[int64]).DataPoints[0]
	require.EqualValues(t, 7, backlog.Value)
	require.Empty(t, backlog.Exemplars)
	require.Len(t, metrics[1].Data.(metricdata.Sum[int64]).DataPoints[0].Exemplars, 1)
}

func TestTraceContextTravelsWithoutAnExporter(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	tell, err := Setup(t.Context(), Config{Service: "accounts"})
	require.NoError(t, err)
	require.Nil(t, tell.Metrics, "nobody asked for metrics")
	t.Cleanup(func() { require.NoError(t, tell.Shutdown(context.Background())) })
	ctx, span := Tracer("test").Start(t.Context(), "register a customer")
	defer span.End()
	headers := Inject(ctx)
	require.Contains(t, headers, "traceparent")
	far := trace.SpanContextFromContext(Extract(context.Background(), headers))
	require.Equal(t, span.SpanContext().TraceID(), far.TraceID())
	require.Equal(t, span.SpanContext().SpanID(), far.SpanID())
	require.True(t, far.IsRemote())
	require.Empty(t, Inject(context.Background()))
}

func TestSetupRefusesALevelThatIsNone(t *testing.T) {
	t.Parallel()
	_, err := Setup(t.Context(), Config{Service: "accounts", Level: "loud"})
	require.ErrorContains(t, err, "loud")
}

func TestLogLinesNameTheirTrace(t *testing.T) {
	t.Parallel()
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	var out bytes.Buffer
	log := slog.New(newHandler(&out, slog.LevelInfo, false)).With("part", "test")
	log.InfoContext(trace.ContextWithSpanContext(t.Context(), sc), "hello", "n", 1)
	log.Debug("not shown")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, sc.TraceID().String(), line["trace_id"])
	require.Equal(t, sc.SpanID().String(), line["span_id"])
	require.Equal(t, "test", line["part"])

	out.Reset()
	slog.New(newHandler(&out, slog.LevelInfo, true)).WithGroup("g").Info("hello")
	require.Contains(t, out.String(), "level=INFO msg=hello")
	require.NotContains(t, out.String(), "trace_id")
}
