package calendar

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// calendarPause is a time that does not count.
type calendarPause struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to" doc:"Not included."`
}

type addInput struct {
	ID   uuid.UUID `path:"calendar_id" format:"uuid"`
	Body calendarAdd
}

// calendarAdd is a deadline to try.
type calendarAdd struct {
	From        time.Time       `json:"from" example:"2026-03-06T09:30:00Z"`
	Seconds     int64           `json:"seconds,omitempty" minimum:"1" maximum:"316224000" doc:"Of business time. Either this or working_days." example:"28800"`
	WorkingDays int             `json:"working_days,omitempty" minimum:"1" maximum:"3660" doc:"Days on which it opens, the local day of from not counted; the deadline is the end of business of the last." example:"15"`
	Pauses      []calendarPause `json:"pauses,omitempty" nullable:"false" maxItems:"100" doc:"Times that do not count."`
}

type betweenInput struct {
	ID   uuid.UUID `path:"calendar_id" format:"uuid"`
	Body calendarBetween
}

// calendarBetween is a range whose business time to try.
type calendarBetween struct {
	From   time.Time       `json:"from" example:"2026-03-06T09:30:00Z"`
	To     time.Time       `json:"to" doc:"Not included." example:"2026-03-09T09:30:00Z"`
	Pauses []calendarPause `json:"pauses,omitempty" nullable:"false" maxItems:"100" doc:"Times that do not count."`
}

type trialAnswer struct{ Body calendarReckoned }

// calendarReckoned is what a trial came to.
type calendarReckoned struct {
	At      time.Time       `json:"at" doc:"The end: the earliest instant at which the time is used up."`
	Local   string          `json:"local" doc:"The same by the wall clock of the calendar." example:"2026-03-09T10:30:00+08:00"`
	Seconds float64         `json:"seconds" doc:"Business time from from up to at, pauses left out."`
	Ranges  []calendarPause `json:"ranges" nullable:"false" doc:"What was counted: the first hundred ranges."`
	More    bool            `json:"more" doc:"There are more ranges than are shown."`
}

func tried(r Reckoned, err error) (*trialAnswer, error) {
	if err != nil {
		return nil, err
	}
	b := calendarReckoned{At: r.At.UTC(), Local: r.At.In(r.Zone).Format(time.RFC3339Nano), Seconds: r.Worked.Seconds(), More: r.More, Ranges: []calendarPause{}}
	for _, one := range r.Ranges {
		b.Ranges = append(b.Ranges, calendarPause{one.From.UTC(), one.To.UTC()})
	}
	return &trialAnswer{b}, nil
}

func pausesOf(shown []calendarPause) (pauses []businesstime.Range) {
	for _, p := range shown {
		pauses = append(pauses, businesstime.Range(p))
	}
	return pauses
}

// trialRoutes adds what keeps nothing: to see how a calendar reckons.
func (c *Calendars) trialRoutes(api *httpx.API, tag string) {
	httpx.Register(api, httpx.Operation{
		ID: "add-business-time", Method: http.MethodPost, Path: path + "/add", Tag: tag, Summary: "Try when business time would be used up",
		Description: "Nothing is kept. Business time that does not come within a hundred years is refused.",
		Permission:  auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *addInput) (*trialAnswer, error) {
		b := in.Body
		return tried(c.TryAdd(ctx, in.ID, Trial{From: b.From, Seconds: b.Seconds, WorkingDays: b.WorkingDays, Pauses: pausesOf(b.Pauses)}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "measure-business-time", Method: http.MethodPost, Path: path + "/between", Tag: tag, Summary: "Try how much business time there is",
		Description: "Nothing is kept.",
		Permission:  auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *betweenInput) (*trialAnswer, error) {
		b := in.Body
		return tried(c.TryBetween(ctx, in.ID, businesstime.Range{From: b.From, To: b.To}, pausesOf(b.Pauses)))
	})
}
