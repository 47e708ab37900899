package app

import (
	"context"
	"log/slog"
	"time"
)

// Every makes a loop of Parts.Background: it calls do after each pause until its context ends. It does not end with an
// error of do, and logs what it keeps from being done once, until do succeeds again.
func Every(pause time.Duration, log *slog.Logger, what string, do func(ctx context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		failing := false
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			err := do(ctx)
			if err != nil && ctx.Err() == nil && !failing {
				log.WarnContext(ctx, "this waits and is tried again", "what", what, "error", err)
			}
			failing = err != nil
		}
	}
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
