package pg_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

func once(key, body string) context.Context {
	return pg.WithOnce(context.Background(), pg.Once{Subject: "anna", Operation: "create-item", Key: key, BodyHash: []byte(body)})
}

func TestTheSameKeyAndBodyGiveTheFirstAnswerAgain(t *testing.T) {
	t.Parallel()
	d := pgtest.Database(t, shop())
	db := d.DB(pg.App)
	first, err := create(once("k", "body"), db, pizza, "cup")
	require.NoError(t, err)
	require.False(t, first.Replayed)
	again, err := create(once("k", "body"), db, pizza, "would be another")
	require.NoError(t, err)
	require.Equal(t, pg.Result{ID: first.ID, Status: 201, Replayed: true}, again)
	require.Equal(t, []string{"cup"}, names(t, d))
}

func TestWhatTellsKeysApart(t *testing.T) {
	t.Parallel()
	base := pg.Once{Subject: "anna", Operation: "create-item", Key: "k", BodyHash: []byte("body")}
	cases := []struct {
		name   string
		tenant string
		change func(o *pg.Once)
		code   string // of the problem; empty when it is done as something new
	}{
		{"another body", pizza, func(o *pg.Once) { o.BodyHash = []byte("other") }, "idempotency_key_reused"},
		{"another tenant", music, func(*pg.Once) {}, ""},
		{"another person", pizza, func(o *pg.Once) { o.Subject = "ben" }, ""},
		{"another operation", pizza, func(o *pg.Once) { o.Operation = "create-box" }, ""},
		{"another key", pizza, func(o *pg.Once) { o.Key = "k2" }, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := pgtest.Database(t, shop())
			db := d.DB(pg.App)
			_, err := create(pg.WithOnce(context.Background(), base), db, pizza, "first")
			require.NoError(t, err)
			o := base
			c.change(&o)
			got, err := create(pg.WithOnce(context.Background(), o), db, c.tenant, "second")
			if c.code != "" {
				require.Equal(t, c.code, problem.From(err).Code)
				require.Equal(t, problem.Unprocessable, problem.KindOf(err))
				require.Equal(t, []string{"first"}, names(t, d))
				return
			}
			require.NoError(t, err)
			require.False(t, got.Replayed)
			require.Equal(t, []string{"first", "second"}, names(t, d))
		})
	}
}

func TestAKeyInFlightIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	d := pgtest.Database(t, shop())
	db := d.DB(pg.App)
	inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		_, err := db.Command(once("k", "body"), pizza, func(tx *pg.Tx) (pg.Result, error) {
			tx.Queue(addItem, pizza, "cup")
			if err := tx.Flush(context.Background()); err != nil {
				return pg.Result{}, err
			}
			close(inside)
			<-leave
			return pg.Result{Status: 201}, nil
		})
		done <- err
	}()
	<-inside
	_, err := create(once("k", "body"), db, pizza, "cup") // comes back although the first is still inside
	require.Equal(t, "idempotency_key_in_flight", problem.From(err).Code)
	require.Equal(t, problem.Conflict, problem.KindOf(err))
	close(leave)
	require.NoError(t, <-done)
	again, err := create(once("k", "body"), db, pizza, "cup")
	require.NoError(t, err)
	require.True(t, again.Replayed)
}

func TestFiftyAtOnceWithOneKeyHaveOneEffect(t *testing.T) {
	t.Parallel()
	d := pgtest.Database(t, shop())
	db := d.DB(pg.App)
	var fresh, replayed, inFlight atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			r, err := create(once("k", "body"), db, pizza, fmt.Sprint("cup ", i))
			switch {
			case err == nil && r.Replayed:
				replayed.Add(1)
			case err == nil:
				fresh.Add(1)
			case problem.From(err).Code == "idempotency_key_in_flight":
				inFlight.Add(1)
			default:
				t.Errorf("unexpected: %v", err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(1), fresh.Load())
	require.Equal(t, int64(49), replayed.Load()+inFlight.Load())
	require.Len(t, names(t, d), 1)
}

func TestAFailedCommandFreesItsKey(t *testing.T) {
	t.Parallel()
	d := pgtest.Database(t, shop())
	db := d.DB(pg.App)
	_, err := db.Command(once("k", "body"), pizza, func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(addItem, pizza, "cup")
		if err := tx.Flush(context.Background()); err != nil {
			return pg.Result{}, err
		}
		return pg.Result{}, problem.New(problem.Conflict, "sold_out", "Sold out.")
	})
	require.Equal(t, "sold_out", problem.From(err).Code)
	r, err := create(once("k", "body"), db, pizza, "cup")
	require.NoError(t, err)
	require.False(t, r.Replayed)
}

func TestWithoutAKeyNothingIsRemembered(t *testing.T) {
	t.Parallel()
	d := pgtest.Database(t, shop())
	_, err := create(context.Background(), d.DB(pg.App), pizza, "cup")
	require.NoError(t, err)
	require.Equal(t, []int64{0}, column[int64](t, d, "SELECT count(*) FROM idempotency"))
}

func TestAnAnswerWithoutAResource(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, shop())
	for i := range 2 {
		r, err := db.Command(once("k", ""), pizza, func(*pg.Tx) (pg.Result, error) {
			return pg.Result{Status: 204}, nil
		})
		require.NoError(t, err)
		require.Equal(t, pg.Result{Status: 204, Replayed: i == 1}, r)
		require.Equal(t, uuid.Nil, r.ID)
	}
}

func TestALockIsWaitedForAsLongAsTheTransactionSays(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := pgtest.Database(t, shop()).DB(pg.App)
	_, err := create(ctx, db, pizza, "a")
	require.NoError(t, err)
	const take = "UPDATE item SET stock = stock + 1 WHERE name = 'a'"
	require.NoError(t, db.Tx(ctx, pizza, func(tx *pg.Tx) error {
		if _, err := tx.ExecNow(ctx, take); err != nil {
			return err
		}
		err := db.Tx(ctx, pizza, func(tx *pg.Tx) error {
			tx.WaitAtMost(50 * time.Millisecond)
			_, err := tx.ExecNow(ctx, take)
			return err
		})
		require.True(t, pg.Transient(err), "%v", err)
		return nil
	}))
}

// Two transactions that each wait for the row of the other: the server ends one of them, which starts over.
func TestADeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := pgtest.Database(t, shop())
	db := d.DB(pg.App)
	for _, name := range []string{"a", "b"} {
		_, err := create(ctx, db, pizza, name)
		require.NoError(t, err)
	}
	const take = "UPDATE item SET stock = stock + 1 WHERE name = $1"
	var both, done sync.WaitGroup
	both.Add(2)
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		done.Go(func() {
			first := true
			_, err := db.Command(ctx, pizza, func(tx *pg.Tx) (pg.Result, error) {
				if _, err := tx.ExecNow(ctx, take, order[0]); err != nil {
					return pg.Result{}, err
				}
				if first {
					first = false
					both.Done()
					both.Wait()
				}
				_, err := tx.ExecNow(ctx, take, order[1])
				return pg.Result{}, err
			})
			if err != nil {
				t.Errorf("command: %v", err)
			}
		})
	}
	done.Wait()
	require.Equal(t, []int32{2, 2}, column[int32](t, d, "SELECT stock FROM item ORDER BY name"))
}

func TestAConnectionThatBrokeBeforeTheCommitIsTriedAgain(t *testing.T) {
	t.Parallel()
	d := pgtest.Database(t, shop())
	db, wire := d.Wired(t)
	runs := 0
	_, err := db.Command(once("k", "body"), pizza, func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(addItem, pizza, "cup")
		if err := tx.Flush(context.Background()); err != nil {
			return pg.Result{}, err
		}
		if runs++; runs == 1 {
			wire.Break()
		}
		var n int
		err := tx.QueryRow(context.Background(), "SELECT count(*) FROM item").Scan(&n)
		return pg.Result{Status: 201}, err
	})
	require.NoError(t, err)
	require.Equal(t, 2, runs)
	require.Equal(t, []string{"cup"}, names(t, d))
}

func TestAConnectionThatBreaksDuringTheCommit(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		cut  pgtest.Cut
		took bool
	}{
		{"before the server had it", pgtest.CutBeforeServer, false},
		{"after the server had it", pgtest.CutAfterServer, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := pgtest.Database(t, shop())
			db, wire := d.Wired(t)
			_, err := create(once("warm", "body"), db, pizza, "warm")
			require.NoError(t, err)

			wire.CutCommits(c.cut)
			_, err = create(once("k", "body"), db, pizza, "cup")
			require.ErrorIs(t, err, pg.ErrOutcomeUnknown)
			require.True(t, pg.Transient(err))
			require.Equal(t, "outcome_unknown", problem.From(err).Code)

			wire.CutCommits(pgtest.CutNever)
			require.Eventually(t, func() bool { // the server may still be at work
				r, err := create(once("k", "body"), db, pizza, "cup")
				return err == nil && r.Replayed == c.took
			}, eventually, tick, "the key tells what became of it")
			require.Equal(t, []string{"cup", "warm"}, names(t, d))
		})
	}
}

func TestPartitionsOfKeys(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := pgtest.Database(t, shop())
	db, ops := d.DB(pg.App), d.DB(pg.Ops)
	day := func(ago int) string {
		return column[string](t, d, fmt.Sprintf("SELECT to_char((now() AT TIME ZONE 'UTC')::date - %d, 'YYYYMMDD')", ago))[0]
	}
	// A schedule that stood still: no partition but the default one, and old ones that nobody dropped.
	owner, err := pgx.Connect(ctx, d.URL(pg.Owner))
	require.NoError(t, err)
	defer func() { _ = owner.Close(ctx) }()
	for _, part := range column[string](t, d, `SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'idempotency'::regclass AND c.relname <> 'idempotency_default'`) {
		_, err := owner.Exec(ctx, "DROP TABLE "+part)
		require.NoError(t, err)
	}
	_, err = owner.Exec(ctx, fmt.Sprintf("CREATE TABLE idempotency_%s PARTITION OF idempotency FOR VALUES FROM ('%s') TO ('%s')",
		day(5), day(5), day(4)))
	require.NoError(t, err)
	first, err := create(once("k", "body"), db, pizza, "cup")
	require.NoError(t, err, "the default partition takes it")

	var made, dropped int
	keep := func() {
		require.NoError(t, ops.System(ctx, func(tx *pg.Tx) error {
			return tx.QueryRow(ctx, "SELECT made, dropped FROM idempotency_partitions(2)").Scan(&made, &dropped)
		}))
	}
	keep()
	require.Equal(t, []int{3, 1}, []int{made, dropped})
	require.Equal(t, []int64{1}, column[int64](t, d, "SELECT count(*) FROM idempotency_"+day(0)), "it has moved")
	keep()
	require.Equal(t, []int{0, 0}, []int{made, dropped})

	again, err := create(once("k", "body"), db, pizza, "cup")
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)

	_, err = owner.Exec(ctx, "UPDATE idempotency SET created_at = created_at - interval '24 hours', day = day - 1")
	require.NoError(t, err)
	r, err := create(once("k", "body"), db, pizza, "another")
	require.NoError(t, err)
	require.False(t, r.Replayed, "a key is free again after 24 hours")

	require.Error(t, db.System(ctx, func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, "SELECT made, dropped FROM idempotency_partitions(2)").Scan(&made, &dropped)
	}), "it is for ops")
	require.False(t, errors.Is(err, pgx.ErrNoRows))
}
