package pace

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestTickersOfOnePeriodThatBeginTogetherTickApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const loops, period = 30, time.Second
		began := time.Now()
		var tickers []*Ticker
		for range loops {
			tickers = append(tickers, NewTicker(period))
		}
		for round := range 3 {
			var at []time.Duration
			for _, ticker := range tickers {
				at = append(at, (<-ticker.C).Sub(began))
			}
			slices.Sort(at)
			if first, last := time.Duration(round)*period, time.Duration(round+1)*period; at[0] < first || at[loops-1] > last {
				t.Errorf("round %d lasted from %v to %v, want it within %v and %v", round, at[0], at[loops-1], first, last)
			}
			for i := 1; i < loops; i++ {
				if gap := at[i] - at[i-1]; gap < period/(3*loops) {
					t.Errorf("round %d: two of %d tickers tick within %v", round, loops, gap)
				}
			}
		}
		for _, ticker := range tickers {
			ticker.Stop()
		}
	})
}

func TestATickerTicksOnceAPeriodThoughNobodyLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ticker := NewTicker(time.Minute)
		first := <-ticker.C
		time.Sleep(10*time.Minute + time.Second) // ten ticks, of which one is kept
		kept := <-ticker.C
		next := <-ticker.C
		if kept.Sub(first) != time.Minute || next.Sub(first) != 11*time.Minute {
			t.Errorf("after the first tick came one after %v and one after %v, want 1m and 11m", kept.Sub(first), next.Sub(first))
		}
		ticker.Stop()
		select {
		case <-ticker.C:
			t.Error("it ticks although it was stopped")
		case <-time.After(time.Hour):
		}
	})
}

func TestTwoProcessesTickApart(t *testing.T) {
	t.Parallel()
	if one, other := offset(1, 0.1, time.Second), offset(1, 0.6, time.Second); one == other {
		t.Errorf("the first tickers of two processes tick together, after %v", one)
	}
}
