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

// upcoming gives what comes first, at a time or since then; do is nil where nothing does.
func (c *file) upcoming() (at time.Time, do func()) {
	earliest := func(t time.Time, f func()) {
		if !t.IsZero() && (do == nil || t.Before(at)) {
			at, do = t, f
		}
	}
	if c.BaseRank > 0 {
		earliest(c.fallsAt(), c.review)
	}
	earliest(c.Manual.Until, func() { c.endFloor(&c.Manual) })
	earliest(c.Paid.Until, func() { c.endFloor(&c.Paid) })
	return at, do
}

// catchUp does what was due until now, in the order in which it was.
func (c *file) catchUp() {
	for at, do := c.upcoming(); do != nil && !at.After(c.now); at, do = c.upcoming() {
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
	c.latest().ReviewAt = end
}

func (c *file) endFloor(f *Floor) {
	at := f.Until
	*f = Floor{}
	c.decide(ReasonEnded, at, c.current(), false)
}

// look does what is due, takes away what the points that were taken back had earned where the terms want that at once, takes the
// base up to what is earned, and says when the next look is due.
func (c *file) look(taken ...sum) {
	c.adopt()
	if !c.terms.On() {
		return
	}
	c.catchUp()
	c.takeBack(taken)
	c.rise()
	c.settle(ReasonEarned)
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

// fall gives when, and to what, the tier falls by what is known now: at the next review, or before or when a floor ends.
func (c *file) fall() (Fall, bool) {
	rank := c.rank()
	later := *c // in which the time goes on
	later.decided = nil
	var review, until time.Time
	if c.BaseRank > 0 {
		review = c.fallsAt()
	}
	for _, t := range []time.Time{review, c.Manual.Until, c.Paid.Until} {
		if t.After(until) {
			until = t
		}
	}
	for rank > 0 {
		at, do := later.upcoming()
		if do == nil || at.After(until) {
			break
		}
		if do(); later.rank() < rank {
			return c.falling(rank, later.rank(), at, at.Equal(review)), true
		}
	}
	return Fall{}, false
}

// falling tells what keeps the tier: at the next review what that counts, and else what counts now.
func (c *file) falling(rank, to int, at time.Time, byReview bool) Fall {
	f := Fall{At: at, To: to, Savable: true}
	counted, _ := c.towards()
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
	points, ends := c.towards()
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
	c.latest().Note = to.Reason
	c.plan()
}
