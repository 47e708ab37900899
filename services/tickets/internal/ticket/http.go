package ticket

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// ticketView is a ticket as the API shows it.
type ticketView struct {
	TicketID    uuid.UUID  `json:"ticket_id" format:"uuid"`
	Number      string     `json:"number" doc:"As people say it on the telephone." example:"T-000123"`
	Kind        Kind       `json:"kind" enum:"enquiry,incident,complaint,suggestion,praise"`
	Channel     string     `json:"channel" example:"phone"`
	CustomerID  *uuid.UUID `json:"customer_id,omitempty" format:"uuid" doc:"The customer whom the ticket's id means now; absent where nobody is known."`
	Subject     string     `json:"subject"`
	Description string     `json:"description"`
	Impact      int        `json:"impact" doc:"1 (many, or all of it) to 3 (one, or a part)."`
	Urgency     int        `json:"urgency" doc:"1 (at once) to 3 (when it suits)."`
	Priority    int        `json:"priority" doc:"1 (the most urgent) to 5: impact + urgency - 1."`
	Status      Status     `json:"status" enum:"new,open,pending,on_hold,resolved,closed"`
	Version     int64      `json:"version" doc:"Rises by one with every change; the ETag."`
	OpenedAt    time.Time  `json:"opened_at"`
	ChangedAt   time.Time  `json:"changed_at"`
}

func show(t Ticket) ticketView {
	return ticketView{
		TicketID: t.ID, Number: Number(t.Number), Kind: t.Kind, Channel: t.Channel, CustomerID: pg.OrNull(t.Root), Subject: t.Subject,
		Description: t.Description, Impact: t.Impact, Urgency: t.Urgency, Priority: t.Priority, Status: t.Status, Version: t.Version,
		OpenedAt: t.OpenedAt.UTC(), ChangedAt: t.ChangedAt.UTC(),
	}
}

type answer struct {
	ETag string `header:"ETag"`
	Body ticketView
}

func answered(t Ticket, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(t.Version), Body: show(t)}, nil
}

type openInput struct{ Body newTicket }

// newTicket is what a ticket is opened from.
type newTicket struct {
	Kind        Kind       `json:"kind" enum:"enquiry,incident,suggestion,praise" doc:"A complaint is registered at /v1/complaints."`
	Channel     string     `json:"channel" example:"phone" maxLength:"64"`
	CustomerID  *uuid.UUID `json:"customer_id,omitempty" format:"uuid" doc:"Left out where nobody is known."`
	Subject     string     `json:"subject" example:"Two colas are missing" maxLength:"200"`
	Description string     `json:"description,omitempty" maxLength:"20000"`
	Impact      int        `json:"impact" minimum:"1" maximum:"3" doc:"1 (many, or all of it) to 3 (one, or a part)."`
	Urgency     int        `json:"urgency" minimum:"1" maximum:"3" doc:"1 (at once) to 3 (when it suits)."`
}

type byID struct {
	ID uuid.UUID `path:"ticket_id" format:"uuid"`
}

type lookupInput struct {
	Number string `query:"number" required:"true" doc:"As people say or type it." example:"T-000123" maxLength:"32"`
}

type listInput struct {
	httpx.Page
	Status     Status    `query:"status" enum:"new,open,pending,on_hold,resolved,closed" doc:"Only those in this status."`
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only this customer's, those included of customers who were merged with this one."`
}

type listAnswer struct{ Body ticketPage }

type ticketPage struct {
	Items      []ticketView `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type moveInput struct {
	ID      uuid.UUID `path:"ticket_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the ticket as it was read."`
	Body    newStatus
}

// newStatus is where a ticket goes.
type newStatus struct {
	Status Status `json:"status" enum:"open,pending,on_hold,resolved,closed"`
}

// Routes adds the operations on tickets.
func (t *Tickets) Routes(api *httpx.API) {
	const tag = "Tickets"
	httpx.Register(api, httpx.Operation{
		ID: "open-ticket", Method: http.MethodPost, Path: "/v1/tickets", Tag: tag, Summary: "Open a ticket",
		Permission: auth.TicketsWrite, Status: http.StatusCreated, Errors: []int{http.StatusGone},
	}, func(ctx context.Context, in *openInput) (*answer, error) {
		b := in.Body
		d := Draft{Kind: b.Kind, Channel: b.Channel, Subject: b.Subject, Description: b.Description, Impact: b.Impact, Urgency: b.Urgency}
		if b.CustomerID != nil {
			d.CustomerID = *b.CustomerID
		}
		return answered(t.Open(ctx, d))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-tickets", Method: http.MethodGet, Path: "/v1/tickets", Tag: tag, Summary: "List tickets, the latest first",
		Permission: auth.TicketsRead,
	}, t.list)
	httpx.Register(api, httpx.Operation{
		ID: "lookup-ticket", Method: http.MethodGet, Path: "/v1/tickets/lookup", Tag: tag, Summary: "Find a ticket by its number",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *lookupInput) (*answer, error) {
		return answered(t.ByNumber(ctx, in.Number))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-ticket", Method: http.MethodGet, Path: "/v1/tickets/{ticket_id}", Tag: tag, Summary: "Read a ticket",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(t.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "move-ticket", Method: http.MethodPost, Path: "/v1/tickets/{ticket_id}/status", Tag: tag, Summary: "Give a ticket another status",
		Description: "The ticket of a complaint follows its complaint and cannot be moved by hand.",
		Permission:  auth.TicketsWrite,
		Errors:      []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *moveInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(t.Move(ctx, in.ID, in.Body.Status, fresh))
	})
}

func (t *Tickets) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Ticket, error) {
		return t.List(ctx, Filter{Status: in.Status, CustomerID: in.CustomerID, Before: before}, limit)
	}, func(t Ticket) uuid.UUID { return t.ID }, show)
	if err != nil {
		return nil, err
	}
	return &listAnswer{ticketPage{items, next}}, nil
}
