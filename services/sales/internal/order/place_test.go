package order_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

// placing is the room as others of the service use it.
func placing(t *testing.T) (*salestest.World, *order.Orders, context.Context) {
	t.Helper()
	w := salestest.Start(t)
	return w, order.New(w.DB, outbox.New("sales"), time.Now), auth.With(t.Context(), auth.Principal{Subject: "seller", Tenant: "pizza"})
}

// placeIn places an order in a transaction of its own, as the acceptance of a quote does.
func placeIn(ctx context.Context, w *salestest.World, orders *order.Orders, d order.Draft) (placed order.Order, told int, err error) {
	err = w.DB.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		made, events, err := orders.PlaceIn(ctx, tx, d)
		if err != nil {
			return err
		}
		placed, told = made, len(events)
		return outbox.New("sales").Append(ctx, tx, events...)
	})
	return placed, told, order.Placed(err)
}

func TestAnOrderIsPlacedInSomebodysTransaction(t *testing.T) {
	t.Parallel()
	w, orders, ctx := placing(t)
	d := pizzas()
	d.ExternalRef, d.CustomerRef, d.CustomerID = externalref.Ref{System: "quotes", ID: "1"}, externalref.Ref{}, uuid.Must(uuid.NewV7())
	d.QuoteID, d.OpportunityID, d.PlacedAt = uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), noon.AddDate(-1, 0, 0)
	placed, told, err := placeIn(ctx, w, orders, d)
	if err != nil || told != 1 {
		t.Fatal(placed, told, err)
	}
	again, told, err := placeIn(ctx, w, orders, d)
	if err != nil || told != 0 || again.ID != placed.ID || again.QuoteID != d.QuoteID || again.OpportunityID != d.OpportunityID {
		t.Fatalf("the same again: %+v, %d events, %v", again, told, err)
	}
	event := w.EventsOf("OrderPlaced", 1)[0]
	golden.JSON(t, "testdata/order_placed_quote.json", event.Data)
	var shown struct {
		QuoteID       string `json:"quote_id"`
		OpportunityID string `json:"opportunity_id"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/orders/"+placed.ID.String(), w.Sales, nil, &shown)
	if shown.QuoteID != d.QuoteID.String() || shown.OpportunityID != d.OpportunityID.String() {
		t.Errorf("%+v", shown)
	}
	d.Lines[0].Quantity++
	if _, _, err := placeIn(ctx, w, orders, d); problem.KindOf(err) != problem.Conflict {
		t.Errorf("with other content: %v", err)
	}
	d.ExternalRef = externalref.Ref{}
	var p *problem.Error
	if _, _, err := placeIn(ctx, w, orders, d); !errors.As(err, &p) || p.Code != "quote_ordered" {
		t.Errorf("another order of the quote: %v", err)
	}
	music := auth.With(t.Context(), auth.Principal{Subject: "seller", Tenant: "music"})
	if _, told, err := placeIn(music, w, orders, d); err != nil || told != 1 {
		t.Errorf("another tenant's quote of the same id: %v", err)
	}
	d.Currency = "DEM"
	if _, _, err := placeIn(ctx, w, orders, d); problem.KindOf(err) != problem.Unprocessable {
		t.Errorf("in a currency of the past: %v", err)
	}
}

func TestAQuoteThatIsAcceptedTwentyTimesAtOnceMakesOneOrder(t *testing.T) {
	t.Parallel()
	w, orders, ctx := placing(t)
	d := pizzas()
	d.QuoteID, d.PlacedAt = uuid.Must(uuid.NewV7()), noon.AddDate(-1, 0, 0)
	var placed atomic.Int64
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			_, _, err := placeIn(ctx, w, orders, d)
			if err == nil {
				placed.Add(1)
			} else if problem.KindOf(err) != problem.Conflict {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := w.Count(`SELECT count(*) FROM sales_order`); n != 1 || placed.Load() != 1 {
		t.Errorf("%d orders, %d placed", n, placed.Load())
	}
}

func TestOrdersOfErasedCustomersAreRefused(t *testing.T) {
	t.Parallel()
	w, orders, ctx := placing(t)
	wei := uuid.Must(uuid.NewV7())
	w.Tell("pizza", wei, "shop", "wei")
	w.Eventually("the name is known", func() bool { return w.Count(`SELECT count(*) FROM customer_ref`) == 1 })
	of := func(id string) body { return with(with(evening(id), "customer_ref", nil), "customer_id", wei) }
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, of("before"), nil)
	w.AskToErase("pizza", wei)
	if gone := w.Want(http.StatusGone, http.MethodPost, "/v1/orders", w.Sales, of("after"), nil); gone.Code() != "customer_erased" {
		t.Errorf("%s", gone.Body)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/orders", w.Sales, of("before"), nil) // what was kept is no news
	d := pizzas()
	d.CustomerRef, d.CustomerID = externalref.Ref{}, wei
	if _, _, err := placeIn(ctx, w, orders, d); problem.KindOf(err) != problem.Gone {
		t.Errorf("in somebody's transaction: %v", err)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Token(auth.RoleSales, "music"), of("after"), nil)

	// The name is nobody's from then on, also when it is told again.
	w.Tell("pizza", wei, "shop", "wei")
	other := uuid.Must(uuid.NewV7())
	w.Tell("pizza", other, "shop", "other")
	w.Eventually("both are heard", func() bool {
		return w.Count(`SELECT count(*) FROM inbox_cursor WHERE consumer = 'customers' AND (aggregate_id = $1 AND last_seq = 2 OR aggregate_id = $2 AND last_seq = 1)`,
			wei.String(), other.String()) == 2
	})
	var placed orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, with(evening("by name"), "customer_ref", body{"system": "shop", "id": "wei"}), &placed)
	if placed.CustomerID != "" {
		t.Errorf("the order found %s by a name that was erased", placed.CustomerID)
	}
}

func TestMinorUnitsAreTheCurrencysOwn(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	for currency, want := range map[string]int64{"JPY": 14800, "KWD": 14800, "USD": 14800} {
		var o orderView
		w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, with(evening(currency), "currency", currency), &o)
		if o.TotalMinor != want {
			t.Errorf("%s: %d", currency, o.TotalMinor)
		}
	}
	for _, currency := range []string{"jpy", "XXX", "DEM", "CN"} {
		refused := w.Do(http.MethodPost, "/v1/orders", w.Sales, with(evening("bad"), "currency", currency))
		if refused.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", currency, refused.Status)
		}
	}
}
