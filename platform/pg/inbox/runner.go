package inbox

import (
	"context"
	"log/slog"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// Runner runs one consumer.
type Runner struct{}

// NewRunner makes the runner of the consumer.
func NewRunner(db *pg.DB, client *bus.Client, o *outbox.Outbox, service string, c Consumer, log *slog.Logger) *Runner {
	return &Runner{}
}

// Run consumes until ctx ends.
func (r *Runner) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// ConsumerState is where a consumer stands.
type ConsumerState struct {
	Parked    int64
	Queued    int64
	positions map[string]map[int]int64
}

// Position is the next offset that the consumer will apply; 0 where it has not begun.
func (s ConsumerState) Position(topic string, partition int) int64 { return s.positions[topic][partition] }

// State tells where the consumer stands; db is of the ops role.
func State(ctx context.Context, db *pg.DB, c Consumer) (ConsumerState, error) {
	return ConsumerState{}, nil
}

// Routes mounts the operators' routes.
func Routes(o Ops) func(*httpx.API) { return func(*httpx.API) {} }
