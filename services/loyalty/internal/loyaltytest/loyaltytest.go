// Package loyaltytest begins the tests of the rooms of loyalty: the service as it runs, fed with what sales would tell.
// Only tests import it.
package loyaltytest

import (
	"context"
	"net/http"
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
	"github.com/guanxi-crm/guanxi/platform/flow"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty"
)

// World is a running service.
type World struct {
	*apptest.Service
	Manager string // the token of a manager of the tenant pizza
	Auditor string // and of somebody of operations
	t       testing.TB
	told    int64 // events of sales
}

// Start runs the service until the test ends.
func Start(t testing.TB) *World {
	t.Helper()
	return world(t, apptest.Start(t, loyalty.Module()))
}

// StartLive runs the service with workers on a real Temporal server; with all its roles, unless some are named.
func StartLive(t testing.TB, roles ...string) (*World, *flow.Client) {
	t.Helper()
	s, client := apptest.StartLive(t, loyalty.Module(), roles...)
	return world(t, s), client
}

func world(t testing.TB, s *apptest.Service) *World {
	t.Helper()
	return &World{Service: s, Manager: s.Token(auth.RoleManager, "pizza"), Auditor: s.Token(auth.RoleOperations, "pizza"), t: t}
}

// Member is a member as the API shows it.
type Member struct {
	MemberID   uuid.UUID `json:"member_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	CardNumber string    `json:"card_number"`
	Source     string    `json:"source"`
	Available  int64     `json:"available"`
	Pending    int64     `json:"pending"`
	Debt       int64     `json:"debt"`

	Path string `json:"-"` // of the member in the API
}

// Enrol makes somebody a member of the tenant pizza.
func (w *World) Enrol() Member {
	w.t.Helper()
	var m Member
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", w.Manager, map[string]any{"customer_id": uuid.Must(uuid.NewV7())}, &m)
	m.Path = "/v1/members/" + m.MemberID.String()
	return m
}

// Earn gives the member points.
func (w *World) Earn(m Member, points int64) {
	w.t.Helper()
	w.Want(http.StatusCreated, http.MethodPost, m.Path+"/earns", w.Manager, map[string]any{"points": points, "reason_type": "campaign"}, nil)
}

// Read gives the member as it stands.
func (w *World) Read(m Member) Member {
	w.t.Helper()
	now := Member{Path: m.Path}
	w.Want(http.StatusOK, http.MethodGet, m.Path, w.Manager, nil, &now)
	return now
}

// ForgetKeys has the platform forget every Idempotency-Key, as it does after a day.
func (w *World) ForgetKeys() {
	w.t.Helper()
	w.Admin("TRUNCATE idempotency")
}

// Admin carries out a statement as the superuser, who is bound by nothing.
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

// Order is an order that sales tells of.
type Order struct {
	ID       uuid.UUID
	Customer uuid.UUID // Nil: not known yet
	Tenant   string
	Epoch    int   // of the producer; raised after a restore
	told     int64 // events so far
}

// NewOrder is an order of the tenant pizza by the customer, who may be Nil.
func NewOrder(customer uuid.UUID) *Order {
	return &Order{ID: uuid.Must(uuid.NewV7()), Customer: customer, Tenant: "pizza", Epoch: 1}
}

// Placed is what sales tells when the order was placed, for an amount in fen.
func (o *Order) Placed(t testing.TB, at time.Time, total int64) bus.Event {
	return o.Event(t, &salesv1.OrderPlaced{
		OrderId: o.ID.String(), CustomerId: text(o.Customer), Channel: "shop", Currency: "CNY", Units: 1, TotalMinor: total,
		PlacedAt: timestamppb.New(at),
	})
}

// Attributed is what sales tells when the customer is found.
func (o *Order) Attributed(t testing.TB, customer uuid.UUID) bus.Event {
	o.Customer = customer
	return o.Event(t, &salesv1.OrderAttributed{OrderId: o.ID.String(), CustomerId: customer.String(), AttributedAt: timestamppb.Now()})
}

// Returned is what sales tells when goods come back now, for an amount in fen.
func (o *Order) Returned(t testing.TB, amount int64) bus.Event {
	return o.Event(t, &salesv1.OrderReturned{
		ReturnId: uuid.Must(uuid.NewV7()).String(), OrderId: o.ID.String(), CustomerId: text(o.Customer), Currency: "CNY", Units: 1,
		AmountMinor: amount, ReturnedAt: timestamppb.Now(),
	})
}

// Event is anything that sales tells of the order.
func (o *Order) Event(t testing.TB, m proto.Message) bus.Event {
	t.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	o.told++
	return bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/sales", Epoch: o.Epoch,
		Tenant: o.Tenant, AggregateType: "order", AggregateID: o.ID.String(), Sequence: o.told, Time: time.Now().UTC(), Data: data,
	}
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// Tell publishes what sales tells, and waits until it was taken in.
func (w *World) Tell(events ...bus.Event) {
	w.t.Helper()
	w.Publish("sales", events...)
	w.told += int64(len(events))
	w.Eventually("what sales tells is taken in", func() bool {
		return w.Count(`SELECT coalesce(sum(next_offset), 0)::bigint FROM inbox_position WHERE consumer = 'orders'`) == w.told
	})
}

// Member gives the member who is the customer; nobody where there is none.
func (w *World) Member(customer uuid.UUID) Member {
	w.t.Helper()
	var page struct{ Items []Member }
	w.Want(http.StatusOK, http.MethodGet, "/v1/members?customer_id="+customer.String(), w.Manager, nil, &page)
	if len(page.Items) == 0 {
		return Member{}
	}
	page.Items[0].Path = "/v1/members/" + page.Items[0].MemberID.String()
	return page.Items[0]
}
