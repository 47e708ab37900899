package imports_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// erase erases values for a tenant and gives how many rows lost their content.
func (w *world) erase(tenant string, values ...string) (n int64) {
	w.t.Helper()
	require.NoError(w.t, w.db.Tx(w.t.Context(), tenant, func(tx *pg.Tx) (err error) {
		n, err = imports.Erase(w.t.Context(), tx, values)
		return err
	}))
	return n
}

func TestErasedValuesAreInNoRejectedRowHoweverTheFileWroteThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work()
	csv := "ref,name,age\n" +
		"a,李雷,soon\n" + // 2
		"b,Ann,'138 0013-8000\n" + // 3: without the country code, in groups
		"c,Ann,ANN@Example.com\n" + // 4
		"d,\"Renée  O'Hara\",x\n" + // 5: another number of blanks
		"e,Bob,x\n" + // 6: nobody who is erased
		"f,１３８００１３８０００,x\n" // 7: full width
	v := w.ended(w.upload("", csv).ID)
	require.Equal(t, int64(6), v.Rejected)
	jsonl := w.ended(w.upload("?format=jsonl", `{"ref":"a","name":"\u674e\u96f7","age":"x"}`+"\n").ID)
	require.Equal(t, int64(1), jsonl.Rejected)
	other := w.as(t, "pizza")
	other.ended(other.upload("", csv).ID)

	require.Equal(t, int64(6), w.erase("music", "李雷", "+8613800138000", "ann@example.com", "Renée O'Hara", "", " "))
	require.Zero(t, w.erase("music", "李雷", "+8613800138000", "ann@example.com", "Renée O'Hara"), "once")
	require.Equal(t, int64(1), w.count(`SELECT count(*) FROM import_rejection WHERE tenant_id = 'music' AND raw IS NOT NULL`), "Bob's")
	require.Equal(t, int64(7), w.count(`SELECT count(*) FROM import_rejection WHERE tenant_id = 'music'`), "where and why stays")
	require.Equal(t, int64(6), w.count(`SELECT count(*) FROM import_rejection WHERE tenant_id = 'pizza' AND raw IS NOT NULL`), "another tenant's")
	require.Equal(t, []string{"2::value_invalid"}, w.rejections(v.ID, 10)[:1])
}

func TestPendingCountsFilesThatAreStillKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pending := func(before time.Time) (n int64) {
		require.NoError(t, w.db.Tx(t.Context(), "music", func(tx *pg.Tx) (err error) {
			n, err = imports.Pending(t.Context(), tx, before)
			return err
		}))
		return n
	}
	id := w.upload("?"+url.Values{"mapping": {"ref=ref,name=name"}}.Encode(), file(10)).ID
	require.Equal(t, int64(1), pending(time.Now().Add(time.Minute)))
	require.Zero(t, pending(time.Now().Add(-time.Minute)), "one that came later does not matter")
	w.work()
	w.ended(id)
	require.Zero(t, pending(time.Now().Add(time.Minute)))
	require.Zero(t, w.count(`SELECT count(*) FROM import_chunk`))
}
