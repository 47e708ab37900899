package accounts_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

func TestTheHouseRulesHold(t *testing.T) {
	t.Parallel()
	apptest.Check(t, accounts.Module())
}

// TestATraceFollowsARegistration is not parallel: spans go to one place in a process.
func TestATraceFollowsARegistration(t *testing.T) { //nolint:paralleltest // see above
	spans := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	w := accountstest.Start(t)

	answer := w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleAgent, "pizza"), map[string]any{
		"display_name": "李雷", "identities": []map[string]any{{"type": "phone", "value": "138 0013 8000"}},
	}, nil)
	trace := answer.Header.Get("Trace-Id")
	if event := w.EventsOf("CustomerRegistered", 1)[0]; trace == "" || !strings.Contains(event.Trace["traceparent"], trace) {
		t.Fatalf("the answer's trace is %s, the event's %v", trace, event.Trace)
	}
	var names []string
	for _, span := range spans.GetSpans() {
		if span.SpanContext.TraceID().String() == trace {
			names = append(names, span.Name)
			for _, a := range span.Attributes {
				if text := fmt.Sprint(a.Value.AsInterface()); strings.Contains(text, "13800138000") || strings.Contains(text, "李雷") {
					t.Errorf("span %s tells who: %s=%s", span.Name, a.Key, text)
				}
			}
		}
	}
	if !strings.Contains(strings.Join(names, " "), "pg.command") || len(names) < 2 {
		t.Fatalf("the trace has the spans %v, want the request and its command", names)
	}
}
