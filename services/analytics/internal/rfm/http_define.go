package rfm

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

type cellMapAnswer struct {
	ETag string `header:"ETag"`
	Body cellMapView
}

type cellMapView struct {
	Version   int64      `json:"version"`
	Name      string     `json:"name" doc:"as ratings name it, such as rf-1"`
	Cells     []cellName `json:"cells" nullable:"false" doc:"all 25 pairs, best first"`
	ChangedBy string     `json:"changed_by,omitempty" doc:"subject; absent of the house's own map"`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

type cellName struct {
	R    int    `json:"r" doc:"1 to 5"`
	F    int    `json:"f" doc:"1 to 5"`
	Cell string `json:"cell" doc:"code" example:"champions"`
}

type setCellsInput struct {
	IfMatch string `header:"If-Match" doc:"the ETag of the map as it was read"`
	Body    cellMapBody
}

type cellMapBody struct {
	Cells []cellName `json:"cells" nullable:"false" maxItems:"25" doc:"each of the 25 pairs of R and F once; several may have the same code"`
}

type cellMapVersion struct {
	Version int64 `path:"version" minimum:"1" maximum:"2147483647"`
}

type cellMapsAnswer struct{ Body cellMapPage }

type cellMapPage struct {
	Items      []cellMapView `json:"items" nullable:"false"`
	NextCursor string        `json:"next_cursor,omitempty"`
}

func toCellMap(m CellMap) cellMapView {
	v := cellMapView{Version: m.Version, Name: m.Name(), Cells: make([]cellName, 0, 25), ChangedBy: m.By, ChangedAt: pg.OrNull(m.ChangedAt)}
	for r := 5; r >= 1; r-- {
		for f := 5; f >= 1; f-- {
			v.Cells = append(v.Cells, cellName{r, f, m.Cell(r, f)})
		}
	}
	return v
}

func showCells(m CellMap, err error) (*cellMapAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &cellMapAnswer{httpx.ETag(m.Version), toCellMap(m)}, nil
}

// RatingSchemePath names the scheme of a currency.
type RatingSchemePath struct {
	Currency string `path:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217"`
}

type getSchemeInput struct {
	RatingSchemePath
	Version int64 `query:"version" minimum:"0" maximum:"2147483647" doc:"an earlier version; 0 or left out: the present one"`
}

type setSchemeInput struct {
	RatingSchemePath
	IfMatch string `header:"If-Match" doc:"the ETag of the scheme as it was read"`
	Body    ratingSchemeBody
}

// ratingSchemeBody says how scores are given. Bounds are where the scores 2, 3, 4 and 5 begin.
type ratingSchemeBody struct {
	WindowDays  int     `json:"window_days,omitempty" minimum:"0" maximum:"36500" doc:"days that daily runs look back; 0: all"`
	RecencyDays []int64 `json:"recency_days,omitempty" nullable:"false" maxItems:"4" doc:"days since the last net purchase, at most, falling; left out: relative to all customers" example:"[365,180,90,30]"`
	Frequency   []int64 `json:"frequency,omitempty" nullable:"false" maxItems:"4" doc:"purchase days, at least, rising; left out: relative" example:"[2,3,5,10]"`
	NetMinor    []int64 `json:"net_minor,omitempty" nullable:"false" maxItems:"4" doc:"minor units, at least, rising; left out: relative" example:"[1000,5000,20000,100000]"`
}

type ratingSchemeAnswer struct {
	ETag string `header:"ETag"`
	Body ratingSchemeView
}

type ratingSchemeView struct {
	Currency    string     `json:"currency"`
	Version     int64      `json:"version" doc:"0: nothing was set"`
	WindowDays  int        `json:"window_days" doc:"0: all"`
	RecencyDays []int64    `json:"recency_days,omitempty" nullable:"false" doc:"absent: relative"`
	Frequency   []int64    `json:"frequency,omitempty" nullable:"false" doc:"absent: relative"`
	NetMinor    []int64    `json:"net_minor,omitempty" nullable:"false" doc:"absent: relative"`
	ChangedBy   string     `json:"changed_by,omitempty" doc:"subject"`
	ChangedAt   *time.Time `json:"changed_at,omitempty"`
}

type ratingSchemesAnswer struct{ Body ratingSchemePage }

type ratingSchemePage struct {
	Items      []ratingSchemeView `json:"items" nullable:"false"`
	NextCursor string             `json:"next_cursor,omitempty"`
}

func toScheme(s Scheme) ratingSchemeView {
	return ratingSchemeView{s.Currency, s.Version, s.WindowDays, s.R, s.F, s.M, s.By, pg.OrNull(s.ChangedAt)}
}

func showScheme(s Scheme, err error) (*ratingSchemeAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &ratingSchemeAnswer{httpx.ETag(s.Version), toScheme(s)}, nil
}

// definitionRoutes adds the operations on maps of cells and schemes.
func (r *Ratings) definitionRoutes(api *httpx.API) {
	missing := []int{http.StatusNotFound}
	httpx.Register(api, operation("get-rfm-cell-map", "/v1/analytics/rfm/cell-map", "Read how cells are named", nil),
		func(ctx context.Context, _ *struct{}) (*cellMapAnswer, error) { return showCells(r.CellMap(ctx, 0)) })
	httpx.Register(api, define("set-rfm-cell-map", "/v1/analytics/rfm/cell-map", "Name the cells anew",
		"A new version; those before stay readable. Runs from now on name by it."),
		func(ctx context.Context, in *setCellsInput) (*cellMapAnswer, error) {
			pairs := make([]Pair, len(in.Body.Cells))
			for i, c := range in.Body.Cells {
				pairs[i] = Pair(c)
			}
			return showCells(r.SetCells(ctx, pairs, in.IfMatch))
		})
	httpx.Register(api, operation("list-rfm-cell-maps", "/v1/analytics/rfm/cell-maps", "List all versions of the names of cells, the newest first", nil),
		func(ctx context.Context, in *httpx.Page) (*cellMapsAnswer, error) {
			items, next, err := httpx.PageByNumber(*in, func(before, limit int) ([]CellMap, error) { return r.CellMaps(ctx, before, limit) },
				func(m CellMap) int { return int(m.Version) }, toCellMap)
			return &cellMapsAnswer{cellMapPage{items, next}}, err
		})
	httpx.Register(api, operation("get-rfm-cell-map-version", "/v1/analytics/rfm/cell-maps/{version}", "Read a version of the names of cells", missing),
		func(ctx context.Context, in *cellMapVersion) (*cellMapAnswer, error) {
			return showCells(r.CellMap(ctx, in.Version))
		})

	httpx.Register(api, operation("list-rfm-schemes", "/v1/analytics/rfm/schemes", "List how scores are given, of each currency for which it was set", nil),
		func(ctx context.Context, in *httpx.Page) (*ratingSchemesAnswer, error) {
			items, next, err := httpx.PageByText(*in, func(after string, limit int) ([]Scheme, error) { return r.Schemes(ctx, after, limit) },
				func(s Scheme) string { return s.Currency }, toScheme)
			return &ratingSchemesAnswer{ratingSchemePage{items, next}}, err
		})
	httpx.Register(api, operation("get-rfm-scheme", "/v1/analytics/rfm/schemes/{currency}", "Read how scores are given to what is bought in a currency", missing),
		func(ctx context.Context, in *getSchemeInput) (*ratingSchemeAnswer, error) {
			return showScheme(r.Scheme(ctx, in.Currency, in.Version))
		})
	httpx.Register(api, define("set-rfm-scheme", "/v1/analytics/rfm/schemes/{currency}", "Say how scores are given to what is bought in a currency",
		"Each measure is rated relative to all customers, or by fixed bounds. A new version; those before stay readable. Runs from now on rate by it."),
		func(ctx context.Context, in *setSchemeInput) (*ratingSchemeAnswer, error) {
			b := in.Body
			return showScheme(r.SetScheme(ctx, Scheme{Currency: strings.ToUpper(in.Currency), WindowDays: b.WindowDays, R: b.RecencyDays, F: b.Frequency, M: b.NetMinor}, in.IfMatch))
		})
}

func define(id, path, summary, description string) httpx.Operation {
	return httpx.Operation{
		ID: id, Method: http.MethodPut, Path: path, Summary: summary, Description: description, Tag: "rfm", Permission: auth.AnalyticsManage,
	}
}
