package forecast

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
)

// RegisterRound registers a round that the test makes up.
func RegisterRound(env *testsuite.TestWorkflowEnvironment, round func(Sweep) (Sweep, error)) {
	env.RegisterActivityWithOptions(func(_ context.Context, s Sweep) (Sweep, error) { return round(s) }, activity.RegisterOptions{Name: roundActivity})
}

// Round is the activity.
func Round(f *Forecasts) func(context.Context, Sweep) (Sweep, error) { return f.round }
