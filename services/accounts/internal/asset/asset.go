// Package asset keeps the installed products of customers, such as vehicles: whose they are, what their meters show, when
// they were serviced and when they are to be serviced next. What was done to an asset stays with it when it is sold; who
// had it before does not.
package asset

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Type is what sort of product an asset is.
type Type string

// The types.
const (
	Vehicle   Type = "vehicle" // its serial is the VIN
	Machine   Type = "machine"
	Appliance Type = "appliance"
	Device    Type = "device"
	Software  Type = "software"
	Other     Type = "other"
)

// Unit is what a meter counts.
type Unit string

// The units.
const (
	Kilometres Unit = "km"
	Miles      Unit = "mi"
	Hours      Unit = "h"
	Count      Unit = "count"
)

// State is what has become of an asset.
type State string

// The states.
const (
	InUse    State = "in_use"
	Scrapped State = "scrapped"
)

// Asset is one installed product. Its days are midnights in UTC; the zero day is none.
type Asset struct {
	ID           uuid.UUID // UUIDv7
	Version      int64     // from 1, one more with every change
	Type         Type
	Product      string // code
	Serial       string // in its one form, see NormaliseSerial; empty: none
	State        State
	Unit         Unit
	Plan         Plan
	BeganOn      time.Time // from when months are counted before the first service
	BeganRun     *int64    // from where the meter is; none: nobody read it
	LastService  *Service
	Due          Due
	DueNow       bool     // on the day that it is where the tenant is
	Latest       *Reading // of the meter; none: nobody read it
	Owner        *Ownership
	RegisteredAt time.Time
	ChangedAt    time.Time
}

// Ownership is a customer's time with an asset, and what is the customer's own about it.
type Ownership struct {
	ID          uuid.UUID // UUIDv7
	Customer    uuid.UUID // as it was given
	Root        uuid.UUID // the customer whom it means now
	Name        string    // what the customer calls it; empty: nothing
	PurchasedOn time.Time
	Since       time.Time
	Until       time.Time // zero: still
	GivenUp     string    // "sold", "scrapped"; empty: still
}

// How an asset is given up.
const (
	sold     = "sold"
	scrapped = "scrapped"
)

// Reading is what the meter showed at the end of a day.
type Reading struct {
	ID         uuid.UUID // UUIDv7
	On         time.Time
	No         int64 // tells the order of readings of one day: the asset's version that came of it
	Meter      int64
	Run        int64 // what all meters that the asset ever had have counted together
	Replaced   bool  // it is the first one of another meter
	Reason     string
	RecordedAt time.Time
}

// Service is one that was done.
type Service struct {
	ID         uuid.UUID // UUIDv7
	On         time.Time
	No         int64  // as of a reading
	Meter      *int64 // none: nobody read it
	Run        *int64 // where the asset was, as far as is known
	Work       string // code of what was done; empty: not said
	RecordedAt time.Time
}

const (
	maxName   = 200 // characters
	maxMonths = 600
	maxMeter  = 1_000_000_000
)

// earliest is the first day that anything here can have happened on.
var earliest = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

var (
	codeShape    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	productShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$`)
)

// faults gathers what is not right.
type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

// day checks a day that something happened on.
func (f *faults) day(location string, on, today time.Time) {
	if on.Before(earliest) || on.After(today) {
		f.add(location, "day_out_of_range", "must be a day from 1900 to today")
	}
}

func (f *faults) meter(location string, m int64) {
	if m < 0 || m > maxMeter {
		f.add(location, "meter_out_of_range", "must be 0 to 1000000000")
	}
}

func (f *faults) plan(p Plan) {
	if p.Months < 0 || p.Months > maxMonths {
		f.add("interval_months", "interval_out_of_range", "must be 0 (not by date) to 600")
	}
	if p.Meter < 0 || p.Meter > maxMeter {
		f.add("interval_meter", "interval_out_of_range", "must be 0 (not by meter) to 1000000000")
	}
}

// name gives what people call an asset in its one form.
func (f *faults) name(s string) string {
	s = strings.Join(strings.Fields(norm.NFC.String(s)), " ")
	unfit := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
	if utf8.RuneCountInString(s) > maxName || strings.ContainsFunc(s, unfit) {
		f.add("name", "name_malformed", "must be at most 200 characters, none of them a control character")
	}
	return s
}

// Draft is an asset that is about to be registered.
type Draft struct {
	Type             Type
	Product          string
	Serial           string
	Name             string
	PurchasedOn      time.Time
	Unit             Unit // empty: kilometres of a vehicle, hours of all else
	Plan             Plan
	Meter            *int64 // what it shows today
	LastServiceOn    time.Time
	LastServiceMeter *int64
}

// Register makes an asset of the draft, with the readings and the service that it brings, or names every field that is not
// right. ids gives UUIDv7s.
func Register(ids func() uuid.UUID, d Draft, customer, root uuid.UUID, today, now time.Time) (Asset, []Reading, []problem.Field) {
	var f faults
	a := Asset{
		ID: ids(), Version: 1, Type: d.Type, Product: d.Product, State: InUse, Unit: d.Unit, Plan: d.Plan, BeganOn: d.PurchasedOn,
		RegisteredAt: now, ChangedAt: now,
	}
	if a.Unit == "" {
		if a.Unit = Hours; a.Type == Vehicle {
			a.Unit = Kilometres
		}
	}
	if !slices.Contains([]Type{Vehicle, Machine, Appliance, Device, Software, Other}, d.Type) {
		f.add("type", "type_unknown", "must be vehicle, machine, appliance, device, software or other")
	}
	if !slices.Contains([]Unit{Kilometres, Miles, Hours, Count}, a.Unit) {
		f.add("meter_unit", "meter_unit_unknown", "must be km, mi, h or count")
	}
	if !productShape.MatchString(d.Product) {
		f.add("product", "product_malformed", "must be a code of 1 to 64 letters, digits, ., _, / and -")
	}
	f.plan(d.Plan)
	serial, fault := NormaliseSerial(d.Type, d.Serial)
	if a.Serial = serial; fault != nil {
		f = append(f, *fault)
	}
	since := today
	if !d.PurchasedOn.IsZero() {
		f.day("purchased_on", d.PurchasedOn, today)
		since = d.PurchasedOn
	}
	a.BeganOn = since
	a.Owner = &Ownership{ID: ids(), Customer: customer, Root: root, Name: f.name(d.Name), PurchasedOn: d.PurchasedOn, Since: since}
	return a, a.begin(ids, d, today, now, &f), f
}

// begin takes over what the draft knows of the meter and of the last service.
func (a *Asset) begin(ids func() uuid.UUID, d Draft, today, now time.Time, f *faults) (readings []Reading) {
	if !d.LastServiceOn.IsZero() {
		f.day("last_service_on", d.LastServiceOn, today)
		a.LastService = &Service{ID: ids(), On: d.LastServiceOn, Meter: d.LastServiceMeter, Run: d.LastServiceMeter, RecordedAt: now}
	}
	if m := d.LastServiceMeter; m != nil {
		f.meter("last_service_meter", *m)
		if d.LastServiceOn.IsZero() {
			f.add("last_service_on", "required", "must be given with last_service_meter")
		}
		readings = append(readings, Reading{ID: ids(), On: d.LastServiceOn, Meter: *m, Run: *m, RecordedAt: now})
	}
	if m := d.Meter; m != nil {
		f.meter("meter", *m)
		if d.LastServiceMeter != nil && *m < *d.LastServiceMeter {
			f.add("meter", "meter_backwards", "must not be less than last_service_meter")
		}
		readings = append(readings, Reading{ID: ids(), On: today, No: 1, Meter: *m, Run: *m, RecordedAt: now})
	}
	for _, r := range readings {
		a.see(r)
	}
	a.Due = Next(a.Plan, a.since(), readings)
	return readings
}

// since gives what the next service is counted from: the last one, or the beginning.
func (a Asset) since() Since {
	s := Since{On: a.BeganOn, Run: a.BeganRun}
	if a.LastService != nil {
		s.On = a.LastService.On
		if a.LastService.Run != nil {
			s.Run = a.LastService.Run
		}
	}
	return s
}

// see takes notice of a reading that was accepted.
func (a *Asset) see(r Reading) {
	if a.BeganRun == nil || r.Run < *a.BeganRun {
		a.BeganRun = &r.Run
	}
	if a.Latest == nil || compareReadings(*a.Latest, r) < 0 {
		a.Latest = &r
	}
}

// InsertReading puts a reading among those beside it, which may be none, or says what is wrong with it. A meter does not
// go back; one that was replaced begins anew, and what all of them counted together goes on.
func InsertReading(r Reading, before, after *Reading) (Reading, []problem.Field) {
	var f faults
	f.meter("meter", r.Meter)
	if r.Replaced {
		if !codeShape.MatchString(r.Reason) {
			f.add("reason", "reason_malformed", "must be a code that says why the meter was replaced: 1 to 64 lower-case letters, digits, - and _")
		}
		if before == nil || after != nil {
			f.add("replaced", "reading_not_latest", "is for the latest reading only, after one of the meter before")
		}
	} else if r.Reason != "" {
		f.add("reason", "reason_unexpected", "is for a meter that was replaced")
	}
	if len(f) > 0 {
		return r, f
	}
	switch {
	case r.Replaced:
		r.Run = before.Run
	case before != nil:
		r.Run = r.Meter + before.Run - before.Meter
		if r.Meter < before.Meter {
			f.add("meter", "meter_backwards", "must not be less than at the reading before, unless the meter was replaced")
		}
	case after != nil:
		r.Run = r.Meter + after.Run - after.Meter
	default:
		r.Run = r.Meter
	}
	if after != nil && r.Run > after.Run {
		f.add("meter", "meter_ahead", "must not be more than at the reading after")
	}
	return r, f
}

// changed counts a change.
func (a Asset) changed(now time.Time) Asset {
	a.Version, a.ChangedAt = a.Version+1, now
	return a
}

// writable refuses to change an asset that nobody has any more.
func (a Asset) writable() error {
	switch {
	case a.State == Scrapped:
		return problem.New(problem.Conflict, "asset_scrapped", "The asset was scrapped: nothing happens to it any more.")
	case a.Owner == nil:
		return problem.New(problem.Conflict, "asset_without_owner", "The asset has no owner any more. Give it one by selling it.")
	}
	return nil
}

// Read gives the asset after a reading that was accepted; recent are its readings, that one included.
func (a Asset) Read(r Reading, recent []Reading, now time.Time) Asset {
	a = a.changed(now)
	a.see(r)
	a.Due = Next(a.Plan, a.since(), recent)
	return a
}

// Serviced gives the asset after a service. One that was done before the last one is history and changes nothing else.
func (a Asset) Serviced(s Service, recent []Reading, now time.Time) Asset {
	a = a.changed(now)
	if a.LastService == nil || !s.On.Before(a.LastService.On) {
		a.LastService = &s
	}
	a.Due = Next(a.Plan, a.since(), recent)
	return a
}

// Patch is a change of an asset; what is nil stays as it is.
type Patch struct {
	Name, Serial   *string
	PurchasedOn    *time.Time
	IntervalMonths *int
	IntervalMeter  *int64
}

// Change gives the asset with the changes of the patch, or names every field that is not right.
func (a Asset) Change(p Patch, recent []Reading, today, now time.Time) (Asset, []problem.Field) {
	var f faults
	owner := *a.Owner
	if p.Name != nil {
		owner.Name = f.name(*p.Name)
	}
	if p.PurchasedOn != nil {
		f.day("purchased_on", *p.PurchasedOn, today)
		owner.PurchasedOn = *p.PurchasedOn
		if a.BeganOn.Equal(owner.Since) { // the first owner's purchase is where all of it began
			a.BeganOn, owner.Since = *p.PurchasedOn, *p.PurchasedOn
		}
	}
	if p.Serial != nil {
		serial, fault := NormaliseSerial(a.Type, *p.Serial)
		if a.Serial = serial; fault != nil {
			f = append(f, *fault)
		}
	}
	if p.IntervalMonths != nil {
		a.Plan.Months = *p.IntervalMonths
	}
	if p.IntervalMeter != nil {
		a.Plan.Meter = *p.IntervalMeter
	}
	if f.plan(a.Plan); len(f) > 0 {
		return a, f
	}
	a.Owner = &owner
	a = a.changed(now)
	a.Due = Next(a.Plan, a.since(), recent)
	return a, nil
}

// giveUp ends the owner's time with the asset, or says that the day is not right. Who has none gives nothing up.
func (a Asset) giveUp(location, how string, on, today time.Time) (Ownership, []problem.Field) {
	var f faults
	f.day(location, on, today)
	if a.Owner == nil {
		return Ownership{}, f
	}
	was := *a.Owner
	if on.Before(was.Since) {
		f.add(location, "before_ownership", "must not be before the owner had it")
	}
	was.Until, was.GivenUp = on, how
	return was, f
}

// Sell gives the asset as the next owner's, and the former one's time with it, which is zero where there was nobody.
func (a Asset) Sell(next Ownership, today, now time.Time) (Asset, Ownership, []problem.Field) {
	var f faults
	next.Name = f.name(next.Name)
	was, more := a.giveUp("sold_on", sold, next.Since, today)
	if f = append(f, more...); a.Owner != nil && a.Owner.Root == next.Root {
		f.add("customer_id", "asset_same_owner", "has the asset already")
	}
	if len(f) > 0 {
		return a, was, f
	}
	next.PurchasedOn = next.Since
	a.Owner = &next
	return a.changed(now), was, nil
}

// Scrap gives the asset as one that is no more, and its last owner's time with it.
func (a Asset) Scrap(on, today, now time.Time) (Asset, Ownership, []problem.Field) {
	was, f := a.giveUp("scrapped_on", scrapped, on, today)
	if len(f) > 0 {
		return a, was, f
	}
	a.Owner, a.State, a.Due = nil, Scrapped, Due{}
	return a.changed(now), was, nil
}
