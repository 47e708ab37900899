package crisis_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/crisis"
)

func TestCustomersOfAnArticleAreCountedThroughItsOrders(t *testing.T) {
	t.Parallel()
	s := open(t)
	// The window begins six days before today, at midnight; days 7 to 90 before are the base, in twelve blocks of a week.
	old := s.sold("pizza", "margherita", 100, days(20))
	s.sold("pizza", "margherita", 50, days(90))
	s.sold("pizza", "margherita", 1000, days(91)) // before the base
	fresh := s.sold("pizza", "margherita", 10, days(1))
	s.sold("pizza", "cola", 7, days(0.1))
	s.sold("music", "margherita", 9000, days(20))
	wei, li, zhao := someone(), someone(), someone()
	s.complained("pizza", wei, old, "product", days(20))
	s.complained("pizza", wei, old, "delivery", days(19)) // twice in one block: one customer
	s.complained("pizza", wei, old, "product", days(30))  // in another block again
	s.complained("pizza", zhao, old, "product", days(95)) // before the base
	s.complained("pizza", li, fresh, "product", days(1))
	s.complained("pizza", zhao, fresh, "product", days(6.3)) // the first day of the window
	s.complained("pizza", zhao, uuid.Nil, "product", days(2))
	s.complained("music", someone(), uuid.Nil, "product", days(2))

	got := s.found(wang, crisis.SKU, "margherita")
	require.Equal(t, crisis.Series{Dimension: crisis.SKU, Value: "margherita", N: 2, K0: 2, E0: 150, W: 10, Exposure: crisis.Units,
		From: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Until: thursday}, got.Series)
	require.InDelta(t, crisis.Probability(2, 2, 150, 10), got.P, 1e-12)
	require.Equal(t, 3, got.Tested, "margherita and two categories; nothing of cola was sold before")
	require.False(t, s.found(wang, crisis.SKU, "cola").Computed)
	require.Contains(t, s.found(wang, crisis.SKU, "cola").Explain(), "Nothing was sold before")
	require.EqualValues(t, 2, s.found(wang, crisis.Category, "product").N)

	// Li and Zhao are one, as accounts says now.
	s.tx("pizza", func(tx *pg.Tx) {
		tx.Queue(`INSERT INTO customer_alias VALUES ('pizza', $1, $2, $2, 1, 1)`, li, zhao)
	})
	require.EqualValues(t, 1, s.found(wang, crisis.SKU, "margherita").N)
	require.EqualValues(t, 1, s.found(eve, crisis.Category, "product").N, "another tenant counts its own")
}

func TestCategoriesAreComparedWithTheSameDaysOfTheWeek(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := auth.With(t.Context(), wang)
	today := crisis.StandardSetting()
	today.WindowDays, today.BaseDays = 1, 28
	_, err := s.crises.Set(ctx, today, func(int64) error { return nil })
	require.NoError(t, err)
	s.complained("pizza", someone(), uuid.Nil, "delivery", days(40)) // so that all four weeks are known
	for _, before := range []float64{
		7.01, 14.1, 21.2, 28.39, // on the four Thursdays before, until half past nine
		7,    // at the very moment that it is now: not before it
		6.9,  // later on that day
		7.5,  // on the day before that
		3,    // on another day of the week
		35.1, // before the base
	} {
		s.complained("pizza", someone(), uuid.Nil, "delivery", days(before))
	}
	s.complained("pizza", someone(), uuid.Nil, "delivery", days(0.1))
	got := s.found(wang, crisis.Category, "delivery")
	require.Equal(t, []any{int64(1), int64(4), 4.0, 1.0}, []any{got.N, got.K0, got.E0, got.W})

	// By units, the same complaints are compared with what was sold of everything.
	today.CategoryExposure, today.Version = crisis.Units, 1
	_, err = s.crises.Set(ctx, today, func(int64) error { return nil })
	require.NoError(t, err)
	s.sold("pizza", "margherita", 40, days(3))
	s.sold("pizza", "cola", 60, days(8))
	s.sold("pizza", "cola", 5, days(0.2))
	got = s.found(wang, crisis.Category, "delivery")
	require.Equal(t, []any{int64(1), int64(8), 100.0, 5.0}, []any{got.N, got.K0, got.E0, got.W}, "every day before today is compared")

	today.RecordedSince = days(5).Truncate(24 * time.Hour)
	_, err = s.crises.Set(ctx, today, func(int64) error { return nil })
	require.NoError(t, err)
	got = s.found(wang, crisis.Category, "delivery")
	require.Equal(t, []any{int64(1), int64(1), 40.0, 5.0}, []any{got.N, got.K0, got.E0, got.W}, "nothing from before complaints were recorded")
}

func TestOfANewTenantNothingCanBeSaid(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 9 {
		s.complained("pizza", someone(), uuid.Nil, "attitude", days(0.5))
	}
	got := s.found(wang, crisis.Category, "attitude")
	require.EqualValues(t, 9, got.N)
	require.Zero(t, got.E0, "no day before the first complaint ever could have had one")
	require.False(t, got.Computed)
	require.Contains(t, got.Explain(), "No day before can be compared with: no probability is computed.")
	require.Empty(t, s.scan(wang))
}

// burst has customers complain of what was sold of an article a day ago, after a calm base.
func (s *shop) burst(sku string, customers int) {
	s.t.Helper()
	s.sold("pizza", sku, 5000, days(40))
	order := s.sold("pizza", sku, 200, days(1))
	for range customers {
		s.complained("pizza", someone(), order, "product", days(0.5))
	}
}

func TestABurstIsProposedOnceAndPastCrisesAreLeftOut(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.burst("margherita", 9)
	require.Equal(t, []string{"margherita"}, s.scan(wang))
	require.Empty(t, s.scan(wang), "it is proposed already")
	require.Empty(t, s.scan(eve))
	proposed := s.only(crisis.Proposed)
	require.EqualValues(t, 9, proposed.Alarm.N)
	require.True(t, proposed.Alarm.Alarm)
	require.Equal(t, crisis.Probability(9, 0, 5000, 200), proposed.Alarm.P)

	declared := s.decide(proposed, crisis.Declare)
	require.Equal(t, crisis.Declared, declared.Stage)
	require.EqualValues(t, 9, declared.Linked.Complaints)
	require.Empty(t, s.scan(wang), "it is led already")

	// Three weeks later the crisis is over. Its days, and what was sold on them, are no base for the article; what was linked
	// to it is none for the category either.
	s.tx("pizza", func(tx *pg.Tx) {
		tx.Queue(`UPDATE crisis SET stage = 'cleared', ended_at = $1 WHERE tenant_id = 'pizza'`, days(-2))
	})
	s.now = days(-21)
	later := s.sold("pizza", "margherita", 30, days(-20))
	s.complained("pizza", someone(), later, "product", days(-20))
	got := s.found(wang, crisis.SKU, "margherita")
	require.Equal(t, []any{int64(1), int64(0), 5000.0, 30.0}, []any{got.N, got.K0, got.E0, got.W})
	category := s.found(wang, crisis.Category, "product")
	require.EqualValues(t, 0, category.K0)
}

func TestWhatWasDismissedIsProposedAgainOnlyByNewComplaints(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.burst("margherita", 9)
	require.Equal(t, []string{"margherita"}, s.scan(wang))
	dismissed := s.decide(s.only(crisis.Proposed), crisis.Dismiss)
	require.Equal(t, crisis.Dismissed, dismissed.Stage)
	s.now = s.now.Add(time.Hour)
	require.Empty(t, s.scan(wang))
	got := s.found(wang, crisis.SKU, "margherita")
	require.Zero(t, got.N, "those who were looked at count no more")
	require.Equal(t, thursday, got.From)

	order := s.sold("pizza", "margherita", 5, s.now)
	for range 8 {
		s.complained("pizza", someone(), order, "product", s.now)
	}
	s.now = s.now.Add(time.Hour)
	require.Equal(t, []string{"margherita"}, s.scan(wang))
	require.Equal(t, thursday, s.only(crisis.Proposed).WindowFrom)
}

func TestOfManyWhoScanAtOnceOneProposes(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.burst("margherita", 9)
	var wait sync.WaitGroup
	var proposed atomic.Int64
	for range 6 {
		wait.Go(func() {
			made, err := s.crises.ScanTenant(auth.With(t.Context(), wang))
			if err != nil {
				t.Error(err)
			}
			proposed.Add(int64(len(made)))
		})
	}
	wait.Wait()
	require.EqualValues(t, 1, proposed.Load())
	s.only(crisis.Proposed)
	s.tx("pizza", func(tx *pg.Tx) {
		var told int64
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM outbox_seq WHERE aggregate_type = 'crisis'`).Scan(&told))
		require.EqualValues(t, 1, told)
	})
}

func TestTheScanGoesOverAllTenants(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.burst("margherita", 9)
	s.sold("music", "album", 500, days(30))
	album := s.sold("music", "album", 3, days(2))
	for range 6 {
		s.complained("music", someone(), album, "product", days(1))
	}
	require.NoError(t, s.crises.Scan(t.Context()))
	require.Equal(t, "margherita", s.only(crisis.Proposed).Value)
	others, err := s.crises.List(auth.With(t.Context(), eve), crisis.Filter{}, 10)
	require.NoError(t, err)
	require.Len(t, others, 1)
	require.Equal(t, "album", others[0].Value)
}

// TestAMonthOfAShop lives through a month of sales and complaints, looked at every day, once as it always is and once with an
// article that is spoilt from the 12th day on.
func TestAMonthOfAShop(t *testing.T) {
	t.Parallel()
	for name, spoilt := range map[string]bool{"without a burst": false, "with a burst": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			rng := rand.New(rand.NewPCG(11, 26))
			some := func(mean float64) int { return int(distuv.Poisson{Lambda: mean, Src: rng}.Rand()) }
			live := func(at time.Time, spoiltNow bool) {
				for n := range 6 {
					sku, units := fmt.Sprint("dish-", n), 20+some(float64(10*n))
					order, rate := s.sold("pizza", sku, int64(units), at), 0.004 // customers a unit
					if spoiltNow && n == 2 {
						rate = 0.1
					}
					for range some(rate * float64(units)) {
						s.complained("pizza", someone(), order, "product", at)
					}
				}
			}
			for n := 30; n > 0; n-- {
				live(days(float64(n)), false)
			}
			raised := map[string]int{}
			for n := range 30 {
				s.now = days(float64(-n)).Add(time.Hour)
				live(days(float64(-n)), spoilt && n >= 12)
				for _, value := range s.scan(wang) {
					raised[value] = n
				}
			}
			t.Logf("alarms by day: %v", raised)
			if !spoilt {
				require.Empty(t, raised, "30 looks raise a false alarm with a probability of at most 30 times the threshold, 0.003")
				return
			}
			require.Contains(t, raised, "dish-2")
			require.GreaterOrEqual(t, raised["dish-2"], 12)
			require.LessOrEqual(t, raised["dish-2"], 16, "two or three customers a day in the place of one in a week")
			delete(raised, "dish-2")
			delete(raised, "product") // of which the burst is a part
			require.Empty(t, raised)
		})
	}
}
