// Package report makes reports of metrics: sections of numbers with text, on a schedule or when somebody asks, kept as they were,
// and shown as a page.
package report

import (
	"encoding/json"
	"time"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
)

// Content is what a report says.
type Content struct {
	Title    string          `json:"title" minLength:"1" maxLength:"200"`
	Sections []ReportSection `json:"sections" minItems:"1" maxItems:"20" nullable:"false"`
	Schedule *ReportSchedule `json:"schedule,omitempty" doc:"left out: it runs only when somebody asks"`
}

// ReportSection is a question with a text. Days are the last whole ones before the run; a question with days of its own keeps them.
type ReportSection struct {
	Title    string              `json:"title" minLength:"1" maxLength:"200"`
	Text     string              `json:"text,omitempty" maxLength:"5000"`
	LastDays int                 `json:"last_days,omitempty" minimum:"1" maximum:"3660" doc:"the days before the run that are asked for"`
	Question metric.QuestionBody `json:"question"`
}

// ReportSchedule says when a report runs.
type ReportSchedule struct {
	Every    string `json:"every" enum:"day,week,month"`
	Hour     int    `json:"hour" minimum:"0" maximum:"23" doc:"of the wall clock there"`
	TimeZone string `json:"time_zone" maxLength:"64" example:"Asia/Shanghai"`
	Weekday  int    `json:"weekday,omitempty" minimum:"0" maximum:"6" doc:"of a weekly one; 0 is Sunday"`
	Day      int    `json:"day,omitempty" minimum:"0" maximum:"28" doc:"of a monthly one; the first when left out"`
}

// Next is the first time after at that the schedule is due; zero for a time zone that is not known. An hour that the clock skips
// is due when it has been put forward.
func (s ReportSchedule) Next(at time.Time) time.Time {
	zone, ok := businesstime.Zone(s.TimeZone)
	if !ok {
		return time.Time{}
	}
	y, m, d := at.In(zone).Date()
	for i := range 70 { // days: more than two months, whatever the schedule
		day := time.Date(y, m, d+i, s.Hour, 0, 0, 0, zone)
		fits := s.Every == "day" || s.Every == "week" && int(day.Weekday()) == s.Weekday || s.Every == "month" && day.Day() == max(1, s.Day)
		if fits && day.After(at) {
			return day.UTC()
		}
	}
	return time.Time{}
}

// check names what is wrong with the report besides its questions.
func (c Content) check() (found []problem.Field) {
	if c.Schedule != nil {
		if _, ok := businesstime.Zone(c.Schedule.TimeZone); !ok {
			found = append(found, problem.Field{Location: "schedule.time_zone", Code: "unknown", Message: "must be a time zone of the IANA data base, such as Asia/Shanghai"})
		}
	}
	return found
}

// next is when the report is due after at; nil without a schedule.
func (c Content) next(at time.Time) *time.Time {
	if c.Schedule == nil {
		return nil
	}
	next := c.Schedule.Next(at)
	if next.IsZero() {
		return nil
	}
	return &next
}

// Result is what a run came to: the sections with their numbers as they were.
type Result struct {
	Title    string            `json:"title"`
	Sections []ReportedSection `json:"sections" nullable:"false"`
}

// ReportedSection is a section with its numbers; where they could not be had, it says why.
type ReportedSection struct {
	Title   string                `json:"title"`
	Text    string                `json:"text,omitempty"`
	Numbers *metric.MetricNumbers `json:"numbers,omitempty"`
	Problem string                `json:"problem,omitempty"`
}

func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("report: what it is made of always has a JSON form: " + err.Error())
	}
	return raw
}
