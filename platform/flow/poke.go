package flow

import (
	"context"
	"time"

	"go.temporal.io/sdk/workflow"
)

// pokeSignal is the name of the signal by which a process is told to look at its row again. It carries nothing.
const pokeSignal = "poke"

// pokePatience is how long somebody who has an answer already waits for a process to be told.
const pokePatience = time.Second

// Poke tells the process of the id that its row was changed by somebody else. It is a courtesy, which lets the process end or wait
// anew at once: one that cannot be told, since it has not begun, has ended, or Temporal is away, finds the change when it looks
// next. So there is no error.
func (c *Client) Poke(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, pokePatience)
	defer cancel()
	if err := c.temporal.SignalWorkflow(ctx, id, "", pokeSignal, nil); err != nil {
		c.log.DebugContext(ctx, "a process was not poked", "workflow", id, "error", err)
	}
}

// Poked counts the pokes that a workflow was given, from the moment on in which it is called.
type Poked struct{ n int }

// ListenForPokes counts the pokes of a workflow.
func ListenForPokes(ctx workflow.Context) *Poked {
	p := &Poked{}
	workflow.GoNamed(ctx, "pokes", func(ctx workflow.Context) {
		for pokes := workflow.GetSignalChannel(ctx, pokeSignal); ; p.n++ {
			if more := pokes.Receive(ctx, nil); !more {
				return
			}
		}
	})
	return p
}

// Wait waits until the workflow is poked, which may have been since the last call, or for so long; poked tells which it was. It
// fails when ctx is cancelled.
func (p *Poked) Wait(ctx workflow.Context, within time.Duration) (poked bool, err error) {
	return p.WaitOr(ctx, within, func() bool { return false })
}

// WaitOr is Wait that also ends once something else holds, which a decision of people may bring about.
func (p *Poked) WaitOr(ctx workflow.Context, within time.Duration, holds func() bool) (poked bool, err error) {
	_, err = workflow.AwaitWithTimeout(ctx, max(0, within), func() bool { return p.n > 0 || holds() })
	poked = p.n > 0
	p.n = 0
	return poked, err
}
