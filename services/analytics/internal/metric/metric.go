// Package metric is the catalogue of numbers and the one place that reckons them. Every number on a dashboard is a named metric
// with a definition, a unit, a grain, an owner and the dimensions that it may be cut by. What does not fit together is refused,
// and never answered wrongly: a metric knows which of its dimensions hold for all of its parts.
//
// The built-in metrics are sums, shares and ratios of measures. A measure is one aggregate over one source (the daily roll-up of
// sales, a table of facts, portraits); some can be had from several, and are taken from the cheapest that has the dimensions
// asked for. Tenants define further metrics as formulas of others.
package metric

import (
	"math"
	"regexp"
	"time"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Unit says what a value is counted in.
type Unit string

// The units.
const (
	Number Unit = "number" // whole things, or a plain number
	Money  Unit = "money_minor"
	Share  Unit = "share" // 0 to 1; the net promoter score −1 to 1
	Points Unit = "points"
	Hours  Unit = "hours"
)

// Units lists all units.
func Units() []Unit { return []Unit{Number, Money, Share, Points, Hours} }

// Adds says how values of a metric go together.
type Adds string

// How they may.
const (
	AddsUp    Adds = "sum"      // the values of all dimension values and periods add up to the value without them
	Distinct  Adds = "distinct" // customers: one who stands in two cells is counted in both, and once in the whole
	Level     Adds = "level"    // how many there are at the end of a period: adds up over dimensions, not over periods
	NoneAdded Adds = "none"     // a share, a ratio, a mean or a formula
)

// Grain is the length of a period; weeks begin on Monday.
type Grain string

// The grains. A metric of grain Now has no time: it tells how things stand.
const (
	Whole   Grain = "" // the time asked for in one
	Day     Grain = "day"
	Week    Grain = "week"
	Month   Grain = "month"
	Quarter Grain = "quarter"
	Year    Grain = "year"
	Now     Grain = "now"
)

// Metric is one entry of the catalogue.
type Metric struct {
	Code       string
	Name       string
	Definition string // in words
	Formula    string // of measures, or of other metrics
	Unit       Unit
	Adds       Adds
	Grain      Grain  // the finest that it can be asked for: Day, or Now
	Owner      string // who answers for it
	Freshness  string // how long an event takes to be in it
	Dimensions []string
	BuiltIn    bool
	Version    int64 // of one that a tenant defined
	Archived   bool
	ChangedAt  time.Time // of one that a tenant defined
	ByCurrency bool      // its amounts are of one currency, or cut by the dimension currency

	how   how
	parts []string // names of measures: what how takes
	scale float64  // of a ratio
}

// how a built-in metric is reckoned from its measures.
type how int

const (
	sum        how = iota // parts[0]
	difference            // parts[0] − parts[1]
	share                 // parts[0] of parts[1], with Wilson's interval
	ratio                 // scale · parts[0] ÷ parts[1]
	net                   // (parts[0] − parts[1]) of parts[2]: the net promoter score
)

// Value is one number with what it rests on.
type Value struct {
	Value  *float64 // nil where there is none: a division by zero, or nothing that it could be reckoned from
	Sample *float64 // what a share, a ratio or a mean is of: its denominator; nil of sums
	// The 95 % interval of a share, nil of all else.
	Low, High *float64
	// The same in the period before, and by how much of it the value rose; nil unless asked for or where there is none.
	Previous, Change *float64
}

// reckon makes the value of a built-in metric from its measures.
func (m Metric) reckon(measured map[string]float64) Value {
	at := func(i int) float64 { return measured[m.parts[i]] }
	switch m.how {
	case sum:
		return Value{Value: known(at(0))}
	case difference:
		return Value{Value: known(at(0) - at(1))}
	case share:
		return proportionOf(at(0), at(1))
	case net:
		return netPromoter(at(0), at(1), at(2))
	default:
		n := at(1)
		v := Value{Sample: &n}
		if n != 0 {
			v.Value = known(m.scale * at(0) / n)
		}
		return v
	}
}

// known gives nil for what is no number.
func known(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

func proportionOf(k, n float64) Value {
	v := Value{Sample: &n}
	if n >= 1 {
		w := proportion.Wilson(int(k), int(n))
		v.Value, v.Low, v.High = &w.Value, &w.Low, &w.High
	}
	return v
}

// netPromoter is the share of promoters less that of detractors, with the interval of the difference of two shares of one
// multinomial sample: ± 1.96·√((p + d − (p − d)²)/n), cut at −1 and 1.
func netPromoter(promoters, detractors, n float64) Value {
	v := Value{Sample: &n}
	if n < 1 {
		return v
	}
	p, d := promoters/n, detractors/n
	value, half := p-d, proportion.Z*math.Sqrt((p+d-(p-d)*(p-d))/n)
	low, high := max(-1, value-half), min(1, value+half)
	v.Value, v.Low, v.High = &value, &low, &high
	return v
}

// Code is the form of the codes of metrics and reports.
var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Bounds of questions and of what a tenant may define.
const (
	MaxMetrics   = 20      // of a question
	MaxBy        = 4       // dimensions of a question
	MaxFilters   = 10      // of a question
	MaxValues    = 100     // of a filter
	MaxRows      = 100_000 // of an answer
	MaxPeriods   = 5_000   // of a question
	MaxDefined   = 200     // metrics of a tenant
	maxFormula   = 1_000   // bytes
	maxNested    = 8       // formulas within formulas
	maxFormulaOf = 20      // metrics in one formula
)
