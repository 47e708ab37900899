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
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

type recomputationView struct {
	RecomputationID uuid.UUID  `json:"recomputation_id" format:"uuid"`
	Cause           Cause      `json:"cause" enum:"calendar,policy,asked" doc:"A calendar was changed, a policy was corrected, or somebody asked for it."`
	Tickets         Tickets    `json:"tickets" enum:"open,closed" doc:"open: all that are not closed."`
	PolicyID        *uuid.UUID `json:"policy_id,omitempty" format:"uuid" doc:"Only tickets measured by it."`
	CalendarID      *uuid.UUID `json:"calendar_id,omitempty" format:"uuid" doc:"Only tickets measured by it."`
	ClosedFrom      *time.Time `json:"closed_from,omitempty"`
	ClosedTo        *time.Time `json:"closed_to,omitempty"`
	Reason          string     `json:"reason" doc:"Code."`
	By              string     `json:"by" doc:"Subject of whoever asked for it, or caused it."`
	AskedAt         time.Time  `json:"asked_at"`
	LookedAt        int64      `json:"looked_at" doc:"Tickets so far."`
	Changed         int64      `json:"changed" doc:"Of them: those with another deadline or verdict."`
	FinishedAt      *time.Time `json:"finished_at,omitempty" doc:"Absent: it goes on."`
}

func showRecomputation(r Recomputation) recomputationView {
	return recomputationView{
		RecomputationID: r.ID, Cause: r.Cause, Tickets: r.Tickets, PolicyID: pg.OrNull(r.PolicyID), CalendarID: pg.OrNull(r.CalendarID),
		ClosedFrom: inUTC(r.ClosedFrom), ClosedTo: inUTC(r.ClosedTo), Reason: r.Reason, By: r.By, AskedAt: r.AskedAt.UTC(), LookedAt: r.LookedAt,
		Changed: r.Changed, FinishedAt: inUTC(r.FinishedAt),
	}
}

func inUTC(t time.Time) *time.Time { return pg.OrNull(t.UTC()) }

type recomputationAnswer struct{ Body recomputationView }

func answeredRecomputation(r Recomputation, err error) (*recomputationAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &recomputationAnswer{showRecomputation(r)}, nil
}

type askInput struct{ Body newRecomputation }

// newRecomputation says which deadlines are to be reckoned anew.
type newRecomputation struct {
	Tickets    Tickets    `json:"tickets" enum:"open,closed" doc:"closed: verdicts change by the calendar as it is now, and each that does is logged."`
	PolicyID   *uuid.UUID `json:"policy_id,omitempty" format:"uuid" doc:"Only tickets measured by it, in any version."`
	CalendarID *uuid.UUID `json:"calendar_id,omitempty" format:"uuid" doc:"Only tickets whose policy names it."`
	ClosedFrom *time.Time `json:"closed_from,omitempty" doc:"Only tickets closed at or after it."`
	ClosedTo   *time.Time `json:"closed_to,omitempty" doc:"Only tickets closed before it."`
	Reason     string     `json:"reason" maxLength:"64" doc:"Code of why." example:"holiday_forgotten"`
}

type recomputationByID struct {
	ID uuid.UUID `path:"recomputation_id" format:"uuid"`
}

type recomputationsInput struct{ httpx.Page }

type recomputationsAnswer struct{ Body recomputationPage }

type recomputationPage struct {
	Items      []recomputationView `json:"items" nullable:"false"`
	NextCursor string              `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type verdictsInput struct {
	httpx.Page
	ID uuid.UUID `path:"recomputation_id" format:"uuid"`
}

type verdictsAnswer struct{ Body verdictPage }

type verdictPage struct {
	Items      []verdictChange `json:"items" nullable:"false"`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type verdictChange struct {
	TicketID                uuid.UUID `json:"ticket_id" format:"uuid"`
	Clock                   sla.Clock `json:"clock" enum:"first_response,next_response,resolution"`
	Round                   int       `json:"round"`
	StateBefore             sla.State `json:"state_before" enum:"met,breached,cancelled"`
	State                   sla.State `json:"state" enum:"met,breached,cancelled"`
	DifferenceMinutesBefore minutes   `json:"difference_minutes_before" doc:"Of business time."`
	DifferenceMinutes       minutes   `json:"difference_minutes"`
}

func (d *Deadlines) recomputeRoutes(api *httpx.API) {
	const tag, path = "Service levels", "/v1/sla-recomputations"
	httpx.Register(api, httpx.Operation{
		ID: "recompute-sla", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Have deadlines reckoned anew",
		Description: "Deadlines of open tickets are reckoned anew by themselves after a change of a calendar or the correction of a policy. Verdicts of closed ones change only by this.",
		Permission:  auth.TicketsConfigure, Status: http.StatusAccepted,
	}, func(ctx context.Context, in *askInput) (*recomputationAnswer, error) {
		b := in.Body
		return answeredRecomputation(d.Ask(ctx, Recomputation{
			Tickets: b.Tickets, PolicyID: orZero(b.PolicyID), CalendarID: orZero(b.CalendarID), ClosedFrom: orZero(b.ClosedFrom).UTC().Truncate(time.Microsecond),
			ClosedTo: orZero(b.ClosedTo).UTC().Truncate(time.Microsecond), Reason: b.Reason,
		}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-sla-recomputations", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List recomputations, the latest first",
		Permission: auth.TicketsRead,
	}, func(ctx context.Context, in *recomputationsInput) (*recomputationsAnswer, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Recomputation, error) {
			return d.Recomputations(ctx, before, limit)
		}, func(r Recomputation) uuid.UUID { return r.ID }, showRecomputation)
		if err != nil {
			return nil, err
		}
		return &recomputationsAnswer{recomputationPage{items, next}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-sla-recomputation", Method: http.MethodGet, Path: path + "/{recomputation_id}", Tag: tag, Summary: "Read how far a recomputation came",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *recomputationByID) (*recomputationAnswer, error) {
		return answeredRecomputation(d.Recomputation(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-sla-verdict-changes", Method: http.MethodGet, Path: path + "/{recomputation_id}/verdicts", Tag: tag,
		Summary: "List the verdicts of closed tickets that a recomputation changed", Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, d.listVerdicts)
}

func (d *Deadlines) listVerdicts(ctx context.Context, in *verdictsInput) (*verdictsAnswer, error) {
	after, err := changeAfter(in.Cursor)
	if err != nil {
		return nil, err
	}
	all, err := d.Changes(ctx, in.ID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := verdictPage{Items: []verdictChange{}}
	if len(all) > in.Limit {
		all = all[:in.Limit]
		last := all[in.Limit-1]
		page.NextCursor = httpx.EncodeCursor(last.ticket.String(), string(last.clock), strconv.Itoa(last.round.round))
	}
	for _, c := range all {
		page.Items = append(page.Items, verdictChange{
			c.ticket, c.clock, c.round.round, c.before.state, c.after.state, inMinutes(c.before.difference), inMinutes(c.after.difference),
		})
	}
	return &verdictsAnswer{page}, nil
}

// changeAfter reads the cursor of the list of verdicts.
func changeAfter(cursor string) (after change, err error) {
	parts, err := httpx.DecodeCursor(cursor, 3)
	if err != nil || parts == nil {
		return after, err
	}
	id, wrong := uuid.Parse(parts[0])
	n, alsoWrong := strconv.ParseInt(parts[2], 10, 32)
	if wrong != nil || alsoWrong != nil {
		return after, problem.New(problem.BadRequest, "cursor_invalid", "The cursor is broken. Start again without one.")
	}
	return change{ticket: id, round: round{sla.Clock(parts[1]), int(n)}}, nil
}
