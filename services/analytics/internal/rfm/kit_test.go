package rfm_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rfm"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// world is the service with ratings whose runs are worked by hand, at a time that the test sets.
type world struct {
	*analyticstest.World
	*analyticstest.Clock
	ratings *rfm.Ratings
	t       *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: analyticstest.Start(t), Clock: analyticstest.NewClock(), t: t}
	w.ratings = rfm.New(w.DB, outbox.New("analytics"), run.New(w.DB, w.Database.DB(pg.Ops), w.Now), w.Now)
	w.ratings.Chunks(7, 3)
	return w
}

type purchase = analyticstest.Purchase

// history makes purchases of customers within days days before the day.
func history(random *rand.Rand, customers []uuid.UUID, orders, days int, day time.Time) (all []purchase) {
	for range orders {
		p := purchase{
			Order: analyticstest.ID(), Customer: customers[random.IntN(len(customers))], Channel: "shop", Currency: "USD", Units: 1 + random.Int64N(3), Total: random.Int64N(5) * 500,
			At: day.AddDate(0, 0, -random.IntN(days)).Add(time.Duration(random.IntN(24)) * time.Hour),
		}
		if random.IntN(8) == 0 {
			p.Currency = "EUR"
		}
		if random.IntN(4) == 0 {
			p.BackUnits, p.BackAt = 1+random.Int64N(p.Units), p.At.AddDate(0, 0, random.IntN(60))
			p.BackMinor = p.Total * p.BackUnits / p.Units
		}
		all = append(all, p)
	}
	return all
}

// tally is what a customer bought, by the rule.
type tally struct {
	days map[time.Time]bool
	last time.Time
	net  int64
}

// tallies adds up what each bought in the window, one purchase after the other; roots says whom an id means.
func tallies(purchases []purchase, currency string, asOf time.Time, days int, roots map[uuid.UUID]uuid.UUID) map[uuid.UUID]*tally {
	to := asOf.AddDate(0, 0, 1)
	all := make(map[uuid.UUID]*tally)
	for _, p := range purchases {
		net := p.Total
		back := p.BackUnits > 0 && p.BackAt.Before(to)
		if back {
			net -= p.BackMinor
		}
		if p.Currency != currency || !p.At.Before(to) || days > 0 && p.At.Before(to.AddDate(0, 0, -days)) || back && p.BackUnits == p.Units {
			continue
		}
		id := p.Customer
		if root, ok := roots[id]; ok {
			id = root
		}
		if all[id] == nil {
			all[id] = &tally{days: map[time.Time]bool{}}
		}
		day := p.At.Truncate(24 * time.Hour)
		all[id].days[day] = true
		all[id].net += net
		if day.After(all[id].last) {
			all[id].last = day
		}
	}
	return all
}

// scored is what a portrait or a rating says.
type scored struct {
	R, F, M int
	Cell    string
}

// relative rates one tally as if its owner stood among all, by looking at each of them.
func relative(of *tally, all map[uuid.UUID]*tally, cells rfm.CellMap) scored {
	var r, f, m int64
	for _, other := range all {
		if other.last.Before(of.last) {
			r++
		}
		if len(other.days) < len(of.days) {
			f++
		}
		if other.net < of.net {
			m++
		}
	}
	n := int64(len(all))
	s := scored{R: min(5, rfm.Score(r, n)), F: min(5, rfm.Score(f, n)), M: min(5, rfm.Score(m, n))}
	s.Cell = cells.Cell(s.R, s.F)
	return s
}

func relatives(all map[uuid.UUID]*tally) map[uuid.UUID]scored {
	want := make(map[uuid.UUID]scored)
	for id, one := range all {
		want[id] = relative(one, all, rfm.HouseCells())
	}
	return want
}

// portraits gives the scores that portraits hold; of those who are not rated there is none.
func (w *world) portraits(tenant string) map[uuid.UUID]scored {
	w.t.Helper()
	all := make(map[uuid.UUID]scored)
	err := w.DB.Read(context.Background(), tenant, func(tx *pg.Tx) error {
		rows, err := tx.Query(context.Background(), `SELECT customer_id, rfm_r, rfm_f, rfm_m, rfm_cell FROM portrait WHERE tenant_id = $1 AND rfm_cell IS NOT NULL`, tenant)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id uuid.UUID
			var s scored
			if err := rows.Scan(&id, &s.R, &s.F, &s.M, &s.Cell); err != nil {
				return err
			}
			all[id] = s
		}
		return rows.Err()
	})
	require.NoError(w.t, err)
	return all
}

// body is a JSON object.
type body = map[string]any

// running is a run as the API shows it.
type running struct {
	RunID      string `json:"run_id"`
	State      string
	AsOf       string `json:"as_of"`
	Cause      string
	Portraits  bool
	Phase      string
	Customers  int64
	Changed    int64
	Failure    string
	Kept       bool
	WindowDays int    `json:"window_days"`
	CellMap    string `json:"cell_map"`
	Scheme     int64
	Cuts       struct {
		LastDay   []string `json:"last_day"`
		Frequency []int64
		NetMinor  []int64 `json:"net_minor"`
	}
}

// ids are new customers.
func ids(n int) (all []uuid.UUID) {
	for range n {
		all = append(all, analyticstest.ID())
	}
	return all
}

// follow is what the pass of portraits does after it reckoned those of the customers.
func (w *world) follow(tenant string, customers ...uuid.UUID) (told int) {
	w.t.Helper()
	ctx := context.Background()
	require.NoError(w.t, w.DB.Tx(ctx, tenant, func(tx *pg.Tx) error {
		events, err := w.ratings.Follow(ctx, tx, customers, w.Now())
		told = len(events)
		return err
	}))
	return told
}
