package leadfield

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type leadFieldView struct {
	Name      string           `json:"name" doc:"By which values are given and shown." example:"fleet_size"`
	Title     string           `json:"title" doc:"As people read it." example:"Size of the fleet"`
	Type      customfield.Type `json:"type" enum:"text,integer,number,boolean,date,choice,choices"`
	Choices   []string         `json:"choices" nullable:"false" doc:"Of the types choice and choices."`
	Archived  bool             `json:"archived" doc:"Takes no new values; what leads have stays."`
	Used      bool             `json:"used" doc:"a lead has, or had, a value: the type is fixed, choices can only be added."`
	Version   int64            `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time        `json:"changed_at"`
}

func show(d Definition) leadFieldView {
	return leadFieldView{d.Name, d.Title, d.Type, orEmpty(d.Choices), d.Archived, d.Used, d.Version, d.ChangedAt}
}

type answer struct {
	ETag string `header:"ETag"`
	Body leadFieldView
}

func answered(d Definition, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(d.Version), Body: show(d)}, nil
}

type defineInput struct{ Body newLeadField }

// newLeadField is what a field is defined by.
type newLeadField struct {
	Name    string           `json:"name" doc:"For life: a-z, 0-9 and _, beginning with a letter." example:"fleet_size" maxLength:"63"`
	Title   string           `json:"title" doc:"As people read it." example:"Size of the fleet"`
	Type    customfield.Type `json:"type" enum:"text,integer,number,boolean,date,choice,choices"`
	Choices []string         `json:"choices,omitempty" nullable:"false" doc:"Of the types choice and choices: 1 to 200, in the order in which they are offered."`
}

type byName struct {
	Name string `path:"name" maxLength:"63"`
}

type changeInput struct {
	Name    string `path:"name" maxLength:"63"`
	IfMatch string `header:"If-Match" doc:"The ETag of the field as it was read."`
	Body    leadFieldChange
}

// leadFieldChange is what changes of a field.
type leadFieldChange struct {
	Title    *string           `json:"title,omitempty"`
	Type     *customfield.Type `json:"type,omitempty" enum:"text,integer,number,boolean,date,choice,choices" doc:"Not of one in use."`
	Choices  *[]string         `json:"choices,omitempty" nullable:"false" doc:"All of them; of one in use they can only become more."`
	Archived *bool             `json:"archived,omitempty"`
}

type listInput struct{ httpx.Page }

type listAnswer struct{ Body leadFieldPage }

type leadFieldPage struct {
	Items      []leadFieldView `json:"items" nullable:"false" doc:"By name; archived ones too."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on custom fields of leads.
func (f *Fields) Routes(api *httpx.API) {
	const tag, path = "Lead fields", "/v1/lead-fields"
	httpx.Register(api, httpx.Operation{
		ID: "define-lead-field", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Define a custom field of leads",
		Description: "What the tenant keeps of its leads besides: values are held to the type.",
		Permission:  auth.SalesConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *defineInput) (*answer, error) {
		b := in.Body
		return answered(f.Define(ctx, b.Name, customfield.Form{Title: b.Title, Type: b.Type, Choices: b.Choices}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-lead-fields", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List custom fields of leads, by name",
		Permission: auth.SalesRead,
	}, f.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-lead-field", Method: http.MethodGet, Path: path + "/{name}", Tag: tag, Summary: "Read a custom field of leads",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byName) (*answer, error) { return answered(f.Get(ctx, in.Name)) })
	httpx.Register(api, httpx.Operation{
		ID: "change-lead-field", Method: http.MethodPatch, Path: path + "/{name}", Tag: tag, Summary: "Change or archive a custom field of leads",
		Description: "Fields that are left out stay as they are. A field is not deleted: archived, it takes no new values.",
		Permission:  auth.SalesConfigure, Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changeInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(f.Change(ctx, in.Name, Patch(in.Body), fresh))
	})
}

func (f *Fields) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	parts, err := httpx.DecodeCursor(in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	after := ""
	if parts != nil {
		after = parts[0]
	}
	found, err := f.List(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(found, in.Limit, func(last Definition) []string { return []string{last.Name} })
	items := make([]leadFieldView, len(page))
	for n, one := range page {
		items[n] = show(one)
	}
	return &listAnswer{leadFieldPage{items, next}}, nil
}
