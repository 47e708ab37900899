package inbox

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/guanxi-crm/guanxi/platform/telemetry"
)

const scope = "github.com/guanxi-crm/guanxi/platform/pg/inbox"

// fewEvents is the size up to which each event of an Apply gets a span in its own trace.
const fewEvents = 10

// maxLinks is how many traces the span of a batch is linked to: the SDK's own bound.
const maxLinks = 128

type metrics struct {
	applied, dropped, parked, gaps metric.Int64Counter
	delay                          metric.Float64Histogram
	attrs                          metric.MeasurementOption
}

func newMetrics(service, consumer string) *metrics {
	m := otel.Meter(scope)
	counter := func(name, text string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit("{event}"), metric.WithDescription(text))
		if err != nil {
			panic(err) // a bad name: programming error
		}
		return c
	}
	delay, err := m.Float64Histogram("guanxi.inbox.delay", metric.WithUnit("s"),
		metric.WithDescription("From the time of an event to its being applied: the lag in seconds"))
	if err != nil {
		panic(err)
	}
	return &metrics{
		applied: counter("guanxi.inbox.applied", "Events applied, or passed by as of no interest"),
		dropped: counter("guanxi.inbox.dropped", "Events dropped since they were had before"),
		parked:  counter("guanxi.inbox.parked", "Events parked for people to decide on"),
		gaps:    counter("guanxi.inbox.gaps", "Events held since events before them are missing"),
		delay:   delay,
		attrs:   metric.WithAttributes(attribute.String("service", service), attribute.String("consumer", consumer)),
	}
}

// report counts what became of a batch that was committed, and tells people what needs them.
func (e *engine) report(ctx context.Context, b *batch) {
	var n [queued + 1]int64
	var gaps int64
	for _, it := range b.items {
		n[it.verdict]++
		if it.gap {
			gaps++
			e.log.WarnContext(ctx, "events are missing; holding what comes after them", "code", it.code, "topic", b.topic,
				"partition", b.partition, "offset", it.msg.Offset, "tenant", it.event.Tenant,
				"aggregate", it.event.AggregateType+"/"+it.event.AggregateID, "epoch", it.event.Epoch, "sequence", it.event.Sequence)
		} else if it.verdict == parked {
			e.logParked(ctx, it)
		}
	}
	if e.shadow {
		return
	}
	e.metrics.applied.Add(ctx, n[applied], e.metrics.attrs)
	e.metrics.dropped.Add(ctx, n[dropped], e.metrics.attrs)
	if n[parked] > 0 {
		e.metrics.parked.Add(ctx, n[parked], e.metrics.attrs)
	}
	if gaps > 0 {
		e.metrics.gaps.Add(ctx, gaps, e.metrics.attrs)
	}
	if len(b.items) == 0 {
		return
	}
	if last := b.items[len(b.items)-1]; last.placed {
		e.metrics.delay.Record(ctx, time.Since(last.event.Time).Seconds(), e.metrics.attrs)
	}
}

func (e *engine) logParked(ctx context.Context, it *item) {
	e.log.ErrorContext(ctx, "an event is parked and waits for an operator", "code", it.code, "error", it.fault, "tries", it.tries,
		"topic", it.msg.Topic, "partition", it.msg.Partition, "offset", it.msg.Offset, "event", it.event.ID.String(),
		"type", it.event.Type, "tenant", it.event.Tenant)
}

// batchSpan is the span of a batch; nil in a rebuild.
type batchSpan struct{ span trace.Span }

// startSpan starts the span of a batch, linked to the traces of its events.
func (e *engine) startSpan(ctx context.Context, b *batch) (context.Context, batchSpan) {
	if e.shadow {
		return ctx, batchSpan{}
	}
	links := make([]trace.Link, 0, min(len(b.items), maxLinks))
	for _, it := range b.items {
		if len(links) == maxLinks {
			break
		}
		if sc := trace.SpanContextFromContext(telemetry.Extract(context.Background(), it.event.Trace)); sc.IsValid() {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	if len(links) == 0 { // nothing that anybody follows
		return ctx, batchSpan{}
	}
	ctx, span := otel.Tracer(scope).Start(ctx, "consume "+b.topic, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...),
		trace.WithAttributes(
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.destination.name", b.topic),
			attribute.Int("messaging.destination.partition.id", b.partition),
			attribute.Int("messaging.batch.message_count", len(b.items)),
			attribute.String("messaging.consumer.group.name", "guanxi."+e.service+"."+e.consumer.Name)))
	return ctx, batchSpan{span}
}

func (s batchSpan) fail(err error) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, codeOf(err))
	}
}

func (s batchSpan) end() {
	if s.span != nil {
		s.span.End()
	}
}

// eventSpans continues the traces of the events themselves, where they are few: so one trace leads from the request over
// the outbox and Kafka to here. What a lone event causes becomes part of its trace.
func (e *engine) eventSpans(ctx context.Context, events []Event) (context.Context, func(error)) {
	if e.shadow || len(events) > fewEvents {
		return ctx, func(error) {}
	}
	batch := trace.SpanContextFromContext(ctx)
	spans := make([]trace.Span, 0, len(events))
	for _, ev := range events {
		parent := telemetry.Extract(ctx, ev.Trace)
		if len(ev.Trace) == 0 || !trace.SpanContextFromContext(parent).IsValid() {
			continue
		}
		opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.destination.name", ev.Topic),
			attribute.Int("messaging.destination.partition.id", ev.Partition),
			attribute.Int64("messaging.kafka.offset", ev.Offset),
			attribute.String("guanxi.consumer", e.service+"/"+e.consumer.Name),
			attribute.String("guanxi.event.type", ev.Type),
			attribute.String("guanxi.event.id", ev.ID.String()))}
		if batch.IsValid() {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: batch}))
		}
		_, span := otel.Tracer(scope).Start(parent, "apply "+ev.Type, opts...)
		spans = append(spans, span)
	}
	if len(events) == 1 && len(spans) == 1 {
		ctx = trace.ContextWithSpan(ctx, spans[0])
	}
	return ctx, func(err error) {
		for _, s := range spans {
			if err != nil {
				s.SetStatus(codes.Error, codeOf(err))
			}
			s.End()
		}
	}
}
