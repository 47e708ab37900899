package ticket

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type openInput struct{ Body newTicket }

// newTicket is what a ticket is opened from.
type newTicket struct {
	Kind        Kind                       `json:"kind" enum:"enquiry,incident,suggestion,praise" doc:"A complaint is registered at /v1/complaints."`
	Channel     string                     `json:"channel" example:"phone" maxLength:"64"`
	Live        bool                       `json:"live,omitempty" doc:"The customer is on the line: that is the first response."`
	CustomerID  *uuid.UUID                 `json:"customer_id,omitempty" format:"uuid" doc:"Left out where nobody is known."`
	AssetID     *uuid.UUID                 `json:"asset_id,omitempty" format:"uuid" doc:"An asset of accounts that it is about."`
	Category    string                     `json:"category,omitempty" doc:"Code of one of the tenant's categories." maxLength:"64"`
	Subject     string                     `json:"subject" example:"Two colas are missing" maxLength:"200"`
	Description string                     `json:"description,omitempty" maxLength:"20000"`
	Impact      int                        `json:"impact" minimum:"1" maximum:"3" doc:"1 (many, or all of it) to 3 (one, or a part)."`
	Urgency     int                        `json:"urgency" minimum:"1" maximum:"3" doc:"1 (at once) to 3 (when it suits)."`
	Tags        []string                   `json:"tags,omitempty" nullable:"false" maxItems:"50"`
	Custom      map[string]json.RawMessage `json:"custom_fields,omitempty" nullable:"false" doc:"Values of the tenant's fields, by name."`
	OpenedAt    *time.Time                 `json:"opened_at,omitempty" doc:"When, where that was in the past: needs the permission tickets.import."`
}

type byID struct {
	ID uuid.UUID `path:"ticket_id" format:"uuid"`
}

type lookupInput struct {
	Number string `query:"number" required:"true" doc:"As people say or type it." example:"T-000123" maxLength:"32"`
}

type listInput struct {
	httpx.Page
	Sort       string    `query:"sort" enum:"latest,due" default:"latest" doc:"due: only those about which something is still to be done, the next deadline first, those without one last."`
	Status     Status    `query:"status" enum:"new,open,pending,on_hold,resolved,closed" doc:"Only those in this status."`
	Kind       Kind      `query:"kind" enum:"enquiry,incident,complaint,suggestion,praise" doc:"Only those of this kind."`
	Priority   int       `query:"priority" minimum:"1" maximum:"5" doc:"Only those of this priority."`
	Category   string    `query:"category" maxLength:"64" doc:"Only those of this category."`
	Queue      string    `query:"queue" maxLength:"64" doc:"Only those of this queue."`
	Agent      string    `query:"agent" maxLength:"200" doc:"Only those of the agent of this subject."`
	Unassigned bool      `query:"unassigned" doc:"Only those that no agent has."`
	Watcher    string    `query:"watcher" maxLength:"200" doc:"Only those that the person of this subject watches."`
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
	Status     Status     `json:"status" enum:"open,pending,on_hold,resolved,closed"`
	Resolution string     `json:"resolution,omitempty" doc:"Code of how; resolved needs one, closed may have one." example:"solved" maxLength:"64"`
	At         *time.Time `json:"at,omitempty" doc:"When, where that was in the past: needs the permission tickets.import."`
}

type reclassifyInput struct {
	ID      uuid.UUID `path:"ticket_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the ticket as it was read."`
	Body    ticketChange
}

// ticketChange is what changes of a ticket.
type ticketChange struct {
	Kind       *Kind                      `json:"kind,omitempty" enum:"enquiry,incident,suggestion,praise"`
	CustomerID *uuid.UUID                 `json:"customer_id,omitempty" format:"uuid" doc:"Only where nobody is known yet."`
	AssetID    *string                    `json:"asset_id,omitempty" doc:"An id; empty for none." maxLength:"36"`
	Category   *string                    `json:"category,omitempty" doc:"Code; empty for none." maxLength:"64"`
	Subject    *string                    `json:"subject,omitempty" maxLength:"200"`
	Impact     *int                       `json:"impact,omitempty" minimum:"1" maximum:"3"`
	Urgency    *int                       `json:"urgency,omitempty" minimum:"1" maximum:"3"`
	Tags       *[]string                  `json:"tags,omitempty" nullable:"false" maxItems:"50" doc:"All of them."`
	Custom     map[string]json.RawMessage `json:"custom_fields,omitempty" nullable:"false" doc:"Values by name; null takes one away, others stay."`
	At         *time.Time                 `json:"at,omitempty" doc:"When, where that was in the past: needs the permission tickets.import."`
}

// Routes adds the operations on tickets.
func (t *Tickets) Routes(api *httpx.API) {
	const tag = "Tickets"
	versioned := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}
	httpx.Register(api, httpx.Operation{
		ID: "open-ticket", Method: http.MethodPost, Path: "/v1/tickets", Tag: tag, Summary: "Open a ticket",
		Permission: auth.TicketsWrite, Status: http.StatusCreated, Errors: []int{http.StatusGone},
	}, func(ctx context.Context, in *openInput) (*answer, error) {
		return answered(t.Open(ctx, in.Body.draft()))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-tickets", Method: http.MethodGet, Path: "/v1/tickets", Tag: tag, Summary: "List tickets, the latest or the most urgent first",
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
		Description: "Resolve it, reopen a resolved one, close it. The ticket of a complaint follows its complaint and cannot be moved by hand.",
		Permission:  auth.TicketsWrite, Errors: versioned,
	}, func(ctx context.Context, in *moveInput) (*answer, error) {
		c := StatusChange{To: in.Body.Status, Resolution: in.Body.Resolution, At: given(in.Body.At)}
		return answered(t.Change(ctx, in.ID, c, seen(in.IfMatch)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "reclassify-ticket", Method: http.MethodPatch, Path: "/v1/tickets/{ticket_id}", Tag: tag, Summary: "Say what else a ticket is about",
		Description: "Fields that are left out stay as they are. Whatever is changed but the subject picks the service level policy anew, " +
			"in its present version and by the customer's present grade and tier.",
		Permission: auth.TicketsWrite, Errors: append(versioned, http.StatusGone),
	}, func(ctx context.Context, in *reclassifyInput) (*answer, error) {
		r, err := in.Body.reclassification()
		if err != nil {
			return nil, err
		}
		return answered(t.Reclassify(ctx, in.ID, r, seen(in.IfMatch)))
	})
	t.conversationRoutes(api)
	t.settingRoutes(api)
}

// seen asks whether a caller saw the present version.
func seen(ifMatch string) func(int64) error {
	return func(version int64) error { return httpx.IfMatch(ifMatch, version) }
}

// given is a time that a caller says, zero for none: the zero time itself is one, too early as it is.
func given(at *time.Time) time.Time {
	switch {
	case at == nil:
		return time.Time{}
	case at.IsZero():
		return at.Add(1)
	default:
		return *at
	}
}

func (b newTicket) draft() Draft {
	d := Draft{
		Kind: b.Kind, Channel: b.Channel, Live: b.Live, Category: b.Category, Subject: b.Subject, Description: b.Description, Impact: b.Impact,
		Urgency: b.Urgency, Tags: b.Tags, Custom: b.Custom, At: given(b.OpenedAt),
	}
	if b.CustomerID != nil {
		d.CustomerID = *b.CustomerID
	}
	if b.AssetID != nil {
		d.AssetID = *b.AssetID
	}
	return d
}

func (b ticketChange) reclassification() (Reclassification, error) {
	r := Reclassification{
		Kind: b.Kind, CustomerID: b.CustomerID, Category: b.Category, Subject: b.Subject, Impact: b.Impact, Urgency: b.Urgency, Tags: b.Tags,
		Custom: b.Custom, At: given(b.At),
	}
	if b.AssetID != nil {
		r.AssetID = new(uuid.UUID)
		if *b.AssetID != "" {
			id, err := uuid.Parse(*b.AssetID)
			if err != nil {
				return r, invalid([]problem.Field{fault("asset_id", "asset_id_malformed", "must be an id, or empty")})
			}
			r.AssetID = &id
		}
	}
	return r, nil
}

func (t *Tickets) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	f := Filter{
		Status: in.Status, Kind: in.Kind, Priority: in.Priority, Category: in.Category, Queue: in.Queue, Agent: in.Agent,
		Unassigned: in.Unassigned, Watcher: in.Watcher, CustomerID: in.CustomerID,
	}
	if in.Sort == "due" {
		return t.inbox(ctx, f, in.Page)
	}
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Ticket, error) {
		return t.List(ctx, f, before, limit)
	}, func(t Ticket) uuid.UUID { return t.ID }, show)
	if err != nil {
		return nil, err
	}
	return &listAnswer{ticketPage{items, next}}, nil
}

func (t *Tickets) inbox(ctx context.Context, f Filter, page httpx.Page) (*listAnswer, error) {
	parts, err := httpx.DecodeCursor(page.Cursor, 2)
	if err != nil {
		return nil, err
	}
	var after Due
	if parts != nil {
		if after.ID, err = uuid.Parse(parts[1]); err == nil && parts[0] != "" {
			after.At, err = time.Parse(time.RFC3339Nano, parts[0])
		}
		if err != nil {
			return nil, httpx.CursorInvalid()
		}
	}
	found, err := t.Inbox(ctx, f, after, page.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, next := httpx.NextPage(found, page.Limit, func(last Ticket) []string {
		if last.NextDueAt.IsZero() {
			return []string{"", last.ID.String()}
		}
		return []string{last.NextDueAt.Format(time.RFC3339Nano), last.ID.String()}
	})
	items := make([]ticketView, len(rows))
	for i, one := range rows {
		items[i] = show(one)
	}
	return &listAnswer{ticketPage{items, next}}, nil
}
