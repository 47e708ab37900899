package run_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// process makes runs of another process, with the same clock.
func (w *world) process() *run.Runs { return run.New(w.DB, w.Database.DB(pg.Ops), w.Now) }

// daily asks for runs of the day, in this order.
func (w *world) daily(tenant string, kinds ...string) {
	w.t.Helper()
	for _, kind := range kinds {
		require.NoError(w.t, w.DB.Tx(w.t.Context(), tenant, func(tx *pg.Tx) error {
			_, ok, err := w.runs.Daily(w.t.Context(), tx, kind, run.Today(w.Now))
			require.True(w.t, ok)
			return err
		}))
	}
}

// work has a process do what waits of kinds, each once, and gives the kinds of the steps that were done. A run takes two steps.
func (w *world) work(of *run.Runs, kinds ...string) (steps []string) {
	w.t.Helper()
	for _, kind := range kinds {
		n := 0
		require.NoError(w.t, of.Work(w.t.Context(), kind, func(_ context.Context, tx *pg.Tx, one run.Run) (bool, error) {
			require.Equal(w.t, kind, one.Kind)
			steps = append(steps, tx.Tenant()+" "+kind)
			n++
			return n%2 == 0, nil
		}))
	}
	return steps
}

func TestRunsOfATenantTakeTurnsInTheOrderInWhichTheyWereAskedFor(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.daily("music", "rfm", "grade", "tags")
	w.daily("pizza", "tags")
	other := w.process()
	require.Equal(t, []string{"pizza tags", "pizza tags"}, w.work(other, "tags", "grade"), "it is not their turn at music, whoever looks first")
	require.NoError(t, w.runs.Work(t.Context(), "rfm", func(_ context.Context, _ *pg.Tx, _ run.Run) (bool, error) {
		require.Empty(t, w.work(other, "tags", "grade", "rfm"), "another process finds one at work")
		return true, nil
	}))
	require.Equal(t, []string{"music grade", "music grade", "music tags", "music tags"}, w.work(other, "rfm", "grade", "tags"))
}

func TestAKilledRunKeepsItsTurnAndOneThatFailsLosesIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.daily("music", "rfm", "grade")
	killed, kill := context.WithCancel(t.Context())
	require.ErrorIs(t, w.runs.Work(killed, "rfm", func(context.Context, *pg.Tx, run.Run) (bool, error) {
		kill()
		return false, killed.Err()
	}), context.Canceled)
	other := w.process()
	require.Empty(t, w.work(other, "grade", "rfm"), "nobody knows that it was killed")
	w.after(2 * time.Minute)
	require.Empty(t, w.work(other, "grade"), "it is gone on with first")
	broken := errors.New("broken")
	require.ErrorIs(t, other.Work(t.Context(), "rfm", func(context.Context, *pg.Tx, run.Run) (bool, error) { return false, broken }), broken)
	require.Equal(t, []string{"music grade", "music grade"}, w.work(other, "rfm", "grade"), "while it waits to be tried again others go on")
	w.after(time.Hour)
	require.Equal(t, []string{"music rfm", "music rfm"}, w.work(other, "rfm", "grade"))
}

func TestWhatSomebodyAskedForGoesBeforeTheRunsOfTheDay(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.daily("music", "rfm", "grade")
	steps := 0
	require.NoError(t, w.runs.Work(t.Context(), "rfm", func(context.Context, *pg.Tx, run.Run) (bool, error) {
		steps++
		_, err := w.ask("music")
		require.NoError(t, err)
		return false, nil
	}))
	require.Equal(t, 1, steps, "it makes way after its step")
	require.Empty(t, w.work(w.runs, "grade", "rfm"))
	require.Equal(t, []string{"music test", "music test", "music rfm", "music rfm", "music grade", "music grade"}, w.work(w.process(), "test", "rfm", "grade"))
}

func TestTwoProcessesNeverWorkForATenantAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	kinds := []string{"a", "b", "c"}
	w.daily("music", kinds...)
	var at, steps, done atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		process := w.process()
		for _, kind := range kinds {
			all.Go(func() {
				for n := 0; done.Load() < 3; n++ {
					ctx, cancel := context.WithCancel(t.Context())
					_ = process.Work(ctx, kind, func(context.Context, *pg.Tx, run.Run) (bool, error) {
						if at.Add(1) != 1 {
							t.Error("two steps are done at once")
						}
						defer at.Add(-1)
						switch s := steps.Add(1); {
						case s%4 == 1: // killed in the middle of it
							cancel()
							return false, ctx.Err()
						case s%4 == 2: // it takes longer than its lease
							w.after(3 * time.Minute)
							time.Sleep(5 * time.Millisecond)
						case s > 40:
							done.Add(1)
							return true, nil
						}
						return false, nil
					})
					cancel()
					w.after(time.Second)
				}
			})
		}
	}
	all.Wait()
	require.EqualValues(t, 3, w.Count(`SELECT count(*) FROM analytics_run WHERE state = 'done'`))
}

func TestNewsGoBeforeTheNextStepAndMassesDoNot(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.daily("music", "rfm")
	const due = `SELECT count(*) FROM portrait_due WHERE tenant_id = 'music' AND lane = 0`
	heard := func(lane int) {
		w.Admin(`INSERT INTO portrait_due (tenant_id, lane, customer_id) VALUES ('music', $1, $2), ('pizza', 0, $2)`, lane, uuid.Must(uuid.NewV7()))
	}
	heard(1)
	steps := 0
	var pass sync.WaitGroup
	require.NoError(t, w.runs.Work(t.Context(), "rfm", func(context.Context, *pg.Tx, run.Run) (bool, error) {
		if steps++; steps == 2 {
			require.Zero(t, w.Count(due), "the step did not wait for what was due before it")
			return true, nil
		}
		heard(0)
		pass.Go(func() {
			time.Sleep(100 * time.Millisecond)
			w.Admin(`DELETE FROM portrait_due WHERE tenant_id = 'music' AND lane = 0`)
		})
		return false, nil
	}))
	pass.Wait()
	require.Equal(t, 2, steps, "it did not wait for a mass, or for another tenant")
	require.EqualValues(t, 1, w.Count(`SELECT count(*) FROM portrait_due WHERE lane = 1`))

	heard(0)
	w.daily("music", "grade")
	require.Len(t, w.work(w.runs, "grade"), 2, "where nobody makes portraits the run comes to its end all the same")
}

func TestWhoeverLostItsLeaseDoesNoMoreSteps(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.daily("music", "rfm")
	stepped := make(chan struct{})
	var slow sync.WaitGroup
	steps := 0
	slow.Go(func() {
		err := w.runs.Work(t.Context(), "rfm", func(_ context.Context, tx *pg.Tx, _ run.Run) (bool, error) {
			if steps++; steps == 1 {
				// News that nobody takes keep the process from its next step for a while.
				tx.Queue(`INSERT INTO portrait_due (tenant_id, lane, customer_id) VALUES ($1, 0, gen_random_uuid())`, tx.Tenant())
				tx.OnCommit(func() { close(stepped) })
			}
			return false, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-stepped
	w.after(3 * time.Minute)
	require.NoError(t, w.process().Work(t.Context(), "rfm", func(context.Context, *pg.Tx, run.Run) (bool, error) { return true, nil }))
	slow.Wait()
	require.Equal(t, 1, steps)
}
