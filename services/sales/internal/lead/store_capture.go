package lead

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// setting queues the reading of what the tenant wants; it is filled in by the next round trip. With locking the row, if there is one,
// is kept until the transaction ends.
func setting(tx *pg.Tx, locking string) *Setting {
	s := Default()
	tx.Queue(`SELECT dedupe, region, version, changed_at, changed_by FROM lead_setting WHERE tenant_id = $1 `+locking, tx.Tenant()).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(&s.Dedupe, &s.Region, &s.Version, &s.ChangedAt, &s.By)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			s.ChangedAt = s.ChangedAt.UTC()
			return err
		})
	return &s
}

// settingKey is the constraint that gives a tenant one setting only.
const settingKey = "lead_setting_pkey"

func saveSetting(tx *pg.Tx, s Setting) {
	if s.Version == 1 { // two who set it first at once: one of them is told
		tx.Queue(`INSERT INTO lead_setting (tenant_id, dedupe, region, version, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6)`,
			tx.Tenant(), orEmpty(s.Dedupe), s.Region, s.Version, s.ChangedAt, s.By)
		return
	}
	tx.Queue(`UPDATE lead_setting SET dedupe = $2, region = $3, version = $4, changed_at = $5, changed_by = $6 WHERE tenant_id = $1`,
		tx.Tenant(), orEmpty(s.Dedupe), s.Region, s.Version, s.ChangedAt, s.By)
}

// hold queues the locks by which of two captures of the same person the second sees what the first made: everybody who captures
// holds the tenant's leads shared and the keys alone; a file, which has many keys, holds the tenant's leads alone.
func hold(tx *pg.Tx, l Lead, keys []Key) {
	tx.Queue(`SELECT pg_advisory_xact_lock_shared(hashtextextended('lead ' || $1, 0))`, tx.Tenant())
	var names []string
	for _, k := range []struct {
		key   Key
		value string
	}{{KeyCustomer, text(l.Root)}, {KeyEmail, l.Email}, {KeyPhone, l.Phone}, {KeyCompany, l.Domain}} {
		if k.value != "" && (k.key == KeyCustomer || slices.Contains(keys, k.key)) {
			names = append(names, string(k.key)+" "+k.value)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('lead ' || $1 || ' ' || $2, 0))`, tx.Tenant(), name)
	}
}

// holdAll queues the lock of a file: nobody else captures until the transaction ends.
func holdAll(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('lead ' || $1, 0))`, tx.Tenant())
}

// maxAtCompany is how many open leads of one company are looked at: the youngest.
const maxAtCompany = 100

// twinsSQL looks for open leads by each key of each lead that comes in.
const twinsSQL = `SELECT n.place, c.id, c.key, c.name, c.company
	FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS n(customer, email, phone, domain, place)
	CROSS JOIN LATERAL (
		(SELECT l.id, 'customer' AS key, l.name, l.company FROM lead l WHERE n.customer IS NOT NULL AND l.tenant_id = $1
			AND l.customer_id = ANY ((SELECT customer_group($1, n.customer))::uuid[]) AND` + working + `1)
		UNION ALL (SELECT l.id, 'email', l.name, l.company FROM lead l WHERE n.email <> '' AND l.tenant_id = $1 AND l.email = n.email AND` + working + `1)
		UNION ALL (SELECT l.id, 'phone', l.name, l.company FROM lead l WHERE n.phone <> '' AND l.tenant_id = $1 AND l.phone = n.phone AND` + working + `1)
		UNION ALL (SELECT l.id, 'company', l.name, l.company FROM lead l WHERE n.domain <> '' AND l.tenant_id = $1 AND l.domain = n.domain AND` + working + `$6)
	) c`

// working are those that something may still come of, the youngest first.
const working = ` l.state IN ('open', 'nurturing', 'qualified') ORDER BY l.id DESC LIMIT `

// twins gives, for each of the leads, the open ones that it may be the same as by the keys. Each is looked for by its whole key.
func twins(ctx context.Context, tx *pg.Tx, leads []Lead, keys []Key) ([][]twin, error) {
	n := len(leads)
	found := make([][]twin, n)
	customers, emails, phones, domains := make([]*uuid.UUID, n), make([]string, n), make([]string, n), make([]string, n)
	by := func(k Key, value string) string {
		if slices.Contains(keys, k) {
			return value
		}
		return ""
	}
	for i, l := range leads {
		customers[i] = id(l.CustomerID)
		emails[i], phones[i], domains[i] = by(KeyEmail, l.Email), by(KeyPhone, l.Phone), by(KeyCompany, l.Domain)
	}
	rows, err := tx.Query(ctx, twinsSQL, tx.Tenant(), customers, emails, phones, domains, maxAtCompany)
	if err != nil {
		return nil, err
	}
	var place int
	var t twin
	_, err = pgx.ForEachRow(rows, []any{&place, &t.id, &t.key, &t.name, &t.company}, func() error {
		found[place-1] = append(found[place-1], t)
		return nil
	})
	return found, err
}

// known is what came in before under another system's name.
type known struct {
	lead        uuid.UUID
	fingerprint []byte
}

// findKnown queues the search for what came in under the names; it is filled in by the next round trip.
func findKnown(tx *pg.Tx, refs []externalref.Ref) map[externalref.Ref]known {
	found := make(map[externalref.Ref]known)
	var systems, ids []string
	for _, r := range refs {
		if !r.IsZero() {
			systems, ids = append(systems, r.System), append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return found
	}
	tx.Queue(`SELECT n.system, n.id, e.lead_id, e.fingerprint FROM unnest($2::text[], $3::text[]) AS n(system, id)
		JOIN LATERAL (SELECT k.lead_id, k.fingerprint FROM lead_enquiry k
			WHERE k.tenant_id = $1 AND k.external_system = n.system AND k.external_id = n.id LIMIT 1) e ON true`, tx.Tenant(), systems, ids).
		Query(func(rows pgx.Rows) error {
			var ref externalref.Ref
			var k known
			_, err := pgx.ForEachRow(rows, []any{&ref.System, &ref.ID, &k.lead, &k.fingerprint}, func() error { found[ref] = k; return nil })
			return err
		})
	return found
}

// saveEnquiries queues enquiries. One whose external name another one has violates lead_enquiry_external.
func saveEnquiries(tx *pg.Tx, all []Enquiry) {
	n := len(all)
	if n == 0 {
		return
	}
	ids, leads, forms := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]*uuid.UUID, n)
	systems, externals, prints := make([]*string, n), make([]*string, n), make([][]byte, n)
	captures, sources, campaigns, matched := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	names, companies, emails, phones, messages := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	at := make([]time.Time, n)
	for i, e := range all {
		ids[i], leads[i], forms[i], prints[i], at[i] = e.ID, e.LeadID, id(e.FormID), e.Fingerprint, e.At
		systems[i], externals[i] = pg.OrNull(e.ExternalRef.System), pg.OrNull(e.ExternalRef.ID)
		captures[i], sources[i], campaigns[i], matched[i] = string(e.Capture), e.Source, e.Campaign, string(e.MatchedBy)
		names[i], companies[i], emails[i], phones[i], messages[i] = e.Name, e.Company, e.Email, e.Phone, e.Message
	}
	tx.Queue(`INSERT INTO lead_enquiry (tenant_id, id, lead_id, external_system, external_id, fingerprint, capture, source, campaign, form_id,
			matched_by, name, company, email, phone, message, enquired_at)
		SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::text[], $10::uuid[],
			$11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::timestamptz[])`,
		tx.Tenant(), ids, leads, systems, externals, prints, captures, sources, campaigns, forms, matched, names, companies, emails, phones, messages, at)
}
