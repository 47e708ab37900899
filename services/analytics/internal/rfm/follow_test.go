package rfm_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rfm"
)

func TestAnEventReachesTheScoresOfItsPortraitInOnePass(t *testing.T) {
	t.Parallel()
	w := start(t)
	k := analyticstest.NewTeller(t, "music")
	customers := ids(8)
	var purchases []purchase
	var events []bus.Event
	place := func(p purchase) {
		p.Currency, p.BackUnits = "USD", 0
		purchases = append(purchases, p)
		events = append(events, k.Placed(p.Order, p.Customer, p.At, p.Total))
	}
	for _, p := range history(rand.New(rand.NewPCG(4, 4)), customers, 30, 200, w.Today()) {
		place(p)
	}
	w.Publish("sales", events...)
	clock := func() time.Time { return w.Now() }
	portraits := portrait.New(w.DB, w.Database.DB(pg.Ops), outbox.New("analytics"), clock, w.ratings.Follow)
	// settled works off what is due once everything was heard of.
	settled := func() {
		t.Helper()
		w.Eventually("all orders are portrayed", func() bool {
			_, err := portraits.Pass(t.Context())
			require.NoError(t, err)
			return w.Count(`SELECT coalesce(sum(orders), 0)::bigint FROM portrait WHERE tenant_id = 'music'`) == int64(len(purchases)) && w.Count(`SELECT count(*) FROM portrait_due`) == 0
		})
	}
	settled()
	require.Empty(t, w.portraits("music"), "before the first run nobody is rated")
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	base := tallies(purchases, "USD", w.Today(), 0, nil)
	require.Equal(t, relatives(base), w.portraits("music"))

	events = nil
	newcomer := analyticstest.ID()
	place(purchase{Order: analyticstest.ID(), Customer: newcomer, Units: 1, Total: 700, At: w.Today()})
	place(purchase{Order: analyticstest.ID(), Customer: customers[3], Units: 1, Total: 90_000, At: w.Today()})
	w.Publish("sales", events...)
	before := w.portraits("music")
	settled()
	all := tallies(purchases, "USD", w.Today(), 0, nil)
	told := len(before)
	for _, id := range []uuid.UUID{newcomer, customers[3]} {
		want := relative(all[id], base, rfm.HouseCells())
		require.Equal(t, want, w.portraits("music")[id])
		if want.Cell != before[id].Cell {
			told++
		}
	}
	require.Len(t, w.EventsOf("CustomerScored", told), told)
}
