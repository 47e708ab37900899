// Package inbox applies events to a service's database: each batch of a partition in one transaction together with the
// consumer's position, so that an event has its effect exactly once. What an event itself makes fail is parked for
// people to decide on; what infrastructure makes fail is tried again for as long as it takes.
//
// The same consumers fill a projection anew: a [Rebuilder] runs them against the schema shadow and swaps it in.
package inbox

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// MaxBatch is the most events of a partition that one transaction applies.
const MaxBatch = 500

// Event is an event of another service with its decoded message.
type Event struct {
	bus.Event
	Message proto.Message
}

// Consumer says which events are taken and what they do.
type Consumer struct {
	// Name is the consumer's name within its service; it keys positions and cursors, so it stays for life.
	Name string
	// Topics are read from their start.
	Topics []string
	// Ordered consumers get the events of an aggregate without gaps and in sequence: a later one waits for an earlier
	// one. The others get each event once, in the order of arrival as long as none is parked.
	Ordered bool
	// Lasting says that its effects are no part of the service's projection: a rebuild neither runs it nor forgets where
	// it stands. It has no meaning in a service without a projection.
	Lasting bool
	// Pace is the least time between the beginnings of two batches of a partition that are not full. Under a steady load
	// batches grow, and cost less an event; a single event is applied at once. 0: every event as soon as it is there.
	Pace time.Duration
	// Handles are empty messages of the types that Apply is given; events of other types pass by.
	Handles []proto.Message
	// Apply writes the effects of 1 to [MaxBatch] events of one tenant, in order of arrival, into tx, whose tenant is
	// set. It works on sets: two statements for a batch, not two an event. It may be called again with the same events
	// or some of them after tx was rolled back, so it must not reach outside tx. The context carries the tenant and a
	// subject named after the consumer.
	//
	// An error is taken as the fault of one of the events, unless it tells of infrastructure: see [Infrastructure].
	Apply func(ctx context.Context, tx *pg.Tx, events []Event) error
}

// Ops is what the operators' routes and the rebuild need to know of a service.
type Ops struct {
	Service   string
	DB        *pg.DB // as the app role
	OpsDB     *pg.DB // as the ops role: looks over all tenants
	Bus       *bus.Client
	Outbox    *outbox.Outbox
	Consumers []Consumer
	// ProjectionTables are the tables that a rebuild empties, fills and compares; none: the service has no projection.
	ProjectionTables []string
	Log              *slog.Logger
}

type rebuildingKey struct{}

// Rebuilding tells whether Apply runs for a rebuild. What it does then must stay within its tables: nothing is
// published and nothing is started.
func Rebuilding(ctx context.Context) bool {
	on, _ := ctx.Value(rebuildingKey{}).(bool)
	return on
}

func withRebuilding(ctx context.Context) context.Context {
	return context.WithValue(ctx, rebuildingKey{}, true)
}
