package pipeline

import (
	"cel.dev/cel-go/cel"

	"github.com/guanxi-crm/guanxi/platform/expression"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Bounds of conditions. Costs are in CEL's units of about one comparison.
const (
	maxCondition = 2000 // bytes
	maxCost      = 20_000
	longFact     = 2000 // characters of a value of a custom field
	shortFact    = 64   // characters of a code
	manyFacts    = 200  // members of a list, fields
)

// Facts are what a condition may ask of an opportunity that is to enter a stage.
type Facts struct {
	AmountMinor int64
	Currency    string
	Source      string
	Team        string
	Owner       string
	Stage       string // code of the one that it is in
	DaysOpen    int64  // whole days of 24 hours since it was opened
	Tags        []string
	Roles       []string // of its contacts, one for each
	Competitors []string // codes
	SKUs        []string // of its lines
	Custom      map[string]any
}

// language is what conditions may say.
var language = expression.Language{
	Name: "condition", Subject: "an opportunity", MaxBytes: maxCondition, MaxCost: maxCost, Sizes: most,
	Facts: func() []cel.EnvOption {
		options := []cel.EnvOption{cel.StdLib(), cel.Variable("custom", cel.MapType(cel.StringType, cel.DynType))}
		for _, name := range []string{"tags", "roles", "competitors", "skus"} {
			options = append(options, cel.Variable(name, cel.ListType(cel.StringType)))
		}
		for _, name := range []string{"currency", "source", "team", "owner", "stage"} {
			options = append(options, cel.Variable(name, cel.StringType))
		}
		for _, name := range []string{"amount_minor", "days_open"} {
			options = append(options, cel.Variable(name, cel.IntType))
		}
		return options
	},
}

// most says how large facts can be at most.
func most(path []string) uint64 {
	many := map[string]bool{"tags": true, "roles": true, "competitors": true, "skus": true, "custom": true}
	switch {
	case len(path) == 1 && many[path[0]]:
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

// Admits asks the stage's condition about an opportunity. One that cannot answer, such as for a custom field that the
// opportunity lacks, does not admit it.
func (s Stage) Admits(f Facts) bool {
	if s.Condition == "" {
		return true
	}
	custom := f.Custom
	if custom == nil {
		custom = map[string]any{}
	}
	yes, err := language.Known(s.Condition, expression.Bool).Yes(map[string]any{
		"amount_minor": f.AmountMinor, "currency": f.Currency, "source": f.Source, "team": f.Team, "owner": f.Owner, "stage": f.Stage,
		"days_open": f.DaysOpen, "tags": orEmpty(f.Tags), "roles": orEmpty(f.Roles), "competitors": orEmpty(f.Competitors),
		"skus": orEmpty(f.SKUs), "custom": custom,
	})
	return err == nil && yes
}

// orEmpty gives an empty list for none, as JSON and CEL want it.
func orEmpty[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}
