package flow

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Patiently gives a context for activities that are tried again for hours, on the task queue of a service or, where queue is
// empty, on the workflow's own. One attempt takes at most within.
func Patiently(ctx workflow.Context, queue string, within time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              queue,
		StartToCloseTimeout:    within,
		ScheduleToCloseTimeout: 6 * time.Hour,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
		},
	})
}

// InRounds gives a context for activities that work in rounds of any length that tell by heartbeats that they live. Who dies is
// noticed within 15 s; a round that was cancelled is waited for.
func InRounds(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    5 * time.Minute,
		ScheduleToCloseTimeout: time.Hour,
		HeartbeatTimeout:       15 * time.Second,
		WaitForCancellation:    true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second,
		},
	})
}

// Insist has an activity carried out, with the options of ctx, and decodes its answer into out. Infrastructure that is away for however long is no answer:
// what the activity might have done is not known, so it is asked again, until it answers, refuses for good (see [Refused])
// or ctx is cancelled.
func Insist(ctx workflow.Context, activity string, out any, in ...any) error {
	for {
		err := workflow.ExecuteActivity(ctx, activity, in...).Get(ctx, out)
		if _, final := Refused(err); err == nil || final || temporal.IsCanceledError(err) {
			return err
		}
	}
}

// Refused tells whether an activity was refused for good, and the code of the reason.
func Refused(err error) (code string, final bool) {
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.NonRetryable() {
		return app.Type(), true
	}
	return "", false
}
