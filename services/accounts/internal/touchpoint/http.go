package touchpoint

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// touchpointView is a touchpoint as the API shows it.
type touchpointView struct {
	Code      string    `json:"code" example:"test_drive"`
	Title     string    `json:"title" doc:"What people read." example:"Test drive"`
	Stage     Stage     `json:"stage" enum:"awareness,consideration,purchase,service,loyalty" doc:"How far the customer has come."`
	Channel   Channel   `json:"channel" enum:",counter,phone,email,sms,web,wechat,social,visit" doc:"Empty: on any."`
	Archived  bool      `json:"archived" doc:"Nothing new may name it."`
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"`
}

func show(t Touchpoint) touchpointView {
	return touchpointView{t.Code, t.Title, t.Stage, t.Channel, t.Archived, t.Version, t.CreatedAt.UTC(), t.ChangedAt.UTC()}
}

type answer struct {
	ETag string `header:"ETag"`
	Body touchpointView
}

func answered(t Touchpoint, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(t.Version), Body: show(t)}, nil
}

type createInput struct{ Body newTouchpoint }

// newTouchpoint is what a touchpoint is made from.
type newTouchpoint struct {
	Code    string  `json:"code" doc:"Lower-case letters, digits, - and _; it never changes." example:"test_drive" maxLength:"64"`
	Title   string  `json:"title" doc:"What people read." example:"Test drive" maxLength:"200"`
	Stage   Stage   `json:"stage" enum:"awareness,consideration,purchase,service,loyalty"`
	Channel Channel `json:"channel,omitempty" enum:",counter,phone,email,sms,web,wechat,social,visit" doc:"Left out: on any."`
}

type byCode struct {
	Code string `path:"code" maxLength:"64"`
}

type changeInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the touchpoint as it was read."`
	Body    touchpointChange
}

// touchpointChange are the fields that change.
type touchpointChange struct {
	Title   *string  `json:"title,omitempty" maxLength:"200"`
	Stage   *Stage   `json:"stage,omitempty" enum:"awareness,consideration,purchase,service,loyalty"`
	Channel *Channel `json:"channel,omitempty" enum:",counter,phone,email,sms,web,wechat,social,visit" doc:"Empty: on any."`
}

type listInput struct {
	Stage    Stage `query:"stage" enum:"awareness,consideration,purchase,service,loyalty" doc:"Only those of this stage."`
	Archived bool  `query:"archived" doc:"Those in the archive, too."`
	httpx.Page
}

type listAnswer struct{ Body touchpointPage }

type touchpointPage struct {
	Items      []touchpointView `json:"items" nullable:"false" doc:"By code."`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// Routes adds the operations on touchpoints.
func (t *Touchpoints) Routes(api *httpx.API) {
	const tag = "Touchpoints"
	missing := []int{http.StatusNotFound}
	httpx.Register(api, httpx.Operation{
		ID: "create-touchpoint", Method: http.MethodPost, Path: "/v1/touchpoints", Tag: tag, Summary: "Add a touchpoint to the catalogue",
		Permission: auth.CustomersConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *createInput) (*answer, error) {
		return answered(t.Create(ctx, Draft(in.Body)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-touchpoints", Method: http.MethodGet, Path: "/v1/touchpoints", Tag: tag, Summary: "List the catalogue of touchpoints",
		Permission: auth.CustomersRead,
	}, t.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-touchpoint", Method: http.MethodGet, Path: "/v1/touchpoints/{code}", Tag: tag, Summary: "Read a touchpoint",
		Permission: auth.CustomersRead, Errors: missing,
	}, func(ctx context.Context, in *byCode) (*answer, error) { return answered(t.Get(ctx, in.Code)) })
	httpx.Register(api, httpx.Operation{
		ID: "change-touchpoint", Method: http.MethodPatch, Path: "/v1/touchpoints/{code}", Tag: tag, Summary: "Change a touchpoint",
		Description: "Fields that are left out stay as they are. What named the touchpoint before names it as it is now.",
		Permission:  auth.CustomersConfigure,
		Errors:      []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changeInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(t.Change(ctx, in.Code, Patch(in.Body), fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "archive-touchpoint", Method: http.MethodPost, Path: "/v1/touchpoints/{code}/archive", Tag: tag, Summary: "Put a touchpoint into the archive",
		Description: "Nothing new may name it; what names it stays.",
		Permission:  auth.CustomersConfigure, Errors: missing,
	}, func(ctx context.Context, in *byCode) (*answer, error) { return answered(t.Archive(ctx, in.Code, true)) })
	httpx.Register(api, httpx.Operation{
		ID: "restore-touchpoint", Method: http.MethodPost, Path: "/v1/touchpoints/{code}/restore", Tag: tag, Summary: "Take a touchpoint out of the archive",
		Permission: auth.CustomersConfigure, Errors: missing,
	}, func(ctx context.Context, in *byCode) (*answer, error) {
		return answered(t.Archive(ctx, in.Code, false))
	})
}

func (t *Touchpoints) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	parts, err := httpx.DecodeCursor(in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	f := Filter{Stage: in.Stage, Archived: in.Archived}
	if parts != nil {
		f.After = parts[0]
	}
	found, err := t.List(ctx, f, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(found, in.Limit, func(last Touchpoint) []string { return []string{last.Code} })
	items := make([]touchpointView, len(page))
	for n, one := range page {
		items[n] = show(one)
	}
	return &listAnswer{touchpointPage{items, next}}, nil
}
