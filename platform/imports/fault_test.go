package imports_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// requireOnce tells that every row of the import took effect once.
func (w *world) requireOnce(id uuid.UUID, rows int) {
	w.t.Helper()
	v := w.read(id)
	require.Equal(w.t, "finished", v.State)
	require.Equal(w.t, []int64{int64(rows), int64(rows), 0}, []int64{v.Rows, v.Accepted, v.Rejected})
	require.Equal(w.t, int64(rows), w.count(`SELECT count(*) FROM person`), "none lost")
	require.Zero(w.t, w.count(`SELECT count(*) FROM person WHERE times <> 1`), "none twice")
}

// TestKilledAnywhereNoRowIsLostOrTwice drops the database's sessions under the import, again and again, and makes batches
// fail before and after they were applied, as a killed process would.
func TestKilledAnywhereNoRowIsLostOrTwice(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(*imports.Kind){"one by one": func(*imports.Kind) {}, "abreast": abreast} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killedAnywhere(t, how)
		})
	}
}

func killedAnywhere(t *testing.T, how func(*imports.Kind)) {
	t.Helper()
	const rows = 30_000
	var batches atomic.Int64
	w := newWorld(t, how, func(k *imports.Kind) {
		k.Apply = func(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
			n := batches.Add(1)
			if n%7 == 3 {
				return nil, errors.New("killed before")
			}
			rejected, err := apply(ctx, tx, job, rows)
			if err == nil && n%7 == 5 {
				err = errors.Join(tx.Flush(ctx), errors.New("killed after"))
			}
			return rejected, err
		}
	})
	id := w.upload("?policy=update", file(rows)).ID
	w.work()
	ended := make(chan struct{})
	var drops sync.WaitGroup
	drops.Go(func() {
		r := rand.New(rand.NewPCG(5, 6))
		for {
			select {
			case <-ended:
				return
			case <-time.After(time.Duration(20+r.IntN(150)) * time.Millisecond):
				_, _ = w.database.Terminate(context.Background(), pg.App)
			}
		}
	})
	err := w.frontend.Wait(t.Context(), workflowID("music", id))
	close(ended)
	drops.Wait()
	require.NoError(t, err)
	require.Eventually(t, func() bool { // the pool may still hold sessions that were dropped
		return w.do(http.MethodGet, w.kind.Path+"/"+id.String(), nil, call{}, nil).StatusCode == http.StatusOK
	}, 20*time.Second, 10*time.Millisecond)
	w.requireOnce(id, rows)
}

// TestZombiesAreFenced runs the same import in three workflows at once, as a worker does that was thought dead.
func TestZombiesAreFenced(t *testing.T) {
	t.Parallel()
	const rows = 10_000
	w := newWorld(t, abreast)
	id := w.upload("?policy=update", file(rows)).ID
	var all sync.WaitGroup
	for range 3 {
		env := flowtest.Environment(t, auth.Principal{Subject: "ann", Tenant: "music"}, workflowID("music", id))
		w.imports.Register(env)
		all.Go(func() { env.ExecuteWorkflow("import-people", map[string]any{"kind": "people", "id": id}) })
	}
	all.Wait()
	w.requireOnce(id, rows)
}
