package rollout_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
)

// twoWaves is a rollout of sales in the north, and then of sales and service in all of the east.
func twoWaves(state rollout.State, pilot, rest rollout.PhaseState) rollout.Rollout {
	number := gate.Gate{Code: "data", Kind: gate.Number, Metric: "import_quality", Threshold: 0.95}
	return rollout.Rollout{
		State: state,
		Plan: plan.Plan{Phases: []plan.Phase{
			{Code: "pilot", Units: []string{"north/branch-3", "north"}, Capabilities: []string{"sales"}, Leave: []gate.Gate{number}},
			{Code: "rest", Units: []string{"east"}, Capabilities: []string{"sales", "service"}, After: []string{"pilot"}},
		}},
		Progress: rollout.Progress{
			Phases: []rollout.Phase{
				{Code: "pilot", State: pilot, Round: 1, Gates: []rollout.Gate{{Code: "data", Side: rollout.Leave}}, Tasks: []rollout.Task{{Code: "train"}}},
				{Code: "rest", State: rest, Round: 1},
			},
			Risks: []rollout.Risk{},
		},
	}
}

func TestCapabilitiesAreOpenToTheUnitsOfPhasesThatAreLive(t *testing.T) {
	t.Parallel()
	none := []string{}
	for name, c := range map[string]struct {
		state       rollout.State
		pilot, rest rollout.PhaseState
		want        []rollout.Entitlement
	}{
		"a draft governs nothing":          {rollout.Draft, rollout.Waiting, rollout.Waiting, nil},
		"from its start all is withheld":   {rollout.Running, rollout.Entering, rollout.Waiting, []rollout.Entitlement{{Capability: "sales", Units: none}, {Capability: "service", Units: none}}},
		"a phase that is live opens it":    {rollout.Running, rollout.Live, rollout.Waiting, []rollout.Entitlement{{Capability: "sales", Units: []string{"north"}}, {Capability: "service", Units: none}}},
		"what is live stays so in a pause": {rollout.Paused, rollout.Live, rollout.Working, []rollout.Entitlement{{Capability: "sales", Units: []string{"north"}}, {Capability: "service", Units: none}}},
		"taken back it is withheld again":  {rollout.Running, rollout.RolledBack, rollout.Waiting, []rollout.Entitlement{{Capability: "sales", Units: none}, {Capability: "service", Units: none}}},
		"both waves":                       {rollout.Running, rollout.Live, rollout.Live, []rollout.Entitlement{{Capability: "sales", Units: []string{"east", "north"}}, {Capability: "service", Units: []string{"east"}}}},
		"finished it is open to all":       {rollout.Finished, rollout.Live, rollout.Live, []rollout.Entitlement{{Capability: "sales", Units: none, Everyone: true}, {Capability: "service", Units: none, Everyone: true}}},
		"cancelled it governs nothing":     {rollout.Cancelled, rollout.Live, rollout.Waiting, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := twoWaves(c.state, c.pilot, c.rest).Entitlements()
			require.Equal(t, c.want, got)
			require.True(t, rollout.Same(c.want, got))
			require.False(t, rollout.Same(got, append(got, rollout.Entitlement{Capability: "loyalty"})))
		})
	}
}

func TestWhatARolloutWaitsFor(t *testing.T) {
	t.Parallel()
	measure := rollout.Move{Kind: rollout.MoveMeasure, Phase: "pilot", Round: 1, Gate: "data"}
	for name, c := range map[string]struct {
		r    rollout.Rollout
		want []rollout.Move
	}{
		"to enter a phase without gates to enter": {twoWaves(rollout.Running, rollout.Entering, rollout.Waiting), []rollout.Move{{Kind: rollout.MoveEnter, Phase: "pilot", Round: 1}}},
		"for people's tasks":                      {twoWaves(rollout.Running, rollout.Working, rollout.Waiting), nil},
		"for a number":                            {twoWaves(rollout.Running, rollout.Leaving, rollout.Waiting), []rollout.Move{measure}},
		"for nothing while it is paused":          {twoWaves(rollout.Paused, rollout.Leaving, rollout.Waiting), nil},
		"for the phase before":                    {twoWaves(rollout.Running, rollout.Leaving, rollout.Leaving), []rollout.Move{measure}},
		"to go live":                              {twoWaves(rollout.Running, rollout.Live, rollout.Leaving), []rollout.Move{{Kind: rollout.MoveLive, Phase: "rest", Round: 1}}},
		"for its end":                             {twoWaves(rollout.Running, rollout.Live, rollout.Skipped), []rollout.Move{{Kind: rollout.MoveFinish}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, c.r.Standing().Due())
		})
	}
	passed := twoWaves(rollout.Running, rollout.Leaving, rollout.Waiting)
	passed.PhaseOf("pilot").GateOf("data").PassedAt = time.Now()
	require.Equal(t, []rollout.Move{{Kind: rollout.MoveLive, Phase: "pilot", Round: 1}}, passed.Standing().Due(), "the gate has passed")
	require.Nil(t, passed.PhaseOf("pilot").GateOf("none"))
	require.Nil(t, passed.PhaseOf("none"))
	require.Nil(t, passed.RiskOf("none"))
}

func TestAPhaseIsWorkedWhenAllOfItsTasksAreDone(t *testing.T) {
	t.Parallel()
	r := twoWaves(rollout.Running, rollout.Working, rollout.Waiting)
	require.False(t, r.PhaseOf("pilot").Worked())
	r.PhaseOf("pilot").TaskOf("train").DoneAt = time.Now()
	require.True(t, r.PhaseOf("pilot").Worked())
	require.True(t, r.PhaseOf("rest").Worked(), "there are none")
	require.Nil(t, r.PhaseOf("pilot").TaskOf("none"))
}

func TestWhatIsDecidedWhen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action rollout.Action
		state  rollout.State
		code   string
	}{
		{rollout.PauseIt, rollout.Running, ""}, {rollout.PauseIt, rollout.Draft, "rollout_not_started"}, {rollout.Cancel, rollout.Draft, ""},
		{rollout.Resume, rollout.Paused, ""}, {rollout.Resume, rollout.Running, "rollout_not_paused"}, {rollout.Complete, rollout.Paused, "rollout_paused"},
		{rollout.RollBack, rollout.Paused, ""}, {rollout.Approve, rollout.Finished, "rollout_over"}, {rollout.Cancel, rollout.Cancelled, "rollout_over"},
	} {
		var p *problem.Error
		if err := c.action.Fits(c.state); errors.As(err, &p) {
			require.Equal(t, c.code, p.Code, "%s of a rollout that is %s", c.action, c.state)
		} else {
			require.Empty(t, c.code, "%s of a rollout that is %s", c.action, c.state)
		}
	}
	require.Equal(t, auth.RolloutsWork, rollout.Complete.Right())
	require.Equal(t, auth.RolloutsDecide, rollout.RollBack.Right())
	require.Equal(t, auth.RolloutsManage, rollout.Cancel.Right())
}
