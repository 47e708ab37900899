// Package outbox keeps events in the transaction that caused them and carries them to Kafka after it.
package outbox

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Event is one fact about one aggregate.
type Event struct {
	Aggregate string    // its type, such as customer
	ID        uuid.UUID // the aggregate's id
	Message   proto.Message
	Time      time.Time
}

// Outbox is the outbox of one service.
type Outbox struct{ service string }

// New makes the outbox of the service.
func New(service string) *Outbox { return &Outbox{service: service} }

// Append queues the events in the transaction, in order.
func (o *Outbox) Append(ctx context.Context, tx *pg.Tx, events ...Event) error { panic("not yet") }

// Topic is the topic that the events go to.
func (o *Outbox) Topic() string { return "guanxi." + o.service + ".events.v1" }

// Backlog tells how many rows wait, and since when.
func Backlog(ctx context.Context, db *pg.DB) (rows int64, oldest time.Time, err error) {
	panic("not yet")
}
