package httpx

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

const scope = "github.com/guanxi-crm/guanxi/platform/httpx"

// observer makes the server span and the duration metric of a request. The usual instrumentation around net/http knows
// the route only afterwards, and puts the caller's address, the user agent and the path into every span; ours has
// neither, because they are personal data.
type observer struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	context  propagation.TraceContext
}

func newObserver() *observer {
	duration, err := otel.Meter(scope).Float64Histogram("http.server.request.duration",
		metric.WithUnit("s"), metric.WithDescription("Duration of HTTP server requests."),
		metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	if err != nil {
		panic("httpx: " + err.Error()) // the name is a constant; this cannot happen at run time
	}
	return &observer{tracer: otel.Tracer(scope), duration: duration}
}

// start begins the span, named METHOD /route, below the caller's traceparent. Every request gets a trace id, also
// where tracing is off.
func (o *observer) start(c *gin.Context, plain bool) (context.Context, trace.Span) {
	ctx := o.context.Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
	var span trace.Span = noop.Span{}
	if !plain {
		ctx, span = o.tracer.Start(ctx, method(c.Request)+" "+route(c), trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(
				attribute.String("http.request.method", method(c.Request)),
				attribute.String("http.route", route(c)),
			))
	}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		var cfg trace.SpanContextConfig
		_, _ = rand.Read(cfg.TraceID[:]) // never fails, says crypto/rand
		_, _ = rand.Read(cfg.SpanID[:])
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(cfg))
	}
	return ctx, span
}

// end closes the span and counts the request.
func (o *observer) end(c *gin.Context, span trace.Span, st *state, took time.Duration, plain bool) {
	if plain {
		return
	}
	status := attribute.Int("http.response.status_code", c.Writer.Status())
	span.SetAttributes(status)
	if st.tenant != "" {
		span.SetAttributes(attribute.String("guanxi.tenant", st.tenant))
	}
	if p := st.problem; p != nil {
		span.SetAttributes(attribute.String("error.type", p.Code))
		if !problem.CallersFault(p) {
			span.SetStatus(codes.Error, p.Code)
		}
	}
	span.End()
	o.duration.Record(c.Request.Context(), took.Seconds(), metric.WithAttributes(
		attribute.String("http.request.method", method(c.Request)), attribute.String("http.route", route(c)), status,
	))
}
