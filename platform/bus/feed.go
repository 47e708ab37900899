package bus

import (
	"context"
	"sync"
)

// feed holds messages that were fetched and not handled yet: a little more than one batch, so that fetching and handling
// go on at the same time. What comes in while a batch is handled goes out together in the next.
type feed struct {
	batch int // most messages in one take; when so many wait, no more are fetched

	mu   sync.Mutex
	msgs []Message
	at   int64 // where to fetch next

	filled chan struct{} // capacity 1: there may be something to take
	taken  chan struct{} // capacity 1: there may be room
}

func newFeed(at int64, batch int) *feed {
	return &feed{batch: batch, at: at, filled: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// room waits until there is room; false when ctx ended first.
func (f *feed) room(ctx context.Context) bool {
	for {
		f.mu.Lock()
		free := len(f.msgs) < f.batch
		f.mu.Unlock()
		if ctx.Err() != nil {
			return false
		}
		if free {
			return true
		}
		select {
		case <-ctx.Done():
		case <-f.taken:
		}
	}
}

// next is where to fetch.
func (f *feed) next() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// skip goes on fetching elsewhere.
func (f *feed) skip(to int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = to
}

// put adds what was fetched.
func (f *feed) put(got chunk) {
	f.mu.Lock()
	moved := got.next != f.at
	f.msgs, f.at = append(f.msgs, got.msgs...), got.next
	f.mu.Unlock()
	if moved {
		signal(f.filled)
	}
}

// take waits for messages and gives up to a batch of them, together with the position behind them. There may be no
// messages, when only the position moved. false when ctx ended first: what is still there will be fetched again.
func (f *feed) take(ctx context.Context) (msgs []Message, next int64, ok bool) {
	select {
	case <-ctx.Done():
		return nil, 0, false
	case <-f.filled:
	}
	if ctx.Err() != nil {
		return nil, 0, false
	}
	f.mu.Lock()
	n := min(len(f.msgs), f.batch)
	msgs, f.msgs = f.msgs[:n:n], f.msgs[n:]
	next = f.at
	if len(f.msgs) > 0 {
		next = f.msgs[0].Offset
		signal(f.filled)
	} else {
		f.msgs = nil // let go of the array
	}
	f.mu.Unlock()
	signal(f.taken)
	return msgs, next, true
}
