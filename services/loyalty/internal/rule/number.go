package rule

import (
	"fmt"
	"math/big"
	"reflect"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// numberType is an exact number: a fraction of two integers. In CEL's own arithmetic 5 / 2 is 2 and 0.1 + 0.2 is not 0.3; here
// neither is so, since points are money.
var numberType = types.NewObjectType("number")

// maxBits bounds numerators and denominators, far above all that points can come from.
const maxBits = 512

// number is a value of numberType.
type number struct{ r *big.Rat }

func (n number) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a number cannot become a %v", t)
}

func (n number) ConvertToType(t ref.Type) ref.Val {
	switch t.TypeName() {
	case types.StringType.TypeName():
		return types.String(n.r.RatString())
	case types.TypeType.TypeName():
		return numberType
	}
	return types.NewErr("a number cannot become a %s", t.TypeName())
}

// Equal compares with numbers of every kind.
func (n number) Equal(other ref.Val) ref.Val {
	o, ok := exact(other)
	return types.Bool(ok && n.r.Cmp(o) == 0)
}

func (n number) Type() ref.Type { return numberType }
func (n number) Value() any     { return n.r }

// exact gives a number of any kind as a fraction. What was written as 0.1 is a tenth.
func exact(v ref.Val) (*big.Rat, bool) {
	switch v := v.(type) {
	case number:
		return v.r, true
	case types.Int:
		return new(big.Rat).SetInt64(int64(v)), true
	case types.Double:
		return new(big.Rat).SetString(strconv.FormatFloat(float64(v), 'g', -1, 64))
	}
	return nil, false
}

// bounded gives a number that is not too large to reckon with.
func bounded(r *big.Rat) ref.Val {
	if r.Num().BitLen() > maxBits || r.Denom().BitLen() > maxBits {
		return types.NewErr("number too large")
	}
	return number{r}
}

// kinds of numbers, with their names in the ids of overloads. A function of numbers takes each of them.
var kinds = []struct {
	name string
	t    *cel.Type
}{{"number", numberType}, {"int", cel.IntType}, {"double", cel.DoubleType}}

// pairs declares a function of two numbers, one of which may be an integer where the other is none, that gives a number or
// what is said; f is asked whatever the arguments turn out to be.
func pairs(function string, gives *cel.Type, f func(a, b ref.Val) ref.Val, more ...cel.FunctionOpt) cel.EnvOption {
	opts := append([]cel.FunctionOpt{cel.SingletonBinaryBinding(f)}, more...)
	for _, a := range kinds {
		for _, b := range kinds {
			if a.t == cel.IntType && b.t == cel.IntType && staysInt[function] != "" {
				opts = append(opts, cel.Overload(staysInt[function], []*cel.Type{a.t, b.t}, a.t))
				continue
			}
			opts = append(opts, cel.Overload(fmt.Sprintf("exact_%s_%s_%s", function, a.name, b.name), []*cel.Type{a.t, b.t}, gives))
		}
	}
	return cel.Function(function, opts...)
}

// staysInt has the functions that make an integer of integers, with the ids of these overloads. They notice when a result is too
// large.
var staysInt = map[string]string{
	operators.Add: overloads.AddInt64, operators.Subtract: overloads.SubtractInt64, operators.Multiply: overloads.MultiplyInt64,
}

// reckon makes a function of numbers one of values; others is what it does with values that are not both numbers, or both
// integers.
func reckon(f func(a, b *big.Rat) ref.Val, others func(a, b ref.Val) ref.Val) func(a, b ref.Val) ref.Val {
	return func(x, y ref.Val) ref.Val {
		if others != nil {
			_, xInt := x.(types.Int)
			_, yInt := y.(types.Int)
			if xInt && yInt {
				return others(x, y)
			}
		}
		a, ok := exact(x)
		b, also := exact(y)
		switch {
		case ok && also:
			return f(a, b)
		case others != nil:
			return others(x, y)
		default:
			return types.NewErr("no number")
		}
	}
}

// arithmetic declares what can be done with numbers, in the place of CEL's own.
func arithmetic() []cel.EnvOption {
	list := cel.ListType(cel.TypeParamType("T"))
	add := func(a, b ref.Val) ref.Val { return a.(traits.Adder).Add(b) }
	options := []cel.EnvOption{
		pairs(operators.Add, numberType, reckon(func(a, b *big.Rat) ref.Val { return bounded(new(big.Rat).Add(a, b)) }, add),
			cel.Overload(overloads.AddString, []*cel.Type{cel.StringType, cel.StringType}, cel.StringType),
			cel.Overload(overloads.AddList, []*cel.Type{list, list}, list)),
		pairs(operators.Subtract, numberType, reckon(func(a, b *big.Rat) ref.Val { return bounded(new(big.Rat).Sub(a, b)) },
			func(a, b ref.Val) ref.Val { return a.(traits.Subtractor).Subtract(b) })),
		pairs(operators.Multiply, numberType, reckon(func(a, b *big.Rat) ref.Val { return bounded(new(big.Rat).Mul(a, b)) },
			func(a, b ref.Val) ref.Val { return a.(traits.Multiplier).Multiply(b) })),
		pairs(operators.Divide, numberType, reckon(func(a, b *big.Rat) ref.Val {
			if b.Sign() == 0 {
				return types.NewErr("division by zero")
			}
			return bounded(new(big.Rat).Quo(a, b))
		}, nil)),
		pairs("min", numberType, reckon(smaller, nil)),
		pairs("max", numberType, reckon(larger, nil)),
		cel.Function(operators.Negate,
			cel.Overload("negate_number", []*cel.Type{numberType}, numberType), cel.Overload(overloads.NegateDouble, []*cel.Type{cel.DoubleType}, numberType),
			cel.Overload(overloads.NegateInt64, []*cel.Type{cel.IntType}, cel.IntType), cel.SingletonUnaryBinding(negate)),
		cel.Function("sum", cel.SingletonUnaryBinding(sum), sumOf("sum_numbers", numberType), sumOf("sum_ints", cel.IntType), sumOf("sum_doubles", cel.DoubleType)),
	}
	for function, f := range map[string]func(*big.Rat) *big.Int{"floor": floor, "ceil": ceil, "round": halfUp} {
		opts := []cel.FunctionOpt{cel.SingletonUnaryBinding(func(v ref.Val) ref.Val {
			a, ok := exact(v)
			if !ok {
				return types.NewErr("no number")
			}
			return number{new(big.Rat).SetInt(f(a))}
		})}
		for _, k := range kinds {
			opts = append(opts, cel.Overload(function+"_"+k.name, []*cel.Type{k.t}, numberType))
		}
		options = append(options, cel.Function(function, opts...))
	}
	options = append(options, comparisons()...)
	return append(options, choices(list)...)
}

// choices declares what is equal to what, and which types of two the one that is chosen may have. An integer is compared with
// a number by writing the number first: CEL itself would say that they are never equal.
func choices(list *cel.Type) []cel.EnvOption {
	var equal, unequal, choose []cel.FunctionOpt
	same := []*cel.Type{numberType, cel.IntType, cel.DoubleType, cel.StringType, cel.BoolType, cel.TimestampType, cel.DurationType, lineType, list}
	for _, t := range same {
		equal = append(equal, cel.Overload("equals_"+t.TypeName(), []*cel.Type{t, t}, cel.BoolType))
		unequal = append(unequal, cel.Overload("not_equals_"+t.TypeName(), []*cel.Type{t, t}, cel.BoolType))
		choose = append(choose, cel.Overload("choose_"+t.TypeName(), []*cel.Type{cel.BoolType, t, t}, t))
	}
	for _, a := range kinds {
		for _, b := range kinds {
			if a.t == b.t {
				continue
			}
			choose = append(choose, cel.Overload("choose_"+a.name+"_"+b.name, []*cel.Type{cel.BoolType, a.t, b.t}, numberType))
			if a.t == numberType {
				equal = append(equal, cel.Overload("equals_number_"+b.name, []*cel.Type{a.t, b.t}, cel.BoolType))
				unequal = append(unequal, cel.Overload("not_equals_number_"+b.name, []*cel.Type{a.t, b.t}, cel.BoolType))
			}
		}
	}
	return []cel.EnvOption{cel.Function(operators.Equals, equal...), cel.Function(operators.NotEquals, unequal...), cel.Function(operators.Conditional, choose...)}
}

// comparisons declares which of two numbers is larger, which of two texts comes first and which of two times.
func comparisons() (options []cel.EnvOption) {
	for function, holds := range map[string]func(sign int) bool{
		operators.Less: func(sign int) bool { return sign < 0 }, operators.LessEquals: func(sign int) bool { return sign <= 0 },
		operators.Greater: func(sign int) bool { return sign > 0 }, operators.GreaterEquals: func(sign int) bool { return sign >= 0 },
	} {
		compare := func(a, b ref.Val) ref.Val {
			c, ok := a.(traits.Comparer)
			if !ok {
				return types.NewErr("cannot be compared")
			}
			sign, ok := c.Compare(b).(types.Int)
			if !ok {
				return types.NewErr("cannot be compared")
			}
			return types.Bool(holds(int(sign)))
		}
		options = append(options, pairs(function, cel.BoolType, reckon(func(a, b *big.Rat) ref.Val { return types.Bool(holds(a.Cmp(b))) }, compare),
			cel.Overload("exact_"+function+"_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType),
			cel.Overload("exact_"+function+"_timestamp", []*cel.Type{cel.TimestampType, cel.TimestampType}, cel.BoolType)))
	}
	return options
}

func larger(a, b *big.Rat) ref.Val {
	if a.Cmp(b) > 0 {
		return number{a}
	}
	return number{b}
}

func smaller(a, b *big.Rat) ref.Val {
	if a.Cmp(b) < 0 {
		return number{a}
	}
	return number{b}
}

func negate(v ref.Val) ref.Val {
	if n, ok := v.(types.Int); ok {
		return n.Negate()
	}
	a, ok := exact(v)
	if !ok {
		return types.NewErr("no number")
	}
	return number{new(big.Rat).Neg(a)}
}

// sumOf declares .sum() of a list.
func sumOf(id string, of *cel.Type) cel.FunctionOpt {
	return cel.MemberOverload(id, []*cel.Type{cel.ListType(of)}, numberType)
}

func sum(v ref.Val) ref.Val {
	list, ok := v.(traits.Lister)
	if !ok {
		return types.NewErr("no list")
	}
	total := new(big.Rat)
	for it := list.Iterator(); it.HasNext() == types.True; {
		one, ok := exact(it.Next())
		if !ok {
			return types.NewErr("no number")
		}
		if total.Add(total, one); total.Num().BitLen() > maxBits || total.Denom().BitLen() > maxBits {
			return types.NewErr("number too large")
		}
	}
	return number{total}
}

// floor is the largest integer that is not above r.
func floor(r *big.Rat) *big.Int { return new(big.Int).Div(r.Num(), r.Denom()) } // Div is Euclid's, and denominators are above zero

// ceil is the smallest integer that is not below r.
func ceil(r *big.Rat) *big.Int {
	n := floor(new(big.Rat).Neg(r))
	return n.Neg(n)
}

// halfUp is the nearest integer; of two as near as each other the larger.
func halfUp(r *big.Rat) *big.Int { return floor(new(big.Rat).Add(r, big.NewRat(1, 2))) }
