package report

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
)

// Asked is what changes are asked of.
type Asked struct {
	Week     time.Time // a day of the week; zero: the last whole one
	Metrics  []string  // codes; none: all that have days
	Currency string    // of amounts; empty: the reporting one
	Limit    int
}

// Changes is what a week had that the weeks before did not let expect.
type Changes struct {
	Week     time.Time // its Monday
	Since    time.Time // Monday of the first week that it is held against
	Currency string
	AsOf     time.Time
	Compared int // metrics
	All      []Changed
}

// Changed is one metric that changed. Where there is not enough to tell, only Last is known, and that perhaps neither.
type Changed struct {
	metric.Metric
	Change
	Known  bool // there is a value in the last week
	Sample *float64
	Typed  *float64 // the median sample of the weeks before; nil of sums
	Drives []NamedDrive
	Silent []string // dimensions that it could not be taken apart by: too many values
}

// NamedDrive is how a dimension's values make a change up.
type NamedDrive struct {
	Dimension string
	Drive
}

var errWeek = problem.New(problem.Unprocessable, "changes_invalid", "This week cannot be compared.").
	WithField("query.week", "out_of_range", "must be a day of a week that is over, in UTC, after 1900")

const maxDrives = 3 // dimensions of a metric, those that tell most

// Changes compares a whole week with up to twelve before it, by each metric. Weeks before the first in which any of the metrics was
// anything do not count: nobody was there.
func (r *Reports) Changes(ctx context.Context, tenant string, a Asked) (Changes, error) {
	this := metric.Week.Start(metric.Day.Start(r.now()))
	out := Changes{Week: metric.Week.Add(this, -1)}
	if !a.Week.IsZero() {
		if out.Week = metric.Week.Start(a.Week); !out.Week.Before(this) {
			return out, errWeek
		}
	}
	out.Since = metric.Week.Add(out.Week, -maxWeeks)
	metrics, err := r.compared(ctx, tenant, a.Metrics)
	if err != nil {
		return out, err
	}
	out.Compared = len(metrics)
	rows := make(map[string][]metric.Value, len(metrics))
	for some := range slices.Chunk(metrics, metric.MaxMetrics) {
		answer, err := r.numbers.Ask(ctx, tenant, out.question(codes(some), a.Currency), metric.InQuery)
		if err != nil {
			return out, err
		}
		out.AsOf = answer.AsOf
		if answer.Currency != "" {
			out.Currency = answer.Currency
		}
		for _, row := range answer.Rows {
			for i, m := range some {
				rows[m.Code] = append(rows[m.Code], row.Values[i])
			}
		}
	}
	begun := begin(rows)
	out.Since = metric.Week.Add(out.Since, begun)
	for _, m := range metrics {
		out.All = append(out.All, changed(m, rows[m.Code][begun:]))
	}
	slices.SortStableFunc(out.All, func(x, y Changed) int {
		if x.Enough != y.Enough {
			return map[bool]int{true: -1, false: 1}[x.Enough]
		}
		return cmp.Compare(math.Abs(y.Score), math.Abs(x.Score))
	})
	out.All = out.All[:min(a.Limit, len(out.All))]
	return out, r.drive(ctx, tenant, &out, a.Currency)
}

// question asks for the weeks compared.
func (c Changes) question(metrics []string, currency string) metric.Question {
	return metric.Question{Metrics: metrics, Grain: metric.Week, From: c.Since, To: c.Week.AddDate(0, 0, 6), Currency: currency}
}

func codes(metrics []metric.Metric) (all []string) {
	for _, m := range metrics {
		all = append(all, m.Code)
	}
	return all
}

// compared gives the metrics of these codes, or all that have days and can be reckoned.
func (r *Reports) compared(ctx context.Context, tenant string, wanted []string) ([]metric.Metric, error) {
	all, _, err := r.numbers.Catalogue(ctx, tenant, false)
	if err != nil {
		return nil, err
	}
	if len(wanted) == 0 {
		return slices.DeleteFunc(all, func(m metric.Metric) bool { return m.Grain == metric.Now }), nil
	}
	var chosen []metric.Metric
	invalid := problem.New(problem.Unprocessable, "changes_invalid", "These metrics cannot be compared.")
	fault := func(code, message string) { invalid = invalid.WithField("query.metrics", code, message) }
	for _, code := range wanted {
		at := slices.IndexFunc(all, func(m metric.Metric) bool { return m.Code == code })
		switch {
		case at < 0:
			fault("unknown_metric", "names a metric that is not there: GET /v1/metrics lists them")
		case all[at].Grain == metric.Now:
			fault("no_time", "names a metric that tells how things stand now, and has no weeks")
		case slices.ContainsFunc(chosen, func(m metric.Metric) bool { return m.Code == code }):
			fault("repeated", "names a metric twice")
		default:
			chosen = append(chosen, all[at])
		}
	}
	if len(invalid.Fields) > 0 {
		return nil, invalid
	}
	return chosen, nil
}

// begin is the first week in which any metric was anything; the last where none was.
func begin(rows map[string][]metric.Value) int {
	first := maxWeeks
	for _, weeks := range rows {
		for i, v := range weeks {
			if v.Value != nil && *v.Value != 0 {
				first = min(first, i)
			}
		}
	}
	return first
}

// changed compares one metric. Weeks without a value, such as a share of nothing, are none.
func changed(m metric.Metric, weeks []metric.Value) Changed {
	last := weeks[len(weeks)-1]
	c := Changed{Metric: m, Known: last.Value != nil, Sample: last.Sample}
	var values, samples []float64
	for _, w := range weeks[:len(weeks)-1] {
		if w.Value != nil {
			values = append(values, *w.Value)
			if w.Sample != nil {
				samples = append(samples, *w.Sample)
			}
		}
	}
	if !c.Known {
		c.Weeks = len(values)
		return c
	}
	c.Change = Compare(append(values, *last.Value))
	if len(samples) > 0 {
		typed := 0.0
		for _, i := range middle(samples) {
			typed += samples[i] / float64(2-len(samples)%2)
		}
		c.Typed = &typed
	}
	return c
}

// drive takes the changes apart whose metric adds up: all of them by one dimension of facts after the other, each in one question.
func (r *Reports) drive(ctx context.Context, tenant string, out *Changes, currency string) error {
	for _, d := range metric.Dimensions() {
		if d.Customer {
			continue
		}
		var some []*Changed
		for i := range out.All {
			c := &out.All[i]
			adds := c.Adds == metric.AddsUp || c.Adds == metric.Level
			if adds && c.Enough && c.Score != 0 && slices.Contains(c.Dimensions, d.Code) && (d.Code != "currency" || !c.ByCurrency) {
				some = append(some, c)
			}
		}
		if len(some) == 0 {
			continue
		}
		if err := r.driveBy(ctx, tenant, out, d.Code, some, currency); err != nil {
			return err
		}
	}
	for i := range out.All {
		all := out.All[i].Drives
		slices.SortStableFunc(all, func(a, b NamedDrive) int { return cmp.Compare(b.Surprise, a.Surprise) })
		out.All[i].Drives = all[:min(maxDrives, len(all))]
	}
	return nil
}

func (r *Reports) driveBy(ctx context.Context, tenant string, out *Changes, dimension string, some []*Changed, currency string) error {
	metrics := make([]string, len(some))
	for i, c := range some {
		metrics[i] = c.Code
	}
	q := out.question(metrics, currency)
	q.By = []string{dimension}
	if dimension == "currency" {
		q.Currency = ""
	}
	answer, err := r.numbers.Ask(ctx, tenant, q, metric.InQuery)
	if problem.CallersFault(err) {
		for _, c := range some {
			c.Silent = append(c.Silent, dimension)
		}
		return nil
	} else if err != nil {
		return err
	}
	var values []*string
	weeks := make([][][]float64, len(some)) // by metric, value and week
	at := map[string]int{}
	for _, row := range answer.Rows {
		key := "" // the API knows no empty values
		if row.By[0] != nil {
			key = *row.By[0]
		}
		n, ok := at[key]
		if !ok {
			n = len(values)
			at[key] = n
			values = append(values, row.By[0])
			for i := range some {
				weeks[i] = append(weeks[i], make([]float64, 1+int(out.Week.Sub(out.Since)/(7*24*time.Hour))))
			}
		}
		for i := range some {
			if v := row.Values[i].Value; v != nil {
				weeks[i][n][int(row.Start.Sub(out.Since)/(7*24*time.Hour))] = *v
			}
		}
	}
	for i, c := range some {
		c.Drives = append(c.Drives, NamedDrive{dimension, c.Change.Drives(values, weeks[i])})
	}
	return nil
}
