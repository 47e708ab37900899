package calendar

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// CalendarBody is what a calendar says, as the API takes and shows it. It is exported so that what embeds it is documented
// whole.
type CalendarBody struct {
	Name     string                      `json:"name" maxLength:"200" example:"Shop in Shanghai"`
	TimeZone string                      `json:"time_zone" maxLength:"64" doc:"IANA name of the zone whose wall clock is meant." example:"Asia/Shanghai"`
	Week     businesstime.CalendarWeek   `json:"week" doc:"When it is open; a day that is left out is closed. At least one day is not."`
	Years    []businesstime.CalendarYear `json:"years,omitempty" nullable:"false" maxItems:"50" doc:"What is otherwise on single dates, year by year."`
}

// calendarView is a calendar as the API shows it.
type calendarView struct {
	CalendarID uuid.UUID `json:"calendar_id" format:"uuid"`
	CalendarBody
	Default   bool      `json:"default" doc:"Of policies that name no calendar."`
	Archived  bool      `json:"archived" doc:"Nothing new may name it."`
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"`
}

func show(s Stored) calendarView {
	return calendarView{
		CalendarID: s.ID, CalendarBody: CalendarBody{Name: s.Name, TimeZone: s.Zone, Week: businesstime.ShowWeek(s.Hours.Week), Years: businesstime.ShowYears(s.Hours.Years)},
		Default: s.Default, Archived: s.Archived, Version: s.Version, CreatedAt: s.CreatedAt.UTC(), ChangedAt: s.ChangedAt.UTC(),
	}
}

type answer struct {
	ETag string `header:"ETag"`
	Body calendarView
}

func answered(s Stored, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{ETag: httpx.ETag(s.Version), Body: show(s)}, nil
}

type createInput struct{ Body CalendarBody }

type replaceInput struct {
	ID      uuid.UUID `path:"calendar_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the calendar as it was read."`
	Body    CalendarBody
}

type byID struct {
	ID uuid.UUID `path:"calendar_id" format:"uuid"`
}

type listInput struct {
	Archived bool `query:"archived" doc:"Those in the archive, too."`
	httpx.Page
}

type listAnswer struct{ Body calendarPage }

type calendarPage struct {
	Items      []calendarView `json:"items" nullable:"false" doc:"The oldest first."`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type versionsInput struct {
	ID uuid.UUID `path:"calendar_id" format:"uuid"`
	httpx.Page
}

type versionsAnswer struct{ Body calendarVersions }

type calendarVersions struct {
	Items      []calendarVersion `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// calendarVersion is what a calendar was.
type calendarVersion struct {
	Version  int64                       `json:"version"`
	TimeZone string                      `json:"time_zone"`
	Week     businesstime.CalendarWeek   `json:"week"`
	Years    []businesstime.CalendarYear `json:"years,omitempty" nullable:"false"`
	By       string                      `json:"by" doc:"Subject of whoever made it so."`
	At       time.Time                   `json:"at"`
}

const path = "/v1/calendars/{calendar_id}"

// Routes adds the operations on calendars.
func (c *Calendars) Routes(api *httpx.API) {
	const tag = "Calendars"
	missing := []int{http.StatusNotFound}
	httpx.Register(api, httpx.Operation{
		ID: "create-calendar", Method: http.MethodPost, Path: "/v1/calendars", Tag: tag, Summary: "Make a business calendar",
		Permission: auth.TicketsConfigure, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *createInput) (*answer, error) {
		return answered(c.Create(ctx, draft(in.Body)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-calendars", Method: http.MethodGet, Path: "/v1/calendars", Tag: tag, Summary: "List business calendars",
		Permission: auth.TicketsRead,
	}, c.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-calendar", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read a business calendar",
		Permission: auth.TicketsRead, Errors: missing,
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(c.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "replace-calendar", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Give a business calendar other hours",
		Description: "Deadlines of open tickets are reckoned anew a moment later; what was measured of closed ones stays.",
		Permission:  auth.TicketsConfigure,
		Errors:      []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *replaceInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return answered(c.Replace(ctx, in.ID, draft(in.Body), fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-calendar-versions", Method: http.MethodGet, Path: path + "/versions", Tag: tag, Summary: "What a business calendar was",
		Permission: auth.TicketsRead, Errors: missing,
	}, c.versionsHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "make-default-calendar", Method: http.MethodPost, Path: path + "/make-default", Tag: tag, Summary: "Have policies that name no calendar reckon by this one",
		Description: "Until there is a default calendar, they reckon around the clock.",
		Permission:  auth.TicketsConfigure, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(c.MakeDefault(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "archive-calendar", Method: http.MethodPost, Path: path + "/archive", Tag: tag, Summary: "Put a business calendar into the archive",
		Description: "Nothing new may name it; what names it goes on to reckon by it.",
		Permission:  auth.TicketsConfigure, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(c.Archive(ctx, in.ID, true)) })
	httpx.Register(api, httpx.Operation{
		ID: "restore-calendar", Method: http.MethodPost, Path: path + "/restore", Tag: tag, Summary: "Take a business calendar out of the archive",
		Permission: auth.TicketsConfigure, Errors: missing,
	}, func(ctx context.Context, in *byID) (*answer, error) { return answered(c.Archive(ctx, in.ID, false)) })
	c.trialRoutes(api, tag)
}

func (c *Calendars) listHTTP(ctx context.Context, in *listInput) (*listAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Stored, error) {
		return c.List(ctx, Filter{Archived: in.Archived, After: after}, limit)
	}, func(s Stored) uuid.UUID { return s.ID }, show)
	if err != nil {
		return nil, err
	}
	return &listAnswer{calendarPage{items, next}}, nil
}

func (c *Calendars) versionsHTTP(ctx context.Context, in *versionsInput) (*versionsAnswer, error) {
	items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Version, error) { return c.Versions(ctx, in.ID, int64(before), limit) },
		func(v Version) int { return int(v.Version) }, func(v Version) calendarVersion {
			return calendarVersion{v.Version, v.Zone, businesstime.ShowWeek(v.Hours.Week), businesstime.ShowYears(v.Hours.Years), v.By, v.At.UTC()}
		})
	return &versionsAnswer{calendarVersions{items, next}}, err
}

// draft reads what the schema let through.
func draft(b CalendarBody) Draft {
	return Draft{Name: b.Name, Zone: b.TimeZone, Hours: businesstime.ReadHours(b.Week, b.Years)}
}
