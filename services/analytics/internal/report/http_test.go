package report_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pdf/pdftest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/report"
)

const monthly = `{"code": "sales", "title": "Sales <b>of the year</b>", "sections": [{"title": "Revenue", "text": "By month.",
	"question": {"metrics": ["gross_revenue", "repeat_rate"], "grain": "month", "from": "1997-01-01", "to": "1997-03-31"}}],
	"schedule": {"every": "day", "hour": 8, "time_zone": "Asia/Shanghai"}}`

// content is the same without its code.
var content = strings.Replace(monthly, `"code": "sales", `, "", 1)

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	require.Equal(t, 201, w.Do(http.MethodPost, "/v1/reports", w.Marketing, json.RawMessage(monthly)).Status)
	for name, target := range map[string]badinput.Target{
		"list":     {Method: http.MethodGet, Path: "/v1/reports", Token: w.Sales, List: true},
		"get":      {Method: http.MethodGet, Path: "/v1/reports/sales", Token: w.Sales, Owned: true},
		"versions": {Method: http.MethodGet, Path: "/v1/reports/sales/versions", Token: w.Sales, List: true, Owned: true},
		"create":   {Method: http.MethodPost, Path: "/v1/reports", Token: w.Marketing, Body: strings.Replace(monthly, `"sales"`, `"created"`, 1)},
		"replace":  {Method: http.MethodPut, Path: "/v1/reports/sales", Token: w.Marketing, Owned: true, Body: content, Header: http.Header{"If-Match": {`"1"`}}},
		"runs":     {Method: http.MethodGet, Path: "/v1/reports/sales/runs", Token: w.Sales, List: true, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL = w.URL
			badinput.Check(t, target)
		})
	}
	for name, change := range map[string][2]string{
		"an unknown metric":    {"gross_revenue", "sunshine"},
		"an unknown time zone": {"Asia/Shanghai", "Moon/Sea"},
		"a day that is none":   {"1997-01-01", "1997-02-30"},
		"an hour that is none": {`"hour": 8`, `"hour": 24`},
	} {
		answer := w.Do(http.MethodPost, "/v1/reports", w.Marketing, json.RawMessage(strings.Replace(strings.Replace(monthly, `"sales"`, `"other"`, 1), change[0], change[1], 1)))
		require.Equal(t, 422, answer.Status, "%s: %s", name, answer.Body)
	}
	require.Equal(t, 409, w.Do(http.MethodPost, "/v1/reports", w.Marketing, json.RawMessage(monthly)).Status)
	require.Equal(t, 403, w.Do(http.MethodPost, "/v1/reports", w.Sales, json.RawMessage(monthly)).Status)
	require.Equal(t, 404, w.Do(http.MethodPost, "/v1/reports/nothing/runs", w.Marketing, nil).Status)
}

func TestAReportRunsOnceForEachTimeItIsDueAndKeepsItsNumbers(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	sell := func() {
		w.Admin(`INSERT INTO live.sales_day (tenant_id, currency, channel, day, slot, orders, units, gross_minor) SELECT 'music', 'USD', 'web', '1997-02-05', count(*), 1, 1, 500 FROM live.sales_day`)
	}
	sell()
	require.Equal(t, 201, w.Do(http.MethodPost, "/v1/reports", w.Marketing, json.RawMessage(monthly)).Status)
	now := time.Now().Add(48 * time.Hour)
	clock := func() time.Time { return now }
	reports := report.New(w.DB, w.Database.DB(pg.Ops), metric.NewQueries(w.DB, clock, metric.NoSegments), nil, clock)
	require.NoError(t, reports.Pass(t.Context()))
	require.NoError(t, reports.Pass(t.Context()))
	sell()
	var runs struct {
		Items []struct {
			RunID string     `json:"run_id"`
			DueAt *time.Time `json:"due_at"`
		}
	}
	require.NoError(t, json.Unmarshal(w.Do(http.MethodGet, "/v1/reports/sales/runs", w.Sales, nil).Body, &runs))
	require.Len(t, runs.Items, 1, "two days were missed, and are made up for by one run")
	require.NotNil(t, runs.Items[0].DueAt)
	path := "/v1/reports/sales/runs/" + runs.Items[0].RunID
	require.Contains(t, string(w.Do(http.MethodGet, path, w.Sales, nil).Body), `"gross_revenue":{"value":500}`, "numbers are kept as they were")
	require.Equal(t, 404, w.Do(http.MethodGet, path, w.Token("marketing", "pizza"), nil).Status)
	require.Contains(t, string(w.Do(http.MethodPost, "/v1/reports/sales/runs", w.Marketing, nil).Body), `"gross_revenue":{"value":1000}`)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+path, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+w.Sales)
	r.Header.Set("Accept", "text/html")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Contains(t, string(body), "Sales &lt;b&gt;of the year&lt;/b&gt;")
	require.Contains(t, string(body), "<polyline")
	require.Contains(t, string(body), "<td>500</td>")
	require.NotContains(t, string(body), "<script")

	paper := w.Do(http.MethodGet, path+"?format=pdf", w.Sales, nil)
	require.Equal(t, 200, paper.Status)
	said, _ := pdftest.Text(t, paper.Body)
	require.Contains(t, said, "Sales<b>oftheyear</b>")
	require.Contains(t, said, "1997-02-01500")
	require.Equal(t, 422, w.Do(http.MethodGet, path+"?format=papyrus", w.Sales, nil).Status)
	require.Equal(t, 404, w.Do(http.MethodGet, path+"?format=pdf", w.Token("marketing", "pizza"), nil).Status)
}

func TestWhatAReportWasIsKeptAndInTheArchiveItNeverRuns(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	require.Equal(t, 201, w.Do(http.MethodPost, "/v1/reports", w.Marketing, json.RawMessage(monthly)).Status)
	put := func(match string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.URL+"/v1/reports/sales", strings.NewReader(strings.Replace(content, "By month.", "Month by month.", 1)))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+w.Marketing)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("If-Match", match)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, 200, put(`"1"`))
	require.Equal(t, 412, put(`"1"`))
	require.Equal(t, 404, w.Do(http.MethodPost, "/v1/reports/sales/archive", w.Token("marketing", "pizza"), nil).Status)
	require.Equal(t, 403, w.Do(http.MethodPost, "/v1/reports/sales/archive", w.Sales, nil).Status)
	require.Equal(t, 200, w.Do(http.MethodPost, "/v1/reports/sales/archive", w.Marketing, nil).Status)
	require.Equal(t, 409, w.Do(http.MethodPost, "/v1/reports/sales/archive", w.Marketing, nil).Status)
	require.Equal(t, 409, w.Do(http.MethodPost, "/v1/reports/sales/runs", w.Marketing, nil).Status)
	require.Equal(t, 409, put(`"3"`))
	require.NotContains(t, string(w.Do(http.MethodGet, "/v1/reports", w.Sales, nil).Body), "sales")
	require.Contains(t, string(w.Do(http.MethodGet, "/v1/reports?archived=true", w.Sales, nil).Body), "sales")
	clock := func() time.Time { return time.Now().Add(48 * time.Hour) }
	reports := report.New(w.DB, w.Database.DB(pg.Ops), metric.NewQueries(w.DB, clock, metric.NoSegments), nil, clock)
	require.NoError(t, reports.Pass(t.Context()))
	require.Contains(t, string(w.Do(http.MethodGet, "/v1/reports/sales/runs", w.Sales, nil).Body), `"items":[]`)
	require.Equal(t, 200, w.Do(http.MethodPost, "/v1/reports/sales/restore", w.Marketing, nil).Status)
	require.NoError(t, reports.Pass(t.Context()))
	require.NotContains(t, string(w.Do(http.MethodGet, "/v1/reports/sales/runs", w.Sales, nil).Body), `"items":[]`)
	var versions struct {
		Items []struct {
			Version  int
			Archived bool
			Sections []struct{ Text string }
		}
	}
	require.NoError(t, json.Unmarshal(w.Do(http.MethodGet, "/v1/reports/sales/versions", w.Sales, nil).Body, &versions))
	require.Len(t, versions.Items, 4)
	require.True(t, versions.Items[1].Archived)
	require.Equal(t, "Month by month.", versions.Items[2].Sections[0].Text)
	require.Equal(t, "By month.", versions.Items[3].Sections[0].Text)
}

func TestProcessesThatSeeTheSameDueTimeRunItOnce(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	require.Equal(t, 201, w.Do(http.MethodPost, "/v1/reports", w.Marketing, json.RawMessage(monthly)).Status)
	now := time.Now().Add(48 * time.Hour)
	clock := func() time.Time { return now }
	var group errgroup.Group
	for range 6 {
		reports := report.New(w.DB, w.Database.DB(pg.Ops), metric.NewQueries(w.DB, clock, metric.NoSegments), nil, clock)
		group.Go(func() error { return reports.Pass(t.Context()) })
	}
	require.NoError(t, group.Wait())
	require.Equal(t, 1, strings.Count(string(w.Do(http.MethodGet, "/v1/reports/sales/runs", w.Sales, nil).Body), `"run_id"`))
}
