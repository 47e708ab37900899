package profile

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/timeline"
)

// profileSQL reads a customer whole, in one statement, so that all of it is as of one moment. Whatever hangs on the customer
// is looked for by each id of the group apart: under row level security a comparison with an array that was put together
// cannot use an index. $3 are the classes in sight: what is of others does not leave the database.
var profileSQL = `
SELECT r.id, r.aliases, r.state, r.kind, r.display_name, r.given_name, r.family_name, r.legal_name, r.tags, r.owner, r.stage, r.registered_at,
	(SELECT t.region FROM tenant t WHERE t.tenant_id = $1),
	(SELECT json_agg(json_build_object('name', f.name, 'title', f.title, 'class', f.class, 'value', r.custom -> f.name) ORDER BY f.name)
		FROM custom_field f
		WHERE r.custom <> '{}' AND f.tenant_id = $1 AND NOT f.archived AND f.class = ANY($3::text[]) AND r.custom ? f.name)::text,
	(SELECT json_agg(json_build_object('type', i.type, 'value', i.value, 'added_at', i.added_at, 'verified_at', i.verified_at)
			ORDER BY i.added_at, i.type, i.value)
		FROM unnest(r.id || r.aliases) AS g (id) CROSS JOIN LATERAL (
			SELECT * FROM customer_identity WHERE tenant_id = $1 AND customer_id = g.id OFFSET 0) i
		WHERE coalesce(i.valid_from <= $4, true) AND coalesce(i.valid_to > $4, true))::text,
	(SELECT json_agg(json_build_object('id', a.id, 'kind', a.kind, 'lines', a.lines, 'city', a.city, 'region', a.region,
			'postal_code', a.postal_code, 'country', a.country) ORDER BY a.added_at, a.id)
		FROM unnest(r.id || r.aliases) AS g (id) CROSS JOIN LATERAL (
			SELECT * FROM customer_address WHERE tenant_id = $1 AND customer_id = g.id OFFSET 0) a
		WHERE $5)::text,
	(SELECT json_agg(json_build_object('name', i.name, 'kind', i.kind, 'text', i.value_text, 'number', i.value_number,
			'inputs', i.input_classes, 'about', i.about_customer_id, 'computed_at', i.computed_at, 'valid_until', i.valid_until) ORDER BY i.name)
		FROM (SELECT DISTINCT ON (i.name) i.* FROM unnest(r.id || r.aliases) AS g (id) CROSS JOIN LATERAL (
				SELECT * FROM insight WHERE tenant_id = $1 AND customer_id = g.id OFFSET 0) i
			ORDER BY i.name, i.computed_at DESC) i
		WHERE i.input_classes <@ $3::text[] AND coalesce(i.valid_until > $4, true))::text,
	(SELECT json_agg(json_build_object('name', f.name, 'unit', f.unit, 'value', f.value) ORDER BY f.name, f.unit)
		FROM (SELECT f.name, f.unit, sum(f.value)::bigint AS value FROM unnest(r.id || r.aliases) AS g (id) CROSS JOIN LATERAL (
				SELECT * FROM timeline_fact WHERE tenant_id = $1 AND customer_id = g.id OFFSET 0) f
			GROUP BY f.name, f.unit) f
		WHERE $6)::text,
	(SELECT json_agg(json_build_object('at', e.at, 'title', e.title, 'order_id', e.aggregate_id, 'details', e.details)
			ORDER BY e.at DESC, e.event_id DESC)
		FROM (SELECT e.* FROM unnest(r.id || r.aliases) AS g (id) CROSS JOIN LATERAL (
				SELECT * FROM timeline_entry WHERE tenant_id = $1 AND customer_id = g.id AND service = 'sales' AND aggregate = 'order'
				ORDER BY at DESC, event_id DESC LIMIT $7) e
			ORDER BY e.at DESC, e.event_id DESC LIMIT $7) e
		WHERE $6)::text,
	(SELECT max(e.at) FROM unnest(r.id || r.aliases) AS g (id) CROSS JOIN LATERAL (
			SELECT at FROM timeline_entry WHERE tenant_id = $1 AND customer_id = g.id AND ` + timeline.ContactSQL("$8") + `
			ORDER BY at DESC, event_id DESC LIMIT 1) e
		WHERE $6),
	(SELECT json_agg(json_build_object('service', s.service, 'at', s.at) ORDER BY s.service)
		FROM (SELECT service, max(newest_at) AS at FROM timeline_as_of WHERE tenant_id = $1 GROUP BY service) s)::text,
	coalesce((SELECT $9::boolean FROM consent_suppression WHERE tenant_id = $1 ORDER BY address_hash LIMIT 1), false),` + consent.Glance("r.id || r.aliases", "$9") + `
FROM (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = $1 AND id = $2 LIMIT 1) c
CROSS JOIN LATERAL (SELECT * FROM customer WHERE tenant_id = $1 AND id = c.root LIMIT 1) r`

// recentOrders is how many entries about orders a profile shows.
const recentOrders = 10

// read queues the reading of a customer into r, and of whether there is one into found.
func (p *Profiles) read(tx *pg.Tx, s access.Sight, id uuid.UUID, now time.Time, r *record, found *bool) {
	tx.Queue(profileSQL, tx.Tenant(), id, s.Seen(), now, sees(s, "addresses"), sees(s, "timeline"), recentOrders, p.contacts,
		sees(s, "consents")).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			*found, *r = true, record{}
			if err := r.scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (r *record) scan(row pgx.Rows) error {
	var region, fields, identities, addresses, insights, facts, orders, asOf, records, merges, births *string
	err := row.Scan(&r.id, &r.aliases, &r.state, &r.kind, &r.names.display, &r.names.given, &r.names.family, &r.names.legal, &r.tags,
		&r.owner, &r.stage, &r.registeredAt, &region, &fields, &identities, &addresses, &insights, &facts, &orders, &r.lastContact, &asOf,
		&r.suppressed, &records, &merges, &births)
	if err != nil {
		return err
	}
	if r.consents, err = consent.ReadGlance(records, merges, births); err != nil {
		return err
	}
	if region != nil { // the tenant may not be made yet
		r.region = *region
	}
	for _, part := range []struct {
		text *string // nil: nothing, or nothing in sight
		into any
	}{
		{fields, &r.fields}, {identities, &r.identities}, {addresses, &r.addresses}, {insights, &r.insights}, {facts, &r.facts},
		{orders, &r.orders}, {asOf, &r.asOf},
	} {
		if part.text == nil {
			continue
		}
		if err := json.Unmarshal([]byte(*part.text), part.into); err != nil {
			return err
		}
	}
	return nil
}
