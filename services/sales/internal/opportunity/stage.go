package opportunity

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Missing names what an opportunity lacks for a stage.
type Missing struct {
	Stage string               // code
	What  pipeline.Requirement // or Condition
}

// Condition is what is missing where an opportunity is not as the stage's condition wants it.
const Condition pipeline.Requirement = "condition"

// has tells whether it has what a stage requires.
func (o Opportunity) has(r pipeline.Requirement) bool {
	switch r {
	case pipeline.NeedsAmount:
		return o.AmountMinor > 0
	case pipeline.NeedsExpectedClose:
		return !o.ExpectedCloseOn.IsZero()
	case pipeline.NeedsNextStep:
		return o.NextStep != ""
	case pipeline.NeedsOwner:
		return o.Owner != ""
	case pipeline.NeedsSource:
		return o.Source != ""
	case pipeline.NeedsProducts:
		return len(o.Lines) > 0
	case pipeline.NeedsContact:
		return len(o.Contacts) > 0
	case pipeline.NeedsDecisionMaker:
		return slices.ContainsFunc(o.Contacts, func(c Contact) bool { return c.Role == DecisionMaker })
	case pipeline.NeedsCompetitor:
		return len(o.Rivals) > 0
	default: // of a later version of the program
		return false
	}
}

// Missing gives what it lacks for a stage, in the order of the requirements.
func (o Opportunity) Missing(s pipeline.Stage, now time.Time) (all []Missing) {
	for _, r := range s.Requires {
		if !o.has(r) {
			all = append(all, Missing{s.Code, r})
		}
	}
	if !s.Admits(o.facts(now)) {
		all = append(all, Missing{s.Code, Condition})
	}
	return all
}

// facts are what conditions may ask.
func (o Opportunity) facts(now time.Time) pipeline.Facts {
	f := pipeline.Facts{
		AmountMinor: o.AmountMinor, Currency: o.Currency, Source: o.Source, Team: o.Team, Owner: o.Owner, Stage: o.Stage,
		DaysOpen: int64(now.Sub(o.OpenedAt) / (24 * time.Hour)), Tags: o.Tags, Custom: o.Custom,
	}
	for _, c := range o.Contacts {
		f.Roles = append(f.Roles, string(c.Role))
	}
	for _, r := range o.Rivals {
		f.Competitors = append(f.Competitors, r.Competitor)
	}
	for _, l := range o.Lines {
		f.SKUs = append(f.SKUs, l.SKU)
	}
	return f
}

// unmet is the problem of an opportunity that lacks something for a stage.
func unmet(missing []Missing) error {
	if len(missing) == 0 {
		return nil
	}
	words := make([]string, len(missing))
	for i, m := range missing {
		words[i] = fmt.Sprintf("%s for %s", m.What, m.Stage)
	}
	p := problem.New(problem.Unprocessable, "stage_criteria_unmet", "The opportunity lacks %s.", strings.Join(words, ", "))
	for _, m := range missing {
		location := "body." + string(m.What)
		if m.What == Condition {
			location = "body.stage"
		}
		p = p.WithField(location, "stage_requires", "is required by the stage "+m.Stage)
	}
	return p
}

var (
	errClosed     = problem.New(problem.Conflict, "opportunity_closed", "The opportunity is closed: reopen it first.")
	errNotClosed  = problem.New(problem.Conflict, "opportunity_open", "The opportunity is open.")
	errWithdrawn  = problem.New(problem.Conflict, "opportunity_withdrawn", "The opportunity was withdrawn: it counts nowhere any more.")
	errFollowed   = problem.New(problem.Conflict, "opportunity_followed", "Something happened to the opportunity since it was opened: lose it instead.")
	errNoStage    = problem.New(problem.Unprocessable, "stage_unknown", "The pipeline has no such stage.").WithField("body.stage", "stage_unknown", "must be the code of a stage of the pipeline")
	errStaysThere = problem.New(problem.Conflict, "stage_unchanged", "The opportunity is in this stage already.")
)

// mayWork gives why nothing can be done with it any more; nil while it is open.
func (o Opportunity) mayWork() error {
	switch o.State {
	case Open:
		return nil
	case Withdrawn:
		return errWithdrawn
	default:
		return errClosed
	}
}

// Move takes it to a stage of its pipeline: forwards where it has what each stage on the way requires, backwards freely. From a
// stage that the pipeline no longer has it goes as if from before the first.
func (o Opportunity) Move(p pipeline.Pipeline, to, by string, now time.Time) (Opportunity, Entry, error) {
	if err := o.mayWork(); err != nil {
		return o, Entry{}, err
	}
	_, place, known := p.Stage(to)
	if !known {
		return o, Entry{}, errNoStage
	}
	if to == o.Stage {
		return o, Entry{}, errStaysThere
	}
	from := -1
	if _, at, ok := p.Stage(o.Stage); ok {
		from = at
	}
	var missing []Missing
	for at := from + 1; at <= place; at++ {
		missing = append(missing, o.Missing(p.Stages[at], now)...)
	}
	if err := unmet(missing); err != nil {
		return o, Entry{}, err
	}
	o, e := o.enter(to, Open, by, now)
	return o.changed(by, now), e, nil
}

// changed notes that somebody changed it.
func (o Opportunity) changed(by string, now time.Time) Opportunity {
	o.Version, o.ChangedAt, o.By = o.Version+1, now, by
	return o
}

// Win says that the customer bought, by orders where they are known.
func (o Opportunity) Win(orders []uuid.UUID, by string, now time.Time) (Opportunity, Entry, error) {
	if err := o.mayWork(); err != nil {
		return o, Entry{}, err
	}
	o, e := o.enter(o.Stage, Won, by, now)
	o.ClosedAt = e.EnteredAt
	o.Orders = slices.Compact(slices.SortedFunc(slices.Values(orders), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }))
	return o.changed(by, now), e, nil
}

// Lose says that the customer does not buy, and why; the caller has looked whether there is such a reason.
func (o Opportunity) Lose(reason, competitor, by string, now time.Time) (Opportunity, Entry, error) {
	if err := o.mayWork(); err != nil {
		return o, Entry{}, err
	}
	o, e := o.enter(o.Stage, Lost, by, now)
	o.ClosedAt, o.Reason, o.Competitor = e.EnteredAt, reason, competitor
	return o.changed(by, now), e, nil
}

// Reopen puts it back into the stage that it was closed in; where the pipeline no longer has that, into the first. What it was
// closed by is forgotten; the events keep it.
func (o Opportunity) Reopen(p pipeline.Pipeline, by string, now time.Time) (Opportunity, Entry, error) {
	switch o.State {
	case Open:
		return o, Entry{}, errNotClosed
	case Withdrawn:
		return o, Entry{}, errWithdrawn
	}
	stage := o.Stage
	if _, _, ok := p.Stage(stage); !ok {
		stage = p.First().Code
	}
	o, e := o.enter(stage, Open, by, now)
	o.ClosedAt, o.Reason, o.Competitor, o.Orders = time.Time{}, "", "", nil
	return o.changed(by, now), e, nil
}

// Withdraw takes an opening back, while nothing followed.
func (o Opportunity) Withdraw(by string, now time.Time) (Opportunity, Entry, error) {
	switch {
	case o.State == Withdrawn:
		return o, Entry{}, errWithdrawn
	case o.State != Open || o.Version > 1 || o.Followed:
		return o, Entry{}, errFollowed
	}
	o, e := o.enter(o.Stage, Withdrawn, by, now)
	o.ClosedAt = e.EnteredAt
	return o.changed(by, now), e, nil
}
