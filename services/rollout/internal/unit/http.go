package unit

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// unitView is a unit as the API shows it.
type unitView struct {
	UnitID     uuid.UUID  `json:"unit_id" format:"uuid"`
	Code       string     `json:"code" doc:"Its path: a unit takes in those below it." example:"north/branch-3"`
	Name       string     `json:"name" example:"Branch 3"`
	Headcount  int        `json:"headcount" doc:"Users expected in the unit itself, those of the units below it not counted."`
	Version    int64      `json:"version" doc:"Its ETag."`
	ArchivedAt *time.Time `json:"archived_at,omitempty"`
}

func show(u Unit) unitView {
	return unitView{UnitID: u.ID, Code: u.Code, Name: u.Name, Headcount: u.Headcount, Version: u.Version, ArchivedAt: pg.OrNull(u.ArchivedAt)}
}

type putInput struct {
	IfMatch string `header:"If-Match" doc:"The version that you change; not needed for a new unit."`
	Body    unitBody
}

type unitBody struct {
	Code      string `json:"code" maxLength:"200" example:"north/branch-3"`
	Name      string `json:"name" maxLength:"200" example:"Branch 3"`
	Headcount int    `json:"headcount" minimum:"0" maximum:"1000000" doc:"Users expected in the unit itself." example:"12"`
}

type byID struct {
	ID uuid.UUID `path:"unit_id" format:"uuid"`
}

type listInput struct {
	httpx.Page
	Under    string `query:"under" maxLength:"200" doc:"Only this unit and those below it."`
	Code     string `query:"code" maxLength:"200" doc:"Only this one."`
	Archived bool   `query:"archived" doc:"Those that were archived too."`
}

type unitAnswer struct {
	Status int
	ETag   string `header:"ETag"`
	Body   unitView
}

type unitsAnswer struct{ Body unitPage }

type unitPage struct {
	Items      []unitView `json:"items" nullable:"false"`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func answered(u Unit, err error) (*unitAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &unitAnswer{http.StatusOK, httpx.ETag(u.Version), show(u)}, nil
}

// Routes adds the operations on units.
func (u *Units) Routes(api *httpx.API) {
	const tag = "Units"
	httpx.Register(api, httpx.Operation{
		ID: "put-unit", Method: http.MethodPut, Path: "/v1/units", Tag: tag, Summary: "Make a unit, or change its name and headcount",
		Description: "One that is there already is changed with If-Match only.",
		Permission:  auth.RolloutsManage, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *putInput) (*unitAnswer, error) {
		b := in.Body
		now, made, err := u.Put(ctx, Unit{Code: b.Code, Name: b.Name, Headcount: b.Headcount},
			func(version int64) error { return httpx.IfMatch(in.IfMatch, version) })
		answer, err := answered(now, err)
		if err == nil && made {
			answer.Status = http.StatusCreated
		}
		return answer, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-units", Method: http.MethodGet, Path: "/v1/units", Tag: tag, Summary: "List the units by their codes", Permission: auth.RolloutsRead,
	}, func(ctx context.Context, in *listInput) (*unitsAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Unit, error) {
			return u.List(ctx, Filter{Under: in.Under, Code: in.Code, Archived: in.Archived, After: after}, limit)
		}, func(one Unit) string { return one.Code }, show)
		return &unitsAnswer{unitPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-unit", Method: http.MethodGet, Path: "/v1/units/{unit_id}", Tag: tag, Summary: "Read a unit",
		Permission: auth.RolloutsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*unitAnswer, error) { return answered(u.Get(ctx, in.ID)) })
	for _, one := range []struct {
		action, summary string
		archived        bool
	}{{"archive", "Keep a unit out of new plans", true}, {"restore", "Take a unit back into plans", false}} {
		httpx.Register(api, httpx.Operation{
			ID: one.action + "-unit", Method: http.MethodPost, Path: "/v1/units/{unit_id}/" + one.action, Tag: tag, Summary: one.summary,
			Description: "What is live in it stays so.", Permission: auth.RolloutsManage, Errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *byID) (*unitAnswer, error) {
			return answered(u.Archive(ctx, in.ID, one.archived))
		})
	}
}
