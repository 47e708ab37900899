package app

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/guanxi-crm/guanxi/platform/pace"
)

// Every makes a loop of Parts.Background: it calls do once every pause until its context ends, the first time somewhere
// within it, so that the process's loops do not all ask at once. It does not end with an error of do, and logs what it
// keeps from being done once, until do succeeds again; meanwhile the metric guanxi.background.failing of what is 1.
func Every(pause time.Duration, log *slog.Logger, what string, do func(ctx context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := pace.NewTicker(pause)
		defer tick.Stop()
		failing := false
		gauge, of := failures(what)
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if ctx.Err() != nil { // both were ready, and select takes either
				return nil
			}
			err := do(ctx)
			if err != nil && ctx.Err() == nil && !failing {
				log.WarnContext(ctx, "this waits and is tried again", "what", what, "error", err)
			}
			if failing != (err != nil) && ctx.Err() == nil {
				failing = err != nil
				gauge.Record(ctx, map[bool]int64{true: 1}[failing], of)
			}
		}
	}
}

// failures gives the gauge of what. It is a constant of the code: no ids, and no personal data.
func failures(what string) (metric.Int64Gauge, metric.MeasurementOption) {
	gauge, err := otel.Meter(meterName).Int64Gauge("guanxi.background.failing", metric.WithUnit("1"),
		metric.WithDescription("1: a loop of the background cannot do its work and tries again"))
	if err != nil { // the name is a constant
		otel.Handle(err)
	}
	return gauge, metric.WithAttributes(attribute.String("what", what))
}

// Rest waits for d, or until ctx ends: then it gives the context's error.
func Rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
