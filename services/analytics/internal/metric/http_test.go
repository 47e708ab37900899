package metric_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
)

const mine = `{"code": "revenue_a_buyer", "name": "Revenue a buyer", "definition": "What a buyer brought.", "formula": "1000 * net_revenue / buyers", "unit": "money_minor", "owner": "sales"}`

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	for name, target := range map[string]badinput.Target{
		"list":  {Method: http.MethodGet, Path: "/v1/metrics", Token: w.Sales},
		"query": {Method: http.MethodPost, Path: "/v1/metrics/query", Token: w.Sales, Body: `{"metrics": ["orders"], "from": "1997-01-01", "to": "1997-12-31"}`},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL = w.URL
			badinput.Check(t, target)
		})
	}
	require.Equal(t, 201, w.Do(http.MethodPost, "/v1/metrics", w.Marketing, json.RawMessage(mine)).Status)
	for name, c := range map[string]struct{ body, code string }{
		"an unknown metric":               {`{"metrics": ["sunshine"]}`, "unknown_metric"},
		"an unknown dimension":            {`{"metrics": ["orders"], "by": ["colour"]}`, "unknown_dimension"},
		"a dimension that does not fit":   {`{"metrics": ["buyers"], "by": ["product"]}`, "dimension_not_allowed"},
		"of which it is made":             {`{"metrics": ["revenue_a_buyer"], "by": ["product"]}`, "dimension_not_allowed"},
		"dimensions that do not go along": {`{"metrics": ["complaints_per_1000_orders"], "by": ["channel"]}`, "dimension_not_allowed"},
		"now and then together":           {`{"metrics": ["orders", "customers"]}`, "grains_differ"},
		"a time for what has none":        {`{"metrics": ["customers"], "from": "1997-01-01"}`, "no_time"},
		"days the wrong way round":        {`{"metrics": ["orders"], "from": "1997-02-01", "to": "1997-01-01"}`, "out_of_range"},
		"too many periods":                {`{"metrics": ["orders"], "grain": "day", "from": "1950-01-01", "to": "1997-01-01"}`, "too_many_periods"},
		"a currency as a filter":          {`{"metrics": ["orders"], "filters": [{"dimension": "currency", "op": "is", "values": ["USD"]}]}`, "use_currency"},
		"an order by what is not asked":   {`{"metrics": ["orders"], "order": ["units"]}`, "not_in_answer"},
		"a filter on an unknown field":    {`{"metrics": ["orders"], "customers": "colour = \"red\""}`, "unknown_field"},
		"a metric twice":                  {`{"metrics": ["orders", "orders"]}`, "repeated"},
	} {
		answer := w.Do(http.MethodPost, "/v1/metrics/query", w.Sales, json.RawMessage(c.body))
		if answer.Status != 422 || !strings.Contains(string(answer.Body), `"`+c.code+`"`) {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
	for name, c := range map[string]struct{ formula, code string }{
		"an unknown name": {"orders + sunshine", "formula_malformed"}, "no metric": {"1", "formula_not_a_number"}, "a function": {"size(orders)", "formula_malformed"},
		"grains that differ": {"orders / customers", "grains_differ"}, "itself": {"revenue_a_buyer + other", "formula_malformed"},
	} {
		answer := w.Do(http.MethodPost, "/v1/metrics", w.Marketing, json.RawMessage(strings.NewReplacer("revenue_a_buyer", "other", "1000 * net_revenue / buyers", c.formula).Replace(mine)))
		if answer.Status != 422 || !strings.Contains(string(answer.Body), c.code) {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
}

func TestATenantsMetricIsAFormulaWithVersionsThatGoesRoundInNoCircle(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	put := func(path, match, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+w.Marketing)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("If-Match", match)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, 201, w.Do(http.MethodPost, "/v1/metrics", w.Marketing, json.RawMessage(mine)).Status)
	require.Equal(t, 409, w.Do(http.MethodPost, "/v1/metrics", w.Marketing, json.RawMessage(mine)).Status)
	require.Equal(t, 403, w.Do(http.MethodPost, "/v1/metrics", w.Sales, json.RawMessage(mine)).Status)
	require.Equal(t, 404, w.Do(http.MethodGet, "/v1/metrics/revenue_a_buyer", w.Token("marketing", "pizza"), nil).Status, "another tenant's")
	second := strings.NewReplacer("revenue_a_buyer", "twice", "1000 * net_revenue / buyers", "revenue_a_buyer * 2").Replace(mine)
	require.Equal(t, 201, w.Do(http.MethodPost, "/v1/metrics", w.Marketing, json.RawMessage(second)).Status)
	bare := strings.Replace(mine, `"code": "revenue_a_buyer", `, "", 1)
	require.Equal(t, 422, put("/v1/metrics/revenue_a_buyer", `"1"`, strings.Replace(bare, "1000 * net_revenue / buyers", "twice + orders", 1)), "a circle")
	require.Equal(t, 412, put("/v1/metrics/revenue_a_buyer", `"9"`, bare))
	require.Equal(t, 200, put("/v1/metrics/revenue_a_buyer", `"1"`, strings.Replace(bare, "1000 * net_revenue", "net_revenue", 1)))
	require.Equal(t, 409, w.Do(http.MethodPost, "/v1/metrics/revenue_a_buyer/archive", w.Marketing, nil).Status, "twice is made of it")
	require.Contains(t, string(w.Do(http.MethodGet, "/v1/metrics/revenue_a_buyer/versions", w.Sales, nil).Body), "1000 * net_revenue / buyers")

	customer := analyticstest.ID()
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at) VALUES ('music', $1, $2, '=web', 'USD', 1, 500, '1997-01-05')`, analyticstest.ID(), customer)
	w.Admin(`INSERT INTO live.sales_day (tenant_id, currency, channel, day, slot, orders, units, gross_minor) VALUES ('music', 'USD', '=web', '1997-01-05', 0, 1, 1, 500)`)
	answer := w.Do(http.MethodPost, "/v1/metrics/query", w.Sales, json.RawMessage(`{"metrics": ["twice", "gross_revenue"], "grain": "month", "from": "1997-01-01", "to": "1997-02-28", "compare": "previous"}`))
	require.Equal(t, 200, answer.Status, string(answer.Body))
	require.Contains(t, string(answer.Body), `"twice":{"value":1000}`)
	require.Contains(t, string(answer.Body), `"twice":{"value":null,"previous":1000}`, "nobody bought in February: a division by zero has no value")
	require.Contains(t, string(answer.Body), `"previous":500,"change":-1`)

	file := func(format string) []byte {
		answer := w.Do(http.MethodGet, "/v1/metrics/query?metrics=gross_revenue,repeat_rate&by=channel&from=1997-01-01&to=1997-01-31&format="+format, w.Sales, nil)
		require.Equal(t, 200, answer.Status, string(answer.Body))
		return answer.Body
	}
	require.Equal(t, "channel,gross_revenue,repeat_rate,repeat_rate_sample,repeat_rate_low,repeat_rate_high\n'=web,500,0,1,0,0.7934567085261072\n", string(file("csv")))
	raw := file("parquet")
	f, err := parquet.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	unit, ok := f.Lookup("unit.gross_revenue")
	require.True(t, ok)
	require.Equal(t, "minor units of USD", unit)
	type row struct {
		Channel *string  `parquet:"channel,optional"`
		Gross   *float64 `parquet:"gross_revenue,optional"`
	}
	rows, err := parquet.Read[row](bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err, io.EOF)
	require.Len(t, rows, 1)
	require.Equal(t, "=web", *rows[0].Channel)
	require.InDelta(t, 500, *rows[0].Gross, 0)
}

func TestAQuestionThatGivesTooMuchIsRefusedWithHowToNarrowIt(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	w.Admin(`INSERT INTO live.fact_order (tenant_id, order_id, channel, currency, units, total_minor, placed_at, skus, quantities, amounts)
		SELECT 'music', $1, 'web', 'USD', 100001, 100001, '1997-01-05', array_agg('sku' || i), array_agg(1::bigint), array_agg(1::bigint) FROM generate_series(1, 100001) i`, analyticstest.ID())
	ask := func(more string) apptest.Answer {
		return w.Do(http.MethodPost, "/v1/metrics/query", w.Sales, json.RawMessage(`{"metrics": ["gross_revenue"], "by": ["product"], "from": "1997-01-01", "to": "1997-01-31", "currency": "USD", "limit": 10`+more+`}`))
	}
	answer := ask("")
	require.Equal(t, 422, answer.Status, string(answer.Body))
	require.Contains(t, string(answer.Body), "query_too_heavy")
	require.Contains(t, string(answer.Body), "filter")
	answer = ask(`, "filters": [{"dimension": "product", "op": "is", "values": ["sku7"]}]`)
	require.Equal(t, 200, answer.Status, string(answer.Body))

	slow := metric.NewQueries(w.DB, time.Now, metric.NoSegments).Within(time.Millisecond)
	_, err := slow.Ask(t.Context(), "music", metric.Question{Metrics: []string{"gross_revenue"}, By: []string{"product"}, From: time.Date(1997, 1, 1, 0, 0, 0, 0, time.UTC)}, metric.InBody)
	require.Error(t, err)
	require.Equal(t, "query_too_heavy", problem.From(err).Code, "what takes too long")
}
