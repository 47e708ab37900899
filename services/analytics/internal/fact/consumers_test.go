package fact_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

const (
	someOrder    = "01890000-0000-7000-8000-000000000001"
	someCustomer = "01890000-0000-7000-8000-000000000002"
)

func TestSortRefusesEventsThatBreakTheirContract(t *testing.T) {
	t.Parallel()
	now := timestamppb.New(time.Date(1997, 1, 1, 0, 0, 0, 0, time.UTC))
	cases := []struct {
		name    string
		message proto.Message
	}{
		{"a customer without an id", &accountsv1.CustomerRegistered{RegisteredAt: now}},
		{"a customer without a time", &accountsv1.CustomerRegistered{CustomerId: someCustomer}},
		{"an order whose id is none", &salesv1.OrderPlaced{OrderId: "17", Currency: "USD", PlacedAt: now}},
		{"an order without a currency", &salesv1.OrderPlaced{OrderId: someOrder, PlacedAt: now}},
		{"an order without a time", &salesv1.OrderPlaced{OrderId: someOrder, Currency: "USD"}},
		{"an order of a customer whose id is none", &salesv1.OrderPlaced{OrderId: someOrder, CustomerId: "x", Currency: "USD", PlacedAt: now}},
		{"an attribution to nobody", &salesv1.OrderAttributed{OrderId: someOrder}},
		{"a return of nothing", &salesv1.OrderReturned{ReturnId: someOrder, Currency: "USD", ReturnedAt: now}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := fact.Sort([]inbox.Event{{Event: bus.Event{ID: uuid.New()}, Message: c.message}})
			if problem.KindOf(err) != problem.Unprocessable {
				t.Fatalf("got %v, want a problem that is the event's own fault", err)
			}
		})
	}
}

func TestSortKeepsAnOrderWithoutItsCustomer(t *testing.T) {
	t.Parallel()
	placed := time.Date(1997, 1, 1, 12, 0, 0, 0, time.UTC)
	b, err := fact.Sort([]inbox.Event{
		{Message: &salesv1.OrderPlaced{OrderId: someOrder, Currency: "USD", Units: 2, TotalMinor: 2354, PlacedAt: timestamppb.New(placed)}},
		{Message: &salesv1.OrderAttributed{OrderId: someOrder, CustomerId: someCustomer}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Orders) != 1 || b.Orders[0].CustomerID != nil || b.Orders[0].TotalMinor != 2354 || !b.Orders[0].PlacedAt.Equal(placed) {
		t.Errorf("orders: %+v", b.Orders)
	}
	if len(b.Attributions) != 1 || b.Attributions[0].CustomerID.String() != someCustomer {
		t.Errorf("attributions: %+v", b.Attributions)
	}
}
