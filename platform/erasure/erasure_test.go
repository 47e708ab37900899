package erasure_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
)

// letters is a service that keeps letters of customers.
func letters() migrate.Source {
	return migrate.Source{Service: "letters", FS: fstest.MapFS{"00001_letter.sql": {Data: []byte(`
-- +goose Up
CREATE TABLE letter (tenant_id text NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, customer_id uuid NOT NULL, words text NOT NULL, PRIMARY KEY (tenant_id, id));
SELECT guanxi_tenant_table('letter');
`)}}}
}

type world struct {
	t      *testing.T
	db     *pg.DB
	eraser *erasure.Eraser
	ctx    context.Context // of somebody of the tenant pizza
	holds  []erasure.Hold
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: pgtest.New(t, letters())}
	w.ctx = auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "pizza"})
	w.eraser = erasure.New(w.db, erasure.Rooms{
		Holds: func(context.Context, *pg.Tx, []uuid.UUID) ([]erasure.Hold, error) { return w.holds, nil },
		Erase: func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
			done := erasure.Erased{What: "letter"}
			tx.Queue(`UPDATE letter SET words = '' WHERE tenant_id = $1 AND customer_id = ANY ($2) AND words <> ''`, tx.Tenant(), customers).
				Exec(func(tag pgconn.CommandTag) error { done.Count = tag.RowsAffected(); return nil })
			err := tx.Flush(ctx)
			return []erasure.Erased{done}, err
		},
	})
	return w
}

// write writes a letter as a request does.
func (w *world) write(tenant string, customer uuid.UUID) error {
	return w.db.Tx(w.t.Context(), tenant, func(tx *pg.Tx) error {
		erasure.Refuse(tx, customer)
		tx.Queue(`INSERT INTO letter (tenant_id, customer_id, words) VALUES ($1, $2, 'my name is Li Wei')`, tenant, customer)
		return nil
	})
}

func (w *world) words(tenant string) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.db.Read(w.t.Context(), tenant, func(tx *pg.Tx) error {
		return tx.QueryRow(w.t.Context(), `SELECT count(*) FROM letter WHERE words <> ''`).Scan(&n)
	}))
	return n
}

func request(customers ...uuid.UUID) *erasurev1.EraseCustomer {
	in := &erasurev1.EraseCustomer{ErasureId: uuid.Must(uuid.NewV7()).String()}
	for _, c := range customers {
		in.CustomerIds = append(in.CustomerIds, c.String())
	}
	return in
}

func TestWhoWasErasedIsErasedAgainAndRefusedFromThenOn(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	for _, c := range []uuid.UUID{a, b, other} {
		require.NoError(t, w.write("pizza", c))
	}
	require.NoError(t, w.write("music", a))
	in := request(a, b, a)
	done, err := w.eraser.Erase(w.ctx, in)
	require.NoError(t, err)
	require.Len(t, done.GetErased(), 1)
	require.EqualValues(t, 2, done.GetErased()[0].GetCount())
	require.Equal(t, 1, w.words("pizza"), "another customer's stays")
	require.Equal(t, 1, w.words("music"), "and another tenant's")
	done, err = w.eraser.Erase(w.ctx, in)
	require.NoError(t, err, "asked again")
	require.Zero(t, done.GetErased()[0].GetCount(), "it finds nothing left to do")
	err = w.write("pizza", b)
	require.Equal(t, problem.Gone, problem.KindOf(err))
	require.ErrorContains(t, err, "erased")
	require.NoError(t, w.write("music", b))
}

func TestTheEventErasesWhatABackupBroughtBack(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := uuid.Must(uuid.NewV7())
	require.NoError(t, w.write("pizza", a))
	consumer := w.eraser.Consumer()
	require.Equal(t, []string{bus.TopicFor("accounts")}, consumer.Topics)
	erased := inbox.Event{Event: bus.Event{ID: uuid.Must(uuid.NewV7())}, Message: &accountsv1.CustomerErased{
		CustomerId: a.String(), ErasureId: uuid.Must(uuid.NewV7()).String(),
	}}
	hear := func(events ...inbox.Event) error {
		return w.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error { return consumer.Apply(t.Context(), tx, events) })
	}
	for range 2 { // told again, it finds nothing left to do
		require.NoError(t, hear(erased, erased))
		require.Zero(t, w.words("pizza"))
	}
	require.Equal(t, problem.Gone, problem.KindOf(w.write("pizza", a)))
	require.Equal(t, problem.Unprocessable, problem.KindOf(hear(inbox.Event{Message: &accountsv1.CustomerErased{CustomerId: "17"}})))
}

func TestTheConsumersOwnEventsComeFirst(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := uuid.Must(uuid.NewV7())
	consumer := w.eraser.With(inbox.Consumer{Name: "customers", Apply: func(_ context.Context, tx *pg.Tx, events []inbox.Event) error {
		require.Len(t, events, 1)
		tx.Queue(`INSERT INTO letter (tenant_id, customer_id, words) VALUES ('pizza', $1, 'my name is Li Wei')`, a)
		return nil
	}})
	err := w.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		return consumer.Apply(t.Context(), tx, []inbox.Event{
			{Message: &accountsv1.CustomerRegistered{CustomerId: a.String()}},
			{Message: &accountsv1.CustomerErased{CustomerId: a.String(), ErasureId: a.String()}},
		})
	})
	require.NoError(t, err)
	require.Zero(t, w.words("pizza"))
}

func TestAConsumerKnowsWhoWasErasedAndHoldsTheOthers(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	_, err := w.eraser.Erase(w.ctx, request(a))
	require.NoError(t, err)
	done := make(chan error, 1)
	require.NoError(t, w.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		erased := erasure.Known(tx, []uuid.UUID{b, a, b})
		if err := tx.Flush(t.Context()); err != nil {
			return err
		}
		require.Equal(t, map[uuid.UUID]bool{a: true}, erased)
		go func() {
			_, err := w.eraser.Erase(w.ctx, request(b))
			done <- err
		}()
		for waiting := 0; waiting == 0; { // until the erasure waits for this one
			if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, <-done)
	require.NoError(t, w.db.Tx(t.Context(), "music", func(tx *pg.Tx) error {
		erased := erasure.Known(tx, []uuid.UUID{a, b})
		err := tx.Flush(t.Context())
		require.Empty(t, erased, "of another tenant")
		return err
	}))
}

func TestWhoWritesAtTheSameTimeIsWaitedForAndFound(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := uuid.Must(uuid.NewV7())
	done := make(chan error, 1)
	require.NoError(t, w.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		erasure.Refuse(tx, a)
		tx.Queue(`INSERT INTO letter (tenant_id, customer_id, words) VALUES ('pizza', $1, 'my name is Li Wei')`, a)
		if err := tx.Flush(t.Context()); err != nil {
			return err
		}
		go func() {
			_, err := w.eraser.Erase(w.ctx, request(a))
			done <- err
		}()
		for waiting := 0; waiting == 0; { // until the erasure waits for this one
			if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, <-done)
	require.Zero(t, w.words("pizza"))
}

func TestTheCheckTellsWhatHolds(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := uuid.Must(uuid.NewV7())
	in := &erasurev1.CheckErasure{CustomerIds: []string{a.String()}}
	got, err := w.eraser.Check(w.ctx, in)
	require.NoError(t, err)
	require.Empty(t, got.GetHolds())
	w.holds = []erasure.Hold{{Code: "letter_open", Reference: a}}
	got, err = w.eraser.Check(w.ctx, in)
	require.NoError(t, err)
	require.Len(t, got.GetHolds(), 1)
	require.Equal(t, "letter_open", got.GetHolds()[0].GetCode())
	require.Equal(t, a.String(), got.GetHolds()[0].GetReferenceId())

	got, err = erasure.New(w.db, erasure.Rooms{}).Check(w.ctx, in)
	require.NoError(t, err)
	require.Empty(t, got.GetHolds(), "a service where nothing ever holds")
}

func TestWhatIsNotValidIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := uuid.Must(uuid.NewV7()).String()
	for name, in := range map[string]*erasurev1.EraseCustomer{
		"nobody":                  {ErasureId: id},
		"an id that is none":      {ErasureId: id, CustomerIds: []string{"17"}},
		"the id of nobody":        {ErasureId: id, CustomerIds: []string{uuid.Nil.String()}},
		"no erasure":              {CustomerIds: []string{id}},
		"an erasure that is none": {ErasureId: "17", CustomerIds: []string{id}},
	} {
		_, err := w.eraser.Erase(w.ctx, in)
		require.Equal(t, problem.Unprocessable, problem.KindOf(err), name)
	}
	_, err := w.eraser.Check(w.ctx, &erasurev1.CheckErasure{})
	require.Equal(t, problem.Unprocessable, problem.KindOf(err))
}
