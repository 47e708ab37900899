package flow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
)

func TestAProcessThatWaitsIsPoked(t *testing.T) {
	t.Parallel()
	env := flowtest.Environment(t, auth.Principal{Subject: "x", Tenant: "pizza"}, "waiting/1")
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	env.SetStartTime(noon)
	type wait struct {
		Poked bool
		After time.Duration
	}
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context) (waits []wait, err error) {
		pokes := flow.ListenForPokes(ctx)
		for range 4 {
			poked, err := pokes.Wait(ctx, time.Hour)
			if err != nil {
				return nil, err
			}
			waits = append(waits, wait{poked, workflow.Now(ctx).Sub(noon)})
			if len(waits) == 1 {
				if err := workflow.Sleep(ctx, 20*time.Minute); err != nil { // a poke that comes meanwhile is not lost
					return nil, err
				}
			}
		}
		return waits, nil
	}, workflow.RegisterOptions{Name: "waiting"})
	for _, after := range []time.Duration{10 * time.Minute, 15 * time.Minute, 16 * time.Minute, 50 * time.Minute} {
		env.RegisterDelayedCallback(func() { env.SignalWorkflow("poke", nil) }, after)
	}
	env.ExecuteWorkflow("waiting")
	var waits []wait
	require.NoError(t, env.GetWorkflowResult(&waits))
	require.Equal(t, []wait{{true, 10 * time.Minute}, {true, 30 * time.Minute}, {true, 50 * time.Minute}, {false, 110 * time.Minute}}, waits)
}
