package asset

import (
	"cmp"
	"slices"
	"time"
)

// Plan says how often an asset is to be serviced; 0: not by that.
type Plan struct {
	Months int
	Meter  int64 // in the asset's unit
}

// Since is what the next service is counted from.
type Since struct {
	On  time.Time // day
	Run *int64    // none: nobody read the meter
}

// Due is when the next service is due.
type Due struct {
	Date  time.Time // day by months; zero: none
	Meter *int64    // as the present meter will show it; none: not by meter, or nobody read it
	On    time.Time // the day: Date or, where that comes first, the one on which Meter is likely to be reached; zero: not known
	By    By        // which of them On is
}

// By is what a service is due by.
type By string

// What it can be due by.
const (
	ByDate  By = "date"
	ByMeter By = "meter"
)

// Over tells whether the service is due on the day.
func (d Due) Over(today time.Time) bool { return !d.On.IsZero() && !today.Before(d.On) }

const (
	day        = 24 * time.Hour
	rateWindow = 365 * day // how far back readings tell how much an asset is used now
	maxAhead   = 36_500    // days; who uses an asset less than that uses it not at all
)

// Next says when the next service is due, by date or by meter, whichever comes first. readings are in their order and end
// with the latest; how much an asset is used is taken from those of the year before that.
func Next(p Plan, since Since, readings []Reading) Due {
	var d Due
	if p.Months > 0 {
		d.Date = addMonths(since.On, p.Months)
		d.On, d.By = d.Date, ByDate
	}
	if p.Meter == 0 || since.Run == nil || len(readings) == 0 {
		return d
	}
	latest, run := readings[len(readings)-1], *since.Run+p.Meter
	d.Meter = new(run - (latest.Run - latest.Meter))
	if on, known := reached(run, readings); known && (d.On.IsZero() || on.Before(d.On)) {
		d.On, d.By = on, ByMeter
	}
	return d
}

// reached gives the day on which the meters together have run that far: the first on which a reading says so or, when
// none does, the one on which it will be if the asset is used as it was.
func reached(run int64, readings []Reading) (on time.Time, known bool) {
	if at := slices.IndexFunc(readings, func(r Reading) bool { return r.Run >= run }); at >= 0 {
		return readings[at].On, true
	}
	latest := readings[len(readings)-1]
	first := slices.IndexFunc(readings, func(r Reading) bool { return latest.On.Sub(r.On) <= rateWindow })
	if readings[first].On.Equal(latest.On) && first > 0 {
		first-- // an old one is better than none
	}
	days, used := int64(latest.On.Sub(readings[first].On)/day), latest.Run-readings[first].Run
	if days == 0 || used == 0 {
		return time.Time{}, false
	}
	ahead := ((run-latest.Run)*days + used - 1) / used
	if ahead > maxAhead {
		return time.Time{}, false
	}
	return latest.On.AddDate(0, 0, int(ahead)), true
}

// addMonths gives the same day some months later, or the last one of a month that is too short.
func addMonths(on time.Time, months int) time.Time {
	first := time.Date(on.Year(), on.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(on.Day(), last)-1)
}

// compareReadings orders readings by day and, within one, as they were recorded.
func compareReadings(a, b Reading) int {
	return cmp.Or(a.On.Compare(b.On), cmp.Compare(a.No, b.No))
}
