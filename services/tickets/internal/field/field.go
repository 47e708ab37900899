// Package field keeps what a tenant wants to know of its tickets besides what the platform has a place for.
package field

import (
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/customfield"
)

// Kind is what the fields are of.
func Kind() customfield.Kind {
	return customfield.Kind{Of: "ticket", Many: "tickets", Read: auth.TicketsRead, Configure: auth.TicketsConfigure}
}
