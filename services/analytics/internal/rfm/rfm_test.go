package rfm_test

import (
	"testing"
	"time"

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
	r := rfm.Rate(rfm.Purchases{LastDay: asOf.AddDate(0, 0, -3), Days: 4, NetMinor: 999, WorseByRecency: 9, WorseByFrequency: 9, WorseByMonetary: 0}, 10, asOf)
	if r.RecencyDays != 3 || r.R != 5 || r.F != 5 || r.M != 1 || r.Cell != "champions" {
		t.Errorf("got %+v", r)
	}
}
