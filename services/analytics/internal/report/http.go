package report

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type reportView struct {
	Code string `json:"code"`
	Content
	Version   int64      `json:"version"`
	NextAt    *time.Time `json:"next_at,omitempty" doc:"when it is due next"`
	Archived  bool       `json:"archived"`
	ChangedAt time.Time  `json:"changed_at"`
}

type reportAnswer struct {
	ETag string `header:"ETag"`
	Body reportView
}

func show(r Report) reportView {
	return reportView{r.Code, r.Content, r.Version, r.NextAt, r.Archived, r.ChangedAt.UTC()}
}

func answered(r Report, err error) (*reportAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &reportAnswer{httpx.ETag(r.Version), show(r)}, nil
}

type createReport struct {
	Body struct {
		Code string `json:"code" pattern:"^[a-z][a-z0-9_]*$" maxLength:"64"`
		Content
	}
}

type replaceReport struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match"`
	Body    Content
}

type reportByCode struct {
	Code string `path:"code" maxLength:"64"`
}

type listReports struct {
	Archived bool `query:"archived" doc:"those in the archive, too"`
	httpx.Page
}

type reportVersionPage struct {
	Body struct {
		Items      []reportVersion `json:"items" nullable:"false" doc:"the latest first"`
		NextCursor string          `json:"next_cursor,omitempty"`
	}
}

type reportVersion struct {
	Version int64 `json:"version"`
	Content
	Archived bool      `json:"archived"`
	By       string    `json:"by" doc:"subject of whoever made it so"`
	At       time.Time `json:"at"`
}

type reportPage struct {
	Body struct {
		Items      []reportView `json:"items" nullable:"false"`
		NextCursor string       `json:"next_cursor,omitempty"`
	}
}

type listRuns struct {
	Code string `path:"code" maxLength:"64"`
	httpx.Page
}

type reportRunView struct {
	RunID   uuid.UUID  `json:"run_id"`
	Code    string     `json:"code"`
	DueAt   *time.Time `json:"due_at,omitempty" doc:"absent where somebody asked for it"`
	Version int64      `json:"version" doc:"of the report"`
	RanAt   time.Time  `json:"ran_at"`
	Result
}

func showRun(r Run) reportRunView {
	return reportRunView{r.ID, r.Code, r.DueAt, r.Version, r.RanAt.UTC(), r.Result}
}

type runPage struct {
	Body struct {
		Items      []reportRunView `json:"items" nullable:"false" doc:"the oldest first"`
		NextCursor string          `json:"next_cursor,omitempty"`
	}
}

type runAnswer struct{ Body reportRunView }

const path = "/v1/reports/{code}"

// Routes adds the reports.
func (r *Reports) Routes(api *httpx.API) {
	const tag = "reports"
	missing := []int{http.StatusNotFound}
	r.changesRoute(api)
	httpx.Register(api, httpx.Operation{ID: "create-report", Method: http.MethodPost, Path: "/v1/reports", Tag: tag, Summary: "Define a report", Permission: auth.AnalyticsManage,
		Status: http.StatusCreated, Errors: []int{http.StatusConflict}},
		func(ctx context.Context, in *createReport) (*reportAnswer, error) {
			return answered(r.Create(ctx, in.Body.Code, in.Body.Content))
		})
	httpx.Register(api, httpx.Operation{ID: "list-reports", Method: http.MethodGet, Path: "/v1/reports", Tag: tag, Summary: "List reports", Permission: auth.AnalyticsRead},
		func(ctx context.Context, in *listReports) (out *reportPage, err error) {
			out = &reportPage{}
			out.Body.Items, out.Body.NextCursor, err = httpx.PageByText(in.Page, func(after string, limit int) ([]Report, error) { return r.List(ctx, after, in.Archived, limit) },
				func(one Report) string { return one.Code }, show)
			return out, err
		})
	httpx.Register(api, httpx.Operation{ID: "get-report", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read a report's definition", Permission: auth.AnalyticsRead, Errors: missing},
		func(ctx context.Context, in *reportByCode) (*reportAnswer, error) {
			return answered(r.Get(ctx, in.Code))
		})
	httpx.Register(api, httpx.Operation{ID: "replace-report", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Give a report another content", Permission: auth.AnalyticsManage,
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}},
		func(ctx context.Context, in *replaceReport) (*reportAnswer, error) {
			return answered(r.Replace(ctx, in.Code, in.Body, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
		})
	for verb, archived := range map[string]bool{"archive": true, "restore": false} {
		httpx.Register(api, httpx.Operation{ID: verb + "-report", Method: http.MethodPost, Path: path + "/" + verb, Tag: tag, Permission: auth.AnalyticsManage,
			Summary: map[bool]string{true: "Put a report into the archive", false: "Take a report out of the archive"}[archived],
			Errors:  []int{http.StatusNotFound, http.StatusConflict}},
			func(ctx context.Context, in *reportByCode) (*reportAnswer, error) {
				return answered(r.Archive(ctx, in.Code, archived))
			})
	}
	r.runRoutes(api)
}

func (r *Reports) runRoutes(api *httpx.API) {
	const tag = "reports"
	missing := []int{http.StatusNotFound}
	httpx.Register(api, httpx.Operation{ID: "list-report-versions", Method: http.MethodGet, Path: path + "/versions", Tag: tag, Summary: "What a report was", Permission: auth.AnalyticsRead, Errors: missing},
		func(ctx context.Context, in *listRuns) (out *reportVersionPage, err error) {
			out = &reportVersionPage{}
			out.Body.Items, out.Body.NextCursor, err = httpx.PageByNumber(in.Page, func(before, limit int) ([]Version, error) { return r.Versions(ctx, in.Code, before, limit) },
				func(v Version) int { return int(v.Version) }, func(v Version) reportVersion {
					return reportVersion{v.Version, v.Content, v.Archived, v.By, v.At.UTC()}
				})
			return out, err
		})
	httpx.Register(api, httpx.Operation{ID: "run-report", Method: http.MethodPost, Path: path + "/runs", Tag: tag, Summary: "Run a report now", Permission: auth.AnalyticsManage,
		Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict}},
		func(ctx context.Context, in *reportByCode) (*runAnswer, error) {
			run, err := r.RunNow(ctx, in.Code)
			return &runAnswer{showRun(run)}, err
		})
	httpx.Register(api, httpx.Operation{ID: "list-report-runs", Method: http.MethodGet, Path: path + "/runs", Tag: tag, Summary: "List what a report came to", Permission: auth.AnalyticsRead, Errors: missing},
		func(ctx context.Context, in *listRuns) (out *runPage, err error) {
			out = &runPage{}
			out.Body.Items, out.Body.NextCursor, err = httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Run, error) { return r.Runs(ctx, in.Code, after, limit) },
				func(one Run) uuid.UUID { return one.ID }, showRun)
			return out, err
		})
	httpx.Stream(api, httpx.Operation{ID: "get-report-run", Method: http.MethodGet, Path: path + "/runs/{run_id}", Tag: tag, Summary: "Read a run, as JSON, as a page or as a PDF",
		Permission: auth.AnalyticsRead, Errors: missing, Produces: []string{"application/json", "text/html", mediaPDF}, Output: reportRunView{},
		Parameters: []httpx.Parameter{{Name: "format", Enum: []string{"json", "html", "pdf"}, Description: "What the answer is; otherwise as Accept says, and JSON."}}}, r.runHTTP)
}

// runHTTP shows a run in the form that the caller asks for, JSON where it asks for none.
func (r *Reports) runHTTP(c *gin.Context) error {
	format, err := formatOf(c.Query("format"), c.GetHeader("Accept"))
	if err != nil {
		return err
	}
	id, err := uuid.Parse(c.Param("run_id"))
	if err != nil {
		return errRunUnknown
	}
	run, err := r.Run(c.Request.Context(), c.Param("code"), id)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.Header("X-Content-Type-Options", "nosniff")
	switch format {
	case "pdf":
		c.Header("Content-Type", mediaPDF)
		c.Header("Content-Disposition", `attachment; filename="report.pdf"`)
		return run.PDF(c.Writer, r.fonts)
	case "html":
		return run.page(c)
	default:
		c.JSON(http.StatusOK, showRun(run))
		return nil
	}
}

const mediaPDF = "application/pdf"

// formatOf is the format that is named, or else that of the first type in an Accept header which there is, or JSON.
func formatOf(named, accept string) (string, error) {
	switch named {
	case "json", "html", "pdf":
		return named, nil
	case "":
	default:
		return "", problem.New(problem.Unprocessable, "report_format_unknown", "There is no such format of a run.").
			WithField("query.format", "unknown", "must be json, html or pdf")
	}
	for part := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if format, ok := map[string]string{mediaPDF: "pdf", "text/html": "html", "application/json": "json"}[media]; ok {
			return format, nil
		}
	}
	return "json", nil
}

// page answers with a page in which nothing runs and which no other page can hold.
func (r Run) page(c *gin.Context) error {
	nonce := rand.Text()
	var b bytes.Buffer
	if err := r.write(&b, nonce); err != nil {
		return err
	}
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Data(http.StatusOK, "text/html; charset=utf-8", b.Bytes())
	return nil
}
