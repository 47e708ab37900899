package opportunity

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// ListAsked says which of what people were asked is meant.
type ListAsked struct {
	httpx.Page
	Subject string `query:"subject" maxLength:"200" doc:"What this subject was asked; absent, without a team: what the caller was."`
	Team    string `query:"team" maxLength:"64" doc:"What was asked of opportunities of the team of this code, whoever was asked."`
	Done    bool   `query:"done" doc:"Also what is done."`
}

type askedList struct{ Body opportunityAskedPage }

type opportunityAskedPage struct {
	Items      []opportunityAsked `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string             `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// opportunityAsked is something that somebody was asked for.
type opportunityAsked struct {
	AskedID       uuid.UUID  `json:"asked_id" format:"uuid"`
	OpportunityID uuid.UUID  `json:"opportunity_id" format:"uuid"`
	Kind          Kind       `json:"kind" enum:"remind,escalate,propose_close" doc:"To go on with it, to look after it as the lead of the team, or to lose it or go on."`
	Subject       string     `json:"subject" doc:"Who is asked; empty: nobody is known."`
	Team          string     `json:"team" doc:"Code; empty: none."`
	Reason        string     `json:"reason" enum:"age,no_next_step,next_step_overdue" doc:"Why the opportunity stalled."`
	AskedAt       time.Time  `json:"asked_at"`
	DoneAt        *time.Time `json:"done_at,omitempty" doc:"When it went on, or was closed."`
}

// askedRoutes adds what people are asked to do.
func (o *Opportunities) askedRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-asked", Method: http.MethodGet, Path: "/v1/opportunities/asked", Tag: "Opportunities",
		Summary: "What people are asked to do about opportunities that stalled", Permission: auth.SalesRead,
	}, func(ctx context.Context, in *ListAsked) (*askedList, error) {
		f := AskedFilter{Subject: in.Subject, Team: in.Team, Done: in.Done}
		if f.Subject == "" && f.Team == "" {
			f.Subject = subject(ctx)
		}
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Asked, error) {
			f.Before = before
			return o.AskedOf(ctx, f, limit)
		}, func(a Asked) uuid.UUID { return a.ID }, func(a Asked) opportunityAsked {
			return opportunityAsked{a.ID, a.OpportunityID, a.Kind, a.Subject, a.Team, a.Reason, a.AskedAt, pg.OrNull(a.DoneAt)}
		})
		return &askedList{opportunityAskedPage{items, next}}, err
	})
}
