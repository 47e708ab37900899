// Package leadfield keeps what a tenant wants to know of its leads, and of the opportunities that come of them, besides what
// the platform has a place for.
package leadfield

import (
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/customfield"
)

// Kind is what the fields are of.
func Kind() customfield.Kind {
	return customfield.Kind{Of: "lead", Many: "leads", Read: auth.SalesRead, Configure: auth.SalesConfigure}
}
