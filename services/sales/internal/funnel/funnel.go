// Package funnel says how many of the leads that came in are qualified, converted and won, or how many opportunities go from
// stage to stage, how long that takes, and where they stay or are lost.
//
// A case reaches a step by standing in it or by passing it over. The time between two steps is told of cases that stood in both,
// the one after the other: from the first time that they came to the one until the first time that they came to the next.
package funnel

import (
	"math"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Steps beside the stages of the pipeline.
const (
	Captured  = "captured"
	Qualified = "qualified"
	Converted = "converted"
	Won       = "won"
)

// What cases are.
const (
	OfLeads         = "leads"         // leads, with the opportunities that came of them
	OfOpportunities = "opportunities" // of leads or not, from their first stage on
)

// How a time is meant.
const (
	// Cohort: cases that came in then, whatever became of them since.
	Cohort = "cohort"
	// Period: what happened then, whenever the cases came in.
	Period = "period"
)

// By what funnels are split.
const (
	BySource = "source"
	ByOwner  = "owner"
	ByTeam   = "team"
	ByMonth  = "month" // in which cases came in
)

// longest is how much time one funnel is of at most.
const longest = 3 * 366 * 24 * time.Hour

// Query is what funnel is asked for. Empty filters mean all.
type Query struct {
	Of, Mode            string
	Pipeline            string
	Source, Owner, Team string
	By                  string    // empty: not split
	From, To            time.Time // days, as midnight UTC; the last one counts
}

func (q Query) check() error {
	p := problem.New(problem.Unprocessable, "funnel_invalid", "There is no such funnel: mend the parameters named here.")
	switch {
	case q.To.Before(q.From):
		p = p.WithField("query.from", "period_invalid", "must not be after to")
	case q.To.Sub(q.From) > longest:
		p = p.WithField("query.from", "period_too_long", "must be within three years before to")
	}
	if q.By == ByMonth && q.Mode == Period {
		p = p.WithField("query.by", "month_of_period", "a period is not split by the month in which cases came in; a cohort is")
	}
	if len(p.Fields) > 0 {
		return p
	}
	return nil
}

// steps gives the steps of a funnel in order.
func (q Query) steps(p pipeline.Pipeline) []string {
	var all []string
	if q.Of == OfLeads {
		all = append(all, Captured, Qualified, Converted)
	}
	return append(append(all, p.Codes()...), Won)
}

// Step is what became of cases at one step.
type Step struct {
	Code  string
	Stage bool // it is a stage of the pipeline
	// Of a cohort: how many came to the step at all; of a period: how many came to it then.
	Reached int64
	WentOn  int64 // to a later step; of a period: then
	Lost    int64 // there: no later step was reached; of a period: then
	Open    int64 // still there. They may yet go on: the shares are of what is known so far.
	// Seconds from this step to the next one, of the Timed cases that stood in both: of a period, of those that came to the next one then.
	Timed             int64
	Median, Mean, P90 float64
}

// OfReached gives how many of those that reached the step went on so far, in percent; ok is false where none reached it.
func (s Step) OfReached() (percent float64, ok bool) { return share(s.WentOn, s.Reached) }

// OfDecided gives how many of those of whom it is known went on, in percent: those that are still there are left out.
func (s Step) OfDecided() (percent float64, ok bool) { return share(s.WentOn, s.WentOn+s.Lost) }

// share gives a part in percent with two decimals.
func share(part, whole int64) (float64, bool) {
	if whole == 0 {
		return 0, false
	}
	return math.Round(float64(part)/float64(whole)*10000) / 100, true
}

// Funnel is the steps of the cases that have one source, owner, team or month; or of all.
type Funnel struct {
	Key   string // empty: of all, or of cases without one
	Steps []Step
}
