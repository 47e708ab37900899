package profile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/profile"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/timeline"
)

// fill gives two tenants n customers each, who have what a profile shows.
func fill(t *testing.T, w *accountstest.World, n int) {
	t.Helper()
	for _, sql := range []string{
		`INSERT INTO customer (tenant_id, id, version, kind, display_name, given_name, family_name, legal_name, source, registered_at, changed_at)
			SELECT t, md5(n::text)::uuid, 1, 'person', 'x', '', '', '', '', now(), now()`,
		`INSERT INTO customer_identity (tenant_id, type, value, customer_id, added_at)
			SELECT t, 'phone', '+86138' || n, md5(n::text)::uuid, now()`,
		`INSERT INTO customer_address (tenant_id, id, customer_id, kind, lines, city, region, postal_code, country, added_at)
			SELECT t, gen_random_uuid(), md5(n::text)::uuid, 'home', '{x}', 'x', '', '', 'CN', now()`,
		`INSERT INTO insight (tenant_id, customer_id, name, kind, value_text, input_classes, computed_at, stated_by)
			SELECT t, md5(n::text)::uuid, 'grade', 'segment', 'A', '{behaviour}', now(), 'me'`,
		`INSERT INTO live.timeline_entry (tenant_id, customer_id, at, event_id, service, title, aggregate, aggregate_id, details)
			SELECT t, md5((n % 500)::text)::uuid, now() - n * interval '1 minute', gen_random_uuid(), 'sales', 'order_placed', 'order', n::text, '{}'`,
		`INSERT INTO live.timeline_fact (tenant_id, customer_id, name, unit, contributor, value)
			SELECT t, md5(n::text)::uuid, 'orders', '', 'sales/1', 1`,
		`INSERT INTO consent_record (tenant_id, id, statement_id, customer_id, purpose, channel, address_type, address, state, kind, basis, source,
				wording, actor, guardian_name, guardian_relation, said_at, recorded_at)
			SELECT t, gen_random_uuid(), gen_random_uuid(), md5(n::text)::uuid, 'marketing', '', '', '', 'granted', 'plain', 'consent', 'x', '1', 'me', '', '', now(), now()`,
		`INSERT INTO consent_suppression (tenant_id, address_hash, purpose, channel, suppressed_at) SELECT t, sha256(n::text::bytea), '', '', now()`,
		`INSERT INTO customer_merge (tenant_id, id, survivor_id, absorbed_id, reason, before, after, merged_at, merged_by)
			SELECT t, gen_random_uuid(), md5(n::text)::uuid, md5((n % $1 + 1)::text)::uuid, 'x', '{}', '{}', now(), 'me'`,
	} {
		w.AsSuperuser(t, sql+` FROM unnest('{pizza,music}'::text[]) t, generate_series(1, $1::integer) n`, n)
	}
	w.AsSuperuser(t, `ANALYZE`)
}

// TestAProfileIsReadByKeys explains the statement as the service sends it, under row level security.
func TestAProfileIsReadByKeys(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	fill(t, w, 10_000)
	var plan []string
	err := w.DB.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.PlanForAny()
		rows, err := tx.Query(t.Context(), "EXPLAIN "+profile.Statement, "pizza", uuid.MustParse("c4ca4238-a0b9-2382-0dcc-509a6f75849b"),
			[]string{"identity", "contact", "behaviour"}, time.Now(), true, true, 10, timeline.Contacts(), true)
		if err == nil {
			plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	small := []string{"timeline_as_of", "tenant", "custom_field"} // a few rows a tenant
	for _, line := range plan {
		if _, table, scan := strings.Cut(line, "Seq Scan on "); scan && !slices.Contains(small, strings.Fields(table)[0]) {
			t.Errorf("%s\n%s", line, strings.Join(plan, "\n"))
		}
	}
	for _, key := range []string{"customer_pkey", "customer_identity_pkey", "customer_address_pkey", "insight_pkey", "timeline_entry_pkey", "timeline_fact_pkey", "consent_record_customer", "customer_merge_survivor"} {
		if !slices.ContainsFunc(plan, func(line string) bool { return strings.Contains(line, key) }) {
			t.Errorf("%s is not used", key)
		}
	}
}
