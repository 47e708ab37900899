// Package events knows every event of the platform and reads what each says of itself by the option
// guanxi.options.v1.event: whom it is about, when it happened, what a timeline shows of it and which facts it changes. It
// is for readers that know no service. There is no I/O in it.
package events

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	// The contracts of every service's events, which register themselves. A test finds the one that is forgotten here.
	_ "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	_ "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	_ "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	_ "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/rollout/events/v1"
	_ "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	_ "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"

	optionsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/options/v1"
)

// Type is one kind of event.
type Type struct {
	message  protoreflect.MessageType
	about    *optionsv1.Event
	customer protoreflect.FieldDescriptor // nil: about no customer
	time     protoreflect.FieldDescriptor
	shows    []protoreflect.FieldDescriptor
	facts    []fact
}

// fact is a change of a fact that events of a type make.
type fact struct {
	name        string
	field, unit protoreflect.FieldDescriptor // nil: 1, and no unit
	oneOf       []string                     // the field is a string: 1 for these, 0 for others
	effect      optionsv1.FactEffect
}

// About is what one event says of itself.
type About struct {
	Customer string    // the customer's id; empty where the event is about none, or where it is not known yet
	At       time.Time // when it happened in the world, in UTC
	Shows    []Shown   // in the order of the contract
	Facts    []Change  // in the order of the contract
}

// Shown is a field that a timeline shows.
type Shown struct {
	Name  string // the field's proto name, such as total_minor
	Value any    // a string, an int64 or a bool; the type's default where the event says nothing
}

// Change is what an event does to one fact that is kept of its customer.
type Change struct {
	Name   string // such as revenue_minor
	Unit   string // what the value is counted in, such as CNY; empty where there is only one such thing
	Effect optionsv1.FactEffect
	Value  int64
}

// Contact says which events of a type were a contact; the zero Contact says that all were.
type Contact struct {
	Field string   // that carries the code, one of those that the event shows
	OneOf []string // codes with which it was one
}

// All gives every type of event, ordered by name.
func All() []Type {
	var all []Type
	protoregistry.GlobalTypes.RangeMessages(func(m protoreflect.MessageType) bool {
		if about, _ := proto.GetExtension(m.Descriptor().Options(), optionsv1.E_Event).(*optionsv1.Event); about != nil {
			all = append(all, newType(m, about))
		}
		return true
	})
	slices.SortFunc(all, func(a, b Type) int { return cmp.Compare(a.Name(), b.Name()) })
	return all
}

func newType(m protoreflect.MessageType, about *optionsv1.Event) Type {
	field := func(name string) protoreflect.FieldDescriptor { // nil for the empty name
		return m.Descriptor().Fields().ByName(protoreflect.Name(name))
	}
	t := Type{message: m, about: about, customer: field(about.GetCustomer()), time: field(about.GetTime())}
	for _, name := range about.GetShows() {
		t.shows = append(t.shows, field(name))
	}
	for _, f := range about.GetFacts() {
		t.facts = append(t.facts, fact{name: f.GetName(), field: field(f.GetField()), unit: field(f.GetUnit()), oneOf: f.GetOneOf(), effect: f.GetEffect()})
	}
	return t
}

// Name is the full name, such as guanxi.sales.events.v1.OrderPlaced: the ce_type of the event.
func (t Type) Name() string { return string(t.message.Descriptor().FullName()) }

// Topic is where events of the type are published, such as guanxi.sales.events.v1: the package of their message.
func (t Type) Topic() string { return string(t.message.Descriptor().ParentFile().Package()) }

// Service is whose events they are, such as sales.
func (t Type) Service() string {
	service, _, _ := strings.Cut(strings.TrimPrefix(t.Topic(), "guanxi."), ".")
	return service
}

// Aggregate is the type of the aggregates on whose streams they stand, such as order.
func (t Type) Aggregate() string { return t.about.GetAggregate() }

// Title is the code of the title on a timeline, such as order_placed. No other type of the service has it.
func (t Type) Title() string { return t.about.GetTitle() }

// NamesCustomer tells whether events of the type have a field for the customer. It may be empty in a given event.
func (t Type) NamesCustomer() bool { return t.customer != nil }

// Contact tells by which events of the type the customer and the organisation were in touch; false for none.
func (t Type) Contact() (Contact, bool) {
	condition := t.about.GetContactIf()
	return Contact{Field: condition.GetField(), OneOf: condition.GetOneOf()}, t.about.GetContact()
}

// New gives an empty event of the type.
func (t Type) New() proto.Message { return t.message.New().Interface() }

// Read gives what the event m, which is of the type, says of itself. The error says that its time is missing or none.
func (t Type) Read(m proto.Message) (About, error) {
	event := m.ProtoReflect()
	var a About
	at, ok := event.Get(t.time).Message().Interface().(*timestamppb.Timestamp)
	if !ok || !event.Has(t.time) || at.CheckValid() != nil {
		return About{}, fmt.Errorf("%s is not a time", t.time.Name())
	}
	a.At = at.AsTime()
	if t.customer != nil {
		a.Customer = event.Get(t.customer).String()
	}
	if len(t.shows) > 0 {
		a.Shows = make([]Shown, len(t.shows))
	}
	for i, field := range t.shows {
		a.Shows[i] = Shown{string(field.Name()), plain(event.Get(field))}
	}
	if len(t.facts) > 0 {
		a.Facts = make([]Change, len(t.facts))
	}
	for i, f := range t.facts {
		c := Change{Name: f.name, Effect: f.effect, Value: 1}
		if f.unit != nil {
			c.Unit = event.Get(f.unit).String()
		}
		switch {
		case len(f.oneOf) > 0:
			if !slices.Contains(f.oneOf, event.Get(f.field).String()) {
				c.Value = 0
			}
		case f.field != nil:
			c.Value, _ = plain(event.Get(f.field)).(int64)
		}
		a.Facts[i] = c
	}
	return a, nil
}

// plain is a value without the width that it has on the wire. The contracts show and count no integer that an int64 does
// not hold.
func plain(v protoreflect.Value) any {
	switch v := v.Interface().(type) {
	case int32:
		return int64(v)
	case uint32:
		return int64(v)
	default:
		return v
	}
}
