package link

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// linkedView is a link as one of its tickets sees it.
type linkedView struct {
	Is       Kind          `json:"is" enum:"duplicate_of,has_duplicate,parent_of,child_of,caused_by,causes" doc:"What the ticket is to the other one."`
	TicketID uuid.UUID     `json:"ticket_id" format:"uuid" doc:"The other one."`
	Number   string        `json:"number" example:"T-000123"`
	Status   ticket.Status `json:"status" enum:"new,open,pending,on_hold,resolved,closed"`
	By       string        `json:"by" doc:"Subject of who linked them."`
	At       time.Time     `json:"at"`
}

type linksInput struct {
	ID uuid.UUID `path:"ticket_id" format:"uuid"`
}

type linksAnswer struct{ Body ticketLinks }

type ticketLinks struct {
	Items []linkedView `json:"items" nullable:"false" doc:"All of them: a ticket has at most 200."`
}

type linkInput struct {
	ID    uuid.UUID `path:"ticket_id" format:"uuid"`
	Kind  Kind      `path:"kind" enum:"duplicate_of,parent_of,caused_by"`
	Other uuid.UUID `path:"other_id" format:"uuid"`
}

type mergeInput struct {
	ID      uuid.UUID `path:"ticket_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the ticket that is merged, as it was read."`
	Body    ticketMerge
}

// ticketMerge says as which ticket another one goes on.
type ticketMerge struct {
	Into   uuid.UUID `json:"into" format:"uuid" doc:"The ticket that goes on."`
	Across bool      `json:"across_customers,omitempty" doc:"Whether it may be another customer's: whoever reads that ticket then reads what this customer said."`
}

type mergedAnswer struct {
	ETag string `header:"ETag"`
	Body mergedTicket
}

// mergedTicket is a ticket that was merged into another one.
type mergedTicket struct {
	TicketID   uuid.UUID     `json:"ticket_id" format:"uuid"`
	Number     string        `json:"number" example:"T-000123"`
	Status     ticket.Status `json:"status" enum:"closed"`
	MergedInto uuid.UUID     `json:"merged_into" format:"uuid" doc:"The ticket that goes on."`
	Version    int64         `json:"version" doc:"The ETag."`
}

type threadInput struct {
	ID       uuid.UUID `path:"ticket_id" format:"uuid"`
	Internal bool      `query:"internal" doc:"Whether to give notes as well, which only the staff can read."`
	httpx.Page
}

type threadAnswer struct{ Body ticketThread }

type ticketThread struct {
	Items      []threadPiece `json:"items" nullable:"false"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// threadPiece is one piece of what was said.
type threadPiece struct {
	TicketID uuid.UUID     `json:"ticket_id" format:"uuid" doc:"The ticket on which it was said."`
	Number   string        `json:"number" example:"T-000123"`
	What     What          `json:"what" enum:"opening,reply,note" doc:"opening: what the ticket was opened with."`
	ReplyID  *uuid.UUID    `json:"reply_id,omitempty" format:"uuid" doc:"Of the reply or the note."`
	Author   ticket.Author `json:"author,omitempty" enum:"customer,agent,automatic,note" doc:"Absent of an opening."`
	Channel  string        `json:"channel,omitempty"`
	Subject  string        `json:"subject,omitempty" doc:"Of an opening."`
	Words    string        `json:"words" doc:"As they were given. Whatever shows them must not take them for HTML."`
	By       string        `json:"by,omitempty"`
	At       time.Time     `json:"at"`
}

func showPiece(p Piece) threadPiece {
	shown := threadPiece{
		TicketID: p.TicketID, Number: p.Number, What: p.What, Author: p.Author, Channel: p.Channel, Subject: p.Subject, Words: p.Words,
		By: p.By, At: p.At.UTC(),
	}
	if p.What != Opening {
		shown.ReplyID = pg.OrNull(p.ID)
	}
	return shown
}

// Routes adds the operations on links.
func (l *Links) Routes(api *httpx.API) {
	const tag, path = "Tickets", "/v1/tickets/{ticket_id}"
	conflicts := []int{http.StatusNotFound, http.StatusConflict}
	httpx.Register(api, httpx.Operation{
		ID: "list-ticket-links", Method: http.MethodGet, Path: path + "/links", Tag: tag, Summary: "List what a ticket has to do with others",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *linksInput) (*linksAnswer, error) {
		found, err := l.Of(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		body := ticketLinks{Items: make([]linkedView, len(found))}
		for i, one := range found {
			body.Items[i] = linkedView{Is: one.Is, TicketID: one.Other, Number: one.Number, Status: one.Status, By: one.By, At: one.At.UTC()}
		}
		return &linksAnswer{body}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "link-tickets", Method: http.MethodPut, Path: path + "/links/{kind}/{other_id}", Tag: tag, Summary: "Link a ticket to another one",
		Description: "Links of a kind never go round in a circle. A ticket is a duplicate of one other at most, and has one parent.",
		Permission:  auth.TicketsWrite, Status: http.StatusNoContent, Errors: conflicts,
	}, func(ctx context.Context, in *linkInput) (*struct{}, error) {
		return nil, l.Add(ctx, in.link(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "unlink-tickets", Method: http.MethodDelete, Path: path + "/links/{kind}/{other_id}", Tag: tag, Summary: "Take a link away",
		Permission: auth.TicketsWrite, Status: http.StatusNoContent, Errors: conflicts,
	}, func(ctx context.Context, in *linkInput) (*struct{}, error) {
		return nil, l.Remove(ctx, in.link(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "merge-ticket", Method: http.MethodPost, Path: path + "/merge", Tag: tag, Summary: "Merge a ticket into another one",
		Description: "It is closed and says into which; what was said on it is read in the other one's thread. This is not taken back.",
		Permission:  auth.TicketsWrite,
		Errors:      append([]int{http.StatusPreconditionFailed, http.StatusPreconditionRequired}, conflicts...),
	}, func(ctx context.Context, in *mergeInput) (*mergedAnswer, error) {
		who, _ := auth.From(ctx)
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		t, err := l.Merge(ctx, in.ID, in.Body.Into, in.Body.Across, who.Subject, fresh)
		if err != nil {
			return nil, err
		}
		return &mergedAnswer{ETag: httpx.ETag(t.Version), Body: mergedTicket{t.ID, ticket.Number(t.Number), t.Status, t.MergedInto, t.Version}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-ticket-thread", Method: http.MethodGet, Path: path + "/thread", Tag: tag,
		Summary:    "Read what was said on a ticket and on those that were merged into it",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, l.thread)
}

func (in *linkInput) link(ctx context.Context) Link {
	who, _ := auth.From(ctx)
	return Link{TicketID: in.ID, Kind: in.Kind, OtherID: in.Other, By: who.Subject}
}

func (l *Links) thread(ctx context.Context, in *threadInput) (*threadAnswer, error) {
	after, err := placeOf(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := l.Thread(ctx, in.ID, in.Internal, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	found, next := httpx.NextPage(found, in.Limit, func(last Piece) []string {
		return []string{last.At.UTC().Format(time.RFC3339Nano), last.ID.String()}
	})
	body := ticketThread{Items: make([]threadPiece, len(found)), NextCursor: next}
	for i, p := range found {
		body.Items[i] = showPiece(p)
	}
	return &threadAnswer{body}, nil
}

func placeOf(cursor string) (Place, error) {
	parts, err := httpx.DecodeCursor(cursor, 2)
	if err != nil || parts == nil {
		return Place{}, err
	}
	at, err1 := time.Parse(time.RFC3339Nano, parts[0])
	id, err2 := uuid.Parse(parts[1])
	if err1 != nil || err2 != nil || at.Year() < 1 {
		return Place{}, httpx.CursorInvalid()
	}
	return Place{at, id}, nil
}
