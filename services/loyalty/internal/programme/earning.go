package programme

import (
	"fmt"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/rule"
)

// Kinds of rules.
const (
	RuleBase       = "base"       // gives points
	RuleMultiplier = "multiplier" // multiplies what base rules gave
	RuleBonus      = "bonus"      // gives points that nothing multiplies
	RuleExclusion  = "exclusion"  // keeps an order, or some of its lines, from earning
)

// How fractions are rounded.
const (
	RoundDown   = "down"
	RoundHalfUp = "half_up"
	RoundUp     = "up"
)

// Which of several multipliers count.
const (
	MultiplyAll     = "product"
	MultiplyHighest = "highest"
)

// What counts towards tiers.
const (
	QualifyBase = "base"
	QualifyAll  = "all"
)

// Periods of caps.
const (
	PeriodOrder    = "order"
	PeriodDay      = "day"
	PeriodWeek     = "week"
	PeriodMonth    = "month"
	PeriodYear     = "year"
	PeriodCampaign = "campaign"
)

const (
	maxRules    = 50
	maxCaps     = 20
	maxRuleName = 200
	maxEarnCost = 200_000 // of all rules together, in CEL's units
	maxCap      = 1_000_000_000
)

// Earning says what purchases earn. The zero Earning: one point for each whole major unit.
//
// An order earns in steps, and everything is exact until the end: exclusions take lines off, or the whole order; base rules give
// points, which are added; multipliers multiply these; bonus rules add to them; the sum is rounded, once; caps cut it.
type Earning struct {
	Rules       []Rule `json:"rules,omitempty" doc:"Where none is of the kind base, one point for each whole major unit is the base."`
	Caps        []Cap  `json:"caps,omitempty"`
	Rounding    string `json:"rounding,omitempty" enum:"down,half_up,up" doc:"How fractions of an order's points are rounded, once, at the end; left out: down."`
	Multipliers string `json:"multipliers,omitempty" enum:"product,highest" doc:"Where several multipliers fit: all of them, one after the other, or the highest alone; left out: product."`
	Qualifying  string `json:"qualifying,omitempty" enum:"base,all" doc:"What counts towards tiers: what base rules gave, before multipliers, bonus and caps; or all points earned. Left out: base."`
}

// Rule gives points for an order, multiplies those that others gave, or keeps something from earning.
type Rule struct {
	Code   string     `json:"code" doc:"By which explanations and caps name it." example:"coffee-double"`
	Kind   string     `json:"kind" enum:"base,multiplier,bonus,exclusion"`
	NameEN string     `json:"name_en,omitempty" doc:"For people, in English; left out: the code." example:"Double points for coffee"`
	NameZH string     `json:"name_zh,omitempty" doc:"And in Chinese; left out: the English one." example:"咖啡双倍积分"`
	When   string     `json:"when,omitempty" doc:"CEL: for which orders. Left out: for all." example:"tier == \"gold\" && weekday >= 6"`
	Points string     `json:"points,omitempty" doc:"CEL: how many points, or by how much is multiplied (1 to 1000). Exact; a rule that gives less than 0, or cannot be reckoned, gives nothing. Not for exclusions." example:"amount / 10"`
	Lines  string     `json:"lines,omitempty" doc:"For exclusions, CEL over line: which lines do not earn. Left out: the whole order does not." example:"line.category == \"gift-card\""`
	Of     []string   `json:"of,omitempty" doc:"For multipliers: codes of the base rules whose points it multiplies. Left out: all."`
	From   *time.Time `json:"from,omitempty" doc:"For orders placed from then on."`
	Until  *time.Time `json:"until,omitempty" doc:"For orders placed before."`
}

// Active tells whether the rule is for orders placed at a time.
func (r Rule) Active(at time.Time) bool { return within(at, r.From, r.Until) }

func within(at time.Time, from, until *time.Time) bool {
	return (from == nil || !at.Before(*from)) && (until == nil || at.Before(*until))
}

// Name gives what people call the rule.
func (r Rule) Name() (en, zh string) {
	en = r.NameEN
	if en == "" {
		en = r.Code
	}
	if zh = r.NameZH; zh == "" {
		zh = en
	}
	return en, zh
}

// Cap bounds what a member earns in a period of the programme's zone. Orders count in the period in which they were placed, in
// the order in which they are heard of; what is taken back for goods that come back makes no new room. Caps of some rules cut before
// those of all points.
type Cap struct {
	Code   string     `json:"code" doc:"What was counted under it goes on counting under later versions." example:"monthly"`
	Period string     `json:"period" enum:"order,day,week,month,year,campaign" doc:"A week begins on Monday. A campaign is all the time from from to until."`
	Points int64      `json:"points" doc:"At most so many in a period." example:"5000"`
	Rules  []string   `json:"rules,omitempty" doc:"Codes of base rules, multipliers and bonus whose points it is about. Left out: all points of an order."`
	From   *time.Time `json:"from,omitempty" doc:"For orders placed from then on; required for a campaign."`
	Until  *time.Time `json:"until,omitempty" doc:"For orders placed before; required for a campaign."`
}

// Window gives the period into which an order falls, in UTC; ok is false where the cap does not mind it.
func (c Cap) Window(at time.Time, zone *time.Location) (from, until time.Time, ok bool) {
	if !within(at, c.From, c.Until) {
		return from, until, false
	}
	year, month, day := at.In(zone).Date()
	midnight := func(year int, month time.Month, day int) time.Time {
		return DayEnd(time.Date(year, month, day-1, 12, 0, 0, 0, zone), zone)
	}
	switch c.Period {
	case PeriodDay:
		return midnight(year, month, day), midnight(year, month, day+1), true
	case PeriodWeek:
		monday := day - (int(at.In(zone).Weekday())+6)%7
		return midnight(year, month, monday), midnight(year, month, monday+7), true
	case PeriodMonth:
		return midnight(year, month, 1), midnight(year, month+1, 1), true
	case PeriodYear:
		return midnight(year, time.January, 1), midnight(year+1, time.January, 1), true
	case PeriodCampaign:
		return *c.From, *c.Until, true
	default:
		return at, at, true
	}
}

// Asks tells whether any rule asks for a fact.
func (e Earning) Asks(fact string) bool {
	for _, r := range e.Rules {
		if rule.Asks(r.When, fact) || rule.Asks(r.Points, fact) || rule.Asks(r.Lines, fact) {
			return true
		}
	}
	return false
}

func (e Earning) faults(note fault) {
	oneOf(note, "earning.rounding", e.Rounding, "", RoundDown, RoundHalfUp, RoundUp)
	oneOf(note, "earning.multipliers", e.Multipliers, "", MultiplyAll, MultiplyHighest)
	oneOf(note, "earning.qualifying", e.Qualifying, "", QualifyBase, QualifyAll)
	if len(e.Rules) > maxRules {
		note("earning.rules", "too_many", fmt.Sprintf("must be at most %d", maxRules))
		return
	}
	if len(e.Caps) > maxCaps {
		note("earning.caps", "too_many", fmt.Sprintf("must be at most %d", maxCaps))
		return
	}
	kinds := make(map[string]string)
	var cost uint64
	for i, r := range e.Rules {
		at := fmt.Sprintf("earning.rules[%d]", i)
		if !Coded(r.Code) {
			note(at+".code", "code_malformed", CodeRule)
		} else if kinds[r.Code] != "" {
			note(at+".code", "code_twice", "must be the only one of its code")
		}
		kinds[r.Code] = r.Kind
		r.faults(note, at)
		cost += rule.Cost(r.When) + rule.Cost(r.Points) + rule.Cost(r.Lines)
	}
	if cost > maxEarnCost {
		note("earning.rules", "rules_too_costly", fmt.Sprintf("may cost up to %d steps for an order; at most %d are allowed", cost, maxEarnCost))
	}
	for i, r := range e.Rules {
		for n, code := range r.Of {
			if kinds[code] != RuleBase && !(code == DefaultBase && !e.hasBase()) {
				note(fmt.Sprintf("earning.rules[%d].of[%d]", i, n), "rule_unknown", "must be the code of a base rule")
			}
		}
	}
	e.capFaults(note, kinds)
}

// DefaultBase is the code of the base that there is where no rule gives one.
const DefaultBase = "default"

func (e Earning) hasBase() bool {
	for _, r := range e.Rules {
		if r.Kind == RuleBase {
			return true
		}
	}
	return false
}

// Base gives the rules of the kind base: one point for each whole major unit where nobody wrote any.
func (e Earning) Base() (base []Rule) {
	for _, r := range e.Rules {
		if r.Kind == RuleBase {
			base = append(base, r)
		}
	}
	if base == nil {
		base = []Rule{{
			Code: DefaultBase, Kind: RuleBase, NameEN: "One point for each whole unit of money", NameZH: "每消费一元积一分", Points: "floor(amount)",
		}}
	}
	return base
}

// Of gives the rules of a kind.
func (e Earning) Of(kind string) (some []Rule) {
	for _, r := range e.Rules {
		if r.Kind == kind {
			some = append(some, r)
		}
	}
	return some
}

func oneOf(note fault, location, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	note(location, "value_unknown", fmt.Sprintf("must be one of %q", allowed[1:]))
}

func (r Rule) faults(note fault, at string) {
	oneOf(note, at+".kind", r.Kind, RuleBase, RuleBase, RuleMultiplier, RuleBonus, RuleExclusion)
	if len(r.NameEN) > maxRuleName || len(r.NameZH) > maxRuleName {
		note(at+".name_en", "too_long", fmt.Sprintf("names must be at most %d bytes", maxRuleName))
	}
	faults := rule.CheckCondition(r.When, at+".when")
	if r.Kind == RuleExclusion {
		faults = append(faults, rule.CheckLine(r.Lines, at+".lines")...)
		if r.Points != "" {
			note(at+".points", "out_of_place", "must be left out: an exclusion gives nothing")
		}
	} else {
		faults = append(faults, rule.CheckNumber(r.Points, at+".points")...)
		if r.Lines != "" {
			note(at+".lines", "out_of_place", "is for exclusions; a rule asks for lines in its points")
		}
	}
	for _, f := range faults {
		note(f.Location, f.Code, f.Message)
	}
	if len(r.Of) > 0 && r.Kind != RuleMultiplier {
		note(at+".of", "out_of_place", "is for multipliers")
	}
	spanFaults(note, at, r.From, r.Until)
}

func spanFaults(note fault, at string, from, until *time.Time) {
	for name, t := range map[string]*time.Time{"from": from, "until": until} {
		if t != nil && (t.Year() < 1970 || t.Year() > lastYear-1) {
			note(at+"."+name, "out_of_range", "must be a time of the years 1970 to 9998")
		}
	}
	if from != nil && until != nil && !until.After(*from) {
		note(at+".until", "out_of_range", "must be after from")
	}
}

func (e Earning) capFaults(note fault, kinds map[string]string) {
	seen := make(map[string]bool)
	for i, c := range e.Caps {
		at := fmt.Sprintf("earning.caps[%d]", i)
		if !Coded(c.Code) {
			note(at+".code", "code_malformed", CodeRule)
		} else if seen[c.Code] {
			note(at+".code", "code_twice", "must be the only one of its code")
		}
		seen[c.Code] = true
		oneOf(note, at+".period", c.Period, PeriodOrder, PeriodOrder, PeriodDay, PeriodWeek, PeriodMonth, PeriodYear, PeriodCampaign)
		if c.Points < 0 || c.Points > maxCap {
			note(at+".points", "out_of_range", fmt.Sprintf("must be 0 to %d", maxCap))
		}
		if c.Period == PeriodCampaign && (c.From == nil || c.Until == nil) {
			note(at+".from", "campaign_open", "a campaign must have from and until")
		}
		spanFaults(note, at, c.From, c.Until)
		for n, code := range c.Rules {
			if k := kinds[code]; (k == "" || k == RuleExclusion) && !(code == DefaultBase && !e.hasBase()) {
				note(fmt.Sprintf("%s.rules[%d]", at, n), "rule_unknown", "must be the code of a rule that gives points")
			}
		}
	}
}

// Faults names everything in a rule that is not right by itself, by its place below at.
func (r Rule) Faults(at string) (faults []problem.Field) {
	note := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if !Coded(r.Code) {
		note(at+".code", "code_malformed", CodeRule)
	}
	r.faults(note, at)
	return faults
}
