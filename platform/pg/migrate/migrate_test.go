package migrate_test

import (
	"context"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

// report is a service with a table of its own and a projection.
func report(extra ...string) migrate.Source {
	own := fstest.MapFS{"00001_plan.sql": {Data: []byte("-- +goose Up\nCREATE TABLE plan (name text PRIMARY KEY);\nSELECT guanxi_plain_table('plan');")}}
	for _, sql := range extra {
		own["00002_more.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql)}
	}
	return migrate.Source{Service: "report", FS: own, Projection: fstest.MapFS{"00001_fact.sql": {Data: []byte(`
-- +goose Up
CREATE TABLE fact (tenant_id text NOT NULL, n bigint NOT NULL, PRIMARY KEY (tenant_id, n));
SELECT guanxi_tenant_table('fact');
`)}}}
}

// fresh gives the configuration of a database that is not there yet, on a server of the test's own.
func fresh(t *testing.T) (cfg pg.Config, adminURL string) {
	t.Helper()
	server := pgtest.OwnServer(t, migrate.Source{Service: "other"}).Server()
	return pg.Config{URL: server.URL("guanxi_{service}", "o'neill\\")}, server.AdminURL()
}

func TestSeveralProcessesMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cfg, admin := fresh(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := migrate.Bootstrap(ctx, admin, cfg, "report"); err != nil {
				t.Errorf("bootstrap: %v", err)
				return
			}
			if err := migrate.Up(ctx, cfg, report()); err != nil {
				t.Errorf("up: %v", err)
			}
		})
	}
	wg.Wait()
	pending, err := migrate.Pending(ctx, cfg, report())
	require.NoError(t, err)
	require.Empty(t, pending)

	newer := report("CREATE TABLE more (name text PRIMARY KEY);")
	pending, err = migrate.Pending(ctx, cfg, newer)
	require.NoError(t, err)
	require.Equal(t, []string{"service in schema public: 1 to run"}, pending)
	require.NoError(t, migrate.Up(ctx, cfg, newer))
}

func TestAFailedMigrationLeavesNothingAndSaysWhere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cfg, admin := fresh(t)
	require.NoError(t, migrate.Bootstrap(ctx, admin, cfg, "report"))
	err := migrate.Up(ctx, cfg, report("CREATE TABLE half (n int); SELECT 1/0;"))
	require.ErrorContains(t, err, "migrate report, service in schema public")
	require.ErrorContains(t, err, "division by zero")
	require.NoError(t, migrate.Up(ctx, cfg, report("CREATE TABLE half (n int);")), "mended, it runs")
}

func TestBootstrapRefusesLoginsThatOthersWouldNotFind(t *testing.T) {
	t.Parallel()
	d := pgtest.Database(t, migrate.Source{Service: "report"})
	cases := map[string]string{
		"postgres://app:x@localhost/guanxi_{service}":                     "must have the user report_owner",
		"postgres://{service}_{role}:x@localhost/guanxi_{service}_{role}": "must share one database",
		"postgres://{service}_{role}:x@localhost:port/x":                  "cannot be read",
	}
	for url, want := range cases {
		err := migrate.Bootstrap(context.Background(), d.Server().AdminURL(), pg.Config{URL: url}, "report")
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), ":x@")
	}
}

func TestAProjectionIsSwappedWhole(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := pgtest.Database(t, report())
	app := d.DB(pg.App)
	pgtest.CheckTenancy(t, app)
	count := func() (n int) {
		require.NoError(t, app.Read(ctx, "pizza", func(tx *pg.Tx) error {
			return tx.QueryRow(ctx, "SELECT count(*) FROM fact").Scan(&n)
		}))
		return n
	}
	insert := func(table string, n int) {
		require.NoError(t, app.Tx(ctx, "pizza", func(tx *pg.Tx) error {
			tx.Queue("INSERT INTO "+table+" VALUES ('pizza', $1)", n)
			return nil
		}))
	}
	insert("fact", 1)
	insert("shadow.fact", 1)
	insert("shadow.fact", 2)
	require.Equal(t, 1, count(), "live comes first")

	// While others write, so that a swap in the middle of a transaction would show.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for n := 100 * (g + 1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := app.Command(ctx, "music", func(tx *pg.Tx) (pg.Result, error) {
					tx.Queue("INSERT INTO fact VALUES ('music', $1) ON CONFLICT DO NOTHING", n)
					if err := tx.Flush(ctx); err != nil {
						return pg.Result{}, err
					}
					tx.Queue("DELETE FROM fact WHERE tenant_id = 'music' AND n = $1", n)
					return pg.Result{}, nil
				})
				if err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	swap := func(sql string) {
		require.NoError(t, app.System(ctx, func(tx *pg.Tx) error { tx.Queue(sql); return nil }))
	}
	swap("SELECT guanxi_swap_projection()")
	require.Equal(t, 2, count())
	swap("SELECT guanxi_swap_projection()")
	require.Equal(t, 1, count())
	swap("SELECT guanxi_swap_projection()")
	close(stop)
	wg.Wait()

	swap("SELECT guanxi_clear_shadow()")
	require.Equal(t, 2, count())
	swap("SELECT guanxi_swap_projection()")
	require.Zero(t, count(), "what was live is empty now")
	require.NoError(t, migrate.Up(ctx, d.Config(), report()), "migrations still know where they are")
}

func TestTheDatabaseKnowsChineseAndSortsBytewise(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := pgtest.Database(t, report())
	conn, err := pgx.Connect(ctx, d.URL(pg.Owner))
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	var collate, ctype, encoding string
	require.NoError(t, conn.QueryRow(ctx, `SELECT datcollate, datctype, pg_encoding_to_char(encoding)
		FROM pg_database WHERE datname = current_database()`).Scan(&collate, &ctype, &encoding))
	require.Equal(t, "C", collate)
	require.Equal(t, "UTF8", encoding)
	var isLetter bool
	require.NoError(t, conn.QueryRow(ctx, "SELECT '关系' ~ '^[[:alpha:]]+$'").Scan(&isLetter))
	require.True(t, isLetter, "character type %s", ctype)
}

func TestAliasesStandWhereTheirServiceKeepsWhatItReads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src  migrate.Source
		want []string
	}{
		"a service that does not ask":   {migrate.Source{Service: "plain"}, nil},
		"a service with tables alone":   {migrate.Source{Service: "asks", Aliases: true}, []string{"public"}},
		"a service with a projection":   {migrate.Source{Service: "report", Projection: report().Projection, Aliases: true}, []string{"live", "shadow"}},
		"a projection that doesn't ask": {migrate.Source{Service: "report", Projection: report().Projection}, nil},
	} {
		db := pgtest.New(t, c.src)
		rows, err := db.Pool().Query(t.Context(), `SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relname = 'customer_alias' ORDER BY 1`)
		require.NoError(t, err, name)
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, name)
		require.ElementsMatch(t, c.want, got, name)
	}
}
