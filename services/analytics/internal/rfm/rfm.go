// Package rfm rates customers by recency, frequency and monetary value at any date and over any window.
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
	// Customers that are strictly worse by each measure: bought longer ago, on fewer days, for less.
	WorseByRecency, WorseByFrequency, WorseByMonetary int64
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

// Rate rates one customer among n at the as-of day.
func Rate(p Purchases, n int64, asOf time.Time) Rating {
	r := Rating{
		CustomerID:  p.CustomerID,
		RecencyDays: int64(asOf.Sub(p.LastDay) / (24 * time.Hour)),
		Frequency:   p.Days,
		NetMinor:    p.NetMinor,
		R:           Score(p.WorseByRecency, n),
		F:           Score(p.WorseByFrequency, n),
		M:           Score(p.WorseByMonetary, n),
	}
	r.Cell = Cell(r.R, r.F)
	return r
}

// CellVersion names the map below. A changed map is a new version, so that old reports stay readable.
const CellVersion = "rf-1"

// cells names each pair of R (row, 1 to 5) and F (column, 1 to 5).
var cells = [5][5]string{
	{"lost", "lost", "at_risk", "cannot_lose", "cannot_lose"},
	{"lost", "hibernating", "at_risk", "at_risk", "cannot_lose"},
	{"about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"},
	{"promising", "potential_loyal", "potential_loyal", "loyal", "loyal"},
	{"new", "potential_loyal", "potential_loyal", "loyal", "champions"},
}

// Cell names the place of a customer with the scores r and f, both 1 to 5.
func Cell(r, f int) string { return cells[r-1][f-1] }

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
