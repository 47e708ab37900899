package grade

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const tag = "grades"

type gradeSchemeAnswer struct {
	ETag string `header:"ETag"`
	Body gradeSchemeView
}

type gradeSchemeView struct {
	Version int64 `json:"version" doc:"0: the house's own"`
	GradeSchemeBody
	ChangedBy string     `json:"changed_by,omitempty" doc:"subject"`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

type gradeShare struct {
	Code  string  `json:"code" example:"top"`
	Share float64 `json:"share_percent,omitempty" minimum:"0" maximum:"100" doc:"of the customers, with at most two decimals; of the last grade it may be left out: it is the rest" example:"1"`
}

type gradeCosts struct {
	Ticket      int64 `json:"ticket_minor,omitempty" minimum:"0" maximum:"100000000" doc:"of each ticket"`
	Complaint   int64 `json:"complaint_minor,omitempty" minimum:"0" maximum:"100000000" doc:"of each complaint, beside its remedy, which counts as it was in the reporting currency"`
	Touch       int64 `json:"touch_minor,omitempty" minimum:"0" maximum:"100000000" doc:"of each time that the customer heard from us by a campaign or a survey"`
	Interaction int64 `json:"interaction_minor,omitempty" minimum:"0" maximum:"100000000" doc:"of each interaction"`
}

// GradeSchemeBody is how customers are graded. Amounts are minor units of the reporting currency.
type GradeSchemeBody struct {
	Grades     []gradeShare       `json:"grades" nullable:"false" minItems:"2" maxItems:"10" doc:"the highest first"`
	WindowDays int                `json:"window_days" minimum:"1" maximum:"3650" doc:"days that end with and include the day of the run" example:"365"`
	Margin     float64            `json:"margin_percent" minimum:"0" maximum:"100" doc:"of net revenue, with at most one decimal" example:"40"`
	Channels   map[string]float64 `json:"channel_margins,omitempty" doc:"margins of net revenue that differ, by channel"`
	Costs      gradeCosts         `json:"costs,omitempty" doc:"of serving a customer"`
}

func toBody(s Scheme) GradeSchemeBody {
	b := GradeSchemeBody{WindowDays: s.WindowDays, Margin: float64(s.MarginPermille) / 10, Costs: gradeCosts(s.Costs)}
	for _, g := range s.Grades {
		b.Grades = append(b.Grades, gradeShare{g.Code, float64(g.Share) / 100})
	}
	if len(s.Channels) > 0 {
		b.Channels = make(map[string]float64, len(s.Channels))
		for channel, margin := range s.Channels {
			b.Channels[channel] = float64(margin) / 10
		}
	}
	return b
}

// scheme takes percentages over; those that are too precise are faults.
func (b GradeSchemeBody) scheme() (Scheme, error) {
	var faults []problem.Field
	exact := func(location string, percent float64, of float64) int {
		n := math.Round(percent * of)
		if math.Abs(percent*of-n) > 1e-6 {
			faults = append(faults, problem.Field{Location: location, Code: "too_precise", Message: "has too many decimals"})
		}
		return int(n)
	}
	s := Scheme{WindowDays: b.WindowDays, MarginPermille: exact("margin_percent", b.Margin, 10), Costs: Costs(b.Costs), Channels: map[string]int{}}
	for i, g := range b.Grades {
		s.Grades = append(s.Grades, Grade{g.Code, exact("grades["+strconv.Itoa(i)+"].share_percent", g.Share, 100)})
	}
	for channel, margin := range b.Channels {
		s.Channels[channel] = exact("channel_margins", margin, 10)
	}
	if len(faults) > 0 {
		return s, problem.InvalidBody("grade_scheme_invalid", "The scheme stays as it was: mend the fields named here.", faults)
	}
	return s, nil
}

func showScheme(s Scheme, err error) (*gradeSchemeAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &gradeSchemeAnswer{httpx.ETag(s.Version), gradeSchemeView{s.Version, toBody(s), s.By, pg.OrNull(s.ChangedAt)}}, nil
}

type setGradeSchemeInput struct {
	IfMatch string `header:"If-Match" doc:"the ETag of the scheme as it was read"`
	Body    GradeSchemeBody
}

type gradeSchemeVersion struct {
	Version int64 `path:"version" minimum:"0" maximum:"2147483647"`
}

type askGradesInput struct{ Body *gradeWish }

type gradeWish struct {
	AsOf string `json:"as_of,omitempty" format:"date" doc:"UTC day; left out: today" example:"1998-06-30"`
}

type gradeRunPath struct {
	ID uuid.UUID `path:"run_id" format:"uuid"`
}

type gradeRunAnswer struct {
	Status int
	Body   gradeRunView
}

type gradeRunsAnswer struct{ Body gradeRunPage }

type gradeRunPage struct {
	Items      []gradeRunView `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty"`
}

type gradeRunView struct {
	run.View
	Currency   string     `json:"currency" doc:"the reporting currency"`
	Scheme     int64      `json:"scheme" doc:"version; 0: the house's own"`
	Portraits  bool       `json:"portraits" doc:"whether portraits take the grades over: where as_of was the day on which it was asked for"`
	Phase      string     `json:"phase" enum:"reading,writing,done"`
	Customers  int64      `json:"customers" doc:"with a net purchase in the window: N of the cuts"`
	Changed    int64      `json:"changed" doc:"moves between grades, so far"`
	FactsAsOf  *time.Time `json:"facts_as_of,omitempty" doc:"time of the newest event in these numbers"`
	ReckonedAt *time.Time `json:"reckoned_at,omitempty" doc:"from when on the result can be read"`
	Kept       bool       `json:"kept" doc:"whether the contributions of each customer are there: those of the last three runs are"`
}

func toRun(r Running) gradeRunView {
	return gradeRunView{
		View: run.Show(r.Run), Currency: r.Currency, Scheme: r.Scheme, Portraits: r.Portraits, Phase: r.Phase, Customers: r.Customers, Changed: r.Changed,
		FactsAsOf: pg.OrNull(r.FactsAsOf), ReckonedAt: pg.OrNull(r.ReckonedAt), Kept: r.Kept && !r.ReckonedAt.IsZero(),
	}
}

func showRun(status int, r Running, err error) (*gradeRunAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &gradeRunAnswer{status, toRun(r)}, nil
}

// Routes adds the operations on grades.
func (p *Pyramid) Routes(api *httpx.API) {
	p.schemeRoutes(api)
	p.runRoutes(api)
	p.resultRoutes(api)
	p.potentialRoutes(api)
}

func read(id, path, summary string, errors ...int) httpx.Operation {
	return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Summary: summary, Tag: tag, Permission: auth.AnalyticsRead, Errors: errors}
}

func (p *Pyramid) schemeRoutes(api *httpx.API) {
	httpx.Register(api, read("get-grade-scheme", "/v1/analytics/grades/scheme", "Read how customers are graded"),
		func(ctx context.Context, _ *struct{}) (*gradeSchemeAnswer, error) {
			return showScheme(p.Scheme(ctx, -1))
		})
	httpx.Register(api, read("get-grade-scheme-version", "/v1/analytics/grades/schemes/{version}", "Read a version of how customers are graded", http.StatusNotFound),
		func(ctx context.Context, in *gradeSchemeVersion) (*gradeSchemeAnswer, error) {
			return showScheme(p.Scheme(ctx, in.Version))
		})
	httpx.Register(api, httpx.Operation{
		ID: "set-grade-scheme", Method: http.MethodPut, Path: "/v1/analytics/grades/scheme", Summary: "Say how customers are graded", Tag: tag,
		Description: "A new version; those before stay readable. Runs from now on grade by it.", Permission: auth.AnalyticsManage,
	}, func(ctx context.Context, in *setGradeSchemeInput) (*gradeSchemeAnswer, error) {
		s, err := in.Body.scheme()
		if err != nil {
			return nil, err
		}
		return showScheme(p.SetScheme(ctx, s, in.IfMatch))
	})
}

func (p *Pyramid) runRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "start-grade-run", Method: http.MethodPost, Path: "/v1/analytics/grades/runs", Tag: tag, Summary: "Have every customer graded behind the scenes",
		Description: "The answer is 202 and says where to look. Every tenant is graded once a day besides.",
		Permission:  auth.AnalyticsManage, Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *askGradesInput) (*gradeRunAnswer, error) {
		var asOf time.Time
		if in.Body != nil && in.Body.AsOf != "" {
			var err error
			if asOf, err = time.Parse(time.DateOnly, in.Body.AsOf); err != nil {
				return nil, problem.InvalidBody("run_invalid", "Nothing was begun: mend the field named here.",
					[]problem.Field{{Location: "as_of", Code: "date", Message: "is not a date of the form 2006-01-02"}})
			}
		}
		asked, err := p.Ask(ctx, asOf)
		return showRun(http.StatusAccepted, asked, err)
	})
	httpx.Register(api, read("list-grade-runs", "/v1/analytics/grades/runs", "List runs, the newest first"),
		func(ctx context.Context, in *httpx.Page) (*gradeRunsAnswer, error) {
			items, next, err := httpx.PageByID(*in, func(before uuid.UUID, limit int) ([]Running, error) { return p.Runs(ctx, before, limit) },
				func(one Running) uuid.UUID { return one.ID }, toRun)
			return &gradeRunsAnswer{gradeRunPage{items, next}}, err
		})
	httpx.Register(api, read("get-grade-run", "/v1/analytics/grades/runs/{run_id}", "Read how far a run is", http.StatusNotFound),
		func(ctx context.Context, in *gradeRunPath) (*gradeRunAnswer, error) {
			one, err := p.Running(ctx, in.ID)
			return showRun(http.StatusOK, one, err)
		})
}
