// Package scoring says how likely an open case is to be won: a naive Bayes over the cases that were won and lost, by team.
//
// Each value of each field has two counts, of the cases with it that were won and of those that were lost; each begins
// at 0.1. Where W and L are the counts of the first stage of the case's pipeline, which every outcome counts in,
//
//	S_won  = W/(W+L) · Π won(value)/won(field)
//	S_lost = L/(W+L) · Π lost(value)/lost(field)
//	p      = 100 · S_won/(S_won+S_lost)
//
// over the values of the case that were seen before; won(field) is the sum over the field's values, for the stage W and L.
// The formula is the one that Odoo publishes as its predictive lead scoring (addons/crm, crm_lead.py).
package scoring

import (
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// The fields with a meaning of their own; all others are keys of Case.Fields.
const (
	FieldStage = "stage"
	FieldTags  = "tags"
)

// start is what each count begins at, so that no value makes a probability of nothing or of all.
const start = 0.1

// fewest is how many outcomes a tag needs in a team before it counts there: chance rules smaller numbers.
const fewest = 50

// Bounds of the score of an open case, in hundredths of a percent: only a case that is won or lost is certain.
const (
	Least = 1
	Most  = 9999
)

// Case is a lead, and after its conversion the opportunity that came of it; an opportunity without a lead is one of its
// own. There is nothing personal in it: codes only.
type Case struct {
	ID          uuid.UUID // the lead's, where there is one, else the opportunity's
	Opportunity uuid.UUID // that came of the lead, or is the case; uuid.Nil for none
	Team        string    // code; empty for none
	Pipeline    string    // code
	Stage       string    // code of the stage that it is in; of a lead, the pipeline's first
	Stages      []string  // codes of all stages of the pipeline, in order
	// Fields are its codes by field, such as source, campaign, country, industry, language, email_state and
	// phone_state; one that is empty or absent makes no factor.
	Fields map[string]string
	Tags   []string // codes
}

// value is one value of one field.
type value struct{ field, code string }

// stageValue names a stage in the counts: stages of two pipelines may have the same code.
func (c Case) stageValue(stage string) value { return value{FieldStage, c.Pipeline + "/" + stage} }

// first gives the stage that every outcome of the pipeline counts in.
func (c Case) first() value {
	if len(c.Stages) == 0 {
		return c.stageValue(c.Stage)
	}
	return c.stageValue(c.Stages[0])
}

// counts gives the values that count when the case is won or lost, each once and in order: of a won one all stages,
// of a lost one those up to the stage that it was lost in.
func (c Case) counts(won bool) []value {
	stages := c.Stages
	if !won {
		if at := slices.Index(c.Stages, c.Stage); at >= 0 {
			stages = c.Stages[:at+1]
		} else if len(stages) > 0 { // the pipeline has the stage no more
			stages = []string{c.Stages[0], c.Stage}
		}
	}
	if len(stages) == 0 {
		stages = []string{c.Stage}
	}
	all := make([]value, 0, len(stages)+len(c.Fields)+len(c.Tags))
	for _, s := range stages {
		all = append(all, c.stageValue(s))
	}
	for field, code := range c.Fields {
		if code != "" {
			all = append(all, value{field, code})
		}
	}
	for _, tag := range c.Tags {
		all = append(all, value{FieldTags, tag})
	}
	slices.SortFunc(all, compareValues)
	return slices.Compact(all)
}

func compareValues(a, b value) int {
	if n := strings.Compare(a.field, b.field); n != 0 {
		return n
	}
	return strings.Compare(a.code, b.code)
}

// values gives the values of the case in the fields.
func (c Case) values(fields []string) (all []value) {
	for _, f := range fields {
		switch f {
		case FieldStage:
			all = append(all, c.stageValue(c.Stage))
		case FieldTags:
			for _, tag := range slices.Compact(slices.Sorted(slices.Values(c.Tags))) {
				all = append(all, value{FieldTags, tag})
			}
		default:
			if code := c.Fields[f]; code != "" {
				all = append(all, value{f, code})
			}
		}
	}
	return all
}

// count is how often something was won and lost, in one row of counts or in the sum of several, each of which began at 0.1.
type count struct {
	won, lost int64
	rows      int64
}

func (c count) plus(d count) count { return count{c.won + d.won, c.lost + d.lost, c.rows + d.rows} }

// Won and Lost give the counts as the formula has them.
func (c count) Won() float64  { return float64(c.won) + start*float64(c.rows) }
func (c count) Lost() float64 { return float64(c.lost) + start*float64(c.rows) }

// table is the counts of one team, or of all.
type table struct {
	values map[value]count
	totals map[string]count // by field
}

func newTable() *table { return &table{values: map[value]count{}, totals: map[string]count{}} }

// add takes in one row of counts of one team. A tag with too few outcomes there is left out, of the field's total as well.
func (t *table) add(v value, c count) {
	if v.field == FieldTags && c.won+c.lost < fewest {
		return
	}
	t.put(v, c)
}

// put takes in counts as they are.
func (t *table) put(v value, c count) {
	t.values[v] = t.values[v].plus(c)
	t.totals[v.field] = t.totals[v.field].plus(c)
}

// model is what was learnt.
type model struct {
	fields []string // that make factors
	needed []string // those whose counts were read
	teams  map[string]*table
	all    *table // the sum over all teams, and over cases without one
}

// tableFor gives the counts that a case is judged by: its team's, or, where the team closed none in the pipeline yet, those
// of all; and the counts of the first stage there. Nil: nothing was learnt yet.
func (m *model) tableFor(c Case) (*table, count, string) {
	if c.Team != "" {
		if t := m.teams[c.Team]; t != nil {
			if prior, ok := t.values[c.first()]; ok {
				return t, prior, c.Team
			}
		}
	}
	if m.all != nil {
		if prior, ok := m.all.values[c.first()]; ok {
			return m.all, prior, ""
		}
	}
	return nil, count{}, ""
}

// Factor is what one value of a case does to its score.
type Factor struct {
	Field, Value string
	Won, Lost    float64 // counts of the value
	// WonOf and LostOf are what they are divided by: the counts of all values of the field; for the stage, of the first one.
	WonOf, LostOf float64
}

// Lift is how many times as often the value stands with cases that were won as with those that were lost: above 1 it speaks for the case.
func (f Factor) Lift() float64 { return (f.Won / f.WonOf) / (f.Lost / f.LostOf) }

// Reckoning is how a score came about.
type Reckoning struct {
	Learnt    string // code of the team whose counts were taken; empty: those of all teams
	Won, Lost float64
	Factors   []Factor
	// Probability is in hundredths of a percent, Least to Most; 0 where nothing was learnt yet.
	Probability int32
}

// PWon is the share of cases that were won, before anything is known of this one.
func (r Reckoning) PWon() float64 { return r.Won / (r.Won + r.Lost) }

// reckon scores a case.
func (m *model) reckon(c Case) Reckoning {
	t, prior, team := m.tableFor(c)
	if t == nil {
		return Reckoning{}
	}
	r := Reckoning{Learnt: team, Won: prior.Won(), Lost: prior.Lost()}
	for _, v := range c.values(m.fields) {
		of := prior
		if v.field != FieldStage {
			of = t.totals[v.field]
		}
		if n, seen := t.values[v]; seen {
			r.Factors = append(r.Factors, Factor{v.field, v.code, n.Won(), n.Lost(), of.Won(), of.Lost()})
		}
	}
	won, lost := r.PWon(), 1-r.PWon()
	for _, f := range r.Factors {
		won *= f.Won / f.WonOf
		lost *= f.Lost / f.LostOf
	}
	r.Probability = int32(min(max(math.Round(100*100*won/(won+lost)), Least), Most))
	return r
}
