package pricing

import (
	"slices"

	"cel.dev/cel-go/cel"

	"github.com/guanxi-crm/guanxi/platform/expression"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	maxCondition = 2000 // bytes
	maxCost      = 20_000
	maxLines     = 1000 // of a basket, as of an order
	longCode     = 64   // characters
	deepest      = 10   // categories above each other
)

// fact is something that a condition may read.
type fact struct {
	name string
	is   *cel.Type
	line bool // of a line alone
}

// allFacts are about goods, amounts, places and times of the sale, and the benefits that were published. Nothing that is known
// of the customer may ever be added here.
func allFacts() []fact {
	texts := cel.ListType(cel.StringType)
	return []fact{
		{"currency", cel.StringType, false}, {"price_list", cel.StringType, false}, {"channel", cel.StringType, false},
		{"basket_minor", cel.IntType, false}, {"basket_units", cel.IntType, false}, {"skus", texts, false},
		{"categories", texts, false}, {"benefits", texts, false},
		{"sku", cel.StringType, true}, {"category", cel.StringType, true}, {"path", texts, true}, {"quantity", cel.IntType, true},
		{"unit_minor", cel.IntType, true}, {"line_minor", cel.IntType, true},
	}
}

// languages are what conditions may say, by what the rule takes something off.
var languages = map[Scope]*expression.Language{Line: language(Line), Whole: language(Whole)}

func language(scope Scope) *expression.Language {
	return &expression.Language{
		Name: "condition", Subject: "a " + string(scope), MaxBytes: maxCondition, MaxCost: maxCost, Sizes: most,
		Facts: func() []cel.EnvOption {
			options := []cel.EnvOption{cel.StdLib()}
			for _, f := range allFacts() {
				if scope == Line || !f.line {
					options = append(options, cel.Variable(f.name, f.is))
				}
			}
			return options
		},
	}
}

// most says how large facts can be at most.
func most(path []string) uint64 {
	if len(path) != 1 {
		return longCode
	}
	switch path[0] {
	case "skus", "categories":
		return maxLines
	case "path":
		return deepest
	default:
		return longCode
	}
}

// check names all that is wrong with a rule's condition, and gives the codes of the benefits that it reads, and the
// words of what it compares channels and price lists with.
func check(text string, scope Scope) (benefits, words []string, faults []problem.Field) {
	if text == "" {
		return nil, nil, nil
	}
	reads := unfair(text)
	if len(reads.faults) > 0 {
		return nil, nil, expression.At("condition", reads.faults)
	}
	_, faults = languages[scope].Compile(text, expression.Bool)
	return reads.benefits, reads.words, expression.At("condition", faults)
}

// asked are the facts of one basket.
type asked struct {
	basket map[string]any
	lines  []map[string]any
}

// ask gives the facts of a basket as it costs by the list.
func ask(p Priced, channel string) asked {
	var minor, units int64
	var skus, categories []string
	for _, l := range p.Lines {
		minor, units = minor+l.ListMinor, units+l.Quantity
		skus = append(skus, l.SKU)
		for _, c := range l.Path {
			if !slices.Contains(categories, c) {
				categories = append(categories, c)
			}
		}
	}
	with := func(more map[string]any) map[string]any {
		more["currency"], more["price_list"], more["channel"] = p.Currency, p.PriceList, channel
		more["basket_minor"], more["basket_units"] = minor, units
		more["skus"], more["categories"], more["benefits"] = list(skus), list(categories), list(p.Benefits)
		return more
	}
	a := asked{basket: with(map[string]any{})}
	for _, l := range p.Lines {
		a.lines = append(a.lines, with(map[string]any{
			"sku": l.SKU, "category": l.Category, "path": list(l.Path), "quantity": l.Quantity, "unit_minor": l.UnitMinor, "line_minor": l.ListMinor,
		}))
	}
	return a
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// fits asks a rule's condition about a line, or with line -1 about the basket. One that cannot answer, such as for a division by
// zero, does not fit.
func (a asked) fits(r Rule, line int) bool {
	if r.Condition == "" {
		return true
	}
	facts := a.basket
	if line >= 0 {
		facts = a.lines[line]
	}
	yes, err := languages[r.Scope].Known(r.Condition, expression.Bool).Yes(facts)
	return err == nil && yes
}
