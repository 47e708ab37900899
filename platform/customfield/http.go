package customfield

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type customFieldView struct {
	Name      string    `json:"name" doc:"By which values are given and shown." example:"error_code"`
	Title     string    `json:"title" doc:"As people read it." example:"Error code"`
	Type      Type      `json:"type" enum:"text,integer,number,boolean,date,choice,choices"`
	Choices   []string  `json:"choices" nullable:"false" doc:"Of the types choice and choices."`
	Archived  bool      `json:"archived" doc:"Takes no new values; what has a value keeps it."`
	Used      bool      `json:"used" doc:"A value was given: the type is fixed, choices can only be added."`
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
}

func show(d Definition) customFieldView {
	return customFieldView{d.Name, d.Title, d.Type, orEmpty(d.Choices), d.Archived, d.Used, d.Version, d.ChangedAt}
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
	Name    string   `json:"name" doc:"For life: a-z, 0-9 and _, beginning with a letter." example:"error_code" maxLength:"63"`
	Title   string   `json:"title" doc:"As people read it." example:"Error code"`
	Type    Type     `json:"type" enum:"text,integer,number,boolean,date,choice,choices"`
	Choices []string `json:"choices,omitempty" nullable:"false" doc:"Of the types choice and choices: 1 to 200, in the order in which they are offered."`
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
	Title    *string   `json:"title,omitempty"`
	Type     *Type     `json:"type,omitempty" enum:"text,integer,number,boolean,date,choice,choices" doc:"Not of one in use."`
	Choices  *[]string `json:"choices,omitempty" nullable:"false" doc:"All of them; of one in use they can only become more."`
	Archived *bool     `json:"archived,omitempty"`
}

type listInput struct{ httpx.Page }

type listAnswer struct{ Body customFieldPage }

type customFieldPage struct {
	Items      []customFieldView `json:"items" nullable:"false" doc:"By name; archived ones too."`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on custom fields of the kind.
func (f *Fields) Routes(api *httpx.API) {
	k := f.kind
	tag, path := strings.ToUpper(k.Of[:1])+k.Of[1:]+" fields", "/v1/"+k.Of+"-fields"
	httpx.Register(api, httpx.Operation{
		ID: "define-" + k.Of + "-field", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Define a custom field of " + k.Many,
		Description: "What the tenant keeps of its " + k.Many + " besides: values are held to the type.",
		Permission:  k.Configure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *defineInput) (*answer, error) {
		b := in.Body
		return answered(f.Define(ctx, b.Name, Form{Title: b.Title, Type: b.Type, Choices: b.Choices}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-" + k.Of + "-fields", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List custom fields of " + k.Many + ", by name",
		Permission: k.Read,
	}, f.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-" + k.Of + "-field", Method: http.MethodGet, Path: path + "/{name}", Tag: tag, Summary: "Read a custom field of " + k.Many,
		Permission: k.Read, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byName) (*answer, error) { return answered(f.Get(ctx, in.Name)) })
	httpx.Register(api, httpx.Operation{
		ID: "change-" + k.Of + "-field", Method: http.MethodPatch, Path: path + "/{name}", Tag: tag, Summary: "Change or archive a custom field of " + k.Many,
		Description: "Fields that are left out stay as they are. A field is not deleted: archived, it takes no new values.",
		Permission:  k.Configure, Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changeInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(f.Change(ctx, in.Name, Patch(in.Body), fresh))
	})
}

func (f *Fields) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Definition, error) { return f.List(ctx, after, limit) },
		func(d Definition) string { return d.Name }, show)
	if err != nil {
		return nil, err
	}
	return &listAnswer{customFieldPage{items, next}}, nil
}
