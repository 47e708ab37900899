// Package report gives the figures of service over all its rooms, as JSON and as CSV. It reads only.
package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Span is the time of a report.
type Span struct {
	From, To time.Time // [From, To)
}

const (
	usual   = 30 * 24 * time.Hour
	longest = 2 * 366 * 24 * time.Hour
)

// SpanOf gives the time that is asked for: the last 30 days where nothing is. Both ends may be zero.
func SpanOf(from, to, now time.Time) (Span, error) {
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-usual)
	}
	if !from.Before(to) || to.Sub(from) > longest {
		return Span{}, invalid("from", "out_of_range", "must be before to, by at most two years")
	}
	return Span{From: from.UTC(), To: to.UTC()}, nil
}

// Level is how one group kept what one clock promises.
type Level struct {
	Clock      string
	Group      string // code, subject or id; empty where there is none
	Name       string // of a policy
	Begins     string // first day of the day, week or month; empty where the time is not divided
	Met        int64
	Breached   int64 // done late
	Overdue    int64 // not done, and the deadline passed
	Cancelled  int64 // resolved without a reply; counts neither way
	Difference int64 // mean of target less business time used, in seconds, of those that were done
}

// Percent is how many of a hundred were met, of those whose verdict is known; nil for none.
func (l Level) Percent() *float64 { return percent(l.Met, l.Met+l.Breached+l.Overdue) }

// Backlog is what is open in one group.
type Backlog struct {
	Group     string
	Open      int64 // all of them
	New       int64
	Pending   int64
	OnHold    int64
	Overdue   int64            // past their next deadline
	Ages      [len(ages)]int64 // by age, see Ages
	Oldest    time.Time        // when the oldest was opened
	MedianAge time.Duration
}

// ages are the bounds of the groups of ages, in days since a ticket was opened; the last group has no end.
var ages = [...]int{1, 3, 7, 30, math.MaxInt}

// Ages names the groups of ages, such as "1 to 3 days".
func Ages() (names [len(ages)]string) {
	from := 0
	for i, to := range ages {
		switch {
		case i == 0:
			names[i] = fmt.Sprintf("under %d day", to)
		case to == math.MaxInt:
			names[i] = fmt.Sprintf("over %d days", from)
		default:
			names[i] = fmt.Sprintf("%d to %d days", from, to)
		}
		from = to
	}
	return names
}

// Resolutions is what was resolved in one group for the first time.
type Resolutions struct {
	Group        string
	Begins       string
	Resolved     int64
	FirstContact int64 // without a further word of the customer, and not reopened since
	Reopened     int64 // at least once since
}

// FirstContactRate and ReopenRate are in percent of what was resolved; nil for nothing.
func (r Resolutions) FirstContactRate() *float64 { return percent(r.FirstContact, r.Resolved) }

// ReopenRate is how many of a hundred were reopened.
func (r Resolutions) ReopenRate() *float64 { return percent(r.Reopened, r.Resolved) }

// Cause is one bar of a Pareto chart.
type Cause struct {
	Code       string
	Complaints int64
	Customers  int64
	Share      float64 // in percent of all complaints with a cause
	Cumulative float64 // with those before it
}

// Pareto adds shares to causes that come with the most frequent first.
func Pareto(causes []Cause) []Cause {
	var all, sum int64
	for _, c := range causes {
		all += c.Complaints
	}
	for i := range causes {
		sum += causes[i].Complaints
		causes[i].Share, causes[i].Cumulative = *percent(causes[i].Complaints, all), *percent(sum, all)
	}
	return causes
}

// percent gives part of whole in percent, to a hundredth; nil of nothing.
func percent(part, whole int64) *float64 {
	if whole == 0 {
		return nil
	}
	p := math.Round(float64(part)/float64(whole)*10_000) / 100
	return &p
}

// Table is a report as a file has it.
type Table struct {
	Columns []string
	Rows    [][]string
}

func cell(p *float64) string {
	if p == nil {
		return ""
	}
	return strconv.FormatFloat(*p, 'f', 2, 64)
}

func whole(numbers ...int64) (cells []string) {
	for _, n := range numbers {
		cells = append(cells, strconv.FormatInt(n, 10))
	}
	return cells
}

// LevelTable brings a report into the form of a file.
func LevelTable(levels []Level) Table {
	t := Table{Columns: []string{"clock", "group", "name", "begins", "met", "breached", "overdue", "cancelled", "percent_met", "mean_difference_minutes"}}
	for _, l := range levels {
		row := append([]string{l.Clock, l.Group, l.Name, l.Begins}, whole(l.Met, l.Breached, l.Overdue, l.Cancelled)...)
		t.Rows = append(t.Rows, append(row, cell(l.Percent()), minutes(l.Difference)))
	}
	return t
}

// BacklogTable has a column for each group of ages.
func BacklogTable(all []Backlog) Table {
	t := Table{Columns: []string{"group", "open", "new", "pending", "on_hold", "overdue"}}
	for _, name := range Ages() {
		t.Columns = append(t.Columns, strings.ReplaceAll(name, " ", "_"))
	}
	t.Columns = append(t.Columns, "oldest_opened_at", "median_age_hours")
	for _, b := range all {
		row := append([]string{b.Group}, whole(b.Open, b.New, b.Pending, b.OnHold, b.Overdue)...)
		row = append(row, whole(b.Ages[:]...)...)
		t.Rows = append(t.Rows, append(row, b.Oldest.Format(time.RFC3339), strconv.FormatFloat(b.MedianAge.Hours(), 'f', 2, 64)))
	}
	return t
}

// ResolutionTable has the rates beside what they are of.
func ResolutionTable(all []Resolutions) Table {
	t := Table{Columns: []string{"group", "begins", "resolved", "first_contact", "first_contact_percent", "reopened", "reopened_percent"}}
	for _, r := range all {
		t.Rows = append(t.Rows, []string{r.Group, r.Begins, strconv.FormatInt(r.Resolved, 10), strconv.FormatInt(r.FirstContact, 10), cell(r.FirstContactRate()),
			strconv.FormatInt(r.Reopened, 10), cell(r.ReopenRate())})
	}
	return t
}

// CauseTable is a Pareto chart.
func CauseTable(causes []Cause) Table {
	t := Table{Columns: []string{"code", "complaints", "customers", "share_percent", "cumulative_percent"}}
	for _, c := range causes {
		t.Rows = append(t.Rows, append(append([]string{c.Code}, whole(c.Complaints, c.Customers)...), cell(&c.Share), cell(&c.Cumulative)))
	}
	return t
}

// minutes gives seconds in minutes with two decimals.
func minutes(seconds int64) string { return strconv.FormatFloat(float64(seconds)/60, 'f', 2, 64) }
