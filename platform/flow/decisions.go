package flow

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// Decisions takes what people decide about a row, D, as Updates of the row's process, and has an activity carry each out on
// the row, where the first of two wins; its answer, A, goes to whoever decided. The zero value of what is not exported is
// ready.
type Decisions[D, A any] struct {
	Update, Activity string        // their names
	About            string        // what is decided about, for operators, such as "the complaint"
	Attempt          time.Duration // how long one attempt of the activity may take
	// Validate tells what cannot be decided. It reads only what the process knows; old says that the row may be changing at this
	// moment, so that only the row can tell.
	Validate func(d D, old bool) error
	// Heard takes over what the activity said.
	Heard func(ctx workflow.Context, answer A) error

	asking int
}

// Listen takes decisions from now on.
func (x *Decisions[D, A]) Listen(ctx workflow.Context) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, x.Update, x.decide, workflow.UpdateHandlerOptions{
		Description: "a person's decision about " + x.About,
		Validator:   func(_ workflow.Context, d D) error { return Err(x.Validate(d, x.asking > 0)) },
	})
}

// decide has a decision carried out, or not, whatever becomes of the process meanwhile.
func (x *Decisions[D, A]) decide(ctx workflow.Context, d D) (answer A, err error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	x.asking++
	err = workflow.ExecuteActivity(Patiently(ctx, "", x.Attempt), x.Activity, d).Get(ctx, &answer)
	x.asking--
	if err != nil {
		return answer, err
	}
	return answer, x.Heard(ctx, answer)
}

// Ask has another activity change or read the row, see [Insist]: whatever becomes of the process meanwhile.
func (x *Decisions[D, A]) Ask(ctx workflow.Context, activity string, out, in any) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	x.asking++
	defer func() { x.asking-- }()
	return Insist(Patiently(ctx, "", x.Attempt), activity, out, in)
}

// Idle tells that no decision is on its way and nothing changes the row.
func (x *Decisions[D, A]) Idle(ctx workflow.Context) bool {
	return workflow.AllHandlersFinished(ctx) && x.asking == 0
}

// Steps does step after step until one says that the process is over, and then waits until whoever decided in the same moment has
// an answer. When the history grows long, and nobody waits for one, it begins anew as the workflow of the name with the input:
// what a step goes by has to be in the row.
func (x *Decisions[D, A]) Steps(ctx workflow.Context, name string, in any, step func(workflow.Context) (over bool, err error)) error {
	for over := false; !over; {
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && x.Idle(ctx) {
			return workflow.NewContinueAsNewError(ctx, name, in)
		}
		var err error
		if over, err = step(ctx); err != nil {
			return err
		}
	}
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	return workflow.Await(disconnected, func() bool { return x.Idle(disconnected) })
}
