package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// panicError is a panic of Apply.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// apply gives the items to the consumer and marks them as applied.
func (e *engine) apply(ctx context.Context, tx *pg.Tx, items []*item) error {
	events := make([]Event, 0, len(items))
	for _, it := range items {
		if it.handled && it.event.Message != nil {
			events = append(events, it.event)
		}
	}
	if len(events) > 0 {
		ctx, end := e.eventSpans(ctx, events)
		err := e.call(ctx, tx, events)
		end(err)
		if err != nil {
			return err
		}
	}
	for _, it := range items {
		it.verdict = applied
	}
	return nil
}

func (e *engine) call(ctx context.Context, tx *pg.Tx, events []Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			panicked := &panicError{v, debug.Stack()}
			err = panicked
			e.log.Error("Apply panicked", "topic", events[0].Topic, "partition", events[0].Partition,
				"offset", events[0].Offset, "panic", fmt.Sprint(v), "stack", string(panicked.stack))
		}
	}()
	return e.consumer.Apply(ctx, tx, events)
}

// applyCarefully applies what can be applied and finds out what cannot. It goes in rounds: in each, a failing set is
// halved until the events at fault stand alone, and what stands behind one of them in its aggregate waits for the next
// round. An event that failed maxTries times is parked, and what waits behind it is queued. The error is infrastructure's.
func (e *engine) applyCarefully(ctx context.Context, tx *pg.Tx, todo []*item) error {
	for round := 1; len(todo) > 0; round++ {
		a := attempt{engine: e, tx: tx, failed: make(map[aggregateKey]bool)}
		if err := a.bisect(ctx, todo); err != nil {
			return err
		}
		todo = e.giveUp(a.left)
		if len(todo) > 0 {
			e.pause(ctx, round)
		}
	}
	return nil
}

// giveUp parks what failed often enough and queues what stands behind it; the others are given back for another try.
func (e *engine) giveUp(left []*item) []*item {
	slices.SortFunc(left, func(a, b *item) int { return cmp.Compare(a.msg.Offset, b.msg.Offset) })
	blocked := make(map[aggregateKey]bool)
	var again []*item
	for _, it := range left {
		switch {
		case e.consumer.Ordered && blocked[it.key()]:
			it.verdict = queued
		case it.tries >= maxTries:
			it.verdict, it.code = parked, codeOf(it.fault)
			blocked[it.key()] = true
		default:
			again = append(again, it)
		}
	}
	return again
}

// attempt is one round of applyCarefully.
type attempt struct {
	*engine
	tx     *pg.Tx
	failed map[aggregateKey]bool
	left   []*item // what failed and, of ordered consumers, what stands behind it
}

func (a *attempt) bisect(ctx context.Context, items []*item) error {
	ready := items[:0:0]
	for _, it := range items {
		if a.consumer.Ordered && a.failed[it.key()] {
			a.left = append(a.left, it)
		} else {
			ready = append(ready, it)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	err := a.tx.Savepoint(ctx, func() error {
		// What a deferred constraint finds must be found here, where it can still be told whose fault it is.
		a.tx.Queue("SET CONSTRAINTS ALL DEFERRED")
		if err := a.apply(ctx, a.tx, ready); err != nil {
			return err
		}
		a.tx.Queue("SET CONSTRAINTS ALL IMMEDIATE")
		return nil
	})
	switch {
	case err == nil:
		return nil
	case a.blameless(ctx, err):
		return err
	}
	for _, it := range ready {
		it.verdict = open
	}
	if len(ready) == 1 {
		it := ready[0]
		it.tries++
		it.fault = err
		a.failed[it.key()] = true
		a.left = append(a.left, it)
		return nil
	}
	half := len(ready) / 2
	if err := a.bisect(ctx, ready[:half]); err != nil {
		return err
	}
	return a.bisect(ctx, ready[half:])
}

// codeOf gives the stable code of a fault.
func codeOf(err error) string {
	var panicked *panicError
	var p *problem.Error
	switch {
	case errors.As(err, &panicked):
		return codePanic
	case errors.As(err, &p):
		return p.Code
	default:
		return codeFailed
	}
}
