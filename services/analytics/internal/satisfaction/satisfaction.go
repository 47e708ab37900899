// Package satisfaction says how satisfied customers are, where along their way they are not, what moves it, and what comes of it.
//
// Answers of nobody who is known, and of customers who were erased, count in totals and never as customers. Answers are taken as if
// they were independent of each other, also where several are of one customer.
package satisfaction

import (
	"math"
	"time"

	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

// The kinds of surveys with a score.
const (
	CSAT = "csat" // how satisfied: 1 to 5
	NPS  = "nps"  // how likely to recommend: 0 to 10
	CES  = "ces"  // how easy it was: 1 to 7
)

// Counts is how often each score from 0 to 10 was given.
type Counts [11]int64

// N is the number of answers.
func (c Counts) N() int { return int(c.between(0, 10)) }

func (c Counts) between(low, high int) (n int64) {
	for _, k := range c[low : high+1] {
		n += k
	}
	return n
}

// Plus adds up two.
func (c Counts) Plus(d Counts) Counts {
	for score, n := range d {
		c[score] += n
	}
	return c
}

// moments gives the mean and the variance of the sample, which is NaN for fewer than two answers.
func (c Counts) moments() (mean, variance float64) {
	n := float64(c.N())
	for score, k := range c {
		mean += float64(score) * float64(k) / n
	}
	for score, k := range c {
		variance += float64(k) * square(float64(score)-mean)
	}
	if n < 2 {
		return mean, math.NaN()
	}
	return mean, variance / (n - 1)
}

// Mean gives the mean score with Student's interval; ok is false for fewer than two answers, of which an interval says nothing.
func (c Counts) Mean() (i rating.Interval, ok bool) {
	if c.N() == 0 {
		return rating.Interval{}, false
	}
	mean, variance := c.moments()
	return rating.Around(mean, variance/float64(c.N()), c.N())
}

// Share gives the share of scores from low to high with Wilson's interval. There must be an answer.
func (c Counts) Share(low, high int) rating.Interval {
	return rating.Interval(proportion.Wilson(int(c.between(low, high)), c.N()))
}

// Promoters gives the net promoter score of answers from 0 to 10, in points from −100 to 100: the percentage of 9 and 10 less that of
// 0 to 6 (F. Reichheld, The one number you need to grow, Harvard Business Review 81 (2003)). Its variance is that of a difference
// of two shares of one sample, (p + d − (p − d)²)/n. Where all stand in one group that would be 0, as if it were certain; the
// interval then goes as far as Wilson's of that group's share does, the rest at the other end. There must be an answer.
func (c Counts) Promoters() rating.Interval {
	n := float64(c.N())
	p, d := float64(c.between(9, 10))/n, float64(c.between(0, 6))/n
	i := rating.Interval{Value: 100 * (p - d)}
	sure := proportion.Wilson(c.N(), c.N()).Low
	switch {
	case p == 1:
		i.Low, i.High = 100*(2*sure-1), 100
	case d == 1:
		i.Low, i.High = -100, 100*(1-2*sure)
	case p == 0 && d == 0:
		i.Low, i.High = -100*(1-sure), 100*(1-sure)
	default:
		half := 100 * proportion.Z * math.Sqrt((p+d-square(p-d))/n)
		i.Low, i.High = max(-100, i.Value-half), min(100, i.Value+half)
	}
	return i
}

func square(v float64) float64 { return v * v }

// Grain is how long the stretches of a trend are.
type Grain string

// The grains; weeks begin on Mondays.
const (
	Day   Grain = "day"
	Week  Grain = "week"
	Month Grain = "month"
)

// begin is the first day of the stretch that a day lies in.
func (g Grain) begin(day time.Time) time.Time {
	switch g {
	case Week:
		return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	case Month:
		return time.Date(day.Year(), day.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return day
}

// Stretches are the first days of all stretches that have a day from one day to another, both included.
func (g Grain) Stretches(from, to time.Time) (all []time.Time) {
	for day := g.begin(from); !day.After(to); {
		all = append(all, day)
		switch g {
		case Week:
			day = day.AddDate(0, 0, 7)
		case Month:
			day = day.AddDate(0, 1, 0)
		default:
			day = day.AddDate(0, 0, 1)
		}
	}
	return all
}

// Span is the time that a question is about: midnights UTC of its first and its last day, both included.
type Span struct{ From, To time.Time }

// end is the first moment that is not in the span any more.
func (s Span) end() time.Time { return s.To.AddDate(0, 0, 1) }
