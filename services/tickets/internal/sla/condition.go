package sla

import (
	"errors"
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"

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

// refusal is why a condition was not accepted.
type refusal struct{ faults []problem.Field }

func (r *refusal) fields(location string) []problem.Field {
	all := make([]problem.Field, len(r.faults))
	for i, f := range r.faults {
		f.Location = location
		all[i] = f
	}
	return all
}

// condition is a compiled condition; the nil condition fits every ticket.
type condition struct {
	program cel.Program
	cost    uint64 // at most
}

// conditions are those that were compiled in this process, by their text: what a text means never changes.
var conditions struct {
	sync.RWMutex
	known map[string]*condition
}

const keepConditions = 10_000

// compiled is compile for a text that was accepted before. One that no longer compiles fits nothing.
func compiled(text string) *condition {
	conditions.RLock()
	c, known := conditions.known[text]
	conditions.RUnlock()
	if known {
		return c
	}
	c, refused := compile(text)
	if refused != nil {
		c = &condition{}
	}
	conditions.Lock()
	defer conditions.Unlock()
	if conditions.known == nil || len(conditions.known) >= keepConditions {
		conditions.known = map[string]*condition{}
	}
	conditions.known[text] = c
	return c
}

// environment says which facts conditions may ask for.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.Variable("tags", cel.ListType(cel.StringType)), cel.Variable("custom", cel.MapType(cel.StringType, cel.DynType)),
		cel.ParserRecursionLimit(50), cel.ParserExpressionSizeLimit(maxCondition),
	}
	for _, name := range []string{"kind", "channel", "category", "queue", "grade", "tier"} {
		options = append(options, cel.Variable(name, cel.StringType))
	}
	for _, name := range []string{"impact", "urgency", "priority"} {
		options = append(options, cel.Variable(name, cel.IntType))
	}
	return cel.NewEnv(options...)
})

// compile makes a condition of its text, or says where it is wrong. Empty text gives the nil condition.
func compile(text string) (*condition, *refusal) {
	if text == "" {
		return nil, nil
	}
	refuse := func(code, format string, args ...any) (*condition, *refusal) {
		return nil, &refusal{[]problem.Field{{Code: code, Message: fmt.Sprintf(format, args...)}}}
	}
	if len(text) > maxCondition {
		return refuse("condition_too_long", "must be at most %d bytes", maxCondition)
	}
	env, err := environment()
	if err != nil {
		return refuse("condition_malformed", "conditions cannot be read here: %v", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		r := &refusal{}
		for _, e := range issues.Errors() {
			r.faults = append(r.faults, problem.Field{
				Code:    "condition_malformed",
				Message: fmt.Sprintf("line %d, column %d: %s", max(1, e.Location.Line()), e.Location.Column()+1, e.Message),
			})
		}
		return nil, r
	}
	if ast.OutputType() != cel.BoolType {
		return refuse("condition_not_bool", "line 1, column 1: must say yes or no; this gives %s", ast.OutputType())
	}
	cost, err := env.EstimateCost(ast, sizes{})
	if err != nil {
		return refuse("condition_malformed", "its cost cannot be told: %v", err)
	}
	if cost.Max > maxCost {
		return refuse("condition_too_costly", "may cost up to %d steps for a ticket; at most %d are allowed: nest fewer loops", cost.Max, maxCost)
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost))
	if err != nil {
		return refuse("condition_malformed", "cannot be run: %v", err)
	}
	return &condition{program, cost.Max}, nil
}

// sizes says how large facts can be at most.
type sizes struct{}

// EstimateSize is asked for what CEL cannot know.
func (sizes) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	most := uint64(longFact)
	switch path := element.Path(); {
	case len(path) == 1 && path[0] == "tags":
		most = manyTags
	case len(path) == 1 && path[0] == "custom":
		most = manyField
	case len(path) >= 1 && path[0] != "custom":
		most = shortFact
	}
	return &checker.SizeEstimate{Max: most}
}

// EstimateCallCost leaves the cost of functions to CEL.
func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// fits asks the condition about a ticket. One that cannot answer, such as for a custom field that the ticket lacks, does not
// fit, and the error says why.
func (c *condition) fits(f Facts) (bool, error) {
	if c == nil {
		return true, nil
	}
	if c.program == nil {
		return false, errors.New("it no longer compiles")
	}
	tags, custom := f.Tags, f.Custom
	if tags == nil {
		tags = []string{}
	}
	if custom == nil {
		custom = map[string]any{}
	}
	out, _, err := c.program.Eval(map[string]any{
		"kind": f.Kind, "channel": f.Channel, "category": f.Category, "queue": f.Queue, "impact": int64(f.Impact), "urgency": int64(f.Urgency),
		"priority": int64(f.Priority), "tags": tags, "custom": custom, "grade": f.Grade, "tier": f.Tier,
	})
	if err != nil {
		return false, err
	}
	fits, _ := out.Value().(bool)
	return fits, nil
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
