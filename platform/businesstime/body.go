package businesstime

// Bodies of the API: how every service takes and shows weekly hours and what is otherwise on single dates.

// CalendarWeek is when it is open on each day of the week; a day that is left out is closed.
type CalendarWeek struct {
	Monday    []CalendarInterval `json:"monday,omitempty" nullable:"false" maxItems:"24"`
	Tuesday   []CalendarInterval `json:"tuesday,omitempty" nullable:"false" maxItems:"24"`
	Wednesday []CalendarInterval `json:"wednesday,omitempty" nullable:"false" maxItems:"24"`
	Thursday  []CalendarInterval `json:"thursday,omitempty" nullable:"false" maxItems:"24"`
	Friday    []CalendarInterval `json:"friday,omitempty" nullable:"false" maxItems:"24"`
	Saturday  []CalendarInterval `json:"saturday,omitempty" nullable:"false" maxItems:"24"`
	Sunday    []CalendarInterval `json:"sunday,omitempty" nullable:"false" maxItems:"24"`
}

// CalendarInterval is a time of the day.
type CalendarInterval struct {
	From string `json:"from" pattern:"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$" doc:"Of the wall clock." example:"09:00"`
	To   string `json:"to" pattern:"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$" doc:"Not included; 24:00 is the end of the day." example:"12:00"`
}

// CalendarYear is what is otherwise in one year.
type CalendarYear struct {
	Year     int               `json:"year" minimum:"1970" maximum:"2199" example:"2026"`
	Holidays []CalendarHoliday `json:"holidays,omitempty" nullable:"false" maxItems:"366" doc:"Dates on which it is closed."`
	Openings []CalendarOpening `json:"openings,omitempty" nullable:"false" maxItems:"366" doc:"Dates with hours of their own, which stand in the place of those of the week, also on a holiday."`
}

// CalendarHoliday is a date on which it is closed.
type CalendarHoliday struct {
	Date string `json:"date" format:"date" example:"2026-10-01"`
	Name string `json:"name,omitempty" maxLength:"200" example:"国庆节"`
}

// CalendarOpening is a date with hours of its own.
type CalendarOpening struct {
	Date  string             `json:"date" format:"date" example:"2026-10-10"`
	Name  string             `json:"name,omitempty" maxLength:"200"`
	Hours []CalendarInterval `json:"hours" nullable:"false" minItems:"1" maxItems:"24"`
}

// ReadHours reads what the schema let through; a clock or a date that still is none becomes one that Normalise refuses.
func ReadHours(w CalendarWeek, years []CalendarYear) Hours {
	h := Hours{Week: Week{
		Monday: readHours(w.Monday), Tuesday: readHours(w.Tuesday), Wednesday: readHours(w.Wednesday), Thursday: readHours(w.Thursday),
		Friday: readHours(w.Friday), Saturday: readHours(w.Saturday), Sunday: readHours(w.Sunday),
	}}
	for _, y := range years {
		year := Year{Year: y.Year}
		for _, h := range y.Holidays {
			date, _ := ParseDate(h.Date)
			year.Holidays = append(year.Holidays, Holiday{date, h.Name})
		}
		for _, o := range y.Openings {
			date, _ := ParseDate(o.Date)
			year.Openings = append(year.Openings, Opening{date, o.Name, readHours(o.Hours)})
		}
		h.Years = append(h.Years, year)
	}
	return h
}

func readHours(shown []CalendarInterval) (hours []Interval) {
	for _, i := range shown {
		from, _ := ParseClock(i.From)
		to, _ := ParseClock(i.To)
		hours = append(hours, Interval{from, to})
	}
	return hours
}

// ShowWeek writes what ReadHours reads.
func ShowWeek(w Week) CalendarWeek {
	return CalendarWeek{
		showHours(w.Monday), showHours(w.Tuesday), showHours(w.Wednesday), showHours(w.Thursday), showHours(w.Friday),
		showHours(w.Saturday), showHours(w.Sunday),
	}
}

func showHours(hours []Interval) (shown []CalendarInterval) {
	for _, h := range hours {
		shown = append(shown, CalendarInterval{h.From.String(), h.To.String()})
	}
	return shown
}

// ShowYears writes what ReadHours reads.
func ShowYears(years []Year) (shown []CalendarYear) {
	for _, y := range years {
		v := CalendarYear{Year: y.Year}
		for _, h := range y.Holidays {
			v.Holidays = append(v.Holidays, CalendarHoliday{h.Date.String(), h.Name})
		}
		for _, o := range y.Openings {
			v.Openings = append(v.Openings, CalendarOpening{o.Date.String(), o.Name, showHours(o.Hours)})
		}
		shown = append(shown, v)
	}
	return shown
}
