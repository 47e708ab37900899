package rfm_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rfm"
)

func TestARunGivesPortraitsTheScoresOfASlowReckoning(t *testing.T) {
	t.Parallel()
	w := start(t)
	random := rand.New(rand.NewPCG(8, 3))
	customers := ids(25)
	purchases := history(random, customers, 150, 300, w.Today())
	w.Bought("music", purchases...)
	pizza := history(random, ids(4), 9, 50, w.Today())
	w.Bought("pizza", pizza...)
	never := analyticstest.ID()
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id, rfm_r, rfm_f, rfm_m, rfm_cell) VALUES ('music', $1, 5, 5, 5, 'champions')`, never)

	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	want := relatives(tallies(purchases, "USD", w.Today(), 0, nil))
	require.Equal(t, want, w.portraits("music"), "and who bought nothing is not rated any more")
	require.Equal(t, relatives(tallies(pizza, "USD", w.Today(), 0, nil)), w.portraits("pizza"))

	var page struct{ Items []running }
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/runs", w.Sales, nil, &page)
	require.Len(t, page.Items, 1)
	day := page.Items[0]
	require.Equal(t, []any{"done", "daily", "done", true, int64(len(want)), int64(len(want) + 1)},
		[]any{day.State, day.Cause, day.Phase, day.Portraits, day.Customers, day.Changed})
	told := w.EventsOf("CustomerScored", len(want)+len(w.portraits("pizza")))
	require.Len(t, told, len(want)+len(w.portraits("pizza")), "each cell that changed is told once")
	for _, e := range told {
		if e.Tenant == "music" {
			var m struct{ CustomerID, Value, AsOf string }
			decode(t, e.Data, &m)
			s := want[uuid.MustParse(m.CustomerID)]
			require.Equal(t, fmt.Sprint(100*s.R+10*s.F+s.M), m.Value)
		}
	}
	golden.JSON(t, "testdata/customer_scored.json", told[0].Data)

	w.At(w.Now().Add(time.Hour))
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/runs", w.Sales, nil, &page)
	require.Len(t, page.Items, 1, "there is one daily run a day")
}

func TestARunGoesOnWhereAKilledOneStood(t *testing.T) {
	t.Parallel()
	w := start(t)
	purchases := history(rand.New(rand.NewPCG(5, 5)), ids(20), 90, 100, w.Today())
	w.Bought("music", purchases...)
	require.NoError(t, w.ratings.Daily(t.Context()))
	for n := range 5 {
		require.ErrorIs(t, w.ratings.BackgroundKilled(t.Context(), n), rfm.ErrKilled)
		require.NoError(t, w.ratings.BackgroundKilled(t.Context(), 0), "it waits a while before it is tried again")
		w.At(w.Now().Add(time.Minute))
	}
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	want := relatives(tallies(purchases, "USD", w.Today(), 0, nil))
	require.Equal(t, want, w.portraits("music"))
	require.Len(t, w.EventsOf("CustomerScored", len(want)), len(want), "nothing is told twice")

	// A process that dies without a word leaves a lease behind.
	w.At(w.Now().Add(24 * time.Hour))
	require.NoError(t, w.ratings.Daily(t.Context()))
	w.Admin(`UPDATE analytics_run SET state = 'running', leased_until = $1 WHERE state = 'queued'`, w.Now().Add(time.Minute))
	require.NoError(t, w.ratings.BackgroundKilled(t.Context(), 0), "somebody else has it")
	w.At(w.Now().Add(2 * time.Minute))
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	require.Zero(t, w.Count(`SELECT count(*) FROM analytics_run WHERE state <> 'done'`))
}

func TestARunThatFailsAgainAndAgainIsGivenUpAndSaysSo(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.Bought("music", history(rand.New(rand.NewPCG(5, 6)), ids(9), 30, 100, w.Today())...)
	require.NoError(t, w.ratings.Daily(t.Context()))
	for range 5 {
		require.Error(t, w.ratings.BackgroundKilled(t.Context(), 0))
		w.At(w.Now().Add(time.Hour))
	}
	require.NoError(t, w.ratings.BackgroundKilled(t.Context(), 0))
	var page struct{ Items []running }
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/runs", w.Sales, nil, &page)
	require.Equal(t, "failed", page.Items[0].State)
	require.Equal(t, "internal", page.Items[0].Failure)
	require.False(t, page.Items[0].Kept)
}

func TestPortraitsFollowByTheCutsOfTheLastRun(t *testing.T) {
	t.Parallel()
	w := start(t)
	random := rand.New(rand.NewPCG(8, 4))
	customers := ids(25)
	purchases := history(random, customers, 150, 300, w.Today())
	require.Zero(t, w.follow("music", customers...), "before the first run nobody is rated")
	w.Bought("music", purchases...)
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	base := tallies(purchases, "USD", w.Today(), 0, nil)
	for i := range 40 {
		more := history(random, append(customers, ids(1)...), 1, 20, w.Today())
		w.Bought("music", more...)
		purchases = append(purchases, more...)
		who := more[0].Customer
		before := w.portraits("music")[who]
		told := w.follow("music", who)
		now := tallies(purchases, "USD", w.Today(), 0, nil)[who]
		want := scored{}
		if now != nil {
			want = relative(now, base, rfm.HouseCells())
		}
		got := w.portraits("music")[who]
		require.Equal(t, want, got, "step %d", i)
		require.Equal(t, got.Cell != "" && before.Cell != got.Cell, told == 1)
	}
}

// TestAStepWaitsForItsLongerHalf has the second half take longer than a session may be idle in a transaction.
func TestAStepWaitsForItsLongerHalf(t *testing.T) {
	t.Parallel()
	w := start(t)
	some := func(sql string) func(context.Context, *pg.Tx) error {
		return func(ctx context.Context, tx *pg.Tx) error { _, err := tx.ExecNow(ctx, sql); return err }
	}
	require.NoError(t, w.ratings.Abreast(t.Context(), "music", some(`SELECT 1`), some(`SELECT pg_sleep(17)`)))
}

// TestWhoHoldsOneHalfAndWaitsForTheOtherHoldsNobodyUpForLong is a circle that goes through the program: the second half waits for
// somebody who waits for the first half.
func TestWhoHoldsOneHalfAndWaitsForTheOtherHoldsNobodyUpForLong(t *testing.T) {
	t.Parallel()
	w := start(t)
	customers := []uuid.UUID{analyticstest.ID(), analyticstest.ID()}
	w.Admin(`INSERT INTO portrait (tenant_id, customer_id) SELECT 'music', unnest($1::uuid[])`, customers)
	lock := func(id uuid.UUID) func(context.Context, *pg.Tx) error {
		return func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.ExecNow(ctx, `SELECT FROM portrait WHERE tenant_id = 'music' AND customer_id = $1 FOR UPDATE`, id)
			return err
		}
	}
	held, begun := make(chan struct{}), make(chan struct{})
	somebody := make(chan error, 1)
	go func() {
		somebody <- w.DB.Tx(t.Context(), "music", func(tx *pg.Tx) error {
			if err := lock(customers[1])(t.Context(), tx); err != nil {
				return err
			}
			close(held)
			<-begun
			return lock(customers[0])(t.Context(), tx)
		})
	}()
	<-held
	first := func(ctx context.Context, tx *pg.Tx) error {
		defer close(begun)
		return lock(customers[0])(ctx, tx)
	}
	err := w.ratings.Abreast(t.Context(), "music", first, lock(customers[1]))
	require.True(t, pg.Transient(err), "%v", err)
	require.ErrorContains(t, err, "55P03", "the lock is given up, long before the statement is")
	require.NoError(t, <-somebody)
}

func TestWhoIsHeardOfWhileARunIsAtItIsRatedByWhatIsKnownLast(t *testing.T) {
	t.Parallel()
	w := start(t)
	random := rand.New(rand.NewPCG(1, 4))
	customers := ids(25)
	purchases := history(random, customers, 80, 300, w.Today())
	w.Bought("music", purchases...)
	require.NoError(t, w.ratings.Daily(t.Context()))
	for n := 1; ; n++ {
		err := w.ratings.BackgroundKilled(t.Context(), 1)
		if err == nil {
			break
		}
		require.ErrorIs(t, err, rfm.ErrKilled)
		w.At(w.Now().Add(time.Minute))
		if require.Less(t, n, 100); n > 14 {
			continue // it has to come to an end
		}
		more := history(random, customers, 3, 5, w.Today())
		for i := range more {
			more[i].Total += 10_000_000
		}
		w.Bought("music", more...)
		purchases = append(purchases, more...)
		w.follow("music", more[0].Customer, more[1].Customer, more[2].Customer)
	}
	// Everybody's figures are those of the end; cuts are those of the moment at which reading ended, each customer as it was read.
	for id, got := range w.portraits("music") {
		now := tallies(purchases, "USD", w.Today(), 0, nil)[id]
		if now.net > 5_000_000 {
			require.Equal(t, 5, got.R, "%s bought these days", id)
			require.GreaterOrEqual(t, got.M, 2, "%s", id)
		}
	}
	before := w.portraits("music")
	w.follow("music", customers...)
	require.Equal(t, before, w.portraits("music"), "following everybody finds nothing that was missed")
}

func TestMergedCustomersAreRatedAsOneByRunsAndFollowed(t *testing.T) {
	t.Parallel()
	w := start(t)
	customers := ids(12)
	purchases := history(rand.New(rand.NewPCG(9, 9)), customers, 60, 200, w.Today())
	w.Bought("music", purchases...)
	accounts := w.Accounts("music")
	accounts.Merge(customers[0], customers[1])
	accounts.Merge(customers[1], customers[2])
	w.Admin(`DELETE FROM portrait WHERE customer_id = ANY ($1)`, customers[:2]) // as the room of portraits does
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	roots := map[uuid.UUID]uuid.UUID{customers[0]: customers[2], customers[1]: customers[2]}
	all := tallies(purchases, "USD", w.Today(), 0, roots)
	require.Equal(t, relatives(all), w.portraits("music"))
	w.Admin(`UPDATE portrait SET rfm_r = NULL, rfm_f = NULL, rfm_m = NULL, rfm_cell = NULL`)
	w.follow("music", customers[2])
	require.Equal(t, relatives(all)[customers[2]], w.portraits("music")[customers[2]])

	erased := customers[5]
	w.Admin(`DELETE FROM portrait WHERE customer_id = $1`, erased)
	require.Zero(t, w.follow("music", erased))
	w.At(w.Now().Add(24 * time.Hour))
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	require.NotContains(t, w.portraits("music"), erased)
}

func TestFixedBoundsRateByThemselves(t *testing.T) {
	t.Parallel()
	w := start(t)
	customers := ids(30)
	purchases := history(rand.New(rand.NewPCG(2, 9)), customers, 150, 400, w.Today())
	w.Bought("music", purchases...)
	scheme := body{"window_days": 200, "recency_days": []int{180, 90, 30, 7}, "frequency": []int{2, 3, 4, 6}}
	w.Want(http.StatusPreconditionRequired, http.MethodPut, "/v1/analytics/rfm/schemes/USD", w.Marketing, scheme, nil)
	set := w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/rfm/schemes/USD", w.Marketing, scheme, nil, "If-Match", `"0"`)
	require.Equal(t, `"1"`, set.Header.Get("ETag"))
	require.NoError(t, w.ratings.Daily(t.Context()))
	require.NoError(t, w.ratings.Background(t.Context()))
	all := tallies(purchases, "USD", w.Today(), 200, nil)
	step := func(value int64, bounds ...int64) int {
		s := 1
		for _, b := range bounds {
			if value >= b {
				s++
			}
		}
		return s
	}
	want := make(map[uuid.UUID]scored)
	for id, one := range all {
		s := relative(one, all, rfm.HouseCells())
		ago := int64(w.Today().Sub(one.last) / (24 * time.Hour))
		s.R, s.F = step(-ago, -180, -90, -30, -7), step(int64(len(one.days)), 2, 3, 4, 6)
		s.Cell = rfm.HouseCells().Cell(s.R, s.F)
		want[id] = s
	}
	require.Equal(t, want, w.portraits("music"))

	// An answer for today is reckoned, and comes to the same; so does reading the run.
	for _, source := range []string{"facts", "run", "auto"} {
		got := make(map[uuid.UUID]scored)
		w.pages("/v1/analytics/rfm?currency=USD&window_days=200&limit=7&source="+source, func(item rated) {
			got[item.CustomerID] = scored{item.R, item.F, item.M, item.Cell}
		})
		require.Equal(t, want, got, source)
	}
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/rfm/schemes/USD", w.Marketing, body{}, nil, "If-Match", `"1"`)
	var first, now struct {
		Version     int64
		RecencyDays []int64 `json:"recency_days"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/schemes/USD?version=1", w.Sales, nil, &first)
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/schemes/USD", w.Sales, nil, &now)
	require.Equal(t, []int64{180, 90, 30, 7}, first.RecencyDays)
	require.Equal(t, int64(2), now.Version)
	require.Empty(t, now.RecencyDays)
	pizza := w.Token("marketing", "pizza")
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/rfm/schemes/USD", pizza, nil, &now)
	require.Zero(t, now.Version, "another tenant set nothing")
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/analytics/rfm/schemes/USD?version=1", pizza, nil, nil)
}
