package imports

import (
	"context"
	"errors"
	"sync"
	"time"
)

// mostAbreast is how many batches are written at once.
const mostAbreast = 3

// longestWait bounds how long a batch waits for a lock of somebody else, who may wait for the batch beside, which waits for
// this one. The round is tried again then.
const longestWait = 10 * time.Second

// writing is a batch that is being brought in.
type writing struct {
	batch *batch
	done  chan struct{}
	after stored // how the import stands behind it; once done
	err   error  // once done
}

// abreast writes batches, those that have nothing to do with each other beside each other: most of their work is done at
// once, and each moves the import only when the one before has. With two of them processors still wait for disks now and
// then; more than three hold memory for nothing.
type abreast struct {
	imports  *Imports
	giveBack func(*batch)
	s        stored // behind what is written
	begun    []*writing
	all      sync.WaitGroup
}

// begin begins to write the batch, and waits for those that must be written before.
func (a *abreast) begin(ctx context.Context, b *batch) error {
	wait := len(a.begun) - mostAbreast + 1
	if apart := a.imports.kind.Apart; apart == nil || !apart(b.rows) {
		wait = len(a.begun)
	}
	for range wait {
		if err := a.settle(); err != nil {
			return err
		}
	}
	var before *writing
	if len(a.begun) > 0 {
		before = a.begun[len(a.begun)-1]
	}
	w, s := &writing{batch: b, done: make(chan struct{})}, a.s
	a.begun = append(a.begun, w)
	a.all.Go(func() {
		defer close(w.done)
		w.after, w.err = a.imports.commit(ctx, s, b, before)
	})
	return nil
}

// settle waits for the batch that was begun first.
func (a *abreast) settle() error {
	w := a.begun[0]
	<-w.done
	if w.err != nil {
		return w.err
	}
	a.s, a.begun = w.after, a.begun[1:]
	a.giveBack(w.batch)
	return nil
}

// end waits for all batches, and gives how the import stands then.
func (a *abreast) end() (stored, error) {
	for len(a.begun) > 0 {
		if err := a.settle(); err != nil {
			return stored{}, err
		}
	}
	return a.s, nil
}

// errBefore says that a batch was not written since the one before was not.
var errBefore = errors.New("the batch before was not written")

// follow waits for the batch before, and gives how the import stands behind it.
func (w *writing) follow(ctx context.Context) (stored, error) {
	select {
	case <-w.done:
	case <-ctx.Done():
		return stored{}, ctx.Err()
	}
	if w.err != nil {
		return stored{}, errBefore
	}
	return w.after, nil
}
