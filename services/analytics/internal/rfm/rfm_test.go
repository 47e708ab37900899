package rfm_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/rfm"
)

func TestScoreIsOnePlusFiveTimesTheShareThatIsWorse(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		worse, n int64
		want     int
	}{
		{"alone", 0, 1, 1},
		{"the worst of ten", 0, 10, 1},
		{"one worse of ten", 1, 10, 1},
		{"two worse of ten: the next fifth begins", 2, 10, 2},
		{"the middle of ten", 5, 10, 3},
		{"the best of ten", 9, 10, 5},
		{"half of all share the worst place and the others are all equal", 50, 100, 3},
		{"the best of four", 3, 4, 4},
		{"nobody", 0, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := rfm.Score(c.worse, c.n); got != c.want {
				t.Errorf("Score(%d, %d) = %d, want %d", c.worse, c.n, got, c.want)
			}
		})
	}
}

func TestScoreStaysWithinOneToFive(t *testing.T) {
	t.Parallel()
	for n := int64(1); n <= 200; n++ {
		last := 0
		for worse := range n {
			s := rfm.Score(worse, n)
			if s < 1 || s > 5 || s < last {
				t.Fatalf("Score(%d, %d) = %d after %d", worse, n, s, last)
			}
			last = s
		}
	}
}

func TestWindowEndsWithAndIncludesItsDay(t *testing.T) {
	t.Parallel()
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	cases := []struct {
		asOf     string
		days     int
		from, to string
	}{
		{"1997-03-31", 1, "1997-03-31", "1997-04-01"},
		{"1997-03-31", 31, "1997-03-01", "1997-04-01"},
		{"2000-03-01", 2, "2000-02-29", "2000-03-02"},
		{"1998-01-01", 365, "1997-01-02", "1998-01-02"},
	}
	for _, c := range cases {
		from, to := rfm.Window{AsOf: day(c.asOf), Days: c.days}.Bounds()
		if !from.Equal(day(c.from)) || !to.Equal(day(c.to)) {
			t.Errorf("%d days to %s: %s to %s", c.days, c.asOf, from, to)
		}
	}
	if from, _ := (rfm.Window{AsOf: day("1997-03-31")}).Bounds(); !from.IsZero() {
		t.Errorf("no window begins at %s, want the beginning of time", from)
	}
}

func TestRateCountsWholeDays(t *testing.T) {
	t.Parallel()
	asOf := time.Date(1998, 6, 30, 0, 0, 0, 0, time.UTC)
	cuts := rfm.Cuts{
		R: []time.Time{asOf.AddDate(0, 0, -365), asOf.AddDate(0, 0, -180), asOf.AddDate(0, 0, -90), asOf.AddDate(0, 0, -30)},
		F: []int64{2, 3, 4, 5}, M: []int64{100, 200, 300, 400},
	}
	for _, c := range []struct {
		name     string
		daysAgo  int
		days, m  int64
		r, f, mm int
		cell     string
	}{
		{"recent, often, little", 3, 5, 99, 5, 5, 1, "champions"},
		{"exactly on each bound", 30, 4, 300, 5, 4, 4, "loyal"},
		{"a day too long ago", 31, 4, 299, 4, 4, 3, "loyal"},
		{"long ago, once", 366, 1, 0, 1, 1, 1, "lost"},
		{"less than nothing", 365, 1, -5, 2, 1, 1, "lost"},
	} {
		got := cuts.Rate(rfm.Purchases{LastDay: asOf.AddDate(0, 0, -c.daysAgo), Days: c.days, NetMinor: c.m}, rfm.HouseCells(), asOf)
		if got.RecencyDays != int64(c.daysAgo) || got.R != c.r || got.F != c.f || got.M != c.mm || got.Cell != c.cell {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestTheFewestThatMustBeWorseGiveTheScore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 5000).Draw(t, "n")
		s := rapid.IntRange(2, 5).Draw(t, "s")
		fewest := rfm.Fewest(s, n)
		if fewest > 0 && rfm.Score(fewest-1, n) >= s || fewest < n && rfm.Score(fewest, n) < s {
			t.Fatalf("Fewest(%d, %d) = %d", s, n, fewest)
		}
	})
}
