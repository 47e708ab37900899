package metric

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/guanxi-crm/guanxi/platform/expression"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// arithmetic is what formulas may say: the four operations on numbers, whole or not, and brackets. There is no function and
// no comparison, so that a formula costs what its length costs.
func arithmetic(codes []string) []cel.EnvOption {
	options := make([]cel.EnvOption, 0, len(codes)+5)
	for _, code := range codes {
		options = append(options, cel.Variable(code, cel.DoubleType))
	}
	for operator, do := range map[string]func(a, b float64) float64{
		operators.Add:      func(a, b float64) float64 { return a + b },
		operators.Subtract: func(a, b float64) float64 { return a - b },
		operators.Multiply: func(a, b float64) float64 { return a * b },
		operators.Divide:   func(a, b float64) float64 { return a / b }, // by zero it is no number, and the metric then has no value
	} {
		var overloads []cel.FunctionOpt
		for _, a := range []*cel.Type{cel.DoubleType, cel.IntType} {
			for _, b := range []*cel.Type{cel.DoubleType, cel.IntType} {
				overloads = append(overloads, cel.Overload(operator+a.String()+b.String(), []*cel.Type{a, b}, cel.DoubleType,
					cel.BinaryBinding(func(x, y ref.Val) ref.Val { return types.Double(do(float(x), float(y))) })))
			}
		}
		options = append(options, cel.Function(operator, overloads...))
	}
	return append(options, cel.Function(operators.Negate, cel.Overload("negate_number", []*cel.Type{cel.DoubleType}, cel.DoubleType,
		cel.UnaryBinding(func(x ref.Val) ref.Val { return types.Double(-float(x)) }))))
}

func float(v ref.Val) float64 {
	switch v := v.(type) {
	case types.Double:
		return float64(v)
	case types.Int:
		return float64(v)
	default:
		return math.NaN()
	}
}

var numeric = expression.Result{Code: "not_a_number", Says: "must reckon with at least one metric", Takes: func(t *cel.Type) bool { return t == cel.DoubleType }}

// language is formulas over the metrics of a catalogue.
func language(codes []string) *expression.Language {
	return &expression.Language{
		Name: "formula", Subject: "a value", MaxBytes: maxFormula, MaxCost: maxFormula,
		Facts: func() []cel.EnvOption { return arithmetic(codes) },
		Sizes: func([]string) uint64 { return 1 },
	}
}

// formula is a compiled one with the metrics that it names.
type formula struct {
	*expression.Expression
	names []string // sorted
}

func compile(text string, codes []string) (formula, []problem.Field) {
	e, faults := language(codes).Compile(text, numeric)
	if len(faults) > 0 {
		return formula{}, faults
	}
	f := formula{Expression: e}
	for _, code := range codes {
		if e.Asks(code) {
			f.names = append(f.names, code)
		}
	}
	slices.Sort(f.names)
	return f, nil
}

// value reckons the formula; it has none where one of its metrics has none, and where it divides by zero.
func (f formula) value(of func(code string) *float64) *float64 {
	facts := make(map[string]any, len(f.names))
	for _, name := range f.names {
		v := of(name)
		if v == nil {
			return nil
		}
		facts[name] = *v
	}
	out, err := f.Eval(facts)
	if err != nil {
		return nil
	}
	return known(float(out))
}

// formulas compiles each formula of the catalogue at most once, for the time of one question.
type formulas struct {
	catalogue map[string]Metric
	codes     []string
	compiled  map[string]formula
}

func newFormulas(catalogue map[string]Metric) *formulas {
	codes := make([]string, 0, len(catalogue))
	for code := range catalogue {
		codes = append(codes, code)
	}
	return &formulas{catalogue, codes, map[string]formula{}}
}

func (f *formulas) of(m Metric) (formula, []problem.Field) {
	if one, ok := f.compiled[m.Code]; ok {
		return one, nil
	}
	one, faults := compile(m.Formula, f.codes)
	if len(faults) == 0 {
		f.compiled[m.Code] = one
	}
	return one, faults
}

// ingredients gives the built-in metrics that m is made of, itself where it is one; ok is false where some are not there, or
// formulas go round in a circle or too deep.
func (f *formulas) ingredients(m Metric) (parts []Metric, ok bool) {
	seen := map[string]bool{}
	var visit func(m Metric, depth int) bool
	visit = func(m Metric, depth int) bool {
		if m.BuiltIn {
			if !seen[m.Code] {
				seen[m.Code] = true
				parts = append(parts, m)
			}
			return true
		}
		one, faults := f.of(m)
		if len(faults) > 0 || depth > maxNested {
			return false
		}
		for _, name := range one.names {
			if !visit(f.catalogue[name], depth+1) {
				return false
			}
		}
		return true
	}
	return parts, visit(m, 0)
}

// define checks a metric that a tenant defines against the catalogue without it, and gives it with what follows from its
// formula: grain and dimensions.
func define(m Metric, catalogue map[string]Metric) (Metric, []problem.Field) {
	refuse := func(code, format string, args ...any) (Metric, []problem.Field) {
		return m, []problem.Field{{Location: "formula", Code: code, Message: fmt.Sprintf(format, args...)}}
	}
	all := newFormulas(catalogue)
	if slices.Contains(all.codes, m.Code) {
		all.codes = slices.DeleteFunc(all.codes, func(code string) bool { return code == m.Code })
	}
	one, faults := compile(m.Formula, all.codes)
	if len(faults) > 0 {
		for i := range faults {
			faults[i].Message += "; metrics are listed by GET /v1/metrics, and a formula has numbers, + - * / and brackets"
		}
		return m, expression.At("formula", faults)
	}
	if len(one.names) > maxFormulaOf {
		return refuse("formula_too_long", "names more than %d metrics", maxFormulaOf)
	}
	for _, name := range one.names {
		if path, round := all.cycle(name, m.Code, nil); round {
			return refuse("formula_in_a_circle", "goes round in a circle: %s is made of %s", path[0], strings.Join(append(path[1:], m.Code), ", which is made of "))
		}
		if catalogue[name].Archived {
			return refuse("metric_archived", "%s is in the archive", name)
		}
	}
	all.compiled[m.Code] = one
	parts, ok := all.ingredients(m)
	if !ok {
		return refuse("formula_too_deep", "is made of formulas that are nested deeper than %d", maxNested)
	}
	return m.follow(parts, refuse)
}

// cycle tells whether the metric from is made of the metric code, and by which way.
func (f *formulas) cycle(from, code string, path []string) ([]string, bool) {
	m := f.catalogue[from]
	path = append(path, from)
	if m.BuiltIn || len(path) > MaxDefined {
		return nil, false
	}
	// The formula is compiled with code among the names: that it is named is what is asked here.
	one, faults := compile(m.Formula, append(slices.Clone(f.codes), code))
	if len(faults) > 0 {
		return nil, false
	}
	for _, name := range one.names {
		if name == code {
			return path, true
		}
		if found, round := f.cycle(name, code, slices.Clone(path)); round {
			return found, true
		}
	}
	return nil, false
}

// follow sets what a formula's parts make of the metric.
func (m Metric) follow(parts []Metric, refuse func(code, format string, args ...any) (Metric, []problem.Field)) (Metric, []problem.Field) {
	m.Adds, m.Grain, m.Freshness, m.Dimensions, m.ByCurrency = NoneAdded, parts[0].Grain, parts[0].Freshness, nil, false
	for _, p := range parts {
		if p.Grain != m.Grain {
			return refuse("grains_differ", "%s belongs to days and %s tells how things stand now: they cannot be reckoned together", parts[0].Code, p.Code)
		}
		m.ByCurrency = m.ByCurrency || p.ByCurrency
		if slices.Index([]string{atOnce, aSecond, aRun}, p.Freshness) > slices.Index([]string{atOnce, aSecond, aRun}, m.Freshness) {
			m.Freshness = p.Freshness
		}
	}
	for _, d := range dimensions {
		if !slices.ContainsFunc(parts, func(p Metric) bool { return !slices.Contains(p.Dimensions, d.Code) }) {
			m.Dimensions = append(m.Dimensions, d.Code)
		}
	}
	return m, nil
}
