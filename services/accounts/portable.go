package accounts

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/asset"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/contact"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customerexport"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/insight"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/interaction"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/preference"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/relationship"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/timeline"
)

// sections are what the rooms have to say of one customer, in the file that the customer can take along. Of others who are
// related to the customer it names the ids alone.
func sections() []customerexport.Section {
	return []customerexport.Section{
		customerexport.Whole("consents", access.Contact, consent.Portable),
		customerexport.Whole("preferences", access.Behaviour, preference.Portable),
		customerexport.Whole("contacts", access.Contact, contact.Portable),
		customerexport.Whole("relationships", access.Identity, relationship.Portable),
		customerexport.Whole("relationships_of_others", access.Identity, relationship.PortableOfOthers),
		customerexport.Whole("assets", access.Behaviour, asset.Portable),
		customerexport.Whole("interactions", access.Behaviour, interaction.Portable),
		{Name: "insights", Class: access.Behaviour, Read: func(ctx context.Context, tx *pg.Tx, ref customer.Ref, sight access.Sight) (any, error) {
			return insight.Portable(ctx, tx, ref.Group(), sight.Seen())
		}},
		customerexport.Whole("timeline", access.Behaviour, timeline.Portable),
		customerexport.Whole("facts", access.Behaviour, timeline.PortableFacts),
	}
}
