// Package turns shares the processors of one process between those who work off what has piled up: consumers with a
// backlog, and imports. Without it they would take the machine, and every connection, from requests and from each other.
package turns

import "context"

// Turns are as many as may work at the same time. A nil *Turns sets no bound.
type Turns struct {
	all  chan struct{}
	kept chan struct{} // those of all that may be kept for long: at least one always goes round
}

// New makes n turns, at least 2.
func New(n int) *Turns {
	n = max(n, 2)
	return &Turns{all: make(chan struct{}, n), kept: make(chan struct{}, n-1)}
}

// Take waits for a turn, for as long as a batch is worked. It fails only when ctx ends. Whoever waited longest is next.
func (t *Turns) Take(ctx context.Context) (done func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case t.all <- struct{}{}:
		return func() { <-t.all }, nil
	}
}

// Keep takes a turn for as long as somebody waits for a result, such as the end of an import: others then have fewer. One
// turn always goes round, so who comes when the others are kept works without.
func (t *Turns) Keep(ctx context.Context) (done func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	select {
	case t.kept <- struct{}{}:
	default:
		return func() {}, nil
	}
	given, err := t.Take(ctx)
	if err != nil {
		<-t.kept
		return nil, err
	}
	return func() { given(); <-t.kept }, nil
}
