//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./imports
// They also record the histories that TestRecordedHistories replays.

package imports_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// live gives the world's imports on a real server and starts what was uploaded there.
func (w *world) live(c *flow.Client) *imports.Imports {
	w.t.Helper()
	later := time.Now().Add(time.Minute)
	w.now.Store(&later)
	i := imports.New(w.db, outbox.New("people"), c, "people", w.kind, w.clock)
	require.NoError(w.t, i.Sweep(w.t.Context()))
	return i
}

func work(c *flow.Client, i *imports.Imports) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = c.RunWorker(ctx, "people", i.Register) })
	return func() { cancel(); done.Wait() }
}

func (w *world) requireDetails(c *flow.Client, id uuid.UUID, want string) {
	w.t.Helper()
	p, err := c.Temporal().QueryWorkflow(w.t.Context(), workflowID("music", id), "", imports.ProgressQuery)
	require.NoError(w.t, err)
	var progress imports.Progress
	require.NoError(w.t, p.Get(&progress))
	require.Equal(w.t, want, string(progress.State))

	// What Temporal's own page shows beside the workflow.
	p, err = c.Temporal().QueryWorkflow(w.t.Context(), workflowID("music", id), "", "__temporal_workflow_metadata")
	require.NoError(w.t, err)
	var page sdkpb.WorkflowMetadata
	require.NoError(w.t, p.Get(&page))
	require.Contains(w.t, page.GetCurrentDetails(), want)
	require.Contains(w.t, page.GetCurrentDetails(), "rows")
}

func TestLiveWorkersComeAndGo(t *testing.T) {
	t.Parallel()
	const rows = 50_000
	var batches atomic.Int64
	w := newWorld(t, func(k *imports.Kind) {
		k.Apply = func(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
			batches.Add(1)
			return apply(ctx, tx, job, rows)
		}
	})
	id := w.upload("?policy=update", file(rows)).ID
	c := flowtest.Live(t)
	i := w.live(c)
	for before := int64(0); before < 30; before = batches.Load() {
		stop := work(c, i)
		require.Eventually(t, func() bool { return batches.Load() >= before+10 }, time.Minute, time.Millisecond)
		stop()
	}
	defer work(c, i)()
	require.NoError(t, c.Temporal().GetWorkflow(t.Context(), workflowID("music", id), "").Get(t.Context(), nil))
	w.requireOnce(id, rows)
	w.requireDetails(c, id, "finished")
	flowtest.Record(t.Context(), t, c, workflowID("music", id), "testdata/finished.json")
}

func TestLiveCancelledFromTemporal(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 1)
	w := newWorld(t, func(k *imports.Kind) {
		k.Apply = func(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
			select {
			case started <- struct{}{}:
			default:
			}
			time.Sleep(50 * time.Millisecond)
			return apply(ctx, tx, job, rows)
		}
	})
	id := w.upload("", file(100_000)).ID
	c := flowtest.Live(t)
	defer work(c, w.live(c))()
	<-started
	require.NoError(t, c.Temporal().CancelWorkflow(t.Context(), workflowID("music", id), ""))
	require.NoError(t, c.Temporal().GetWorkflow(t.Context(), workflowID("music", id), "").Get(t.Context(), nil))
	v := w.read(id)
	require.Equal(t, "cancelled", v.State)
	require.Equal(t, w.count(`SELECT count(*) FROM person`), v.Rows)
	flowtest.Record(t.Context(), t, c, workflowID("music", id), "testdata/cancelled.json")
}

func TestLiveTerminatedWorkflowIsStartedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.upload("", file(10)).ID
	c := flowtest.Live(t)
	i := w.live(c)
	require.NoError(t, c.Temporal().TerminateWorkflow(t.Context(), workflowID("music", id), "", "by hand"))
	later := w.now.Load().Add(time.Hour)
	w.now.Store(&later)
	require.NoError(t, i.Sweep(t.Context()))
	defer work(c, i)()
	require.NoError(t, c.Temporal().GetWorkflow(t.Context(), workflowID("music", id), "").Get(t.Context(), nil))
	w.requireOnce(id, 10)
	d, err := c.Temporal().DescribeWorkflowExecution(t.Context(), workflowID("music", id), "")
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, d.WorkflowExecutionInfo.Status)
}
