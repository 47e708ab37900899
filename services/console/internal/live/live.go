// Package live tells pages what changed while they are open. It reads the services' topics from their end, as long as somebody
// listens, and passes on the kind of each event and which rows it is about, never its content: a page asks the API anew, and the
// API decides what it may see.
package live

import (
	"strings"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

// Change is what a page hears of an event.
type Change struct {
	Service   string `json:"service"`            // such as tickets
	Type      string `json:"type"`               // such as TicketReplied
	Aggregate string `json:"aggregate"`          // such as ticket
	ID        string `json:"id"`                 // the aggregate's; empty: many of this type changed
	Customer  string `json:"customer,omitempty"` // whom it is about
}

// many is for a burst: the page is to look again at everything of the type.
func (c Change) many() Change {
	return Change{Service: c.Service, Type: c.Type, Aggregate: c.Aggregate}
}

// needs gives the permission without which somebody does not hear of the change. It is that of reading what changed.
func (c Change) needs() auth.Permission {
	switch c.Service {
	case "accounts":
		return auth.CustomersRead
	case "sales":
		if strings.HasPrefix(c.Type, "Order") {
			return auth.OrdersRead
		}
		return auth.SalesRead
	case "loyalty":
		if strings.HasPrefix(c.Type, "Retention") || strings.HasPrefix(c.Type, "WinBack") {
			return auth.RetentionRead
		}
		return auth.LoyaltyRead
	case "tickets":
		switch {
		case strings.HasPrefix(c.Type, "Complaint"):
			return auth.ComplaintsRead
		case strings.HasPrefix(c.Type, "Survey"):
			return auth.SurveysRead
		}
		return auth.TicketsRead
	case "analytics":
		return auth.AnalyticsRead
	case "rollout":
		return auth.RolloutsRead
	default:
		return auth.Operate
	}
}

// maySee is the change as the principal may hear of it; false: not at all.
func (c Change) maySee(who auth.Principal) (Change, bool) {
	if !who.Can(c.needs()) {
		return Change{}, false
	}
	if !who.Can(auth.CustomersRead) {
		c.Customer = ""
	}
	return c, true
}
