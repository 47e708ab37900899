package timeline

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/proto/events"
	optionsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/options/v1"
)

// placed are the types of the events that have a place on a timeline: those that name a customer.
func placed() []events.Type {
	return slices.DeleteFunc(events.All(), func(t events.Type) bool { return !t.NamesCustomer() })
}

// Contacts are the entries by which a customer and the organisation were in touch, for [ContactSQL]: service and title of
// each, such as tickets/ticket_opened, and where only some entries of a title were such, that with a question mark and with
// each of their codes, such as sales/activity_completed? and sales/activity_completed?kind=call.
func Contacts() []string {
	var contacts []string
	for _, t := range placed() {
		when, contact := t.Contact()
		entry := t.Service() + "/" + t.Title()
		switch {
		case contact && when.Field == "":
			contacts = append(contacts, entry)
		case contact:
			contacts = append(contacts, entry+"?")
			for _, code := range when.OneOf {
				contacts = append(contacts, entry+"?"+when.Field+"="+code)
			}
		}
	}
	return contacts
}

// ContactSQL is the condition that a row of timeline_entry is a contact, by what [Contacts] gives in the parameter. What an
// entry shows is looked at only where it matters: most of a timeline is passed over by its titles.
func ContactSQL(parameter string) string {
	return `(service || '/' || title = ANY(` + parameter + `::text[]) OR CASE WHEN service || '/' || title || '?' = ANY(` + parameter + `::text[])
		THEN EXISTS (SELECT FROM json_each_text(details) AS shown (name, code)
			WHERE service || '/' || title || '?' || shown.name || '=' || shown.code = ANY(` + parameter + `::text[])) ELSE false END)`
}

// pace keeps the timeline, which hears of everything, from taking a transaction for each event under a steady load. At
// 1,400 events a second it has a third of the transactions and 40 % of the database's time that it had without.
const pace = 50 * time.Millisecond

// Consumer places whatever event names a customer, of every service that there is.
func Consumer() inbox.Consumer {
	p := projector{}
	c := inbox.Consumer{Name: "timeline", Ordered: true, Pace: pace, Apply: p.apply}
	for _, t := range placed() {
		p[t.Name()] = t
		c.Handles = append(c.Handles, t.New())
		if !slices.Contains(c.Topics, t.Topic()) {
			c.Topics = append(c.Topics, t.Topic())
		}
	}
	return c
}

// projector are the types of the events that it places, by name.
type projector map[string]events.Type

// apply places a batch: events of one tenant that came by one partition.
func (p projector) apply(ctx context.Context, tx *pg.Tx, heard []inbox.Event) error {
	batch := make([]entry, len(heard))
	var newest time.Time
	for i, e := range heard {
		var err error
		if batch[i], err = p.read(e); err != nil {
			return err
		}
		if e.Time.After(newest) {
			newest = e.Time
		}
	}
	kept, err := takeKept(ctx, tx, batch)
	if err != nil {
		return err
	}
	known, unknown := resolve(kept, batch)
	if err := keep(tx, unknown); err != nil {
		return err
	}
	moveAsOf(tx, p[heard[0].Type].Service(), heard[0].Partition, newest)
	fresh, err := insert(ctx, tx, known)
	if err != nil {
		return err
	}
	return count(tx, fresh, heard[0].Partition)
}

// read makes an entry of an event. One that breaks its own contract is a problem of the kind Unprocessable: trying again
// cannot help.
func (p projector) read(e inbox.Event) (entry, error) {
	t := p[e.Type]
	about, err := t.Read(e.Message)
	if err != nil {
		return entry{}, broken(e, err.Error())
	}
	n := entry{
		stream: stream{t.Service(), e.AggregateType, e.AggregateID},
		event:  e.ID, at: about.At, title: t.Title(), epoch: e.Epoch, seq: e.Sequence, trace: recorded(e.Trace),
	}
	if about.Customer != "" {
		if n.customer, err = uuid.Parse(about.Customer); err != nil || n.customer == uuid.Nil {
			return entry{}, broken(e, "the customer is not an id")
		}
	}
	if n.details, err = details(about.Shows); err != nil {
		return entry{}, broken(e, err.Error())
	}
	n.changes = make([]change, len(about.Facts))
	for i, f := range about.Facts {
		c := change{Name: f.Name, Unit: f.Unit, Value: f.Value, Set: f.Effect == optionsv1.FactEffect_FACT_EFFECT_SET}
		if f.Effect == optionsv1.FactEffect_FACT_EFFECT_SUBTRACT {
			c.Value = -c.Value
		}
		n.changes[i] = c
	}
	return n, nil
}

// recorded gives the id of the trace that an event's headers name, nil where that was not recorded: every request has an id of a
// trace, but a link to one of which nothing was kept leads nowhere.
func recorded(headers map[string]string) []byte {
	in := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier(headers)))
	if !in.IsValid() || !in.IsSampled() {
		return nil
	}
	id := in.TraceID()
	return id[:]
}

// details writes what an event shows as JSON, always the same text for the same event.
func details(shows []events.Shown) (string, error) {
	fields := make(map[string]any, len(shows))
	for _, s := range shows {
		if s.Value != "" {
			fields[s.Name] = s.Value
		}
	}
	text, err := json.Marshal(fields)
	return string(text), err
}

func broken(e inbox.Event, why string) error {
	return problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: %s.", e.Type, e.ID, why)
}
