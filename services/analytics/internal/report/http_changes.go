package report

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
)

type changesInput struct {
	Week     string   `query:"week" format:"date" doc:"a day, in UTC, of the week in question, which is over; the last whole one when left out"`
	Metrics  []string `query:"metrics" maxItems:"200" doc:"codes, separated by commas; all that have days when left out"`
	Currency string   `query:"currency" pattern:"^([A-Z]{3})?$" doc:"of amounts; the reporting currency when left out"`
	Limit    int      `query:"limit" minimum:"1" maximum:"20" default:"10"`
}

type changesAnswer struct{ Body WeekChanges }

// WeekChanges is what a week had that the weeks before did not let expect, as the API shows it.
type WeekChanges struct {
	Week     string       `json:"week" format:"date" doc:"Monday of the week; weeks are in UTC"`
	Since    string       `json:"since" format:"date" doc:"Monday of the first week that it is held against"`
	Currency string       `json:"currency,omitempty" doc:"of all amounts"`
	AsOf     *time.Time   `json:"as_of"`
	Compared int          `json:"compared" doc:"metrics that were compared: of many, a few stand out by chance"`
	Changes  []WeekChange `json:"changes" nullable:"false" doc:"the least expected first; then those of which there is not enough to tell"`
}

// WeekChange is one metric.
type WeekChange struct {
	Metric   string      `json:"metric"`
	Name     string      `json:"name"`
	Unit     metric.Unit `json:"unit"`
	Value    *float64    `json:"value" doc:"of the week; null where it has none"`
	Enough   bool        `json:"enough" doc:"there are at least 8 weeks to hold it against"`
	Why      string      `json:"why,omitempty"`
	Weeks    int         `json:"weeks" doc:"before it that had a value, at most 12"`
	Expected *float64    `json:"expected,omitempty" doc:"median of those weeks"`
	Change   *float64    `json:"change,omitempty" doc:"value less expected"`
	Spread   *float64    `json:"spread,omitempty" doc:"1.4826 times the median distance of those weeks from expected"`
	Score    *float64    `json:"score,omitempty" doc:"change by spread, which is taken as at least a hundredth of expected"`
	Unusual  bool        `json:"unusual" doc:"the score is 3.5 or more, either way"`
	Sample   *float64    `json:"sample,omitempty" doc:"what a share, a ratio or a mean of the week is of"`
	Samples  *float64    `json:"expected_sample,omitempty" doc:"the same of the weeks before, in the median"`
	Drivers  []WeekDrive `json:"drivers,omitempty" nullable:"false" doc:"of metrics that add up: the dimensions that tell most about the change, the most telling first"`
	Silent   []string    `json:"not_by,omitempty" nullable:"false" doc:"dimensions with too many values to take it apart by"`
}

// WeekDrive is how the values of one dimension make a change up.
type WeekDrive struct {
	Dimension string       `json:"dimension"`
	Values    []WeekDriver `json:"values" nullable:"false" doc:"the largest change first, at most 5"`
	Others    int          `json:"other_values" doc:"that changed, too, and are in rest"`
	Rest      float64      `json:"rest" doc:"with the changes of values it adds up to the change"`
	Surprise  float64      `json:"surprise" doc:"divergence between the shares of the values then and now, 0 to 0.69"`
}

// WeekDriver is one value of the dimension.
type WeekDriver struct {
	Value  *string `json:"value" doc:"null: not known"`
	Was    float64 `json:"expected" doc:"in the week, or the mean of the two, that had the median of the metric"`
	Is     float64 `json:"is"`
	Change float64 `json:"change"`
}

func showChanges(c Changes) WeekChanges {
	out := WeekChanges{Week: c.Week.Format(time.DateOnly), Since: c.Since.Format(time.DateOnly), Currency: c.Currency, AsOf: fact.TimeOrNil(c.AsOf),
		Compared: c.Compared, Changes: make([]WeekChange, len(c.All))}
	for i, one := range c.All {
		out.Changes[i] = showChange(one)
	}
	return out
}

func showChange(c Changed) WeekChange {
	out := WeekChange{Metric: c.Code, Name: c.Name, Unit: c.Unit, Enough: c.Enough, Weeks: c.Weeks, Sample: c.Sample, Samples: c.Typed, Silent: c.Silent}
	if c.Known {
		out.Value = &c.Last
	}
	switch {
	case !c.Known:
		out.Why = "There was nothing in the week that it could be reckoned from."
	case !c.Enough:
		out.Why = "There are fewer than 8 weeks before it that had a value."
	default:
		change := c.Last - c.Expected
		out.Expected, out.Change, out.Spread, out.Score = &c.Expected, &change, &c.Spread, &c.Score
		out.Unusual = max(c.Score, -c.Score) >= unusual
	}
	for _, d := range c.Drives {
		one := WeekDrive{Dimension: d.Dimension, Values: []WeekDriver{}, Others: d.Others, Rest: d.Rest, Surprise: d.Surprise}
		for _, v := range d.Drivers {
			one.Values = append(one.Values, WeekDriver{v.Value, v.Expected, v.Last, v.Change})
		}
		out.Drivers = append(out.Drivers, one)
	}
	return out
}

func (r *Reports) changesRoute(api *httpx.API) {
	httpx.Register(api, httpx.Operation{ID: "list-changes", Method: http.MethodGet, Path: "/v1/analytics/changes", Tag: "reports", Summary: "What changed this week",
		Description: "The metrics whose last whole week differs most from what the twelve weeks before let expect, and which values of which dimension made it so.",
		Permission:  auth.AnalyticsRead},
		func(ctx context.Context, in *changesInput) (*changesAnswer, error) {
			asked := Asked{Metrics: in.Metrics, Currency: in.Currency, Limit: in.Limit}
			if in.Week != "" {
				day, err := time.Parse(time.DateOnly, in.Week)
				if err != nil || day.Year() < 1901 {
					return nil, errWeek
				}
				asked.Week = day
			}
			c, err := r.Changes(ctx, auth.Tenant(ctx), asked)
			if err != nil {
				return nil, err
			}
			return &changesAnswer{showChanges(c)}, nil
		})
}
