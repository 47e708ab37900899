package tier_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// reference judges a member slowly, from rows and dates as people write them: "2024-02-29". It knows nothing of days that are
// counted or of sums that are kept.
type reference struct {
	p        programme.Programme
	enrolled string
	rows     []row
	score    int64

	version      int
	base         int
	review       string // date; empty: none
	manual, paid floor
	reviews      []string // dates about which a review decided
}

type row struct {
	date   string
	points int64
}

type floor struct {
	code  string
	until time.Time
}

func dateOf(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.DateOnly) }

func split(date string) (y, m, d int) {
	_, _ = fmt.Sscanf(date, "%d-%d-%d", &y, &m, &d)
	return y, m, d
}

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func clamp(y, m, d int) string {
	last := []int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[m-1]
	if m == 2 && leap(y) {
		last = 29
	}
	return fmt.Sprintf("%04d-%02d-%02d", y, m, min(d, last))
}

func addMonths(date string, n int) string {
	y, m, d := split(date)
	for ; n > 0; n-- {
		if m++; m > 12 {
			y, m = y+1, 1
		}
	}
	for ; n < 0; n++ {
		if m--; m < 1 {
			y, m = y-1, 12
		}
	}
	return clamp(y, m, d)
}

func addDays(date string, n int) string {
	y, m, d := split(date)
	return time.Date(y, time.Month(m), d+n, 12, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// begins gives the first moment that a clock in the zone shows the date, or a later one.
func begins(date string, zone *time.Location) time.Time {
	y, m, d := split(date)
	t := time.Date(y, time.Month(m), d-1, 6, 0, 0, 0, time.UTC)
	for dateOf(t, zone) < date {
		t = t.Add(15 * time.Minute)
	}
	return t
}

// period gives the period that a date is in.
func (r *reference) period(date string) (from, to string) {
	t := r.p.Tiers
	switch t.PeriodKind() {
	case programme.PeriodRolling:
		to = addDays(date, 1)
		return addMonths(to, -t.Months), to
	case programme.PeriodMembershipYear:
		y, _, _ := split(date)
		_, m, d := split(r.enrolled)
		for y++; clamp(y, m, d) > date; {
			y--
		}
		return clamp(y, m, d), clamp(y+1, m, d)
	default:
		y, _, _ := split(date)
		return clamp(y, 1, 1), clamp(y+1, 1, 1)
	}
}

func (r *reference) sum(from, to string) (points int64) {
	for _, one := range r.rows {
		if from <= one.date && one.date < to {
			points += one.points
		}
	}
	return points
}

func (r *reference) earned(points int64) (rank int) {
	for i, l := range r.p.Tiers.Levels {
		if l.Threshold <= points {
			rank = i
		}
	}
	return rank
}

func (r *reference) thisPeriodOnly() bool { return r.p.Tiers.Keep == programme.KeepThisPeriod }

// entitled gives what counts on a date.
func (r *reference) entitled(date string) int {
	if r.p.Tiers.ByGrowth() {
		return r.earned(r.score)
	}
	from, to := r.period(date)
	best := r.earned(r.sum(from, to))
	if r.p.Tiers.PeriodKind() == programme.PeriodRolling || r.thisPeriodOnly() {
		return best
	}
	before, _ := r.period(addDays(from, -1))
	return max(best, r.earned(r.sum(before, addDays(from, r.p.Tiers.GraceDays))))
}

func (r *reference) first(date string) string {
	from, to := r.period(date)
	_ = from
	switch {
	case r.p.Tiers.PeriodKind() == programme.PeriodRolling:
		return addMonths(addDays(date, 1), r.p.Tiers.Months)
	case r.p.Tiers.ByGrowth() && !r.thisPeriodOnly():
		_, to = r.period(to)
	}
	return to
}

// judgeReview takes the base down after the period that ended with the date of the review.
func (r *reference) judgeReview() {
	end, grace := r.review, r.p.Tiers.GraceDays
	var points int64
	switch {
	case r.p.Tiers.ByGrowth():
		points = r.score
	case r.p.Tiers.PeriodKind() == programme.PeriodRolling:
		points = r.sum(addMonths(end, -r.p.Tiers.Months), addDays(end, grace))
	case r.thisPeriodOnly():
		points = r.sum(end, addDays(end, grace))
	default:
		from, _ := r.period(addDays(end, -1))
		points = r.sum(from, addDays(end, grace))
	}
	to := r.earned(points)
	if r.p.Tiers.Downgrade != programme.DowngradeEarned {
		to = max(to, r.base-1)
	}
	r.reviews = append(r.reviews, end)
	r.base = to
	if r.p.Tiers.PeriodKind() == programme.PeriodRolling {
		r.review = addMonths(end, r.p.Tiers.Months)
	} else {
		_, r.review = r.period(end)
	}
	if r.base == 0 {
		r.review = ""
	}
}

func (r *reference) rise(date string) {
	to := r.entitled(date)
	if to <= r.base {
		return
	}
	r.base = to
	first := r.first(date)
	anew := r.p.Tiers.ByGrowth() || r.p.Tiers.PeriodKind() == programme.PeriodRolling
	if r.review == "" || anew && first > r.review {
		r.review = first
	}
}

// under takes a version of the terms in.
func (r *reference) under(p programme.Programme, now time.Time) {
	was := r.p.Tiers
	r.p = p
	code := was.Levels[r.base].Code
	place := min(r.base, len(p.Tiers.Levels)-1)
	if at, there := p.Tiers.Rank(code); there {
		place = at
	}
	r.base = place
	if r.base == 0 {
		r.review = ""
	}
	date := dateOf(now, p.Zone)
	r.rise(date)
	if r.base == 0 {
		return
	}
	if r.review != "" && p.Tiers.PeriodKind() != programme.PeriodRolling {
		if from, _ := r.period(r.review); from != r.review {
			r.review = ""
		}
	}
	if r.review == "" {
		r.review = r.first(date)
	}
}

// until does what is due until now, in its order.
func (r *reference) until(now time.Time) {
	for {
		var next time.Time
		what := ""
		if r.base > 0 {
			next, what = begins(addDays(r.review, r.p.Tiers.GraceDays), r.p.Zone), "review"
		}
		for name, f := range map[string]*floor{"manual": &r.manual, "paid": &r.paid} {
			if f.code != "" && (what == "" || f.until.Before(next)) {
				next, what = f.until, name
			}
		}
		if what == "" || next.After(now) {
			return
		}
		switch what {
		case "review":
			r.judgeReview()
		case "manual":
			r.manual = floor{}
		default:
			r.paid = floor{}
		}
	}
}

func (r *reference) tier(now time.Time) string {
	rank := r.base
	for _, f := range []floor{r.manual, r.paid} {
		if at, there := r.p.Tiers.Rank(f.code); there && f.until.After(now) {
			rank = max(rank, at)
		}
	}
	return r.p.Tiers.Levels[rank].Code
}

// look is what a command or a review does, after a row was added.
func (r *reference) look(now time.Time, added row) {
	r.until(now)
	date := dateOf(now, r.p.Zone)
	if added.points < 0 && r.p.Tiers.TakeBack == programme.TakeBackAtOnce && !r.p.Tiers.ByGrowth() {
		after := r.entitled(date)
		rows := r.rows
		r.rows = rows[:len(rows)-1]
		before := r.entitled(date)
		r.rows = rows
		if before >= r.base && after < r.base {
			r.base = after
			if r.base == 0 {
				r.review = ""
			}
		}
	}
	r.rise(date)
}

var zones = []string{"Asia/Shanghai", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "UTC"}

func drawTiers(t *rapid.T) programme.Tiers {
	tiers := programme.Tiers{
		Period:    rapid.SampledFrom([]string{"", programme.PeriodCalendarYear, programme.PeriodMembershipYear, programme.PeriodRolling}).Draw(t, "period"),
		Keep:      rapid.SampledFrom([]string{"", programme.KeepThisPeriod}).Draw(t, "keep"),
		GraceDays: rapid.SampledFrom([]int{0, 0, 1, 20}).Draw(t, "grace"),
		Downgrade: rapid.SampledFrom([]string{"", programme.DowngradeEarned}).Draw(t, "downgrade"),
		TakeBack:  rapid.SampledFrom([]string{"", programme.TakeBackAtOnce}).Draw(t, "take back"),
		WarnDays:  rapid.SampledFrom([]int{0, 30}).Draw(t, "warn"),
		DrivenBy:  rapid.SampledFrom([]string{"", "", programme.DriveGrowth}).Draw(t, "drive"),
	}
	if tiers.Period == programme.PeriodRolling {
		tiers.Months, tiers.Keep = rapid.SampledFrom([]int{1, 3, 12, 24}).Draw(t, "months"), ""
	}
	codes := rapid.Permutation([]string{"a", "b", "c", "d", "e"}).Draw(t, "codes")
	for i := range rapid.IntRange(2, 5).Draw(t, "levels") {
		threshold := int64(0)
		if i > 0 {
			threshold = tiers.Levels[i-1].Threshold + rapid.Int64Range(1, 300).Draw(t, "step")
		}
		tiers.Levels = append(tiers.Levels, programme.Level{Code: codes[i], Threshold: threshold})
	}
	return tiers
}

func drawWhen(t *rapid.T, zone *time.Location) time.Time {
	if rapid.Bool().Draw(t, "odd day") {
		day := rapid.SampledFrom([]string{"2016-02-29", "2016-12-31", "2016-01-31", "2017-01-01", "2017-10-15", "2016-10-16"}).Draw(t, "day")
		return begins(day, zone).Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "seconds")) * time.Second)
	}
	return time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 2*366*24*3600).Draw(t, "when")) * time.Second)
}

func TestTiersAreThoseThatASlowReckoningFromTheRowsGives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		p := programme.Programme{Code: "club", Zone: zone, Version: 1, Terms: programme.Terms{Tiers: drawTiers(t)}}
		now := drawWhen(t, zone)
		c := tier.NewCase(p, now)
		r := &reference{p: p, enrolled: dateOf(now, zone), version: 1}
		c.Look(now, 0, now)
		seen := make(map[time.Time]bool)
		var reviews []string
		type order struct {
			at     time.Time
			points int64
		}
		var orders []order
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int64{0, 1, 86400, 86400 * 20, 86400 * 150, 86400 * 800}).Draw(t, "later"))*time.Second +
				time.Duration(rapid.Int64Range(0, 86400*9).Draw(t, "seconds"))*time.Second)
			var decided []tier.Decision
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				decided, _ = c.Look(now, 0, now)
				r.look(now, row{})
			case 1:
				level := p.Tiers.Levels[rapid.IntRange(0, len(p.Tiers.Levels)-1).Draw(t, "floor")].Code
				until := now.Add(time.Duration(rapid.Int64Range(1, 86400*500).Draw(t, "until")) * time.Second)
				reason, f := "kindness", &r.manual
				if rapid.Bool().Draw(t, "paid") {
					reason, f = tier.ReasonPaid, &r.paid
				}
				decided, _ = c.Look(now, 0, now)
				r.look(now, row{})
				c.Set(now, level, reason, until)
				if *f = (floor{level, until}); level == p.Tiers.Levels[0].Code {
					*f = floor{}
				}
			case 2:
				p = programme.Programme{Code: "club", Zone: zone, Version: p.Version + 1, Terms: programme.Terms{Tiers: drawTiers(t)}}
				c.Under(p)
				decided, _ = c.Look(now, 0, now)
				r.under(p, now)
				r.look(now, row{})
			case 3:
				r.score = int64(rapid.IntRange(0, 700).Draw(t, "score"))
				c.SetScore(int(r.score))
				decided, _ = c.Look(now, 0, now)
				r.look(now, row{})
			default:
				points := rapid.Int64Range(1, 900).Draw(t, "points")
				at := now.Add(-time.Duration(rapid.SampledFrom([]int64{0, 0, 0, 86400 * 10, 86400 * 400}).Draw(t, "late")) * time.Second)
				if len(orders) > 0 && rapid.IntRange(0, 3).Draw(t, "return") == 0 { // of what was not returned before
					one := &orders[rapid.IntRange(0, len(orders)-1).Draw(t, "of")]
					points, at = -rapid.Int64Range(0, one.points).Draw(t, "returned"), one.at
					one.points += points
				} else {
					orders = append(orders, order{at, points})
				}
				if points == 0 {
					continue
				}
				added := row{dateOf(at, zone), points}
				r.rows = append(r.rows, added)
				decided, _ = c.Look(now, points, at)
				r.look(now, added)
			}
			for _, d := range decided {
				if d.Reason != tier.ReasonReview {
					continue
				}
				if seen[d.ReviewAt] {
					t.Fatalf("decided twice about the period that ended %s", d.ReviewAt)
				}
				seen[d.ReviewAt] = true
				reviews = append(reviews, dateOf(d.ReviewAt, zone))
			}
			compare(t, now, c, r, reviews)
			foresight(t, now, c)
		}
	})
}

func compare(t *rapid.T, now time.Time, c *tier.Case, r *reference, reviews []string) {
	review := ""
	if !c.ReviewAt.IsZero() {
		review = dateOf(c.ReviewAt, r.p.Zone)
	}
	if c.BaseRank != r.base || c.Base != r.p.Tiers.Levels[r.base].Code || c.Level != r.tier(now) || review != r.review {
		t.Fatalf("at %s: base %d, tier %s, review %q; want base %d, tier %s, review %q", now, c.BaseRank, c.Level, review, r.base, r.tier(now), r.review)
	}
	if fmt.Sprint(reviews) != fmt.Sprint(r.reviews) {
		t.Fatalf("reviews of %v, want %v", reviews, r.reviews)
	}
}

// foresight holds what is foretold against what comes.
func foresight(t *rapid.T, now time.Time, c *tier.Case) {
	if !c.DueAt.IsZero() {
		if !c.DueAt.After(now) {
			t.Fatalf("at %s the next look is due at %s", now, c.DueAt)
		}
		if decided, warned := c.Copy().Look(c.DueAt.Add(-time.Microsecond), 0, now); len(decided) > 0 || warned {
			t.Fatalf("before the next look is due %+v was decided", decided)
		}
	} else if decided, warned := c.Copy().Look(now.AddDate(5, 0, 0), 0, now); len(decided) > 0 || warned {
		t.Fatalf("nothing was due, but %+v was decided", decided)
	}
	if fall, falls := c.Falls(); falls {
		before, after := c.Copy(), c.Copy()
		before.Look(fall.At.Add(-time.Microsecond), 0, now)
		after.Look(fall.At, 0, now)
		if before.Level != c.Level || after.Rank() != fall.To {
			t.Fatalf("foretold: %s falls at %s to %d; it was %s before and %s then", c.Level, fall.At, fall.To, before.Level, after.Level)
		}
		if until := c.ValidUntil(); until.After(fall.At) {
			t.Fatalf("promised until %s, but it falls at %s", until, fall.At)
		}
	} else {
		later := c.Copy()
		if until := c.ValidUntil(); !until.IsZero() {
			later.Look(until.Add(-time.Microsecond), 0, now)
			if later.Rank() < c.Rank() {
				t.Fatalf("promised until %s, but it fell before", until)
			}
		}
	}
	if next, more := c.Upward(); more && !growth(c) {
		enough, short := c.Copy(), c.Copy()
		enough.Look(now, next.Missing, now)
		short.Look(now, next.Missing-1, now)
		if enough.Rank() < next.Rank || short.Rank() >= next.Rank {
			t.Fatalf("%d more were to make it %d: they made it %d, and one fewer %d", next.Missing, next.Rank, enough.Rank(), short.Rank())
		}
	}
}

func growth(c *tier.Case) bool { return c.Copy().ByGrowth() }
