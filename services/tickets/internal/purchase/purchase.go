// Package purchase keeps what customers bought, as sales tells: whose order it was, what was in it, what came back, and how
// many units of each article were sold on which day. All of it can be rebuilt from the topics.
//
// The tables are for the rooms after this one to read:
//
//	purchase         orders; customer_id as it was written, empty while the customer is not known: read it through
//	                 platform/alias (customer_group, customer_aliases)
//	purchase_line    their lines
//	purchase_return  what came back, in parts
//	purchase_unit    units by article and day in UTC, to be summed over slots; the empty article is all of them together
//
// They stand in the schema of the projection: a function that sets its search_path has to name live.
package purchase

import (
	"time"

	"github.com/google/uuid"
)

// Tables are those that a rebuild makes anew.
func Tables() []string {
	return []string{"purchase", "purchase_line", "purchase_return", "purchase_unit", "purchase_as_of"}
}

// Order is an order as it was placed.
type Order struct {
	ID         uuid.UUID
	CustomerID uuid.UUID // Nil: not known yet
	Channel    string
	Currency   string // ISO 4217
	Units      int64
	TotalMinor int64
	PlacedAt   time.Time
	Lines      []Line
	Slot       int // partition
}

// Line is one line of an order.
type Line struct {
	No          int32
	SKU         string // empty where the source knows only totals
	Quantity    int64
	AmountMinor int64 // of the whole line
}

// Return is goods of an order that came back.
type Return struct {
	ID, OrderID uuid.UUID
	Units       int64
	AmountMinor int64 // positive
	ReturnedAt  time.Time
}

// Attribution says whose order it is.
type Attribution struct{ OrderID, CustomerID uuid.UUID }

// Batch is what a batch of events says.
type Batch struct {
	Orders       []Order
	Attributions []Attribution
	Returns      []Return
	newest       map[int]time.Time // by partition
}
