package run_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const kind = "test"

// world is runs of a kind of the test's own, at a time that it sets.
type world struct {
	*analyticstest.World
	*analyticstest.Clock
	runs *run.Runs
	t    *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), Clock: analyticstest.NewClock(), t: t}
	w.At(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	w.runs = run.New(w.DB, w.Database.DB(pg.Ops), w.Now)
	return w
}

func (w *world) after(d time.Duration) { w.At(w.Now().Add(d)) }

func (w *world) ask(tenant string) (asked run.Run, err error) {
	err = w.DB.Tx(w.t.Context(), tenant, func(tx *pg.Tx) error {
		asked, err = w.runs.Ask(w.t.Context(), tx, kind, w.Now())
		return err
	})
	return asked, err
}

func (w *world) find(tenant string, id uuid.UUID) (found run.Run) {
	w.t.Helper()
	require.NoError(w.t, w.DB.Read(w.t.Context(), tenant, func(tx *pg.Tx) (err error) {
		found, err = run.Find(w.t.Context(), tx, kind, id)
		return err
	}))
	return found
}

func TestARunIsWorkedOnByOneAtATime(t *testing.T) {
	t.Parallel()
	w := start(t)
	asked, err := w.ask("music")
	require.NoError(t, err)
	_, err = w.ask("music")
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	require.Equal(t, "run_open", p.Code)
	_, err = w.ask("pizza")
	require.NoError(t, err, "another tenant has its own")

	tenants := map[string]int{}
	require.NoError(t, w.runs.Work(t.Context(), kind, func(ctx context.Context, tx *pg.Tx, one run.Run) (bool, error) {
		if tenants[tx.Tenant()]++; tx.Tenant() == "music" && tenants["music"] == 1 {
			// Another process looks for work in the middle of it.
			require.NoError(t, w.runs.Work(ctx, kind, func(context.Context, *pg.Tx, run.Run) (bool, error) {
				if tenants["pizza"] == 0 {
					tenants["pizza"] = 10
					return true, nil
				}
				t.Error("a run is worked on twice")
				return true, nil
			}))
		}
		require.Equal(t, run.Running, one.State)
		return tenants[tx.Tenant()] > 2, nil
	}))
	require.Equal(t, 3, tenants["music"], "until it is done")
	done := w.find("music", asked.ID)
	require.Equal(t, run.Done, done.State)
	require.Equal(t, w.Now(), done.FinishedAt)
	_, err = w.ask("music")
	require.NoError(t, err)
}

func TestARunThatFailsWaitsLongerEachTimeAndIsGivenUp(t *testing.T) {
	t.Parallel()
	w := start(t)
	asked, err := w.ask("music")
	require.NoError(t, err)
	tried := 0
	fail := func(context.Context, *pg.Tx, run.Run) (bool, error) {
		tried++
		return false, problem.New(problem.Unprocessable, "too_few", "Too few.")
	}
	for n, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, time.Hour} {
		require.Error(t, w.runs.Work(t.Context(), kind, fail))
		require.Equal(t, n+1, tried)
		w.after(wait - time.Second)
		require.NoError(t, w.runs.Work(t.Context(), kind, fail))
		require.Equal(t, n+1, tried, "it has to wait for %s", wait)
		w.after(time.Second)
	}
	got := w.find("music", asked.ID)
	require.Equal(t, []any{run.Failed, "too_few"}, []any{got.State, got.Failure})
}

func TestWhatSettlesIsDoneForWhoeverWaits(t *testing.T) {
	t.Parallel()
	w := start(t)
	asked, err := w.ask("music")
	require.NoError(t, err)
	broken := errors.New("broken")
	steps := 0
	step := func(_ context.Context, tx *pg.Tx, one run.Run) (bool, error) {
		if steps++; steps == 1 {
			w.runs.Settle(tx, one)
			return false, nil
		}
		if steps < 4 {
			return false, broken
		}
		return true, nil
	}
	require.ErrorIs(t, w.runs.Work(t.Context(), kind, step), broken)
	settled := w.find("music", asked.ID)
	require.Equal(t, run.Done, settled.State)
	next, err := w.ask("music")
	require.NoError(t, err, "somebody else may ask")
	w.after(time.Minute)
	require.ErrorIs(t, w.runs.Work(t.Context(), kind, step), broken)
	require.Equal(t, run.Done, w.find("music", asked.ID).State)
	w.after(time.Hour)
	require.NoError(t, w.runs.Work(t.Context(), kind, step))
	require.Equal(t, 5, steps, "what is left is gone on with, and then the next run")
	require.Equal(t, run.Done, w.find("music", next.ID).State)
	require.Equal(t, settled.FinishedAt, w.find("music", asked.ID).FinishedAt)
}

func TestThereIsOneDailyRunADay(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.Admin(`INSERT INTO live.fact_as_of (tenant_id, topic, slot, newest_at) VALUES ('music', 'a', 0, now()), ('music', 'b', 0, now()), ('pizza', 'a', 0, now()),
		('bakery', 'a', 0, now())`)
	made := map[string]int{}
	daily := func() {
		t.Helper()
		require.NoError(t, w.runs.EachDay(t.Context(), kind, func(_ context.Context, tx *pg.Tx, of run.Run) (bool, error) {
			made[tx.Tenant()]++
			require.Equal(t, run.Daily, of.Cause)
			return tx.Tenant() != "bakery", nil
		}))
	}
	daily()
	daily()
	require.Equal(t, map[string]int{"music": 1, "pizza": 1, "bakery": 2}, made, "who has nothing to reckon is asked again")
	require.EqualValues(t, 2, w.Count(`SELECT count(*) FROM analytics_run`))
	w.after(15 * time.Hour)
	daily()
	require.Equal(t, map[string]int{"music": 2, "pizza": 2, "bakery": 3}, made)
	require.EqualValues(t, 4, w.Count(`SELECT count(*) FROM analytics_run`))
}
