package asset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/asset"
)

var today = on("2026-11-22")

func on(date string) time.Time {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(err)
	}
	return day
}

// reading is one of a first meter.
func reading(date string, meter int64) asset.Reading {
	return asset.Reading{On: on(date), Meter: meter, Run: meter}
}

func TestASerialHasOneForm(t *testing.T) {
	t.Parallel()
	cases := []struct {
		typ         asset.Type
		given, want string
		code        string
	}{
		{asset.Vehicle, "1m8gdm9a-xkp042788", "1M8GDM9AXKP042788", ""},
		{asset.Vehicle, " LSVAU2 180N2183294 ", "LSVAU2180N2183294", ""},
		{asset.Vehicle, "１M8GDM9AXKP042788", "1M8GDM9AXKP042788", ""},
		{asset.Vehicle, "", "", ""},
		{asset.Vehicle, "1M8GDM9AXKP04278", "", "vin_malformed"},
		{asset.Vehicle, "1M8GDM9AXKP0427888", "", "vin_malformed"},
		{asset.Vehicle, "IM8GDM9AXKP042788", "", "vin_malformed"},
		{asset.Vehicle, "1M8GDM9AXKPO42788", "", "vin_malformed"},
		{asset.Vehicle, "QM8GDM9AXKP042788", "", "vin_malformed"},
		{asset.Vehicle, "1M8GDM9AXKP04278é", "", "vin_malformed"},
		{asset.Device, "sn 12-34 i", "SN12-34I", ""},
		{asset.Device, strings.Repeat("x", 65), "", "serial_malformed"},
		{asset.Device, "a\x07b", "", "serial_malformed"},
	}
	for _, c := range cases {
		got, fault := asset.NormaliseSerial(c.typ, c.given)
		code := ""
		if fault != nil {
			code = fault.Code
		}
		if got != c.want || code != c.code {
			t.Errorf("%s %q: got %q %q, want %q %q", c.typ, c.given, got, code, c.want, c.code)
		}
	}
}

func TestTheCheckDigitOfAVIN(t *testing.T) {
	t.Parallel()
	for vin, want := range map[string]bool{
		"1M8GDM9AXKP042788": true, // the example of 49 CFR 565's tables: the remainder is 10
		"11111111111111111": true,
		"5GZCZ43D13S812715": true,
		"5GZCZ43D23S812715": false, // another digit
		"1M8GDM9AXKP042798": false, // a digit elsewhere
		"1M8GDM9AXPK042788": false, // two letters changed places
		"WVWZZZ1KZAW123456": false, // a European one need not have it
		"short":             false,
	} {
		if got := asset.CheckDigitOK(vin); got != want {
			t.Errorf("%s: got %t", vin, got)
		}
	}
}

func TestTheNextServiceIsDueByWhatComesFirst(t *testing.T) {
	t.Parallel()
	run := func(n int64) *int64 { return &n }
	steady := []asset.Reading{reading("2026-01-01", 10_000), reading("2026-04-11", 20_000)} // 100 a day
	replaced := []asset.Reading{
		reading("2026-01-01", 90_000), reading("2026-02-01", 95_000),
		{On: on("2026-02-02"), Meter: 0, Run: 95_000, Replaced: true}, {On: on("2026-02-10"), Meter: 800, Run: 95_800},
	}
	cases := []struct {
		name     string
		plan     asset.Plan
		since    asset.Since
		readings []asset.Reading
		want     string // date, meter, on, by
	}{
		{"no plan", asset.Plan{}, asset.Since{On: on("2026-01-01"), Run: run(0)}, steady, " - - "},
		{"by date alone", asset.Plan{Months: 12}, asset.Since{On: on("2026-01-31")}, nil, "2027-01-31 - 2027-01-31 date"},
		{"a month that is too short", asset.Plan{Months: 1}, asset.Since{On: on("2026-01-31")}, nil, "2026-02-28 - 2026-02-28 date"},
		{"the 29th of February", asset.Plan{Months: 12}, asset.Since{On: on("2024-02-29")}, nil, "2025-02-28 - 2025-02-28 date"},
		{"by meter, when it will be reached", asset.Plan{Meter: 15_000}, asset.Since{On: on("2026-01-01"), Run: run(10_000)}, steady, " 25000 2026-05-31 meter"},
		{"the meter first", asset.Plan{Months: 12, Meter: 15_000}, asset.Since{On: on("2026-01-01"), Run: run(10_000)}, steady, "2027-01-01 25000 2026-05-31 meter"},
		{"the date first", asset.Plan{Months: 3, Meter: 15_000}, asset.Since{On: on("2026-01-01"), Run: run(10_000)}, steady, "2026-04-01 25000 2026-04-01 date"},
		{"the meter has been reached", asset.Plan{Months: 12, Meter: 8_000}, asset.Since{On: on("2026-01-01"), Run: run(10_000)}, steady, "2027-01-01 18000 2026-04-11 meter"},
		{"reached exactly", asset.Plan{Meter: 10_000}, asset.Since{On: on("2026-01-01"), Run: run(10_000)}, steady, " 20000 2026-04-11 meter"},
		{"a part of a day is a day", asset.Plan{Meter: 10_001}, asset.Since{On: on("2026-01-01"), Run: run(10_000)}, steady, " 20001 2026-04-12 meter"},
		{"nobody read the meter", asset.Plan{Months: 12, Meter: 15_000}, asset.Since{On: on("2026-01-01")}, nil, "2027-01-01 - 2027-01-01 date"},
		{"one reading tells no use", asset.Plan{Meter: 15_000}, asset.Since{On: on("2026-01-01"), Run: run(10_000)}, steady[:1], " 25000 - "},
		{"nor do two of a day", asset.Plan{Meter: 15_000}, asset.Since{On: on("2026-01-01"), Run: run(0)},
			[]asset.Reading{reading("2026-01-01", 10), reading("2026-01-01", 20)}, " 15000 - "},
		{"nor does one that stands still", asset.Plan{Meter: 15_000}, asset.Since{On: on("2026-01-01"), Run: run(0)},
			[]asset.Reading{reading("2026-01-01", 10), reading("2026-02-01", 10)}, " 15000 - "},
		{"what will be in 100 years is not known", asset.Plan{Meter: 15_000}, asset.Since{On: on("2026-01-01"), Run: run(0)},
			[]asset.Reading{reading("2025-12-01", 9), reading("2026-11-01", 10)}, " 15000 - "},
		{"the use of the last year counts", asset.Plan{Meter: 30_000}, asset.Since{On: on("2024-01-01"), Run: run(0)},
			append([]asset.Reading{reading("2020-01-01", 0)}, steady...), " 30000 2026-07-20 meter"},
		{"an old reading is better than none", asset.Plan{Meter: 2_000}, asset.Since{On: on("2024-01-01"), Run: run(0)},
			[]asset.Reading{reading("2024-01-01", 0), reading("2026-01-01", 1_462)}, " 2000 2026-09-27 meter"}, // 2 a day
		{"a meter that was replaced", asset.Plan{Meter: 15_000}, asset.Since{On: on("2026-01-01"), Run: run(90_000)}, replaced, " 10000 2026-04-15 meter"},
	}
	for _, c := range cases {
		d := asset.Next(c.plan, c.since, c.readings)
		show := func(day time.Time, none string) string {
			if day.IsZero() {
				return none
			}
			return day.Format(time.DateOnly)
		}
		meter := "-"
		if d.Meter != nil {
			meter = fmt.Sprint(*d.Meter)
		}
		if got := fmt.Sprintf("%s %s %s %s", show(d.Date, ""), meter, show(d.On, "-"), d.By); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	d := asset.Due{On: today}
	if d.Over(today.AddDate(0, 0, -1)) || !d.Over(today) || !d.Over(today.AddDate(0, 0, 1)) || (asset.Due{}).Over(today) {
		t.Error("due on its day and after, and not before")
	}
}

func TestAMeterDoesNotGoBack(t *testing.T) {
	t.Parallel()
	first, second := reading("2026-01-01", 100), reading("2026-03-01", 200)
	swapped := asset.Reading{On: on("2026-02-01"), Meter: 5, Run: 150, Replaced: true, Reason: "broken"} // after 150 of the first
	later := asset.Reading{On: on("2026-03-01"), Meter: 25, Run: 170}
	put := func(meter int64, replaced bool, reason string) asset.Reading {
		return asset.Reading{On: on("2026-02-15"), Meter: meter, Replaced: replaced, Reason: reason}
	}
	cases := []struct {
		name          string
		reading       asset.Reading
		before, after *asset.Reading
		run           int64
		codes         string
	}{
		{"the first", put(100, false, ""), nil, nil, 100, ""},
		{"more", put(150, false, ""), &first, nil, 150, ""},
		{"the same", put(100, false, ""), &first, nil, 100, ""},
		{"less", put(99, false, ""), &first, nil, 0, "meter_backwards"},
		{"between two", put(150, false, ""), &first, &second, 150, ""},
		{"more than the next", put(201, false, ""), &first, &second, 0, "meter_ahead"},
		{"before all", put(50, false, ""), nil, &second, 50, ""},
		{"before all, and more", put(500, false, ""), nil, &second, 0, "meter_ahead"},
		{"replaced", put(5, true, "broken"), &second, nil, 200, ""},
		{"replaced by one that shows more", put(500, true, "broken"), &second, nil, 200, ""},
		{"replaced without a reason", put(5, true, ""), &second, nil, 0, "reason_malformed"},
		{"replaced with words", put(5, true, "It broke."), &second, nil, 0, "reason_malformed"},
		{"a reason without replacement", put(250, false, "broken"), &second, nil, 0, "reason_unexpected"},
		{"replaced before a later one", put(5, true, "broken"), &first, &second, 0, "reading_not_latest"},
		{"replaced before there was one", put(5, true, "broken"), nil, nil, 0, "reading_not_latest"},
		{"after a replacement", put(30, false, ""), &swapped, nil, 175, ""},
		{"after a replacement, and less than its first", put(4, false, ""), &swapped, nil, 0, "meter_backwards"},
		{"between a replacement and a later one", put(20, false, ""), &swapped, &later, 165, ""},
		{"before a replacement", put(140, false, ""), &first, &swapped, 140, ""},
		{"before a replacement, more than it ran", put(151, false, ""), &first, &swapped, 0, "meter_ahead"},
		{"below nothing", put(-1, false, ""), nil, nil, 0, "meter_out_of_range"},
		{"too much", put(1_000_000_001, false, ""), nil, nil, 0, "meter_out_of_range"},
	}
	for _, c := range cases {
		got, faults := asset.InsertReading(c.reading, c.before, c.after)
		if s := codes(faults); s != c.codes || (s == "" && got.Run != c.run) {
			t.Errorf("%s: got run %d, %q; want %d, %q", c.name, got.Run, s, c.run, c.codes)
		}
	}
}

func codes(faults []problem.Field) string {
	var out []string
	for _, f := range faults {
		out = append(out, f.Code)
	}
	return strings.Join(out, " ")
}

func TestRegisterNamesEveryFault(t *testing.T) {
	t.Parallel()
	meter := func(n int64) *int64 { return &n }
	good := asset.Draft{Type: asset.Vehicle, Product: "GOLF-8", Serial: "1M8GDM9AXKP042788", PurchasedOn: on("2026-01-01")}
	cases := []struct {
		name   string
		change func(d *asset.Draft)
		faults []string
	}{
		{"a good one", func(*asset.Draft) {}, nil},
		{"bought today", func(d *asset.Draft) { d.PurchasedOn = today }, nil},
		{"bought tomorrow", func(d *asset.Draft) { d.PurchasedOn = today.AddDate(0, 0, 1) }, []string{"purchased_on"}},
		{"bought before there were any", func(d *asset.Draft) { d.PurchasedOn = on("1899-12-31") }, []string{"purchased_on"}},
		{"no product", func(d *asset.Draft) { d.Product = "" }, []string{"product"}},
		{"words for a product", func(d *asset.Draft) { d.Product = "a golf" }, []string{"product"}},
		{"of no type", func(d *asset.Draft) { d.Type = "boat" }, []string{"type"}},
		{"no VIN", func(d *asset.Draft) { d.Serial = "12345" }, []string{"serial"}},
		{"a name that runs backwards", func(d *asset.Draft) { d.Name = "abc\u202ecba" }, []string{"name"}},
		{"a unit of nothing", func(d *asset.Draft) { d.Unit = "furlong" }, []string{"meter_unit"}},
		{"intervals below nothing", func(d *asset.Draft) { d.Plan = asset.Plan{Months: -1, Meter: -1} }, []string{"interval_months", "interval_meter"}},
		{"a meter of a service that was not", func(d *asset.Draft) { d.LastServiceMeter = meter(5) }, []string{"last_service_on"}},
		{"a service tomorrow", func(d *asset.Draft) { d.LastServiceOn = today.AddDate(0, 0, 1) }, []string{"last_service_on"}},
		{"a meter that went back", func(d *asset.Draft) {
			d.LastServiceOn, d.LastServiceMeter, d.Meter = on("2026-02-01"), meter(100), meter(99)
		}, []string{"meter"}},
	}
	for _, c := range cases {
		d := good
		c.change(&d)
		_, _, faults := asset.Register(uuid.New, d, uuid.New(), uuid.New(), today, today)
		var got []string
		for _, f := range faults {
			got = append(got, f.Location)
		}
		if !slices.Equal(got, c.faults) {
			t.Errorf("%s: faults at %v, want %v", c.name, got, c.faults)
		}
	}
}
