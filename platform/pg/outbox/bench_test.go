package outbox_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// BenchmarkDrain empties a backlog of 100,000 events of 20,000 aggregates.
func BenchmarkDrain(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := setup(b)
		ids := make([]uuid.UUID, 20_000)
		for i := range ids {
			ids[i] = uuid.New()
		}
		events := make([]outbox.Event, 1000)
		begin := time.Now()
		for n := range 100 {
			for i := range events {
				events[i] = event(ids[(n*1000+i)%len(ids)], "order of the day with some words so that it has a usual length")
			}
			s.append(events...)
		}
		b.ReportMetric(100_000/time.Since(begin).Seconds(), "appended/s")
		b.StartTimer()
		begin = time.Now()
		s.relay(outbox.RelayConfig{})
		s.empty()
		b.ReportMetric(100_000/time.Since(begin).Seconds(), "drained/s")
	}
}

// BenchmarkDelay measures from the commit to the acknowledgement at 500 events a second.
func BenchmarkDelay(b *testing.B) {
	for b.Loop() {
		s := setup(b)
		var mu sync.Mutex
		acknowledged := 0
		got := make(chan struct{}, 10_000)
		s.relay(outbox.RelayConfig{Acknowledged: func(events []uuid.UUID) {
			mu.Lock()
			defer mu.Unlock()
			acknowledged += len(events)
			for range events {
				got <- struct{}{}
			}
		}})
		s.append(event(uuid.New(), "warm"))
		<-got
		var delays []time.Duration
		tick := time.NewTicker(2 * time.Millisecond)
		for range 2000 { // one at a time: 500 a second as long as each takes less than 2 ms
			<-tick.C
			if err := s.appendAs(context.Background(), tenant, event(uuid.New(), "x")); err != nil {
				b.Fatal(err)
			}
			committed := time.Now()
			<-got
			delays = append(delays, time.Since(committed))
		}
		tick.Stop()
		slices.Sort(delays)
		b.ReportMetric(float64(delays[len(delays)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(delays[len(delays)*99/100].Microseconds())/1000, "p99-ms")
	}
}

// BenchmarkCommand is a command that only appends one event, with a key: what the platform adds to a command's own SQL.
func BenchmarkCommand(b *testing.B) {
	s := setup(b)
	b.ResetTimer()
	for b.Loop() {
		id := uuid.New()
		ctx := pg.WithOnce(context.Background(), pg.Once{Subject: "u", Operation: "o", Key: id.String()})
		_, err := s.app.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
			return pg.Result{ID: id, Status: 201}, s.outbox.Append(ctx, tx, event(id, "x"))
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
