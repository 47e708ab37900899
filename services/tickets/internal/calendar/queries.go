package calendar

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Filter says which calendars are meant; the zero Filter means all that are not archived.
type Filter struct {
	Archived bool      // those in the archive, too
	After    uuid.UUID // only those made after this one
}

// Get gives a calendar of the caller's tenant.
func (c *Calendars) Get(ctx context.Context, id uuid.UUID) (found Stored, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = get(ctx, tx, id)
		return err
	})
	return found, err
}

// List gives up to limit calendars, the oldest first.
func (c *Calendars) List(ctx context.Context, f Filter, limit int) (page []Stored, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, f, limit)
		return err
	})
	return page, err
}

// Versions gives up to limit versions of a calendar before the given one (0: from the latest on), the latest first.
func (c *Calendars) Versions(ctx context.Context, id uuid.UUID, before int64, limit int) (page []Version, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		page, err = versions(ctx, tx, id, before, limit)
		return err
	})
	return page, err
}

// Reckoned is the answer of a trial, and how it came about.
type Reckoned struct {
	At     time.Time            // the deadline
	Worked time.Duration        // business time
	Ranges []businesstime.Range // that were counted: the first of them
	More   bool                 // there are more
	Zone   *time.Location
}

const (
	maxTrial  = 10 * 366 * 24 * time.Hour // that one may try: ten years
	maxRanges = 100                       // that are shown
)

// Trial is what deadline to try: Seconds of business time, or WorkingDays.
type Trial struct {
	From        time.Time
	Seconds     int64
	WorkingDays int
	Pauses      []businesstime.Range
}

// TryAdd reckons a deadline by a calendar, and keeps nothing.
func (c *Calendars) TryAdd(ctx context.Context, id uuid.UUID, t Trial) (Reckoned, error) {
	var f faults
	f.instant("from", t.From)
	f.pauses(t.Pauses)
	if (t.Seconds != 0) == (t.WorkingDays != 0) {
		f.add("seconds", "one_of", "must be given, or working_days must be, and not both")
	}
	if t.WorkingDays != 0 && len(t.Pauses) > 0 {
		f.add("pauses", "no_pauses", "must be left out: nothing pauses a time limit in working days")
	}
	if len(f) > 0 {
		return Reckoned{}, problem.InvalidBody("deadline_invalid", "The deadline was not reckoned: mend the fields named here.", f)
	}
	stored, err := c.Get(ctx, id)
	if err != nil {
		return Reckoned{}, err
	}
	by, err := stored.Calendar()
	if err != nil {
		return Reckoned{}, err
	}
	due := by.Add(t.From, time.Duration(t.Seconds)*time.Second, t.Pauses...)
	if t.WorkingDays != 0 {
		due = by.AddDays(t.From, t.WorkingDays)
	}
	if due.Equal(businesstime.Never) {
		return Reckoned{}, problem.New(problem.Unprocessable, "deadline_out_of_reach", "That much business time does not come within a hundred years.")
	}
	return by.reckon(t.From, due, t.Pauses), nil
}

// TryBetween reckons the business time of a range by a calendar.
func (c *Calendars) TryBetween(ctx context.Context, id uuid.UUID, r businesstime.Range, pauses []businesstime.Range) (Reckoned, error) {
	var f faults
	f.instant("from", r.From)
	f.instant("to", r.To)
	f.pauses(pauses)
	if d := r.To.Sub(r.From); d < 0 || d > maxTrial {
		f.add("to", "out_of_range", "must not be before from, nor more than ten years after it")
	}
	if len(f) > 0 {
		return Reckoned{}, problem.InvalidBody("range_invalid", "The business time was not reckoned: mend the fields named here.", f)
	}
	stored, err := c.Get(ctx, id)
	if err != nil {
		return Reckoned{}, err
	}
	by, err := stored.Calendar()
	if err != nil {
		return Reckoned{}, err
	}
	return by.reckon(r.From, r.To, pauses), nil
}

// reckon tells how the time from from up to to is worked.
func (c Calendar) reckon(from, to time.Time, pauses []businesstime.Range) Reckoned {
	r := Reckoned{At: to, Worked: c.Between(from, to, pauses...), Zone: c.Zone()}
	for one := range c.Ranges(from, to, pauses...) {
		if len(r.Ranges) == maxRanges {
			r.More = true
			break
		}
		r.Ranges = append(r.Ranges, one)
	}
	return r
}

func (f *faults) instant(location string, at time.Time) {
	if y := at.UTC().Year(); y < businesstime.FirstYear || y > businesstime.LastYear {
		f.add(location, "out_of_range", "must be in the years 1970 to 2199")
	}
}

func (f *faults) pauses(pauses []businesstime.Range) {
	for i, p := range pauses {
		location := "pauses[" + strconv.Itoa(i) + "]"
		f.instant(location+".from", p.From)
		f.instant(location+".to", p.To)
		if p.To.Before(p.From) {
			f.add(location+".to", "out_of_range", "must not be before from")
		}
	}
}
