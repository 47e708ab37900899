package outbox

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/guanxi-crm/guanxi/platform/pg/outbox"

// maxLinks bounds how many traces the span of a batch is linked to. A span an event would cost more than the event.
const maxLinks = 32

type links struct {
	seen  map[string]bool
	links []trace.Link
}

func newLinks(n int) *links { return &links{seen: make(map[string]bool, min(n, maxLinks))} }

func (l *links) add(h storedHeaders) {
	if h.TraceParent == "" || len(l.links) == maxLinks || l.seen[h.TraceParent] {
		return
	}
	l.seen[h.TraceParent] = true
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{
		"traceparent": h.TraceParent, "tracestate": h.TraceState,
	})
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		l.links = append(l.links, trace.Link{SpanContext: sc})
	}
}

// span starts the span of one batch. When all of it comes from one command, the span is part of that command's trace.
func (l *links) span(ctx context.Context, service string, rows int) (context.Context, func(error)) {
	if len(l.links) == 0 {
		return ctx, func(error) {}
	}
	o := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.String("messaging.system", "kafka"), attribute.String("guanxi.service", service),
			attribute.Int("messaging.batch.message_count", rows)),
	}
	if len(l.links) == 1 {
		ctx = trace.ContextWithRemoteSpanContext(ctx, l.links[0].SpanContext)
	} else {
		o = append(o, trace.WithLinks(l.links...))
	}
	ctx, span := otel.Tracer(scope).Start(ctx, "outbox.relay", o...)
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "produce failed")
		}
		span.End()
	}
}

// metrics count what a relay does. An instrument that cannot be made does nothing.
type metrics struct {
	produced, refused, failures metric.Int64Counter
	latency                     metric.Float64Histogram
	attrs                       metric.MeasurementOption
}

func newMetrics(service string) metrics {
	meter := otel.Meter(scope)
	m := metrics{attrs: metric.WithAttributeSet(attribute.NewSet(attribute.String("guanxi.service", service)))}
	m.produced, _ = meter.Int64Counter("guanxi.outbox.produced", metric.WithDescription("Events that the broker has acknowledged."))
	m.refused, _ = meter.Int64Counter("guanxi.outbox.parked", metric.WithDescription("Events that the broker refused for good."))
	m.failures, _ = meter.Int64Counter("guanxi.outbox.failures", metric.WithDescription("Batches that could not be produced."))
	m.latency, _ = meter.Float64Histogram("guanxi.outbox.delay", metric.WithUnit("s"),
		metric.WithDescription("From the begin of the transaction to the acknowledgement."),
		metric.WithExplicitBucketBoundaries(.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 60))
	return m
}

func (m metrics) sent(ctx context.Context, n int) { m.produced.Add(ctx, int64(n), m.attrs) }
func (m metrics) parked(ctx context.Context)      { m.refused.Add(ctx, 1, m.attrs) }
func (m metrics) failed(ctx context.Context)      { m.failures.Add(ctx, 1, m.attrs) }
func (m metrics) delay(ctx context.Context, d time.Duration) {
	m.latency.Record(ctx, d.Seconds(), m.attrs)
}
