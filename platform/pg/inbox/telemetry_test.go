package inbox

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

func TestTheTraceOfAnEventGoesOnInItsConsumer(t *testing.T) { //nolint:paralleltest // the tracer of a process is one
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Cleanup(func() { otel.SetTracerProvider(before) })

	b := setup(t, plain(), true)
	var within trace.SpanContext
	apply := b.consumer.Apply
	b.engine.consumer.Apply = func(ctx context.Context, tx *pg.Tx, events []Event) error {
		within = trace.SpanContextFromContext(ctx)
		return apply(ctx, tx, events)
	}
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ev := change{customer: "a", seq: 1}.event()
	ev.Trace = map[string]string{"traceparent": parent}
	b.give(b.place(bus.Encode(ev)))

	var found bool
	for _, s := range spans.Ended() {
		switch s.Name() {
		case "apply guanxi.accounts.events.v1.CustomerChanged":
			found = true
			require.Equal(t, "0af7651916cd43dd8448eb211c80319c", s.SpanContext().TraceID().String())
			require.Equal(t, "b7ad6b7169203331", s.Parent().SpanID().String(), "a child of the span that told the event")
			require.Equal(t, s.SpanContext().SpanID(), within.SpanID(), "what Apply does belongs to it")
		case "consume " + b.topic:
			require.Len(t, s.Links(), 1)
			require.Equal(t, "0af7651916cd43dd8448eb211c80319c", s.Links()[0].SpanContext.TraceID().String())
		}
	}
	require.True(t, found)
}
