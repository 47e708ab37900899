package crisis

import (
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Setting is how a tenant's bursts are looked for, and how its crises are led.
type Setting struct {
	Version          int64   // 0 while the standard one holds
	Threshold        float64 // probability of a false alarm of one look at all series
	WindowDays       int
	BaseDays         int // before the window
	SKUExposure      Exposure
	CategoryExposure Exposure
	RecordedSince    time.Time // a day in UTC since which complaints are complete; the base begins there at the earliest. Zero: since ever

	StatementWithin time.Duration // for the holding statement, from the declaration
	UpdateEvery     time.Duration // the rhythm of updates
	ReviewWithin    time.Duration // for the review, from the all-clear
}

// StandardSetting is the setting of a tenant that has set none.
func StandardSetting() Setting {
	return Setting{
		Threshold: 1e-4, WindowDays: 7, BaseDays: 84, SKUExposure: Units, CategoryExposure: Weekdays,
		StatementWithin: time.Hour, UpdateEvery: 4 * time.Hour, ReviewWithin: 14 * day,
	}
}

const (
	mostThreshold = 0.05
	mostWindow    = 28  // days
	leastBase     = 14  // days
	mostBase      = 730 // days
	leastTime     = time.Second
	mostTime      = 366 * day
)

// Check names every field that is not right.
func (s Setting) Check(now time.Time) (faults []problem.Field) {
	fault := func(location, message string) {
		faults = append(faults, problem.Field{Location: location, Code: "out_of_range", Message: message})
	}
	if !(s.Threshold > 0 && s.Threshold <= mostThreshold) {
		fault("threshold", "must be more than 0 and at most 0.05")
	}
	if s.WindowDays < 1 || s.WindowDays > mostWindow {
		fault("window_days", "must be 1 to 28")
	}
	if s.BaseDays < max(leastBase, s.WindowDays) || s.BaseDays > mostBase {
		fault("base_days", "must be 14 to 730, and at least as many as window_days")
	}
	for location, e := range map[string]Exposure{"sku_exposure": s.SKUExposure, "category_exposure": s.CategoryExposure} {
		if e != Units && e != Weekdays {
			fault(location, "must be units or weekdays")
		}
	}
	if s.RecordedSince.After(now) {
		fault("recorded_since", "must not be in the future")
	}
	for location, d := range map[string]time.Duration{
		"statement_seconds": s.StatementWithin, "update_seconds": s.UpdateEvery, "review_seconds": s.ReviewWithin,
	} {
		if d < leastTime || d > mostTime {
			fault(location, "must be 1 to 31622400")
		}
	}
	return faults
}
