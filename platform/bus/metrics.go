package bus

import (
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// metrics are the client's instruments.
type metrics struct {
	produced metric.Int64Counter
	latency  metric.Float64Histogram
	consumed metric.Int64Counter
	lag      metric.Int64Gauge
	paused   metric.Int64UpDownCounter
	rebuilt  metric.Int64Counter
}

func newMetrics(log *slog.Logger) metrics {
	meter := otel.Meter("github.com/guanxi-crm/guanxi/platform/bus")
	var m metrics
	var errs [6]error
	m.produced, errs[0] = meter.Int64Counter("guanxi.bus.produced", metric.WithUnit("{record}"),
		metric.WithDescription("Records that Kafka acknowledged"))
	m.latency, errs[1] = meter.Float64Histogram("guanxi.bus.produce.duration", metric.WithUnit("s"),
		metric.WithDescription("From sending a batch to its acknowledgement by all replicas"))
	m.consumed, errs[2] = meter.Int64Counter("guanxi.bus.consumed", metric.WithUnit("{record}"),
		metric.WithDescription("Records that a consumer handled"))
	m.lag, errs[3] = meter.Int64Gauge("guanxi.bus.consumer.lag", metric.WithUnit("{record}"),
		metric.WithDescription("Records of a partition that the consumer has not handled yet"))
	m.paused, errs[4] = meter.Int64UpDownCounter("guanxi.bus.consumer.paused", metric.WithUnit("{partition}"),
		metric.WithDescription("Partitions that wait to try a failed batch again"))
	m.rebuilt, errs[5] = meter.Int64Counter("guanxi.bus.consumer.rebuilt", metric.WithUnit("{group}"),
		metric.WithDescription("Times the stall watchdog joined a consumer group afresh"))
	for _, err := range errs {
		if err != nil { // the instrument still works, but records nothing
			log.Error("bus metric", "error", err)
		}
	}
	return m
}
