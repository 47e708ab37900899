// Package tier keeps the ranks of members: what they have earned towards them, when they rise and fall, and who is held where by
// a person or a paid membership.
//
// A member has a base, the level by merit, and a tier, which is the base or a floor, whichever is higher. The base rises at
// once. It falls only by a review, which takes place once for each period of the member, so many days of grace after it has
// ended, or by a return where the terms say so. All of it can be reckoned anew from the rows: qualifying points by day, the
// score, the floors, and the base.
package tier

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Why a tier was decided about.
const (
	ReasonEarned   = "earned"
	ReasonReview   = "review"
	ReasonManual   = "manual"
	ReasonEnded    = "floor_ended"
	ReasonTerms    = "programme_changed"
	ReasonPaid     = "paid"
	ReasonReturned = "returned"
)

// Standing is where a member stands. The zero Standing is that of one about whom nothing was ever decided.
type Standing struct {
	Version      int // of the terms that it was last judged by
	Score        int // growth score
	Base         string
	BaseRank     int
	Level        string // code of the tier; empty where there are none
	Since        time.Time
	ReviewAt     time.Time // end of the period after which the base is reviewed; zero for the lowest
	Manual, Paid Floor
	WarnedFor    time.Time // the fall that was told of
	DueAt        time.Time // when the next look is due; zero: never
	Decisions    int       // number of the latest
}

// Floor is a level that a member has at least, until a time. The zero Floor is none.
type Floor struct {
	Level  string
	Until  time.Time
	Reason string // code; only of one that a person set
}

// Decision is something that was decided about a member's tier.
type Decision struct {
	No         int
	Reason     string
	From, To   string // codes; From is empty for the first
	Rank       int    // of To
	Qualifying int64  // points, or growth score, that it was decided by
	ReviewAt   time.Time
	ValidUntil time.Time // until when the tier is kept at least; zero where nothing is promised
	Note       string    // code: why a person set it
	By         string
	At         time.Time
}

// Moved tells whether the tier is another one since.
func (d Decision) Moved() bool { return d.From != d.To }

// Fall is what becomes of a tier if nothing is done.
type Fall struct {
	At      time.Time
	To      int   // rank
	Missing int64 // to keep the tier, more than 0
	// Savable tells whether something can be earned that keeps it. Where a tier ends with its period, and there is no grace, there
	// is nothing.
	Savable bool
}

// Next is what is missing to the next tier.
type Next struct {
	Rank    int
	Missing int64
	By      time.Time // until when so much is enough; zero: always
}

// sum is the qualifying points of a day.
type sum struct {
	day    Day
	points int64
}

// file is everything by which a member's tier is judged at a time. Its methods change the standing and note what was decided.
type file struct {
	member    uuid.UUID
	customer  uuid.UUID
	programme string
	version   int
	terms     programme.Tiers
	zone      *time.Location
	enrolled  Day
	gone      bool // the member has left: nobody is warned
	now       time.Time
	by        string
	days      []sum // in no order
	known     bool  // it was judged before
	Standing

	decided []Decision
	warning *Fall
}

func (c *file) today() Day { return dayOf(c.now, c.zone) }

// count adds up the points of some days.
func (c *file) count(s span) (points int64) {
	for _, d := range c.days {
		if s.from <= d.day && d.day < s.to {
			points += d.points
		}
	}
	return points
}

// current gives what counts now: the points of the period that is going on, or the score.
func (c *file) current() int64 {
	if c.terms.ByGrowth() {
		return int64(c.Score)
	}
	return c.count(c.periodOf(c.today()))
}

func (c *file) grace() Day { return Day(c.terms.GraceDays) }

func (c *file) rolling() bool { return c.terms.PeriodKind() == programme.PeriodRolling }

func (c *file) keepsNext() bool { return c.terms.Keep != programme.KeepThisPeriod }

// last gives the period before the one that is going on, with its grace.
func (c *file) last() span {
	s := c.before(c.periodOf(c.today()).from)
	s.to += c.grace()
	return s
}

// lasts tells whether what was reached in a period is kept through the next one, so that its points count now as well.
func (c *file) lasts() bool { return !c.terms.ByGrowth() && !c.rolling() && c.keepsNext() }

// entitled gives the rank that what counts now earns.
func (c *file) entitled() int {
	points := c.current()
	if c.lasts() {
		points = max(points, c.count(c.last()))
	}
	return c.terms.Earned(points)
}

// towards gives what counts that can still grow, and the day with which that ends: the points of the period that is going on, or,
// in the grace of the one before, of that where they are more.
func (c *file) towards() (points int64, ends Day) {
	points, ends = c.current(), c.periodOf(c.today()).to
	if last := c.last(); c.lasts() && c.today() < last.to && c.count(last) > points {
		points, ends = c.count(last), last.to
	}
	return points, ends
}

// reviewed gives what a review of the period that ended with the day counts.
func (c *file) reviewed(end Day) int64 {
	switch {
	case c.terms.ByGrowth():
		return int64(c.Score)
	case !c.keepsNext(): // what was reached in the period ends with it; only what its grace brought remains
		return c.count(span{end, end + c.grace()})
	case c.rolling():
		return c.count(span{end.plus(-c.terms.Months), end + c.grace()})
	default:
		return c.count(span{c.before(end).from, end + c.grace()})
	}
}

// lowered gives the base after a review that found so much.
func (c *file) lowered(points int64) int {
	earned := c.terms.Earned(points)
	if earned < c.BaseRank && c.terms.Downgrade != programme.DowngradeEarned {
		return max(c.BaseRank-1, earned)
	}
	return earned
}

// reviewDay is the end of the period that is to be reviewed.
func (c *file) reviewDay() Day { return dayOf(c.ReviewAt, c.zone) }

// fallsAt is when the review takes place: after the grace.
func (c *file) fallsAt() time.Time { return (c.reviewDay() + c.grace()).start(c.zone) }

// firstReview gives when a base is reviewed that was reached today.
func (c *file) firstReview() time.Time {
	d := c.today()
	switch p := c.periodOf(d); {
	case c.rolling():
		return (d + 1).plus(c.terms.Months).start(c.zone)
	case c.terms.ByGrowth() && c.keepsNext():
		return c.periodOf(p.to).to.start(c.zone)
	default:
		return p.to.start(c.zone)
	}
}

// nextReview gives when a base is reviewed again.
func (c *file) nextReview() time.Time {
	if c.rolling() {
		return c.reviewDay().plus(c.terms.Months).start(c.zone)
	}
	return c.periodOf(c.reviewDay()).to.start(c.zone)
}

// setBase takes the member to another base.
func (c *file) setBase(rank int) {
	c.Base, c.BaseRank = c.terms.Levels[rank].Code, rank
	if rank == 0 {
		c.ReviewAt = time.Time{}
	}
}

// rise takes the base up to what is earned.
func (c *file) rise() {
	rank := c.entitled()
	if rank <= c.BaseRank {
		return
	}
	c.setBase(rank)
	// Points of a period are reviewed at its end, whenever they were reached; else the time begins anew.
	if first := c.firstReview(); c.ReviewAt.IsZero() || (c.rolling() || c.terms.ByGrowth()) && first.After(c.ReviewAt) {
		c.ReviewAt = first
	}
}

// rankAt gives the tier's rank at a time, of a member who has this base then.
func (c *file) rankAt(base int, at time.Time) int {
	for _, f := range []Floor{c.Manual, c.Paid} {
		if rank, known := c.terms.Rank(f.Level); known && f.Until.After(at) {
			base = max(base, rank)
		}
	}
	return base
}

// rank is the tier's.
func (c *file) rank() int {
	rank, _ := c.terms.Rank(c.Level)
	return rank
}

// decide notes the tier that base and floors make at a time; what changed nothing is noted only where it always is.
func (c *file) decide(reason string, at time.Time, points int64, always bool) {
	rank := c.rankAt(c.BaseRank, at)
	d := Decision{
		No: c.Decisions + 1, Reason: reason, From: c.Level, To: c.terms.Levels[rank].Code, Rank: rank, Qualifying: points, By: c.by, At: c.now,
	}
	if d.Moved() {
		c.Since = c.now
	} else if !always {
		return
	}
	c.Level, c.Decisions = d.To, d.No
	d.ValidUntil = c.validUntil()
	c.decided = append(c.decided, d)
}

// latest is what was decided last.
func (c *file) latest() *Decision { return &c.decided[len(c.decided)-1] }

// validUntil gives until when the tier is kept at least.
func (c *file) validUntil() (until time.Time) {
	rank := c.rank()
	if rank == 0 {
		return time.Time{}
	}
	if c.BaseRank >= rank {
		until = c.fallsAt()
		now := c.periodOf(c.today())
		earned := c.lasts() && c.terms.Earned(c.count(now)) >= rank
		if earned {
			until = (c.periodOf(now.to).to + c.grace()).start(c.zone)
		}
	}
	for _, f := range []Floor{c.Manual, c.Paid} {
		if r, known := c.terms.Rank(f.Level); known && r >= rank && f.Until.After(until) && f.Until.After(c.now) {
			until = f.Until
		}
	}
	return until
}
