// Package analyticstest begins the tests of the rooms of analytics: the service as it runs, and what other services tell it.
// Only tests import it.
package analyticstest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics"
)

// Body is a JSON object.
type Body = map[string]any

// World is the service as it runs.
type World struct {
	*apptest.Service
	Marketing string // a token of the tenant music that may define and fit
	Sales     string // one that may only read
	t         testing.TB
}

// Start starts the service on a database of its own.
func Start(t testing.TB) *World {
	t.Helper()
	return World{t: t}.on(apptest.Start(t, analytics.Module()))
}

func (w World) on(s *apptest.Service) *World {
	w.Service, w.Marketing, w.Sales = s, s.Token(auth.RoleMarketing, "music"), s.Token(auth.RoleSales, "music")
	return &w
}

// Admin carries out a statement as the superuser, who is bound by nothing. Facts stand in the schema live.
func (w *World) Admin(sql string, args ...any) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.Database.AdminURL())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(w.t.Context())) }()
	if _, err := conn.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// Teller makes events of one tenant as the relays of other services would, each aggregate with its own sequence.
type Teller struct {
	t      testing.TB
	tenant string
	seq    map[string]int64
}

// NewTeller makes a Teller that has told nothing yet.
func NewTeller(t testing.TB, tenant string) *Teller {
	return &Teller{t: t, tenant: tenant, seq: make(map[string]int64)}
}

// Event is the aggregate's next event.
func (k *Teller) Event(aggregate string, id uuid.UUID, m proto.Message) bus.Event {
	k.t.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		k.t.Fatal(err)
	}
	key := aggregate + id.String()
	k.seq[key]++
	return bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/test", Tenant: k.tenant,
		AggregateType: aggregate, AggregateID: id.String(), Sequence: k.seq[key], Epoch: 1, Time: time.Now().UTC(), Data: data,
	}
}

// Registered is accounts' word of a new customer.
func (k *Teller) Registered(customer uuid.UUID) bus.Event {
	k.t.Helper()
	return k.Event("customer", customer, &accountsv1.CustomerRegistered{
		CustomerId: customer.String(), Kind: accountsv1.CustomerKind_CUSTOMER_KIND_PERSON, Source: "test", RegisteredAt: timestamppb.Now(),
	})
}

// Placed is sales' word of an order in US dollars by the channel shop. Without lines it has one, of the product "cd".
func (k *Teller) Placed(order, customer uuid.UUID, at time.Time, total int64, lines ...*salesv1.OrderLine) bus.Event {
	k.t.Helper()
	if len(lines) == 0 {
		lines = []*salesv1.OrderLine{{LineNo: 1, Sku: "cd", Quantity: 1, AmountMinor: total}}
	}
	m := &salesv1.OrderPlaced{
		OrderId: order.String(), CustomerId: customer.String(), Channel: "shop", Currency: "USD", Lines: lines, TotalMinor: total, PlacedAt: timestamppb.New(at),
	}
	for _, l := range lines {
		m.Units += l.GetQuantity()
	}
	return k.Event("order", order, m)
}

// Returned is sales' word of goods that came back.
func (k *Teller) Returned(order uuid.UUID, at time.Time, units, amount int64) bus.Event {
	k.t.Helper()
	return k.Event("order", order, &salesv1.OrderReturned{
		ReturnId: uuid.Must(uuid.NewV7()).String(), OrderId: order.String(), Currency: "USD", Units: units, AmountMinor: amount,
		ReturnedAt: timestamppb.New(at),
	})
}

// ID is a new id.
func ID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// Day is noon of a day in UTC.
func Day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 12, 0, 0, 0, time.UTC)
}
