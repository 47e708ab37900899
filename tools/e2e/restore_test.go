package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// TestAnErasedCustomerStaysErasedWhenBackupsAreRestored backs every service's database up, erases a customer, and restores
// them all, as docs/runbooks/restore.md says: from what the topics still say she is erased again, everywhere.
func TestAnErasedCustomerStaysErasedWhenBackupsAreRestored(t *testing.T) { //nolint:paralleltest // it wants the machine for itself
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	d := in.desk()
	id, alias := in.ouyang(ctx, d)
	in.rejectedRows(ctx)
	in.eventually(2*time.Minute, in.level)
	b := in.backUp(ctx)

	var e erasure
	in.persist(ctx, "erasure", func() error { return d.admin.Post(ctx, "/v1/customers/"+id+"/erasures", map[string]string{}, &e) })
	in.erasureIs(ctx, d, &e, "erased")
	in.eventually(2*time.Minute, in.level)
	if left := in.traces(ctx); len(left) > 0 {
		t.Fatalf("she is not erased at all: %v", left)
	}

	in.stopped(func() {
		b.restore(ctx)
		for _, service := range []string{"accounts", "tickets"} {
			if len(in.tracesInTables(ctx, "guanxi_"+service)) == 0 {
				t.Errorf("the backup of %s does not know her: this test shows nothing", service)
			}
		}
	})
	in.eventually(2*time.Minute, func() error {
		if err := in.level(); err != nil {
			return err
		}
		if left := in.traces(ctx); len(left) > 0 {
			return fmt.Errorf("she is still known: %v", left)
		}
		return nil
	})
	in.isNowhere(ctx, d, id, alias)
	if n := in.parked(); n != 0 {
		t.Errorf("%d events were parked by the restore", n)
	}

	// Life goes on: whoever has her telephone now is somebody else, in the same sequence of events.
	var made struct {
		CustomerID string `json:"customer_id"`
	}
	in.persist(ctx, "somebody else", func() error {
		return d.admin.Post(ctx, "/v1/customers", map[string]any{"display_name": "韩梅梅", "identities": []map[string]string{{"type": "external:till", "value": "o-78"}}}, &made)
	})
	in.persist(ctx, "an order", func() error {
		_, err := d.admin.PlaceOrder(ctx, client.Order{CustomerRef: &client.Ref{System: "till", ID: "o-78"}, Channel: "till", Currency: "CNY",
			ExternalRef: &client.Ref{System: "till", ID: "after-the-restore"}, Lines: []client.OrderLine{{SKU: "pizza", Quantity: 1, AmountMinor: 8800}}})
		return err
	})
	in.eventually(time.Minute, func() error {
		timeline, err := in.client(demo.Pizza, "agent").GetTimeline(ctx, made.CustomerID)
		if err == nil && len(timeline.Items) < 2 {
			err = fmt.Errorf("the timeline has %+v", timeline.Items)
		}
		return err
	})
}

// stopped does something while no process of the platform runs.
func (in *installation) stopped(do func()) {
	in.t.Helper()
	processes := []*stack.Process{in.first, in.second}
	for _, p := range processes {
		if err := p.Hold(); err != nil {
			in.t.Fatal(err)
		}
	}
	in.eventually(time.Minute, func() error {
		for _, p := range processes {
			if p.Pid() != 0 {
				return fmt.Errorf("process %d is still there", p.Pid())
			}
		}
		return nil
	})
	do()
	for _, p := range processes {
		p.Resume()
	}
	for _, p := range processes {
		if err := p.WaitReady(in.t.Context()); err != nil {
			in.t.Fatal(err)
		}
	}
}

// backup is what every service's database held at one moment: dumps, or copies of the databases where PostgreSQL's own
// programs for that are not installed.
type backup struct {
	in     *installation
	admin  *url.URL
	folder string
	major  int
}

func (in *installation) backUp(ctx context.Context) *backup {
	in.t.Helper()
	admin, err := url.Parse(in.stack.AdminURL())
	if err != nil {
		in.t.Fatal(err)
	}
	b := &backup{in: in, admin: admin, folder: in.t.TempDir()}
	db, err := in.database(ctx, "")
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }()
	if err := db.QueryRow(ctx, `SELECT current_setting('server_version_num')::integer / 10000`).Scan(&b.major); err != nil {
		in.t.Fatal(err)
	}
	if pgtest.Tool("pg_dump", b.major) == "" {
		in.t.Logf("there is no pg_dump of version %d: the databases are copied instead", b.major)
		in.stopped(func() {
			b.each(ctx, func(database string) {
				b.sql(ctx, "", `CREATE DATABASE `+database+`_copy TEMPLATE `+database)
				b.sql(ctx, "", `UPDATE pg_database c SET datdba = o.datdba, datacl = o.datacl FROM pg_database o
					WHERE c.datname = '`+database+`_copy' AND o.datname = '`+database+`'`) // what a copy does not take along
			})
		})
		return b
	}
	b.each(ctx, func(database string) {
		b.run(ctx, "pg_dump", "--format=custom", "--create", "--file="+b.file(database), "--dbname="+b.url(database))
	})
	return b
}

// restore puts every database back, and raises the epochs, since sequence numbers are going to be given out a second time.
func (b *backup) restore(ctx context.Context) {
	b.in.t.Helper()
	b.each(ctx, func(database string) {
		b.sql(ctx, "", `DROP DATABASE `+database+` WITH (FORCE)`)
		if pgtest.Tool("pg_dump", b.major) == "" {
			b.sql(ctx, "", `ALTER DATABASE `+database+`_copy RENAME TO `+database)
		} else {
			b.run(ctx, "pg_restore", "--exit-on-error", "--create", "--dbname="+b.url("postgres"), b.file(database))
		}
		b.sql(ctx, strings.TrimPrefix(database, "guanxi_"), `UPDATE outbox_epoch SET epoch = epoch + 1`)
	})
}

func (b *backup) each(ctx context.Context, do func(database string)) {
	b.in.t.Helper()
	n := 0
	for _, database := range b.in.databases(ctx) {
		if strings.HasPrefix(database, "guanxi_") && !strings.HasSuffix(database, "_copy") {
			n++
			do(database)
		}
	}
	if n < len(publishers) {
		b.in.t.Fatalf("there are %d databases of services", n)
	}
}

func (b *backup) file(database string) string { return filepath.Join(b.folder, database+".dump") }

func (b *backup) url(database string) string {
	u := *b.admin
	u.Path = "/" + database
	return u.String()
}

func (b *backup) run(ctx context.Context, tool string, args ...string) {
	b.in.t.Helper()
	if out, err := exec.CommandContext(ctx, pgtest.Tool(tool, b.major), args...).CombinedOutput(); err != nil {
		b.in.t.Fatalf("%s: %v\n%s", tool, err, out)
	}
}

func (b *backup) sql(ctx context.Context, service, statement string) {
	b.in.t.Helper()
	db, err := b.in.database(ctx, service)
	if err != nil {
		b.in.t.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }()
	if _, err := db.Exec(ctx, statement); err != nil {
		b.in.t.Fatalf("%s: %v", statement, err)
	}
}
