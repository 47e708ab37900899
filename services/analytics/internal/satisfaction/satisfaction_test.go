package satisfaction_test

import (
	"math"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/satisfaction"
)

func near(a, b, within float64) bool { return math.Abs(a-b) <= within }

func TestScoresCarryTheirIntervals(t *testing.T) {
	t.Parallel()
	c := satisfaction.Counts{9: 50, 8: 20, 3: 30}
	// p = .5, d = .3: variance (.8 − .04)/100, error .0871780.
	if i := c.Promoters(); !near(i.Value, 20, 1e-9) || !near(i.Low, 20-17.08689, 1e-4) || !near(i.High, 20+17.08689, 1e-4) {
		t.Errorf("%+v", i)
	}
	// Ten of ten: Wilson's share goes down to .72246.
	for name, x := range map[string]struct {
		c    satisfaction.Counts
		want rating.Interval
	}{
		"all promote":  {satisfaction.Counts{10: 10}, rating.Interval{Value: 100, Low: 44.492, High: 100}},
		"all detract":  {satisfaction.Counts{0: 10}, rating.Interval{Value: -100, Low: -100, High: -44.492}},
		"all in doubt": {satisfaction.Counts{7: 10}, rating.Interval{Value: 0, Low: -27.754, High: 27.754}},
	} {
		if i := x.c.Promoters(); !near(i.Value, x.want.Value, 1e-9) || !near(i.Low, x.want.Low, .01) || !near(i.High, x.want.High, .01) {
			t.Errorf("%s: %+v", name, i)
		}
	}
	five := satisfaction.Counts{1: 1, 2: 1, 3: 1, 4: 1, 5: 1}
	want, _ := rating.Mean([]float64{1, 2, 3, 4, 5})
	if i, ok := five.Mean(); !ok || !near(i.Low, want.Low, 1e-9) || !near(i.High, want.High, 1e-9) || i.Value != 3 {
		t.Errorf("%+v", i)
	}
	if _, ok := (satisfaction.Counts{4: 1}).Mean(); ok {
		t.Error("one answer has no interval")
	}
	// 4 and 5 of 1 to 5: two of five, by Wilson .1176 to .7693.
	if i := five.Share(4, 5); i.Value != .4 || !near(i.Low, .1176, 1e-4) || !near(i.High, .7693, 1e-4) {
		t.Errorf("%+v", i)
	}
}

func TestStretchesCoverTheTime(t *testing.T) {
	t.Parallel()
	day := func(s string) time.Time { d, _ := time.Parse(time.DateOnly, s); return d }
	for _, c := range []struct {
		grain       satisfaction.Grain
		from, to    string
		n           int
		first, last string
	}{
		{satisfaction.Day, "2026-02-27", "2026-03-01", 3, "2026-02-27", "2026-03-01"},
		{satisfaction.Week, "2026-03-01", "2026-03-02", 2, "2026-02-23", "2026-03-02"}, // a Sunday and a Monday
		{satisfaction.Month, "2025-11-30", "2026-01-01", 3, "2025-11-01", "2026-01-01"},
	} {
		all := c.grain.Stretches(day(c.from), day(c.to))
		if len(all) != c.n || !all[0].Equal(day(c.first)) || !all[len(all)-1].Equal(day(c.last)) {
			t.Errorf("%+v: %v", c, all)
		}
	}
}
