package purchase_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/purchase"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// sales makes events as its relay would, each order with its own sequence.
type sales struct {
	t      *testing.T
	tenant string
	seq    map[uuid.UUID]int64
}

func of(t *testing.T, tenant string) *sales {
	t.Helper()
	return &sales{t: t, tenant: tenant, seq: map[uuid.UUID]int64{}}
}

func (s *sales) event(order uuid.UUID, m proto.Message) bus.Event {
	s.t.Helper()
	data, err := protojson.Marshal(m)
	require.NoError(s.t, err)
	s.seq[order]++
	return bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/sales", Epoch: 1,
		Tenant: s.tenant, AggregateType: "order", AggregateID: order.String(), Sequence: s.seq[order], Time: time.Now().UTC(), Data: data,
	}
}

// placed is an order of so many units of each article; the customer may be nobody yet.
func (s *sales) placed(order uuid.UUID, customer string, at time.Time, units map[string]int64) bus.Event {
	m := &salesv1.OrderPlaced{OrderId: order.String(), CustomerId: customer, Channel: "shop", Currency: "CNY", PlacedAt: timestamppb.New(at)}
	for sku, n := range units {
		m.Lines = append(m.Lines, &salesv1.OrderLine{LineNo: int32(len(m.Lines) + 1), Sku: sku, Quantity: n, AmountMinor: n * 100})
		m.Units, m.TotalMinor = m.Units+n, m.TotalMinor+n*100
	}
	return s.event(order, m)
}

func (s *sales) attributed(order, customer uuid.UUID) bus.Event {
	return s.event(order, &salesv1.OrderAttributed{OrderId: order.String(), CustomerId: customer.String(), AttributedAt: timestamppb.Now()})
}

func (s *sales) returned(order uuid.UUID, at time.Time, units int64) bus.Event {
	return s.event(order, &salesv1.OrderReturned{ReturnId: uuid.NewString(), OrderId: order.String(), Currency: "CNY", Units: units,
		AmountMinor: units * 100, ReturnedAt: timestamppb.New(at)})
}

const (
	unitsOf = `SELECT coalesce(sum(units), 0) FROM purchase_unit WHERE tenant_id = $1 AND sku = $2 AND day = $3`
	ordersO = `SELECT count(*) FROM purchase WHERE tenant_id = $1 AND customer_id = ANY ((SELECT customer_group($1, $2))::uuid[])`
)

func TestOrdersAreKeptByCustomerAndUnitsByArticleAndDay(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	pizza, music := of(t, "pizza"), of(t, "music")
	wei, li := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	known, unknown, elsewhere := uuid.New(), uuid.New(), uuid.New()
	first := pizza.placed(known, wei.String(), noon, map[string]int64{"margherita": 2, "cola": 1})
	late := pizza.placed(unknown, "", noon.Add(12*time.Hour-time.Second), map[string]int64{"margherita": 3, "": 4})
	w.Publish("sales", first, late, first, late, // a relay may send twice
		pizza.attributed(unknown, li), pizza.returned(known, noon.AddDate(0, 0, 1), 1), music.placed(elsewhere, wei.String(), noon, map[string]int64{"margherita": 7}))
	w.Eventually("all is placed", func() bool {
		return w.Count(`SELECT count(*) FROM purchase WHERE customer_id IS NOT NULL`) == 3 && w.Count(`SELECT count(*) FROM purchase_return`) == 1
	})
	for _, c := range []struct {
		tenant, sku, day string
		units            int64
	}{
		{"pizza", "margherita", "2026-11-02", 5},
		{"pizza", "cola", "2026-11-02", 1},
		{"pizza", "", "2026-11-02", 10}, // all of them together, the line without an article included
		{"pizza", "margherita", "2026-11-03", 0},
		{"music", "margherita", "2026-11-02", 7},
		{"music", "", "2026-11-02", 7},
	} {
		require.Equal(t, c.units, w.Count(unitsOf, c.tenant, c.sku, c.day), "%+v", c)
	}
	require.EqualValues(t, 4, w.Count(`SELECT count(*) FROM purchase_line WHERE tenant_id = 'pizza'`))

	accounts := w.Accounts("pizza")
	accounts.Merge(li, wei)
	require.EqualValues(t, 2, w.Count(ordersO, "pizza", li), "of either id those of both")
	require.EqualValues(t, 1, w.Count(ordersO, "music", wei), "another tenant knows of no merge")
	accounts.Undo(li, wei)
	require.EqualValues(t, 1, w.Count(ordersO, "pizza", li))
}

func TestARebuildComesToTheSamePurchasesAndLeavesProcessesAlone(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	pizza := of(t, "pizza")
	wei, li := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	for n := range 30 {
		order := uuid.New()
		w.Publish("sales", pizza.placed(order, "", noon.AddDate(0, 0, n%5), map[string]int64{fmt.Sprint("sku-", n%3): 1}), pizza.attributed(order, wei))
	}
	w.Accounts("pizza").Merge(li, wei)
	w.Register(wei.String())
	starts := `SELECT count(*) FROM process_start`
	w.Eventually("all is placed, and the process called for", func() bool {
		return w.Count(`SELECT count(*) FROM purchase WHERE customer_id = $1`, wei) == 30 && w.Count(starts) == 1
	})

	operator := w.Token(auth.RolePlatformAdmin, "")
	var rebuild struct {
		ID, State string
		Result    inbox.RebuildResult
	}
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/ops/tickets/rebuilds", operator, nil, &rebuild)
	id := rebuild.ID
	w.Eventually("the rebuild is done", func() bool {
		w.Want(http.StatusOK, http.MethodGet, "/v1/ops/tickets/rebuilds/"+id, operator, nil, &rebuild)
		return rebuild.State == "done" || rebuild.State == "failed"
	})
	require.True(t, rebuild.Result.Equal, "%+v", rebuild)
	require.EqualValues(t, 30, w.Count(ordersO, "pizza", li), "the merge is known as before")
	require.EqualValues(t, 1, w.Count(starts), "nothing was started by it")
	w.Publish("sales", pizza.placed(uuid.New(), wei.String(), noon, map[string]int64{"sku-0": 1}))
	w.Eventually("the consumers go on", func() bool { return w.Count(ordersO, "pizza", wei) == 31 })
}

// TestWhatAVersionWithoutAProjectionKnewIsTakenOver migrates a database of the version before, in which aliases and positions
// stood in the schema public.
func TestWhatAVersionWithoutAProjectionKnewIsTakenOver(t *testing.T) {
	t.Parallel()
	now := tickets.Module().Source()
	database := pgtest.Database(t, migrate.Source{Service: now.Service, FS: now.FS, Aliases: true})
	wei, li := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	app := database.DB(pg.App)
	require.NoError(t, app.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO customer_alias VALUES ('pizza', $1, $2, $2, 1, 1)`, li, wei)
		tx.Queue(`INSERT INTO inbox_position (consumer, topic, partition, next_offset) VALUES ('customers', 'a', 0, 7), ('processes', 't', 1, 9)`)
		tx.Queue(`INSERT INTO inbox_cursor VALUES ('pizza', 'processes', 't', 'complaint', 'c', 1, 3)`)
		return nil
	}))
	require.NoError(t, migrate.Up(t.Context(), database.Config(), now))
	require.NoError(t, database.DB(pg.App).Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		var root uuid.UUID
		var positions string
		var cursor int64
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT customer_root('pizza', $1)`, li).Scan(&root))
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT string_agg(consumer || ' ' || next_offset, ', ' ORDER BY consumer) FROM live.inbox_position`).Scan(&positions))
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT last_seq FROM live.inbox_cursor`).Scan(&cursor))
		require.Equal(t, wei, root)
		require.Equal(t, "customers 7, erasures 7, processes 9", positions)
		require.EqualValues(t, 3, cursor)
		return nil
	}))
}

func TestEventsThatBreakTheirContractAreRefused(t *testing.T) {
	t.Parallel()
	at, order := timestamppb.New(noon), uuid.NewString()
	for name, m := range map[string]proto.Message{
		"an order whose id is none":               &salesv1.OrderPlaced{OrderId: "17", PlacedAt: at},
		"an order of nobody's id":                 &salesv1.OrderPlaced{OrderId: uuid.Nil.String(), PlacedAt: at},
		"an order without a time":                 &salesv1.OrderPlaced{OrderId: order},
		"an order of a customer whose id is none": &salesv1.OrderPlaced{OrderId: order, CustomerId: "x", PlacedAt: at},
		"a line of less than nothing":             &salesv1.OrderPlaced{OrderId: order, PlacedAt: at, Lines: []*salesv1.OrderLine{{Quantity: -1}}},
		"an attribution to nobody":                &salesv1.OrderAttributed{OrderId: order},
		"a return of nothing":                     &salesv1.OrderReturned{ReturnId: order, ReturnedAt: at},
		"a return without a time":                 &salesv1.OrderReturned{ReturnId: order, OrderId: order},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := purchase.Sort([]inbox.Event{{Event: bus.Event{ID: uuid.New()}, Message: m}})
			require.Equal(t, problem.Unprocessable, problem.KindOf(err), "%v", err)
		})
	}
}
