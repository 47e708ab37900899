package metric

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// MetricBody is what a tenant says of a metric of its own.
type MetricBody struct {
	Name       string `json:"name" minLength:"1" maxLength:"200" example:"Net revenue a buyer"`
	Definition string `json:"definition" minLength:"1" maxLength:"2000" doc:"what it tells, in words" example:"What a buyer of the time brought in, after returns."`
	Formula    string `json:"formula" minLength:"1" maxLength:"1000" doc:"of other metrics by their codes: numbers, + - * / and brackets; a division by zero gives no value" example:"net_revenue / buyers"`
	Unit       Unit   `json:"unit" enum:"number,money_minor,share,points,hours"`
	Owner      string `json:"owner" minLength:"1" maxLength:"200" doc:"who answers for it: a team, a role" example:"sales"`
}

type metricView struct {
	Code string `json:"code"`
	MetricBody
	Adds       Adds       `json:"adds" enum:"sum,distinct,level,none" doc:"how values go together: sum adds up over dimensions and periods, distinct counts who stands in two cells in both, level adds up over dimensions only, none not at all"`
	Grain      Grain      `json:"grain" enum:"day,now" doc:"the finest period; now: it tells how things stand, and has no time"`
	Freshness  string     `json:"freshness" doc:"how long an event takes to be in it"`
	Dimensions []string   `json:"dimensions" nullable:"false" doc:"that it may be cut and filtered by"`
	BuiltIn    bool       `json:"built_in"`
	Archived   bool       `json:"archived"`
	Version    int64      `json:"version" doc:"0 of a built-in one"`
	ChangedAt  *time.Time `json:"changed_at,omitempty"`
}

func show(m Metric) metricView {
	dims := m.Dimensions
	if dims == nil {
		dims = []string{}
	}
	return metricView{
		Code: m.Code, MetricBody: MetricBody{m.Name, m.Definition, m.Formula, m.Unit, m.Owner}, Adds: m.Adds, Grain: m.Grain, Freshness: m.Freshness,
		Dimensions: dims, BuiltIn: m.BuiltIn, Archived: m.Archived, Version: m.Version, ChangedAt: fact.TimeOrNil(m.ChangedAt),
	}
}

type metricAnswer struct {
	ETag string `header:"ETag"`
	Body metricView
}

func answered(m Metric, err error) (*metricAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &metricAnswer{httpx.ETag(m.Version), show(m)}, nil
}

type catalogueInput struct {
	Archived bool `query:"archived" doc:"those in the archive, too"`
}

type catalogueAnswer struct{ Body metricCatalogue }

type metricCatalogue struct {
	Metrics    []metricView      `json:"metrics" nullable:"false" doc:"the built-in ones, then those of the tenant by their codes"`
	Dimensions []metricDimension `json:"dimensions" nullable:"false"`
	AsOf       *time.Time        `json:"as_of" doc:"time of the newest event that numbers contain; null when there was none"`
}

type metricDimension struct {
	Code       string `json:"code"`
	Doc        string `json:"doc"`
	OfCustomer bool   `json:"of_customer" doc:"of the customer as it stands now: such cuts read facts, not roll-ups, and take longer"`
}

type createMetric struct {
	Body struct {
		Code string `json:"code" pattern:"^[a-z][a-z0-9_]*$" maxLength:"64" example:"revenue_a_buyer"`
		MetricBody
	}
}

type metricByCode struct {
	Code string `path:"code" maxLength:"64"`
}

type replaceMetric struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"the ETag of the metric as it was read"`
	Body    MetricBody
}

type metricVersionsInput struct {
	Code string `path:"code" maxLength:"64"`
	httpx.Page
}

type metricVersionsAnswer struct{ Body metricVersions }

type metricVersions struct {
	Items      []metricVersion `json:"items" nullable:"false" doc:"the latest first"`
	NextCursor string          `json:"next_cursor,omitempty"`
}

type metricVersion struct {
	Version int64 `json:"version"`
	MetricBody
	Archived bool      `json:"archived"`
	By       string    `json:"by" doc:"subject of whoever made it so"`
	At       time.Time `json:"at"`
}

func draft(b MetricBody) Draft { return Draft{b.Name, b.Definition, b.Formula, b.Owner, b.Unit} }

const (
	tag  = "metrics"
	path = "/v1/metrics/{code}"
)

// Routes adds the catalogue and the query API.
func Routes(c *Metrics, q *Queries) func(*httpx.API) {
	return func(api *httpx.API) {
		httpx.Register(api, httpx.Operation{
			ID: "list-metrics", Method: http.MethodGet, Path: "/v1/metrics", Tag: tag, Summary: "All metrics and dimensions", Permission: auth.AnalyticsRead,
		}, func(ctx context.Context, in *catalogueInput) (*catalogueAnswer, error) {
			all, asOf, err := q.Catalogue(ctx, auth.Tenant(ctx), in.Archived)
			if err != nil {
				return nil, err
			}
			out := &catalogueAnswer{metricCatalogue{AsOf: fact.TimeOrNil(asOf)}}
			for _, m := range all {
				out.Body.Metrics = append(out.Body.Metrics, show(m))
			}
			for _, d := range dimensions {
				out.Body.Dimensions = append(out.Body.Dimensions, metricDimension{d.Code, d.Doc, d.Customer})
			}
			return out, nil
		})
		c.routes(api, q)
		q.routes(api)
	}
}

func (c *Metrics) routes(api *httpx.API, q *Queries) {
	httpx.Register(api, httpx.Operation{
		ID: "create-metric", Method: http.MethodPost, Path: "/v1/metrics", Tag: tag, Summary: "Define a metric as a formula of others",
		Permission: auth.AnalyticsManage, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *createMetric) (*metricAnswer, error) {
		return answered(c.Create(ctx, in.Body.Code, draft(in.Body.MetricBody)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-metric", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read a metric's definition", Permission: auth.AnalyticsRead,
		Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *metricByCode) (*metricAnswer, error) {
		return answered(q.Metric(ctx, auth.Tenant(ctx), in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "replace-metric", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Give a metric another definition", Permission: auth.AnalyticsManage,
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *replaceMetric) (*metricAnswer, error) {
		return answered(c.Replace(ctx, in.Code, draft(in.Body), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	for verb, archived := range map[string]bool{"archive": true, "restore": false} {
		httpx.Register(api, httpx.Operation{
			ID: verb + "-metric", Method: http.MethodPost, Path: path + "/" + verb, Tag: tag, Permission: auth.AnalyticsManage,
			Summary: map[bool]string{true: "Put a metric into the archive", false: "Take a metric out of the archive"}[archived],
			Errors:  []int{http.StatusNotFound, http.StatusConflict},
		}, func(ctx context.Context, in *metricByCode) (*metricAnswer, error) {
			return answered(c.Archive(ctx, in.Code, archived))
		})
	}
	httpx.Register(api, httpx.Operation{
		ID: "list-metric-versions", Method: http.MethodGet, Path: path + "/versions", Tag: tag, Summary: "What a metric was", Permission: auth.AnalyticsRead,
		Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *metricVersionsInput) (*metricVersionsAnswer, error) {
		items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Version, error) { return c.Versions(ctx, in.Code, before, limit) },
			func(v Version) int { return int(v.Version) }, func(v Version) metricVersion {
				return metricVersion{v.Version, show(v.Metric).MetricBody, v.Archived, v.By, v.At.UTC()}
			})
		return &metricVersionsAnswer{metricVersions{items, next}}, err
	})
}
