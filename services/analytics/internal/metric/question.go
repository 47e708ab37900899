package metric

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
)

// Question is what the one query API is asked.
type Question struct {
	Metrics   []string
	By        []string     // dimensions
	Filters   []Filter     // all hold
	Customers *filter.Node // only what belongs to customers whom it chooses; segments in it are resolved
	Grain     Grain
	From, To  time.Time // days in UTC, both included; To is today and From 90 days to it where they are zero
	Currency  string    // of amounts; empty: the reporting currency
	Previous  bool      // compare with the period before
	Order     []string  // metrics, dimensions and "period", "-" before them for the largest first; else by period and dimensions
	Limit     int       // rows; 0 is MaxRows
}

// usualDays is how many days a question is about that names none.
const usualDays = 90

// Op is how a filter compares a dimension with its values.
type Op string

// The comparisons.
const (
	Is      Op = "is"      // one of the values
	IsNot   Op = "is_not"  // none of them, or unknown
	Unknown Op = "unknown" // takes no values
	Known   Op = "known"   // takes no values
)

// Ops lists the comparisons.
func Ops() []Op { return []Op{Is, IsNot, Unknown, Known} }

// Filter keeps what has one of the values in a dimension.
type Filter struct {
	Dimension string
	Op        Op
	Values    []string
}

// where says how places are called in faults: body.by[0], or query.by.
type where func(field string, i int) string

// InBody names places in a body.
func InBody(field string, i int) string {
	if i < 0 {
		return "body." + field
	}
	return fmt.Sprintf("body.%s[%d]", field, i)
}

// InQuery names places in a query string.
func InQuery(field string, _ int) string { return "query." + field }

type faults struct {
	at    where
	found []problem.Field
}

func (f *faults) add(field string, i int, code, format string, args ...any) {
	f.found = append(f.found, problem.Field{Location: f.at(field, i), Code: code, Message: fmt.Sprintf(format, args...)})
}

// plan is a question that fits together.
type plan struct {
	Question
	metrics  []Metric
	measures map[string]option   // by name, where each is taken from
	sources  map[string][]string // names of measures by the name of their source
	timeless bool
	today    time.Time // that filters on days reckon from
	formulas *formulas
}

// planned checks a question against the catalogue, which also has the tenant's metrics, and says where its numbers come from.
// Faults are named one by one, with what there is instead.
func planned(q Question, catalogue map[string]Metric, today time.Time, at where) (plan, []problem.Field) {
	p := plan{Question: q, today: today, measures: map[string]option{}, sources: map[string][]string{}, formulas: newFormulas(catalogue)}
	f := &faults{at: at}
	p.shape(f)
	if len(f.found) > 0 {
		return p, f.found
	}
	var used []string // what must be had of all metrics
	used = append(used, q.By...)
	for _, one := range q.Filters {
		used = append(used, one.Dimension)
	}
	for i, code := range q.Metrics {
		m, ok := catalogue[code]
		if !ok || m.Archived && !m.BuiltIn {
			f.add("metrics", i, "unknown_metric", "is not a metric; there are %s", strings.Join(codesOf(catalogue), ", "))
			continue
		}
		p.metrics = append(p.metrics, m)
	}
	if len(f.found) > 0 {
		return p, f.found
	}
	p.fit(used, f)
	p.times(f)
	return p, f.found
}

func codesOf(catalogue map[string]Metric) (codes []string) {
	for code, m := range catalogue {
		if !m.Archived {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

// shape checks what needs no catalogue of metrics.
func (p *plan) shape(f *faults) {
	q := p.Question
	if n := len(q.Metrics); n < 1 || n > MaxMetrics {
		f.add("metrics", -1, "count", "takes 1 to %d metrics", MaxMetrics)
	}
	if len(q.By) > MaxBy {
		f.add("by", -1, "count", "takes at most %d dimensions", MaxBy)
	}
	if len(q.Filters) > MaxFilters {
		f.add("filters", -1, "count", "takes at most %d filters", MaxFilters)
	}
	for i, code := range q.Metrics {
		if slices.Index(q.Metrics, code) < i {
			f.add("metrics", i, "repeated", "is named twice")
		}
	}
	for i, code := range q.By {
		p.dimension(f, "by", i, code)
		if slices.Index(q.By, code) < i {
			f.add("by", i, "repeated", "is named twice")
		}
	}
	for i, one := range q.Filters {
		p.filter(f, i, one)
	}
	if q.Currency != "" && slices.Contains(q.By, "currency") {
		f.add("currency", -1, "conflict", "is one currency, while by asks for each: leave one of them out")
	}
	for i, o := range q.Order {
		name := strings.TrimPrefix(o, "-")
		if name != "period" && !slices.Contains(q.Metrics, name) && !slices.Contains(q.By, name) {
			f.add("order", i, "not_in_answer", "must be period, or one of the metrics and dimensions asked for")
		}
	}
}

func (p *plan) dimension(f *faults, field string, i int, code string) {
	if _, ok := dimensionOf[code]; ok {
		return
	}
	codes := make([]string, len(dimensions))
	for n, d := range dimensions {
		codes[n] = d.Code
	}
	f.add(field, i, "unknown_dimension", "is not a dimension; there are %s", strings.Join(codes, ", "))
}

func (p *plan) filter(f *faults, i int, one Filter) {
	p.dimension(f, "filters", i, one.Dimension)
	takes := one.Op == Is || one.Op == IsNot
	switch {
	case one.Dimension == "currency":
		f.add("filters", i, "use_currency", "amounts of several currencies do not add up: name one as currency, or cut by it")
	case !slices.Contains(Ops(), one.Op):
		f.add("filters", i, "unknown_op", "compares by is, is_not, known or unknown")
	case takes && (len(one.Values) < 1 || len(one.Values) > MaxValues), !takes && len(one.Values) > 0:
		f.add("filters", i, "value_count", "is and is_not take 1 to %d values, known and unknown none", MaxValues)
	}
	for _, v := range one.Values {
		if len(v) > 200 || v == "" {
			f.add("filters", i, "value", "takes values of 1 to 200 bytes")
			return
		}
	}
}

// fit chooses the sources of all metrics and of what their formulas need.
func (p *plan) fit(used []string, f *faults) {
	customers := p.Customers != nil
	for i := range p.metrics {
		parts, ok := p.formulas.ingredients(p.metrics[i])
		if !ok {
			f.add("metrics", i, "metric_broken", "is a formula of metrics that are not there any more")
			continue
		}
		for _, m := range parts {
			chosen, fits := m.plan(used, customers)
			if !fits {
				p.misfit(f, i, p.metrics[i], m, used, customers)
				break
			}
			for name, o := range chosen {
				p.measure(name, o)
			}
		}
	}
	for _, names := range p.sources {
		slices.Sort(names)
	}
}

func (p *plan) measure(name string, o option) {
	if _, ok := p.measures[name]; !ok {
		p.measures[name] = o
		p.sources[o.name] = append(p.sources[o.name], name)
	}
}

// misfit says what the metric cannot be cut or chosen by.
func (p *plan) misfit(f *faults, i int, asked, part Metric, used []string, customers bool) {
	of := ""
	if asked.Code != part.Code {
		of = ", of which it is made: " + part.Code
	}
	for _, d := range used {
		if !slices.Contains(part.Dimensions, d) {
			f.add("metrics", i, "dimension_not_allowed", "cannot be cut or filtered by %s%s; it can by %s", d, of, strings.Join(asked.Dimensions, ", "))
			return
		}
	}
	if _, alone := part.plan(used, false); customers && alone {
		f.add("metrics", i, "customers_not_allowed", "has no customers to choose from%s", of)
		return
	}
	f.add("metrics", i, "dimensions_not_together", "cannot be cut by %s together%s: leave one out", strings.Join(used, " and "), of)
}

// times checks that the time asked for fits the metrics.
func (p *plan) times(f *faults) {
	q := p.Question
	timed := 0
	for _, m := range p.metrics {
		if m.Grain != Now {
			timed++
		}
	}
	p.timeless = timed == 0
	switch {
	case timed > 0 && timed < len(p.metrics):
		f.add("metrics", -1, "grains_differ", "some of these tell how things stand now and have no time, others belong to days: ask for them apart")
		return
	case p.timeless && (!q.From.IsZero() || !q.To.IsZero() || q.Grain != Whole || q.Previous):
		f.add("metrics", -1, "no_time", "these tell how things stand now: leave out from, to, grain and compare")
		return
	case p.timeless:
		return
	}
	if q.To.IsZero() {
		q.To = p.today
	}
	if q.From.IsZero() {
		q.From = q.To.AddDate(0, 0, 1-usualDays)
	}
	p.From, p.To = q.From, q.To
	switch {
	case !slices.Contains(append(Grains(), Whole), q.Grain):
		f.add("grain", -1, "unknown_grain", "must be day, week, month, quarter or year")
		return
	case q.To.Before(q.From):
		f.add("to", -1, "out_of_range", "lies before from")
		return
	case q.From.Year() < 1900 || q.To.Year() > 2200:
		f.add("from", -1, "out_of_range", "days from 1900 to 2200 can be asked for")
		return
	}
	if q.Grain != Whole && len(Span{q.From, q.To}.Periods(q.Grain, MaxPeriods+1)) > MaxPeriods {
		f.add("grain", -1, "too_many_periods", "gives more than %d periods: ask for a longer grain or a shorter time", MaxPeriods)
	}
}
