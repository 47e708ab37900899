package flow_test

import (
	"fmt"
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

func TestAProcessWaitsForAPokeOrForSomethingElse(t *testing.T) {
	t.Parallel()
	env := flowtest.Environment(t, auth.Principal{Subject: "x", Tenant: "pizza"}, "waiting/2")
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	env.SetStartTime(noon)
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context) (ends []string, err error) {
		pokes, decided := flow.ListenForPokes(ctx), false
		workflow.Go(ctx, func(ctx workflow.Context) {
			workflow.GetSignalChannel(ctx, "decide").Receive(ctx, nil)
			decided = true
		})
		for range 3 {
			poked, err := pokes.WaitOr(ctx, time.Hour, func() bool { return decided })
			if err != nil {
				return nil, err
			}
			ends = append(ends, fmt.Sprint(workflow.Now(ctx).Sub(noon), " poked: ", poked, ", decided: ", decided))
			decided = false
		}
		return ends, nil
	}, workflow.RegisterOptions{Name: "waiting"})
	env.RegisterDelayedCallback(func() { env.SignalWorkflow("decide", nil) }, 10*time.Minute)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow("poke", nil) }, 20*time.Minute)
	env.ExecuteWorkflow("waiting")
	var ends []string
	require.NoError(t, env.GetWorkflowResult(&ends))
	require.Equal(t, []string{"10m0s poked: false, decided: true", "20m0s poked: true, decided: false", "1h20m0s poked: false, decided: false"}, ends)
}
