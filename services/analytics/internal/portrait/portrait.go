// Package portrait keeps one row a customer with all that is known of it, for segments, tags and models to read. Its facts are
// reckoned anew, from the star and through aliases, whenever something is heard of the customer; its scores are written by
// the rooms that reckon them.
package portrait

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// Follow is a room's part in a pass: customers have had their portraits reckoned in tx, at this moment. They are those who
// stand for all their ids; one who has no portrait any more was merged into another or erased. It gives the events that
// follow, which the pass appends.
type Follow func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, at time.Time) ([]outbox.Event, error)
