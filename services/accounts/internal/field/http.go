package field

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

type customFieldView struct {
	Name      string       `json:"name" doc:"By which values are given and shown." example:"shoe_size"`
	Title     string       `json:"title" doc:"As people read it." example:"Shoe size"`
	Type      Type         `json:"type" enum:"text,integer,number,boolean,date,choice,choices"`
	Choices   []string     `json:"choices" nullable:"false" doc:"Of the types choice and choices."`
	Class     access.Class `json:"class" enum:"identity,contact,behaviour,financial,health,special" doc:"Decides who sees the values."`
	Archived  bool         `json:"archived" doc:"Takes no new values; what customers have stays."`
	Used      bool         `json:"used" doc:"A customer has, or had, a value: the type is fixed, the class can only be raised, choices only be added."`
	Version   int64        `json:"version" doc:"Rises by one with every change; the ETag."`
	CreatedAt time.Time    `json:"created_at"`
	ChangedAt time.Time    `json:"changed_at"`
}

func show(d Definition) customFieldView {
	return customFieldView{
		d.Name, d.Title, d.Type, orEmpty(d.Choices), d.Class, d.Archived, d.Used, d.Version, d.CreatedAt, d.ChangedAt,
	}
}

type answer struct {
	ETag string `header:"ETag"`
	Body customFieldView
}

func answered(d Definition, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(d.Version), Body: show(d)}, nil
}

type defineInput struct{ Body newCustomField }

// newCustomField is what a field is defined by.
type newCustomField struct {
	Name    string       `json:"name" doc:"For life: a-z, 0-9 and _, beginning with a letter." example:"shoe_size" maxLength:"63"`
	Title   string       `json:"title" doc:"As people read it." example:"Shoe size"`
	Type    Type         `json:"type" enum:"text,integer,number,boolean,date,choice,choices"`
	Choices []string     `json:"choices,omitempty" nullable:"false" doc:"Of the types choice and choices: 1 to 200, in the order in which they are offered."`
	Class   access.Class `json:"class" enum:"identity,contact,behaviour,financial,health,special" doc:"Decides who sees the values."`
}

type byName struct {
	Name string `path:"name" maxLength:"63"`
}

type changeInput struct {
	Name    string `path:"name" maxLength:"63"`
	IfMatch string `header:"If-Match" doc:"The ETag of the field as it was read."`
	Body    customFieldChange
}

// customFieldChange is what changes of a field.
type customFieldChange struct {
	Title    *string       `json:"title,omitempty"`
	Type     *Type         `json:"type,omitempty" enum:"text,integer,number,boolean,date,choice,choices" doc:"Not of one in use."`
	Choices  *[]string     `json:"choices,omitempty" nullable:"false" doc:"All of them; of one in use they can only become more."`
	Class    *access.Class `json:"class,omitempty" enum:"identity,contact,behaviour,financial,health,special" doc:"Of one in use it can only be raised, in this order."`
	Archived *bool         `json:"archived,omitempty"`
}

type customFieldListInput struct{ httpx.Page }

type customFieldListAnswer struct{ Body customFieldPage }

type customFieldPage struct {
	Items      []customFieldView `json:"items" nullable:"false" doc:"By name; archived ones too."`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on custom fields.
func (f *Fields) Routes(api *httpx.API) {
	const tag = "Custom fields"
	httpx.Register(api, httpx.Operation{
		ID: "list-custom-fields", Method: http.MethodGet, Path: "/v1/custom-fields", Tag: tag, Summary: "List custom fields, by name",
		Permission: auth.CustomersRead,
	}, f.list)
	httpx.Register(api, httpx.Operation{
		ID: "define-custom-field", Method: http.MethodPost, Path: "/v1/custom-fields", Tag: tag, Summary: "Define a custom field",
		Description: "What the tenant keeps of its customers besides: its values are held to the type, and shown to those only who may see its class.",
		Permission:  auth.CustomersConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *defineInput) (*answer, error) {
		b := in.Body
		return answered(f.Define(ctx, Definition{Name: b.Name, Title: b.Title, Type: b.Type, Choices: b.Choices, Class: b.Class}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-custom-field", Method: http.MethodGet, Path: "/v1/custom-fields/{name}", Tag: tag, Summary: "Read a custom field",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byName) (*answer, error) { return answered(f.Get(ctx, in.Name)) })
	httpx.Register(api, httpx.Operation{
		ID: "change-custom-field", Method: http.MethodPatch, Path: "/v1/custom-fields/{name}", Tag: tag, Summary: "Change or archive a custom field",
		Description: "Fields that are left out stay as they are. A field is not deleted: archived, it takes no new values.",
		Permission:  auth.CustomersConfigure,
		Errors:      []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changeInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(f.Change(ctx, in.Name, Patch(in.Body), fresh))
	})
}

func (f *Fields) list(ctx context.Context, in *customFieldListInput) (*customFieldListAnswer, error) {
	after := ""
	parts, err := httpx.DecodeCursor(in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	if parts != nil {
		after = parts[0]
	}
	page, err := f.List(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	body := customFieldPage{Items: []customFieldView{}}
	if len(page) > in.Limit {
		page = page[:in.Limit]
		body.NextCursor = httpx.EncodeCursor(page[in.Limit-1].Name)
	}
	for _, d := range page {
		body.Items = append(body.Items, show(d))
	}
	return &customFieldListAnswer{body}, nil
}
