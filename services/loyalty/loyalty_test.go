package loyalty_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/services/loyalty"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

func TestTheHouseRulesHold(t *testing.T) {
	t.Parallel()
	apptest.Check(t, loyalty.Module())
}

func TestATraceFollowsPointsToTheirEvent(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	member := w.Enrol()
	answer := w.Want(http.StatusCreated, http.MethodPost, member.Path+"/earns", w.Manager,
		map[string]any{"points": 100, "reason_type": "campaign"}, nil)
	trace := answer.Header.Get("Trace-Id")
	if event := w.EventsOf("PointsEarned", 1)[0]; trace == "" || !strings.Contains(event.Trace["traceparent"], trace) {
		t.Fatalf("the answer's trace is %s, the event's %v", trace, event.Trace)
	}
}
