// Package timeline keeps what the services' topics say of each customer: one timeline, and facts such as the number of
// orders or the points that are left. It knows no service: events say by the option guanxi.options.v1.event whom they are
// about, when it happened, what is shown and which facts change.
//
// Events of one aggregate come in order; those of different aggregates come in any. An event whose customer is not known
// waits, unresolved, for the first later event of its aggregate that names one.
package timeline

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Entry is one event on a customer's timeline.
type Entry struct {
	EventID     uuid.UUID
	At          time.Time // when it happened in the world
	Service     string    // whose event it is, such as sales
	Title       string    // a code, such as order_placed; unique within the service
	Aggregate   string    // what it is about, such as order
	AggregateID string
	// Details are the fields that the event shows, by name: strings, whole numbers and truths. A string that is empty in
	// the event is left out.
	Details map[string]json.RawMessage
	TraceID string // of what made the event, 32 hexadecimal digits; empty where that was not recorded
}

// Fact is a number that is kept of a customer.
type Fact struct {
	Name  string
	Unit  string // what Value is counted in, such as CNY; empty where there is only one such thing
	Value int64
}

// AsOf is the time of the newest event of a service that was placed on the tenant's timelines.
type AsOf struct {
	Service string
	At      time.Time
}

// View is a page of a customer's timeline, with what is known of the customer besides.
type View struct {
	Entries []Entry // the latest first
	Facts   []Fact  // by name and unit
	AsOf    []AsOf  // by service; those of which nothing was heard are left out
}

// place is where an entry stands on a timeline.
type place struct {
	at    time.Time
	event uuid.UUID
}

// theEnd comes after every entry: it is the last time that an event can have.
var theEnd = place{time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), uuid.Max}

// stream names an aggregate, by which events come in order.
type stream struct{ service, aggregate, id string }

// contributor is how the aggregate is named where it contributes to a fact.
func (s stream) contributor() string { return s.service + "/" + s.aggregate + "/" + s.id }

// entry is an event on its way to a timeline.
type entry struct {
	stream
	event    uuid.UUID
	customer uuid.UUID // nil UUID: not known yet
	at       time.Time
	title    string
	details  string // JSON
	changes  []change
	trace    []byte // nil: not recorded
	epoch    int
	seq      int64
}

// first tells whether nothing of the aggregate can be waiting for this event.
func (e entry) first() bool { return e.seq == 1 && e.epoch <= 1 }

// change is what an event does to one fact.
type change struct {
	Name  string `json:"name"`
	Unit  string `json:"unit,omitempty"`
	Set   bool   `json:"set,omitempty"` // the aggregate's part of the fact is Value from now on; otherwise Value is added
	Value int64  `json:"value"`         // less than 0 where something is taken away
}

// resolve gives every entry its customer as soon as an entry of its aggregate names one: those that were kept from before
// and those of a batch, both in order. What is left stays unknown. Within an aggregate the order is kept.
func resolve(kept, batch []entry) (known, unknown []entry) {
	waiting := make(map[stream][]entry)
	for _, e := range kept {
		waiting[e.stream] = append(waiting[e.stream], e)
	}
	known = make([]entry, 0, len(kept)+len(batch))
	for _, e := range batch {
		if e.customer == uuid.Nil {
			waiting[e.stream] = append(waiting[e.stream], e)
			continue
		}
		for _, w := range waiting[e.stream] {
			w.customer = e.customer
			known = append(known, w)
		}
		delete(waiting, e.stream)
		known = append(known, e)
	}
	for _, left := range waiting {
		unknown = append(unknown, left...)
	}
	return known, unknown
}

// part is what one contributor gives to a fact.
type part struct {
	customer                uuid.UUID
	name, unit, contributor string
}

// errOverflow says that a fact of one batch does not fit 64 bits.
var errOverflow = errors.New("a fact adds up to more than 64 bits")

// tally adds up what entries do to facts: what is added comes from the partition, and of what an aggregate sets the last
// value counts.
func tally(entries []entry, partition string) (added, set map[part]int64, err error) {
	added, set = make(map[part]int64, 2*len(entries)), make(map[part]int64)
	for _, e := range entries {
		for _, c := range e.changes {
			if c.Set {
				set[part{e.customer, c.Name, c.Unit, e.contributor()}] = c.Value
				continue
			}
			key := part{e.customer, c.Name, c.Unit, partition}
			sum := added[key] + c.Value
			if (sum > added[key]) != (c.Value > 0) {
				return nil, nil, errOverflow
			}
			added[key] = sum
		}
	}
	return added, set, nil
}
