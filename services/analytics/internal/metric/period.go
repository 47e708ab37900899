package metric

import "time"

// Grains lists the lengths of periods that can be asked for.
func Grains() []Grain { return []Grain{Day, Week, Month, Quarter, Year} }

// Start is the first day of the period that the day lies in. Days are at 00:00 UTC.
func (g Grain) Start(day time.Time) time.Time {
	y, m, d := day.Date()
	switch g {
	case Week:
		return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	case Month:
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	case Quarter:
		return time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	case Year:
		return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
	default:
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
}

// Add is the first day of the period n periods later; start is the first day of one.
func (g Grain) Add(start time.Time, n int) time.Time {
	switch g {
	case Week:
		return start.AddDate(0, 0, 7*n)
	case Month:
		return start.AddDate(0, n, 0)
	case Quarter:
		return start.AddDate(0, 3*n, 0)
	case Year:
		return start.AddDate(n, 0, 0)
	default:
		return start.AddDate(0, 0, n)
	}
}

// Span is some days, both included.
type Span struct{ From, To time.Time }

// Periods lists the first days of the periods that the span touches; the first may begin before it. It stops after limit.
func (s Span) Periods(g Grain, limit int) (starts []time.Time) {
	for at := g.Start(s.From); !at.After(s.To) && len(starts) < limit; at = g.Add(at, 1) {
		starts = append(starts, at)
	}
	return starts
}

// Before is the span of equal length right before: of whole months as many whole months, else as many days.
func (s Span) Before() Span {
	after := s.To.AddDate(0, 0, 1)
	if s.From.Day() == 1 && after.Day() == 1 {
		months := 12*(after.Year()-s.From.Year()) + int(after.Month()) - int(s.From.Month())
		return Span{s.From.AddDate(0, -months, 0), s.From.AddDate(0, 0, -1)}
	}
	days := int(after.Sub(s.From) / (24 * time.Hour))
	return Span{s.From.AddDate(0, 0, -days), s.From.AddDate(0, 0, -1)}
}

// partial tells whether the span cuts the period off that begins at start.
func (s Span) partial(g Grain, start time.Time) bool {
	return start.Before(s.From) || g.Add(start, 1).AddDate(0, 0, -1).After(s.To)
}
