package earning_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/earning"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// BenchmarkOrders has orders earn in batches of 500, seven of two customers. One operation is one order: wall time of one
// consumer with PostgreSQL beside it, and the processor's time of Go alone.
//
//	go test ./loyalty/internal/earning -run - -bench Orders -benchtime 20000x
func BenchmarkOrders(b *testing.B) {
	for _, c := range []struct {
		name  string
		terms body
	}{
		{"plain", nil},
		{"rules", body{"return_days": 0, "join_by_purchase": true, "earning": body{
			"rules": list{
				body{"code": "spend", "kind": "base", "points": "amount / 10"},
				body{"code": "coffee", "kind": "base", "points": `lines.filter(l, l.category == "coffee").map(l, l.amount).sum() / 5`},
				body{"code": "weekend", "kind": "multiplier", "when": "weekday >= 6", "points": "1.5"},
			},
			"caps": list{body{"code": "month", "period": "month", "points": 1000}},
		}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := loyaltytest.Start(b)
			if c.terms != nil {
				programmeOf(w, "standard", c.terms)
			}
			consumer := earning.Consumer(ledger.New(w.DB, outbox.New("loyalty"), time.Now), tier.New(w.DB, w.Database.DB(pg.Ops), outbox.New("loyalty"), time.Now))
			customers := make([]uuid.UUID, max(1, b.N*2/7))
			for n := range customers {
				customers[n] = uuid.Must(uuid.NewV7())
			}
			events := make([]inbox.Event, b.N)
			for n := range events {
				events[n] = inbox.Event{Event: bus.Event{ID: uuid.Must(uuid.NewV7()), Tenant: "pizza"}, Message: &salesv1.OrderPlaced{
					OrderId: uuid.Must(uuid.NewV7()).String(), CustomerId: customers[n%len(customers)].String(), Channel: "shop", Currency: "CNY", Units: 3, TotalMinor: 2354,
					Lines:    []*salesv1.OrderLine{{LineNo: 1, Sku: "COF-1", Quantity: 1, AmountMinor: 1354}, {LineNo: 2, Sku: fmt.Sprintf("CUP-%d", n%9), Quantity: 2, AmountMinor: 1000}},
					PlacedAt: timestamppb.New(time.Date(2026, 3, 1+n%20, 1, 0, 0, n%1000000*1000, time.UTC)),
				}}
			}
			before := processor(b)
			b.ResetTimer()
			for from := 0; from < b.N; from += 500 {
				part := events[from:min(from+500, b.N)]
				if err := w.DB.Tx(b.Context(), "pizza", func(tx *pg.Tx) error { return consumer.Apply(b.Context(), tx, part) }); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64((processor(b)-before).Microseconds())/float64(b.N), "cpu-µs/order")
		})
	}
}

// processor gives how much of the processor's time this process has had.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
