package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

const (
	complaintsInFlight = 1000
	// duePerSecond is how many steps fall due in each second, and timesDue how often each of them does.
	duePerSecond = 10
	timesDue     = 2
)

// measureComplaints has many complaints in flight, each led by a workflow of its own: how fast they are registered, begun,
// decided on and withdrawn, each beside the same API without a process, what memory they need, and how late they are
// reminded of what falls due.
func measureComplaints(ctx context.Context, b *bench) (err error) {
	f, err := b.newFlood()
	if err != nil {
		return err
	}
	defer f.temporal.Close()
	for _, measure := range []func(context.Context) error{f.register, f.assess, f.memory, f.remind, f.withdraw} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return b.settle(ctx)
}

// flood is complaints in flight.
type flood struct {
	*bench
	temporal *flow.Client
	ids      []string
	again    atomic.Int64 // answers that said to try again
}

func (b *bench) newFlood() (*flood, error) {
	t, err := flow.NewClient(flow.Config{Address: b.stack.TemporalAddr(), Namespace: stack.Namespace, Key: make([]byte, flow.MinKey)}, quiet())
	if err != nil {
		return nil, err
	}
	return &flood{bench: b, temporal: t, ids: make([]string, length(b, complaintsInFlight, 50))}, nil
}

// register takes the complaints in, and waits until the process of each runs.
func (f *flood) register(ctx context.Context) error {
	_, plain, err := crowd(ctx, f.clients, len(f.ids), func(ctx context.Context, _ int) error {
		return f.api.Post(ctx, "/v1/tickets", map[string]any{
			"kind": "incident", "channel": "bench", "customer_id": uuid.NewString(), "subject": "a ticket", "impact": 2, "urgency": 2,
		}, nil)
	})
	if err != nil {
		return err
	}
	if err := f.settle(ctx); err != nil {
		return err
	}
	began := time.Now()
	_, took, err := crowd(ctx, f.clients, len(f.ids), func(ctx context.Context, i int) error {
		made, err := f.api.RegisterComplaint(ctx, client.NewComplaint{
			CustomerID: uuid.NewString(), Category: "product", Channel: "bench", Description: "The pizza was cold.",
		})
		f.ids[i] = made.ComplaintID
		return err
	})
	if err != nil {
		return err
	}
	if err := f.running(ctx, len(f.ids)); err != nil {
		return err
	}
	n := len(f.ids)
	f.add(row{Name: "POST /v1/complaints", Unit: "/s", Measured: perSecond(n, took)}.against("POST /v1/tickets, no process", perSecond(n, plain)),
		row{Name: fmt.Sprintf("%d complaints registered and the workflow of each running", n), Unit: "/s", Measured: perSecond(n, time.Since(began))})
	return nil
}

// running waits until so many processes run, as Temporal counts them.
func (f *flood) running(ctx context.Context, want int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var got int64
	for {
		answer, err := f.temporal.Temporal().WorkflowService().CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: stack.Namespace, Query: `WorkflowType = "complaint" AND ExecutionStatus = "Running"`,
		})
		if err != nil {
			return err
		}
		if got = answer.GetCount(); got == int64(want) {
			return nil
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil { // Temporal counts ten times a second at most
			return fmt.Errorf("%d complaints' processes run where %d should: %w", got, want, err)
		}
	}
}

// assess decides on all of them, which only a process that runs can answer, beside reading each.
func (f *flood) assess(ctx context.Context) error {
	read, readTook, err := crowd(ctx, f.clients, len(f.ids), func(ctx context.Context, i int) error {
		_, err := f.api.GetComplaint(ctx, f.ids[i])
		return err
	})
	if err != nil {
		return err
	}
	admissible := true
	each, took, err := f.decide(ctx, "assess", client.Decision{Admissible: &admissible, Severity: 3})
	if err != nil {
		return err
	}
	const base = "GET of the same"
	n := len(f.ids)
	name := fmt.Sprintf("a decision on each of the %d complaints", n)
	f.add(row{Name: name, Unit: "/s", Measured: perSecond(n, took)}.against(base, perSecond(n, readTook)),
		row{Name: name + ", p50", Unit: "ms", Measured: millis(percentile(each, 0.5))}.against(base, millis(percentile(read, 0.5))),
		row{Name: name + ", p99", Unit: "ms", Measured: millis(percentile(each, 0.99))}.against(base, millis(percentile(read, 0.99))))
	return nil
}

// decide makes the same decision on all of them.
func (f *flood) decide(ctx context.Context, action string, d client.Decision) (each []time.Duration, took time.Duration, err error) {
	return crowd(ctx, f.clients, len(f.ids), func(ctx context.Context, i int) error { return f.insist(ctx, i, action, d) })
}

// insist makes a decision under one key until it is taken: an answer that says to try again leaves open whether it was.
func (f *flood) insist(ctx context.Context, i int, action string, d client.Decision) error {
	key := uuid.NewString()
	for {
		_, err := f.api.Decide(ctx, f.ids[i], action, d, key)
		if err == nil || !client.Temporary(err) || ctx.Err() != nil {
			return err
		}
		f.again.Add(1)
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// memory tells what the parts hold with all of them in flight.
func (f *flood) memory(context.Context) error {
	for _, part := range []struct {
		name    string
		process *stack.Process
	}{
		{"the all-in-one process", f.process},
		{stack.Temporal, f.stack.Part(stack.Temporal)},
		{stack.Postgres, f.stack.Part(stack.Postgres)},
	} {
		m, err := memory(part.process.Pid())
		if err != nil {
			return err
		}
		f.add(row{Name: fmt.Sprintf("memory of %s with %d complaints in flight", part.name, len(f.ids)), Unit: "MB", Measured: m})
	}
	return nil
}

// remind has steps of some of the complaints fall due, so many a second, again and again, while all are in flight, and
// takes the time from when each was due until it was reminded of.
func (f *flood) remind(ctx context.Context) error {
	within := length(f.bench, 30, 5) // seconds
	n := min(within*duePerSecond, len(f.ids))
	was, err := f.api.GetComplaintPolicy(ctx)
	if err != nil {
		return err
	}
	if err := f.api.ChangeComplaintPolicy(ctx, func(p *client.ComplaintPolicy) { p.StepSeconds = int64(within) }); err != nil {
		return err
	}
	// Steps that begin one after the other fall due one after the other, and each anew as long after its reminder.
	err = openLoop(ctx, duePerSecond, n, func(i int, _ time.Time) error {
		return f.insist(ctx, i, "assign", client.Decision{Unit: "kitchen"})
	})
	if err != nil {
		return err
	}
	late, err := f.lateness(ctx, n, time.Duration(within)*time.Second)
	if err != nil {
		return err
	}
	const name = "reminders, 10 falling due a second: late by, "
	f.add(row{Name: name + "p50", Unit: "ms", Measured: millis(percentile(late, 0.5))},
		row{Name: name + "p99", Unit: "ms", Measured: millis(percentile(late, 0.99))}.atMost(1000))
	return f.api.ChangeComplaintPolicy(ctx, func(p *client.ComplaintPolicy) { *p = was })
}

// lateness waits until each of the first n complaints was reminded of often enough and gives how late each reminder was.
func (f *flood) lateness(ctx context.Context, n int, within time.Duration) (late []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(timesDue+1)*within+time.Minute)
	defer cancel()
	for i := range n {
		var reminders []time.Duration
		for len(reminders) < timesDue {
			c, err := f.api.GetComplaint(ctx, f.ids[i])
			if err != nil {
				return nil, err
			}
			reminders = remindersOf(c, within)
			if len(reminders) < timesDue {
				if err := pause(ctx, 200*time.Millisecond); err != nil {
					return nil, fmt.Errorf("complaint %s was reminded of %d times: %w", c.ComplaintID, len(reminders), err)
				}
			}
		}
		late = append(late, reminders[:timesDue]...)
	}
	return late, nil
}

// remindersOf gives how late each reminder of a complaint was. What it reminds of was due so long after the step before.
func remindersOf(c client.Complaint, within time.Duration) (late []time.Duration) {
	for i, s := range c.Steps {
		if s.Action == "remind" {
			late = append(late, s.At.Sub(c.Steps[i-1].At.Add(within)))
		}
	}
	return late
}

// withdraw brings all of them to their end.
func (f *flood) withdraw(ctx context.Context) error {
	each, took, err := f.decide(ctx, "withdraw", client.Decision{})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("withdrawal of each of the %d complaints", len(f.ids))
	f.add(row{Name: name, Unit: "/s", Measured: perSecond(len(f.ids), took)},
		row{Name: name + ", p99", Unit: "ms", Measured: millis(percentile(each, 0.99))},
		row{Name: "decisions that were told to try again, and were taken then", Unit: "answers", Measured: float64(f.again.Load())})
	open := 0
	if err := f.api.ListComplaints(ctx, "", "", func(c client.Complaint) error {
		if c.Stage != client.Closed {
			open++
		}
		return nil
	}); err != nil {
		return err
	}
	if open > 0 {
		return fmt.Errorf("%d complaints are not closed", open)
	}
	return f.running(ctx, 0)
}
