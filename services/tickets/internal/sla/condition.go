package sla

import (
	"cel.dev/cel-go/cel"

	"github.com/guanxi-crm/guanxi/platform/expression"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// maxCost bounds what a condition may cost, in CEL's units of about one comparison: what a condition may cost at most is
// estimated when it is written, and what it does cost is counted when it is asked.
const maxCost = 20_000

// Sizes that facts can have at most, for the estimate.
const (
	longFact  = 2000 // characters of a value of a custom field
	shortFact = 64   // characters of a code
	manyTags  = 50
	manyField = 100
)

// language is what conditions may say.
var language = expression.Language{
	Name: "condition", Subject: "a ticket", MaxBytes: maxCondition, MaxCost: maxCost, Sizes: most,
	Facts: func() []cel.EnvOption {
		options := []cel.EnvOption{
			cel.StdLib(), cel.Variable("tags", cel.ListType(cel.StringType)), cel.Variable("custom", cel.MapType(cel.StringType, cel.DynType)),
		}
		for _, name := range []string{"kind", "channel", "category", "queue", "grade", "tier"} {
			options = append(options, cel.Variable(name, cel.StringType))
		}
		for _, name := range []string{"impact", "urgency", "priority"} {
			options = append(options, cel.Variable(name, cel.IntType))
		}
		return options
	},
}

// most says how large facts can be at most.
func most(path []string) uint64 {
	switch {
	case len(path) == 1 && path[0] == "tags":
		return manyTags
	case len(path) == 1 && path[0] == "custom":
		return manyField
	case len(path) >= 1 && path[0] != "custom":
		return shortFact
	default:
		return longFact
	}
}

// condition is a compiled condition; the nil condition fits every ticket.
type condition expression.Expression

// cost is what it may cost at most, in CEL's units.
func (c *condition) cost() uint64 { return (*expression.Expression)(c).Cost() }

// compiled is compile for a text that was accepted before. One that no longer compiles fits nothing.
func compiled(text string) *condition { return (*condition)(language.Known(text, expression.Bool)) }

// compile makes a condition of its text, or says where it is wrong, at the location. Empty text gives the nil condition.
func compile(text, location string) (*condition, []problem.Field) {
	if text == "" {
		return nil, nil
	}
	c, faults := language.Compile(text, expression.Bool)
	return (*condition)(c), expression.At(location, faults)
}

// fits asks the condition about a ticket. One that cannot answer, such as for a custom field that the ticket lacks, does not
// fit, and the error says why.
func (c *condition) fits(f Facts) (bool, error) {
	if c == nil {
		return true, nil
	}
	tags, custom := f.Tags, f.Custom
	if tags == nil {
		tags = []string{}
	}
	if custom == nil {
		custom = map[string]any{}
	}
	return (*expression.Expression)(c).Yes(map[string]any{
		"kind": f.Kind, "channel": f.Channel, "category": f.Category, "queue": f.Queue, "impact": int64(f.Impact), "urgency": int64(f.Urgency),
		"priority": int64(f.Priority), "tags": tags, "custom": custom, "grade": f.Grade, "tier": f.Tier,
	})
}

// Choose gives the first of the policies, which are in order, whose condition fits; ok is false where none does.
func Choose(policies []Policy, f Facts) (chosen Policy, ok bool) {
	for _, p := range policies {
		c := (*condition)(nil)
		if p.Condition != "" {
			c = compiled(p.Condition)
		}
		if fits, err := c.fits(f); err == nil && fits {
			return p, true
		}
	}
	return Policy{}, false
}
