package metric

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
)

// QuestionBody is a question as the API and reports take it.
type QuestionBody struct {
	Metrics   []string       `json:"metrics" minItems:"1" maxItems:"20" nullable:"false" doc:"codes" example:"[\"net_revenue\"]"`
	By        []string       `json:"by,omitempty" maxItems:"4" nullable:"false" doc:"dimensions"`
	Filters   []MetricFilter `json:"filters,omitempty" maxItems:"10" nullable:"false" doc:"all hold"`
	Customers string         `json:"customers,omitempty" maxLength:"32768" doc:"only what belongs to the customers whom this filter over portraits chooses, as text; may name segments" example:"grade = top"`
	Grain     Grain          `json:"grain,omitempty" enum:",day,week,month,quarter,year" doc:"left out: the time in one"`
	From      string         `json:"from,omitempty" format:"date" doc:"first day in UTC; 90 days ending with to when left out"`
	To        string         `json:"to,omitempty" format:"date" doc:"last day, included; today when left out"`
	Currency  string         `json:"currency,omitempty" pattern:"^[A-Z]{3}$" doc:"of amounts; the reporting currency when left out"`
	Compare   string         `json:"compare,omitempty" enum:",previous" doc:"previous: beside each value that of the period before"`
	Order     []string       `json:"order,omitempty" maxItems:"10" nullable:"false" doc:"period, metrics or dimensions; - before one for the largest first"`
	Limit     int            `json:"limit,omitempty" minimum:"1" maximum:"10000" doc:"rows; 1,000 when left out"`
}

// MetricFilter keeps what has one of the values in a dimension.
type MetricFilter struct {
	Dimension string   `json:"dimension"`
	Op        Op       `json:"op" enum:"is,is_not,unknown,known"`
	Values    []string `json:"values,omitempty" maxItems:"100" nullable:"false"`
}

// Question reads what the schema let through.
func (b QuestionBody) Question(at func(field string, i int) string) (q Question, found []problem.Field) {
	q = Question{Metrics: b.Metrics, By: b.By, Grain: b.Grain, Currency: b.Currency, Previous: b.Compare == "previous", Order: b.Order, Limit: b.Limit}
	for _, f := range b.Filters {
		q.Filters = append(q.Filters, Filter(f))
	}
	for _, d := range []struct {
		field, text string
		to          *time.Time
	}{{"from", b.From, &q.From}, {"to", b.To, &q.To}} {
		if d.text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, d.text)
		if err != nil {
			found = append(found, problem.Field{Location: at(d.field, -1), Code: "day", Message: "must be a day of the form 2006-01-02"})
		}
		*d.to = day
	}
	if strings.TrimSpace(b.Customers) != "" {
		n, faults := filter.Parse(b.Customers, at("customers", -1))
		if len(faults) == 0 {
			faults = filter.Check(n, at("customers", -1))
		}
		found = append(found, faults...)
		q.Customers = &n
	}
	return q, found
}

type queryInput struct{ Body QuestionBody }

type queryAnswer struct{ Body MetricNumbers }

// MetricNumbers is an answer as the API shows it.
type MetricNumbers struct {
	AsOf     *time.Time     `json:"as_of" doc:"time of the newest event in these numbers; null when there was none"`
	From     string         `json:"from,omitempty" format:"date"`
	To       string         `json:"to,omitempty" format:"date"`
	Grain    Grain          `json:"grain,omitempty"`
	Before   *MetricSpan    `json:"before,omitempty" doc:"what is compared with, where there is no grain"`
	Currency string         `json:"currency,omitempty" doc:"of all amounts"`
	Metrics  []MetricServed `json:"metrics" nullable:"false"`
	Rows     []MetricRow    `json:"rows" nullable:"false" doc:"where nothing happened in a combination of dimension values there is no row"`
	More     bool           `json:"more" doc:"rows were left out for the limit"`
}

// MetricSpan is some days.
type MetricSpan struct {
	From string `json:"from" format:"date"`
	To   string `json:"to" format:"date"`
}

// MetricServed is a metric with where its numbers came from.
type MetricServed struct {
	Code string `json:"code"`
	Name string `json:"name"`
	Unit Unit   `json:"unit"`
	Adds Adds   `json:"adds"`
	From string `json:"served_from" doc:"daily roll-up, facts or portraits"`
}

// MetricRow is one cell of an answer.
type MetricRow struct {
	Period     string                 `json:"period,omitempty" format:"date" doc:"first day of the period"`
	Partial    bool                   `json:"partial,omitempty" doc:"from or to cut the period off"`
	Dimensions map[string]*string     `json:"dimensions,omitempty" doc:"null: not known"`
	Values     map[string]MetricValue `json:"values"`
}

// MetricValue is one number with what it rests on.
type MetricValue struct {
	Value    *float64 `json:"value" doc:"null where there is none: nothing it could be reckoned from, or a division by zero"`
	Sample   *float64 `json:"sample,omitempty" doc:"what a share, a ratio or a mean is of"`
	Low      *float64 `json:"low,omitempty" doc:"95 % interval of a share"`
	High     *float64 `json:"high,omitempty"`
	Previous *float64 `json:"previous,omitempty" doc:"in the period before"`
	Change   *float64 `json:"change,omitempty" doc:"by how much of the previous value it rose"`
}

// Show gives an answer as the API shows it.
func Show(a Answer) MetricNumbers {
	out := MetricNumbers{AsOf: fact.TimeOrNil(a.AsOf), Grain: a.Grain, Currency: a.Currency, More: a.More, Rows: make([]MetricRow, len(a.Rows))}
	if !a.Span.From.IsZero() {
		out.From, out.To = a.Span.From.Format(time.DateOnly), a.Span.To.Format(time.DateOnly)
	}
	if !a.Before.From.IsZero() && a.Grain == Whole {
		out.Before = &MetricSpan{a.Before.From.Format(time.DateOnly), a.Before.To.Format(time.DateOnly)}
	}
	for _, m := range a.Metrics {
		out.Metrics = append(out.Metrics, MetricServed{m.Code, m.Name, m.Unit, m.Adds, m.From})
	}
	for i, r := range a.Rows {
		row := MetricRow{Partial: r.Partial, Values: make(map[string]MetricValue, len(r.Values))}
		if !r.Start.IsZero() {
			row.Period = r.Start.Format(time.DateOnly)
		}
		for n, d := range a.By {
			if row.Dimensions == nil {
				row.Dimensions = map[string]*string{}
			}
			row.Dimensions[d] = r.By[n]
		}
		for n, v := range r.Values {
			row.Values[a.Metrics[n].Code] = MetricValue(v)
		}
		out.Rows[i] = row
	}
	return out
}

// usualRows is how many rows an answer in JSON has at most where no limit is named.
const usualRows = 1000

// put answers a question as it was written, whose places at names.
func (q *Queries) put(ctx context.Context, b QuestionBody, at where) (Answer, error) {
	question, found := b.Question(at)
	if len(found) > 0 {
		return Answer{}, invalid(found)
	}
	return q.Ask(ctx, auth.Tenant(ctx), question, at)
}

func (q *Queries) routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "query-metrics", Method: http.MethodPost, Path: "/v1/metrics/query", Tag: tag, Summary: "Ask for numbers", Permission: auth.AnalyticsRead,
		Description: "Any metrics by any dimensions that fit all of them, over any time. What does not fit together is refused with what fits. GET answers the same as a file.",
	}, func(ctx context.Context, in *queryInput) (*queryAnswer, error) {
		if in.Body.Limit == 0 {
			in.Body.Limit = usualRows
		}
		a, err := q.put(ctx, in.Body, InBody)
		if err != nil {
			return nil, err
		}
		return &queryAnswer{Show(a)}, nil
	})
	httpx.Stream(api, queryOperation(), q.file)
}

func queryOperation() httpx.Operation {
	return httpx.Operation{
		ID: "get-metrics-query", Method: http.MethodGet, Path: "/v1/metrics/query", Tag: tag, Summary: "Ask for numbers, also as CSV or Parquet",
		Description: "As the POST. A file has all rows up to 100,000; in Parquet the units stand in the schema's key-value metadata.",
		Permission:  auth.AnalyticsRead, Produces: []string{"application/json", mediaCSV, mediaParquet}, Output: MetricNumbers{},
		Parameters: []httpx.Parameter{
			{Name: "metrics", Required: true, Description: "Codes, separated by commas."},
			{Name: "by", Description: "Dimensions, separated by commas."},
			{Name: "filter", Repeatable: true, Description: "dimension:op:value, such as channel:is:web; further values are further filters' own: separate them by |."},
			{Name: "customers", Description: "A filter over portraits as text."},
			{Name: "grain", Enum: []string{"day", "week", "month", "quarter", "year"}, Description: "Length of a period; left out: the time in one."},
			{Name: "from", Description: "First day."}, {Name: "to", Description: "Last day, included."},
			{Name: "currency", Description: "Of amounts, ISO 4217."},
			{Name: "compare", Enum: []string{"previous"}, Description: "Beside each value that of the period before."},
			{Name: "order", Description: "As in the POST, separated by commas."},
			{Name: "limit", Description: "Rows."},
			{Name: "format", Enum: []string{"json", "csv", "parquet"}, Description: "What the answer is; otherwise as Accept says, and JSON."},
		},
	}
}

// file answers the question of a query string in the format that is asked for.
func (q *Queries) file(c *gin.Context) error {
	b, format, found := readQuery(c)
	if len(found) > 0 {
		return invalid(found)
	}
	if format == "json" && b.Limit == 0 {
		b.Limit = usualRows
	}
	a, err := q.put(c.Request.Context(), b, InQuery)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	switch format {
	case "csv":
		c.Header("Content-Type", mediaCSV+"; charset=utf-8; header=present")
		c.Header("Content-Disposition", `attachment; filename="metrics.csv"`)
		return WriteCSV(c.Writer, a)
	case "parquet":
		c.Header("Content-Type", mediaParquet)
		c.Header("Content-Disposition", `attachment; filename="metrics.parquet"`)
		return WriteParquet(c.Writer, a)
	default:
		c.JSON(http.StatusOK, Show(a))
		return nil
	}
}

func readQuery(c *gin.Context) (b QuestionBody, format string, found []problem.Field) {
	fault := func(name, code, message string) {
		found = append(found, problem.Field{Location: "query." + name, Code: code, Message: message})
	}
	list := func(name string) []string {
		if c.Query(name) == "" {
			return nil
		}
		return strings.Split(c.Query(name), ",")
	}
	b = QuestionBody{
		Metrics: list("metrics"), By: list("by"), Order: list("order"), Customers: c.Query("customers"), Grain: Grain(c.Query("grain")),
		From: c.Query("from"), To: c.Query("to"), Currency: c.Query("currency"), Compare: c.Query("compare"),
	}
	for _, text := range c.QueryArray("filter") {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) < 2 {
			fault("filter", "malformed", "must be dimension:op:value, such as channel:is:web")
			continue
		}
		f := MetricFilter{Dimension: parts[0], Op: Op(parts[1])}
		if len(parts) == 3 {
			f.Values = strings.Split(parts[2], "|")
		}
		b.Filters = append(b.Filters, f)
	}
	if b.Compare != "" && b.Compare != "previous" {
		fault("compare", "unknown", "must be previous")
	}
	if len(b.Customers) > filter.MaxText {
		fault("customers", "too_long", "is longer than 32,768 bytes")
	}
	if b.Currency != "" && !currencyForm.MatchString(b.Currency) {
		fault("currency", "invalid", "must be a code of ISO 4217, such as USD")
	}
	if text := c.Query("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > MaxRows {
			fault("limit", "out_of_range", "must be 1 to 100000")
		}
		b.Limit = n
	}
	if format = c.Query("format"); format == "" {
		format = accepted(c.GetHeader("Accept"))
	}
	if !slices.Contains([]string{"json", "csv", "parquet"}, format) {
		fault("format", "unknown", "must be json, csv or parquet")
	}
	return b, format, found
}

// accepted is the format that an Accept header asks for: that of the first type in it which there is, or JSON.
func accepted(header string) string {
	for part := range strings.SplitSeq(header, ",") {
		media, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch media {
		case mediaCSV:
			return "csv"
		case mediaParquet:
			return "parquet"
		case "application/json", "*/*":
			return "json"
		}
	}
	return "json"
}
