package order_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

// of gives the orders of a customer, the latest first, by their external ids, page by page.
func of(w *salestest.World, customer uuid.UUID) (ids []string, customers map[string]bool) {
	customers = map[string]bool{}
	for cursor := ""; ; {
		var page struct {
			Items      []orderView
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/orders?limit=2&customer_id="+customer.String()+"&cursor="+cursor, w.Sales, nil, &page)
		for _, o := range page.Items {
			ids, customers[o.CustomerID] = append(ids, o.ExternalRef.ID), true
		}
		if cursor = page.NextCursor; cursor == "" {
			return ids, customers
		}
	}
}

// buys places an order of the customer at an hour of the day.
func buys(w *salestest.World, customer uuid.UUID, id string, hour int) orderView {
	var placed orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, with(with(with(evening(id), "customer_ref", nil),
		"customer_id", customer), "placed_at", time.Date(2026, 11, 20, hour, 0, 0, 0, time.UTC)), &placed)
	return placed
}

func TestOrdersOfMergedCustomersAreOneListUntilItIsUndone(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	accounts := w.Accounts("pizza")
	wei, li, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	for hour, id := range []string{"w0", "l1", "w2", "l3", "l4"} {
		buys(w, map[byte]uuid.UUID{'w': wei, 'l': li}[id[0]], id, hour)
	}
	buys(w, other, "o", 9)
	accounts.Merge(li, wei)
	for _, id := range []uuid.UUID{wei, li} {
		ids, customers := of(w, id)
		if got := strings.Join(ids, " "); got != "l4 l3 w2 l1 w0" || len(customers) != 1 || !customers[wei.String()] {
			t.Fatalf("orders %s of %v, want all of both under %s", got, customers, wei)
		}
	}
	if late := buys(w, li, "l5", 5); late.CustomerID != wei.String() {
		t.Errorf("an order for the absorbed id is answered as that of %s, want the survivor %s", late.CustomerID, wei)
	}
	if n := w.Count(`SELECT count(*) FROM sales_order WHERE customer_id = $1`, li); n != 4 {
		t.Errorf("%d orders bear the absorbed id, want the 4 that were written with it", n)
	}
	music := w.Token(auth.RoleSales, "music")
	var page struct{ Items []orderView }
	w.Want(http.StatusOK, http.MethodGet, "/v1/orders?customer_id="+wei.String(), music, nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("another tenant sees %+v", page.Items)
	}

	accounts.Undo(li, wei)
	if ids, _ := of(w, wei); strings.Join(ids, " ") != "w2 w0" {
		t.Errorf("after the undo the survivor has %v", ids)
	}
	if ids, customers := of(w, li); strings.Join(ids, " ") != "l5 l4 l3 l1" || !customers[li.String()] {
		t.Errorf("after the undo the other has %v of %v", ids, customers)
	}
}

func TestAnOrderByANameOfAnAbsorbedCustomerIsTheSurvivors(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	wei, li := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	w.Tell("pizza", li, "shop", "17")
	w.Eventually("the name is known", func() bool { return w.Count(`SELECT count(*) FROM customer_ref WHERE customer_id = $1`, li) == 1 })
	w.Accounts("pizza").Merge(li, wei)
	var placed orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, evening("1"), &placed)
	if placed.CustomerID != wei.String() {
		t.Fatalf("%+v, want customer %s", placed, wei)
	}
	if n := w.Count(`SELECT count(*) FROM sales_order WHERE customer_id = $1`, li); n != 1 {
		t.Errorf("the order does not bear the id that the name belongs to")
	}
}

func TestARefundMayNameWhomTheCustomerWasMergedWith(t *testing.T) {
	t.Parallel()
	w, orders, ctx := refunds(t)
	placed := bought(w, "1")
	survivor, stranger := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	in := asked("k", placed)
	in.CustomerId = survivor.String()
	if _, err := orders.Refund(ctx, in); problem.KindOf(err) != problem.NotFound {
		t.Fatalf("before the merge: got %v, want that there is no such order", err)
	}
	w.Accounts("pizza").Merge(lilys, survivor)
	if got, err := orders.Refund(ctx, in); err != nil || got.GetAmountMinor() != 14800 {
		t.Fatalf("got %v %v", got, err)
	}
	in.CustomerId = stranger.String()
	if _, err := orders.Refund(ctx, in); problem.KindOf(err) != problem.NotFound {
		t.Fatalf("a stranger: got %v", err)
	}
}

func TestAnErasedCustomersNamesAreNowhere(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	wei, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	const secret, theirs = "wei-zhang-4711", "somebody-else"
	w.Tell("pizza", wei, "shop", secret)
	w.Tell("pizza", other, "shop", theirs)
	w.Eventually("the names are known", func() bool { return w.Count(`SELECT count(*) FROM customer_ref`) == 2 })
	var placed, kept orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, with(evening("1"), "customer_ref", body{"system": "shop", "id": secret}), &placed)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, with(evening("2"), "customer_ref", body{"system": "shop", "id": theirs}), &kept)
	w.EventsOf("OrderPlaced", 2)

	for round := range 2 {
		holds, done := w.AskToErase("pizza", wei)
		if len(holds) != 0 {
			t.Fatalf("%v %v", holds, done)
		}
		erased := make(map[string]int64)
		for _, d := range done {
			erased[d.GetWhat()] = d.GetCount()
			if d.GetLeft() != 0 {
				t.Errorf("round %d: %v", round, d)
			}
		}
		once := int64(1 - round)
		if _, listed := erased["import_rejection"]; !listed || erased["order"] != once || erased["customer_ref"] != once || erased["import_rejection"] != 0 {
			t.Errorf("round %d: %v", round, done)
		}
	}
	w.Eventually("the name is nowhere", func() bool { return len(w.Mentions(secret)) == 0 })
	if found := w.Mentions(theirs); len(found) == 0 {
		t.Error("another customer's name is gone as well")
	}
	var now orderView
	w.Want(http.StatusOK, http.MethodGet, "/v1/orders/"+placed.OrderID, w.Sales, nil, &now)
	if now.CustomerRef.ID != "" || now.CustomerID != wei.String() || now.TotalMinor != placed.TotalMinor {
		t.Errorf("the order is %+v, want it as it was but for the name", now)
	}

	// A topic that is read from its start brings the name back, until the erasure is told again.
	w.Tell("pizza", wei, "shop", secret)
	w.Publish("accounts", w.Accounts("pizza").Erased(wei))
	w.Eventually("it is erased again", func() bool {
		return w.Count(`SELECT count(*) FROM inbox_cursor WHERE consumer = 'customers' AND aggregate_id = $1 AND last_seq = 3`, wei.String()) == 1
	})
	if found := w.Mentions(secret); len(found) != 0 {
		t.Errorf("the name is back in %v", found)
	}
	if !strings.Contains(string(w.Do(http.MethodGet, "/v1/orders/"+kept.OrderID, w.Sales, nil).Body), theirs) {
		t.Error("another customer's order lost its name")
	}
}

// TestAPageOfACustomerIsReadByIndex looks at the plan of the list, as the app role has it under row level security.
func TestAPageOfACustomerIsReadByIndex(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	someone := uuid.MustParse("01890000-0000-7000-8000-000000000007")
	var plan []string
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO sales_order (tenant_id, id, fingerprint, customer_id, channel, currency, units, total_minor, placed_at, recorded_at)
			SELECT 'pizza', gen_random_uuid(), '', ('01890000-0000-7000-8000-' || lpad((n % 20)::text, 12, '0'))::uuid, 'shop', 'CNY', 1, 1,
				timestamptz '2026-01-01' + n * interval '1 minute', now() FROM generate_series(1, 20000) AS n`)
		sql, args := order.ListSQL("pizza", order.Filter{CustomerID: someone, PlacedTo: time.Now()}, 50)
		tx.PlanForAny()
		rows, err := tx.Query(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF) "+sql, args...)
		if err != nil {
			return err
		}
		plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	text := strings.Join(plan, "\n")
	if err != nil || !strings.Contains(text, "sales_order_customer") || strings.Contains(text, "Seq Scan on sales_order") || strings.Contains(text, "rows=1000 ") {
		t.Errorf("%v\n%s", err, text)
	}
}
