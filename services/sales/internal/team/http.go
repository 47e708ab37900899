package team

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// TeamBody is what a team says, as the API takes and shows it. It is exported so that what embeds it is documented whole.
type TeamBody struct {
	Name         string   `json:"name" maxLength:"200" example:"Shanghai"`
	Lead         string   `json:"lead,omitempty" maxLength:"200" doc:"Subject of who leads it; they need not be of it." example:"wang"`
	Pipeline     string   `json:"pipeline,omitempty" maxLength:"64" doc:"Code of the pipeline that it sells along; left out: the tenant's default."`
	PriceList    string   `json:"price_list,omitempty" maxLength:"64" doc:"Code of the price list that it sells by; left out: none of its own."`
	TimeZone     string   `json:"time_zone,omitempty" maxLength:"64" default:"UTC" doc:"IANA name of the time zone in which its days begin." example:"Asia/Shanghai"`
	Strategy     Strategy `json:"strategy,omitempty" enum:"round_robin,least_loaded,by_hand" default:"round_robin" doc:"Who of it gets a lead unasked. round_robin: whose turn is longest ago. least_loaded: who has the least of what they can have. by_hand: nobody."`
	OutsideHours Outside  `json:"outside_hours,omitempty" enum:"wait,next" default:"wait" doc:"What happens with a lead while nobody who could take it is at work. wait: it waits until somebody is. next: it goes to who is at work next."`
	Members      []string `json:"members" nullable:"false" maxItems:"500" doc:"Subjects of its people."`
	Archived     bool     `json:"archived" required:"false" doc:"It gets no new leads. Those that somebody has stay with them; those that nobody has are given by the rules again, to other teams."`
}

// teamView is a team as the API shows it.
type teamView struct {
	Code string `json:"code" example:"shanghai"`
	TeamBody
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
	ChangedBy string    `json:"changed_by" doc:"Subject."`
}

func showTeam(t Team) teamView {
	return teamView{Code: t.Code, Version: t.Version, ChangedAt: t.ChangedAt, ChangedBy: t.By, TeamBody: TeamBody{
		Name: t.Name, Lead: t.Lead, Pipeline: t.Pipeline, PriceList: t.PriceList, TimeZone: t.Zone, Strategy: t.Strategy, OutsideHours: t.OutsideHours,
		Members: t.Members, Archived: t.Archived,
	}}
}

type teamAnswer struct {
	ETag string `header:"ETag"`
	Body teamView
}

func teamAnswered(t Team, err error) (*teamAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &teamAnswer{httpx.ETag(t.Version), showTeam(t)}, nil
}

type teamInput struct {
	Code    string `path:"team_code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the team as it was read; \"0\" makes it."`
	Body    TeamBody
}

type teamByCode struct {
	Code string `path:"team_code" maxLength:"64"`
}

type teamList struct {
	Archived bool `query:"archived" doc:"Those in the archive, too."`
	httpx.Page
}

type teamsAnswer struct{ Body teamPage }

type teamPage struct {
	Items      []teamView `json:"items" nullable:"false" doc:"By code."`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// SellerBody is what is known of somebody who sells, as the API takes and shows it. It is exported so that what embeds it is
// documented whole.
type SellerBody struct {
	Capacity  int          `json:"capacity" minimum:"0" maximum:"10000" doc:"Open leads at a time that are given unasked." example:"30"`
	Languages []string     `json:"languages,omitempty" nullable:"false" maxItems:"50" doc:"That they speak: codes such as zh." example:"[\"zh\",\"en\"]"`
	Skills    []string     `json:"skills,omitempty" nullable:"false" maxItems:"50" doc:"Codes of what they can do, as rules ask for it."`
	TimeZone  string       `json:"time_zone,omitempty" maxLength:"64" default:"UTC" doc:"IANA name of the time zone whose wall clock the hours mean." example:"Asia/Shanghai"`
	Hours     *sellerHours `json:"hours,omitempty" doc:"When they work; left out: around the clock."`
	Archived  bool         `json:"archived" required:"false" doc:"They have left, and get nothing new. What they have is handed over by command."`
}

// sellerHours are working hours.
type sellerHours struct {
	Week  businesstime.CalendarWeek   `json:"week" doc:"A day that is left out is free. At least one day is not."`
	Years []businesstime.CalendarYear `json:"years,omitempty" nullable:"false" maxItems:"50" doc:"What is otherwise on single dates, year by year."`
}

// sellerView is somebody who sells as the API shows them.
type sellerView struct {
	Subject string `json:"subject" doc:"Of their tokens." example:"li"`
	SellerBody
	Teams     []string        `json:"teams" nullable:"false" doc:"Codes of the teams that they are of."`
	Working   bool            `json:"working" doc:"Now: within their hours, and not away."`
	WorksFrom *time.Time      `json:"works_from,omitempty" doc:"When they are at work next, where that is known: now, where they are."`
	Absences  []sellerAbsence `json:"absences" nullable:"false" doc:"Those that have not ended."`
	Version   int64           `json:"version" doc:"Rises by one with every change; the ETag. Absences do not raise it."`
	ChangedAt time.Time       `json:"changed_at"`
	ChangedBy string          `json:"changed_by" doc:"Subject."`
}

// sellerAbsence is a time at which somebody is not there.
type sellerAbsence struct {
	AbsenceID uuid.UUID  `json:"absence_id" format:"uuid"`
	From      time.Time  `json:"from"`
	To        *time.Time `json:"to,omitempty" doc:"Not included; absent: until it is ended."`
	ToldBy    string     `json:"told_by" doc:"Subject."`
	ToldAt    time.Time  `json:"told_at"`
}

func showAbsence(a Absence) sellerAbsence {
	return sellerAbsence{a.ID, a.From, pg.OrNull(a.To), a.By, a.At}
}

func (s *Teams) showPerson(p Person) sellerView {
	now := s.now()
	v := sellerView{
		Subject: p.Subject, Teams: p.Teams, Working: p.Works(now), Absences: []sellerAbsence{}, Version: p.Version, ChangedAt: p.ChangedAt, ChangedBy: p.By,
		SellerBody: SellerBody{Capacity: p.Capacity, Languages: p.Languages, Skills: p.Skills, TimeZone: p.Zone, Archived: p.Archived},
	}
	if v.Teams == nil {
		v.Teams = []string{}
	}
	if next := p.NextWork(now); !next.Equal(businesstime.Never) {
		next = next.UTC()
		v.WorksFrom = &next
	}
	if p.Hours != nil {
		v.Hours = &sellerHours{businesstime.ShowWeek(p.Hours.Week), businesstime.ShowYears(p.Hours.Years)}
	}
	for _, a := range p.Absences {
		v.Absences = append(v.Absences, showAbsence(a))
	}
	return v
}

type sellerAnswer struct {
	ETag string `header:"ETag"`
	Body sellerView
}

func (s *Teams) sellerAnswered(p Person, err error) (*sellerAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &sellerAnswer{httpx.ETag(p.Version), s.showPerson(p)}, nil
}

type sellerInput struct {
	Subject string `path:"subject" maxLength:"200" doc:"Of their tokens."`
	IfMatch string `header:"If-Match" doc:"The ETag as it was read; \"0\" makes them known."`
	Body    SellerBody
}

type bySeller struct {
	Subject string `path:"subject" maxLength:"200" doc:"Of their tokens; me for the caller's."`
}

type sellerList struct {
	Team     string `query:"team" maxLength:"64" doc:"Code; only people of this team."`
	Archived bool   `query:"archived" doc:"Those who have left, too."`
	httpx.Page
}

type sellersAnswer struct{ Body sellerPage }

type sellerPage struct {
	Items      []sellerView `json:"items" nullable:"false" doc:"By subject."`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type absenceInput struct {
	Subject string `path:"subject" maxLength:"200" doc:"Of their tokens; me for the caller's."`
	Body    absenceBody
}

// absenceBody is when somebody is not there.
type absenceBody struct {
	From time.Time  `json:"from" doc:"Within three years of today." example:"2026-12-21T00:00:00Z"`
	To   *time.Time `json:"to,omitempty" doc:"Not included; in the future. Left out: until the absence is deleted." example:"2027-01-04T00:00:00Z"`
}

type absenceAnswer struct{ Body sellerAbsence }

type absenceByID struct {
	Subject string    `path:"subject" maxLength:"200" doc:"Of their tokens; me for the caller's."`
	ID      uuid.UUID `path:"absence_id" format:"uuid"`
}

type absenceList struct {
	Subject string `path:"subject" maxLength:"200" doc:"Of their tokens; me for the caller's."`
	httpx.Page
}

type absencesAnswer struct{ Body absencePage }

type absencePage struct {
	Items      []sellerAbsence `json:"items" nullable:"false" doc:"The latest told first."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// subjectOf gives the subject that a path names.
func subjectOf(ctx context.Context, subject string) string {
	if subject == "me" {
		return caller(ctx).Subject
	}
	return subject
}

// Routes adds the operations on teams and people.
func (s *Teams) Routes(api *httpx.API) {
	s.teamRoutes(api)
	s.sellerRoutes(api)
	s.absenceRoutes(api)
}

const tag = "Teams"

var versioned = []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}

func (s *Teams) teamRoutes(api *httpx.API) {
	const path = "/v1/teams/{team_code}"
	httpx.Register(api, httpx.Operation{
		ID: "list-teams", Method: http.MethodGet, Path: "/v1/teams", Tag: tag, Summary: "List sales teams", Permission: auth.SalesRead,
	}, func(ctx context.Context, in *teamList) (*teamsAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Team, error) {
			return s.List(ctx, after, in.Archived, limit)
		}, func(t Team) string { return t.Code }, showTeam)
		return &teamsAnswer{teamPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-team", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read a sales team", Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *teamByCode) (*teamAnswer, error) {
		return teamAnswered(s.Team(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-team", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Make or change a sales team",
		Description: "Its people have to be known first. A team in the archive gets no new leads.",
		Permission:  auth.SalesConfigure, Errors: versioned,
	}, func(ctx context.Context, in *teamInput) (*teamAnswer, error) {
		b := in.Body
		t := Team{Code: in.Code, Name: b.Name, Lead: b.Lead, Pipeline: b.Pipeline, PriceList: b.PriceList, Zone: b.TimeZone, Strategy: b.Strategy,
			OutsideHours: b.OutsideHours, Members: b.Members, Archived: b.Archived}
		return teamAnswered(s.PutTeam(ctx, t, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}

func (s *Teams) sellerRoutes(api *httpx.API) {
	const path = "/v1/sellers/{subject}"
	httpx.Register(api, httpx.Operation{
		ID: "list-sellers", Method: http.MethodGet, Path: "/v1/sellers", Tag: tag, Summary: "List who sells, and whether they are at work", Permission: auth.SalesRead,
	}, func(ctx context.Context, in *sellerList) (*sellersAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Person, error) {
			return s.People(ctx, in.Team, after, in.Archived, limit)
		}, func(p Person) string { return p.Subject }, s.showPerson)
		return &sellersAnswer{sellerPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-seller", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read somebody who sells", Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *bySeller) (*sellerAnswer, error) {
		return s.sellerAnswered(s.Person(ctx, subjectOf(ctx, in.Subject)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-seller", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Make somebody who sells known, or change what is known of them",
		Permission: auth.SalesConfigure, Errors: versioned,
	}, func(ctx context.Context, in *sellerInput) (*sellerAnswer, error) {
		b := in.Body
		p := Person{Subject: in.Subject, Capacity: b.Capacity, Languages: b.Languages, Skills: b.Skills, Zone: b.TimeZone, Archived: b.Archived}
		if b.Hours != nil {
			hours := businesstime.ReadHours(b.Hours.Week, b.Hours.Years)
			p.Hours = &hours
		}
		return s.sellerAnswered(s.PutPerson(ctx, p, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}

func (s *Teams) absenceRoutes(api *httpx.API) {
	const path = "/v1/sellers/{subject}/absences"
	refused := []int{http.StatusNotFound, http.StatusForbidden}
	httpx.Register(api, httpx.Operation{
		ID: "list-absences", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List when somebody who sells was and will be away",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *absenceList) (*absencesAnswer, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Absence, error) {
			return s.Absences(ctx, subjectOf(ctx, in.Subject), before, limit)
		}, func(a Absence) uuid.UUID { return a.ID }, showAbsence)
		return &absencesAnswer{absencePage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "tell-absence", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Say that somebody who sells is away for a time",
		Description: "They get no new leads while they are. One may say it of oneself; of others only who leads a team of theirs, or configures sales.",
		Permission:  auth.SalesWrite, Status: http.StatusCreated, Errors: append([]int{http.StatusConflict}, refused...),
	}, func(ctx context.Context, in *absenceInput) (*absenceAnswer, error) {
		a := Absence{From: in.Body.From}
		if in.Body.To != nil {
			a.To = *in.Body.To
		}
		told, err := s.TellAbsence(ctx, subjectOf(ctx, in.Subject), a)
		return &absenceAnswer{showAbsence(told)}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "delete-absence", Method: http.MethodDelete, Path: path + "/{absence_id}", Tag: tag, Summary: "Take back that somebody is away",
		Permission: auth.SalesWrite, Status: http.StatusNoContent, Errors: refused,
	}, func(ctx context.Context, in *absenceByID) (*struct{}, error) {
		return nil, s.DropAbsence(ctx, subjectOf(ctx, in.Subject), in.ID)
	})
}
