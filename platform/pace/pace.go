// Package pace keeps the loops of a process out of step with each other. Loops of one period that begin together, as those
// of a process do when it starts, would ask the database at the same moment for as long as the process lives: whoever
// calls in that moment waits for all of them.
package pace

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Ticker is a time.Ticker whose first tick comes somewhere within the period, and not at its end.
type Ticker struct {
	C <-chan time.Time // has room for one tick; those that nobody takes are dropped

	ticks  chan time.Time
	period time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	due     time.Time
	stopped bool
}

var (
	began   atomic.Int64     // how many tickers there were
	replica = rand.Float64() // apart from the other processes
	golden  = 1 / math.Phi   // its multiples modulo 1 keep as far apart as any number's do: Knuth, TAOCP vol. 3, 6.4, theorem S
)

// NewTicker begins to tick every period, which is more than 0.
func NewTicker(period time.Duration) *Ticker {
	t := &Ticker{ticks: make(chan time.Time, 1), period: period}
	t.C = t.ticks
	first := offset(began.Add(1), replica, period)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due = time.Now().Add(first)
	t.timer = time.AfterFunc(first, t.tick)
	return t
}

// offset is how long the nth ticker of a process waits for its first tick: more than 0, and at most the period.
func offset(n int64, replica float64, period time.Duration) time.Duration {
	_, share := math.Modf(replica + float64(n)*golden)
	return max(1, time.Duration(share*float64(period)))
}

func (t *Ticker) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	now := time.Now()
	select {
	case t.ticks <- now:
	default:
	}
	// By when it was due, not by when it came: otherwise the tickers would drift until they meet.
	if t.due = t.due.Add(t.period); t.due.Before(now) {
		t.due = now.Add(t.period)
	}
	t.timer.Reset(t.due.Sub(now))
}

// Stop ends the ticks. C is not closed.
func (t *Ticker) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
}
