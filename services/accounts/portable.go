package accounts

import (
	"context"
	"encoding/json"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customerexport"
)

// sections are what the rooms have to say of one customer, in the file that the customer can take along. Of others who are
// related to the customer it names the ids alone.
func sections() []customerexport.Section {
	const owned = `(SELECT o.*, a.type, a.product, a.serial FROM asset_owner o JOIN asset a ON a.tenant_id = o.tenant_id AND a.id = o.asset_id)`
	return []customerexport.Section{
		customerexport.Rows("consents", access.Contact, "consent_record", "customer_id", "recorded_at, id"),
		customerexport.Rows("preferences", access.Behaviour, "preference", "customer_id", "key, source"),
		customerexport.Rows("contacts", access.Contact, "contact_log", "customer_id", "id"),
		customerexport.Rows("relationships", access.Identity, "relationship", "customer_id", "id"),
		customerexport.Rows("relationships_of_others", access.Identity, "relationship", "related_id", "id"),
		customerexport.Rows("assets", access.Behaviour, owned, "customer_id", "id"),
		customerexport.Rows("interactions", access.Behaviour, "interaction", "customer_id", "occurred_at, id"),
		{Name: "insights", Class: access.Behaviour, Read: insightsSection},
		customerexport.Rows("timeline", access.Behaviour, "timeline_entry", "customer_id", "at, event_id"),
		customerexport.Rows("facts", access.Behaviour, "timeline_fact", "customer_id", "name, unit, contributor"),
	}
}

// insightsSection gives what was concluded of the customer from nobody else's data, where all that it was concluded from is
// in sight.
func insightsSection(ctx context.Context, tx *pg.Tx, ref customer.Ref, sight access.Sight) (any, error) {
	var all string
	err := tx.QueryRow(ctx, `SELECT coalesce(jsonb_agg(to_jsonb(r) - 'tenant_id' ORDER BY r.name, r.customer_id), '[]')::text
		FROM unnest($2::uuid[]) AS g(member)
		CROSS JOIN LATERAL (SELECT * FROM insight WHERE tenant_id = $1 AND customer_id = g.member) r
		WHERE r.input_classes <@ $3::text[] AND coalesce(r.about_customer_id = ANY($2), true)`,
		tx.Tenant(), ref.Group(), sight.Seen()).Scan(&all)
	return json.RawMessage(all), err
}
