// Package rfm rates customers by recency, frequency and monetary value at any date and over any window, relative to all
// customers or by fixed bounds, and names the cell that each stands in.
package rfm

import (
	"time"

	"github.com/google/uuid"
)

// Purchases is what one customer bought in a window, net: an order that came back whole was no purchase, one of 0.00
// was. Days are UTC days.
type Purchases struct {
	CustomerID uuid.UUID
	LastDay    time.Time // day of the last purchase
	Days       int64     // distinct purchase days, the first included
	NetMinor   int64     // minor units, after returns
}

// Rating is a customer's place among the N customers with a purchase in the window.
type Rating struct {
	CustomerID  uuid.UUID
	RecencyDays int64 // days from the last purchase to the as-of date
	Frequency   int64 // distinct purchase days
	NetMinor    int64 // minor units
	R, F, M     int   // 1 to 5, 5 is best
	Cell        string
}

// Score is 1 + ⌊5L/N⌋ for a customer with L customers strictly worse among N: 1 to 5, 5 is best. Equals score
// equally, whatever their number.
func Score(worse, n int64) int {
	if n <= 0 {
		return 0
	}
	return int(1 + 5*worse/n)
}

// Fewest is how many customers of n have to be strictly worse for the score s, 2 to 5: the least L with 1 + ⌊5L/N⌋ ≥ s.
func Fewest(s int, n int64) int64 { return (int64(s-1)*n + 4) / 5 }

// Cuts are the values at which the scores 2, 3, 4 and 5 begin, of each measure; they never fall. In a relative measure the score
// s begins right after the value of the customer who is the Fewest(s, n)-th from the worst: so the values of customers who
// were among the n score as Score says, and any other value as if its owner stood beside them.
type Cuts struct {
	R []time.Time // days of the last purchase
	F []int64     // purchase days
	M []int64     // minor units
}

// Rate rates what a customer bought by the cuts at the as-of day, and names its cell by the map.
func (c Cuts) Rate(p Purchases, cells CellMap, asOf time.Time) Rating {
	r := Rating{
		CustomerID: p.CustomerID, RecencyDays: int64(asOf.Sub(p.LastDay) / (24 * time.Hour)), Frequency: p.Days, NetMinor: p.NetMinor,
		R: 1, F: reached(c.F, p.Days), M: reached(c.M, p.NetMinor),
	}
	for _, begins := range c.R {
		if !p.LastDay.Before(begins) {
			r.R++
		}
	}
	r.Cell = cells.Cell(r.R, r.F)
	return r
}

// reached is the score of a value: one more than the cuts that it reaches.
func reached(cuts []int64, value int64) int {
	score := 1
	for _, begins := range cuts {
		if value >= begins {
			score++
		}
	}
	return score
}

// Window is the purchases that count: Days days that end with and include AsOf, or all up to and including AsOf when
// Days is 0. AsOf is a day at 00:00 UTC.
type Window struct {
	AsOf time.Time
	Days int
}

// Bounds are the first moment that counts and the first that does not any more.
func (w Window) Bounds() (from, to time.Time) {
	to = w.AsOf.AddDate(0, 0, 1)
	if w.Days > 0 {
		from = to.AddDate(0, 0, -w.Days)
	}
	return from, to
}

// Scheme is how scores are given to what is bought in a currency. Bounds are where the scores 2, 3, 4 and 5 begin; a measure
// without them is rated relative to all customers.
type Scheme struct {
	Currency   string
	Version    int64 // 0: nothing was set
	WindowDays int   // of daily runs; 0: all days
	R          []int64
	F, M       []int64
	By         string // subject
	ChangedAt  time.Time
}

// fixed gives the cuts of the measures that have bounds at the as-of day.
func (s Scheme) fixed(asOf time.Time) Cuts {
	c := Cuts{F: s.F, M: s.M}
	for _, days := range s.R {
		c.R = append(c.R, asOf.AddDate(0, 0, -int(days)))
	}
	return c
}

// digits is a rating as events tell it: the three digits R, F and M.
func digits(r, f, m int) int64 { return int64(100*r + 10*f + m) }
