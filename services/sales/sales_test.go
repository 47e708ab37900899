package sales_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/sales"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

func TestEveryTableKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	pgtest.CheckTenancy(t, pgtest.New(t, sales.Module().Source()))
}

func TestEveryOperationDeclaresItsPermission(t *testing.T) {
	t.Parallel()
	parts, err := sales.Module().Build(app.Deps{Outbox: outbox.New("sales"), Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	api := httpx.NewServer(httpx.Config{}, nil, slog.New(slog.DiscardHandler)).API("sales", "test", "sales")
	for _, routes := range parts.Routes {
		routes(api)
	}
	if len(api.Operations()) == 0 {
		t.Fatal("there are no operations")
	}
	for _, op := range api.Operations() {
		if op.Public || op.Permission == "" {
			t.Errorf("%s %s declares no permission", op.Method, op.Path)
		}
	}
}

func TestATraceFollowsAnOrderToItsEvent(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	answer := w.Want(http.StatusCreated, http.MethodPost, "/v1/orders", w.Sales, map[string]any{
		"customer_ref": map[string]any{"system": "shop", "id": "17"}, "currency": "CNY",
		"lines": []map[string]any{{"quantity": 1, "amount_minor": 6900}},
	}, nil)
	trace := answer.Header.Get("Trace-Id")
	if event := w.EventsOf("OrderPlaced", 1)[0]; trace == "" || !strings.Contains(event.Trace["traceparent"], trace) {
		t.Fatalf("the answer's trace is %s, the event's %v", trace, event.Trace)
	}
}
