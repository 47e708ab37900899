package lifecycle

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

type survivalInput struct {
	By   string `query:"by" enum:"year,month,channel" doc:"Of the first purchase; left out: all together."`
	From string `query:"first_from" format:"date" doc:"Only of customers who bought first on this day or later."`
	To   string `query:"first_to" format:"date" doc:"Only of those who did so on this day or before."`
}

type survivalCurve struct {
	Group      string   `json:"group" doc:"Empty where all are together, and of no channel."`
	N          int      `json:"n"`
	Ended      int      `json:"ended"`
	Median     *float64 `json:"median,omitempty" doc:"The first time at which half or fewer survive; absent: more do to the end."`
	MedianLow  *float64 `json:"median_low,omitempty" doc:"Of its 95 % interval."`
	MedianHigh *float64 `json:"median_high,omitempty" doc:"Absent: without end."`
	Points     []Point  `json:"points" nullable:"false" doc:"Survival from each time on, with the standard error after Greenwood and the 95 % interval on the scale log(−log S)."`
}

type survivalTest struct {
	Statistic float64 `json:"statistic" doc:"Of the log-rank test; χ² with one degree of freedom fewer than groups."`
	Degrees   int     `json:"degrees"`
	P         float64 `json:"p" doc:"How likely groups that survive alike differ so much."`
}

type survivalView struct {
	Enough bool            `json:"enough"`
	Why    string          `json:"why,omitempty" enum:"nobody"`
	AsOf   string          `json:"as_of,omitempty" format:"date" doc:"The day up to which customers were looked at."`
	Unit   string          `json:"unit" doc:"Of times: days, or as in the table."`
	Curves []survivalCurve `json:"curves" nullable:"false"`
	Test   *survivalTest   `json:"log_rank,omitempty" doc:"Whether the groups survive alike; absent where that cannot be said."`
}

type survivalOutput struct{ Body survivalView }

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func showSurvival(groups []Group, unit string) survivalView {
	v := survivalView{Enough: len(groups) > 0, Unit: unit, Curves: make([]survivalCurve, len(groups))}
	if !v.Enough {
		v.Why = "nobody"
	}
	all := make([][]Observed, len(groups))
	for i, g := range groups {
		c := KaplanMeier(g.All)
		v.Curves[i] = survivalCurve{g.Name, c.N, c.Ended, finite(c.Median), finite(c.MedianLow), finite(c.MedianHigh), c.Points}
		all[i] = g.All
	}
	if statistic, p, ok := LogRank(all); ok {
		v.Test = &survivalTest{statistic, len(groups) - 1, p}
	}
	return v
}

func (l *Lifecycle) survivalHTTP(ctx context.Context, in *survivalInput) (*survivalOutput, error) {
	var bounds [2]*time.Time
	for i, text := range []string{in.From, in.To} {
		if text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.").
				WithField([]string{"query.first_from", "query.first_to"}[i], "date", "is not a date of the form 2006-01-02")
		}
		bounds[i] = &day
	}
	groups, asOf, err := l.Lives(ctx, in.By, bounds[0], bounds[1])
	if err != nil {
		return nil, err
	}
	v := showSurvival(groups, "days")
	if !asOf.IsZero() {
		v.AsOf = asOf.Format(time.DateOnly)
	}
	return &survivalOutput{v}, nil
}

type survivalRow struct {
	Time  float64 `json:"time" minimum:"0" maximum:"1000000000" doc:"How long it lasted, or was seen to last."`
	Ended bool    `json:"ended" doc:"Whether it ended then; if not, it is censored."`
	Group string  `json:"group,omitempty" maxLength:"100" doc:"A curve is estimated for each."`
}

type survivalTable struct {
	Rows []survivalRow `json:"rows" minItems:"1" maxItems:"20000" nullable:"false"`
}

// survivalColumns says which columns of an uploaded table are what.
type survivalColumns struct {
	Time  string `json:"time" query:"time" maxLength:"100" doc:"The column with how long it lasted; time when left out."`
	Ended string `json:"ended" query:"ended" maxLength:"100" doc:"The column with 1, true or yes where it ended, and 0, false or no where it is censored; ended when left out."`
	Group string `json:"group" query:"group" maxLength:"100" doc:"The column with the group; left out: all are together."`
}

// grouped gathers rows by their groups, in the order of the names.
func grouped(rows []survivalRow) ([]Group, error) {
	of := map[string][]Observed{}
	for _, r := range rows {
		o := Observed{Time: r.Time, Censored: 1}
		if r.Ended {
			o.Ended, o.Censored = 1, 0
		}
		of[r.Group] = append(of[r.Group], o)
	}
	if len(of) > maxGroups {
		return nil, problem.New(problem.Unprocessable, "too_many_groups", "The table has more than %d groups.", maxGroups)
	}
	groups := make([]Group, 0, len(of))
	for name, all := range of {
		groups = append(groups, Group{name, all})
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	return groups, nil
}

func (l *Lifecycle) tableHTTP(_ context.Context, in *struct{ Body survivalTable }) (*survivalOutput, error) {
	groups, err := grouped(in.Body.Rows)
	if err != nil {
		return nil, err
	}
	return &survivalOutput{showSurvival(groups, "as in the table")}, nil
}

// uploadHTTP estimates the curves of an uploaded table.
func (l *Lifecycle) uploadHTTP(c *gin.Context) error {
	in, err := httpx.SettingsOf[survivalColumns](c)
	if err != nil {
		return err
	}
	t, err := model.ReadTable(httpx.HashBody(c))
	if err != nil {
		return err
	}
	rows, err := readLives(t, in)
	if err != nil {
		return err
	}
	groups, err := grouped(rows)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, showSurvival(groups, "as in the table"))
	return nil
}

func readLives(t model.Table, in survivalColumns) ([]survivalRow, error) {
	if len(t.Rows) == 0 {
		return nil, model.NotEnough("The table has no rows.")
	}
	at, err := t.Column(cmp.Or(in.Time, "time"))
	if err != nil {
		return nil, err
	}
	ended, err := t.Column(cmp.Or(in.Ended, "ended"))
	if err != nil {
		return nil, err
	}
	group := -1
	if in.Group != "" {
		if group, err = t.Column(in.Group); err != nil {
			return nil, err
		}
	}
	rows := make([]survivalRow, len(t.Rows))
	for i, row := range t.Rows {
		if rows[i].Time, err = t.Number(i, at); err != nil {
			return nil, err
		}
		if rows[i].Time < 0 || rows[i].Time > 1e9 {
			return nil, model.RowFault(i, t.Columns[at], "must be 0 to 1000000000")
		}
		switch strings.ToLower(strings.TrimSpace(row[ended])) {
		case "1", "true", "yes":
			rows[i].Ended = true
		case "0", "false", "no":
		default:
			return nil, model.RowFault(i, t.Columns[ended], "must be 1, true or yes, or 0, false or no")
		}
		if group >= 0 {
			if rows[i].Group = strings.TrimSpace(row[group]); len(rows[i].Group) > 100 {
				return nil, model.RowFault(i, t.Columns[group], fmt.Sprintf("must be of at most %d bytes", 100))
			}
		}
	}
	return rows, nil
}

func (l *Lifecycle) survivalRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-survival", Method: http.MethodGet, Path: "/v1/analytics/lifecycle/survival", Tag: tag, Summary: "Say how many relationships last how long",
		Description: "After Kaplan and Meier, from the first purchase to the separation that holds; a relationship that was gone and came back has not ended. Those that go on are censored.",
		Permission:  auth.AnalyticsRead, Timeout: 40 * time.Second,
	}, l.survivalHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "estimate-survival", Method: http.MethodPost, Path: "/v1/analytics/survival", Tag: tag, Summary: "Estimate the survival curves of a table",
		Description: "After Kaplan and Meier. Rows come as JSON, or as CSV with a header, whose columns are named by query.", Permission: auth.AnalyticsManage, MaxBody: 4 << 20,
		Upload: &httpx.Upload{Consumes: []string{"text/csv"}, MaxBody: 32 << 20, Settings: survivalColumns{}, Handle: l.uploadHTTP},
	}, l.tableHTTP)
}
