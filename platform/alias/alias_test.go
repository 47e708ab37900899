package alias_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
)

// shop has a table that is read through aliases.
func shop() migrate.Source {
	return migrate.Source{Service: "shop", Aliases: true, FS: fstest.MapFS{"00001_sale.sql": {Data: []byte(`
-- +goose Up
CREATE TABLE sale (tenant_id text NOT NULL, id bigint NOT NULL, customer_id uuid NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE INDEX sale_customer ON sale (tenant_id, customer_id);
SELECT guanxi_tenant_table('sale');
`)}}}
}

// world is a database and what accounts has told so far.
type world struct {
	t   *testing.T
	db  *pg.DB
	seq map[uuid.UUID]int64
}

func start(t *testing.T) *world {
	t.Helper()
	return &world{t: t, db: pgtest.New(t, shop()), seq: map[uuid.UUID]int64{}}
}

func customers(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	return ids
}

func (w *world) next(id uuid.UUID) bus.Event {
	w.seq[id]++
	return bus.Event{ID: uuid.Must(uuid.NewV7()), Tenant: "pizza", Epoch: 1, Sequence: w.seq[id], AggregateID: id.String()}
}

func (w *world) absorbed(id, by uuid.UUID) inbox.Event {
	return inbox.Event{Event: w.next(id), Message: &accountsv1.CustomerAbsorbed{
		CustomerId: id.String(), SurvivorId: by.String(), MergeId: uuid.Must(uuid.NewV7()).String(),
	}}
}

func (w *world) restored(id, from uuid.UUID) inbox.Event {
	return inbox.Event{Event: w.next(id), Message: &accountsv1.CustomerRestored{
		CustomerId: id.String(), SurvivorId: from.String(), MergeId: uuid.Must(uuid.NewV7()).String(),
	}}
}

// hear has the events arrive in one transaction.
func (w *world) hear(tenant string, events ...inbox.Event) {
	w.t.Helper()
	c := alias.With(inbox.Consumer{Name: "customers"})
	require.NoError(w.t, w.db.Tx(w.t.Context(), tenant, func(tx *pg.Tx) error { return c.Apply(w.t.Context(), tx, events) }))
}

func (w *world) group(tenant string, id uuid.UUID) (group []uuid.UUID) {
	w.t.Helper()
	require.NoError(w.t, w.db.Read(w.t.Context(), tenant, func(tx *pg.Tx) error {
		root := alias.Root(tx, id)
		if err := tx.QueryRow(w.t.Context(), `SELECT customer_group($1, $2)`, tenant, id).Scan(&group); err != nil {
			return err
		}
		require.Equal(w.t, *root, group[0], "the root comes first")
		return nil
	}))
	return group
}

func TestAliasesFormATreeAndAnUndoTakesOneBranchOff(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := customers(4)
	a, b, root, other := c[0], c[1], c[2], c[3]
	require.Equal(t, []uuid.UUID{a}, w.group("pizza", a), "nobody was merged")
	w.hear("pizza", w.absorbed(a, b), w.absorbed(b, root))
	for _, id := range []uuid.UUID{a, b, root} {
		require.ElementsMatch(t, []uuid.UUID{root, b, a}, w.group("pizza", id))
		require.Equal(t, root, w.group("pizza", id)[0])
	}
	require.Equal(t, []uuid.UUID{other}, w.group("pizza", other))
	require.Equal(t, []uuid.UUID{a}, w.group("music", a), "another tenant's merges are none of its own")
	w.hear("pizza", w.restored(b, root))
	require.Equal(t, []uuid.UUID{b, a}, w.group("pizza", a), "what was merged before stays merged")
	require.Equal(t, []uuid.UUID{root}, w.group("pizza", root))
}

func TestALateEventNeverWinsOverANewerOne(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := customers(3)
	first := w.absorbed(c[0], c[1])
	undone := w.restored(c[0], c[1])
	w.hear("pizza", undone)
	w.hear("pizza", first)
	require.Equal(t, []uuid.UUID{c[0]}, w.group("pizza", c[0]))
	second := w.absorbed(c[0], c[2])
	w.hear("pizza", second, undone, first)
	require.Equal(t, []uuid.UUID{c[2], c[0]}, w.group("pizza", c[0]))
	first.Epoch, first.Sequence = 2, 1 // told by a producer that was restored
	w.hear("pizza", first)
	require.Equal(t, []uuid.UUID{c[1], c[0]}, w.group("pizza", c[0]))
}

func TestARingOfAliasesEndsAndMeansOneCustomer(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := customers(5)
	// The tail 4 -> 3 leads into the ring 0 -> 1 -> 2 -> 0 at 2; the least of the ring stands for all.
	w.hear("pizza", w.absorbed(c[0], c[1]), w.absorbed(c[1], c[2]), w.absorbed(c[2], c[0]), w.absorbed(c[4], c[3]), w.absorbed(c[3], c[2]))
	for _, id := range c {
		group := w.group("pizza", id)
		require.ElementsMatch(t, c, group)
		require.Equal(t, c[0], group[0])
	}
	w.hear("pizza", w.restored(c[2], c[0]))
	require.Equal(t, c[2], w.group("pizza", c[4])[0])
}

// TestWhateverTheOrderOfEventsTheEndIsTheSame merges and undoes at random, and has the events arrive in any order, some twice.
func TestWhateverTheOrderOfEventsTheEndIsTheSame(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		w := start(t)
		c := customers(8)
		of := map[uuid.UUID]uuid.UUID{} // the truth
		root := func(id uuid.UUID) uuid.UUID {
			for of[id] != uuid.Nil {
				id = of[id]
			}
			return id
		}
		var events []inbox.Event
		for range 30 {
			id := c[random.IntN(len(c))]
			if of[id] != uuid.Nil {
				events = append(events, w.restored(id, of[id]))
				delete(of, id)
			} else if by := root(c[random.IntN(len(c))]); by != id {
				events = append(events, w.absorbed(id, by))
				of[id] = by
			}
		}
		events = append(events, events[:len(events)/3]...)
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for len(events) > 0 {
			n := 1 + random.IntN(min(5, len(events)))
			w.hear("pizza", events[:n]...)
			events = events[n:]
		}
		for _, id := range c {
			var want []uuid.UUID
			for _, other := range c {
				if root(other) == root(id) {
					want = append(want, other)
				}
			}
			group := w.group("pizza", id)
			require.ElementsMatch(t, want, group)
			require.Equal(t, root(id), group[0])
		}
	}
}

func TestAnEventThatBreaksItsContractIsRefused(t *testing.T) {
	t.Parallel()
	id := uuid.Must(uuid.NewV7()).String()
	for name, m := range map[string]*accountsv1.CustomerAbsorbed{
		"no customer":      {SurvivorId: id, MergeId: id},
		"no survivor":      {CustomerId: id, MergeId: id},
		"no merge":         {CustomerId: id, SurvivorId: uuid.Must(uuid.NewV7()).String()},
		"into itself":      {CustomerId: id, SurvivorId: id, MergeId: id},
		"an id that isn't": {CustomerId: "17", SurvivorId: id, MergeId: id},
	} {
		_, ok, err := alias.Read(inbox.Event{Message: m})
		require.True(t, ok, name)
		require.Equal(t, problem.Unprocessable, problem.KindOf(err), name)
	}
}

func TestTheConsumersOwnEventsReachItAndTheOthersDoNot(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := customers(2)
	var got []inbox.Event
	own := inbox.Event{Event: w.next(c[1]), Message: &accountsv1.CustomerRegistered{CustomerId: c[1].String()}}
	consumer := alias.With(inbox.Consumer{
		Name: "customers", Topics: []string{"guanxi.sales.events.v1"},
		Apply: func(_ context.Context, _ *pg.Tx, events []inbox.Event) error { got = events; return nil },
	})
	require.Equal(t, []string{"guanxi.sales.events.v1", bus.TopicFor("accounts")}, consumer.Topics)
	require.Len(t, consumer.Handles, 2)
	require.NoError(t, w.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		return consumer.Apply(t.Context(), tx, []inbox.Event{w.absorbed(c[0], c[1]), own})
	}))
	require.Equal(t, []inbox.Event{own}, got)
	require.Equal(t, []uuid.UUID{c[1], c[0]}, w.group("pizza", c[0]))
}

// TestRowsOfAGroupAreFoundByIndex looks at plans as the app role has them, under row level security.
func TestRowsOfAGroupAreFoundByIndex(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := customers(2)
	w.hear("pizza", w.absorbed(c[0], c[1]))
	require.NoError(t, w.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO sale SELECT 'pizza', n, gen_random_uuid() FROM generate_series(1, 20000) AS n`)
		tx.Queue(`INSERT INTO customer_alias SELECT 'pizza', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, n FROM generate_series(1, 20000) AS n`)
		return nil
	}))
	plan := func(sql string, args ...any) string {
		var lines []string
		require.NoError(t, w.db.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
			tx.PlanForAny()
			rows, err := tx.Query(t.Context(), "EXPLAIN "+sql, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					return err
				}
				lines = append(lines, line)
			}
			return rows.Err()
		}))
		return strings.Join(lines, "\n")
	}
	got := plan(`SELECT * FROM sale WHERE tenant_id = $1 AND customer_id = ANY ((SELECT customer_group($1, $2))::uuid[])`, "pizza", c[0])
	require.Contains(t, got, "sale_customer")
	require.Regexp(t, `Index Cond: .*customer_id = ANY \(\$0\)`, got)
	require.NotContains(t, got, "Seq Scan")
}

func TestWhoHoldsTheAliasesIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := customers(2)
	event := w.absorbed(c[0], c[1])
	done := make(chan error, 1)
	require.NoError(t, w.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		alias.Hold(tx)
		if err := tx.Flush(t.Context()); err != nil {
			return err
		}
		consumer := alias.With(inbox.Consumer{Name: "customers"})
		go func() {
			done <- w.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
				return consumer.Apply(t.Context(), tx, []inbox.Event{event})
			})
		}()
		for waiting := 0; waiting == 0; { // until the other one waits for this one
			if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting); err != nil {
				return err
			}
		}
		var group []uuid.UUID
		if err := tx.QueryRow(t.Context(), `SELECT customer_group($1, $2)`, "pizza", c[0]).Scan(&group); err != nil {
			return err
		}
		require.Equal(t, c[:1], group)
		return nil
	}))
	require.NoError(t, <-done)
	require.Equal(t, []uuid.UUID{c[1], c[0]}, w.group("pizza", c[0]))
}
