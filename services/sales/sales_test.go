package sales_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/services/sales"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

func TestTheHouseRulesHold(t *testing.T) {
	t.Parallel()
	apptest.CheckOpen(t, sales.Module(), map[string]string{
		"fill-lead-form": "visitors of a website have no token; the key of the form is the right",
		"ask-lead-form":  "browsers ask before they send it, without a token",
	})
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
