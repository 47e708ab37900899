package assignment

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/expression"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

// Bounds of conditions. Costs are in CEL's units of about one comparison.
const (
	maxCondition = 2000 // bytes
	maxCost      = 20_000
	longFact     = 2000 // characters of a value of a custom field
	shortFact    = 64   // characters of a code
	manyFacts    = 200  // members of a list, fields
)

// Facts are what a rule may ask of a lead: codes and numbers, and the fields that the tenant has defined, such as a postal code
// or the size of the company. Who somebody is is not among them.
type Facts struct {
	Country, Language, Industry string
	Source, Campaign            string
	Channel                     string // how it came in: api, form, import or campaign_reply
	State                       string // open or qualified
	Pipeline                    string // code
	Tags                        []string
	Custom                      map[string]any
	Score                       float64 // percent; 0: nothing was learnt yet
	Enquiries                   int64   // how often they came
	BudgetMinor                 int64   // 0: not known
	Currency                    string  // of the budget
	KnownCustomer               bool    // accounts knows them
}

// factsOf gives what rules may ask of a lead with its score in hundredths of a percent.
func factsOf(l lead.Lead, score int32) Facts {
	f := Facts{
		Country: l.Country, Language: l.Language, Industry: l.Industry, Source: l.Source, Campaign: l.Campaign, Channel: string(l.Capture),
		State: string(l.State), Pipeline: l.Pipeline, Tags: l.Tags, Custom: l.Custom, Score: float64(score) / 100, Enquiries: int64(l.Enquiries),
		Currency: l.Currency, KnownCustomer: l.CustomerID != uuid.Nil,
	}
	if l.BudgetMinor != nil {
		f.BudgetMinor = *l.BudgetMinor
	}
	return f
}

// language is what conditions may say.
var language = expression.Language{
	Name: "condition", Subject: "a lead", MaxBytes: maxCondition, MaxCost: maxCost, Sizes: most,
	Facts: func() []cel.EnvOption {
		options := []cel.EnvOption{
			cel.StdLib(), cel.Variable("custom", cel.MapType(cel.StringType, cel.DynType)), cel.Variable("tags", cel.ListType(cel.StringType)),
			cel.Variable("score", cel.DoubleType), cel.Variable("known_customer", cel.BoolType), cel.CrossTypeNumericComparisons(true),
		}
		for _, name := range []string{"country", "language", "industry", "source", "campaign", "channel", "state", "pipeline", "currency"} {
			options = append(options, cel.Variable(name, cel.StringType))
		}
		for _, name := range []string{"enquiries", "budget_minor"} {
			options = append(options, cel.Variable(name, cel.IntType))
		}
		return options
	},
}

// most says how large facts can be at most.
func most(path []string) uint64 {
	switch {
	case len(path) == 1 && (path[0] == "tags" || path[0] == "custom"):
		return manyFacts
	case len(path) >= 1 && path[0] != "custom":
		return shortFact
	default:
		return longFact
	}
}

// compile says where a condition is wrong; an empty one is right.
func compile(text, location string) []problem.Field {
	if text == "" {
		return nil
	}
	_, wrong := language.Compile(text, expression.Bool)
	return expression.At(location, wrong)
}

// fits asks a condition about a lead. One that cannot answer, such as for a custom field that the lead lacks, does not fit; why
// says that in words.
func fits(condition string, f Facts) (yes bool, why error) {
	if condition == "" {
		return true, nil
	}
	custom, tags := f.Custom, f.Tags
	if custom == nil {
		custom = map[string]any{}
	}
	if tags == nil {
		tags = []string{}
	}
	return language.Known(condition, expression.Bool).Yes(map[string]any{
		"country": f.Country, "language": f.Language, "industry": f.Industry, "source": f.Source, "campaign": f.Campaign, "channel": f.Channel,
		"state": f.State, "pipeline": f.Pipeline, "tags": tags, "custom": custom, "score": f.Score, "enquiries": f.Enquiries,
		"budget_minor": f.BudgetMinor, "currency": f.Currency, "known_customer": f.KnownCustomer,
	})
}

// asks tells whether a rule asks for a fact.
func (r Rules) asks(fact string) bool {
	return slices.ContainsFunc(r.Rules, func(rule Rule) bool {
		return rule.Condition != "" && language.Known(rule.Condition, expression.Bool).Asks(fact)
	})
}

// spoken gives the primary tag of a language, as people have it: zh of zh-Hant-TW.
func spoken(tag string) string {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	return primary
}
