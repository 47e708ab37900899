package forecast

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// ScopeQuery is what part of a forecast is asked for.
type ScopeQuery struct {
	Pipeline string `query:"pipeline" maxLength:"64" doc:"Code."`
	Team     string `query:"team" maxLength:"64" doc:"Code."`
	Owner    string `query:"owner" maxLength:"255" doc:"Subject. Without sales.report one sees one's own only, which need not be said."`
	From     string `query:"from" maxLength:"7" doc:"First month, YYYY-MM. Where from or to is given, what has no month is left out." example:"2026-11"`
	To       string `query:"to" maxLength:"7" doc:"Last month." example:"2026-12"`
}

func (q ScopeQuery) scope() Scope { return Scope(q) }

// GroupQuery is by what sums are split.
type GroupQuery struct {
	By []string `query:"by" enum:"pipeline,team,owner,month" doc:"By what sums are split beside category and currency; separated by commas." example:"month,owner"`
}

func (q GroupQuery) by() (b By) {
	for _, one := range q.By {
		switch one {
		case "pipeline":
			b.Pipeline = true
		case "team":
			b.Team = true
		case "owner":
			b.Owner = true
		case "month":
			b.Month = true
		}
	}
	return b
}

type forecastInput struct {
	ScopeQuery
	GroupQuery
}

type forecastAnswer struct{ Body forecastView }

type forecastView struct {
	AsOf  time.Time         `json:"as_of"`
	Zone  string            `json:"zone" doc:"In which months begin."`
	Items []forecastSumView `json:"items" nullable:"false" doc:"At most 5000."`
}

type forecastSumView struct {
	Pipeline      string `json:"pipeline,omitempty"`
	Team          string `json:"team,omitempty" doc:"Absent: none, or not split by it."`
	Owner         string `json:"owner,omitempty"`
	Month         string `json:"month,omitempty" doc:"YYYY-MM, in which it is expected to close or did; absent: nobody said, or not split by it."`
	Category      string `json:"category,omitempty" enum:"pipeline,best_case,commit,closed"`
	Currency      string `json:"currency"`
	Opportunities int64  `json:"opportunities"`
	AmountMinor   int64  `json:"amount_minor"`
	WeightedMinor int64  `json:"weighted_minor" doc:"Each opportunity weighted by its stage's probability and rounded by itself, halves up; of what is closed, the amount."`
}

func showSums(all []Sum) []forecastSumView {
	out := make([]forecastSumView, len(all))
	for i, s := range all {
		out[i] = forecastSumView(s)
	}
	return out
}

func (f *Forecasts) nowHTTP(ctx context.Context, in *forecastInput) (*forecastAnswer, error) {
	all, zone, err := f.Now(ctx, in.scope(), in.by())
	if err != nil {
		return nil, err
	}
	return &forecastAnswer{forecastView{f.now(), zone, showSums(all)}}, nil
}

type forecastSettingAnswer struct {
	ETag string `header:"ETag"`
	Body forecastSettingView
}

type forecastSettingView struct {
	Zone      string     `json:"zone" doc:"IANA name of the time zone in which days, weeks and months begin." example:"Asia/Shanghai"`
	ChangedBy string     `json:"changed_by,omitempty" doc:"Subject."`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

type forecastSettingInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the setting as it was read."`
	Body    forecastSettingBody
}

type forecastSettingBody struct {
	Zone string `json:"zone" maxLength:"64" doc:"IANA name of a time zone." example:"Asia/Shanghai"`
}

func showForecastSetting(s Setting, err error) (*forecastSettingAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &forecastSettingAnswer{httpx.ETag(s.Version), forecastSettingView{s.Zone.String(), s.By, pg.OrNull(s.ChangedAt)}}, nil
}

type snapshotView struct {
	SnapshotID    uuid.UUID `json:"snapshot_id" format:"uuid"`
	Week          string    `json:"week,omitempty" doc:"ISO 8601 week that it stands for; absent: somebody asked for it besides." example:"2026-W48"`
	Zone          string    `json:"zone" doc:"Whose months its lines have."`
	Opportunities int64     `json:"opportunities"`
	TakenBy       string    `json:"taken_by" doc:"Subject."`
	TakenAt       time.Time `json:"taken_at"`
}

func showSnapshot(s Snapshot) snapshotView {
	return snapshotView{s.ID, s.Week, s.Zone, s.Opportunities, s.By, s.TakenAt}
}

type snapshotAnswer struct{ Body snapshotView }

type snapshotsInput struct {
	httpx.Page
	Weekly bool `query:"weekly" doc:"Only those that stand for a week."`
}

type snapshotsAnswer struct{ Body snapshotPage }

type snapshotPage struct {
	Items      []snapshotView `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty"`
}

func (f *Forecasts) snapshotsHTTP(ctx context.Context, in *snapshotsInput) (*snapshotsAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Snapshot, error) {
		return f.Snapshots(ctx, in.Weekly, before, limit)
	}, func(s Snapshot) uuid.UUID { return s.ID }, showSnapshot)
	return &snapshotsAnswer{snapshotPage{items, next}}, err
}

type snapshotInput struct {
	ScopeQuery
	GroupQuery
	ID uuid.UUID `path:"snapshot_id" format:"uuid"`
}

type snapshotSumsAnswer struct{ Body snapshotSumsView }

type snapshotSumsView struct {
	Snapshot snapshotView      `json:"snapshot"`
	Items    []forecastSumView `json:"items" nullable:"false" doc:"At most 5000."`
}

func (f *Forecasts) thenHTTP(ctx context.Context, in *snapshotInput) (*snapshotSumsAnswer, error) {
	s, all, err := f.Then(ctx, in.ID, in.scope(), in.by())
	if err != nil {
		return nil, err
	}
	return &snapshotSumsAnswer{snapshotSumsView{showSnapshot(s), showSums(all)}}, nil
}

type snapshotLinesInput struct {
	httpx.Page
	ScopeQuery
	ID uuid.UUID `path:"snapshot_id" format:"uuid"`
}

type snapshotLinesAnswer struct{ Body snapshotLinePage }

type snapshotLinePage struct {
	Items      []forecastLineView `json:"items" nullable:"false"`
	NextCursor string             `json:"next_cursor,omitempty"`
}

type forecastLineView struct {
	OpportunityID uuid.UUID `json:"opportunity_id" format:"uuid"`
	Pipeline      string    `json:"pipeline"`
	Stage         string    `json:"stage"`
	Team          string    `json:"team,omitempty"`
	Owner         string    `json:"owner,omitempty"`
	Month         string    `json:"month,omitempty" doc:"YYYY-MM"`
	Category      string    `json:"category" enum:"pipeline,best_case,commit,closed"`
	Probability   int32     `json:"probability" doc:"Of the stage, in percent."`
	Currency      string    `json:"currency"`
	AmountMinor   int64     `json:"amount_minor"`
	WeightedMinor int64     `json:"weighted_minor"`
}

func (f *Forecasts) linesHTTP(ctx context.Context, in *snapshotLinesInput) (*snapshotLinesAnswer, error) {
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Line, error) {
		return f.Lines(ctx, in.ID, in.scope(), after, limit)
	}, func(l Line) uuid.UUID { return l.OpportunityID }, func(l Line) forecastLineView { return forecastLineView(l) })
	return &snapshotLinesAnswer{snapshotLinePage{items, next}}, err
}

type changesInput struct {
	httpx.Page
	ScopeQuery
	Was uuid.UUID `query:"from_snapshot" required:"true" format:"uuid" doc:"The earlier snapshot."`
	Is  uuid.UUID `query:"to_snapshot" required:"true" format:"uuid" doc:"The later snapshot."`
}

type changesAnswer struct{ Body changesView }

type changesView struct {
	From       snapshotView         `json:"from"`
	To         snapshotView         `json:"to"`
	Before     []forecastSumView    `json:"before" nullable:"false" doc:"By currency."`
	After      []forecastSumView    `json:"after" nullable:"false"`
	Changes    []forecastBridgeView `json:"changes" nullable:"false" doc:"What lies between: before and these come to after, in each currency."`
	Items      []differenceView     `json:"items" nullable:"false" doc:"The opportunities that changed."`
	NextCursor string               `json:"next_cursor,omitempty"`
}

type forecastBridgeView struct {
	Change        string `json:"change" enum:"new,reopened,moved_in,moved_out,amount,stage,won,lost,withdrawn"`
	Currency      string `json:"currency"`
	Opportunities int64  `json:"opportunities"`
	AmountMinor   int64  `json:"amount_minor" doc:"Less than 0: so much less."`
	WeightedMinor int64  `json:"weighted_minor"`
}

type differenceView struct {
	OpportunityID uuid.UUID         `json:"opportunity_id" format:"uuid"`
	Change        string            `json:"change" enum:"new,reopened,moved_in,moved_out,amount,stage,won,lost,withdrawn"`
	Was           *forecastLineView `json:"was,omitempty" doc:"Absent: it did not stand in that snapshot."`
	Is            *forecastLineView `json:"is,omitempty"`
}

func (f *Forecasts) changesHTTP(ctx context.Context, in *changesInput) (*changesAnswer, error) {
	after, err := httpx.AfterID(in.Cursor)
	if err != nil {
		return nil, err
	}
	c, err := f.Compare(ctx, in.Was, in.Is, in.scope(), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(c.Each, in.Limit, func(last Difference) []string { return []string{last.OpportunityID.String()} })
	body := changesView{
		From: showSnapshot(c.Was), To: showSnapshot(c.Is), Before: showSums(c.Before), After: showSums(c.After),
		Changes: make([]forecastBridgeView, len(c.Bridges)), Items: make([]differenceView, len(page)), NextCursor: next,
	}
	for i, b := range c.Bridges {
		body.Changes[i] = forecastBridgeView(b)
	}
	for i, d := range page {
		body.Items[i] = differenceView{d.OpportunityID, d.Change, (*forecastLineView)(d.Was), (*forecastLineView)(d.Is)}
	}
	return &changesAnswer{body}, nil
}

// Routes adds the operations on forecasts.
func (f *Forecasts) Routes(api *httpx.API) {
	const tag = "Forecast"
	httpx.Register(api, httpx.Operation{
		ID: "get-forecast", Method: http.MethodGet, Path: "/v1/forecast", Tag: tag, Summary: "Add up what is open and what was won, weighted and by category",
		Description: "What was won counts since the quarter began, or since from. Currencies are never added up.", Permission: auth.SalesRead,
	}, f.nowHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-forecast-setting", Method: http.MethodGet, Path: "/v1/forecast/setting", Tag: tag, Summary: "Read in which zone months and weeks begin",
		Permission: auth.SalesRead,
	}, func(ctx context.Context, _ *struct{}) (*forecastSettingAnswer, error) {
		return showForecastSetting(f.Setting(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-forecast-setting", Method: http.MethodPut, Path: "/v1/forecast/setting", Tag: tag, Summary: "Say in which zone months and weeks begin",
		Permission: auth.SalesConfigure,
	}, func(ctx context.Context, in *forecastSettingInput) (*forecastSettingAnswer, error) {
		return showForecastSetting(f.SetZone(ctx, in.Body.Zone, in.IfMatch))
	})
	f.snapshotRoutes(api, tag)
	f.targetRoutes(api, tag)
}

func (f *Forecasts) snapshotRoutes(api *httpx.API, tag string) {
	missing := []int{http.StatusNotFound}
	httpx.Register(api, httpx.Operation{
		ID: "take-forecast-snapshot", Method: http.MethodPost, Path: "/v1/forecast/snapshots", Tag: tag, Summary: "Take a snapshot of the forecast",
		Description: "One is taken by itself as each ISO week begins. None ever changes.", Permission: auth.SalesReport, Status: http.StatusCreated, Timeout: 40 * time.Second,
	}, func(ctx context.Context, _ *struct{}) (*snapshotAnswer, error) {
		s, err := f.Take(ctx)
		return &snapshotAnswer{showSnapshot(s)}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-forecast-snapshots", Method: http.MethodGet, Path: "/v1/forecast/snapshots", Tag: tag, Summary: "List snapshots of the forecast, the latest first",
		Permission: auth.SalesRead,
	}, f.snapshotsHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-forecast-snapshot", Method: http.MethodGet, Path: "/v1/forecast/snapshots/{snapshot_id}", Tag: tag, Summary: "Add up the forecast as it was in a snapshot",
		Permission: auth.SalesRead, Errors: missing,
	}, f.thenHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-forecast-snapshot-lines", Method: http.MethodGet, Path: "/v1/forecast/snapshots/{snapshot_id}/lines", Tag: tag,
		Summary: "List the opportunities of a snapshot as they were", Permission: auth.SalesRead, Errors: missing,
	}, f.linesHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "explain-forecast-change", Method: http.MethodGet, Path: "/v1/forecast/changes", Tag: tag, Summary: "Explain the change between two snapshots, opportunity by opportunity",
		Description: "In the scope that is asked for, such as one month: what is new, was reopened, moved in or out, changed its amount or its stage, was won, lost or withdrawn.",
		Permission:  auth.SalesRead, Errors: missing, Timeout: 40 * time.Second,
	}, f.changesHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "judge-forecast", Method: http.MethodGet, Path: "/v1/forecast/accuracy", Tag: tag, Summary: "Compare what snapshots of weeks said of months with what was won in them",
		Description: "By lead in time: how many whole weeks the month still had to go. The error is the mean one, whichever way, weighted by what came (WAPE); the bias says whether forecasts were too high or, less than 0, too low.",
		Permission:  auth.SalesRead, Timeout: 40 * time.Second,
	}, f.judgeHTTP)
}

func invalid(where, code, message string) error {
	return problem.New(problem.Unprocessable, "forecast_invalid", "Mend the parameter named here.").WithField("query."+where, code, message)
}
