package category

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type ticketCategoryView struct {
	Code      string    `json:"code" example:"printer"`
	Parent    string    `json:"parent,omitempty" doc:"Code of the one above; absent for a root." example:"hardware"`
	Path      []string  `json:"path" nullable:"false" doc:"The codes from the root to this one."`
	Title     string    `json:"title" doc:"As people read it." example:"Printers"`
	Archived  bool      `json:"archived" doc:"Takes no new tickets; those that have it keep it."`
	Used      bool      `json:"used" doc:"A ticket has it, or had it: it cannot be deleted."`
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
}

func show(c Category) ticketCategoryView { return ticketCategoryView(c) }

type answer struct {
	ETag string `header:"ETag"`
	Body ticketCategoryView
}

func answered(c Category, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(c.Version), Body: show(c)}, nil
}

type createInput struct{ Body newTicketCategory }

// newTicketCategory is what a category is made of.
type newTicketCategory struct {
	Code   string `json:"code" doc:"For life: lower-case letters, digits, - and _." example:"printer" maxLength:"64"`
	Parent string `json:"parent,omitempty" doc:"Code of the one above; left out for a root." example:"hardware" maxLength:"64"`
	Title  string `json:"title" doc:"As people read it." example:"Printers" maxLength:"200"`
}

type byCode struct {
	Code string `path:"code" maxLength:"64"`
}

type changeInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the category as it was read."`
	Body    ticketCategoryChange
}

// ticketCategoryChange is what changes of a category.
type ticketCategoryChange struct {
	Title    *string `json:"title,omitempty" maxLength:"200"`
	Parent   *string `json:"parent,omitempty" doc:"Moves it, with what is below it; empty makes it a root." maxLength:"64"`
	Archived *bool   `json:"archived,omitempty"`
}

type deleteInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the category as it was read."`
}

type listInput struct{ httpx.Page }

type listAnswer struct{ Body ticketCategoryPage }

type ticketCategoryPage struct {
	Items      []ticketCategoryView `json:"items" nullable:"false" doc:"As the tree is read: each before those below it; archived ones too."`
	NextCursor string               `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on categories.
func (c *Categories) Routes(api *httpx.API) {
	const tag, path = "Ticket categories", "/v1/ticket-categories"
	versioned := []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired}
	httpx.Register(api, httpx.Operation{
		ID: "create-ticket-category", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Add a category of tickets",
		Permission: auth.TicketsConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *createInput) (*answer, error) {
		return answered(c.Create(ctx, Category{Code: in.Body.Code, Parent: in.Body.Parent, Title: in.Body.Title}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-ticket-categories", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List the tree of categories of tickets",
		Permission: auth.TicketsRead,
	}, c.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-ticket-category", Method: http.MethodGet, Path: path + "/{code}", Tag: tag, Summary: "Read a category of tickets",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byCode) (*answer, error) { return answered(c.Get(ctx, in.Code)) })
	httpx.Register(api, httpx.Operation{
		ID: "change-ticket-category", Method: http.MethodPatch, Path: path + "/{code}", Tag: tag, Summary: "Change, move or archive a category of tickets",
		Description: "Fields that are left out stay as they are.",
		Permission:  auth.TicketsConfigure, Errors: versioned,
	}, func(ctx context.Context, in *changeInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(c.Change(ctx, in.Code, Patch(in.Body), fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "delete-ticket-category", Method: http.MethodDelete, Path: path + "/{code}", Tag: tag, Summary: "Delete a category that no ticket ever had",
		Permission: auth.TicketsConfigure, Errors: append(versioned, http.StatusConflict),
	}, func(ctx context.Context, in *deleteInput) (*struct{}, error) {
		return nil, c.Delete(ctx, in.Code, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) })
	})
}

func (c *Categories) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	parts, err := httpx.DecodeCursor(in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	after := ""
	if parts != nil {
		after = parts[0]
	}
	found, err := c.List(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(found, in.Limit, func(last Category) []string { return []string{strings.Join(last.Path, "/")} })
	items := make([]ticketCategoryView, len(page))
	for n, one := range page {
		items[n] = show(one)
	}
	return &listAnswer{ticketCategoryPage{items, next}}, nil
}
