package rollout_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
)

// place is what a decision is of.
type place struct{ phase, task, gate, risk string }

// places gives where the decisions of an action can be made in a rollout's plan, the codes of which are the same everywhere they stand.
func places(r rollout.Rollout, a rollout.Action) (all []place) {
	switch a {
	case rollout.PauseIt, rollout.Resume, rollout.Cancel:
		return []place{{}}
	case rollout.TriggerRisk, rollout.Mitigate, rollout.CloseRisk:
		for _, k := range r.Risks {
			all = append(all, place{risk: k.Code})
		}
		return all
	default:
	}
	for _, p := range r.Phases {
		switch a {
		case rollout.Complete, rollout.Reopen:
			for _, t := range p.Tasks {
				all = append(all, place{phase: p.Code, task: t.Code})
			}
		case rollout.Approve, rollout.Refuse, rollout.SkipGate:
			for _, g := range p.Gates {
				all = append(all, place{phase: p.Code, gate: g.Code})
			}
		default:
			all = append(all, place{phase: p.Code})
		}
	}
	return all
}

var decisions = []rollout.Action{
	rollout.PauseIt, rollout.Resume, rollout.Cancel, rollout.Complete, rollout.Reopen, rollout.Approve, rollout.Refuse, rollout.SkipGate,
	rollout.RollBack, rollout.Redo, rollout.SkipPhase, rollout.TriggerRisk, rollout.Mitigate, rollout.CloseRisk,
}

// TestWhatIsOfferedIsWhatIsTaken tries every decision there is, at every place of a rollout and by everybody, wherever chance leads it.
func TestWhatIsOfferedIsWhatIsTaken(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := draft()
		now.Plan.Phases[2].Tasks = []plan.Task{{Code: "look-back", Role: plan.KeyUser}, {Code: "anybody"}}
		now.Phases[2].Tasks = []rollout.Task{{Code: "look-back"}, {Code: "anybody"}}
		if rapid.IntRange(0, 9).Draw(t, "begun") > 0 {
			now, _ = now.Begin("ops", noon)
		}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			now = chance(t, now)
		}
		for _, who := range []flow.Actor{
			by("wang", auth.RoleManager), by("zhao", auth.RoleAgent), by("li", auth.RoleManager), by("chen", auth.RoleOperations), by("li", auth.RoleMarketing),
			by("chen", auth.RoleAdmin), by("wang", auth.RoleIntegrator), {},
		} {
			offered := map[chosen]bool{}
			for _, n := range now.Next(who) {
				offered[chosen{n.Decision, place{n.Phase, n.Task, n.Gate, n.Risk}, n.Allowed, n.WhyNot}] = true
			}
			taken := map[chosen]bool{}
			for _, a := range decisions {
				for _, at := range places(now, a) {
					if n, ok := tried(t, now, who, a, at); ok {
						taken[n] = true
					}
				}
			}
			if _, err := now.Begin(who.Subject, noon); err == nil {
				n := chosen{action: rollout.Start, allowed: who.Can(auth.RolloutsManage)}
				if !n.allowed {
					n.whyNot = "permission_missing"
				}
				taken[n] = true
			}
			for n := range taken {
				if !offered[n] {
					t.Fatalf("%v decides %+v, which is not offered: %+v", who, n, offered)
				}
			}
			for n := range offered {
				if n.whyNot != "permission_missing" && !taken[n] {
					t.Fatalf("%v is offered %+v, which is not decided so: %+v", who, n, taken)
				}
			}
		}
	})
}

// chosen is a decision, and whether somebody may make it.
type chosen struct {
	action  rollout.Action
	at      place
	allowed bool
	whyNot  string
}

// tried gives what was to be offered by what becomes of a decision; ok is false where that does not show, as the decision does not fit
// or who decides lacks the permission for it anywhere.
func tried(t *rapid.T, now rollout.Rollout, who flow.Actor, a rollout.Action, at place) (n chosen, ok bool) {
	n = chosen{action: a, at: at}
	_, err := now.Decide(rollout.Decision{Action: a, By: who, Phase: at.phase, Task: at.task, Gate: at.gate, Risk: at.risk, Reason: "why"}, noon)
	var p *problem.Error
	switch {
	case err == nil:
		n.allowed = true
		return n, true
	case !errors.As(err, &p):
		t.Fatal(err)
		return n, false
	default:
		n.whyNot = p.Code
		return n, p.Kind == problem.Forbidden && p.Code != "permission_missing"
	}
}

// chance moves a rollout, or decides about it.
func chance(t *rapid.T, now rollout.Rollout) rollout.Rollout {
	phase := rapid.SampledFrom([]string{"pilot", "rest", "review"}).Draw(t, "phase")
	var is rollout.Rollout
	switch m := (gate.Measurement{Value: rapid.Float64Range(0.6, 1).Draw(t, "value"), Sample: 20, Known: true}); rapid.IntRange(0, 6).Draw(t, "what") {
	case 0, 1:
		is, _ = now.Enter(phase, 1, noon)
	case 2:
		is, _ = now.GoLive(phase, 1, noon)
	case 3:
		is, _ = now.Measure(phase, 1, "data", m, noon)
	case 4:
		is, _ = now.End(nil, noon)
	default:
		is, _ = now.Decide(rollout.Decision{
			Action: rapid.SampledFrom(decisions).Draw(t, "action"), By: by(rapid.SampledFrom([]string{"wang", "zhao", "li"}).Draw(t, "by"), auth.RoleAdmin),
			Phase: phase, Task: rapid.SampledFrom([]string{"train", "look-back", "anybody"}).Draw(t, "task"),
			Gate: rapid.SampledFrom([]string{"means", "data"}).Draw(t, "gate"), Risk: "poor-data", Reason: "why",
		}, noon)
	}
	return is
}

func TestWhoDecidesWhatNext(t *testing.T) {
	t.Parallel()
	w := begin(t)
	next := func(who flow.Actor, a rollout.Action) *rollout.Next {
		for _, n := range w.now.Next(who) {
			if n.Decision == a {
				return &n
			}
		}
		return nil
	}
	wang, chen := by("wang", auth.RoleManager), by("chen", auth.RoleManager)
	require.Equal(t, &rollout.Next{
		Decision: rollout.Approve, Phase: "pilot", Gate: "means", Permission: auth.RolloutsDecide, Roles: []string{plan.Sponsor}, Allowed: true,
	}, next(wang, rollout.Approve))
	require.Equal(t, "gate_role_missing", next(chen, rollout.Approve).WhyNot)
	require.Equal(t, &rollout.Next{
		Decision: rollout.SkipGate, Phase: "pilot", Gate: "means", NeedsReason: true, Permission: auth.RolloutsDecide, Roles: []string{}, Allowed: true,
	}, next(chen, rollout.SkipGate))
	require.Equal(t, "permission_missing", next(chen, rollout.Cancel).WhyNot)
	require.Nil(t, next(wang, rollout.Complete), "the phase is not worked on")
	require.Nil(t, next(wang, rollout.Resume), "it is not paused")

	w.decide(rollout.Decision{Action: rollout.SkipGate, Phase: "pilot", Gate: "means", Reason: "agreed_before", By: wang})
	w.took(w.now.Enter("pilot", 1, noon))
	require.Nil(t, next(wang, rollout.Approve), "a number opens the gate that is left")
	require.Equal(t, "data", next(wang, rollout.SkipGate).Gate)
	require.Equal(t, &rollout.Next{
		Decision: rollout.Complete, Phase: "pilot", Task: "train", Permission: auth.RolloutsWork, Roles: []string{}, Owner: "li", WhyNot: "task_of_another",
	}, next(wang, rollout.Complete))
	require.True(t, next(by("li", auth.RoleAgent), rollout.Complete).Allowed)
	require.True(t, next(by("chen", auth.RoleOperations), rollout.Complete).Allowed, "whoever manages rollouts does every task")
}

func TestADraftIsStartedOrCancelled(t *testing.T) {
	t.Parallel()
	require.Equal(t, []rollout.Next{
		{Decision: rollout.Start, Permission: auth.RolloutsManage, Roles: []string{}, Allowed: true},
		{Decision: rollout.Cancel, NeedsReason: true, Permission: auth.RolloutsManage, Roles: []string{}, Allowed: true},
	}, draft().Next(by("chen", auth.RoleOperations)))
	require.Equal(t, "permission_missing", draft().Next(by("wang", auth.RoleManager))[0].WhyNot)
}

func TestTheBoardOffersWhatIsDecidedNext(t *testing.T) {
	t.Parallel()
	s, admin, path := going(t)
	type one struct {
		Decision, Phase, Gate, Permission string
		Roles                             []string
		WhyNot                            string `json:"why_not"`
		NeedsReason                       bool   `json:"needs_reason"`
		Allowed                           bool
	}
	var board struct{ Next []one }
	s.Want(http.StatusOK, http.MethodGet, path, admin, nil, &board)
	require.Equal(t, one{"approve", "pilot", "means", "rollouts.decide", []string{"sponsor"}, "gate_role_missing", false, false}, board.Next[0])
	require.Contains(t, board.Next, one{"pause", "", "", "rollouts.decide", []string{}, "", true, true})
	s.Want(http.StatusOK, http.MethodGet, path, s.Token(auth.RoleAgent, "pizza"), nil, &board)
	require.Contains(t, board.Next, one{"pause", "", "", "rollouts.decide", []string{}, "permission_missing", true, false})
}
