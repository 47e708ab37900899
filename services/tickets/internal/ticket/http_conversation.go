package ticket

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type replyInput struct {
	ID      uuid.UUID `path:"ticket_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the ticket as it was read. What an agent says needs one, so that nobody answers what they have not read; what others say does not."`
	Body    newReply
}

// newReply is what the customer can read, or said.
type newReply struct {
	Author     Author     `json:"author" enum:"customer,agent,automatic" doc:"Who says it. What is automatic answers nothing."`
	Words      string     `json:"words" doc:"Kept as they are: text, never markup to be rendered." maxLength:"50000" example:"A driver is on the way with the colas."`
	Channel    string     `json:"channel,omitempty" doc:"Code; left out for the ticket's." maxLength:"64" example:"email"`
	Status     Status     `json:"status,omitempty" enum:"open,pending,on_hold,resolved,closed" doc:"Where the ticket goes with what an agent says. Left out, a new one is opened; a customer's word opens what is pending or resolved."`
	Resolution string     `json:"resolution,omitempty" doc:"Code of how, where the status is resolved or closed." maxLength:"64"`
	At         *time.Time `json:"at,omitempty" doc:"When, where that was in the past: needs the permission tickets.import."`
}

type noteInput struct {
	ID   uuid.UUID `path:"ticket_id" format:"uuid"`
	Body newNote
}

// newNote is what only the staff can read.
type newNote struct {
	Words string     `json:"words" doc:"Kept as they are: text, never markup to be rendered." maxLength:"50000"`
	At    *time.Time `json:"at,omitempty" doc:"When, where that was in the past: needs the permission tickets.import."`
}

type saidAnswer struct {
	ETag string `header:"ETag" doc:"Of the ticket."`
	Body ticketSaid
}

// ticketSaid is what was said, and the ticket as it is after it.
type ticketSaid struct {
	Reply  ticketWords `json:"reply"`
	Ticket ticketView  `json:"ticket"`
}

func said(t Ticket, r Reply, err error) (*saidAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &saidAnswer{ETag: httpx.ETag(t.Version), Body: ticketSaid{showWords(r), show(t)}}, nil
}

type conversationInput struct {
	ID uuid.UUID `path:"ticket_id" format:"uuid"`
	httpx.Page
	Public bool `query:"public" doc:"Only what the customer can read, without notes."`
}

type conversationAnswer struct{ Body ticketConversationPage }

type ticketConversationPage struct {
	Items      []ticketWords `json:"items" nullable:"false" doc:"In the order in which it was said."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type historyInput struct {
	ID uuid.UUID `path:"ticket_id" format:"uuid"`
	httpx.Page
}

type historyAnswer struct{ Body ticketHistoryPage }

type ticketHistoryPage struct {
	Items      []ticketEntry `json:"items" nullable:"false" doc:"In the order in which it happened."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type watcherInput struct {
	ID      uuid.UUID `path:"ticket_id" format:"uuid"`
	Subject string    `path:"subject" maxLength:"200" doc:"Of the person's tokens."`
}

type watchersAnswer struct{ Body ticketWatchers }

type ticketWatchers struct {
	Items []ticketWatcher `json:"items" nullable:"false" doc:"By subject."`
}

type ticketWatcher struct {
	Subject string    `json:"subject"`
	AddedAt time.Time `json:"added_at"`
}

func watched(all []Watcher, err error) (*watchersAnswer, error) {
	if err != nil {
		return nil, err
	}
	items := make([]ticketWatcher, len(all))
	for i, w := range all {
		items[i] = ticketWatcher(w)
	}
	return &watchersAnswer{ticketWatchers{items}}, nil
}

func (t *Tickets) conversationRoutes(api *httpx.API) {
	const tag, path = "Tickets", "/v1/tickets/{ticket_id}"
	missing := []int{http.StatusNotFound}
	writing := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone}
	httpx.Register(api, httpx.Operation{
		ID: "reply-to-ticket", Method: http.MethodPost, Path: path + "/replies", Tag: tag, Summary: "Add what was said to the customer, or by them",
		Permission: auth.TicketsWrite, Status: http.StatusCreated,
		Errors: append([]int{http.StatusPreconditionFailed, http.StatusPreconditionRequired}, writing...),
	}, func(ctx context.Context, in *replyInput) (*saidAnswer, error) {
		b := in.Body
		fresh := anyVersion
		if in.IfMatch != "" || b.Author == ByAgent {
			fresh = seen(in.IfMatch)
		}
		return said(t.Say(ctx, in.ID, Reply{
			Author: b.Author, Words: b.Words, Channel: b.Channel, Then: b.Status, Resolution: b.Resolution, At: given(b.At),
		}, fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "note-on-ticket", Method: http.MethodPost, Path: path + "/notes", Tag: tag, Summary: "Add what only the staff can read",
		Permission: auth.TicketsWrite, Status: http.StatusCreated, Errors: writing,
	}, func(ctx context.Context, in *noteInput) (*saidAnswer, error) {
		return said(t.Say(ctx, in.ID, Reply{Author: AsNote, Words: in.Body.Words, At: given(in.Body.At)}, anyVersion))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-ticket-conversation", Method: http.MethodGet, Path: path + "/conversation", Tag: tag, Summary: "Read what was said on a ticket",
		Permission: auth.TicketsRead, Errors: missing,
	}, func(ctx context.Context, in *conversationInput) (*conversationAnswer, error) {
		items, next, err := httpx.PageByNumber(in.Page, func(after, limit int) ([]Reply, error) {
			return t.Conversation(ctx, in.ID, after, limit, !in.Public)
		}, func(r Reply) int { return r.No }, showWords)
		if err != nil {
			return nil, err
		}
		return &conversationAnswer{ticketConversationPage{items, next}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-ticket-history", Method: http.MethodGet, Path: path + "/history", Tag: tag, Summary: "Read all that happened to a ticket",
		Permission: auth.TicketsRead, Errors: missing,
	}, func(ctx context.Context, in *historyInput) (*historyAnswer, error) {
		items, next, err := httpx.PageByNumber(in.Page, func(after, limit int) ([]Entry, error) {
			return t.History(ctx, in.ID, after, limit)
		}, func(e Entry) int { return e.No }, showEntry)
		if err != nil {
			return nil, err
		}
		return &historyAnswer{ticketHistoryPage{items, next}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-ticket-watchers", Method: http.MethodGet, Path: path + "/watchers", Tag: tag, Summary: "List who watches a ticket",
		Permission: auth.TicketsRead, Errors: missing,
	}, func(ctx context.Context, in *byID) (*watchersAnswer, error) { return watched(t.Watchers(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "watch-ticket", Method: http.MethodPut, Path: path + "/watchers/{subject}", Tag: tag, Summary: "Have somebody watch a ticket",
		Permission: auth.TicketsWrite, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *watcherInput) (*watchersAnswer, error) {
		return watched(t.Watch(ctx, in.ID, in.Subject))
	})
	httpx.Register(api, httpx.Operation{
		ID: "unwatch-ticket", Method: http.MethodDelete, Path: path + "/watchers/{subject}", Tag: tag, Summary: "Have somebody watch a ticket no longer",
		Permission: auth.TicketsWrite, Errors: missing,
	}, func(ctx context.Context, in *watcherInput) (*struct{}, error) {
		return nil, t.Unwatch(ctx, in.ID, in.Subject)
	})
}

type settingAnswer struct {
	ETag string `header:"ETag"`
	Body ticketSetting
}

// ticketSetting is how a tenant deals with its tickets, as the API takes and shows it.
type ticketSetting struct {
	CloseAfterDays int `json:"close_after_days" doc:"A resolved ticket is closed by itself after so many days without a word; 0: never." example:"7"`
}

type setSettingInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the setting as it was read."`
	Body    ticketSetting
}

func setTo(s Setting, err error) (*settingAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &settingAnswer{ETag: httpx.ETag(s.Version), Body: ticketSetting{s.CloseAfterDays}}, nil
}

func (t *Tickets) settingRoutes(api *httpx.API) {
	const tag, path = "Tickets", "/v1/ticket-setting"
	httpx.Register(api, httpx.Operation{
		ID: "get-ticket-setting", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read how tickets are dealt with",
		Permission: auth.TicketsRead,
	}, func(ctx context.Context, _ *struct{}) (*settingAnswer, error) { return setTo(t.Setting(ctx)) })
	httpx.Register(api, httpx.Operation{
		ID: "set-ticket-setting", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Set how tickets are dealt with",
		Description: "It holds for tickets that are resolved already as well.",
		Permission:  auth.TicketsConfigure, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *setSettingInput) (*settingAnswer, error) {
		return setTo(t.Set(ctx, Setting{CloseAfterDays: in.Body.CloseAfterDays}, seen(in.IfMatch)))
	})
}
