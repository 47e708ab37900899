package macro

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// newMacro is what a macro is made of.
type newMacro struct {
	Name    string        `json:"name" example:"A bottle is missing" maxLength:"100"`
	Actions []MacroAction `json:"actions" minItems:"1" maxItems:"20" nullable:"false" doc:"In the order in which they are taken."`
}

// macroView is a macro as the API shows it.
type macroView struct {
	MacroID   uuid.UUID     `json:"macro_id" format:"uuid"`
	Name      string        `json:"name"`
	Actions   []MacroAction `json:"actions" nullable:"false"`
	Archived  bool          `json:"archived" doc:"It is offered no more."`
	By        string        `json:"by" doc:"Subject of whoever changed it last."`
	Version   int64         `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time     `json:"changed_at"`
}

func show(m Macro) macroView {
	return macroView{
		MacroID: m.ID, Name: m.Name, Actions: m.Actions, Archived: m.Archived, By: m.By, Version: m.Version, ChangedAt: m.ChangedAt.UTC(),
	}
}

type macroAnswer struct {
	ETag string `header:"ETag"`
	Body macroView
}

func answered(m Macro, err error) (*macroAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &macroAnswer{ETag: httpx.ETag(m.Version), Body: show(m)}, nil
}

type defineInput struct{ Body newMacro }

type macroByID struct {
	ID uuid.UUID `path:"macro_id" format:"uuid"`
}

type setInput struct {
	ID      uuid.UUID `path:"macro_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the macro as it was read."`
	Body    newMacro
}

type archiveInput struct {
	ID      uuid.UUID `path:"macro_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the macro as it was read."`
}

type macrosInput struct {
	Archived bool `query:"archived" doc:"Those that are offered no more instead of those that are."`
	httpx.Page
}

type macrosAnswer struct{ Body macroPage }

type macroPage struct {
	Items      []macroView `json:"items" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type applyInput struct {
	TicketID uuid.UUID `path:"ticket_id" format:"uuid"`
	ID       uuid.UUID `path:"macro_id" format:"uuid"`
	IfMatch  string    `header:"If-Match" doc:"The ETag of the ticket as it was read."`
	Body     macroUse
}

// macroUse is what a macro is applied with.
type macroUse struct {
	Values Values `json:"values,omitempty" doc:"What fills the blanks {{value.NAME}} of the macro's words, by name."`
}

type appliedAnswer struct {
	ETag string `header:"ETag" doc:"Of the ticket."`
	Body appliedMacro
}

// appliedMacro is how the ticket stands after a macro.
type appliedMacro struct {
	TicketID uuid.UUID     `json:"ticket_id" format:"uuid"`
	Number   string        `json:"number" example:"T-000123"`
	Status   ticket.Status `json:"status" enum:"new,open,pending,on_hold,resolved,closed"`
	Queue    string        `json:"queue,omitempty"`
	Agent    string        `json:"agent,omitempty"`
	Tags     []string      `json:"tags" nullable:"false"`
	Version  int64         `json:"version" doc:"The ETag."`
}

// Routes adds the operations on macros.
func (m *Macros) Routes(api *httpx.API) {
	const tag, one = "Macros", "/v1/macros/{macro_id}"
	stale := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}
	httpx.Register(api, httpx.Operation{
		ID: "define-macro", Method: http.MethodPost, Path: "/v1/macros", Tag: tag, Summary: "Define a macro",
		Permission: auth.TicketsConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *defineInput) (*macroAnswer, error) {
		return answered(m.Define(ctx, in.Body.Name, in.Body.Actions))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-macros", Method: http.MethodGet, Path: "/v1/macros", Tag: tag, Summary: "List macros, the latest first",
		Permission: auth.TicketsRead,
	}, func(ctx context.Context, in *macrosInput) (*macrosAnswer, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Macro, error) {
			return m.List(ctx, in.Archived, before, limit)
		}, func(m Macro) uuid.UUID { return m.ID }, show)
		if err != nil {
			return nil, err
		}
		return &macrosAnswer{macroPage{items, next}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-macro", Method: http.MethodGet, Path: one, Tag: tag, Summary: "Read a macro",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *macroByID) (*macroAnswer, error) { return answered(m.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "set-macro", Method: http.MethodPut, Path: one, Tag: tag, Summary: "Give a macro another name and other actions",
		Permission: auth.TicketsConfigure, Errors: stale,
	}, func(ctx context.Context, in *setInput) (*macroAnswer, error) {
		return answered(m.Set(ctx, in.ID, in.Body.Name, in.Body.Actions, fresh(in.IfMatch)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "archive-macro", Method: http.MethodPost, Path: one + "/archive", Tag: tag, Summary: "Have a macro be offered no more",
		Permission: auth.TicketsConfigure, Errors: stale,
	}, func(ctx context.Context, in *archiveInput) (*macroAnswer, error) {
		return answered(m.Archive(ctx, in.ID, fresh(in.IfMatch)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "apply-macro", Method: http.MethodPost, Path: "/v1/tickets/{ticket_id}/macros/{macro_id}", Tag: tag, Summary: "Take the actions of a macro on a ticket",
		Description: "All of them, or none where one of them is refused.",
		Permission:  auth.TicketsWrite, Errors: append([]int{http.StatusGone}, stale...),
	}, func(ctx context.Context, in *applyInput) (*appliedAnswer, error) {
		t, err := m.Apply(ctx, in.ID, in.TicketID, in.Body.Values, fresh(in.IfMatch))
		if err != nil {
			return nil, err
		}
		return &appliedAnswer{ETag: httpx.ETag(t.Version), Body: appliedMacro{
			TicketID: t.ID, Number: ticket.Number(t.Number), Status: t.Status, Queue: t.Queue, Agent: t.Agent, Tags: t.Tags, Version: t.Version,
		}}, nil
	})
}

func fresh(ifMatch string) func(version int64) error {
	return func(version int64) error { return httpx.IfMatch(ifMatch, version) }
}
