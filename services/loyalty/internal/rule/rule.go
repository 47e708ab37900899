// Package rule is the language in which a tenant says what an order earns: CEL over the order and its buyer, in which every number
// is exact.
package rule

import (
	"fmt"
	"math/big"
	"reflect"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/guanxi-crm/guanxi/platform/expression"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	maxText  = 2000 // bytes of an expression
	maxLines = 1000 // of an order that rules can see, which is as many as sales takes
	maxCode  = 100  // characters of an article's code, for the estimate of costs
	maxCost  = 50_000
)

// Order is what rules may ask about.
type Order struct {
	AmountMinor   int64 // of what earns, in minor units
	TotalMinor    int64 // of the whole order
	Digits        int   // of the currency's minor unit
	Currency      string
	Channel       string
	Units         int64
	Lines         []Line // that earn
	PlacedAt      time.Time
	Zone          *time.Location // the programme's
	Tier          string
	MemberSince   time.Time
	BirthdayMonth int // 1 to 12; 0: not known
	FirstPurchase bool
}

// Line is one line of an order.
type Line struct {
	SKU, Category string
	Quantity      int64
	AmountMinor   int64
}

// Number is what expressions give that say how many.
var Number = expression.Result{Code: "not_number", Says: "must give a number", Takes: func(t *cel.Type) bool {
	return t == numberType || t == cel.IntType || t == cel.DoubleType || t.TypeName() == numberType.TypeName()
}}

var (
	lineType = types.NewObjectType("line")
	// lineFields are the fields of a line.
	lineFields = map[string]*types.FieldType{
		"sku":          field(cel.StringType, func(l *line) any { return types.String(l.SKU) }),
		"category":     field(cel.StringType, func(l *line) any { return types.String(l.Category) }),
		"quantity":     field(cel.IntType, func(l *line) any { return types.Int(l.Quantity) }),
		"amount":       field(numberType, func(l *line) any { return major(l.AmountMinor, l.digits) }),
		"amount_minor": field(cel.IntType, func(l *line) any { return types.Int(l.AmountMinor) }),
	}
)

func field(t *cel.Type, get func(*line) any) *types.FieldType {
	return &types.FieldType{
		Type: t, IsSet: func(any) bool { return true },
		GetFrom: func(v any) (any, error) {
			l, ok := v.(*line)
			if !ok {
				return nil, fmt.Errorf("no line: %T", v)
			}
			return get(l), nil
		},
	}
}

// line is a line as CEL sees it.
type line struct {
	Line
	digits int
}

func (l *line) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a line cannot become a %v", t)
}
func (l *line) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a line cannot become a %s", t.TypeName())
}
func (l *line) Equal(other ref.Val) ref.Val { return types.Bool(l == other) }
func (l *line) Type() ref.Type              { return lineType }
func (l *line) Value() any                  { return l }

// provider knows lines beside what CEL knows.
type provider struct{ types.Provider }

func (p provider) FindStructType(name string) (*types.Type, bool) {
	if name == lineType.TypeName() {
		return types.NewTypeTypeWithParam(lineType), true
	}
	return p.Provider.FindStructType(name)
}

func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	if name == lineType.TypeName() {
		return []string{"sku", "category", "quantity", "amount", "amount_minor"}, true
	}
	return p.Provider.FindStructFieldNames(name)
}

func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name == lineType.TypeName() {
		f, ok := lineFields[field]
		return f, ok
	}
	return p.Provider.FindStructFieldType(name, field)
}

// replaced are the functions of CEL that reckon, or that could make numbers which are not exact.
var replaced = []string{
	operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Negate, operators.Less, operators.LessEquals,
	operators.Greater, operators.GreaterEquals, operators.Equals, operators.NotEquals, operators.Conditional, "double", "uint", "dyn",
}

// facts declares what may be asked for.
func facts() []cel.EnvOption {
	var without []*env.Function
	for _, name := range replaced {
		without = append(without, env.NewFunction(name))
	}
	registry, err := types.NewRegistry()
	if err != nil {
		return []cel.EnvOption{func(*cel.Env) (*cel.Env, error) { return nil, err }}
	}
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddExcludedFunctions(without...))), cel.CustomTypeProvider(provider{registry}),
		cel.Variable("amount", numberType), cel.Variable("total", numberType), cel.Variable("lines", cel.ListType(lineType)),
		cel.Variable("first_purchase", cel.BoolType),
	}
	for _, name := range []string{"currency", "channel", "tier"} {
		options = append(options, cel.Variable(name, cel.StringType))
	}
	for _, name := range []string{"amount_minor", "units", "member_days", "birthday_month", "month", "day", "weekday", "hour"} {
		options = append(options, cel.Variable(name, cel.IntType))
	}
	for _, name := range []string{"placed_at", "member_since"} {
		options = append(options, cel.Variable(name, cel.TimestampType))
	}
	return append(options, arithmetic()...)
}

// sizes says how large facts can be at most.
func sizes(path []string) uint64 {
	if len(path) == 1 && path[0] == "lines" {
		return maxLines
	}
	return maxCode
}

// callCost says what the functions cost that CEL does not know.
func callCost(function string, target *checker.AstNode, _ []checker.AstNode) *checker.CallEstimate {
	if function == "sum" && target != nil {
		return &checker.CallEstimate{CostEstimate: checker.CostEstimate{Min: 1, Max: maxLines}}
	}
	return nil
}

var (
	ofOrder = &expression.Language{
		Name: "rule", Subject: "an order", Facts: facts, MaxBytes: maxText, MaxCost: maxCost, Sizes: sizes, CallCost: callCost,
	}
	// ofLine is asked of each line of an order, which is why less is allowed.
	ofLine = &expression.Language{
		Name: "rule", Subject: "a line", MaxBytes: maxText, MaxCost: maxCost / maxLines * 10, Sizes: sizes, CallCost: callCost,
		Facts: withLine,
	}
	// ofEither is for questions about texts that were accepted.
	ofEither = &expression.Language{Name: "rule", Subject: "an order", MaxBytes: maxText, MaxCost: maxCost, Sizes: sizes, CallCost: callCost, Facts: withLine}
)

func withLine() []cel.EnvOption { return append(facts(), cel.Variable("line", lineType)) }

// CheckCondition names what keeps text from being a condition on orders, at the location. Empty text holds for all.
func CheckCondition(text, location string) []problem.Field {
	return check(ofOrder, text, location, expression.Bool)
}

// CheckLine names what keeps text from being a condition on a line. Empty text is none.
func CheckLine(text, location string) []problem.Field {
	return check(ofLine, text, location, expression.Bool)
}

// CheckNumber names what keeps text from saying how many.
func CheckNumber(text, location string) []problem.Field {
	if text == "" {
		return []problem.Field{{Location: location, Code: "rule_required", Message: "must give a number, such as amount / 10"}}
	}
	return check(ofOrder, text, location, Number)
}

func check(l *expression.Language, text, location string, want expression.Result) []problem.Field {
	if text == "" {
		return nil
	}
	_, faults := l.Compile(text, want)
	return expression.At(location, faults)
}

// Asks tells whether a text that was accepted asks for a fact.
func Asks(text, fact string) bool {
	if text == "" {
		return false
	}
	return ofEither.Known(text, anything).Asks(fact)
}

// anything takes every text.
var anything = expression.Result{Code: "any", Takes: func(*cel.Type) bool { return true }}

// Cost is what a text that was accepted may cost at most.
func Cost(text string) uint64 {
	if text == "" {
		return 0
	}
	return ofEither.Known(text, anything).Cost()
}

// Asked is an order that is asked about, again and again.
type Asked struct {
	*Order
	at    time.Time // in the zone
	lines ref.Val   // once it was asked for
	line  *line     // of which is asked; nil: of none
}

// Ask begins asking about an order.
func Ask(o *Order) *Asked { return &Asked{Order: o, at: o.PlacedAt.In(o.Zone)} }

// Holds asks a condition; empty text holds.
func (a *Asked) Holds(text string) (bool, error) {
	if text == "" {
		return true, nil
	}
	return ofOrder.Known(text, expression.Bool).Yes(a)
}

// HoldsFor asks a condition on a line of the order.
func (a *Asked) HoldsFor(text string, n int) (bool, error) {
	of := *a
	of.line = &line{a.Order.Lines[n], a.Digits}
	return ofLine.Known(text, expression.Bool).Yes(&of)
}

// Many asks how many.
func (a *Asked) Many(text string) (*big.Rat, error) {
	out, err := ofOrder.Known(text, Number).Eval(a)
	if err != nil {
		return nil, err
	}
	n, ok := exact(out)
	if !ok {
		return nil, fmt.Errorf("gave a %s", out.Type().TypeName())
	}
	return n, nil
}

// Parent is for CEL, which asks outer scopes for what is not known here.
func (a *Asked) Parent() cel.Activation { return nil }

// ResolveName is for CEL. Whatever is not asked for costs nothing.
func (a *Asked) ResolveName(name string) (any, bool) {
	switch name {
	case "amount":
		return major(a.AmountMinor, a.Digits), true
	case "amount_minor":
		return types.Int(a.AmountMinor), true
	case "total":
		return major(a.TotalMinor, a.Digits), true
	case "currency":
		return types.String(a.Currency), true
	case "channel":
		return types.String(a.Channel), true
	case "tier":
		return types.String(a.Tier), true
	case "units":
		return types.Int(a.Units), true
	case "first_purchase":
		return types.Bool(a.FirstPurchase), true
	case "lines":
		return a.seen(), true
	case "line":
		return a.line, a.line != nil
	case "birthday_month":
		return types.Int(a.BirthdayMonth), true
	default:
		return a.when(name)
	}
}

// when gives the facts about time.
func (a *Asked) when(name string) (any, bool) {
	switch name {
	case "placed_at":
		return types.Timestamp{Time: a.PlacedAt}, true
	case "member_since":
		return types.Timestamp{Time: a.MemberSince}, true
	case "member_days":
		return types.Int(max(0, int64(a.PlacedAt.Sub(a.MemberSince)/(24*time.Hour)))), true
	case "month":
		return types.Int(a.at.Month()), true
	case "day":
		return types.Int(a.at.Day()), true
	case "weekday":
		return types.Int((a.at.Weekday()+6)%7 + 1), true
	case "hour":
		return types.Int(a.at.Hour()), true
	}
	return nil, false
}

// seen gives the lines as CEL sees them.
func (a *Asked) seen() ref.Val {
	if a.lines == nil {
		all := make([]ref.Val, len(a.Order.Lines))
		for i := range all {
			all[i] = &line{a.Order.Lines[i], a.Digits}
		}
		a.lines = types.NewRefValList(types.DefaultTypeAdapter, all)
	}
	return a.lines
}

var tens = sync.OnceValue(func() (t [4]int64) {
	t[0] = 1
	for i := range t[1:] {
		t[i+1] = t[i] * 10
	}
	return t
})

// major gives an amount in major units, exactly.
func major(minor int64, digits int) number { return number{big.NewRat(minor, tens()[digits])} }
