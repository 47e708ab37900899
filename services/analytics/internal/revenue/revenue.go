// Package revenue tells what was sold and what came back, month by month.
package revenue

import "time"

// Month is the business of one month in one currency. Months are UTC months; a return counts in the month in which
// it came back, so that a closed month never changes for it.
type Month struct {
	First         time.Time // first day of the month
	Currency      string
	Orders        int64
	Units         int64 // sold
	GrossMinor    int64 // minor units
	Returns       int64
	ReturnedUnits int64
	ReturnedMinor int64 // minor units, positive
}

// NetMinor is what the month brought in after what it gave back; it can be negative.
func (m Month) NetMinor() int64 { return m.GrossMinor - m.ReturnedMinor }

// Total adds up months of one currency.
func Total(months []Month) Month {
	var t Month
	for _, m := range months {
		t.Currency = m.Currency
		t.Orders += m.Orders
		t.Units += m.Units
		t.GrossMinor += m.GrossMinor
		t.Returns += m.Returns
		t.ReturnedUnits += m.ReturnedUnits
		t.ReturnedMinor += m.ReturnedMinor
	}
	return t
}
