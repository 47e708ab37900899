package pgtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Exception says why a table with a tenant_id need not have it first in its primary key. Row level security is asked of
// every such table.
type Exception struct{ Table, Reason string }

// platformExceptions are those of the platform's own tables.
var platformExceptions = []Exception{
	{"outbox", "the relay reads it by shard, and row level security lets a tenant only append"},
	{"outbox_parked", "as outbox"},
	{"inbox_parked", "operators find rows by id; what cannot be decoded has no tenant"},
	{"inbox_discarded", "as inbox_parked"},
	{"inbox_audit", "as inbox_parked"},
}

// CheckTenancy fails the test for every table (in public, live and shadow) with a column tenant_id that has no row level
// security, or whose primary key does not begin with it and that is not excepted, and for a role that can get around it.
func CheckTenancy(t testing.TB, db *pg.DB, except ...Exception) {
	t.Helper()
	excepted := map[string]bool{}
	for _, e := range append(append([]Exception(nil), platformExceptions...), except...) {
		if e.Reason == "" {
			t.Errorf("the exception of table %s has no reason", e.Table)
		}
		excepted[e.Table] = true
	}
	rows, err := db.Pool().Query(context.Background(), `
		SELECT n.nspname, c.relname, c.relrowsecurity,
		       EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid),
		       coalesce((SELECT i.indkey[0] = a.attnum FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), false)
		  FROM pg_class c
		  JOIN pg_namespace n ON n.oid = c.relnamespace
		  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
		 WHERE n.nspname IN ('public', 'live', 'shadow') AND c.relkind IN ('r', 'p')
		 ORDER BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var schema, table string
		var security, policy, first bool
		if err := rows.Scan(&schema, &table, &security, &policy, &first); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s.%s", schema, table)
		if !security || !policy {
			t.Errorf("table %s has a tenant_id but no row level security: call guanxi_tenant_table('%s') in its migration", name, table)
		}
		if !first && !excepted[table] {
			t.Errorf("the primary key of table %s does not begin with tenant_id", name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	var around bool
	err = db.Pool().QueryRow(context.Background(), `SELECT bool_or(rolsuper OR rolbypassrls) FROM pg_roles
		WHERE rolname IN (guanxi_role('app'), guanxi_role('relay'), guanxi_role('ops'))`).Scan(&around)
	if err != nil {
		t.Fatal(err)
	}
	if around {
		t.Error("a role of this database gets around row level security")
	}
}
