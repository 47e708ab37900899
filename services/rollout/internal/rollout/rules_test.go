package rollout_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	rolloutv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/rollout/events/v1"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
)

var noon = time.Date(2031, 3, 4, 12, 0, 0, 0, time.UTC)

// draft has a pilot in the north with a task, a gate of two people to enter and one of a number to leave, and then the east.
func draft() rollout.Rollout {
	return rollout.Rollout{
		ID: uuid.MustParse("01935b2e-0c1d-7e3a-9a51-3f0a8c5d7e10"), State: rollout.Draft, Version: 1, PlanVersion: 1,
		Plan: plan.Plan{
			Goals: []plan.Goal{{Code: "use", Metric: "active_users", Direction: plan.Up, Target: 0.8}},
			Team:  []plan.Member{{Subject: "wang", Role: plan.Sponsor}, {Subject: "zhao", Role: plan.Sponsor}, {Subject: "li", Role: plan.KeyUser}},
			Phases: []plan.Phase{
				{
					Code: "pilot", Units: []string{"north"}, Capabilities: []string{"sales"}, Tasks: []plan.Task{{Code: "train", Owner: "li", DueDays: 3}},
					Enter: []gate.Gate{{Code: "means", Kind: gate.Person, FourEyes: true}},
					Leave: []gate.Gate{{Code: "data", Kind: gate.Number, Metric: "import_quality", Threshold: 0.95, MinSample: 10}},
				},
				{Code: "rest", Units: []string{"east"}, Capabilities: []string{"sales", "service"}, After: []string{"pilot"}},
				{Code: "review", After: []string{"rest"}},
			},
			Risks: []plan.Risk{{Code: "poor-data", Likelihood: 3, Impact: 4, Pauses: true, Trigger: &plan.Trigger{Metric: "import_quality", Operator: "<=", Threshold: 0.7, MinSample: 10}}},
		},
		Progress: rollout.Progress{
			Phases: []rollout.Phase{
				{
					Code: "pilot", State: rollout.Waiting, Tasks: []rollout.Task{{Code: "train"}},
					Gates: []rollout.Gate{{Code: "means", Side: rollout.Enter}, {Code: "data", Side: rollout.Leave}},
				},
				{Code: "rest", State: rollout.Waiting}, {Code: "review", State: rollout.Waiting},
			},
			Risks: []rollout.Risk{{Code: "poor-data", State: rollout.RiskOpen}},
		},
	}
}

// way leads a rollout on, step by step, and keeps what it told.
type way struct {
	t    *testing.T
	now  rollout.Rollout
	told []proto.Message
}

func begin(t *testing.T) *way {
	t.Helper()
	r, err := draft().Begin("ops", noon)
	require.NoError(t, err)
	w := &way{t: t}
	w.took(r, true)
	return w
}

func (w *way) took(r rollout.Rollout, done bool) {
	w.t.Helper()
	require.True(w.t, done)
	w.now, w.told = r, append(w.told, r.Told...)
}

func by(subject, role string) flow.Actor { return flow.Actor{Subject: subject, Roles: []string{role}} }

func (w *way) decide(d rollout.Decision) {
	w.t.Helper()
	r, err := w.now.Decide(d, noon)
	require.NoError(w.t, err)
	w.took(r, true)
}

// pilot leads the pilot to where it is live.
func (w *way) pilot() {
	w.t.Helper()
	round := w.now.PhaseOf("pilot").Round
	w.decide(rollout.Decision{Action: rollout.Approve, Phase: "pilot", Gate: "means", By: by("wang", auth.RoleManager)})
	w.decide(rollout.Decision{Action: rollout.Approve, Phase: "pilot", Gate: "means", By: by("zhao", auth.RoleManager)})
	w.took(w.now.Enter("pilot", round, noon))
	w.decide(rollout.Decision{Action: rollout.Complete, Phase: "pilot", Task: "train", By: by("li", auth.RoleAgent)})
	w.took(w.now.Measure("pilot", round, "data", gate.Measurement{Value: 0.98, Sample: 100, Known: true}, noon))
	w.took(w.now.GoLive("pilot", round, noon))
}

// names gives the types of what was told since the last time.
func (w *way) names() (names []string) {
	for _, m := range w.told {
		names = append(names, string(m.ProtoReflect().Descriptor().Name()))
	}
	w.told = nil
	return names
}

func TestARolloutGoesFromItsStartToItsEnd(t *testing.T) {
	t.Parallel()
	w := begin(t)
	require.Equal(t, []string{"RolloutStarted", "EntitlementsChanged"}, w.names())
	require.Equal(t, rollout.Entering, w.now.PhaseOf("pilot").State)
	require.Equal(t, rollout.Waiting, w.now.PhaseOf("rest").State)
	if _, done := w.now.Enter("pilot", 1, noon); done {
		t.Error("its gate to enter holds")
	}
	w.decide(rollout.Decision{Action: rollout.Approve, Phase: "pilot", Gate: "means", By: by("wang", auth.RoleManager)})
	require.Equal(t, []string{"GateHeld"}, w.names(), "one more has to agree")
	w.decide(rollout.Decision{Action: rollout.Refuse, Phase: "pilot", Gate: "means", By: by("zhao", auth.RoleManager)})
	require.Equal(t, []string{"GateHeld"}, w.names(), "one refuses")
	w.decide(rollout.Decision{Action: rollout.Approve, Phase: "pilot", Gate: "means", By: by("zhao", auth.RoleManager)})
	require.Equal(t, []string{"GatePassed"}, w.names())
	w.took(w.now.Enter("pilot", 1, noon))
	require.Equal(t, []string{"PhaseEntered"}, w.names())
	require.Equal(t, noon.AddDate(0, 0, 3), w.now.PhaseOf("pilot").TaskOf("train").DueAt)
	if _, done := w.now.Enter("pilot", 1, noon); done {
		t.Error("a phase is entered once")
	}

	poor := gate.Measurement{Value: 0.9, Sample: 100, Known: true}
	w.took(w.now.Measure("pilot", 1, "data", poor, noon))
	require.Equal(t, []string{"GateHeld"}, w.names())
	w.took(w.now.Measure("pilot", 1, "data", gate.Measurement{Value: 0.91, Sample: 100, Known: true}, noon))
	require.Empty(t, w.names(), "it holds for the same reason still")
	require.InDelta(t, 0.91, w.now.PhaseOf("pilot").GateOf("data").Measured, 1e-12)
	w.took(w.now.Measure("pilot", 1, "data", gate.Measurement{Value: 0.95, Sample: 100, Known: true}, noon))
	require.Equal(t, []string{"GatePassed"}, w.names())
	if _, done := w.now.GoLive("pilot", 1, noon); done {
		t.Error("its task is open")
	}
	w.decide(rollout.Decision{Action: rollout.Complete, Phase: "pilot", Task: "train", By: by("li", auth.RoleAgent)})
	require.Equal(t, rollout.Leaving, w.now.PhaseOf("pilot").State)
	w.took(w.now.GoLive("pilot", 1, noon))
	require.Equal(t, []string{"PhaseLive", "EntitlementsChanged"}, w.names())
	require.Equal(t, []string{"north"}, w.now.Open[0].Units)
	if _, done := w.now.GoLive("pilot", 1, noon); done {
		t.Error("it goes live once")
	}

	w.took(w.now.Enter("rest", 1, noon))
	w.took(w.now.GoLive("rest", 1, noon))
	w.took(w.now.Enter("review", 1, noon))
	if _, done := w.now.End(nil, noon); done {
		t.Error("a phase is not over")
	}
	w.took(w.now.GoLive("review", 1, noon))
	require.Equal(t, rollout.Done, w.now.PhaseOf("review").State, "it switches nothing on")
	w.names()
	w.took(w.now.End([]rollout.Measured{{Goal: "use", Value: 0.9, Known: true, Reached: true}}, noon))
	finished := w.told[0].(*rolloutv1.RolloutFinished)
	require.Equal(t, []string{"RolloutFinished", "EntitlementsChanged"}, w.names())
	require.Equal(t, []any{"finished", int32(1), int32(1)}, []any{finished.GetOutcome(), finished.GetGoals(), finished.GetGoalsReached()})
	require.True(t, w.now.Open[0].Everyone)
}

func TestAPhaseThatIsTakenBackIsWithheldAndGoneThroughAnew(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.pilot()
	w.names()
	w.decide(rollout.Decision{Action: rollout.RollBack, Phase: "pilot", Reason: "error_rate", By: by("wang", auth.RoleManager)})
	require.Equal(t, []string{"PhaseRolledBack", "EntitlementsChanged"}, w.names())
	require.Empty(t, w.now.Open[0].Units)
	w.took(w.now.Enter("rest", 1, noon))
	if _, done := w.now.GoLive("rest", 1, noon); done {
		t.Error("it comes after a phase that is not over any more")
	}
	w.decide(rollout.Decision{Action: rollout.Redo, Phase: "pilot", By: by("wang", auth.RoleManager)})
	p := w.now.PhaseOf("pilot")
	require.Equal(t, rollout.Entering, p.State)
	require.Equal(t, 2, p.Round)
	require.True(t, p.GateOf("means").PassedAt.IsZero() && p.TaskOf("train").DoneAt.IsZero(), "nothing of the first round counts")
	if _, done := w.now.Measure("pilot", 1, "data", gate.Measurement{Value: 1, Sample: 100, Known: true}, noon); done {
		t.Error("that was measured for the first round")
	}
	w.pilot()
	w.took(w.now.GoLive("rest", 1, noon))
	require.Equal(t, []string{"east", "north"}, w.now.Open[0].Units)
}

func TestARiskThatComesAboutPausesTheRollout(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.names()
	w.took(w.now.Watch("poor-data", gate.Measurement{Value: 0.5, Sample: 9, Known: true}, noon))
	require.Empty(t, w.names(), "on so few cases it says nothing")
	w.took(w.now.Watch("poor-data", gate.Measurement{Value: 0.71, Sample: 100, Known: true}, noon))
	require.Empty(t, w.names())
	w.took(w.now.Watch("poor-data", gate.Measurement{Value: 0.7, Sample: 100, Known: true}, noon))
	require.Equal(t, []string{"RiskTriggered", "RolloutPaused"}, w.names())
	require.Equal(t, rollout.Paused, w.now.State)
	require.Equal(t, "risk_triggered", w.now.Pause.Reason)
	if _, done := w.now.Watch("poor-data", gate.Measurement{Value: 0.1, Sample: 100, Known: true}, noon); done {
		t.Error("it has come about already")
	}
	if _, done := w.now.Enter("pilot", 1, noon); done {
		t.Error("nothing goes on")
	}
	w.decide(rollout.Decision{Action: rollout.Mitigate, Risk: "poor-data", By: by("li", auth.RoleAgent)})
	w.decide(rollout.Decision{Action: rollout.Resume, By: by("wang", auth.RoleManager)})
	require.Equal(t, []string{"RolloutResumed"}, w.names())
}

func TestWhatCannotBeDecidedSaysWhy(t *testing.T) {
	t.Parallel()
	w := begin(t)
	manager, agent := by("wang", auth.RoleManager), by("li", auth.RoleAgent)
	for name, c := range map[string]struct {
		d    rollout.Decision
		code string
	}{
		"without the right":               {rollout.Decision{Action: rollout.RollBack, Phase: "pilot", Reason: "x", By: agent}, "permission_missing"},
		"what nobody decides":             {rollout.Decision{Action: rollout.Finish, Phase: "pilot", By: by("wang", auth.RoleAdmin)}, "action_unknown"},
		"without a reason":                {rollout.Decision{Action: rollout.PauseIt, By: manager}, "reason_missing"},
		"of a phase that is none":         {rollout.Decision{Action: rollout.SkipPhase, Phase: "none", Reason: "x", By: manager}, "phase_not_found"},
		"of a task that is none":          {rollout.Decision{Action: rollout.Complete, Phase: "pilot", Task: "none", By: agent}, "task_not_found"},
		"of a gate that is none":          {rollout.Decision{Action: rollout.Approve, Phase: "pilot", Gate: "none", By: manager}, "gate_not_found"},
		"of a risk that is none":          {rollout.Decision{Action: rollout.TriggerRisk, Risk: "none", By: manager}, "risk_not_found"},
		"a task before its phase":         {rollout.Decision{Action: rollout.Complete, Phase: "pilot", Task: "train", By: agent}, "phase_not_worked_on"},
		"a gate before its turn":          {rollout.Decision{Action: rollout.SkipGate, Phase: "pilot", Gate: "data", Reason: "x", By: manager}, "gate_not_asked"},
		"a gate without the role":         {rollout.Decision{Action: rollout.Approve, Phase: "pilot", Gate: "means", By: by("chen", auth.RoleManager)}, "gate_role_missing"},
		"a rollback of what is no live":   {rollout.Decision{Action: rollout.RollBack, Phase: "pilot", Reason: "x", By: manager}, "phase_not_live"},
		"a phase that was not taken back": {rollout.Decision{Action: rollout.Redo, Phase: "pilot", By: manager}, "phase_not_rolled_back"},
		"to go on with what goes on":      {rollout.Decision{Action: rollout.Resume, By: manager}, "rollout_not_paused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was, err := json.Marshal(w.now)
			require.NoError(t, err)
			got, err := w.now.Decide(c.d, noon)
			var p *problem.Error
			require.True(t, errors.As(err, &p), "%v", err)
			require.Equal(t, c.code, p.Code)
			is, err := json.Marshal(got)
			require.NoError(t, err)
			require.JSONEq(t, string(was), string(is), "nothing changed")
		})
	}
	_, err := w.now.Begin("ops", noon)
	require.Error(t, err, "it was started")
}

func TestSomebodyElsesTaskAndAPhaseOfNoMoreUse(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.decide(rollout.Decision{Action: rollout.SkipGate, Phase: "pilot", Gate: "means", Reason: "agreed_before", By: by("wang", auth.RoleManager)})
	require.Equal(t, "skipped", w.now.PhaseOf("pilot").GateOf("means").How)
	w.took(w.now.Enter("pilot", 1, noon))
	var p *problem.Error
	_, err := w.now.Decide(rollout.Decision{Action: rollout.Complete, Phase: "pilot", Task: "train", By: by("chen", auth.RoleAgent)}, noon)
	require.True(t, errors.As(err, &p))
	require.Equal(t, "task_of_another", p.Code)
	w.decide(rollout.Decision{Action: rollout.Complete, Phase: "pilot", Task: "train", By: by("chen", auth.RoleOperations)})
	w.decide(rollout.Decision{Action: rollout.Reopen, Phase: "pilot", Task: "train", By: by("li", auth.RoleAgent)})
	require.Equal(t, rollout.Working, w.now.PhaseOf("pilot").State)
	w.decide(rollout.Decision{Action: rollout.SkipPhase, Phase: "pilot", Reason: "no_longer_needed", By: by("wang", auth.RoleManager)})
	require.Equal(t, rollout.Entering, w.now.PhaseOf("rest").State, "what comes after it begins")
	require.Empty(t, w.now.Open[0].Units, "it switched nothing on")
	w.names()
	w.decide(rollout.Decision{Action: rollout.Cancel, Reason: "no_means", By: by("ops", auth.RoleOperations)})
	require.Equal(t, []string{"RolloutFinished", "EntitlementsChanged"}, w.names())
	require.Empty(t, w.now.Open, "nothing is withheld any more")
}

// TestWhateverHappensWhatIsOpenFollowsFromWhatIsLive tries moves and decisions at random.
func TestWhateverHappensWhatIsOpenFollowsFromWhatIsLive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now, err := draft().Begin("ops", noon)
		if err != nil {
			t.Fatal(err)
		}
		open := now.Open
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			was, before := now, now.Version
			phase := rapid.SampledFrom([]string{"pilot", "rest", "review"}).Draw(t, "phase")
			round := rapid.IntRange(1, 2).Draw(t, "round")
			m := gate.Measurement{Value: rapid.Float64Range(0.6, 1).Draw(t, "value"), Sample: rapid.IntRange(0, 20).Draw(t, "sample"), Known: true}
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				now, _ = now.Enter(phase, round, noon)
			case 1:
				now, _ = now.GoLive(phase, round, noon)
			case 2:
				now, _ = now.Measure(phase, round, "data", m, noon)
			case 3:
				now, _ = now.Watch("poor-data", m, noon)
			case 4:
				now, _ = now.End(nil, noon)
			default:
				now, _ = now.Decide(rollout.Decision{
					Action: rapid.SampledFrom([]rollout.Action{
						rollout.PauseIt, rollout.Resume, rollout.Complete, rollout.Reopen, rollout.Approve, rollout.Refuse, rollout.SkipGate, rollout.RollBack,
						rollout.Redo, rollout.SkipPhase, rollout.TriggerRisk, rollout.Mitigate,
					}).Draw(t, "action"),
					By:    by(rapid.SampledFrom([]string{"wang", "zhao"}).Draw(t, "by"), auth.RoleAdmin),
					Phase: phase, Task: "train", Gate: rapid.SampledFrom([]string{"means", "data"}).Draw(t, "gate"), Risk: "poor-data", Reason: "why",
				}, noon)
			}
			if now.Version != before && now.Version != before+1 {
				t.Fatalf("version %d after %d", now.Version, before)
			}
			if now.Version == before {
				continue
			}
			if was.Version != before {
				t.Fatal("what it was before has changed")
			}
			for _, told := range now.Told {
				if e, ok := told.(*rolloutv1.EntitlementsChanged); ok {
					if rollout.Same(open, now.Open) {
						t.Fatal("the same is told twice")
					}
					open = now.Open
					if len(e.GetEntitlements()) != len(open) {
						t.Fatalf("told %v, open is %v", e, open)
					}
				}
			}
			if !rollout.Same(open, now.Entitlements()) {
				t.Fatalf("what was told last is %v, what follows from the phases %v", open, now.Entitlements())
			}
		}
	})
}
