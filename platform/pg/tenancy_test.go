package pg_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	eventually = time.Minute
	tick       = 20 * time.Millisecond
)

func TestATenantSeesAndWritesItsOwnRowsOnly(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := pgtest.Database(t, shop())
	db := d.DB(pg.App)
	for _, tenant := range []string{pizza, music} {
		_, err := create(ctx, db, tenant, "of "+tenant)
		require.NoError(t, err)
	}
	see := func(db *pg.DB, tenant string) (found []string) {
		require.NoError(t, db.Read(ctx, tenant, func(tx *pg.Tx) error {
			rows, err := tx.Query(ctx, "SELECT name FROM item ORDER BY name")
			if err != nil {
				return err
			}
			found, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		}))
		return found
	}
	require.Equal(t, []string{"of pizza"}, see(db, pizza))
	require.Equal(t, []string{"of music"}, see(db, music))
	require.Empty(t, see(db, ""), "without a tenant nothing is seen")
	require.Equal(t, []string{"of music", "of pizza"}, see(d.DB(pg.Ops), ""), "ops looks over all")
	require.Equal(t, []string{"of music", "of pizza"}, names(t, d), "the owner is not bound, or migrations would change nothing")

	t.Run("a tenant that was set is not there for the next user of the connection", func(t *testing.T) {
		var n int
		require.NoError(t, db.Pool().QueryRow(ctx, "SELECT count(*) FROM item").Scan(&n))
		require.Zero(t, n)
	})
	t.Run("inserting for another tenant is refused", func(t *testing.T) {
		err := db.Tx(ctx, pizza, func(tx *pg.Tx) error { tx.Queue(addItem, music, "smuggled"); return nil })
		require.ErrorContains(t, err, "row-level security")
		require.False(t, pg.Transient(err))
	})
	t.Run("giving a row to another tenant is refused", func(t *testing.T) {
		err := db.Tx(ctx, pizza, func(tx *pg.Tx) error { tx.Queue("UPDATE item SET tenant_id = 'music'"); return nil })
		require.ErrorContains(t, err, "row-level security")
	})
	t.Run("another tenant's rows are not changed", func(t *testing.T) {
		require.NoError(t, db.Tx(ctx, pizza, func(tx *pg.Tx) error {
			tag, err := tx.ExecNow(ctx, "DELETE FROM item WHERE name = 'of music'")
			require.Zero(t, tag.RowsAffected())
			return err
		}))
	})
	t.Run("ops cannot write", func(t *testing.T) {
		err := d.DB(pg.Ops).Tx(ctx, pizza, func(tx *pg.Tx) error { tx.Queue(addItem, pizza, "x"); return nil })
		require.ErrorContains(t, err, "permission denied")
	})
	t.Run("a transaction may go through tenants", func(t *testing.T) {
		require.NoError(t, db.System(ctx, func(tx *pg.Tx) error {
			for _, tenant := range []string{pizza, music} {
				tx.SetTenant(ctx, tenant)
				tx.Queue(addItem, tenant, "second of "+tenant)
			}
			require.Equal(t, music, tx.Tenant())
			return nil
		}))
		require.Equal(t, []string{"of pizza", "second of pizza"}, see(db, pizza))
	})
	t.Run("the tenant is an index condition", func(t *testing.T) {
		require.NoError(t, db.Tx(ctx, pizza, func(tx *pg.Tx) error {
			tx.Queue("SELECT set_config('enable_seqscan', 'off', true)")
			rows, err := tx.Query(ctx, "EXPLAIN SELECT name FROM item WHERE name = 'x'")
			if err != nil {
				return err
			}
			plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.Contains(t, plan[1], "Index Cond: ((tenant_id = current_setting('app.tenant_id'::text, true)) AND (name = 'x'::text))", "%q", plan)
			return err
		}))
	})
}

func TestTheKitFindsTablesWithoutTenancy(t *testing.T) {
	t.Parallel()
	pgtest.CheckTenancy(t, pgtest.New(t, shop()))
}

func TestErrorsOfTheDataAreNotTransient(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := pgtest.Database(t, shop())
	db := d.DB(pg.App)
	_, err := create(ctx, db, pizza, "taken")
	require.NoError(t, err)
	cases := []struct {
		name, sql  string
		args       []any
		constraint string
		transient  bool
	}{
		{"U+0000 in text", addItem, []any{pizza, "a\x00b"}, "", false},
		{"U+0000 in jsonb", `SELECT $1::jsonb`, []any{`"\u0000"`}, "", false},
		{"bad UTF-8", addItem, []any{pizza, "\xff"}, "", false},
		{"no uuid", "SELECT $1::text::uuid", []any{"x"}, "", false},
		{"a number out of range", "SELECT $1::bigint::smallint", []any{int64(1) << 40}, "", false},
		{"unique", addItem, []any{pizza, "taken"}, "item_name_unique", false},
		{"check", "UPDATE item SET stock = -1", nil, "item_stock_not_negative", false},
		{"foreign key at the commit", "UPDATE item SET parent = gen_random_uuid()", nil, "item_parent_exists", false},
		{"not null", "UPDATE item SET name = NULL", nil, "name", false},
		{"a table that no migration has made yet", "SELECT FROM not_yet", nil, "", true},
		{"a session that an administrator ends", "SELECT pg_terminate_backend(pg_backend_pid())", nil, "", true},
		{"a statement that takes too long", "SELECT pg_sleep(60)", nil, "", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := db.Tx(ctx, pizza, func(tx *pg.Tx) error {
				if c.name == "a statement that takes too long" {
					tx.Queue("SET LOCAL statement_timeout = 1")
					tx.Queue("SELECT pg_sleep(60)")
					return nil
				}
				tx.Queue(c.sql, c.args...)
				return nil
			})
			require.Error(t, err)
			require.Equal(t, c.transient, pg.Transient(err), "%v", err)
			require.Equal(t, c.transient, problem.KindOf(err) == problem.Unavailable)
			name, ok := pg.Constraint(err)
			require.Equal(t, c.constraint, name)
			require.Equal(t, c.constraint != "", ok)
		})
	}
}

func TestAQuestionThatIsTooHeavySaysHowToAskForLess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := pgtest.Database(t, shop()).DB(pg.App)
	err := db.ReadWithin(ctx, pizza, 20*time.Millisecond, func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, "SELECT pg_sleep(60)").Scan(nil)
	})
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	require.Equal(t, problem.Unprocessable, p.Kind)
	require.Equal(t, "query_too_heavy", p.Code)
	require.Contains(t, p.Detail, "20ms")
	require.False(t, pg.Transient(err), "the same question is as heavy the next time")

	var bound string
	require.NoError(t, db.ReadWithin(ctx, pizza, time.Hour, func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, "SELECT current_setting('statement_timeout')").Scan(&bound)
	}))
	require.Equal(t, "30s", bound, "nobody gets more time than the app has")
	require.NoError(t, db.Read(ctx, pizza, func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, "SELECT current_setting('statement_timeout')").Scan(&bound)
	}))
	require.Equal(t, "30s", bound, "the bound ends with its transaction")

	impatient, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	err = db.ReadWithin(impatient, pizza, time.Minute, func(tx *pg.Tx) error {
		return tx.QueryRow(impatient, "SELECT pg_sleep(60)").Scan(nil)
	})
	require.Equal(t, problem.Unavailable, problem.KindOf(err), "who went away asked nothing too heavy: %v", err)
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := pgtest.Database(t, shop())
	for role, want := range map[pg.Role][]string{
		pg.App:   {"guanxi-shop-app", "30s", "15s", "UTC", "live, public", "on"},
		pg.Relay: {"guanxi-shop-relay", "30s", "15s", "UTC", `"$user", public`, "off"},
		pg.Ops:   {"guanxi-shop-ops", "5min", "15s", "UTC", "live, public", "on"},
	} {
		var got []string
		err := d.DB(role).Pool().QueryRow(ctx, `SELECT array[current_setting('application_name'), current_setting('statement_timeout'),
			current_setting('idle_in_transaction_session_timeout'), current_setting('timezone'), current_setting('search_path'),
			current_setting('synchronous_commit')]`).Scan(&got)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
