package report

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// ReportSpan is the time of a report.
type ReportSpan struct {
	From time.Time `query:"from" doc:"Only what happened from then on; left out: 30 days before to."`
	To   time.Time `query:"to" doc:"Only what happened before; left out: now."`
}

type levelsInput struct {
	ReportSpan
	By  string `query:"by" enum:"agent,queue,policy" doc:"Left out: all together."`
	Per string `query:"per" enum:"day,week,month" doc:"In UTC, weeks beginning on Mondays. Left out: the time is not divided."`
}

type levelReport struct{ Body levelBody }

type levelBody struct {
	From  time.Time  `json:"from"`
	To    time.Time  `json:"to"`
	Items []levelRow `json:"items" nullable:"false"`
}

type levelRow struct {
	Clock      string   `json:"clock" enum:"first_response,next_response,resolution"`
	Group      string   `json:"group" doc:"The agent's subject, the queue's code, the policy's id; empty for none."`
	Name       string   `json:"name,omitempty" doc:"Of the policy."`
	Begins     string   `json:"begins,omitempty" doc:"First day of the day, week or month."`
	Met        int64    `json:"met" doc:"Done at or before the deadline. Each round of replies counts."`
	Breached   int64    `json:"breached" doc:"Done after it."`
	Overdue    int64    `json:"overdue" doc:"Not done, and the deadline passed within the time of the report."`
	Cancelled  int64    `json:"cancelled" doc:"Resolved without a reply: counts neither way."`
	Percent    *float64 `json:"percent_met,omitempty" doc:"Met of a hundred that are met, breached or overdue; absent for none."`
	Difference float64  `json:"mean_difference_minutes" doc:"Mean of target less business time used, of those that are met or breached."`
}

type backlogInput struct {
	By string `query:"by" enum:"agent,queue,policy,category,channel,kind,priority" doc:"Left out: all together."`
}

type backlogReport struct{ Body backlogBody }

type backlogBody struct {
	At    time.Time    `json:"at"`
	Items []backlogRow `json:"items" nullable:"false" doc:"The largest group first."`
}

type backlogRow struct {
	Group   string       `json:"group"`
	Open    int64        `json:"open" doc:"All that are neither resolved nor closed."`
	New     int64        `json:"new"`
	Pending int64        `json:"pending" doc:"That wait for the customer."`
	OnHold  int64        `json:"on_hold"`
	Overdue int64        `json:"overdue" doc:"Past their next deadline."`
	Ages    []backlogAge `json:"ages" nullable:"false" doc:"Since they were opened."`
	Oldest  time.Time    `json:"oldest_opened_at"`
	Median  float64      `json:"median_age_hours"`
}

type backlogAge struct {
	Age     string `json:"age" example:"1 to 3 days"`
	Tickets int64  `json:"tickets"`
}

type resolutionsInput struct {
	ReportSpan
	By  string `query:"by" enum:"agent,queue,policy,category,channel,kind,priority" doc:"As the tickets are now. Left out: all together."`
	Per string `query:"per" enum:"day,week,month" doc:"In UTC, weeks beginning on Mondays. Left out: the time is not divided."`
}

type resolutionReport struct{ Body resolutionBody }

type resolutionBody struct {
	From  time.Time       `json:"from"`
	To    time.Time       `json:"to"`
	Items []resolutionRow `json:"items" nullable:"false"`
}

type resolutionRow struct {
	Group            string   `json:"group"`
	Begins           string   `json:"begins,omitempty" doc:"First day of the day, week or month."`
	Resolved         int64    `json:"resolved" doc:"Tickets that were resolved for the first time. Complaints are not among them."`
	FirstContact     int64    `json:"first_contact" doc:"Of them, those without a further word of the customer that were not reopened."`
	FirstContactRate *float64 `json:"first_contact_percent,omitempty"`
	Reopened         int64    `json:"reopened" doc:"Of them, those that were reopened since."`
	ReopenRate       *float64 `json:"reopened_percent,omitempty"`
}

type causesInput struct {
	ReportSpan
	By string `query:"by" enum:"cause,category,unit" default:"cause" doc:"What was found to have led to them, what they are about, or which unit answers for them."`
}

type causeReport struct{ Body causeBody }

type causeBody struct {
	From    time.Time  `json:"from"`
	To      time.Time  `json:"to"`
	Items   []causeRow `json:"items" nullable:"false" doc:"The most frequent first."`
	Unknown int64      `json:"unknown" doc:"Complaints of which this is not known (yet)."`
}

type causeRow struct {
	Code       string  `json:"code"`
	Complaints int64   `json:"complaints"`
	Customers  int64   `json:"customers" doc:"Distinct ones."`
	Share      float64 `json:"share_percent"`
	Cumulative float64 `json:"cumulative_percent" doc:"With those before it."`
}

// byLevel and byTicket are what reports can be grouped by, per is how their time can be divided, byComplaint is for complaints.
var (
	byLevel     = []string{"agent", "queue", "policy"}
	byTicket    = []string{"agent", "queue", "policy", "category", "channel", "kind", "priority"}
	byComplaint = []string{"cause", "category", "unit"}
	per         = []string{"day", "week", "month"}
)

const (
	tag  = "Reports"
	root = "/v1/ticket-reports/"
)

// Routes adds the reports, each as JSON and as a CSV file.
func (r *Reports) Routes(api *httpx.API) {
	httpx.Register(api, operation("report-service-levels", "service-levels", "How service levels were kept",
		"Percent met of each clock, by agent, queue (team) or policy, and by period."), r.levelsHTTP)
	httpx.Register(api, operation("report-backlog", "backlog", "What is open, and how old it is", "As things stand at this moment."), r.backlogHTTP)
	httpx.Register(api, operation("report-resolutions", "resolutions", "First-contact resolution and reopening", ""), r.resolutionsHTTP)
	httpx.Register(api, operation("report-complaint-causes", "complaint-causes", "Complaints by cause, as a Pareto chart",
		"Of those that were registered in the time."), r.causesHTTP)

	file(api, "service-levels", "How service levels were kept, as CSV", true, byLevel, per, r.clock, func(ctx context.Context, q question) (Table, error) {
		found, err := r.Levels(ctx, q.Span, q.by, q.per)
		return LevelTable(found), err
	})
	file(api, "backlog", "What is open, and how old it is, as CSV", false, byTicket, nil, r.clock, func(ctx context.Context, q question) (Table, error) {
		found, err := r.Backlog(ctx, q.by)
		return BacklogTable(found), err
	})
	file(api, "resolutions", "First-contact resolution and reopening, as CSV", true, byTicket, per, r.clock, func(ctx context.Context, q question) (Table, error) {
		found, err := r.Resolutions(ctx, q.Span, q.by, q.per)
		return ResolutionTable(found), err
	})
	file(api, "complaint-causes", "Complaints by cause, as CSV", true, byComplaint, nil, r.clock, func(ctx context.Context, q question) (Table, error) {
		found, _, err := r.Causes(ctx, q.Span, cmp.Or(q.by, byComplaint[0]))
		return CauseTable(found), err
	})
}

func operation(id, path, summary, description string) httpx.Operation {
	return httpx.Operation{ID: id, Method: http.MethodGet, Path: root + path, Tag: tag, Summary: summary, Description: description, Permission: auth.TicketsReport}
}

func (r *Reports) levelsHTTP(ctx context.Context, in *levelsInput) (*levelReport, error) {
	s, err := SpanOf(in.From, in.To, r.clock())
	if err != nil {
		return nil, err
	}
	found, err := r.Levels(ctx, s, in.By, in.Per)
	body := levelBody{From: s.From, To: s.To, Items: []levelRow{}}
	for _, l := range found {
		body.Items = append(body.Items, levelRow{
			Clock: l.Clock, Group: l.Group, Name: l.Name, Begins: l.Begins, Met: l.Met, Breached: l.Breached, Overdue: l.Overdue, Cancelled: l.Cancelled,
			Percent: l.Percent(), Difference: math.Round(float64(l.Difference)/60*100) / 100,
		})
	}
	return &levelReport{body}, err
}

func (r *Reports) backlogHTTP(ctx context.Context, in *backlogInput) (*backlogReport, error) {
	found, err := r.Backlog(ctx, in.By)
	body := backlogBody{At: r.clock().UTC(), Items: []backlogRow{}}
	for _, b := range found {
		row := backlogRow{Group: b.Group, Open: b.Open, New: b.New, Pending: b.Pending, OnHold: b.OnHold, Overdue: b.Overdue, Oldest: b.Oldest,
			Median: math.Round(b.MedianAge.Hours()*100) / 100}
		for i, name := range Ages() {
			row.Ages = append(row.Ages, backlogAge{name, b.Ages[i]})
		}
		body.Items = append(body.Items, row)
	}
	return &backlogReport{body}, err
}

func (r *Reports) resolutionsHTTP(ctx context.Context, in *resolutionsInput) (*resolutionReport, error) {
	s, err := SpanOf(in.From, in.To, r.clock())
	if err != nil {
		return nil, err
	}
	found, err := r.Resolutions(ctx, s, in.By, in.Per)
	body := resolutionBody{From: s.From, To: s.To, Items: []resolutionRow{}}
	for _, one := range found {
		body.Items = append(body.Items, resolutionRow{one.Group, one.Begins, one.Resolved, one.FirstContact, one.FirstContactRate(), one.Reopened, one.ReopenRate()})
	}
	return &resolutionReport{body}, err
}

func (r *Reports) causesHTTP(ctx context.Context, in *causesInput) (*causeReport, error) {
	s, err := SpanOf(in.From, in.To, r.clock())
	if err != nil {
		return nil, err
	}
	found, unknown, err := r.Causes(ctx, s, in.By)
	body := causeBody{From: s.From, To: s.To, Items: []causeRow{}, Unknown: unknown}
	for _, c := range found {
		body.Items = append(body.Items, causeRow(c))
	}
	return &causeReport{body}, err
}

// question is what a file is asked for.
type question struct {
	Span
	by, per string
}

// file adds a report as a CSV file.
func file(api *httpx.API, name, summary string, timed bool, by, per []string, clock func() time.Time, tell func(context.Context, question) (Table, error)) {
	op := operation("export-"+name+"-report", name+".csv", summary, "What a spreadsheet would take for a formula has an apostrophe before it.")
	op.Produces = []string{"text/csv"}
	op.Parameters = []httpx.Parameter{{Name: "by", Description: "What it is grouped by.", Enum: by}}
	if per != nil {
		op.Parameters = append(op.Parameters, httpx.Parameter{Name: "per", Description: "How the time is divided, in UTC.", Enum: per})
	}
	if timed {
		op.Parameters = append(op.Parameters, httpx.Parameter{Name: "from", Description: "Only what happened from then on, a time of RFC 3339; left out: 30 days before to."},
			httpx.Parameter{Name: "to", Description: "Only what happened before, a time of RFC 3339; left out: now."})
	}
	httpx.Stream(api, op, func(c *gin.Context) error {
		q, err := ask(c, by, per, clock())
		if err != nil {
			return err
		}
		t, err := tell(c.Request.Context(), q)
		if err != nil {
			return err
		}
		content, err := t.file()
		if err != nil {
			return err
		}
		c.Header("Content-Disposition", `attachment; filename="`+name+`.csv"`)
		c.Header("Cache-Control", "no-store")
		c.Data(http.StatusOK, "text/csv; charset=utf-8; header=present", content)
		return nil
	})
}

// ask reads what a file is asked for.
func ask(c *gin.Context, by, per []string, now time.Time) (q question, err error) {
	var ends [2]time.Time
	for i, name := range []string{"from", "to"} {
		if text := c.Query(name); text != "" {
			if ends[i], err = time.Parse(time.RFC3339, text); err != nil {
				return q, invalid(name, "time_invalid", "must be a time of RFC 3339")
			}
		}
	}
	if q.Span, err = SpanOf(ends[0], ends[1], now); err != nil {
		return q, err
	}
	for _, p := range []struct {
		name    string
		to      *string
		allowed []string
	}{{"by", &q.by, by}, {"per", &q.per, per}} {
		if *p.to = c.Query(p.name); *p.to != "" && !slices.Contains(p.allowed, *p.to) {
			return q, invalid(p.name, "not_one_of", "must be one of "+strings.Join(p.allowed, ", "))
		}
	}
	return q, nil
}

func invalid(parameter, code, message string) error {
	return problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.").
		WithField("query."+parameter, code, message)
}

// file gives the table as CSV. No cell is taken for a formula by a spreadsheet.
func (t Table) file() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(t.Columns); err != nil {
		return nil, err
	}
	for _, row := range t.Rows {
		marked := make([]string, len(row))
		for i, value := range row {
			marked[i] = imports.Mark(value)
		}
		if err := w.Write(marked); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
