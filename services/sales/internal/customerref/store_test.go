package customerref_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/customerref"
	"github.com/guanxi-crm/guanxi/services/sales/migrations"
)

var (
	lily = externalref.Ref{System: "shop", ID: "17"}
	both = []externalref.Ref{{System: "shop", ID: "18"}, lily, lily}
)

type bundle struct {
	t  *testing.T
	db *pg.DB
	// the table's owner sees who waits for whom
	admin *pg.DB
}

func setup(t *testing.T) *bundle {
	t.Helper()
	database := pgtest.Database(t, migrate.Source{Service: "sales", FS: migrations.FS, Aliases: true})
	return &bundle{t: t, db: database.DB(pg.App), admin: database.DB(pg.Owner)}
}

// resolve asks for the names in a transaction that ends when hold returns.
func (b *bundle) resolve(names []externalref.Ref, hold func()) (known map[externalref.Ref]uuid.UUID) {
	b.t.Helper()
	if err := b.db.Tx(b.t.Context(), "pizza", func(tx *pg.Tx) (err error) {
		known, err = customerref.Resolve(b.t.Context(), tx, names)
		hold()
		return err
	}); err != nil {
		b.t.Error(err)
	}
	return known
}

// learn takes the news in, in a transaction that ends when hold returns.
func (b *bundle) learn(tenant string, news map[externalref.Ref]uuid.UUID, hold func()) {
	b.t.Helper()
	if err := b.db.Tx(b.t.Context(), tenant, func(tx *pg.Tx) error {
		customerref.Learn(tx, news)
		err := tx.Flush(b.t.Context())
		hold()
		return err
	}); err != nil {
		b.t.Error(err)
	}
}

// untilSomebodyWaits returns when a session waits for another's lock.
func (b *bundle) untilSomebodyWaits() {
	b.t.Helper()
	for {
		var waiting int
		err := b.admin.System(b.t.Context(), func(tx *pg.Tx) error {
			return tx.QueryRow(b.t.Context(), `SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database OR l.database IS NULL
				WHERE NOT l.granted AND d.datname = current_database()`).Scan(&waiting)
		})
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				b.t.Error(err)
			}
			return
		}
		if waiting > 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func now() {}

func TestResolveGivesWhatWasLearned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := uuid.New(), uuid.New()
	if known := b.resolve(both, now); len(known) != 0 {
		t.Fatalf("nobody was told of yet: %v", known)
	}
	b.learn("music", map[externalref.Ref]uuid.UUID{lily: second}, now)
	b.learn("pizza", map[externalref.Ref]uuid.UUID{lily: first}, now)
	if known := b.resolve(both, now); len(known) != 1 || known[lily] != first {
		t.Fatalf("got %v, want %s alone", known, first)
	}
	b.learn("pizza", map[externalref.Ref]uuid.UUID{lily: second}, now) // the name went to another customer
	if known := b.resolve(both, now); known[lily] != second {
		t.Fatalf("got %v, want %s", known, second)
	}
}

func TestTheNewsWaitsForAnOrderThatFoundNobody(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]externalref.Ref{"a name heard of first": nil, "a name heard of before": {lily}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.resolve(before, now)
			learned := make(chan struct{})
			b.resolve([]externalref.Ref{lily}, func() {
				go func() {
					defer close(learned)
					b.learn("pizza", map[externalref.Ref]uuid.UUID{lily: uuid.New()}, now)
				}()
				b.untilSomebodyWaits()
				select {
				case <-learned:
					t.Error("the news did not wait: it would not have seen the order")
				default:
				}
			})
			<-learned
		})
	}
}

func TestAnOrderWaitsForTheNewsAndThenSeesIt(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]externalref.Ref{"a name heard of first": nil, "a name heard of before": {lily}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.resolve(before, now)
			customer, found := uuid.New(), make(chan map[externalref.Ref]uuid.UUID, 1)
			b.learn("pizza", map[externalref.Ref]uuid.UUID{lily: customer}, func() {
				go func() { found <- b.resolve([]externalref.Ref{lily}, now) }()
				b.untilSomebodyWaits()
			})
			if known := <-found; known[lily] != customer {
				t.Fatalf("got %v, want %s", known, customer)
			}
		})
	}
}

func TestAKnownNameIsNotLocked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := uuid.New()
	b.learn("pizza", map[externalref.Ref]uuid.UUID{lily: customer}, now)
	b.resolve([]externalref.Ref{lily}, func() {
		if known := b.resolve([]externalref.Ref{lily}, now); known[lily] != customer { // would wait for ever
			t.Errorf("got %v", known)
		}
	})
}
