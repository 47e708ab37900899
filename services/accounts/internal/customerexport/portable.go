package customerexport

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// Section is a part of the file with one customer's whole data. Each room that keeps something of customers has one.
type Section struct {
	Name string
	// Class is what the section's data are. It is left out, and the file says so, where the caller does not see the class.
	Class access.Class
	// Read gives what there is of the customer, by all ids that mean them, in a form that has a JSON form. What in it is of
	// another class it leaves out where the sight does not allow it.
	Read func(ctx context.Context, tx *pg.Tx, ref customer.Ref, sight access.Sight) (any, error)
}

// Whole makes a section of all that a room gives of a customer, who is known by the ids of the group.
func Whole(name string, class access.Class, read func(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error)) Section {
	return Section{name, class, func(ctx context.Context, tx *pg.Tx, ref customer.Ref, _ access.Sight) (any, error) {
		return read(ctx, tx, ref.Group())
	}}
}

// rows makes a section of a table of the customers' room.
func rows(name string, class access.Class, table, column, order string) Section {
	return Whole(name, class, func(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
		return customer.Rows(ctx, tx, group, table, column, order)
	})
}

// basic are the sections that every file has: what the customer's own rows say.
func basic() []Section {
	const noCustom = `(SELECT tenant_id, id, state, root_id, aliases, version, kind, display_name, given_name, family_name, legal_name,
		registered_at, changed_at FROM customer)`
	const conduct = `(SELECT tenant_id, id, source, owner, tags, stage, stage_since, stage_manual_until FROM customer)`
	return []Section{
		rows("records", access.Identity, noCustom, "id", "registered_at, id"),
		rows("conduct", access.Behaviour, conduct, "id", "id"),
		{"identities", access.Identity, identitiesSection},
		rows("addresses", access.Contact, "customer_address", "customer_id", "added_at, id"),
		{"custom_fields", access.Identity, customSection},
		rows("stages", access.Behaviour, "customer_stage", "customer_id", "since"),
	}
}

// identitiesSection gives identities with the time for which they were the customer's, ended ones too.
func identitiesSection(ctx context.Context, tx *pg.Tx, ref customer.Ref, sight access.Sight) (any, error) {
	rows, err := tx.Query(ctx, `SELECT k.type, (to_jsonb(k) - 'tenant_id')::text FROM unnest($2::uuid[]) AS g(id)
		CROSS JOIN LATERAL (SELECT * FROM customer_identity WHERE tenant_id = $1 AND customer_id = g.id) k
		ORDER BY k.added_at, k.type COLLATE "C", k.value COLLATE "C"`, tx.Tenant(), ref.Group())
	if err != nil {
		return nil, err
	}
	all := []json.RawMessage{}
	var kind, row string
	_, err = pgx.ForEachRow(rows, []any{&kind, &row}, func() error {
		if sight.May(access.OfIdentity(kind)) {
			all = append(all, json.RawMessage(row))
		}
		return nil
	})
	return all, err
}

// customSection gives the values of custom fields that are in sight, by the id under which they are kept.
func customSection(ctx context.Context, tx *pg.Tx, ref customer.Ref, sight access.Sight) (any, error) {
	rows, err := tx.Query(ctx, `SELECT c.id, coalesce(jsonb_object_agg(v.key, v.value), '{}')::text
		FROM unnest($2::uuid[]) AS g(id)
		JOIN customer c ON c.tenant_id = $1 AND c.id = g.id
		CROSS JOIN LATERAL jsonb_each(c.custom) v
		LEFT JOIN custom_field f ON f.tenant_id = $1 AND f.name = v.key
		WHERE coalesce(f.class, 'special') = ANY($3::text[]) GROUP BY c.id ORDER BY c.id`, tx.Tenant(), ref.Group(), sight.Seen())
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	var id uuid.UUID
	var values string
	_, err = pgx.ForEachRow(rows, []any{&id, &values}, func() error {
		all[id.String()] = json.RawMessage(values)
		return nil
	})
	return all, err
}

// portableFormat names the form of the file; another number comes with a change that a reader would notice.
const portableFormat = "guanxi-customer/1"

// Portable is one customer's whole data.
type Portable struct {
	ExportedAt time.Time
	Customer   customer.Ref
	Sections   map[string]any
	Withheld   []access.Withheld
}

// Portable gives everything that there is of a customer, as far as the sight goes. A look at sensitive data is written
// down.
func (e *Exports) Portable(ctx context.Context, id uuid.UUID, sight access.Sight) (p Portable, err error) {
	err = e.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		p = Portable{ExportedAt: e.now(), Sections: map[string]any{}, Withheld: sight.Withheld()}
		if p.Customer, err = customer.Resolve(ctx, tx, id); err != nil {
			return err
		}
		for _, s := range append(basic(), e.sections...) {
			if !sight.May(s.Class) {
				continue
			}
			if p.Sections[s.Name], err = s.Read(ctx, tx, p.Customer, sight); err != nil {
				return fmt.Errorf("section %s: %w", s.Name, err)
			}
		}
		return e.log.Record(ctx, tx, sight, access.Look{View: "portable", Customer: p.Customer.Root, Classes: sight.Sensitive()})
	})
	return p, err
}
