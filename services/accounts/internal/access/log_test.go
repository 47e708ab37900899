package access_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 123456000, time.UTC)

// archive is a log on a database of its own.
type archive struct {
	*access.Log
	t        *testing.T
	database *pgtest.TestDatabase
	db       *pg.DB
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	database := pgtest.Database(t, accounts.Module().Source())
	db := database.DB(pg.App)
	return &archive{access.NewLog(db, func() time.Time { return noon }), t, database, db}
}

// manager is a context in which a manager of the tenant calls.
func (a *archive) manager(tenant string) context.Context {
	return auth.With(a.t.Context(), auth.Principal{Subject: "mei", Tenant: tenant, Roles: []string{auth.RoleManager}})
}

func (a *archive) record(ctx context.Context, looks ...access.Look) error {
	s, err := access.For(ctx, "credit")
	if err != nil {
		return err
	}
	if s, err = s.Because("T-000123"); err != nil {
		return err
	}
	return a.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error { return a.Record(ctx, tx, s, looks...) })
}

// looked writes n looks at customers into the tenant's log.
func (a *archive) looked(tenant string, n int) {
	a.t.Helper()
	for range n {
		if err := a.record(a.manager(tenant), access.Look{View: "profile", Customer: uuid.Must(uuid.NewV7()), Classes: []access.Class{access.Financial}}); err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *archive) check(tenant string, earlier access.Proof) (access.Proof, access.Break) {
	a.t.Helper()
	proof, broken, err := a.Verify(a.manager(tenant), earlier)
	if err != nil {
		a.t.Fatal(err)
	}
	if broken == nil {
		return proof, access.Break{}
	}
	return proof, *broken
}

// superuser runs statements that no right forbids.
func (a *archive) superuser(statements ...string) {
	a.t.Helper()
	conn, err := pgx.Connect(a.t.Context(), a.database.AdminURL())
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(a.t.Context())) }()
	for _, sql := range statements {
		if _, err := conn.Exec(a.t.Context(), sql); err != nil {
			a.t.Fatalf("%s: %v", sql, err)
		}
	}
}

func TestALookIsWrittenDownWithWhoWhatForAndWhy(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	lei, mother := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	err := a.record(a.manager("pizza"),
		access.Look{View: "profile", Customer: lei, Classes: []access.Class{access.Identity, access.Health, access.Financial, access.Health}},
		access.Look{View: "profile", Customer: lei, Classes: []access.Class{access.Identity}},
		access.Look{View: "profile", Customer: mother, Classes: []access.Class{access.Health}})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := a.List(a.manager("pizza"), access.Filter{}, 1<<62, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	got := entries[1]
	if len(got.Hash) != 32 || bytes.Equal(got.Hash, entries[0].Hash) {
		t.Errorf("hashes %x and %x", got.Hash, entries[0].Hash)
	}
	got.At, got.Hash = got.At.UTC(), nil
	want := access.Entry{
		Seq: 1, At: noon, Subject: "mei", Roles: "manager", Purpose: "credit", Reason: "T-000123", View: "profile", Customer: lei, Classes: "financial,health",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if entries[0].Customer != mother || entries[0].Classes != "health" {
		t.Errorf("of the other: %+v", entries[0])
	}
}

func TestALookAtNothingSensitiveCostsNothing(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	if err := a.record(a.manager("pizza"), access.Look{View: "profile", Customer: uuid.New(), Classes: []access.Class{access.Contact}}); err != nil {
		t.Fatal(err)
	}
	if proof, broken := a.check("pizza", access.Proof{}); proof.Entries != 0 || broken.Kind != "" {
		t.Errorf("%+v %+v", proof, broken)
	}
}

func TestManyLookAtOnceAndEachHasItsPlace(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	var wg sync.WaitGroup
	errs := make(chan error, 40)
	for n := range 40 {
		wg.Go(func() {
			errs <- a.record(a.manager([]string{"pizza", "music"}[n%2]), access.Look{View: "profile", Customer: uuid.New(), Classes: []access.Class{access.Health}})
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tenant := range []string{"pizza", "music"} {
		if proof, broken := a.check(tenant, access.Proof{}); proof.Entries != 20 || broken.Kind != "" {
			t.Errorf("%s: %d entries, %+v", tenant, proof.Entries, broken)
		}
	}
}

func TestTheServiceItselfCannotChangeTheLog(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.looked("pizza", 1)
	for _, sql := range []string{
		`UPDATE access_log SET reason = 'T-000124'`, `DELETE FROM access_log`, `TRUNCATE access_log`, `DELETE FROM access_log_head`,
	} {
		err := a.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error { _, err := tx.ExecNow(t.Context(), sql); return err })
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestOneByteThatASuperuserChangedIsFound flips a bit of every column of one row, one after the other, of the log and of the
// record of its end.
func TestOneByteThatASuperuserChangedIsFound(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.looked("pizza", 5)
	a.superuser(`CREATE TABLE kept AS SELECT * FROM access_log`, `CREATE TABLE kept_head AS SELECT * FROM access_log_head`)
	flips := map[string]string{
		"text":                     `set_byte(convert_to(%[1]s, 'UTF8'), 0, get_byte(convert_to(%[1]s, 'UTF8'), 0) # 1)`,
		"bigint":                   `%s # 128`,
		"bytea":                    `set_byte(%[1]s, 9, get_byte(%[1]s, 9) # 1)`,
		"uuid":                     `encode(set_byte(decode(replace(%[1]s::text, '-', ''), 'hex'), 15, get_byte(decode(replace(%[1]s::text, '-', ''), 'hex'), 15) # 1), 'hex')::uuid`,
		"timestamp with time zone": `%s + interval '1 microsecond'`,
	}
	flips["text"] = `convert_from(` + flips["text"] + `, 'UTF8')`
	for _, table := range []string{"access_log", "access_log_head"} {
		columns := a.columns(table)
		if len(columns) < 3 {
			t.Fatalf("%s has the columns %v", table, columns)
		}
		for column, kind := range columns {
			where := ` WHERE seq = 3`
			if table == "access_log_head" {
				where = ``
			}
			a.superuser(fmt.Sprintf(`UPDATE %s SET %s = %s%s`, table, column, fmt.Sprintf(flips[kind], column), where))
			_, broken := a.check("pizza", access.Proof{})
			if broken.Kind == "" || table == "access_log" && broken.Seq != 3 {
				t.Errorf("%s.%s was changed and the check says %+v", table, column, broken)
			}
			a.restore()
			if _, broken := a.check("pizza", access.Proof{}); broken.Kind != "" {
				t.Fatalf("brought back, the check says %+v", broken)
			}
		}
	}
}

// columns are a table's columns with their types.
func (a *archive) columns(table string) map[string]string {
	a.t.Helper()
	columns := make(map[string]string)
	err := a.database.DB(pg.Owner).System(a.t.Context(), func(tx *pg.Tx) error {
		rows, err := tx.Query(a.t.Context(), `SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1`, table)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, kind string
			if err := rows.Scan(&name, &kind); err != nil {
				return err
			}
			columns[name] = kind
		}
		return rows.Err()
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return columns
}

func (a *archive) restore() {
	a.t.Helper()
	a.superuser(`DELETE FROM access_log`, `INSERT INTO access_log SELECT * FROM kept`,
		`DELETE FROM access_log_head`, `INSERT INTO access_log_head SELECT * FROM kept_head`)
}

func TestItIsFoundWhereALogWasBroken(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.looked("pizza", 3)
	early, _ := a.check("pizza", access.Proof{})
	a.looked("pizza", 2)
	a.looked("music", 2)
	a.superuser(`CREATE TABLE kept AS SELECT * FROM access_log`, `CREATE TABLE kept_head AS SELECT * FROM access_log_head`)
	for name, c := range map[string]struct {
		sql  string
		want access.Break
	}{
		"nothing was done":                  {`SELECT 1`, access.Break{}},
		"the first was taken out":           {`DELETE FROM access_log WHERE tenant_id = 'pizza' AND seq = 1`, access.Break{Seq: 1, Kind: access.Missing}},
		"one was taken out":                 {`DELETE FROM access_log WHERE tenant_id = 'pizza' AND seq = 4`, access.Break{Seq: 4, Kind: access.Missing}},
		"the last was taken out":            {`DELETE FROM access_log WHERE tenant_id = 'pizza' AND seq = 5`, access.Break{Seq: 5, Kind: access.TailCut}},
		"all were taken out":                {`DELETE FROM access_log WHERE tenant_id = 'pizza'`, access.Break{Seq: 1, Kind: access.TailCut}},
		"the end is not recorded":           {`DELETE FROM access_log_head WHERE tenant_id = 'pizza'`, access.Break{Seq: 0, Kind: access.HeadChanged}},
		"all and the record were taken out": {`WITH h AS (DELETE FROM access_log_head) DELETE FROM access_log`, access.Break{Seq: 1, Kind: access.TailCut}},
		"the record was set back":           {`UPDATE access_log_head SET entries = 4, last_hash = (SELECT hash FROM access_log WHERE tenant_id = 'pizza' AND seq = 4) WHERE tenant_id = 'pizza'`, access.Break{Seq: 5, Kind: access.Unaccounted}},
		"one was put in": {`INSERT INTO access_log SELECT tenant_id, 6, at, subject, roles, purpose, reason, view, customer_id, classes, hash
			FROM access_log WHERE tenant_id = 'pizza' AND seq = 5`, access.Break{Seq: 6, Kind: access.Unaccounted}},
		"two changed places":          {`UPDATE access_log SET seq = CASE seq WHEN 2 THEN 30 ELSE 2 END WHERE tenant_id = 'pizza' AND seq IN (2, 3)`, access.Break{Seq: 2, Kind: access.Changed}},
		"the log is another tenant's": {`UPDATE access_log_head SET last_hash = (SELECT hash FROM access_log WHERE tenant_id = 'music' AND seq = 2) WHERE tenant_id = 'pizza'`, access.Break{Seq: 5, Kind: access.HeadChanged}},
	} {
		a.superuser(c.sql)
		if _, got := a.check("pizza", early); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		a.restore()
	}
	if _, got := a.check("music", access.Proof{}); got.Kind != "" {
		t.Errorf("of the other tenant: %+v", got)
	}
}

func TestALogThatWasWrittenAnewIsFoundByAnEarlierProof(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.looked("pizza", 3)
	early, _ := a.check("pizza", access.Proof{})
	a.superuser(`DELETE FROM access_log`, `DELETE FROM access_log_head`)
	a.looked("pizza", 2)
	if _, got := a.check("pizza", early); got != (access.Break{Seq: 3, Kind: access.TailCut}) {
		t.Errorf("a shorter one: %+v", got)
	}
	a.looked("pizza", 3)
	if _, got := a.check("pizza", access.Proof{}); got.Kind != "" {
		t.Fatalf("without the proof it looks right, but the check says %+v", got)
	}
	if _, got := a.check("pizza", early); got != (access.Break{Seq: 3, Kind: access.Rewritten}) {
		t.Errorf("a longer one: %+v", got)
	}
}

// TestALongLogIsCheckedInChunks has more entries than are checked in one transaction.
func TestALongLogIsCheckedInChunks(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	looks := make([]access.Look, 5001)
	for n := range looks {
		looks[n] = access.Look{View: "insights", Customer: uuid.Must(uuid.NewV7()), Classes: []access.Class{access.Special}}
	}
	if err := a.record(a.manager("pizza"), looks...); err != nil {
		t.Fatal(err)
	}
	early, broken := a.check("pizza", access.Proof{})
	if early.Entries != 5001 || broken.Kind != "" {
		t.Fatalf("%d entries, %+v", early.Entries, broken)
	}
	a.looked("pizza", 1)
	if _, broken := a.check("pizza", early); broken.Kind != "" {
		t.Errorf("%+v", broken)
	}
	a.superuser(`UPDATE access_log SET reason = 'T-000124' WHERE seq = 5001`)
	if _, broken := a.check("pizza", access.Proof{}); broken != (access.Break{Seq: 5001, Kind: access.Changed}) {
		t.Errorf("%+v", broken)
	}
}

func TestTheLogIsFoundByItsIndexes(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	var indexes []string
	err := a.database.DB(pg.Owner).System(t.Context(), func(tx *pg.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT indexdef FROM pg_indexes WHERE tablename = 'access_log'`)
		if err == nil {
			indexes, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"(tenant_id, customer_id, seq)", "(tenant_id, subject, seq)", "(tenant_id, seq)"} {
		if !slices.ContainsFunc(indexes, func(def string) bool { return strings.HasSuffix(def, want) }) {
			t.Errorf("no index on %s", want)
		}
	}
}
