package pg_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	d := pgtest.Database(t, shop())
	ctx := context.Background()
	cases := []struct {
		name string
		want int64
		run  func(db *pg.DB, name string) error
	}{
		{"a create is one", 1, func(db *pg.DB, name string) error {
			_, err := create(ctx, db, pizza, name)
			return err
		}},
		{"a create with a key is one", 1, func(db *pg.DB, name string) error {
			_, err := create(pg.WithOnce(ctx, pg.Once{Subject: "u", Operation: "create", Key: name}), db, pizza, name)
			return err
		}},
		{"lock, rule and save are two", 2, func(db *pg.DB, name string) error {
			return db.Tx(ctx, pizza, func(tx *pg.Tx) error {
				var n int
				if err := tx.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM item FOR UPDATE) i").Scan(&n); err != nil {
					return err
				}
				tx.Queue(addItem, pizza, name)
				tx.Queue("UPDATE item SET stock = stock + $1", n)
				return nil
			})
		}},
		{"what is queued travels with the query", 2, func(db *pg.DB, name string) error {
			return db.Tx(ctx, pizza, func(tx *pg.Tx) error {
				tx.Queue(addItem, pizza, name)
				var n int
				return tx.QueryRow(ctx, "SELECT count(*) FROM item").Scan(&n)
			})
		}},
		{"a callback is answered before the commit", 2, func(db *pg.DB, name string) error {
			return db.Tx(ctx, pizza, func(tx *pg.Tx) error {
				tx.Queue(addItem, pizza, name).Exec(func(pgconn.CommandTag) error { return nil })
				return nil
			})
		}},
		{"a read of queued statements is one", 1, func(db *pg.DB, _ string) error {
			return db.Read(ctx, pizza, func(tx *pg.Tx) error {
				var n int
				tx.Queue("SELECT count(*) FROM item").QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
				return nil
			})
		}},
		{"nothing is none", 0, func(db *pg.DB, _ string) error {
			return db.Tx(ctx, pizza, func(*pg.Tx) error { return nil })
		}},
		{"a refusal before the first question is none", 0, func(db *pg.DB, _ string) error {
			err := db.Tx(ctx, pizza, func(tx *pg.Tx) error {
				tx.Queue(addItem, pizza, "never")
				return errRefused
			})
			if !errors.Is(err, errRefused) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, wire := d.Wired(t)
			require.NoError(t, c.run(db, c.name+" at first"), "the first time statements are prepared as well")
			before := wire.Trips()
			require.NoError(t, c.run(db, c.name))
			require.Equal(t, c.want, wire.Trips()-before)
		})
	}
	require.NotContains(t, names(t, d), "never")
}

var errRefused = errors.New("refused")

func TestNothingOfAFailedTransactionRemains(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cases := []struct {
		name string
		fn   func(tx *pg.Tx) error
		want string // in the error
	}{
		{"a queued statement fails", func(tx *pg.Tx) error {
			tx.Queue(addItem, pizza, "a")
			tx.Queue("INSERT INTO item (tenant_id, name, stock) VALUES ($1, 'b', -1)", pizza)
			tx.Queue(addItem, pizza, "c")
			return nil
		}, "(tenant_id, name, stock) VALUES"},
		{"a deferred constraint fails at the commit", func(tx *pg.Tx) error {
			tx.Queue("INSERT INTO item (tenant_id, name, parent) VALUES ($1, 'b', gen_random_uuid())", pizza)
			return nil
		}, "COMMIT: "},
		{"a callback in the last batch refuses", func(tx *pg.Tx) error {
			tx.Queue(addItem, pizza, "a").Exec(func(pgconn.CommandTag) error { return errRefused })
			tx.Queue(addItem, pizza, "b")
			return nil
		}, "refused"},
		{"fn fails after a flush", func(tx *pg.Tx) error {
			tx.Queue(addItem, pizza, "a")
			if err := tx.Flush(ctx); err != nil {
				return err
			}
			return errRefused
		}, "refused"},
		{"fn overlooks the error of a query", func(tx *pg.Tx) error {
			tx.Queue(addItem, pizza, "a")
			_, _ = tx.ExecNow(ctx, "SELECT 1/0")
			tx.Queue(addItem, pizza, "b")
			return nil
		}, "division by zero"},
		{"an argument cannot be encoded", func(tx *pg.Tx) error {
			tx.Queue(addItem, pizza, "a")
			tx.Queue("UPDATE item SET stock = $1", "many")
			return nil
		}, "many"},
		{"a statement cannot be parsed", func(tx *pg.Tx) error {
			tx.Queue(addItem, pizza, "a")
			tx.Queue("SELEC 1")
			return nil
		}, "syntax error"},
		{"rows that were not read to the end fail", func(tx *pg.Tx) error {
			tx.Queue(addItem, pizza, "a")
			rows, err := tx.Query(ctx, "SELECT 1 / (2 - n) FROM generate_series(1, 3) n")
			if err != nil {
				return err
			}
			rows.Next()
			return nil
		}, "division by zero"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := pgtest.Database(t, shop())
			cfg := d.Config()
			cfg.MaxConns = 1 // so that the next transaction has the same connection
			db, err := pg.Open(ctx, cfg, "shop", pg.App)
			require.NoError(t, err)
			t.Cleanup(db.Close)
			hooked := false
			err = db.Tx(ctx, pizza, func(tx *pg.Tx) error {
				tx.OnCommit(func() { hooked = true })
				return c.fn(tx)
			})
			require.ErrorContains(t, err, c.want)
			require.False(t, pg.Transient(err), "%v", err)
			require.False(t, hooked)
			require.Empty(t, names(t, d))
			require.NoError(t, db.Tx(ctx, pizza, func(tx *pg.Tx) error {
				tx.Queue(addItem, pizza, "next")
				return nil
			}), "the connection is fit for the next")
		})
	}
}

func TestSavepoints(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	fail := func(tx *pg.Tx) error {
		tx.Queue(addItem, pizza, "undone")
		tx.Queue("SELECT 1/0")
		return nil
	}
	cases := []struct {
		name string
		fn   func(tx *pg.Tx) error
		want []string
	}{
		{"success keeps", func(tx *pg.Tx) error {
			return tx.Savepoint(ctx, func() error { tx.Queue(addItem, pizza, "in"); return nil })
		}, []string{"in"}},
		{"an error of a queued statement undoes only the savepoint", func(tx *pg.Tx) error {
			tx.Queue(addItem, pizza, "before")
			if err := tx.Savepoint(ctx, func() error { return fail(tx) }); err == nil {
				return errors.New("want an error")
			}
			tx.Queue(addItem, pizza, "after")
			return nil
		}, []string{"after", "before"}},
		{"an error of fn before anything is sent", func(tx *pg.Tx) error {
			tx.Queue(addItem, pizza, "before")
			_ = tx.Savepoint(ctx, func() error { tx.Queue(addItem, pizza, "undone"); return errRefused })
			return nil
		}, []string{"before"}},
		{"an inner one", func(tx *pg.Tx) error {
			return tx.Savepoint(ctx, func() error {
				tx.Queue(addItem, pizza, "outer")
				_ = tx.Savepoint(ctx, func() error { return fail(tx) })
				tx.Queue(addItem, pizza, "outer too")
				return nil
			})
		}, []string{"outer", "outer too"}},
		{"both", func(tx *pg.Tx) error {
			_ = tx.Savepoint(ctx, func() error {
				tx.Queue(addItem, pizza, "outer")
				_ = tx.Savepoint(ctx, func() error { return fail(tx) })
				return fail(tx)
			})
			tx.Queue(addItem, pizza, "after")
			return nil
		}, []string{"after"}},
		{"the tenant is as before", func(tx *pg.Tx) error {
			_ = tx.Savepoint(ctx, func() error {
				tx.SetTenant(ctx, music)
				tx.Queue(addItem, music, "undone")
				if err := tx.Flush(ctx); err != nil {
					return err
				}
				return errRefused
			})
			tx.Queue(addItem, tx.Tenant(), "after")
			return nil
		}, []string{"after"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := pgtest.Database(t, shop())
			require.NoError(t, d.DB(pg.App).Tx(ctx, pizza, c.fn))
			require.Equal(t, c.want, names(t, d))
		})
	}
}

func TestHooksRunAfterTheCommitAndNotForWhatIsUndone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := pgtest.Database(t, shop())
	var ran []string
	require.NoError(t, d.DB(pg.App).Tx(ctx, pizza, func(tx *pg.Tx) error {
		tx.Queue(addItem, pizza, "a")
		tx.OnCommit(func() { ran = append(ran, fmt.Sprint(names(t, d))) })
		_ = tx.Savepoint(ctx, func() error {
			tx.OnCommit(func() { ran = append(ran, "undone") })
			return errRefused
		})
		return nil
	}))
	require.Equal(t, []string{"[a]"}, ran)
}

func TestARowThatIsNotThere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := pgtest.New(t, shop())
	require.NoError(t, db.Tx(ctx, pizza, func(tx *pg.Tx) error {
		var name string
		err := tx.QueryRow(ctx, "SELECT name FROM item WHERE id = $1", uuid.New()).Scan(&name)
		require.ErrorIs(t, err, pgx.ErrNoRows)
		tx.Queue(addItem, pizza, "so it is made")
		return nil
	}))
}

func TestReadCannotWrite(t *testing.T) {
	t.Parallel()
	err := pgtest.New(t, shop()).Read(context.Background(), pizza, func(tx *pg.Tx) error {
		tx.Queue(addItem, pizza, "a")
		return nil
	})
	require.ErrorContains(t, err, "read-only transaction")
}

// A caller that gives up must not cost a connection.
func TestACancelledRequestLeavesTheConnectionWhole(t *testing.T) {
	t.Parallel()
	d := pgtest.Database(t, shop())
	cfg := d.Config()
	cfg.MaxConns = 1
	db, err := pg.Open(context.Background(), cfg, "shop", pg.App)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	pid := func() (n int) {
		require.NoError(t, db.Read(context.Background(), "", func(tx *pg.Tx) error {
			return tx.QueryRow(context.Background(), "SELECT pg_backend_pid()").Scan(&n)
		}))
		return n
	}
	before := pid()
	ctx, cancel := context.WithCancel(context.Background())
	err = db.Tx(ctx, pizza, func(tx *pg.Tx) error {
		tx.Queue(addItem, pizza, "a")
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := tx.ExecNow(ctx, "SELECT pg_sleep(60)")
		return err
	})
	require.Error(t, err)
	require.True(t, pg.Transient(err))
	require.Equal(t, before, pid())
	require.Empty(t, names(t, d))
}

func TestAServerThatIsAway(t *testing.T) {
	t.Parallel()
	db, err := pg.Open(context.Background(), pg.Config{URL: "postgres://{service}_{role}:x@127.0.0.1:1/nowhere"}, "shop", pg.App)
	require.NoError(t, err, "it may come later")
	t.Cleanup(db.Close)
	_, err = create(context.Background(), db, pizza, "a")
	require.True(t, pg.Transient(err))
	require.Equal(t, problem.Unavailable, problem.KindOf(err))
	require.NotContains(t, err.Error(), ":x@", "no password in an error")
}
