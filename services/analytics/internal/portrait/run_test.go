package portrait_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// many gives the tenant customers with one order each, of whom no event tells.
func (w world) many(n int) {
	w.t.Helper()
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at)
		SELECT 'music', gen_random_uuid(), gen_random_uuid(), 'shop', 'USD', 1, 10, now() FROM generate_series(1, $1::int)`, n)
}

// ask asks for a run that makes all portraits anew.
func (w world) ask() (run string) {
	w.t.Helper()
	var asked struct {
		RunID string `json:"run_id"`
		ID    string
	}
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/portraits/rebuilds", w.Marketing, nil, &asked)
	return asked.RunID + asked.ID
}

func (w world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.Database.DB(pg.Ops).System(w.t.Context(), func(tx *pg.Tx) error { return tx.QueryRow(w.t.Context(), sql, args...).Scan(&n) }); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestNewsDoNotWaitForMasses has a customer do something while all portraits are made anew, and while very many others wait.
func TestNewsDoNotWaitForMasses(t *testing.T) {
	t.Parallel()
	var batches [][]uuid.UUID
	var between func()
	w := start(t, func(_ context.Context, _ *pg.Tx, customers []uuid.UUID, _ time.Time) ([]outbox.Event, error) {
		batches = append(batches, slices.Clone(customers))
		if between != nil {
			between()
		}
		return nil, nil
	})
	w.many(7000)
	w.ask()
	// It is the last of all ids, so that the run itself would come to it at the end.
	news := uuid.MustParse("ffffffff-ffff-7fff-bfff-ffffffffffff")
	between = func() {
		if len(batches) == 1 {
			w.Admin(`INSERT INTO portrait_due (tenant_id, lane, customer_id) VALUES ('music', 1, gen_random_uuid()), ('music', 0, $1)`, news)
		}
	}
	if err := w.portraits.Rebuilds(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(batches) < 4 || !slices.Contains(batches[1], news) {
		t.Errorf("of %d steps, the second does not have the news", len(batches))
	}
	if n := w.count(`SELECT count(*) FROM portrait_due`); n != 1 {
		t.Errorf("%d are left for passes, want the one of the mass", n)
	}

	batches, between = nil, nil
	w.Admin(`INSERT INTO portrait_due (tenant_id, lane, customer_id) SELECT tenant_id, 1, customer_id FROM portrait`)
	w.Admin(`INSERT INTO portrait_due (tenant_id, lane, customer_id) VALUES ('music', 0, $1)`, news)
	if n, err := w.portraits.Pass(t.Context()); err != nil || n > 300 || !slices.Contains(batches[0], news) {
		t.Errorf("the first pass took %d, not the news: %v", n, err)
	}
}

// TestARunGoesOnInAnotherProcess has the process that works on a run die after its second step.
func TestARunGoesOnInAnotherProcess(t *testing.T) {
	t.Parallel()
	died, die := context.WithCancel(t.Context())
	defer die()
	steps, twice, seen := 0, 0, map[uuid.UUID]bool{}
	follow := func(_ context.Context, _ *pg.Tx, customers []uuid.UUID, _ time.Time) ([]outbox.Event, error) {
		if steps++; steps == 3 {
			die()
			return nil, died.Err()
		}
		for _, c := range customers {
			if seen[c] {
				twice++
			}
			seen[c] = true
		}
		return nil, nil
	}
	w := start(t, follow)
	w.many(7000)
	w.ask()
	if err := w.portraits.Rebuilds(died); err == nil {
		t.Fatal("the process did not die")
	}
	if n := w.count(`SELECT count(*) FROM portrait`); n != 4000 {
		t.Fatalf("%d portraits, want those of two steps", n)
	}
	later := func() time.Time { return time.Now().Add(time.Hour) } // when the lease of the dead is over
	other := portrait.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), later, follow)
	if err := other.Rebuilds(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.count(`SELECT count(*) FROM portrait`); n != 7000 || twice != 0 {
		t.Errorf("%d portraits, %d of them made twice", n, twice)
	}
	if n := w.count(`SELECT count(*) FROM analytics_run WHERE kind = 'portraits' AND state = 'done'`); n != 1 {
		t.Errorf("%d runs are done", n)
	}
}

func TestAnotherCurrencyMakesPortraitsAnew(t *testing.T) {
	t.Parallel()
	w := start(t)
	k := analyticstest.NewTeller(t, "music")
	c := analyticstest.ID()
	w.Publish("sales", k.Placed(analyticstest.ID(), c, analyticstest.Day(2026, 3, 1), 100))
	w.has(c, map[string]any{"gross_minor": 100, "orders": 1})
	put := func(currency, version string, want int) {
		t.Helper()
		answer := w.Do(http.MethodPut, "/v1/analytics/settings", w.Marketing, analyticstest.Body{"currency": currency}, "If-Match", version)
		if answer.Status != http.StatusOK {
			t.Fatalf("got %d %s", answer.Status, answer.Body)
		}
		if err := w.portraits.Rebuilds(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.has(c, map[string]any{"gross_minor": want, "net_minor": want, "orders": 1})
	}
	put("EUR", `"0"`, 0)
	put("USD", `"1"`, 100)
}

func TestRebuiltFactsMakePortraitsAnewOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	k, other := analyticstest.NewTeller(t, "music"), analyticstest.NewTeller(t, "pizza")
	c := analyticstest.ID()
	w.Publish("sales", k.Placed(analyticstest.ID(), c, analyticstest.Day(2026, 3, 1), 100), other.Placed(analyticstest.ID(), analyticstest.ID(), analyticstest.Day(2026, 3, 1), 7))
	w.has(c, map[string]any{"gross_minor": 100})
	runs := func() (music, pizza int) {
		t.Helper()
		if err := w.portraits.Rebuilds(t.Context()); err != nil {
			t.Fatal(err)
		}
		const sql = `SELECT count(*) FROM analytics_run WHERE kind = 'portraits' AND state = 'done' AND tenant_id = $1`
		return w.count(sql, "music"), w.count(sql, "pizza")
	}
	if music, pizza := runs(); music+pizza != 0 {
		t.Fatalf("%d and %d runs, without a reason", music, pizza)
	}
	w.Eventually("the other tenant's order is placed", func() bool { return w.count(`SELECT count(*) FROM fact_as_of WHERE tenant_id = 'pizza'`) > 0 })
	w.Admin(`UPDATE portrait SET gross_minor = 77`)
	w.rebuilt()
	for range 2 {
		if music, pizza := runs(); music != 1 || pizza != 1 {
			t.Errorf("%d and %d runs, want one of each tenant", music, pizza)
		}
	}
	w.has(c, map[string]any{"gross_minor": 100})
	w.rebuilt()
	if music, pizza := runs(); music != 2 || pizza != 2 {
		t.Errorf("%d and %d runs, want another one of each tenant", music, pizza)
	}
}
