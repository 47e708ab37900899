package retention

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
)

// Occasion is what members get points on.
type Occasion string

// The occasions.
const (
	Birthday    Occasion = "birthday"    // the first day of the month that the member was born in
	Anniversary Occasion = "anniversary" // of the enrolment
	Maintenance Occasion = "maintenance" // of an installed product
)

// CareTerms say what members of a programme get on which occasion. The zero CareTerms: nothing.
type CareTerms struct {
	BirthdayPoints    int64 `json:"birthday_points,omitempty" doc:"Points on the first day of the birth month, where the member carries one; 0: none." example:"0"`
	AnniversaryPoints int64 `json:"anniversary_points,omitempty" doc:"Points on each anniversary of the enrolment; 0: none." example:"200"`
	MaintenancePoints int64 `json:"maintenance_points,omitempty" doc:"Points when the maintenance of an installed product is due; 0: none." example:"100"`
	MaintenanceMonths int   `json:"maintenance_months,omitempty" doc:"A product's maintenance is due every so many months after its owner got it." example:"12"`
}

// Faults names every field that is not right.
func (t CareTerms) Faults() []problem.Field {
	f := &faultFinder{}
	f.between("birthday_points", t.BirthdayPoints, 0, ledger.MaxPoints)
	f.between("anniversary_points", t.AnniversaryPoints, 0, ledger.MaxPoints)
	f.between("maintenance_points", t.MaintenancePoints, 0, ledger.MaxPoints)
	if t.MaintenancePoints > 0 || t.MaintenanceMonths != 0 {
		f.between("maintenance_months", int64(t.MaintenanceMonths), 1, 120)
	}
	return f.faults
}

// CarePlan is what a tenant's programme gives.
type CarePlan struct {
	Programme string
	Version   int64     // 0 while there is none
	Since     time.Time // occasions from that day on count
	CareTerms
}

// catchUp is for how many days an occasion is made up for where nobody looked on its day.
const catchUp = 7

// Due is an occasion that a member is to be given points on.
type Due struct {
	Occasion Occasion
	About    uuid.UUID // the asset, or the member
	On       time.Time // the day, at 0:00 UTC
	Points   int64
}

// day gives the calendar day of a moment in a zone, as midnight UTC.
func day(at time.Time, zone *time.Location) time.Time {
	y, m, d := at.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// addMonths gives the day so many months later: the month's last where it has no such day.
func addMonths(from time.Time, months int) time.Time {
	y, m, d := from.Date()
	first := time.Date(y, m+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 0, min(d, first.AddDate(0, 1, -1).Day())-1)
}

// lately gives the latest day that is a whole number of periods, one or more, after from and not after today; ok is false where
// that is too long ago to be made up for, or before the plan began.
func (p CarePlan) lately(from, today time.Time, zone *time.Location, months int) (on time.Time, ok bool) {
	n := ((today.Year()-from.Year())*12 + int(today.Month()) - int(from.Month())) / months
	for ; n >= 1; n-- {
		if on = addMonths(from, n*months); !on.After(today) {
			break
		}
	}
	return on, n >= 1 && p.counts(on, today, zone)
}

// counts tells whether an occasion of the day is given today.
func (p CarePlan) counts(on, today time.Time, zone *time.Location) bool {
	return !on.After(today) && today.Sub(on) <= catchUp*24*time.Hour && !on.Before(day(p.Since, zone))
}

// OfMember gives the occasions of a member who was enrolled at a time and born in a month (0: not known), as of a moment.
func (p CarePlan) OfMember(id uuid.UUID, enrolled time.Time, born int, now time.Time, zone *time.Location) (due []Due) {
	today := day(now, zone)
	if p.AnniversaryPoints > 0 {
		if on, ok := p.lately(day(enrolled, zone), today, zone, 12); ok {
			due = append(due, Due{Anniversary, id, on, p.AnniversaryPoints})
		}
	}
	if p.BirthdayPoints > 0 && born >= 1 && born <= 12 {
		on := time.Date(today.Year(), time.Month(born), 1, 0, 0, 0, 0, time.UTC)
		if on.After(today) {
			on = on.AddDate(-1, 0, 0)
		}
		if p.counts(on, today, zone) {
			due = append(due, Due{Birthday, id, on, p.BirthdayPoints})
		}
	}
	return due
}

// OfAsset gives the maintenance of an installed product that its owner got at a time, as of a moment.
func (p CarePlan) OfAsset(asset uuid.UUID, since, now time.Time, zone *time.Location) (due []Due) {
	if p.MaintenancePoints == 0 || p.MaintenanceMonths == 0 {
		return nil
	}
	if on, ok := p.lately(day(since, zone), day(now, zone), zone, p.MaintenanceMonths); ok {
		due = append(due, Due{Maintenance, asset, on, p.MaintenancePoints})
	}
	return due
}
