// Package programme says what a purchase is worth in points and when they may be spent.
//
// There is one programme for now, the standard one; programmes of a tenant's own, with versions, come later.
package programme

import (
	"time"

	"github.com/guanxi-crm/guanxi/platform/money"
)

// Programme is the rules by which purchases earn points.
type Programme struct {
	// ReturnWindow is how long after the purchase its points stay locked.
	ReturnWindow time.Duration
}

// Standard is the programme of every tenant: a point for each whole major unit of the order's currency, locked for 14
// days.
func Standard() Programme { return Programme{ReturnWindow: 14 * 24 * time.Hour} }

// Points gives what an order of the amount (minor units, 0 or more) is worth: one point for each whole major unit. A
// currency that is none gives ok false.
func (Programme) Points(amountMinor int64, currency string) (points int64, ok bool) {
	digits, ok := money.Digits(currency)
	points = amountMinor
	for range digits {
		points /= 10
	}
	return points, ok
}

// AvailableAt gives when the points of an order may be spent.
func (p Programme) AvailableAt(placedAt time.Time) time.Time { return placedAt.Add(p.ReturnWindow) }

// Owed gives how many of an order's points are to be taken back once goods of returned (0 to total, in minor units) have
// come back in all: the share, rounded down, so that parts that come back one after the other add up to the whole.
func (Programme) Owed(points, returned, total int64) int64 {
	if total == 0 {
		return 0
	}
	return money.Share(points, returned, total)
}
