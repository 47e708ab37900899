// Package telemetry sets up traces, metrics and logs once for a process, and carries the trace context through what is
// not HTTP: outbox rows, Kafka headers and rows that a later process picks up.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// How often metrics leave the process, which is how often the state of a service is measured, and how long spans wait for
// company: short enough that a person who watches sees what just happened.
const (
	metricInterval = 15 * time.Second
	spanDelay      = time.Second
)

// Config says who is speaking.
type Config struct {
	Service string // resource attribute service.name
	Version string // resource attribute service.version
	Env     string // "development" logs as text on a terminal; anything else as JSON
	Level   string // debug, info, warn or error; empty is info
	// Pull keeps metrics for Telemetry.Metrics as well.
	Pull bool
}

// Telemetry is what Setup has set up.
type Telemetry struct {
	Log *slog.Logger
	// Metrics answers Prometheus; nil unless Config.Pull.
	Metrics http.Handler
	// Shutdown flushes what is left, in the time of its context.
	Shutdown func(context.Context) error
}

// Setup sets the global propagators (W3C trace context and baggage), makes the log, and, when
// OTEL_EXPORTER_OTLP_ENDPOINT is set, exports traces and metrics to it over OTLP/HTTP. The other standard OTEL_
// variables hold as well. An endpoint that is away costs the data, never the process.
func Setup(ctx context.Context, cfg Config) (Telemetry, error) {
	level, err := parseLevel(cfg.Level)
	if err != nil {
		return Telemetry{}, err
	}
	log := slog.New(newHandler(os.Stderr, level, cfg.Env == "development" && isTerminal(os.Stderr)))
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Debug("telemetry", "error", err) }))
	res, err := describe(ctx, cfg)
	if err != nil {
		return Telemetry{}, err
	}
	stopTraces, err := setupTraces(ctx, res)
	if err != nil {
		return Telemetry{}, err
	}
	metrics, stopMetrics, err := setupMetrics(ctx, res, cfg.Pull)
	if err != nil {
		return Telemetry{}, err
	}
	return Telemetry{Log: log, Metrics: metrics, Shutdown: func(ctx context.Context) error {
		return errors.Join(stopTraces(ctx), stopMetrics(ctx))
	}}, nil
}

func setupTraces(ctx context.Context, res *resource.Resource) (stop func(context.Context) error, err error) {
	if !endpointSet() {
		// Nobody listens, but requests still get trace ids: logs and answers name them, and events hand on a caller's.
		otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample()))))
		return func(context.Context) error { return nil }, nil
	}
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: traces: %w", err)
	}
	var batches []sdktrace.BatchSpanProcessorOption
	if os.Getenv("OTEL_BSP_SCHEDULE_DELAY") == "" {
		batches = append(batches, sdktrace.WithBatchTimeout(spanDelay))
	}
	if os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE") == "" {
		batches = append(batches, sdktrace.WithMaxQueueSize(16384))
	}
	tracer := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(spans, batches...))
	otel.SetTracerProvider(tracer)
	return tracer.Shutdown, nil
}

// setupMetrics gives a nil handler unless pull, and sets nothing where nobody would see metrics.
func setupMetrics(ctx context.Context, res *resource.Resource, pull bool) (http.Handler, func(context.Context) error, error) {
	options := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithView(plainGauges)}
	without := len(options)
	var handler http.Handler
	if endpointSet() {
		push, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: metrics: %w", err)
		}
		var often []sdkmetric.PeriodicReaderOption
		if os.Getenv("OTEL_METRIC_EXPORT_INTERVAL") == "" {
			often = append(often, sdkmetric.WithInterval(metricInterval))
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(push, often...)))
	}
	if pull {
		registry := prom.NewRegistry() // of its own: the global one has what no alert looks at
		reader, err := prometheus.New(prometheus.WithRegisterer(registry), prometheus.WithoutScopeInfo())
		if err != nil {
			return nil, nil, fmt.Errorf("metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(reader))
		handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	}
	if len(options) == without { // readers
		return nil, func(context.Context) error { return nil }, nil
	}
	meter := sdkmetric.NewMeterProvider(options...)
	otel.SetMeterProvider(meter)
	return handler, meter.Shutdown, nil
}

// plainGauges has gauges keep no exemplars: nobody can ask for those of a state that is measured now and then, and room for
// them at each collection was a tenth of all that an idle process threw away.
var plainGauges = sdkmetric.NewView(sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindGauge}, sdkmetric.Stream{
	ExemplarReservoirProviderSelector: func(sdkmetric.Aggregation) exemplar.ReservoirProvider {
		return func(attribute.Set) exemplar.Reservoir { return noExemplars{} }
	},
})

type noExemplars struct{}

func (noExemplars) Offer(context.Context, time.Time, exemplar.Value, []attribute.KeyValue) {}

func (noExemplars) Collect(dest *[]exemplar.Exemplar) { *dest = (*dest)[:0] }

func endpointSet() bool {
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" && os.Getenv("OTEL_SDK_DISABLED") != "true"
}

// describe makes the resource. The process's own words win over OTEL_RESOURCE_ATTRIBUTES, so that a trace always
// names the part that made it.
func describe(ctx context.Context, cfg Config) (*resource.Resource, error) {
	own := []attribute.KeyValue{
		attribute.String("service.name", cfg.Service),
		attribute.String("service.version", cfg.Version),
		attribute.String("deployment.environment.name", cfg.Env),
	}
	res, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithProcessPID(), resource.WithAttributes(own...))
	if err != nil && res == nil {
		return nil, fmt.Errorf("telemetry resource: %w", err)
	}
	return res, nil
}

// Tracer gives a tracer of the process's provider; name is the package or part that makes the spans.
func Tracer(name string) trace.Tracer { return otel.Tracer(name) }

// Inject gives the trace context of ctx as headers (traceparent, tracestate, baggage), to be stored or sent. The map is
// empty, never nil, where there is no trace.
func Inject(ctx context.Context) map[string]string {
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	return carrier
}

// Extract puts the trace context of stored or received headers into ctx, so that the next span becomes its child.
func Extract(ctx context.Context, headers map[string]string) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, propagation.MapCarrier(headers))
}
