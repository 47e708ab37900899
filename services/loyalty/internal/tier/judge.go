package tier

import (
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// adopt brings the standing under the terms in force: a base whose level is no more becomes that of the same place, and a higher
// one that is earned by them is taken at once; a lower one only at the next review.
func (c *file) adopt() {
	was, known := c.Version, c.known
	c.Version, c.known = c.version, true
	switch {
	case known && was == c.version:
		return
	case !c.terms.On():
		if c.Level != "" {
			c.without()
		}
		return
	case !known:
		c.setBase(0)
		return
	}
	rank, there := c.terms.Rank(c.Base)
	if !there {
		rank = min(c.BaseRank, len(c.terms.Levels)-1)
	}
	c.setBase(rank)
	c.rise()
	if c.BaseRank > 0 && (c.ReviewAt.IsZero() || !c.rolling() && c.periodOf(c.reviewDay()).from != c.reviewDay()) {
		c.ReviewAt = c.firstReview()
	}
	c.settle(ReasonTerms)
}

// settle takes the member to the tier that it has by now.
func (c *file) settle(reason string) {
	if c.Level == "" && c.rankAt(c.BaseRank, c.now) == 0 {
		c.Level, c.Since = c.terms.Lowest(), c.now // everybody has it: nothing to tell
	}
	c.decide(reason, c.now, c.current(), false)
}

// without is what terms that have no tiers leave.
func (c *file) without() {
	c.decided = append(c.decided, Decision{No: c.Decisions + 1, Reason: ReasonTerms, From: c.Level, By: c.by, At: c.now})
	c.Decisions++
	c.Base, c.BaseRank, c.Level, c.Since = "", 0, "", c.now
	c.ReviewAt, c.DueAt, c.WarnedFor, c.Manual, c.Paid = time.Time{}, time.Time{}, time.Time{}, Floor{}, Floor{}
}

// catchUp does what was due until now, in the order in which it was.
func (c *file) catchUp() {
	for {
		var (
			first time.Time
			do    func()
		)
		due := func(at time.Time, f func()) {
			if !at.IsZero() && !at.After(c.now) && (do == nil || at.Before(first)) {
				first, do = at, f
			}
		}
		if c.BaseRank > 0 {
			due(c.fallsAt(), c.review)
		}
		due(c.Manual.Until, func() { c.endFloor(&c.Manual) })
		due(c.Paid.Until, func() { c.endFloor(&c.Paid) })
		if do == nil {
			return
		}
		do()
	}
}

// review decides about the period that has ended.
func (c *file) review() {
	end, at := c.ReviewAt, c.fallsAt()
	points := c.reviewed(c.reviewDay())
	rank := c.lowered(points)
	c.ReviewAt = c.nextReview()
	c.setBase(rank)
	c.decide(ReasonReview, at, points, true)
	c.last().ReviewAt = end
}

func (c *file) endFloor(f *Floor) {
	at := f.Until
	*f = Floor{}
	c.decide(ReasonEnded, at, c.current(), false)
}

// look does what is due, takes away what the points that were taken back had earned where the terms want that at once, takes the
// base up to what is earned, and says when the next look is due.
func (c *file) look(reason string, taken ...sum) {
	c.adopt()
	if !c.terms.On() {
		return
	}
	c.catchUp()
	c.takeBack(taken)
	c.rise()
	c.settle(reason)
	c.plan()
}

// takeBack takes the base down to what is earned, where that is because of the points that were taken back.
func (c *file) takeBack(taken []sum) {
	if c.terms.TakeBack != programme.TakeBackAtOnce || c.terms.ByGrowth() || len(taken) == 0 {
		return
	}
	after, days := c.entitled(), c.days
	c.days = slices.Clone(days)
	for _, t := range taken {
		c.days = append(c.days, sum{t.day, -t.points})
	}
	before := c.entitled()
	c.days = days
	if before < c.BaseRank || after >= c.BaseRank {
		return
	}
	c.setBase(after)
	c.decide(ReasonReturned, c.now, c.current(), false)
}

// plan finds what is due next, and warns of a fall whose time has come.
func (c *file) plan() {
	c.DueAt = time.Time{}
	due := func(t time.Time) {
		if !t.IsZero() && (c.DueAt.IsZero() || t.Before(c.DueAt)) {
			c.DueAt = t
		}
	}
	if c.BaseRank > 0 {
		due(c.fallsAt())
	}
	due(c.Manual.Until)
	due(c.Paid.Until)
	fall, falls := c.fall()
	if !falls || c.terms.WarnDays == 0 || c.gone || c.WarnedFor.Equal(fall.At) {
		return
	}
	warn := (dayOf(fall.At, c.zone) - Day(c.terms.WarnDays)).start(c.zone)
	if c.now.Before(warn) {
		due(warn)
		return
	}
	c.WarnedFor, c.warning = fall.At, &fall
}

// fall gives when, and to what, the tier falls next by what is known now.
func (c *file) fall() (Fall, bool) {
	rank := c.rank()
	if rank == 0 {
		return Fall{}, false
	}
	var (
		reviewed time.Time
		lowered  = c.BaseRank
	)
	times := []time.Time{c.Manual.Until, c.Paid.Until}
	if c.BaseRank > 0 {
		reviewed = c.fallsAt()
		lowered = c.lowered(c.reviewed(c.reviewDay()))
		times = append(times, reviewed)
	}
	slices.SortFunc(times, time.Time.Compare)
	for _, at := range times {
		if at.IsZero() {
			continue
		}
		base := c.BaseRank
		if !reviewed.IsZero() && !at.Before(reviewed) {
			base = lowered
		}
		if to := c.rankAt(base, at); to < rank {
			return c.falling(rank, to, at, !reviewed.IsZero() && !at.Before(reviewed)), true
		}
	}
	return Fall{}, false
}

func (c *file) falling(rank, to int, at time.Time, byReview bool) Fall {
	f := Fall{At: at, To: to, Savable: true}
	counted, _ := c.reached()
	if byReview {
		counted = c.reviewed(c.reviewDay())
		f.Savable = c.terms.ByGrowth() || c.keepsNext() || c.terms.GraceDays > 0
	}
	f.Missing = max(1, c.terms.Levels[rank].Threshold-counted)
	return f
}

// next gives what is missing to the tier above.
func (c *file) next() (Next, bool) {
	rank := c.rank() + 1
	if rank >= len(c.terms.Levels) {
		return Next{}, false
	}
	points, ends := c.reached()
	n := Next{Rank: rank, Missing: max(1, c.terms.Levels[rank].Threshold-points)}
	switch {
	case c.terms.ByGrowth():
	case c.rolling():
		n.By = c.firstLoss()
	default:
		n.By = ends.start(c.zone)
	}
	return n, true
}

// firstLoss gives when the first points drop out of a rolling period; zero where there are none.
func (c *file) firstLoss() time.Time {
	now := c.periodOf(c.today())
	var first *sum
	for _, d := range c.days {
		if d.points != 0 && now.from <= d.day && d.day < now.to && (first == nil || d.day < first.day) {
			first = &d
		}
	}
	if first == nil {
		return time.Time{}
	}
	lost := first.day.plus(c.terms.Months)
	for lost.plus(-c.terms.Months) <= first.day {
		lost++
	}
	// The period of a day ends with it: it has lost a day once the day after begins the count later.
	return (lost - 1).start(c.zone)
}

// setFloor puts a floor in, or takes it away where it is that of the lowest level.
func (c *file) setFloor(f *Floor, to Floor, reason string) {
	c.adopt()
	c.catchUp()
	c.rise()
	c.settle(ReasonEarned)
	*f = to
	if rank, _ := c.terms.Rank(to.Level); rank == 0 {
		*f = Floor{}
	}
	c.decide(reason, c.now, c.current(), true)
	c.last().Note = to.Reason
	c.plan()
}
