package timeline_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/timeline"
)

// heard is when the services told what they tell here.
var heard = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// on is noon of a day of November 2026.
func on(day int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC))
}

// teller makes events as the services' relays would, each aggregate with its own sequence.
type teller struct {
	t      *testing.T
	tenant string
	seq    map[string]int64
}

func newTeller(t *testing.T, tenant string) *teller {
	t.Helper()
	return &teller{t: t, tenant: tenant, seq: make(map[string]int64)}
}

func (k *teller) event(aggregate, id string, m proto.Message) bus.Event {
	k.t.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		k.t.Fatal(err)
	}
	k.seq[aggregate+id]++
	d := m.ProtoReflect().Descriptor()
	return bus.Event{
		ID: newID(), Type: string(d.FullName()), Source: "/guanxi/test", Tenant: k.tenant, Epoch: 1, Topic: string(d.ParentFile().Package()),
		AggregateType: aggregate, AggregateID: id, Sequence: k.seq[aggregate+id], Time: heard, Data: data,
		Partition: bus.Shard(k.tenant, aggregate, id),
	}
}

// placed is an order of two units; without a customer it is not known whose.
func (k *teller) placed(order, customer string, day int, total int64) bus.Event {
	k.t.Helper()
	return k.event("order", order, &salesv1.OrderPlaced{
		OrderId: order, CustomerId: customer, Channel: "shop", Currency: "CNY", Units: 2, TotalMinor: total, PlacedAt: on(day),
	})
}

func (k *teller) returned(order, customer string, day int, amount int64) bus.Event {
	k.t.Helper()
	return k.event("order", order, &salesv1.OrderReturned{
		ReturnId: newID().String(), OrderId: order, CustomerId: customer, Currency: "CNY", Units: 1, AmountMinor: amount, ReturnedAt: on(day),
	})
}

func (k *teller) attributed(order, customer string, day int) bus.Event {
	k.t.Helper()
	return k.event("order", order, &salesv1.OrderAttributed{OrderId: order, CustomerId: customer, AttributedAt: on(day)})
}

// earned is 20 points after which the member has so many.
func (k *teller) earned(member, customer string, day int, available int64) bus.Event {
	k.t.Helper()
	return k.event("member", member, &loyaltyv1.PointsEarned{
		EntryId: newID().String(), MemberId: member, CustomerId: customer, Points: 20, ReasonType: "order", EarnedAt: on(day),
		AvailableAt: on(day), Available: available,
	})
}

func (k *teller) enrolled(member, customer string, day int) bus.Event {
	k.t.Helper()
	return k.event("member", member, &loyaltyv1.MemberEnrolled{MemberId: member, CustomerId: customer, Source: "first_purchase", EnrolledAt: on(day)})
}

// ticket is a ticket that is opened, where its status is new, or stands elsewhere now.
func (k *teller) ticket(ticket, customer, status string, day int) bus.Event {
	k.t.Helper()
	if status == "new" {
		return k.event("ticket", ticket, &ticketsv1.TicketOpened{TicketId: ticket, CustomerId: customer, Kind: "enquiry", OpenedAt: on(day)})
	}
	return k.event("ticket", ticket, &ticketsv1.TicketStatusChanged{TicketId: ticket, CustomerId: customer, Status: status, ChangedAt: on(day)})
}

func (k *teller) complained(complaint, customer string, day int) bus.Event {
	k.t.Helper()
	return k.event("complaint", complaint, &ticketsv1.ComplaintRegistered{
		ComplaintId: complaint, CustomerId: customer, Number: "T-000123", Category: "delivery", Channel: "phone", RegisteredAt: on(day),
	})
}

func (k *teller) closed(complaint, customer string, day int) bus.Event {
	k.t.Helper()
	return k.event("complaint", complaint, &ticketsv1.ComplaintClosed{
		ComplaintId: complaint, CustomerId: customer, Number: "T-000123", Outcome: "settled", ClosedAt: on(day),
	})
}

// traced is the event with the trace that its command was in; flags 01: it was recorded.
func traced(e bus.Event, trace, flags string) bus.Event {
	e.Trace = map[string]string{"traceparent": "00-" + trace + "-b7ad6b7169203331-" + flags}
	return e
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// view is what the API answers.
type view struct {
	Items []struct {
		EventID     string `json:"event_id"`
		At          time.Time
		Service     string
		Title       string
		Aggregate   string
		AggregateID string `json:"aggregate_id"`
		TraceID     string `json:"trace_id"`
		Details     map[string]json.RawMessage
	}
	NextCursor string `json:"next_cursor"`
	Facts      []struct {
		Name, Unit string
		Value      int64
	}
	AsOf []struct {
		Service string
		At      time.Time
	} `json:"as_of"`
}

// titles are the titles, the latest first.
func (v view) titles() (titles []string) {
	for _, e := range v.Items {
		titles = append(titles, e.Title)
	}
	return titles
}

// traces are the traces of the entries, the latest first.
func (v view) traces() (traces []string) {
	for _, e := range v.Items {
		traces = append(traces, e.TraceID)
	}
	return traces
}

// facts are as people read them: revenue_minor CNY 14800.
func (v view) facts() (facts []string) {
	for _, f := range v.Facts {
		text := f.Name
		if f.Unit != "" {
			text += " " + f.Unit
		}
		facts = append(facts, fmt.Sprint(text, " ", f.Value))
	}
	return facts
}

func timelineOf(w *accountstest.World, token, customer, query string) view {
	var v view
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+customer+"/timeline"+query, token, nil, &v)
	return v
}

// until waits until the customer's timeline has so many entries, and gives it.
func until(t *testing.T, w *accountstest.World, token, customer string, entries int) (v view) {
	t.Helper()
	w.Eventually(fmt.Sprintf("%d entries", entries), func() bool {
		answer := w.Do(http.MethodGet, "/v1/customers/"+customer+"/timeline?limit=200", token, nil)
		if answer.Status == http.StatusNotFound {
			return entries == 0
		}
		v = view{}
		answer.Decode(t, &v)
		return len(v.Items) == entries
	})
	return v
}

// services are those of which something was heard.
func (v view) services() (names []string) {
	for _, a := range v.AsOf {
		names = append(names, a.Service)
	}
	return names
}

// applied applies events of one tenant to a database of their own, in batches of a partition of at most size, and gives a
// hash of what stands there then.
func applied(t *testing.T, told []bus.Event, size int) string {
	t.Helper()
	module := accounts.Module()
	database := pgtest.Database(t, module.Source())
	consumer, db := timeline.Consumer(), database.DB(pg.App)
	for len(told) > 0 {
		batch := []inbox.Event{}
		for len(told) > 0 && len(batch) < size && (len(batch) == 0 || told[0].Topic == batch[0].Topic) {
			batch = append(batch, inbox.Event{Event: told[0], Message: message(t, consumer, told[0])})
			batch[len(batch)-1].Partition = 3 // of all
			told = told[1:]
		}
		err := db.Tx(t.Context(), batch[0].Tenant, func(tx *pg.Tx) error { return consumer.Apply(t.Context(), tx, batch) })
		if err != nil {
			t.Fatal(err)
		}
	}
	hash, err := inbox.StateHash(t.Context(), database.DB(pg.Ops), "live", module.ProjectionTables...)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func message(t *testing.T, c inbox.Consumer, e bus.Event) proto.Message {
	t.Helper()
	for _, m := range c.Handles {
		if string(m.ProtoReflect().Descriptor().FullName()) == e.Type {
			m = proto.Clone(m)
			if err := protojson.Unmarshal(e.Data, m); err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatalf("%s is not handled", e.Type)
	return nil
}
