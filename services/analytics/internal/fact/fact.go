// Package fact keeps what topics say as rows that questions can be asked of, a star: customers, what they bought and brought
// back, what they asked, complained of and answered, what they collect and hear from us. Events of one aggregate come in order; those of different aggregates come in any, so that an
// order may be here before its customer. Facts keep the customer's id that they came with; questions are asked by whom it
// means since merges, so that an undone one leaves no trace.
package fact

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
)

// Tables are the tables of the star, all of which a rebuild has to reach again.
func Tables() []string {
	return []string{
		"fact_customer", "fact_order", "fact_return", "sales_day", "fact_as_of", "fact_ticket", "fact_complaint", "fact_interaction",
		"fact_member", "fact_membership", "fact_points", "fact_answer", "fact_touch", "fact_lead", "fact_opportunity", "fact_product",
	}
}

// Customer is a customer as far as analytics needs one: nothing that tells who it is.
type Customer struct {
	ID           uuid.UUID
	Kind         string // person or organisation
	Source       string
	RegisteredAt time.Time
}

// Order is a purchase. Amounts are in minor units of Currency.
type Order struct {
	ID         uuid.UUID
	CustomerID *uuid.UUID // nil until the customer is heard of
	Channel    string
	Currency   string
	Units      int64
	TotalMinor int64
	PlacedAt   time.Time
	Slot       int // the partition it came by

	OpportunityID *uuid.UUID // that was won by it
	// Its lines, one element each: article codes, units, and amounts of whole lines.
	SKUs       []string
	Quantities []int64
	Amounts    []int64
}

// Attribution says whose an order is that was heard of before its customer.
type Attribution struct {
	OrderID    uuid.UUID
	CustomerID uuid.UUID
}

// Return is what came back of an order. AmountMinor is positive.
type Return struct {
	ID          uuid.UUID
	OrderID     uuid.UUID
	Currency    string
	Units       int64
	AmountMinor int64
	ReturnedAt  time.Time
	Slot        int // the partition it came by
}

// Erasure says that a customer was erased for good.
type Erasure struct {
	CustomerID uuid.UUID
	At         time.Time
}

// Interaction is a time at which a customer and the organisation met.
type Interaction struct {
	ID         uuid.UUID `json:"id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Channel    string    `json:"channel"`
	Direction  string    `json:"direction"`
	Touchpoint string    `json:"touchpoint"`
	Outcome    string    `json:"outcome"`
	Seconds    int64     `json:"seconds"`
	At         time.Time `json:"at"`
}

// Batch is what some events of one tenant and one partition say, sorted by what it is about. Within an order the
// placing comes before all else, and the rest commutes, so that a batch can be stored kind by kind. What changes over time is
// folded: one value an aggregate with what the batch says of it.
type Batch struct {
	Customers     []Customer
	Erasures      []Erasure
	Orders        []Order
	Attributions  []Attribution
	Returns       []Return
	Merges        []alias.Change // and undone ones
	Interactions  []Interaction
	Leads         folded[Lead]
	Opportunities folded[Opportunity]
	Tickets       folded[Ticket]
	Complaints    folded[Complaint]
	Answers       folded[Answer]
	Touches       []Touch
	Members       folded[Member]
	Memberships   folded[Membership]
	Points        []Points

	newest map[mark]time.Time // time of the newest event
	due    map[uuid.UUID]bool // customers whose portraits are not right any more, and whether this is news; see [lanes]
}

// folded is one T an id, in the order in which they were first spoken of.
type folded[T any] struct {
	List []*T
	by   map[uuid.UUID]*T
}

// of gives the T of the id; begin makes one that is new to the batch.
func (f *folded[T]) of(id uuid.UUID, begin func() T) *T {
	if t := f.by[id]; t != nil {
		return t
	}
	if f.by == nil {
		f.by = make(map[uuid.UUID]*T)
	}
	t := begin()
	f.by[id] = &t
	f.List = append(f.List, &t)
	return &t
}

// Summary adds up everything a tenant has. Money is listed by currency.
type Summary struct {
	Customers int64
	Revenue   []Revenue
	// AsOf is the time of the newest event that is in these numbers; zero when there was none.
	AsOf time.Time
}

// Revenue is what was sold and came back in one currency, in its minor units.
type Revenue struct {
	Currency      string
	Orders        int64
	Units         int64 // net of units that came back
	GrossMinor    int64
	ReturnedMinor int64
}

// NetMinor is what is left after returns.
func (r Revenue) NetMinor() int64 { return r.GrossMinor - r.ReturnedMinor }

// mark is a place in the topics up to which facts are known.
type mark struct {
	topic string
	slot  int
}
