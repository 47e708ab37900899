//go:build temporal

package rollout_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	service "github.com/guanxi-crm/guanxi/services/rollout"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

// byPeople is a plan that nothing but people's decisions and work carries on.
func byPeople() plan.Plan {
	return plan.Plan{
		Team: []plan.Member{{Subject: "manager@pizza", Role: plan.Sponsor}, {Subject: "manager@pizza", Role: plan.Lead}},
		Phases: []plan.Phase{{
			Code: "pilot", Name: "Pilot", Kind: plan.Pilot, Units: []string{"north"}, Capabilities: []string{"sales"},
			Tasks: []plan.Task{{Code: "train", Title: "Train the north", Role: plan.Lead, DueDays: 3}},
			Enter: []gate.Gate{{Code: "means", Kind: gate.Person}},
		}},
		Risks: []plan.Risk{{Code: "poor-data", Name: "The data are too poor", Likelihood: 3, Impact: 4, Pauses: true}},
	}
}

func TestLiveDecisionsGoThroughTheProcess(t *testing.T) {
	t.Parallel()
	s, _ := apptest.StartLive(t, service.Module())
	admin, manager := s.Token(auth.RoleAdmin, "pizza"), s.Token(auth.RoleManager, "pizza")
	units(s, admin)
	var is shown
	s.Want(http.StatusCreated, http.MethodPost, "/v1/rollouts", admin, body{"name": "North", "plan": byPeople()}, &is)
	path := "/v1/rollouts/" + is.RolloutID
	s.Want(http.StatusOK, http.MethodPost, path+"/start", admin, nil, nil)
	decide := func(status int, b body, key string) apptest.Answer {
		t.Helper()
		return s.Want(status, http.MethodPost, path+"/decisions", manager, b, &is, "Idempotency-Key", key)
	}
	reach := func(state string) {
		t.Helper()
		s.Eventually("the pilot is "+state, func() bool {
			s.Want(http.StatusOK, http.MethodGet, path, admin, nil, &is)
			return is.Phases[0].State == state
		})
	}
	for range 2 { // the same decision is made once
		decide(http.StatusOK, body{"action": "approve", "phase": "pilot", "gate": "means", "note": "The board agrees."}, "approve-1")
	}
	require.Equal(t, []string{"manager@pizza"}, is.Phases[0].Gates[0].Agreed)
	require.NotContains(t, fmt.Sprint(is.Next), "approve", "the answer of a decision offers what is next")
	require.Contains(t, fmt.Sprint(is.Next), "skip_phase")
	require.Equal(t, "idempotency_key_reused", decide(http.StatusUnprocessableEntity, body{"action": "refuse", "phase": "pilot", "gate": "means"}, "approve-1").Code())
	reach("working")
	require.Equal(t, "gate_not_asked", decide(http.StatusConflict, body{"action": "approve", "phase": "pilot", "gate": "means"}, "approve-2").Code())
	decide(http.StatusOK, body{"action": "trigger_risk", "risk": "poor-data", "note": "Half of the rows are wrong."}, "risk-1")
	require.Equal(t, "paused", is.State, "the risk pauses it")
	require.Equal(t, "rollout_paused", decide(http.StatusConflict, body{"action": "complete", "phase": "pilot", "task": "train"}, "train-0").Code())
	decide(http.StatusOK, body{"action": "mitigate_risk", "risk": "poor-data"}, "risk-2")
	decide(http.StatusOK, body{"action": "resume"}, "resume")
	decide(http.StatusOK, body{"action": "complete", "phase": "pilot", "task": "train"}, "train-1")
	s.Eventually("it has finished", func() bool {
		s.Want(http.StatusOK, http.MethodGet, path, admin, nil, &is)
		return is.State == "finished"
	})
	require.Equal(t, "rollout_over", decide(http.StatusConflict, body{"action": "pause", "reason": "holidays"}, "pause").Code())
	var steps struct {
		Items []struct{ Action, Note string }
	}
	s.Want(http.StatusOK, http.MethodGet, path+"/steps", admin, nil, &steps)
	var happened []string
	for _, one := range steps.Items {
		happened = append([]string{one.Action}, happened...)
	}
	require.Equal(t, []string{"create", "start", "approve", "pass_gate", "enter", "trigger_risk", "pause", "mitigate_risk", "resume", "complete", "live", "finish"}, happened, fmt.Sprint(steps))
	require.Equal(t, "The board agrees.", steps.Items[len(steps.Items)-3].Note)
}
