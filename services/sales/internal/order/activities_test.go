package order_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	salesactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/activities/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

var lilys = uuid.Must(uuid.NewV7())

// refunds is a running service, and its activities as a worker of the tenant pizza calls them.
func refunds(t *testing.T) (*salestest.World, *order.Orders, context.Context) {
	t.Helper()
	w := salestest.Start(t)
	return w, order.New(w.DB, outbox.New("sales"), time.Now), auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "pizza"})
}

// bought is an order of Lily for 148.00.
func bought(w *salestest.World, id string) orderView {
	var placed orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales,
		with(with(evening(id), "customer_ref", nil), "customer_id", lilys), &placed)
	return placed
}

func asked(key string, of orderView) *salesactivitiesv1.RefundOrder {
	return &salesactivitiesv1.RefundOrder{
		IdempotencyKey: key, OrderId: of.OrderID, CustomerId: lilys.String(), AtMostMinor: 14800, Currency: "CNY",
	}
}

func TestARefundTakesBackWhatIsLeftOnce(t *testing.T) {
	t.Parallel()
	w, orders, ctx := refunds(t)
	placed := bought(w, "1")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders/"+placed.OrderID+"/returns", w.Sales, body{"lines": []body{{"line_no": 1, "quantity": 1}}}, nil)
	first, err := orders.Refund(ctx, asked("k", placed))
	if err != nil || first.GetAmountMinor() != 14800-6900 {
		t.Fatalf("%v %v", first, err)
	}
	again, err := orders.Refund(ctx, asked("k", placed))
	if err != nil || !proto.Equal(first, again) {
		t.Fatalf("first %v, then %v %v", first, again, err)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/orders/"+placed.OrderID, w.Sales, nil, &placed)
	if placed.ReturnedUnits != 5 || placed.ReturnedMinor != 14800 {
		t.Fatalf("%+v", placed)
	}
	returned := w.EventsOf("OrderReturned", 2)
	var told struct {
		ReturnID    string `json:"returnId"`
		AmountMinor string `json:"amountMinor"`
	}
	if err := json.Unmarshal(returned[1].Data, &told); err != nil || len(returned) != 2 || told.ReturnID != first.GetReturnId() || told.AmountMinor != "7900" {
		t.Fatalf("%d returns told, the last one is %s %v", len(returned), returned[1].Data, err)
	}
	if _, err := orders.Refund(ctx, asked("another", placed)); problem.From(err).Code != "return_invalid" || !problem.CallersFault(err) {
		t.Fatalf("nothing is left: got %v", err)
	}
}

func TestRefundsAtOnceMakeOneReturn(t *testing.T) {
	t.Parallel()
	w, orders, ctx := refunds(t)
	placed := bought(w, "1")
	results := make([]*salesactivitiesv1.RefundOrderResult, 20)
	var wait sync.WaitGroup
	for n := range results {
		wait.Go(func() {
			var err error
			if results[n], err = orders.Refund(ctx, asked("k", placed)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, r := range results {
		if !proto.Equal(r, results[0]) || r.GetAmountMinor() != 14800 {
			t.Fatalf("%v, and %v", results[0], r)
		}
	}
	if n := w.Count(`SELECT count(*) FROM order_return`); n != 1 {
		t.Fatalf("%d returns", n)
	}
	if n := len(w.EventsOf("OrderReturned", 1)); n != 1 {
		t.Fatalf("%d events", n)
	}
}

func TestARefundOfWhatCannotBeTakenBack(t *testing.T) {
	t.Parallel()
	w, orders, ctx := refunds(t)
	placed, other := bought(w, "1"), bought(w, "2")
	var unresolved orderView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, evening("3"), &unresolved)
	if _, err := orders.Refund(ctx, asked("used", other)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*salesactivitiesv1.RefundOrder)
		code   string
	}{
		"more than agreed on":         {func(r *salesactivitiesv1.RefundOrder) { r.AtMostMinor = 14799 }, "refund_exceeds"},
		"another currency":            {func(r *salesactivitiesv1.RefundOrder) { r.Currency = "USD" }, "refund_invalid"},
		"no such order":               {func(r *salesactivitiesv1.RefundOrder) { r.OrderId = uuid.NewString() }, "order_not_found"},
		"an order of another":         {func(r *salesactivitiesv1.RefundOrder) { r.CustomerId = uuid.NewString() }, "order_not_found"},
		"an order of nobody yet":      {func(r *salesactivitiesv1.RefundOrder) { r.OrderId = unresolved.OrderID }, "order_not_found"},
		"a key of another order":      {func(r *salesactivitiesv1.RefundOrder) { r.IdempotencyKey = "used" }, "idempotency_key_reused"},
		"a key that is no UTF-8":      {func(r *salesactivitiesv1.RefundOrder) { r.IdempotencyKey = "\xff" }, "refund_invalid"},
		"no key":                      {func(r *salesactivitiesv1.RefundOrder) { r.IdempotencyKey = "" }, "refund_invalid"},
		"a key of 256 characters":     {func(r *salesactivitiesv1.RefundOrder) { r.IdempotencyKey = strings.Repeat("键", 256) }, "refund_invalid"},
		"an order's id that is none":  {func(r *salesactivitiesv1.RefundOrder) { r.OrderId = "17" }, "refund_invalid"},
		"nobody":                      {func(r *salesactivitiesv1.RefundOrder) { r.CustomerId = "" }, "refund_invalid"},
		"the id of nothing":           {func(r *salesactivitiesv1.RefundOrder) { r.CustomerId = uuid.Nil.String() }, "refund_invalid"},
		"less than nothing agreed on": {func(r *salesactivitiesv1.RefundOrder) { r.AtMostMinor = -1 }, "refund_invalid"},
		"no currency":                 {func(r *salesactivitiesv1.RefundOrder) { r.Currency = "" }, "refund_invalid"},
	} {
		bad := asked("k", placed)
		c.change(bad)
		if _, err := orders.Refund(ctx, bad); problem.From(err).Code != c.code || !problem.CallersFault(err) {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
	music := auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "music"})
	if _, err := orders.Refund(music, asked("k", placed)); problem.From(err).Code != "order_not_found" {
		t.Errorf("another tenant's: got %v", err)
	}
	if n := w.Count(`SELECT count(*) FROM order_return`); n != 1 {
		t.Errorf("%d returns, want the one that was good", n)
	}
	if _, err := orders.Refund(ctx, asked("k", placed)); err != nil {
		t.Errorf("what was refused can be asked for rightly: %v", err)
	}
}

func TestAWorkflowAsksForARefundByTheNameOfTheContract(t *testing.T) {
	t.Parallel()
	w, orders, _ := refunds(t)
	request := asked("complaint/pizza/1/refund/1", bought(w, "1"))
	env := flowtest.Environment(t, auth.Principal{Subject: "agent", Tenant: "pizza"}, "complaint/pizza/1")
	orders.Register(env)
	env.ExecuteWorkflow(func(ctx workflow.Context) (*salesactivitiesv1.RefundOrderResult, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		var back *salesactivitiesv1.RefundOrderResult
		err := workflow.ExecuteActivity(ctx, flow.ActivityName(request), request).Get(ctx, &back)
		return back, err
	})
	var back *salesactivitiesv1.RefundOrderResult
	if err := env.GetWorkflowResult(&back); err != nil || back.GetAmountMinor() != 14800 {
		t.Fatalf("%v %v", back, err)
	}
}
