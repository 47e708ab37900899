package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	meterName = "github.com/guanxi-crm/guanxi/platform/app"
	// measureEvery is how often a service's state is measured. It asks the database, Kafka and Temporal a few questions.
	measureEvery = 15 * time.Second
)

// gauges are the state of a service as alerts look at it: what GET /v1/ops/{service}/status answers, as metrics.
type gauges struct {
	reachable              metric.Int64Gauge
	backlog, outboxParked  metric.Int64Gauge
	oldest                 metric.Float64Gauge
	waiting                metric.Int64Gauge
	consumerLag, setAside  metric.Int64Gauge
	service, kafka, engine metric.MeasurementOption
	database               metric.MeasurementOption
}

func newGauges(service string) gauges {
	m := otel.Meter(meterName)
	whole := func(name, unit, text string) metric.Int64Gauge {
		g, err := m.Int64Gauge(name, metric.WithUnit(unit), metric.WithDescription(text))
		if err != nil { // the names are constants
			otel.Handle(err)
		}
		return g
	}
	oldest, err := m.Float64Gauge("guanxi.outbox.oldest", metric.WithUnit("s"), metric.WithDescription("Age of the oldest event that Kafka has not acknowledged"))
	if err != nil {
		otel.Handle(err)
	}
	of := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributes(append(more, attribute.String("guanxi.service", service))...)
	}
	return gauges{
		reachable:    whole("guanxi.service.reachable", "1", "1: the service reaches the part and finds it in order; 0: it does not"),
		backlog:      whole("guanxi.outbox.backlog", "{event}", "Events that are committed and not yet in Kafka"),
		outboxParked: whole("guanxi.outbox.refused", "{event}", "Events that Kafka refused for good and that wait for an operator"),
		oldest:       oldest,
		waiting:      whole("guanxi.flow.waiting", "{process}", "Processes that the process engine has not started yet"),
		consumerLag:  whole("guanxi.inbox.lag", "{event}", "Events in its topics that a consumer has not applied"),
		setAside:     whole("guanxi.inbox.set_aside", "{event}", "Events that wait for an operator, those that queue behind them included"),
		service:      of(),
		database:     of(attribute.String("part", "database")),
		kafka:        of(attribute.String("part", "kafka")),
		engine:       of(attribute.String("part", "temporal")),
	}
}

func (g gauges) record(ctx context.Context, s Status) {
	ok := func(state string) int64 {
		if state == stateOK {
			return 1
		}
		return 0
	}
	g.reachable.Record(ctx, ok(s.Database), g.database)
	if s.Database != stateOK {
		return // nothing else is known
	}
	g.reachable.Record(ctx, ok(s.Kafka), g.kafka)
	g.reachable.Record(ctx, ok(s.Temporal), g.engine)
	g.backlog.Record(ctx, s.OutboxBacklog, g.service)
	g.outboxParked.Record(ctx, s.OutboxParked, g.service)
	g.oldest.Record(ctx, s.OutboxOldestSeconds, g.service)
	g.waiting.Record(ctx, s.ProcessesWaiting, g.service)
	for _, c := range s.Consumers {
		of := metric.WithAttributes(attribute.String("guanxi.service", s.Service), attribute.String("consumer", c.Name))
		if c.Lag >= 0 {
			g.consumerLag.Record(ctx, c.Lag, of)
		}
		g.setAside.Record(ctx, c.Parked, of)
	}
}

// measure records the service's state again and again. Every replica that runs the relay does; they say the same.
func (s *service) measure(ctx context.Context) error {
	g := newGauges(s.Name)
	return Every(measureEvery, s.deps.Log, "measurements of the service's state", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, measureEvery)
		defer cancel()
		status, err := s.status(ctx)
		if err != nil {
			g.reachable.Record(ctx, 0, g.database)
			return err
		}
		g.record(ctx, status)
		return nil
	})(ctx)
}

// exposeMetrics serves GET /metrics on addr until ctx ends.
func exposeMetrics(ctx context.Context, addr string, metrics http.Handler, log *slog.Logger) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // a scrape that breaks off costs one point
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
