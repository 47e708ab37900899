package subscription

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
)

func TestAMisspeltTypeIsRefusedWithTheOneThatIsMeant(t *testing.T) {
	t.Parallel()
	published := []string{"guanxi.sales.events.v1", "guanxi.stock.events.v1", "guanxi.tickets.events.v1"}
	for written, meant := range map[v1alpha1.EventType]string{
		"guanxi.sales.events.v1.OrderPlaced":    "",
		"guanxi.sales.events.v1.*":              "",
		"guanxi.stock.events.v1.GoodsMoved":     "", // of a service that the operator does not know
		"guanxi.sales.events.v1.OrderPlcaed":    "guanxi.sales.events.v1.OrderPlaced",
		"guanxi.sales.events.v1.Orderplaced":    "guanxi.sales.events.v1.OrderPlaced",
		"guanxi.tickets.events.v1.TicketOpend":  "guanxi.tickets.events.v1.TicketOpened",
		"guanxi.tickets.events.v1.TicketsClose": "guanxi.tickets.events.v1.TicketClosed",
	} {
		s := subscriptionOf("stock", "", "guanxi.tickets.events.v1.TicketOpened", written)
		tenant := v1alpha1.Tenant("acme")
		s.Spec.Tenant = &tenant
		_, err := For(s, nil, published, "c1")
		if meant == "" {
			require.NoError(t, err, written)
			continue
		}
		var refusal *Refusal
		require.ErrorAs(t, err, &refusal, written)
		require.Equal(t, "UnknownEventType", refusal.Reason)
		require.Contains(t, refusal.Message, "do you mean "+meant+"?", written)
	}
}

func TestTheDistanceOfWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		is   int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"Abc", "aBC", 0}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}} {
		require.Equal(t, c.is, distance(c.a, c.b), "%s %s", c.a, c.b)
		require.Equal(t, c.is, distance(c.b, c.a), "%s %s", c.b, c.a)
	}
}
