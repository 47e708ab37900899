package order_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

func TestAnOrderFindsItsCustomerWhicheverIsHeardOfFirst(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	lily := uuid.Must(uuid.NewV7())
	var before, after orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, evening("before"), &before)
	if before.CustomerID != "" {
		t.Fatalf("resolved too early: %+v", before)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Token(auth.RoleSales, "music"), evening("before"), nil)

	w.Tell("pizza", lily, "shop") // registered without an id of the shop, which comes later
	w.Tell("pizza", lily, "shop", "16", "17")
	attributed := w.EventsOf("OrderAttributed", 1)
	golden.JSON(t, "testdata/order_attributed.json", attributed[0].Data)
	if e := attributed[0]; e.AggregateID != before.OrderID || e.Sequence != 2 || e.Tenant != "pizza" {
		t.Fatalf("%+v", e)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/orders/"+before.OrderID, w.Sales, nil, &before)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, evening("after"), &after)
	for _, o := range []orderView{before, after} {
		if o.CustomerID != lily.String() {
			t.Errorf("%+v, want customer %s", o, lily)
		}
	}
	if n := w.Count(`SELECT count(*) FROM sales_order WHERE customer_id IS NULL`); n != 1 {
		t.Errorf("%d orders are unresolved, want the one of the other tenant", n)
	}
}

// TestNoOrderMissesItsCustomer places orders while the news of their customers comes in: whichever commits first, the
// other must see it.
func TestNoOrderMissesItsCustomer(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	const customers, each = 60, 3
	var wait sync.WaitGroup
	for n := range customers * each {
		ref := fmt.Sprintf("c%d", n%customers)
		wait.Go(func() {
			time.Sleep(rand.N(200 * time.Millisecond))
			order := with(evening(fmt.Sprint(n)), "customer_ref", body{"system": "shop", "id": ref})
			if answer := w.Do(http.MethodPost, "/v1/orders", w.Sales, order); answer.Status != http.StatusCreated {
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	for n := range customers {
		w.Tell("pizza", uuid.Must(uuid.NewV7()), "shop", fmt.Sprintf("c%d", n))
	}
	wait.Wait()
	w.Eventually("every order has its customer", func() bool {
		return w.Count(`SELECT count(*) FROM sales_order o JOIN customer_ref r USING (tenant_id, customer_id)
			WHERE r.system = o.customer_system AND r.external_id = o.customer_external_id`) == customers*each
	})
}
