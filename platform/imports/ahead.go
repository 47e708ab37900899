package imports

import (
	"context"
	"errors"
	"fmt"
)

// batchesAhead is how many batches exist at once: three are written, one is ready, and one is read.
const batchesAhead = 5

// Unwritten is how many batches before it may be unwritten while one is prepared.
const Unwritten = batchesAhead - 1

// preparing is what a kind's Prepare gives; nil where there is none.
type preparing func(ctx context.Context, rows []Row) error

// ahead reads and prepares the next batches while one is written: the program's work and the database's then go on side by
// side.
type ahead struct {
	stop context.CancelFunc
	full chan *batch // in the order of the file
	free chan *batch
	done chan struct{}
}

// readAhead begins to read batches until the end of the file, or until there are rows data rows of them.
func readAhead(ctx context.Context, r *reader, prepare preparing, rows int64) *ahead {
	ctx, stop := context.WithCancel(ctx)
	a := &ahead{stop: stop, full: make(chan *batch, batchesAhead), free: make(chan *batch, batchesAhead), done: make(chan struct{})}
	for range batchesAhead {
		a.free <- new(batch)
	}
	go func() {
		defer close(a.done)
		for until := r.number + rows; ; {
			select {
			case <-ctx.Done():
				return
			case b := <-a.free:
				if b.err = read(ctx, r, b, prepare); b.err == nil {
					b.last = b.ended || r.number >= until
				}
				a.full <- b // there is room for all
				if b.err != nil || b.last {
					return
				}
			}
		}
	}()
	return a
}

// read fills the batch. What panics is a fault of this file's rows, and not of the process.
func read(ctx context.Context, r *reader, b *batch, prepare preparing) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading a batch: %v", p)
		}
	}()
	if err := r.read(b); err != nil || prepare == nil {
		return err
	}
	return prepare(ctx, b.rows)
}

// next gives the next batch. It is given back when it is no longer needed.
func (a *ahead) next(ctx context.Context) (*batch, error) {
	select {
	case b := <-a.full:
		return b, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-a.done:
	}
	select { // the last one may have come meanwhile
	case b := <-a.full:
		return b, b.err
	default:
		return nil, errors.New("no batch is left to be read")
	}
}

func (a *ahead) giveBack(b *batch) { a.free <- b }

// close ends the reading and waits for that.
func (a *ahead) close() {
	a.stop()
	<-a.done
}
