package deadline

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// minutes is a business time as people read it: with two decimals, always.
type minutes float64

// MarshalJSON writes a number such as 90.00.
func (m minutes) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(m), 'f', 2, 64), nil
}

func inMinutes(d time.Duration) minutes { return minutes(d.Seconds() / 60) }

func inSeconds(d time.Duration) int64 { return int64(d / time.Second) }

type explainInput struct {
	ID uuid.UUID `path:"ticket_id" format:"uuid"`
	At time.Time `query:"at" doc:"As things stood then, RFC 3339; left out: now." example:"2026-03-02T09:00:00Z"`
}

type explainAnswer struct{ Body ticketSLA }

// ticketSLA is how the deadlines of a ticket came about.
type ticketSLA struct {
	TicketID uuid.UUID    `json:"ticket_id" format:"uuid"`
	Number   string       `json:"number" example:"T-000123"`
	Status   string       `json:"status" enum:"new,open,pending,on_hold,resolved,closed" doc:"As it was then."`
	At       time.Time    `json:"at" doc:"As things stood then."`
	Grade    string       `json:"grade,omitempty" doc:"Of the customer when the policy was chosen; so is tier."`
	Tier     string       `json:"tier,omitempty"`
	Policy   *slaPolicyOf `json:"policy,omitempty" doc:"Absent where nothing is promised."`
	Calendar *calendarOf  `json:"calendar,omitempty" doc:"Of a closed ticket, as it was when the verdicts were found."`
	Next     *nextOf      `json:"next,omitempty" doc:"The earliest deadline of the clocks that run; absent where all pause or are done."`
	Clocks   []clockOf    `json:"clocks" nullable:"false"`
}

type slaPolicyOf struct {
	PolicyID  uuid.UUID     `json:"policy_id" format:"uuid"`
	Version   int64         `json:"version"`
	Name      string        `json:"name"`
	Reopening sla.Reopening `json:"reopening" enum:"first,total"`
}

type calendarOf struct {
	CalendarID *uuid.UUID `json:"calendar_id,omitempty" format:"uuid" doc:"Absent: always open."`
	Version    int64      `json:"version"`
	TimeZone   string     `json:"time_zone" example:"Asia/Shanghai"`
}

type nextOf struct {
	Clock sla.Clock `json:"clock" enum:"first_response,next_response,resolution"`
	DueAt time.Time `json:"due_at"`
}

type clockOf struct {
	Clock             sla.Clock  `json:"clock" enum:"first_response,next_response,resolution"`
	Round             int        `json:"round" doc:"From 1: every word of the customer that waits for a next response is one."`
	State             sla.State  `json:"state" enum:"pending,paused,about_to_breach,breached,met,cancelled"`
	Priority          int        `json:"priority" doc:"By which the target was picked."`
	StartedAt         time.Time  `json:"started_at"`
	TargetSeconds     int64      `json:"target_seconds" doc:"Of business time; so are the others."`
	TargetMinutes     minutes    `json:"target_minutes" example:"60.00"`
	DueAt             *time.Time `json:"due_at,omitempty" doc:"When the target is used up; absent while paused, unless it passed before, and where cancelled."`
	DoneAt            *time.Time `json:"done_at,omitempty"`
	CancelledAt       *time.Time `json:"cancelled_at,omitempty"`
	UsedSeconds       int64      `json:"used_seconds" doc:"Until it was done or cancelled, or until then."`
	UsedMinutes       minutes    `json:"used_minutes" example:"45.50"`
	DifferenceSeconds int64      `json:"difference_seconds" doc:"Target less used; negative where it was late."`
	DifferenceMinutes minutes    `json:"difference_minutes" example:"14.50"`
	Pauses            []pauseOf  `json:"pauses" nullable:"false" doc:"What did not count: statuses that pause the clock, and the time for which the ticket was resolved."`
	Steps             []stepOf   `json:"steps" nullable:"false"`
	Worked            []workedOf `json:"worked" nullable:"false" doc:"The business time that was counted, and will be until the deadline, piece by piece, cut at the deadline."`
	WorkedCut         bool       `json:"worked_cut,omitempty" doc:"There is more than the 500 pieces that are listed."`
}

type pauseOf struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to,omitempty" doc:"Absent: it lasts."`
}

type stepOf struct {
	Percent   int        `json:"percent" doc:"Of the target; 100 is the deadline."`
	ReachedAt *time.Time `json:"reached_at,omitempty" doc:"When so much was, or will be, used up; absent where that is not foreseen."`
}

type workedOf struct {
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	Minutes      minutes   `json:"minutes" example:"180.00"`
	TotalMinutes minutes   `json:"total_minutes" doc:"With all before." example:"240.00"`
}

func show(e Explanation) ticketSLA {
	v := ticketSLA{
		TicketID: e.id, Number: ticket.Number(e.number), Status: e.status, At: e.At.UTC(), Grade: e.grade, Tier: e.tier, Clocks: []clockOf{},
	}
	for _, h := range e.History {
		if h.Status != "" && !h.At.After(e.At) {
			v.Status = h.Status
		}
	}
	if e.Policy.ID == uuid.Nil {
		return v
	}
	v.Policy = &slaPolicyOf{e.Policy.ID, e.Policy.Version, e.Policy.Name, e.Policy.Reopening}
	v.Calendar = &calendarOf{pg.OrNull(e.Calendar.ID), e.Calendar.Version, e.Calendar.Zone().String()}
	if due, clock, ok := sla.Next(e.All); ok {
		v.Next = &nextOf{clock, due}
	}
	for _, m := range e.All {
		v.Clocks = append(v.Clocks, showClock(m, e))
	}
	return v
}

func showClock(m sla.Measurement, e Explanation) clockOf {
	c := clockOf{
		Clock: m.Clock, Round: m.Round, State: m.State, Priority: m.Priority, StartedAt: m.Started, TargetSeconds: inSeconds(m.Target),
		TargetMinutes: inMinutes(m.Target), DueAt: pg.OrNull(m.Due), DoneAt: pg.OrNull(m.Done), UsedSeconds: inSeconds(m.Used),
		UsedMinutes: inMinutes(m.Used), DifferenceSeconds: inSeconds(m.Difference), DifferenceMinutes: inMinutes(m.Difference),
		Pauses: []pauseOf{}, Steps: []stepOf{}, Worked: []workedOf{},
	}
	if m.State == sla.IsCancelled {
		c.CancelledAt = pg.OrNull(m.Ended)
	}
	for _, p := range m.Pauses {
		c.Pauses = append(c.Pauses, pauseOf{p.From, pg.OrNull(p.To)})
	}
	for _, s := range m.Steps {
		c.Steps = append(c.Steps, stepOf{s.Percent, pg.OrNull(s.At)})
	}
	all, complete := spans(m, e.Calendar, e.At.UTC().Truncate(time.Second))
	c.WorkedCut = !complete
	for _, s := range all {
		c.Worked = append(c.Worked, workedOf{s.From.UTC(), s.To.UTC(), inMinutes(s.To.Sub(s.From)), inMinutes(s.Used)})
	}
	return c
}

// Routes adds the operations on deadlines.
func (d *Deadlines) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "explain-ticket-sla", Method: http.MethodGet, Path: "/v1/tickets/{ticket_id}/sla", Tag: "Service levels",
		Summary:     "Read the clocks of a ticket, and how each deadline came about",
		Description: "Computed from the ticket's history, as things stood at the instant that is asked for. All times are cut to seconds.",
		Permission:  auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *explainInput) (*explainAnswer, error) {
		if in.At.IsZero() {
			in.At = d.now()
		}
		e, err := d.Explain(ctx, in.ID, in.At)
		if err != nil {
			return nil, err
		}
		return &explainAnswer{show(e)}, nil
	})
	d.recomputeRoutes(api)
}
