//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./rollout/internal/process
// They also record the histories that TestRecordedHistories replays.

package process_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/process"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
)

// live is rollouts whose processes run on a real server.
type live struct {
	*world
	t      *testing.T
	client *flow.Client
}

func openLive(t *testing.T) *live {
	t.Helper()
	return &live{world: open(t, time.Now), t: t, client: flowtest.Live(t)}
}

// work runs a worker until what it gives is called.
func (l *live) work() (stop func()) {
	ctx, cancel := context.WithCancel(l.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := l.client.RunWorker(ctx, "rollout", l.of.Worker); err != nil {
			l.t.Errorf("worker: %v", err)
		}
	})
	return func() { cancel(); done.Wait() }
}

// start describes a process that measures every second.
func start(id uuid.UUID) flow.Start {
	s := process.StartOf("rollout", "pizza", id)
	s.Args = []any{process.Input{ID: id, EverySeconds: 1}}
	return s
}

// decides brings a decision of somebody to the process, and again with the same id, as people are told to, when no worker had taken
// it up in time.
func (l *live) decides(id uuid.UUID, who string, d rollout.Decision) (is rollout.Decided, err error) {
	l.t.Helper()
	if d.ID == uuid.Nil {
		d.ID = uuid.Must(uuid.NewV7())
	}
	ctx := auth.With(l.t.Context(), auth.Principal{Subject: who, Tenant: "pizza", Roles: wang.Roles})
	d.RolloutID, d.Hash, d.By = id, []byte{1}, flow.ActorOf(ctx)
	for range 3 {
		err = l.client.Decide(ctx, flow.Decision{Start: start(id), Name: process.DecideUpdate, ID: d.ID.String(), Args: []any{d}}, &is)
		if code(err) != "workflows_unavailable" {
			break
		}
	}
	return is, err
}

func (l *live) must(id uuid.UUID, who string, d rollout.Decision) rollout.Standing {
	l.t.Helper()
	is, err := l.decides(id, who, d)
	require.NoError(l.t, err)
	return is.Standing
}

func (l *live) reach(id uuid.UUID, what string, holds func(rollout.Rollout) bool) {
	l.t.Helper()
	require.Eventually(l.t, func() bool { return holds(l.kept(id)) }, time.Minute, 50*time.Millisecond, what)
}

// ended waits until the process has ended and records its history.
func (l *live) ended(id uuid.UUID, record string) {
	l.t.Helper()
	require.NoError(l.t, l.client.Temporal().GetWorkflow(l.t.Context(), process.WorkflowID("pizza", id), "").Get(l.t.Context(), nil))
	flowtest.Record(l.t.Context(), l.t, l.client, process.WorkflowID("pizza", id), "testdata/"+record+".history.json")
}

func in(phase int, state rollout.PhaseState) func(rollout.Rollout) bool {
	return func(r rollout.Rollout) bool { return r.Phases[phase].State == state }
}

// TestLiveARolloutWhoseWorkerIsKilledAtEveryStep goes from the start to the end: a gate of two people, one of a number that holds at
// first, a phase that is taken back and gone through again, and the goals.
func TestLiveARolloutWhoseWorkerIsKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	l := openLive(t)
	good := false
	l.numbers[gate.ImportQuality] = func() (gate.Measurement, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if good {
			return share(1)
		}
		return share(0.5)
	}
	p := planned()
	p.Phases[0].Enter[0].FourEyes = true
	p.Team = append(p.Team, plan.Member{Subject: "li", Role: plan.Sponsor})
	id := l.started(p)
	_, err := l.client.Start(l.ctx, start(id))
	require.NoError(t, err)

	stop := l.work()
	l.must(id, "li", approve)
	_, err = l.decides(id, "chen", approve)
	require.Equal(t, "gate_role_missing", code(err), "who is in the team the row knows")
	l.must(id, "zhao", approve)
	l.reach(id, "two people agreed", in(0, rollout.Working))
	stop()
	stop = l.work()
	once := trained
	once.ID = uuid.Must(uuid.NewV7())
	l.must(id, "wang", once)
	l.must(id, "wang", once)
	l.reach(id, "the gate holds", func(r rollout.Rollout) bool { return r.Phases[0].Gates[1].Reason == gate.BelowThreshold })
	stop()
	l.mu.Lock()
	good = true
	l.mu.Unlock()
	stop = l.work()
	l.reach(id, "the gate opens", in(0, rollout.Live))
	require.Equal(t, rollout.RolledBack, l.must(id, "wang", rollout.Decision{Action: rollout.RollBack, Phase: "pilot", Reason: "poor_data"}).Phases[0].State)
	stop()
	stop = l.work()
	l.must(id, "wang", rollout.Decision{Action: rollout.Redo, Phase: "pilot"})
	l.must(id, "li", approve)
	l.must(id, "zhao", approve)
	l.reach(id, "it is worked on again", in(0, rollout.Working))
	l.must(id, "wang", trained)
	l.reach(id, "it is live again", in(0, rollout.Live))
	value, err := l.client.Temporal().QueryWorkflow(t.Context(), process.WorkflowID("pizza", id), "", process.BoardQuery)
	require.NoError(t, err)
	var b process.Board
	require.NoError(t, value.Get(&b))
	require.Equal(t, 2, b.Phases[0].Round)
	stop()
	defer l.work()()
	l.reach(id, "the east is worked on", in(1, rollout.Working))
	l.must(id, "wang", rest)
	l.ended(id, "finished")
	end := l.kept(id)
	require.Equal(t, rollout.Finished, end.State)
	require.True(t, end.Goals[0].Reached)
	_, err = l.decides(id, "wang", cancel)
	require.Equal(t, "rollout_over", code(err), "asked again, the process says so")
}

func TestLiveARolloutIsPausedAndCancelled(t *testing.T) {
	t.Parallel()
	l := openLive(t)
	defer l.work()()
	id := l.started(planned())
	l.must(id, "wang", approve) // starts the process
	l.must(id, "wang", pause)
	_, err := l.decides(id, "wang", trained)
	require.Equal(t, "rollout_paused", code(err))
	p := planned()
	p.Goals = nil
	_, err = l.all.Plan(l.ctx, id, p, "", func(int64) error { return nil })
	require.NoError(t, err)
	l.client.Poke(l.ctx, process.WorkflowID("pizza", id))
	l.must(id, "wang", resume)
	require.NoError(t, l.client.Temporal().TerminateWorkflow(t.Context(), process.WorkflowID("pizza", id), "", "by hand"))
	require.Equal(t, rollout.Cancelled, l.must(id, "wang", cancel).State, "the process goes on where it was ended by hand")
	l.ended(id, "cancelled")
}

// TestLiveWhoIsLateIsReminded has a task that should have been done before its phase began.
func TestLiveWhoIsLateIsReminded(t *testing.T) {
	t.Parallel()
	l := openLive(t)
	defer l.work()()
	p := planned()
	p.Phases[0].Tasks[0].DueDays, p.Phases[0].Tasks[0].DueAt = 0, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	id := l.started(p)
	l.must(id, "wang", approve)
	l.reach(id, "somebody is reminded", func(r rollout.Rollout) bool { return r.Phases[0].Tasks[0].Reminders == 1 })
	l.must(id, "wang", trained)
	l.must(id, "wang", cancel)
	l.ended(id, "late")
	require.False(t, l.kept(id).Phases[0].Tasks[0].Escalated)
}
