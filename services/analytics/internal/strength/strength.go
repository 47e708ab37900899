// Package strength says how strong relationships with customers are, and how loyal customers are.
//
// The strength of a relationship is satisfaction with us, less satisfaction with alternatives, plus what the customer has invested in it:
// directly, what would be lost with it, and implicitly, what grew with time. Each is 0 to 1, so that it is -1 to 3. After C. Rusbult, A
// longitudinal test of the investment model, Journal of Personality and Social Psychology 45 (1983) 101–117. The loyalty index is 0 to
// 100: the weighted mean of buying again, share of wallet, recommendation and tolerance of price.
package strength

import (
	"fmt"
	"math"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

// StrengthSource is what stands for a part: x counts as (x − Low)/(High − Low), 0 below and 1 above.
type StrengthSource struct {
	Of       string  `json:"of" enum:"csat,nps,question,repeats,tenure_days,points,member,interactions" doc:"The latest answer on satisfaction, on recommending, or to a question of any survey; or of the portrait distinct purchase days after the first, days since the first net purchase, points to spend, whether a member (0 or 1), interactions."`
	Question string  `json:"question,omitempty" maxLength:"80" doc:"Of a question: its code."`
	Low      float64 `json:"low" minimum:"-1000000000" maximum:"1000000000" doc:"Counts 0, as does what is less."`
	High     float64 `json:"high" minimum:"-1000000000" maximum:"1000000000" doc:"The cap: counts 1, as does what is more. May be less than low: then less is better."`
}

// StrengthWeighted is a source with its weight.
type StrengthWeighted struct {
	Weight float64 `json:"weight" minimum:"0" maximum:"1"`
	StrengthSource
}

// StrengthLoyalty is what stands for the four parts of the index; weights sum to 1, and a part of weight 0 does not count.
type StrengthLoyalty struct {
	Repurchase     StrengthWeighted `json:"repurchase"`
	ShareOfWallet  StrengthWeighted `json:"share_of_wallet"`
	Recommendation StrengthWeighted `json:"recommendation"`
	PriceTolerance StrengthWeighted `json:"price_tolerance"`
}

// Settings are StrengthSettings: as a schema the name must be one in the whole service.
type Settings = StrengthSettings

// StrengthSettings say what stands for each part.
type StrengthSettings struct {
	Version      int64              `json:"-"` // 0: the house's own
	By           string             `json:"-"` // subject
	ChangedAt    time.Time          `json:"-"`
	WithinDays   int                `json:"within_days" minimum:"1" maximum:"3650" doc:"Answers that are older do not count."`
	Missing      string             `json:"missing" enum:"none,without" doc:"Of a customer of whom a part is missing: no figure, or the figure without it. Without: satisfaction that is missing counts 0 in strength, and the weights of the index are those of the parts that are there, made to sum to 1."`
	Us           StrengthSource     `json:"us" doc:"Satisfaction with us."`
	Alternatives StrengthSource     `json:"alternatives" doc:"Satisfaction with alternatives."`
	Direct       []StrengthWeighted `json:"direct" nullable:"false" maxItems:"10" doc:"What the customer put in and would lose; weights sum to 1. Empty: nothing is counted."`
	Implicit     []StrengthWeighted `json:"implicit" nullable:"false" maxItems:"10" doc:"What grew with time."`
	Loyalty      StrengthLoyalty    `json:"loyalty"`
}

// House are the settings of a tenant that set none.
func House() Settings {
	return Settings{
		WithinDays: 365, Missing: "none",
		Us:           StrengthSource{Of: "csat", Low: 1, High: 5},
		Alternatives: StrengthSource{Of: "question", Question: "alternatives", Low: 1, High: 5},
		Direct:       []StrengthWeighted{{.5, StrengthSource{Of: "points", High: 10_000}}, {.5, StrengthSource{Of: "member", High: 1}}},
		Implicit:     []StrengthWeighted{{1, StrengthSource{Of: "tenure_days", High: 5 * 365}}},
		Loyalty: StrengthLoyalty{
			Repurchase:     StrengthWeighted{.25, StrengthSource{Of: "repeats", High: 5}},
			ShareOfWallet:  StrengthWeighted{.25, StrengthSource{Of: "question", Question: "share_of_wallet", High: 100}},
			Recommendation: StrengthWeighted{.25, StrengthSource{Of: "nps", High: 10}},
			PriceTolerance: StrengthWeighted{.25, StrengthSource{Of: "question", Question: "price_tolerance", Low: 1, High: 5}},
		},
	}
}

// parts are the four of the index with their names.
func (l *StrengthLoyalty) parts() ([]string, []*StrengthWeighted) {
	return []string{"repurchase", "share_of_wallet", "recommendation", "price_tolerance"},
		[]*StrengthWeighted{&l.Repurchase, &l.ShareOfWallet, &l.Recommendation, &l.PriceTolerance}
}

// sources are all there are.
func (s Settings) sources() []StrengthSource {
	all := []StrengthSource{s.Us, s.Alternatives}
	for _, list := range [][]StrengthWeighted{s.Direct, s.Implicit} {
		for _, one := range list {
			all = append(all, one.StrengthSource)
		}
	}
	_, parts := s.Loyalty.parts()
	for _, one := range parts {
		all = append(all, one.StrengthSource)
	}
	return all
}

// Questions are the codes that are asked for, each once.
func (s Settings) Questions() []string {
	seen, all := map[string]bool{}, []string{}
	for _, one := range s.sources() {
		if one.Of == "question" && !seen[one.Question] {
			seen[one.Question] = true
			all = append(all, one.Question)
		}
	}
	return all
}

// Known is what is known of a customer: by a source's Of, or by "question " and a code. What is missing is not there.
type Known map[string]float64

func (s StrengthSource) key() string {
	if s.Of == "question" {
		return "question " + s.Question
	}
	return s.Of
}

// invested says whether a source is a fact: none is nothing, and not unknown.
func (s StrengthSource) invested() bool { return s.Of != "csat" && s.Of != "nps" && s.Of != "question" }

// StrengthPart is what a part came to.
type StrengthPart struct {
	Part   string         `json:"part" doc:"us, alternatives, direct or implicit; or one of the index."`
	Source StrengthSource `json:"source"`
	Weight float64        `json:"weight" doc:"With which it counts, of the part; of satisfaction with alternatives -1. 0 of a missing one."`
	Known  *float64       `json:"known,omitempty" doc:"The rating or fact; absent where it is missing."`
	Scaled *float64       `json:"scaled,omitempty" doc:"0 to 1."`
}

// StrengthFigure is a number with what it is made of.
type StrengthFigure struct {
	Value   *float64       `json:"value,omitempty" doc:"Absent where a part is missing and the settings do not go without."`
	Parts   []StrengthPart `json:"parts" nullable:"false"`
	Missing []string       `json:"missing" nullable:"false" doc:"Parts of which nothing is known."`
}

func (f *StrengthFigure) add(name string, s StrengthSource, weight float64, known Known) {
	p := StrengthPart{Part: name, Source: s, Weight: weight}
	v, ok := known[s.key()]
	if ok || s.invested() {
		scaled := min(max((v-s.Low)/(s.High-s.Low), 0), 1)
		p.Known, p.Scaled = &v, &scaled
	} else {
		p.Weight = 0
		f.Missing = append(f.Missing, name)
	}
	f.Parts = append(f.Parts, p)
}

func (f *StrengthFigure) sum() (sum, weights float64) {
	for _, p := range f.Parts {
		if p.Scaled != nil {
			sum += p.Weight * *p.Scaled
			weights += p.Weight
		}
	}
	return sum, weights
}

// Reckon gives both figures of a customer. Settings passed check.
func (s Settings) Reckon(known Known) (strength, loyalty StrengthFigure) {
	strength, loyalty = StrengthFigure{Missing: []string{}}, StrengthFigure{Missing: []string{}}
	strength.add("us", s.Us, 1, known)
	strength.add("alternatives", s.Alternatives, -1, known)
	lacks := len(strength.Missing)
	for _, one := range s.Direct {
		strength.add("direct", one.StrengthSource, one.Weight, known)
	}
	for _, one := range s.Implicit {
		strength.add("implicit", one.StrengthSource, one.Weight, known)
	}
	// Of somebody of whom neither satisfaction is known there is nothing to go on with.
	if len(strength.Missing) == 0 || s.Missing == "without" && lacks < 2 {
		sum, _ := strength.sum()
		strength.Value = &sum
	}
	names, parts := s.Loyalty.parts()
	for i, one := range parts {
		if one.Weight > 0 {
			loyalty.add(names[i], one.StrengthSource, one.Weight, known)
		}
	}
	sum, weights := loyalty.sum()
	if len(loyalty.Missing) == 0 || s.Missing == "without" && weights > 0 {
		for i := range loyalty.Parts {
			loyalty.Parts[i].Weight /= weights
		}
		value := min(100, 100*sum/weights)
		loyalty.Value = &value
	}
	return strength, loyalty
}

const near = 1e-6 // weights may be so far from 1 in sum

// check says what is wrong with settings, and has weights sum to 1 exactly.
func (s *Settings) check() error {
	var faults []problem.Field
	add := func(at, code, message string) {
		faults = append(faults, problem.Field{Location: at, Code: code, Message: message})
	}
	source := func(at string, one StrengthSource) {
		if one.High == one.Low {
			add(at+".high", "scale_invalid", "must differ from low")
		}
		if (one.Of == "question") != (one.Question != "") || one.Question != "" && !rating.Question.MatchString(one.Question) {
			add(at+".question", "question_invalid", "must be the code of a question where the source is one, and be left out elsewhere")
		}
	}
	weights := func(at string, all []*StrengthWeighted) {
		sum := 0.0
		for _, one := range all {
			sum += one.Weight
		}
		if len(all) > 0 && math.Abs(sum-1) > near {
			add(at, "weights_off", fmt.Sprintf("must have weights that sum to 1, and not to %g", math.Round(sum*1e6)/1e6))
			return
		}
		for _, one := range all {
			one.Weight /= sum
		}
	}
	source("us", s.Us)
	source("alternatives", s.Alternatives)
	for _, list := range []struct {
		at  string
		all []StrengthWeighted
	}{{"direct", s.Direct}, {"implicit", s.Implicit}} {
		var all []*StrengthWeighted
		for i := range list.all {
			at := fmt.Sprintf("%s[%d]", list.at, i)
			source(at, list.all[i].StrengthSource)
			if !list.all[i].invested() {
				add(at+".of", "not_an_investment", "must be a fact: what is said is no investment")
			}
			all = append(all, &list.all[i])
		}
		weights(list.at, all)
	}
	names, parts := s.Loyalty.parts()
	for i, one := range parts {
		source("loyalty."+names[i], one.StrengthSource)
	}
	weights("loyalty", parts)
	if len(faults) > 0 {
		return problem.InvalidBody("strength_settings_invalid", "The settings stay as they were: mend the fields named here.", faults)
	}
	return nil
}
