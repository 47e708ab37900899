package pricing

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// codeUnfair is the code of every fault of this kind.
const codeUnfair = "price_rule_unfair"

// profileWords are words of what is known of customers and of what they hold in their hands. A channel or a price list that bears
// one of them would be a way to read it.
var profileWords = []string{
	"grade", "tier", "risk", "device", "vip", "member", "segment", "profile", "score", "churn", "loyal", "age", "gender", "income",
	"ios", "android", "iphone", "ipad", "ipados", "huawei", "harmonyos", "xiaomi", "oppo", "vivo", "samsung", "mac", "macos", "windows",
	"browser", "safari", "chrome",
}

// reading is what a condition reads, as its text stands.
type reading struct {
	benefits []string // codes that it asks for
	words    []string // of the channels and price lists that it compares with, folded
	faults   []problem.Field
}

// unfair reads a condition and names everything in it by which a price could come to hang on who buys:
//
//   - a name that is no fact of the sale, whatever it is: only what [allFacts] lists may be read, so grade, tier, risk, device and
//     all else that is known of a customer stays out, also what nobody thought of;
//   - benefits in any form but "code" in benefits with the code written out, which lets each code be looked up: how many benefits
//     somebody has, or which ones in general, would tell the tier;
//   - channel and price_list in any form but a comparison with texts that are written out, and texts with a word of [profileWords].
//
// A text that cannot be parsed has no faults here; the compiler names them.
func unfair(text string) reading {
	env, err := parser()
	if err != nil {
		return reading{faults: []problem.Field{{Code: "condition_malformed", Message: "cannot be read here: " + err.Error()}}}
	}
	if len(text) > maxCondition {
		return reading{}
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return reading{}
	}
	w := walker{bound: map[string]int{}}
	w.walk(parsed.NativeRep().Expr())
	return w.reading
}

// parser only parses: what it declares does not matter.
var parser = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewCustomEnv(cel.StdLib(), cel.ParserExpressionSizeLimit(maxCondition))
})

// typeNames may stand in conditions as values.
var typeNames = []string{"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"}

// walker goes through a condition.
type walker struct {
	reading
	bound map[string]int // names that loops give, with how many loops around give them
}

func (w *walker) refuse(format string, args ...any) {
	w.faults = append(w.faults, problem.Field{Code: codeUnfair, Message: fmt.Sprintf(format, args...)})
}

// walk looks at an expression and all that is in it.
func (w *walker) walk(e ast.Expr) {
	switch e.Kind() {
	case ast.IdentKind:
		w.name(e.AsIdent())
	case ast.SelectKind:
		w.walk(e.AsSelect().Operand())
	case ast.CallKind:
		w.call(e.AsCall())
	case ast.ListKind:
		for _, el := range e.AsList().Elements() {
			w.walk(el)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.walk(entry.AsMapEntry().Key())
			w.walk(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			w.walk(field.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		w.loop(e.AsComprehension())
	}
}

func (w *walker) loop(c ast.ComprehensionExpr) {
	w.walk(c.IterRange())
	w.walk(c.AccuInit())
	names := []string{c.IterVar(), c.IterVar2(), c.AccuVar()}
	for _, n := range names {
		w.bound[n]++
	}
	for _, e := range []ast.Expr{c.LoopCondition(), c.LoopStep(), c.Result()} {
		w.walk(e)
	}
	for _, n := range names {
		w.bound[n]--
	}
}

// call looks at a function or an operator: those that may read what is guarded are taken apart.
func (w *walker) call(c ast.CallExpr) {
	args := c.Args()
	switch c.FunctionName() {
	case operators.In:
		if w.is(args[1], "benefits") {
			if code, ok := literal(args[0]); ok {
				w.benefits = append(w.benefits, code)
				return
			}
		}
		if w.is(args[0], "channel", "price_list") && args[1].Kind() == ast.ListKind && w.texts(args[1].AsList().Elements()) {
			return
		}
	case operators.Equals, operators.NotEquals:
		if w.is(args[0], "channel", "price_list") && w.texts(args[1:]) || w.is(args[1], "channel", "price_list") && w.texts(args[:1]) {
			return
		}
	}
	if c.IsMemberFunction() {
		w.walk(c.Target())
	}
	for _, a := range args {
		w.walk(a)
	}
}

// is tells whether e is one of the facts, and not what a loop calls by its name.
func (w *walker) is(e ast.Expr, facts ...string) bool {
	return e.Kind() == ast.IdentKind && slices.Contains(facts, e.AsIdent()) && w.bound[e.AsIdent()] == 0
}

// texts notes the words of texts that are written out; false where one is not.
func (w *walker) texts(all []ast.Expr) bool {
	for _, e := range all {
		text, ok := literal(e)
		if !ok {
			return false
		}
		words := strings.FieldsFunc(fold.Text(text), func(r rune) bool { return r == ' ' })
		for _, word := range words {
			if slices.Contains(profileWords, word) {
				w.refuse("compares with %q, which tells who the customer is or what they hold in their hands, not where or what they buy", text)
			}
		}
		w.words = append(w.words, append(words, text)...)
	}
	return true
}

// name looks at a name that stands by itself.
func (w *walker) name(name string) {
	name = strings.TrimPrefix(name, ".")
	switch {
	case w.bound[name] > 0 || slices.Contains(typeNames, name):
	case name == "benefits":
		w.refuse(`reads benefits as a whole, which would tell the customer's tier: ask for each by its code, such as "birthday" in benefits`)
	case name == "channel" || name == "price_list":
		w.refuse(`reads %s other than by comparing it with texts that are written out, such as %s == "shop"`, name, name)
	case !slices.ContainsFunc(allFacts(), func(f fact) bool { return f.name == name }):
		w.refuse("reads %s, which is no fact of the sale: a price hangs on %s, and on nothing that is known of the customer", name, factNames())
	}
}

func factNames() string {
	var names []string
	for _, f := range allFacts() {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}
