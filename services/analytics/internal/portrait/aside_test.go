package portrait_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// TestACustomerWhoFailsHoldsUpNobody has a part that follows portraits fail for one customer of many, until it is mended.
func TestACustomerWhoFailsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	bad, broken := analyticstest.ID(), true
	clock := analyticstest.NewClock()
	follow := func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, _ time.Time) ([]outbox.Event, error) {
		if broken && slices.Contains(customers, bad) {
			_, err := tx.ExecNow(ctx, `SELECT 1 / 0`) // also what the database refuses
			return nil, err
		}
		return nil, nil
	}
	w := start(t)
	p := portrait.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), clock.Now, follow)
	heard := func() {
		w.Admin(`INSERT INTO portrait_due (tenant_id, lane, customer_id) SELECT 'music', 0, gen_random_uuid() FROM generate_series(1, 9)`)
		w.Admin(`INSERT INTO portrait_due (tenant_id, lane, customer_id) VALUES ('music', 0, $1), ('pizza', 0, $1)`, bad)
	}
	waiting := func(due, aside int64) {
		t.Helper()
		all, err := p.Waiting(t.Context())
		if err != nil || all[0].Count != due || all[1].Count != aside {
			t.Errorf("%+v are waiting, want %d and %d: %v", all, due, aside, err)
		}
	}
	heard()
	waiting(11, 0)
	if _, err := p.Pass(t.Context()); err == nil || problem.KindOf(err) == problem.Conflict {
		t.Errorf("nobody is told: %v", err)
	}
	waiting(0, 2)
	if n := w.count(`SELECT count(*) FROM portrait WHERE tenant_id = 'music'`); n != 9 {
		t.Errorf("%d portraits, want all but one", n)
	}
	heard()
	if err := p.Background(t.Context()); err != nil {
		t.Errorf("it is told of again: %v", err)
	}
	if n := w.count(`SELECT count(*) FROM portrait WHERE tenant_id = 'music'`); n != 18 {
		t.Errorf("%d portraits, want those heard of later, too", n)
	}
	clock.At(clock.Now().Add(time.Minute))
	if err := p.Background(t.Context()); err != nil {
		t.Error(err)
	}
	if n := w.count(`SELECT min(attempts) FROM portrait_aside WHERE failure = 'sqlstate_22012'`); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
	broken = false
	clock.At(clock.Now().Add(time.Minute))
	if n, err := p.Pass(t.Context()); err != nil || n != 0 {
		t.Errorf("it was tried again too early: %d, %v", n, err)
	}
	clock.At(clock.Now().Add(time.Minute))
	if err := p.Background(t.Context()); err != nil {
		t.Error(err)
	}
	waiting(0, 0)
	if n := w.count(`SELECT count(*) FROM portrait WHERE customer_id = $1`, bad); n != 2 {
		t.Errorf("%d portraits of who failed, want one of each tenant", n)
	}
}
