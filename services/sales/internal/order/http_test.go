package order_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

type orderView struct {
	OrderID       string              `json:"order_id"`
	ExternalRef   struct{ ID string } `json:"external_ref"`
	CustomerID    string              `json:"customer_id"`
	CustomerRef   struct{ ID string } `json:"customer_ref"`
	TotalMinor    int64               `json:"total_minor"`
	ReturnedUnits int64               `json:"returned_units"`
	ReturnedMinor int64               `json:"returned_minor"`
}

// evening is an order of two Margheritas and three colas by customer 17 of the shop.
func evening(id string) body {
	return body{
		"external_ref": body{"system": "shop", "id": id}, "customer_ref": body{"system": "shop", "id": "17"}, "channel": "shop",
		"currency": "CNY", "placed_at": "2026-11-20T19:30:00+08:00", "total_minor": 14800, "lines": []body{
			{"sku": "MARGHERITA", "quantity": 2, "amount_minor": 13800}, {"sku": "COLA", "quantity": 3, "amount_minor": 1000},
		},
	}
}

func with(order body, name string, value any) body {
	if value == nil {
		delete(order, name)
	} else {
		order[name] = value
	}
	return order
}

func TestAnOrderIsPlacedOnce(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var placed, again orderView
	created := w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, evening("1"), &placed)
	read := w.Want(http.StatusOK, http.MethodGet, "/v1/orders/"+placed.OrderID, w.Sales, nil, nil)
	golden.JSON(t, "testdata/order.json", read.Body)
	if string(created.Body) != string(read.Body) {
		t.Fatalf("created %s, read %s", created.Body, read.Body)
	}

	w.Want(http.StatusOK, http.MethodPost, "/v1/orders", w.Sales, with(evening("1"), "placed_at", "2026-11-20T11:30:00Z"), &again)
	if again != placed {
		t.Fatalf("the same order again is %+v", again)
	}
	other := w.Want(http.StatusConflict, http.MethodPost, "/v1/orders", w.Sales, with(evening("1"), "channel", "web"), nil)
	if other.Code() != "order_differs" || !strings.Contains(string(other.Body), placed.OrderID) {
		t.Fatalf("%s", other.Body)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Token(auth.RoleSales, "music"), evening("1"), nil)

	customer := uuid.NewString()
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales,
		with(with(with(evening(""), "external_ref", nil), "customer_ref", nil), "customer_id", customer), &placed)
	if placed.CustomerID != customer {
		t.Fatalf("%+v", placed)
	}
	wrong := w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/orders", w.Sales, with(evening("2"), "total_minor", 14801), nil)
	golden.JSON(t, "testdata/order_invalid.json", wrong.Body)
}

func TestTwentyAtOncePlaceOneOrder(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var created atomic.Int64
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			switch answer := w.Do(http.MethodPost, "/v1/orders", w.Sales, evening("1")); answer.Status {
			case http.StatusCreated:
				created.Add(1)
			case http.StatusOK:
			default:
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if n := len(w.EventsOf("OrderPlaced", 1)); n != 1 || created.Load() != 1 {
		t.Fatalf("%d created, %d events", created.Load(), n)
	}
}

func TestGoodsComeBackInPartsAndNeverTwice(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var order orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, evening("1"), &order)
	path := "/v1/orders/" + order.OrderID + "/returns"

	back := w.Want(http.StatusCreated, http.MethodPost, path, w.Sales, body{"lines": []body{{"line_no": 2, "quantity": 1}}}, nil)
	golden.JSON(t, "testdata/return.json", back.Body)
	tooMany := w.Want(http.StatusUnprocessableEntity, http.MethodPost, path, w.Sales, body{"lines": []body{{"line_no": 2, "quantity": 3}}}, nil)
	if tooMany.Code() != "return_invalid" {
		t.Fatalf("%s", tooMany.Body)
	}
	w.Want(http.StatusCreated, http.MethodPost, path, w.Sales, body{"all": true}, nil)
	w.Want(http.StatusUnprocessableEntity, http.MethodPost, path, w.Sales, body{"all": true}, nil)
	w.Want(http.StatusOK, http.MethodGet, "/v1/orders/"+order.OrderID, w.Sales, nil, &order)
	if order.ReturnedUnits != 5 || order.ReturnedMinor != order.TotalMinor {
		t.Fatalf("%+v", order)
	}
}

func TestReturnsAtOnceNeverExceedTheOrder(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var order orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, evening("1"), &order)
	var taken atomic.Int64
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			answer := w.Do(http.MethodPost, "/v1/orders/"+order.OrderID+"/returns", w.Sales, body{"lines": []body{{"line_no": 2, "quantity": 1}}})
			if answer.Status == http.StatusCreated {
				taken.Add(1)
			} else if answer.Status != http.StatusUnprocessableEntity {
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	w.Want(http.StatusOK, http.MethodGet, "/v1/orders/"+order.OrderID, w.Sales, nil, &order)
	if taken.Load() != 3 || order.ReturnedUnits != 3 || order.ReturnedMinor != 1000 {
		t.Fatalf("%d returns taken: %+v", taken.Load(), order)
	}
}

func TestOrderEventsSayWhatHappened(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var order orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, evening("1"), &order)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders/"+order.OrderID+"/returns", w.Sales,
		body{"lines": []body{{"line_no": 1, "quantity": 1}}, "returned_at": "2026-11-21T09:00:00Z"}, nil)
	placed, returned := w.EventsOf("OrderPlaced", 1)[0], w.EventsOf("OrderReturned", 1)[0]
	golden.JSON(t, "testdata/order_placed.json", placed.Data)
	golden.JSON(t, "testdata/order_returned.json", returned.Data)
	if placed.AggregateID != order.OrderID || placed.AggregateType != "order" || placed.Sequence != 1 || returned.Sequence != 2 {
		t.Errorf("%+v, %+v", placed, returned)
	}
	if placed.Trace["traceparent"] == "" {
		t.Error("the event has no trace")
	}
}

func TestOrdersAreListedAndAddedUp(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	lily := uuid.NewString()
	for n := 1; n <= 5; n++ {
		order := with(evening(fmt.Sprint(n)), "placed_at", fmt.Sprintf("2026-11-%02dT12:00:00Z", n))
		if n%2 == 0 {
			order = with(with(with(order, "customer_ref", nil), "customer_id", lily), "currency", "HKD")
		}
		w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, order, nil)
	}
	list := func(token string, filter url.Values) (days []string) {
		t.Helper()
		filter.Set("limit", "2")
		for {
			var page struct {
				Items []struct {
					PlacedAt string `json:"placed_at"`
				}
				NextCursor string `json:"next_cursor"`
			}
			w.Want(http.StatusOK, http.MethodGet, "/v1/orders?"+filter.Encode(), token, nil, &page)
			for _, o := range page.Items {
				days = append(days, o.PlacedAt[8:10])
			}
			if page.NextCursor == "" {
				return days
			}
			filter.Set("cursor", page.NextCursor)
		}
	}
	for name, c := range map[string]struct {
		filter url.Values
		want   []string
	}{
		"all, the latest first": {url.Values{}, []string{"05", "04", "03", "02", "01"}},
		"of a customer":         {url.Values{"customer_id": {lily}}, []string{"04", "02"}},
		"of nobody":             {url.Values{"customer_id": {uuid.NewString()}}, nil},
		"from a day on":         {url.Values{"placed_from": {"2026-11-04T12:00:00Z"}}, []string{"05", "04"}},
		"before a day":          {url.Values{"placed_to": {"2026-11-02T12:00:00Z"}}, []string{"01"}},
		"of a customer in time": {url.Values{"customer_id": {lily}, "placed_to": {"2026-11-04T00:00:00Z"}}, []string{"02"}},
	} {
		if got := list(w.Sales, c.filter); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	if got := list(w.Token(auth.RoleSales, "music"), url.Values{}); len(got) > 0 {
		t.Errorf("another tenant sees %v", got)
	}
	golden.JSON(t, "testdata/summary.json", w.Want(http.StatusOK, http.MethodGet, "/v1/orders/summary", w.Sales, nil, nil).Body)
}

func TestWhoMaySeeAndChangeAnOrder(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var order orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, evening("1"), &order)
	other := w.Token(auth.RoleSales, "music")
	cases := []struct {
		name, method, path, token string
		body                      any
		status                    int
	}{
		{"another tenant's is not there", http.MethodGet, "/v1/orders/" + order.OrderID, other, nil, 404},
		{"nor to be returned", http.MethodPost, "/v1/orders/" + order.OrderID + "/returns", other, body{"all": true}, 404},
		{"nor one that never was", http.MethodGet, "/v1/orders/" + uuid.NewString(), other, nil, 404},
		{"an agent reads", http.MethodGet, "/v1/orders/" + order.OrderID, w.Token(auth.RoleAgent, "pizza"), nil, 200},
		{"an agent does not sell", http.MethodPost, "/v1/orders", w.Token(auth.RoleAgent, "pizza"), evening("2"), 403},
		{"a seller does not import", http.MethodPost, "/v1/orders/imports", w.Sales, nil, 403},
		{"an administrator of the platform has no orders", http.MethodGet, "/v1/orders", w.Token(auth.RolePlatformAdmin, ""), nil, 403},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if answer := w.Do(c.method, c.path, c.token, c.body); answer.Status != c.status {
				t.Fatalf("got %d %s, want %d", answer.Status, answer.Body, c.status)
			}
		})
	}
}

func TestOrdersRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var made atomic.Int64
	place := func() string {
		raw, err := json.Marshal(evening(fmt.Sprint(made.Add(1))))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	var order orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales,
		with(evening("large"), "lines", []body{{"quantity": 1000, "amount_minor": 14800}}), &order)
	path := "/v1/orders/" + order.OrderID
	for name, target := range map[string]badinput.Target{
		"place":  {Method: http.MethodPost, Path: "/v1/orders", Body: place(), Replay: true, Fresh: place, OtherBody: place()},
		"list":   {Method: http.MethodGet, Path: "/v1/orders", List: true},
		"get":    {Method: http.MethodGet, Path: path, Owned: true},
		"return": {Method: http.MethodPost, Path: path + "/returns", Body: `{"lines":[{"line_no":1,"quantity":1}]}`, Owned: true, Replay: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Sales
			badinput.Check(t, target)
		})
	}
	for query, status := range map[string]int{"customer_id=17": 422, "placed_from=yesterday": 422, "no_such_filter=1": 422} {
		if answer := w.Do(http.MethodGet, "/v1/orders?"+query, w.Sales, nil); answer.Status != status {
			t.Errorf("%s: got %d %s, want %d", query, answer.Status, answer.Body, status)
		}
	}
}
