package tickets_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/services/tickets"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

func TestTheHouseRulesHold(t *testing.T) {
	t.Parallel()
	apptest.CheckOpen(t, tickets.Module(), map[string]string{
		"open-survey-form":   "whoever was sent the link has no sign-in; its secret is the right",
		"answer-survey-form": "as open-survey-form",
		"show-survey-form":   "as open-survey-form",
	})
}

func TestATraceFollowsAComplaintToItsProcess(t *testing.T) {
	t.Parallel()
	otel.SetTextMapPropagator(propagation.TraceContext{}) // as a process does when it starts
	w := ticketstest.Start(t)
	var c ticketstest.Complaint
	answer := w.Want(http.StatusCreated, http.MethodPost, "/v1/complaints", w.Agent, ticketstest.Cold(uuid.NewString()), &c,
		"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if got := answer.Header.Get("Trace-Id"); got != "0af7651916cd43dd8448eb211c80319c" {
		t.Fatalf("the answer's trace is %s", got)
	}
	for _, e := range w.Events(2) {
		if !strings.Contains(e.Trace["traceparent"], "0af7651916cd43dd8448eb211c80319c") {
			t.Fatalf("the trace of %s is %v", e.Type, e.Trace)
		}
	}
	// The process is written down, with the trace, until Temporal has it: no worker runs here, but the consumer does.
	w.Eventually("the process is called for", func() bool {
		return w.Count(`SELECT count(*) FROM process_start WHERE workflow_id = $1 AND trace->>'traceparent' LIKE '00-0af7651916cd43dd8448eb211c80319c-%'`,
			"complaint/pizza/"+c.ID) == 1
	})
}
