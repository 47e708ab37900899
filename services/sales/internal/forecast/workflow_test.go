package forecast_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/forecast"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/history/*.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(forecast.Weeks, workflow.RegisterOptions{Name: forecast.WorkflowName})
	})
}

func TestTheSweepOfWeeksGoesOnInAnotherRunWhenItIsLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rounds int64
		anew   bool
	}{{2, false}, {1000, true}} {
		env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
		env.RegisterWorkflowWithOptions(forecast.Weeks, workflow.RegisterOptions{Name: forecast.WorkflowName})
		forecast.RegisterRound(env, func(s forecast.Sweep) (forecast.Sweep, error) {
			s.Tenants++
			s.Done = s.Tenants == c.rounds
			return s, nil
		})
		env.ExecuteWorkflow(forecast.WorkflowName, forecast.Sweep{})
		require.Equal(t, c.anew, workflow.IsContinueAsNewError(env.GetWorkflowError()), "%v", env.GetWorkflowError())
	}
}

func TestARoundGoesOnFromWhereAKilledOneWas(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	o := officeOf(t, w, "music", "2026-11-23")
	o.opens(deal{stage: "new", amount: 1})
	officeOf(t, w, "pizza", "2026-11-23").opens(deal{stage: "new", amount: 1})
	env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	env.RegisterActivity(forecast.Round(o.forecasts))
	env.SetHeartbeatDetails(forecast.Sweep{After: "music", Tenants: 7})
	got, err := env.ExecuteActivity(forecast.Round(o.forecasts), forecast.Sweep{})
	require.NoError(t, err)
	var s forecast.Sweep
	require.NoError(t, got.Get(&s))
	require.Equal(t, forecast.Sweep{After: "pizza", Tenants: 8, Taken: 1, Done: true}, s)
}
