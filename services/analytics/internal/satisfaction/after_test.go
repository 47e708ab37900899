package satisfaction_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/satisfaction"
)

func TestZonesAreParted(t *testing.T) {
	t.Parallel()
	b := satisfaction.Bounds{Indifference: 3, Affection: 5}
	for score, want := range map[int]satisfaction.Zone{1: "defection", 2: "defection", 3: "indifference", 4: "indifference", 5: "affection"} {
		if got := b.Zone(score); got != want {
			t.Errorf("%d: %s, want %s", score, got, want)
		}
	}
}

// boughtWithin says whether a customer bought in the days after a moment.
func (w *world) boughtWithin(who uuid.UUID, since time.Time, days int) bool {
	for _, o := range w.orders {
		if id, ok := w.whom(o.Customer); ok && id == who && !o.Back && o.At.After(since) && !o.At.After(since.AddDate(0, 0, days)) {
			return true
		}
	}
	return false
}

// later tells whether an answer counts instead of another.
func later(a, b answer) bool {
	return a.At.After(b.At) || a.At.Equal(b.At) && bytes.Compare(a.ID[:], b.ID[:]) > 0
}

func TestLoyaltyIsReckonedCustomerByCustomer(t *testing.T) {
	t.Parallel()
	w := start(t, 5)
	from, to, days := today().AddDate(0, 0, -200), today().AddDate(0, 0, -5), 40
	latest, known := map[uuid.UUID]answer{}, map[uuid.UUID]bool{}
	for _, a := range w.answers {
		if a.Kind != "csat" || a.Customer == nil || a.At.Before(from) || !a.At.Before(to.AddDate(0, 0, 1)) {
			continue
		}
		who, ok := w.whom(*a.Customer)
		if !ok {
			continue
		}
		known[who] = true
		if was, there := latest[who]; !a.At.AddDate(0, 0, days).After(time.Now()) && (!there || later(a, was)) {
			latest[who] = a
		}
	}
	var want [5][2]int
	zones := map[string][2]int{}
	for who, a := range latest {
		zone := []string{"defection", "indifference", "indifference", "affection", "affection"}[a.Score-1]
		z := zones[zone]
		want[a.Score-1][0]++
		z[0]++
		if w.boughtWithin(who, a.At, days) {
			want[a.Score-1][1]++
			z[1]++
		}
		zones[zone] = z
	}
	type rate struct {
		Score             int
		Zone              string
		From, To          int
		Customers, Bought int
		Enough            bool
		Repurchase        *struct{ Value, Low, High float64 }
	}
	var got struct {
		Customers, Open int
		Bands, Zones    []rate
	}
	query := fmt.Sprintf("%s/loyalty?from=%s&to=%s&within_days=%d&indifference_from=2&affection_from=4&min_n=5", root, from.Format(time.DateOnly), to.Format(time.DateOnly), days)
	w.Want(http.StatusOK, http.MethodGet, query, w.Sales, nil, &got)
	require.Equal(t, []int{len(latest), len(known) - len(latest)}, []int{got.Customers, got.Open})
	require.NotZero(t, got.Customers)
	for i, b := range got.Bands {
		require.Equal(t, want[i], [2]int{b.Customers, b.Bought}, "%+v", b)
		require.Equal(t, i+1, b.Score)
		require.Equal(t, b.Customers >= 5, b.Enough)
		require.Equal(t, b.Customers == 0, b.Repurchase == nil)
	}
	require.Len(t, got.Zones, 3)
	for _, z := range got.Zones {
		require.Equal(t, zones[z.Zone], [2]int{z.Customers, z.Bought}, z.Zone)
	}
	var none struct{ Customers, Open int }
	w.Want(http.StatusOK, http.MethodGet, root+"/loyalty", w.Token("sales", "bakery"), nil, &none)
	require.Zero(t, none.Customers)
}

type recovery struct {
	Groups []struct {
		Group                     string
		Customers, Open, Answered int
		Satisfied, Repurchase     *struct{ Value, Low, High float64 }
	}
	Comparisons []struct {
		Of, With     string
		Difference   struct{ Value, Low, High float64 }
		Enough, Seen bool
	}
	Paradox bool
}

// slowRecovery gives by group customers, answered, satisfied, bought and open.
func (w *world) slowRecovery(from, end time.Time, days int) map[string][5]int {
	complaints, ever := map[uuid.UUID]complaint{}, map[uuid.UUID]bool{}
	for _, c := range w.complaints {
		who, ok := w.whom(c.Customer)
		if !ok {
			continue
		}
		ever[who] = true
		if was, there := complaints[who]; !c.At.Before(from) && c.At.Before(end) && (!there || c.At.After(was.At)) {
			complaints[who] = c
		}
	}
	type member struct {
		group string
		since time.Time
	}
	members := map[uuid.UUID]member{}
	for who, c := range complaints {
		var verdict answer
		for _, a := range w.answers {
			if a.Kind == "csat" && a.Complaint != nil && *a.Complaint == c.ID && !a.At.Before(from) && later(a, verdict) {
				verdict = a
			}
		}
		switch {
		case c.Closed == nil:
			members[who] = member{"not_recovered", c.At}
		case c.Outcome == "not_agreed" || verdict.Score > 0 && verdict.Score < 4:
			members[who] = member{"not_recovered", *c.Closed}
		case verdict.Score >= 4:
			members[who] = member{"recovered", *c.Closed}
		default:
			members[who] = member{"not_judged", *c.Closed}
		}
	}
	for _, o := range w.orders {
		who, ok := w.whom(o.Customer)
		if !ok || ever[who] || o.Back || o.At.Before(from) || !o.At.Before(end) {
			continue
		}
		if was, there := members[who]; !there || o.At.Before(was.since) {
			members[who] = member{"never_complained", o.At}
		}
	}
	found := map[string][5]int{}
	for who, m := range members {
		f := found[m.group]
		if m.since.AddDate(0, 0, days).After(time.Now()) {
			f[4]++
			found[m.group] = f
			continue
		}
		f[0]++
		var last answer
		for _, a := range w.answers {
			if a.Kind != "csat" || a.Customer == nil || a.Complaint != nil || !a.At.After(m.since) || a.At.After(m.since.AddDate(0, 0, days)) {
				continue
			}
			if id, ok := w.whom(*a.Customer); ok && id == who && later(a, last) {
				last = a
			}
		}
		if last.Score > 0 {
			f[1]++
		}
		if last.Score >= 4 {
			f[2]++
		}
		if w.boughtWithin(who, m.since, days) {
			f[3]++
		}
		found[m.group] = f
	}
	return found
}

func TestRecoveryIsReckonedCustomerByCustomer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		w := start(t, 6+seed)
		from, to, days := today().AddDate(0, 0, -280), today().AddDate(0, 0, -3), 60
		want := w.slowRecovery(from, to.AddDate(0, 0, 1), days)
		var got recovery
		w.Want(http.StatusOK, http.MethodGet, fmt.Sprintf("%s/recovery?from=%s&to=%s&within_days=%d", root, from.Format(time.DateOnly), to.Format(time.DateOnly), days), w.Sales, nil, &got)
		require.Len(t, got.Groups, 4)
		for _, g := range got.Groups {
			share := func(s *struct{ Value, Low, High float64 }, of int) int {
				if s == nil {
					return 0
				}
				return int(s.Value*float64(of) + .5)
			}
			require.Equal(t, want[g.Group], [5]int{g.Customers, g.Answered, share(g.Satisfied, g.Answered), share(g.Repurchase, g.Customers), g.Open}, g.Group)
		}
		require.NotZero(t, want["never_complained"][0])
		require.NotZero(t, want["not_recovered"][0])
		for _, c := range got.Comparisons {
			if !c.Enough {
				require.False(t, c.Seen)
			}
		}
	}
}

// TestTheParadoxIsSaidOnlyWhereItIsSeen has customers who were recovered and buy again, and those who never complained, of whom few or half do.
func TestTheParadoxIsSaidOnlyWhereItIsSeen(t *testing.T) {
	t.Parallel()
	w := &world{World: analyticstest.Start(t), t: t}
	day := func(n int) time.Time { return today().AddDate(0, 0, n-200) }
	for tenant, again := range map[string]int{"music": 4, "pizza": 13} {
		var answers []answer
		var orders []order
		var complaints []complaint
		for i := range 30 {
			id, closed := analyticstest.ID(), day(5)
			orders = append(orders, order{analyticstest.ID(), id, day(1), false})
			if i < 15 {
				c := complaint{analyticstest.ID(), id, day(2), &closed, "settled"}
				complaints = append(complaints, c)
				answers = append(answers, answer{analyticstest.ID(), &id, uuid.New(), "csat", 5, "complaint", "", &c.ID, day(6)})
			}
			if i < 14 || i >= 15 && i < 15+again {
				orders = append(orders, order{analyticstest.ID(), id, day(20), false})
			}
		}
		w.put(tenant, answers, orders, complaints)
		var got recovery
		w.Want(http.StatusOK, http.MethodGet, root+"/recovery", w.Token("sales", tenant), nil, &got)
		require.Len(t, got.Comparisons, 1, "nobody answered anything else, and no complaint failed")
		c := got.Comparisons[0]
		require.Equal(t, []any{"repurchase", "never_complained", true, again == 4}, []any{c.Of, c.With, c.Enough, c.Seen})
		require.InDelta(t, float64(14-again)/15, c.Difference.Value, 1e-9)
		require.Equal(t, again == 4, got.Paradox)
		w.Want(http.StatusOK, http.MethodGet, root+"/recovery?min_n=16", w.Token("sales", tenant), nil, &got)
		require.False(t, got.Paradox, "of too few it is not said")
	}
}
