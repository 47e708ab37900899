package flow

import (
	"context"
	"errors"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// wireProblem is a problem in the details of an application error. The cause stays behind: histories carry no personal
// data, and a driver's words may repeat a value.
type wireProblem struct {
	Kind   problem.Kind    `json:"kind"`
	Fields []problem.Field `json:"fields,omitempty"`
}

// Err turns an error of an activity or of an Update's validator into Temporal's: the error's type is the problem's code,
// its message the detail. It is not retried where the fault is the caller's own; our own faults and infrastructure are.
// Errors that are Temporal's already, and nil, pass through. Activities need not call it: the worker does.
func Err(err error) error {
	var app *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	if err == nil || errors.As(err, &app) || errors.As(err, &cancelled) {
		return err
	}
	p := problem.From(err)
	return temporal.NewApplicationErrorWithOptions(p.Detail, p.Code, temporal.ApplicationErrorOptions{
		NonRetryable: problem.CallersFault(p),
		Details:      []any{wireProblem{Kind: p.Kind, Fields: p.Fields}},
	})
}

// problemFrom is the way back: it gives the problem that Err packed, or names what went wrong between us and Temporal.
func problemFrom(err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		var w wireProblem
		if app.HasDetails() && app.Details(&w) == nil && w.Kind != "" {
			p := problem.New(w.Kind, app.Type(), "%s", app.Message())
			p.Fields = w.Fields
			return p.Because(err)
		}
		return problem.From(err)
	}
	if away(err) {
		return problem.New(problem.Unavailable, "workflows_unavailable",
			"The process engine does not answer at the moment. Try again.").Because(err)
	}
	return err
}

// away tells whether Temporal could not be reached, is overloaded or not set up yet: try again.
func away(err error) bool {
	var (
		unavailable *serviceerror.Unavailable
		deadline    *serviceerror.DeadlineExceeded
		canceled    *serviceerror.Canceled
		exhausted   *serviceerror.ResourceExhausted
		namespace   *serviceerror.NamespaceNotFound
		update      *client.WorkflowUpdateServiceTimeoutOrCanceledError
	)
	return errors.As(err, &unavailable) || errors.As(err, &deadline) || errors.As(err, &canceled) ||
		errors.As(err, &exhausted) || errors.As(err, &namespace) || errors.As(err, &update) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
