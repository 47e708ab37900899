package customerimport

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/migrations"
	"github.com/guanxi-crm/guanxi/services/accounts/projection"
)

// world is a database with one tenant, and an import of two columns into it.
type world struct {
	t   *testing.T
	db  *pg.DB
	m   *importer
	job imports.Job
}

func start(t *testing.T) *world {
	t.Helper()
	db := pgtest.New(t, migrate.Source{Service: "accounts", FS: migrations.FS, Projection: projection.FS})
	w := &world{t: t, db: db, m: &importer{db: db, outbox: outbox.New("accounts"), clock: time.Now},
		job: imports.Job{Tenant: "music", Policy: imports.Skip, Columns: []string{"external:shop", "display_name"}}}
	w.tx(func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO tenant VALUES ('music', gen_random_uuid(), 1, 'Music', 'US', 'en', 'America/New_York', 'USD', 'active', now(), now())`)
		return nil
	})
	return w
}

func (w *world) tx(fn func(tx *pg.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.db.Tx(w.t.Context(), "music", fn))
}

func (w *world) rows(ids ...string) []imports.Row {
	rows := make([]imports.Row, len(ids))
	for n, id := range ids {
		rows[n] = imports.NewRow(int64(n+1), w.job.Columns, []string{id, "Ann " + id})
	}
	return rows
}

func (w *world) preparing() func(context.Context, []imports.Row) error {
	var prepare func(context.Context, []imports.Row) error
	w.tx(func(tx *pg.Tx) (err error) {
		prepare, err = w.m.prepare(w.t.Context(), tx, w.job)
		return err
	})
	return prepare
}

func (w *world) apply(rows []imports.Row) (rejected []imports.Rejection, err error) {
	err = w.db.Tx(w.t.Context(), "music", func(tx *pg.Tx) error {
		if rejected, err = w.m.apply(w.t.Context(), tx, w.job, rows); err != nil {
			return err
		}
		return tx.Flush(w.t.Context())
	})
	return rejected, err
}

func (w *world) count(table string) (n int) {
	w.tx(func(tx *pg.Tx) error {
		return tx.QueryRow(w.t.Context(), `SELECT count(*) FROM `+table).Scan(&n)
	})
	return n
}

func TestWhoComesBetweenPreparingAndWritingIsMet(t *testing.T) {
	t.Parallel()
	w := start(t)
	late := w.rows("1", "2")
	require.NoError(t, w.preparing()(t.Context(), late))
	require.True(t, late[0].Prepared.(prepared).batch.unknown)
	_, err := w.apply(w.rows("2", "3")) // somebody else is quicker
	require.NoError(t, err)

	_, err = w.apply(late)
	name, broken := pg.Constraint(err)
	require.True(t, broken, err)
	require.Equal(t, "customer_identity_exclusive", name)
	rejected, err := w.apply(late) // as it is tried again, in halves or whole
	require.NoError(t, err)
	require.Empty(t, rejected)
	require.Equal(t, 3, w.count("customer"))
	require.Equal(t, 3, w.count("customer_identity"))
}

func TestAPreparedBatchIsWrittenAsItWouldHaveBeen(t *testing.T) {
	t.Parallel()
	w := start(t)
	rows := w.rows("1", "2", "1", "")
	require.NoError(t, w.preparing()(t.Context(), rows))
	rejected, err := w.apply(rows)
	require.NoError(t, err)
	require.Empty(t, rejected)
	require.True(t, rows[0].Prepared.(prepared).batch.used)
	require.Equal(t, 3, w.count("customer"), "1, 2, and somebody of whom only the name is known")
}

func TestSettingsThatWereChangedMeanwhileAreKept(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.job.Columns = []string{"phone", "display_name"}
	rows := w.rows("(617) 555-0100")
	require.NoError(t, w.preparing()(t.Context(), rows))
	w.tx(func(tx *pg.Tx) error {
		tx.Queue(`UPDATE tenant SET region = 'DE'`)
		return nil
	})
	_, err := w.apply(rows)
	require.NoError(t, err)
	require.Equal(t, 0, w.count("customer_identity WHERE value = '+16175550100'"), "a telephone of the region before")
}

func TestBatchesThatMayBeUnwrittenAreRemembered(t *testing.T) {
	t.Parallel()
	of := func(ids ...string) []*record {
		records := make([]*record, len(ids))
		for n, id := range ids {
			records[n] = &record{draft: customer.Draft{Identities: []identity.Identity{{Type: "external:shop", Value: id}}}}
		}
		return records
	}
	u := &unwritten{}
	for n, batch := range []struct {
		ids  []string
		want bool
	}{
		{[]string{"1", "2"}, true}, {[]string{"3"}, true}, {[]string{"2"}, false}, // two batches before
		{[]string{"4", "4"}, true}, {[]string{"4"}, false}, {[]string{"1"}, true}, // written by then
	} {
		require.Equal(t, batch.want, u.strangers(of(batch.ids...)), "batch %d", n+1)
	}
}

// TestABatchOfStrangersRemembersNothingOfTheOneBefore has the same people in both: where the second is prepared, those of the first may
// not have been written at all.
func TestABatchOfStrangersRemembersNothingOfTheOneBefore(t *testing.T) {
	t.Parallel()
	newID := serials()
	b := newBatch(imports.Skip, noon, newID, 0, nil, others{})
	for n := range 2 {
		b.begin(noon.Add(time.Duration(n) * time.Hour))
		for line, r := range []row{{"card": "VIP1"}, {"display_name": "Mei", "phone": "138 0013 8000"}, {"card": "VIP1"}} {
			rec, wrong := readRow(t, int64(line+1), r, newID)
			require.Empty(t, wrong)
			require.Empty(t, b.take(rec))
		}
		added, changed := b.result()
		require.Len(t, added, 2, "batch %d", n+1)
		require.Empty(t, changed)
	}
}

func TestABatchIsApartWhereNothingTiesItToTheOneBefore(t *testing.T) {
	t.Parallel()
	w := start(t)
	_, err := w.apply(w.rows("known"))
	require.NoError(t, err)
	prepare := w.preparing()
	for n, batch := range []struct {
		ids  []string
		want bool
	}{
		{[]string{"1", "2"}, true}, {[]string{"known", "3"}, false}, {[]string{"3", "4"}, false}, // 3 is unwritten, though known is known
		{[]string{"5"}, true}, {[]string{"4"}, false},
	} {
		rows := w.rows(batch.ids...)
		require.NoError(t, prepare(t.Context(), rows))
		require.Equal(t, batch.want, apart(rows), "batch %d", n+1)
	}
	require.False(t, apart(w.rows("6")), "one that was not prepared")
}

func TestTheFirstWithACustomFieldIsNotApart(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.job.Columns = []string{"external:shop", "custom:shoe_size"}
	w.tx(func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO custom_field (tenant_id, name, title, type, class, version, created_at, changed_at)
			VALUES ('music', 'shoe_size', 'Shoe size', 'integer', 'behaviour', 1, now(), now())`)
		return nil
	})
	rows := func(id string) []imports.Row {
		return []imports.Row{imports.NewRow(1, w.job.Columns, []string{id, "44"})}
	}
	first := rows("1")
	require.NoError(t, w.preparing()(t.Context(), first))
	require.False(t, apart(first), "it locks the field's definition")
	_, err := w.apply(first)
	require.NoError(t, err)
	second := rows("2")
	require.NoError(t, w.preparing()(t.Context(), second))
	require.True(t, apart(second))
}
