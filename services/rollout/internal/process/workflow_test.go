package process_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/process"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
)

const hour = time.Hour

func TestAGateHoldsUntilItsNumberIsGood(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	c.numbers[gate.ImportQuality] = func() (gate.Measurement, error) {
		if c.Now().Before(now.Add(2*hour + 50*time.Minute)) {
			return share(0.5)
		}
		return share(0.97)
	}
	c.at(hour, approve)
	c.at(2*hour+time.Minute, trained)
	c.board(2*hour+2*time.Minute, func(b process.Board) {
		require.Equal(t, rollout.Running, b.State)
		require.Equal(t, rollout.Leaving, b.Phases[0].State)
		require.Equal(t, gate.BelowThreshold, b.Phases[0].Gates[1].Reason, "it was measured at once")
		require.Equal(t, []rollout.Move{{Kind: rollout.MoveMeasure, Phase: "pilot", Round: 1, Gate: "data"}}, b.Due)
		require.Equal(t, now.Add(2*hour+16*time.Minute), b.MeasuresAt.UTC(), "and is measured again a quarter of an hour later")
		require.Empty(t, b.Failed)
	})
	c.at(4*hour, rest)
	end := c.run()
	require.Equal(t, []string{"approve: true", "complete: true", "complete: true"}, c.answers)
	require.Equal(t, rollout.Finished, end.State)
	require.Equal(t, []string{"pilot live 1", "rest live 1"}, phases(end))
	require.Equal(t, now.Add(3*hour+time.Minute), end.Phases[0].Gates[1].PassedAt, "the first round after it was good")
	require.Equal(t, end.Phases[0].Gates[1].PassedAt, end.Phases[0].LiveAt)
	require.Equal(t, []rollout.Measured{{Goal: "use", Value: 1, Known: true, Reached: true}}, end.Goals)
	last := c.asked[len(c.asked)-1]
	require.Equal(t, process.Question{Metric: gate.ActiveUsers, Units: []string{"east", "north"}, Headcount: 35}, last, "of the units and those below")
}

func TestWhoIsLateIsRemindedTwiceAndThenTheLeadsAreTold(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	stands := func(after time.Duration, reminders int, escalated bool) {
		c.board(after, func(b process.Board) {
			require.Equal(t, []any{reminders, escalated}, []any{b.Phases[0].Tasks[0].Reminders, b.Phases[0].Tasks[0].Escalated}, after)
		})
	}
	const day = 24 * hour
	c.at(hour, approve) // the task is due three days later
	stands(3*day+hour-time.Minute, 0, false)
	stands(3*day+hour+time.Minute, 1, false)
	stands(5*day+hour+time.Minute, 2, false)
	c.at(6*day, pause)
	stands(20*day, 2, false)
	c.at(20*day+hour, resume)
	stands(20*day+hour+time.Minute, 2, true)
	c.at(30*day, trained)
	c.at(40*day, rest) // has no time by which it is to be done
	end := c.run()
	require.Equal(t, rollout.Finished, end.State)
	said := map[rollout.Action][]time.Time{}
	steps, err := c.all.History(c.ctx, c.id, 1_000_000, 1000)
	require.NoError(t, err)
	for _, s := range steps {
		if s.Action == rollout.Remind || s.Action == rollout.Escalate {
			require.Equal(t, rollout.StepDetail{Phase: "pilot", Round: 1, Task: "train"}, s.Detail)
			said[s.Action] = append(said[s.Action], s.At)
		}
	}
	require.Equal(t, map[rollout.Action][]time.Time{
		rollout.Remind:   {now.Add(5*day + hour), now.Add(3*day + hour)},
		rollout.Escalate: {now.Add(20*day + hour)},
	}, said)
}

func TestADecisionIsTakenWhileNumbersAreMeasured(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	var times []time.Time
	c.numbers[gate.ImportQuality] = func() (gate.Measurement, error) {
		if times = append(times, c.Now().UTC()); len(times) == 1 {
			taken := make(chan struct{})
			c.decide(pause, func() { close(taken) })
			<-taken
		}
		return share(1)
	}
	c.at(hour, approve)
	c.at(2*hour, trained)
	c.at(5*hour+time.Minute, resume)
	c.at(6*hour, rest)
	end := c.run()
	require.Equal(t, []string{"approve: true", "complete: true", "pause: true", "resume: true", "complete: true"}, c.answers)
	require.Equal(t, []time.Time{now.Add(2 * hour), now.Add(5*hour + time.Minute)}, times, "not while it is paused, and at once afterwards")
	require.Equal(t, times[1], end.Phases[0].Gates[1].PassedAt, "what was measured before the pause opens nothing in it")
}

func TestAPausedRolloutIsWatchedOnly(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	c.numbers[gate.ImportQuality] = func() (gate.Measurement, error) { return share(0.5) }
	c.at(hour, approve)
	c.at(hour+time.Minute, trained)
	var before map[string]int
	c.at(2*hour, pause)
	c.RegisterDelayedCallback(func() { before = c.metrics() }, 2*hour+time.Minute)
	c.RegisterDelayedCallback(func() {
		now := c.metrics()
		require.Equal(t, before[gate.ImportQuality], now[gate.ImportQuality])
		require.Equal(t, before[gate.SLAAttainment]+4, now[gate.SLAAttainment], "four times in an hour")
	}, 3*hour+time.Minute)
	c.at(3*hour+2*time.Minute, approve, cancel)
	end := c.run()
	require.Equal(t, rollout.Cancelled, end.State)
	require.Equal(t, "refused approve: rollout_paused", c.answers[3])
}

func TestARiskThatHasComeAboutPausesTheRollout(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	c.numbers[gate.SLAAttainment] = func() (gate.Measurement, error) {
		switch since := c.Now().Sub(now); {
		case since < hour:
			return share(0.9)
		case since < 2*hour:
			return gate.Measurement{Known: true}, nil // of nothing
		default:
			return share(0.4)
		}
	}
	var known []rollout.State
	look := func(b process.Board) { known = append(known, b.State) }
	c.board(hour+50*time.Minute, look)
	c.board(2*hour+time.Minute, look)
	var measured int
	c.RegisterDelayedCallback(func() { measured = c.metrics()[gate.SLAAttainment] }, 2*hour+time.Minute)
	c.at(4*hour, resume, cancel)
	end := c.run()
	require.Equal(t, []rollout.State{rollout.Running, rollout.Paused}, known)
	require.Equal(t, rollout.RiskTriggered, end.Risks[0].State)
	require.Equal(t, measured, c.metrics()[gate.SLAAttainment], "what has come about is not measured any more")
}

func TestAPhaseIsTakenBackAndGoneThroughAgain(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	c.at(hour, approve)
	c.at(2*hour, trained)
	c.at(3*hour, rollout.Decision{Action: rollout.RollBack, Phase: "pilot", Reason: "poor_data"})
	c.at(4*hour, rest) // which does not go live before the pilot is
	c.board(5*hour, func(b process.Board) {
		require.Equal(t, rollout.RolledBack, b.Phases[0].State)
		require.Equal(t, rollout.Leaving, b.Phases[1].State)
		require.Empty(t, b.Due)
	})
	c.at(6*hour, rollout.Decision{Action: rollout.Redo, Phase: "pilot"})
	c.at(7*hour, approve)
	c.at(8*hour, trained)
	end := c.run()
	require.Equal(t, []string{"pilot live 2", "rest live 1"}, phases(end))
	require.Equal(t, now.Add(8*hour), end.EndedAt)
	require.NotContains(t, c.answers, "refused")
	require.Len(t, c.answers, 7)
}

func TestWhatFailsIsMeasuredAgainInTheNextRound(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	c.numbers[gate.ImportQuality] = func() (gate.Measurement, error) {
		if c.Now().Before(now.Add(2*hour + time.Minute)) {
			return gate.Measurement{}, problem.New(problem.Forbidden, "permission_missing", "This needs the permission ops.read.")
		}
		return share(1)
	}
	c.at(hour, approve)
	c.at(2*hour, trained)
	c.board(2*hour+2*time.Minute, func(b process.Board) {
		require.Equal(t, []process.Failure{{Phase: "pilot", Gate: "data", Code: "permission_missing"}}, b.Failed)
		require.Equal(t, rollout.Leaving, b.Phases[0].State)
	})
	c.board(2*hour+20*time.Minute, func(b process.Board) {
		require.Empty(t, b.Failed)
		require.Equal(t, rollout.Live, b.Phases[0].State)
	})
	c.at(3*hour, cancel)
	require.Equal(t, now.Add(2*hour+15*time.Minute), c.run().Phases[0].LiveAt)
}

func TestGoalsThatAreNotKnownDelayTheEndButDoNotPreventIt(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]func() (gate.Measurement, error){
		"nobody can say": func() (gate.Measurement, error) { return gate.Measurement{}, nil },
		"of nothing":     func() (gate.Measurement, error) { return gate.Measurement{Known: true}, nil },
		"it fails":       func() (gate.Measurement, error) { return gate.Measurement{}, errors.New("not understood") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begun(t, planned())
			c.numbers[gate.ActiveUsers] = says
			c.at(hour, rollout.Decision{Action: rollout.SkipPhase, Phase: "pilot", Reason: "done_before"})
			c.at(2*hour, rest)
			end := c.run()
			require.Equal(t, []rollout.Measured{{Goal: "use"}}, end.Goals)
			require.Equal(t, now.Add(2*hour+30*time.Minute), end.EndedAt, "after three rounds")
		})
	}
}

func TestAPlanThatWasChangedIsTakenUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		poke  bool
		after time.Duration
	}{"when the process is told": {true, 0}, "or when it looks": {false, 10 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := begun(t, planned())
			of.RegisterDelayedCallback(func() {
				p := planned()
				p.Phases[0].Enter = nil
				_, err := of.all.Plan(of.ctx, of.id, p, "", func(int64) error { return nil })
				require.NoError(t, err)
				if c.poke {
					of.SignalWorkflow("poke", nil)
				}
			}, hour+5*time.Minute)
			of.at(2*hour, cancel)
			require.Equal(t, now.Add(hour+5*time.Minute+c.after), of.run().Phases[0].EnteredAt)
		})
	}
}

// TestANumberDoesNotOpenAGateThatAsksForAnotherByNow changes the plan while a number is measured.
func TestANumberDoesNotOpenAGateThatAsksForAnotherByNow(t *testing.T) {
	t.Parallel()
	p := planned()
	p.Phases[0].Enter = []gate.Gate{{Code: "ready", Kind: gate.Number, Metric: gate.ConsumerLag, Threshold: 100}}
	c := begun(t, p)
	c.numbers[gate.ConsumerLag] = func() (gate.Measurement, error) {
		q := planned()
		q.Phases[0].Enter = []gate.Gate{{Code: "ready", Kind: gate.Number, Metric: gate.ActiveUsers, Threshold: 0.9}}
		_, err := c.all.Plan(c.ctx, c.id, q, "", func(int64) error { return nil })
		return gate.Measurement{Value: 17, Sample: 1, Known: true}, err
	}
	c.numbers[gate.ActiveUsers] = func() (gate.Measurement, error) { return share(0.5) }
	c.at(hour, cancel)
	end := c.run()
	require.Equal(t, gate.BelowThreshold, end.Phases[0].Gates[0].Reason)
	require.InDelta(t, 0.5, end.Phases[0].Gates[0].Measured, 0)
}

func TestWhatDoesNotFitIsRefusedByTheProcess(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	c.at(time.Minute, approve)
	c.at(hour+5*time.Minute, resume, rollout.Decision{Action: rollout.Approve, Phase: "pilot", Gate: "luck"}, rollout.Decision{Action: rollout.Complete, Phase: "pilot", Task: "luck"},
		rollout.Decision{Action: rollout.SkipPhase, Phase: "luck", Reason: "x"}, rollout.Decision{Action: rollout.SkipPhase, Phase: "rest"},
		rollout.Decision{Action: rollout.RollBack, Phase: "pilot", Reason: "x"}, rest, rollout.Decision{Action: rollout.CloseRisk, Risk: "luck"})
	c.at(2*hour, cancel)
	require.Equal(t, rollout.Cancelled, c.run().State)
	require.Equal(t, []string{
		"approve: true", "refused resume: rollout_not_paused", "refused approve: gate_not_found", "refused complete: task_not_found", "refused skip_phase: phase_not_found",
		"refused skip_phase: reason_missing", "refused roll_back: phase_not_live", "refused complete: phase_not_worked_on", "refused close_risk: risk_not_found",
		"cancel: true",
	}, c.answers)
}

// TestTheProcessRefusesWhatTheRowWould holds the process to the rollout's own rule, but for who is who in the team.
func TestTheProcessRefusesWhatTheRowWould(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	codes := map[string]bool{}
	check := func() {
		r := c.kept(c.id)
		for _, action := range []rollout.Action{
			rollout.PauseIt, rollout.Resume, rollout.Cancel, rollout.Complete, rollout.Reopen, rollout.Approve, rollout.Refuse, rollout.SkipGate,
			rollout.RollBack, rollout.Redo, rollout.SkipPhase, rollout.TriggerRisk, rollout.Mitigate, rollout.CloseRisk,
		} {
			for _, phase := range []string{"pilot", "rest", "none"} {
				for _, of := range []string{"means", "data", "train", "poor-service", "none"} {
					d := rollout.Decision{Action: action, Phase: phase, Gate: of, Task: of, Risk: of, Reason: "x"}
					d.By.Subject, d.By.Roles = wang.Subject, wang.Roles
					_, err := r.Decide(d, now)
					require.Equal(t, code(err), code(process.Fits(r.Standing(), d, now)), "%+v", d)
					codes[code(err)] = true
				}
			}
		}
	}
	for after, d := range map[time.Duration]rollout.Decision{
		1 * hour: approve, 2 * hour: trained, 3 * hour: pause, 4 * hour: resume, 5 * hour: {Action: rollout.RollBack, Phase: "pilot", Reason: "x"},
		6 * hour: {Action: rollout.CloseRisk, Risk: "poor-service"}, 7 * hour: cancel,
	} {
		c.at(after, d)
		c.RegisterDelayedCallback(check, after-time.Minute)
	}
	c.run()
	check()
	require.Greater(t, len(codes), 15, "%v", codes)
	team := rollout.Decision{Action: rollout.Approve, Phase: "pilot", Gate: "means"}
	team.By.Subject, team.By.Roles = "li", []string{auth.RoleManager}
	s := rollout.Standing{State: rollout.Running, Phases: []rollout.StandingPhase{{Phase: rollout.Phase{
		Code: "pilot", State: rollout.Entering, Gates: []rollout.Gate{{Code: "means", Side: rollout.Enter}},
	}, Asks: planned().Phases[0].Enter}}}
	require.NoError(t, process.Fits(s, team, now), "who is in the team the row knows")
}

func TestALongHistoryBeginsAnewAndForgetsNothing(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	once := approve
	once.ID = uuid.Must(uuid.NewV7())
	c.at(hour, once)
	c.RegisterDelayedCallback(func() { c.SetContinueAsNewSuggested(true) }, 2*hour)
	c.ExecuteWorkflow(process.WorkflowName, process.Input{ID: c.id, EverySeconds: 60})
	var anew *workflow.ContinueAsNewError
	require.ErrorAs(t, c.GetWorkflowError(), &anew)
	var in process.Input
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(anew.Input, &in))
	require.Equal(t, process.Input{ID: c.id, EverySeconds: 60, Decided: []uuid.UUID{once.ID}}, in)

	was := c.kept(c.id)
	c.enact()
	c.at(hour+20*time.Second, once) // which stands
	c.at(hour+40*time.Second, approve)
	c.at(2*hour, cancel)
	c.ExecuteWorkflow(process.WorkflowName, in)
	require.NoError(t, c.GetWorkflowError())
	require.Equal(t, []string{"approve: true", "approve: true", "refused approve: gate_not_asked", "cancel: true"}, c.answers)
	require.Equal(t, was.Phases[0].EnteredAt, c.kept(c.id).Phases[0].EnteredAt)
}

func TestAProcessLeadsItsOwnTenantsRolloutsOnly(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	env := flowtest.Environment(t, auth.Principal{Subject: "wang", Tenant: "music", Roles: wang.Roles}, process.WorkflowID("music", c.id))
	c.of.Worker(env)
	env.ExecuteWorkflow(process.WorkflowName, process.Input{ID: c.id})
	require.Equal(t, "rollout_not_found", code(env.GetWorkflowError()))
}

func TestADraftIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := begun(t, planned())
	made, err := c.all.Make(c.ctx, rollout.Outline{Name: "Later", Plan: func() plan.Plan { p := planned(); p.Phases[0].Enter = nil; return p }()})
	require.NoError(t, err)
	c.id = made.ID
	c.TestWorkflowEnvironment = nil
	c.enact()
	c.at(hour+5*time.Minute, trained)
	c.at(2*hour, cancel)
	end := c.run()
	require.Equal(t, []string{"refused complete: rollout_not_started", "cancel: true"}, c.answers)
	require.Equal(t, made.Phases, end.Phases)
	require.Empty(t, c.asked)
}

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(process.Lead, workflow.RegisterOptions{Name: process.WorkflowName})
	})
}
