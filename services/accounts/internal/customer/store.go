package customer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// errNotFound is the same for a customer that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "customer_not_found", "There is no such customer.")

// exclusiveIndex is the constraint that gives an exclusive identity to one customer only.
const exclusiveIndex = "customer_identity_exclusive"

// columns are what scan reads of a customer c, from which hanging gives the rest. The classes are those of the customer's
// custom fields.
const columns = `c.id, c.version, c.kind, c.display_name, c.given_name, c.family_name, c.legal_name, c.source, c.registered_at,
	c.changed_at, c.state, c.root_id, c.aliases, c.tags, c.owner, c.custom, c.stage, c.stage_since, c.stage_manual_until,
	(SELECT json_object_agg(f.name, f.class) FROM custom_field f WHERE c.custom <> '{}' AND f.tenant_id = c.tenant_id AND c.custom ? f.name),
	i.types, i.vals, i.owners, i.added, i.began, i.ended, i.verified, a.addresses`

// hanging gives the identities and addresses of a customer c: arrays beside each other, in the order of their fields, one
// row a customer however many there are. ofWhom lists the ids that they bear: each is looked for by its own, since under
// row level security a comparison with an array that was put together cannot use an index.
func hanging(ofWhom string) string {
	return ` LEFT JOIN LATERAL (
		SELECT array_agg(k.type) AS types, array_agg(k.value) AS vals, array_agg(k.customer_id) AS owners, array_agg(k.added_at) AS added,
			array_agg(k.valid_from) AS began, array_agg(k.valid_to) AS ended, array_agg(k.verified_at) AS verified
		FROM (SELECT k.* FROM unnest(` + ofWhom + `) AS g(id)
			JOIN LATERAL (SELECT * FROM customer_identity WHERE tenant_id = c.tenant_id AND customer_id = g.id OFFSET 0) k ON true
			ORDER BY k.added_at, k.type COLLATE "C", k.value COLLATE "C", k.customer_id) k
	) i ON true LEFT JOIN LATERAL (
		SELECT json_agg(json_build_object('id', k.id, 'customer_id', k.customer_id, 'kind', k.kind, 'lines', k.lines, 'city', k.city,
			'region', k.region, 'postal_code', k.postal_code, 'country', k.country, 'added_at', k.added_at) ORDER BY k.added_at, k.id) AS addresses
		FROM unnest(` + ofWhom + `) AS g(id)
		JOIN LATERAL (SELECT * FROM customer_address WHERE tenant_id = c.tenant_id AND customer_id = g.id OFFSET 0) k ON true
	) a ON true `
}

// whole selects customers with all that hangs on them and on those merged into them.
var whole = `SELECT ` + columns + ` FROM customer c ` + hanging(`c.id || c.aliases`)

// Insert queues new customers with what hangs on them, in two or three statements. An exclusive identity that another
// customer has violates customer_identity_exclusive.
func Insert(tx *pg.Tx, customers ...Customer) {
	all := make([]*Customer, len(customers))
	for n := range customers {
		all[n] = &customers[n]
	}
	NewInsertion(all...).Queue(tx)
}

// Insertion is what Insert sends, which can be made while the database is busy with other things.
type Insertion struct {
	ids                           []uuid.UUID
	kinds, sources                []string
	display, given, family, legal []string
	versions                      []int64
	registered, changed           []time.Time
	tags, owners, custom          []string
	alike                         bool // but for names and tags they are the same
	identities                    identityRows
	addresses                     []Address
}

// NewInsertion makes the insertion of new customers.
func NewInsertion(customers ...*Customer) Insertion {
	n := len(customers)
	s := Insertion{
		ids: make([]uuid.UUID, n), kinds: make([]string, n), sources: make([]string, n), display: make([]string, n), given: make([]string, n),
		family: make([]string, n), legal: make([]string, n), versions: make([]int64, n), registered: make([]time.Time, n),
		changed: make([]time.Time, n), tags: make([]string, n), owners: make([]string, n), custom: make([]string, n), alike: true,
	}
	var hanging int
	for _, c := range customers {
		hanging += len(c.rows)
	}
	known := make([]*Identity, 0, hanging) // a row is long
	for i, c := range customers {
		for k := range c.rows {
			known = append(known, &c.rows[k])
		}
		s.ids[i], s.kinds[i], s.sources[i], s.versions[i] = c.ID, string(c.Kind), c.Source, c.Version
		s.display[i], s.given[i], s.family[i], s.legal[i] = c.Display, c.Given, c.Family, c.Legal
		s.registered[i], s.changed[i] = c.RegisteredAt, c.ChangedAt
		s.tags[i], s.owners[i], s.custom[i] = joined(c.Tags), c.Owner, object(c.Custom)
		s.addresses = append(s.addresses, c.Addresses...)
		s.alike = s.alike && s.kinds[i] == s.kinds[0] && s.sources[i] == s.sources[0] && s.versions[i] == s.versions[0] && s.legal[i] == s.legal[0] &&
			s.registered[i].Equal(s.registered[0]) && s.changed[i].Equal(s.changed[0]) && s.owners[i] == s.owners[0] && s.custom[i] == s.custom[0]
	}
	s.identities = newIdentityRows(known)
	return s
}

// Queue queues the statements. What all customers of a file have in common is sent once: it is more than what tells them
// apart.
func (s Insertion) Queue(tx *pg.Tx) {
	if s.alike && len(s.ids) > 0 {
		tx.Queue(`INSERT INTO customer (tenant_id, id, version, kind, display_name, given_name, family_name, legal_name, source, registered_at,
				changed_at, tags, owner, custom)
			SELECT $1, n.id, $3, $4, n.display_name, n.given_name, n.family_name, $8, $9, $10, $11, string_to_array(n.tags, E'\n'), $13, $14::text::jsonb
			FROM unnest($2::uuid[], $5::text[], $6::text[], $7::text[], $12::text[]) AS n(id, display_name, given_name, family_name, tags)`,
			tx.Tenant(), s.ids, s.versions[0], s.kinds[0], s.display, s.given, s.family, s.legal[0], s.sources[0], s.registered[0],
			s.changed[0], s.tags, s.owners[0], s.custom[0])
	} else {
		tx.Queue(`INSERT INTO customer (tenant_id, id, version, kind, display_name, given_name, family_name, legal_name, source, registered_at,
				changed_at, tags, owner, custom)
			SELECT $1, n.id, n.version, n.kind, n.display_name, n.given_name, n.family_name, n.legal_name, n.source, n.registered_at,
				n.changed_at, string_to_array(n.tags, E'\n'), n.owner, n.custom::jsonb
			FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
				$10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[], $14::text[])
				AS n(id, version, kind, display_name, given_name, family_name, legal_name, source, registered_at, changed_at, tags, owner, custom)`,
			tx.Tenant(), s.ids, s.versions, s.kinds, s.display, s.given, s.family, s.legal, s.sources, s.registered, s.changed, s.tags, s.owners, s.custom)
	}
	s.identities.queue(tx, ``)
	saveAddresses(tx, s.addresses)
}

// Update queues what stands in the rows of customers that are locked, in one statement: everything but what hangs on
// them, source and time of the registration.
func Update(tx *pg.Tx, customers ...Customer) {
	n := len(customers)
	ids, versions, changed := make([]uuid.UUID, n), make([]int64, n), make([]time.Time, n)
	display, given, family, legal := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	kinds, states, roots, aliases := make([]Kind, n), make([]State, n), make([]*uuid.UUID, n), make([]string, n)
	tags, owners, custom := make([]string, n), make([]string, n), make([]string, n)
	stages, since, manual := make([]Stage, n), make([]*time.Time, n), make([]*time.Time, n)
	for i, c := range customers {
		ids[i], versions[i], changed[i] = c.ID, c.Version, c.ChangedAt
		display[i], given[i], family[i], legal[i] = c.Display, c.Given, c.Family, c.Legal
		kinds[i], states[i], roots[i], aliases[i] = c.Kind, c.State, pg.OrNull(c.RootID), joinedIDs(c.Aliases)
		tags[i], owners[i], custom[i] = joined(c.Tags), c.Owner, object(c.Custom)
		stages[i], since[i], manual[i] = c.Stage, pg.OrNull(c.StageSince), pg.OrNull(c.StageManualUntil)
	}
	tx.Queue(`UPDATE customer c SET version = n.version, display_name = n.display_name, given_name = n.given_name,
			family_name = n.family_name, legal_name = n.legal_name, changed_at = n.changed_at, kind = n.kind, state = n.state,
			root_id = n.root_id, aliases = string_to_array(n.aliases, ',')::uuid[], tags = string_to_array(n.tags, E'\n'), owner = n.owner,
			custom = n.custom::jsonb, stage = n.stage, stage_since = n.stage_since, stage_manual_until = n.stage_manual_until
		FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::text[], $10::text[],
			$11::uuid[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::timestamptz[], $18::timestamptz[])
			AS n(id, version, display_name, given_name, family_name, legal_name, changed_at, kind, state, root_id, aliases, tags, owner,
				custom, stage, stage_since, stage_manual_until)
		WHERE c.tenant_id = $1 AND c.id = n.id AND c.id = ANY($2::uuid[])`, // said twice, so that only these are read
		tx.Tenant(), ids, versions, display, given, family, legal, changed, kinds, states, roots, aliases, tags, owners, custom,
		stages, since, manual)
}

// saveIdentities queues identities, new ones and others.
func saveIdentities(tx *pg.Tx, known []Identity) {
	rows := make([]*Identity, len(known))
	for n := range known {
		rows[n] = &known[n]
	}
	newIdentityRows(rows).queue(tx, ` ON CONFLICT (tenant_id, type, value, customer_id) DO UPDATE
		SET valid_from = excluded.valid_from, valid_to = excluded.valid_to, verified_at = excluded.verified_at`)
}

// InBulk queues that what the transaction changes is one of very many changes: whatever is derived from it may wait until
// they are over.
func InBulk(tx *pg.Tx) { tx.Queue(`SELECT set_config('guanxi.bulk', 'on', true)`) }

// identityRows are identities as they are sent, in the order of their key, so that two commands never wait for each other
// in a circle; they are sorted here, where there is time while the database writes.
type identityRows struct {
	ids                    []uuid.UUID
	types, values          []string
	added                  []time.Time
	began, ended, verified []*time.Time
	plain                  bool // added at one time, of no known beginning or end, and not verified
}

// newIdentityRows sorts them.
func newIdentityRows(sorted []*Identity) identityRows {
	n := len(sorted)
	slices.SortFunc(sorted, func(a, b *Identity) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Value, b.Value), bytes.Compare(a.CustomerID[:], b.CustomerID[:]))
	})
	s := identityRows{ids: make([]uuid.UUID, n), types: make([]string, n), values: make([]string, n), added: make([]time.Time, n), plain: true}
	for i, k := range sorted {
		s.ids[i], s.types[i], s.values[i], s.added[i] = k.CustomerID, string(k.Type), k.Value, k.AddedAt
		s.plain = s.plain && k.Validity == Validity{} && k.AddedAt.Equal(sorted[0].AddedAt)
	}
	if s.plain {
		return s
	}
	s.began, s.ended, s.verified = make([]*time.Time, n), make([]*time.Time, n), make([]*time.Time, n)
	for i, k := range sorted {
		s.began[i], s.ended[i], s.verified[i] = pg.OrNull(k.ValidFrom), pg.OrNull(k.ValidTo), pg.OrNull(k.VerifiedAt)
	}
	return s
}

// queue queues the statement. Those of new customers meet none of the same key, and looking for one would take half as
// long again.
func (s identityRows) queue(tx *pg.Tx, onConflict string) {
	switch {
	case len(s.ids) == 0:
	case s.plain:
		tx.Queue(`INSERT INTO customer_identity (tenant_id, customer_id, type, value, added_at)
			SELECT $1, n.*, $5::timestamptz FROM unnest($2::uuid[], $3::text[], $4::text[]) AS n(customer_id, type, value)`+onConflict,
			tx.Tenant(), s.ids, s.types, s.values, s.added[0])
	default:
		tx.Queue(`INSERT INTO customer_identity (tenant_id, customer_id, type, value, added_at, valid_from, valid_to, verified_at)
			SELECT $1, n.* FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[])
				AS n(customer_id, type, value, added_at, valid_from, valid_to, verified_at)`+onConflict,
			tx.Tenant(), s.ids, s.types, s.values, s.added, s.began, s.ended, s.verified)
	}
}

// saveAddresses queues addresses, new ones and others.
func saveAddresses(tx *pg.Tx, addresses []Address) {
	if len(addresses) == 0 {
		return
	}
	n := len(addresses)
	ids, customers, kinds, lines := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]string, n), make([]string, n)
	cities, regions, codes, countries, added := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]time.Time, n)
	for i, a := range addresses {
		ids[i], customers[i], kinds[i], lines[i], added[i] = a.ID, a.CustomerID, a.Kind, joined(a.Lines), a.AddedAt
		cities[i], regions[i], codes[i], countries[i] = a.City, a.Region, a.PostalCode, a.Country
	}
	tx.Queue(`INSERT INTO customer_address (tenant_id, id, customer_id, kind, lines, city, region, postal_code, country, added_at)
		SELECT $1, n.id, n.customer_id, n.kind, string_to_array(n.lines, E'\n'), n.city, n.region, n.postal_code, n.country, n.added_at
		FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[])
			AS n(id, customer_id, kind, lines, city, region, postal_code, country, added_at)
		ON CONFLICT (tenant_id, customer_id, id) DO UPDATE SET kind = excluded.kind, lines = excluded.lines, city = excluded.city,
			region = excluded.region, postal_code = excluded.postal_code, country = excluded.country`,
		tx.Tenant(), ids, customers, kinds, lines, cities, regions, codes, countries, added)
}

// removeAddresses queues the removal of addresses.
func removeAddresses(tx *pg.Tx, addresses []Address) {
	for _, a := range addresses {
		tx.Queue(`DELETE FROM customer_address WHERE tenant_id = $1 AND customer_id = $2 AND id = $3`, tx.Tenant(), a.CustomerID, a.ID)
	}
}

// insertMoves queues entries of the histories of stages.
func insertMoves(tx *pg.Tx, moves []Move) {
	n := len(moves)
	if n == 0 {
		return
	}
	ids, stages, since := make([]uuid.UUID, n), make([]Stage, n), make([]time.Time, n)
	reasons, by, until := make([]string, n), make([]string, n), make([]*time.Time, n)
	for i, m := range moves {
		ids[i], stages[i], since[i], reasons[i], by[i], until[i] = m.CustomerID, m.Stage, m.Since, m.Reason, m.By, pg.OrNull(m.ManualUntil)
	}
	tx.Queue(`INSERT INTO customer_stage (tenant_id, customer_id, since, stage, reason, by, manual_until)
		SELECT $1, * FROM unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])`,
		tx.Tenant(), ids, since, stages, reasons, by, until)
}

// joined and string_to_array carry a list of texts without line breaks in one text: arrays of arrays are not unnested.
func joined(texts []string) string { return strings.Join(texts, "\n") }

func joinedIDs(ids []uuid.UUID) string {
	texts := make([]string, len(ids))
	for n, id := range ids {
		texts[n] = id.String()
	}
	return strings.Join(texts, ",")
}

// object writes values as JSON. They came from JSON, so it cannot fail.
func object(values map[string]any) string {
	if len(values) == 0 {
		return "{}"
	}
	text, _ := json.Marshal(values) //nolint:errchkjson // see above
	return string(text)
}

// get gives the customer whom the id means, whatever its state, or errNotFound.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Customer, error) {
	sql, args := getSQL(tx, id)
	return asked(id, tx.QueryRow(ctx, sql, args...))
}

// queueGet is get that travels with the next statement that needs an answer; the customer is filled in by it.
func queueGet(tx *pg.Tx, id uuid.UUID) *Customer {
	found := new(Customer)
	sql, args := getSQL(tx, id)
	tx.Queue(sql, args...).QueryRow(func(row pgx.Row) (err error) {
		*found, err = asked(id, row)
		return err
	})
	return found
}

func getSQL(tx *pg.Tx, id uuid.UUID) (sql string, args []any) {
	return whole + ` WHERE c.tenant_id = $1 AND c.id = (SELECT coalesce(root_id, id) FROM customer WHERE tenant_id = $1 AND id = $2)`,
		[]any{tx.Tenant(), id}
}

func asked(id uuid.UUID, row pgx.Row) (Customer, error) {
	c, err := scan(row)
	c.As = id
	return c, err
}

func collect(row pgx.CollectableRow) (Customer, error) { return scan(row) }

func scan(row pgx.Row) (Customer, error) {
	var (
		c                      Customer
		root                   *uuid.UUID
		since, manual          *time.Time
		custom                 []byte
		classes, addresses     []byte
		types, values          []string
		owners                 []uuid.UUID
		added                  []time.Time
		began, ended, verified []*time.Time
	)
	err := row.Scan(&c.ID, &c.Version, &c.Kind, &c.Display, &c.Given, &c.Family, &c.Legal, &c.Source, &c.RegisteredAt,
		&c.ChangedAt, &c.State, &root, &c.Aliases, &c.Tags, &c.Owner, &custom, &c.Stage, &since, &manual, &classes,
		&types, &values, &owners, &added, &began, &ended, &verified, &addresses)
	if errors.Is(err, pgx.ErrNoRows) {
		return Customer{}, errNotFound
	}
	if err != nil {
		return Customer{}, err
	}
	c.As, c.RegisteredAt, c.ChangedAt = c.ID, c.RegisteredAt.UTC(), c.ChangedAt.UTC()
	c.StageSince, c.StageManualUntil = orZero(since), orZero(manual)
	if root != nil {
		c.RootID = *root
	}
	c.rows = make([]Identity, len(types))
	for n := range types {
		c.rows[n] = Identity{
			Identity: identity.Identity{Type: identity.Type(types[n]), Value: values[n]}, CustomerID: owners[n], AddedAt: added[n].UTC(),
			Validity: Validity{ValidFrom: orZero(began[n]), ValidTo: orZero(ended[n]), VerifiedAt: orZero(verified[n])},
		}
	}
	c.Identities = unite(c.rows)
	return c, c.unpack(custom, classes, addresses)
}

// unpack reads what comes as JSON; classes and addresses may be nil.
func (c *Customer) unpack(custom, classes, addresses []byte) error {
	c.Custom, c.Classes = make(map[string]any), make(map[string]access.Class)
	if len(custom) > len(`{}`) {
		if err := json.Unmarshal(custom, &c.Custom); err != nil {
			return err
		}
	}
	if classes != nil {
		if err := json.Unmarshal(classes, &c.Classes); err != nil {
			return err
		}
	}
	if addresses == nil {
		return nil
	}
	var rows []struct {
		ID         uuid.UUID `json:"id"`
		CustomerID uuid.UUID `json:"customer_id"`
		Kind       string    `json:"kind"`
		Lines      []string  `json:"lines"`
		City       string    `json:"city"`
		Region     string    `json:"region"`
		PostalCode string    `json:"postal_code"`
		Country    string    `json:"country"`
		AddedAt    time.Time `json:"added_at"`
	}
	err := json.Unmarshal(addresses, &rows)
	for _, r := range rows {
		c.Addresses = append(c.Addresses, Address{ID: r.ID, CustomerID: r.CustomerID, AddedAt: r.AddedAt.UTC(), Place: Place{
			Kind: r.Kind, Lines: r.Lines, City: r.City, Region: r.Region, PostalCode: r.PostalCode, Country: r.Country,
		}})
	}
	return err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
