// Package expression is for rules that users write, in CEL: which ticket a policy is for, what an order earns. A text is checked
// when it is written, with everything that is wrong named by line and column, and with an estimate of what it may cost at
// most; whoever asks it later never waits longer than that.
package expression

import (
	"errors"
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types/ref"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// keep is how many texts of a language are kept compiled in a process.
const keep = 10_000

// maxNesting bounds brackets within brackets.
const maxNesting = 50

// Language is what expressions of some sort may say.
type Language struct {
	Name    string // of an expression, in the codes of faults: condition gives condition_malformed
	Subject string // what it is asked about, in words: a ticket
	// Facts are what may be asked for. They are called once, when the first expression is read.
	Facts    func() []cel.EnvOption
	MaxBytes int // of a text
	// MaxCost bounds what an expression may cost, in CEL's units of about one comparison: what it may cost at most is estimated
	// when it is written, and what it does cost is counted when it is asked.
	MaxCost uint64
	// Sizes gives how large a fact may be at most: characters, members of a list, keys of a map. The path is the fact's name, then
	// fields; @items stands for the members of a list.
	Sizes func(path []string) uint64
	// CallCost may say what a function of the language costs; nil, or nil as its answer, leaves that to CEL.
	CallCost func(function string, target *checker.AstNode, args []checker.AstNode) *checker.CallEstimate

	once  sync.Once
	env   *cel.Env
	fault error

	lock  sync.RWMutex
	known map[key]*Expression
}

type key struct{ text, result string }

// Result is what expressions in some place have to give.
type Result struct {
	Code  string // of the fault where they do not, behind the language's name: not_bool
	Says  string // what it has to be, in words: must say yes or no
	Takes func(*cel.Type) bool
}

// Bool is yes or no.
var Bool = Result{Code: "not_bool", Says: "must say yes or no", Takes: func(t *cel.Type) bool { return t == cel.BoolType }}

// Expression is a compiled text. The zero Expression cannot answer.
type Expression struct {
	program cel.Program
	cost    uint64
	asks    map[string]bool
}

// Cost is what it may cost at most, in CEL's units.
func (e *Expression) Cost() uint64 { return e.cost }

// Asks tells whether it asks for a fact.
func (e *Expression) Asks(fact string) bool { return e.asks[fact] }

// errNoProgram is said of a text that was accepted by another version of the program.
var errNoProgram = errors.New("it no longer compiles")

// Eval asks the expression. One that cannot answer, such as for a division by zero, gives an error that says why.
func (e *Expression) Eval(facts any) (ref.Val, error) {
	if e.program == nil {
		return nil, errNoProgram
	}
	out, _, err := e.program.Eval(facts)
	return out, err
}

// Yes is Eval for what gives Bool.
func (e *Expression) Yes(facts any) (bool, error) {
	out, err := e.Eval(facts)
	if err != nil {
		return false, err
	}
	yes, _ := out.Value().(bool)
	return yes, nil
}

// Known is Compile for a text that was accepted before: it is compiled once in a process, since what a text means never
// changes. One that no longer compiles cannot answer.
func (l *Language) Known(text string, want Result) *Expression {
	k := key{text, want.Code}
	l.lock.RLock()
	e, known := l.known[k]
	l.lock.RUnlock()
	if known {
		return e
	}
	e, faults := l.Compile(text, want)
	if len(faults) > 0 {
		e = &Expression{}
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if first, known := l.known[k]; known {
		return first // somebody else was faster
	}
	if l.known == nil || len(l.known) >= keep {
		l.known = make(map[key]*Expression)
	}
	l.known[k] = e
	return e
}

// Compile makes an expression of its text, or names all that is wrong with it, without a location.
func (l *Language) Compile(text string, want Result) (*Expression, []problem.Field) {
	refuse := func(code, format string, args ...any) (*Expression, []problem.Field) {
		return nil, []problem.Field{{Code: l.Name + "_" + code, Message: fmt.Sprintf(format, args...)}}
	}
	if len(text) > l.MaxBytes {
		return refuse("too_long", "must be at most %d bytes", l.MaxBytes)
	}
	env, err := l.environment()
	if err != nil {
		return refuse("malformed", "cannot be read here: %v", err)
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		var faults []problem.Field
		for _, e := range issues.Errors() {
			faults = append(faults, problem.Field{
				Code:    l.Name + "_malformed",
				Message: fmt.Sprintf("line %d, column %d: %s", max(1, e.Location.Line()), e.Location.Column()+1, e.Message),
			})
		}
		return nil, faults
	}
	if !want.Takes(checked.OutputType()) {
		return refuse(want.Code, "line 1, column 1: %s; this gives %s", want.Says, checked.OutputType())
	}
	cost, err := env.EstimateCost(checked, sizes{l})
	if err != nil {
		return refuse("malformed", "its cost cannot be told: %v", err)
	}
	if cost.Max > l.MaxCost {
		return refuse("too_costly", "may cost up to %d steps for %s; at most %d are allowed: nest fewer loops", cost.Max, l.Subject, l.MaxCost)
	}
	program, err := env.Program(checked, cel.CostLimit(l.MaxCost))
	if err != nil {
		return refuse("malformed", "cannot be run: %v", err)
	}
	asks := make(map[string]bool)
	for _, r := range checked.NativeRep().ReferenceMap() {
		noteName(asks, r)
	}
	return &Expression{program, cost.Max, asks}, nil
}

func noteName(asks map[string]bool, r *ast.ReferenceInfo) {
	if r.Name != "" {
		asks[r.Name] = true
	}
}

func (l *Language) environment() (*cel.Env, error) {
	l.once.Do(func() {
		l.env, l.fault = cel.NewCustomEnv(append(l.Facts(), cel.ParserRecursionLimit(maxNesting), cel.ParserExpressionSizeLimit(l.MaxBytes))...)
	})
	return l.env, l.fault
}

// sizes says how large facts can be at most.
type sizes struct{ of *Language }

// EstimateSize is asked for what CEL cannot know.
func (s sizes) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	return &checker.SizeEstimate{Max: s.of.Sizes(element.Path())}
}

// EstimateCallCost is asked for every function.
func (s sizes) EstimateCallCost(function, _ string, target *checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	if s.of.CallCost == nil {
		return nil
	}
	return s.of.CallCost(function, target, args)
}

// At puts faults where the text stood.
func At(location string, faults []problem.Field) []problem.Field {
	for i := range faults {
		faults[i].Location = location
	}
	return faults
}
