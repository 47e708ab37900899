package filter

import (
	"strings"
)

// The text form, weakest first:
//
//	filter     = and { "or" and }
//	and        = unary { "and" unary }
//	unary      = "not" unary | "(" filter ")" | "everyone" | "nobody" | condition
//	condition  = "in" "segment" code
//	           | field ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
//	           | field "between" value "and" value
//	           | field "in" "(" value { "," value } ")"
//	           | field "has" ( value | ( "any" | "all" | "none" ) "(" value { "," value } ")" )
//	           | field "is" ( "known" | "unknown" )
//	           | field "within" [ "next" ] n "days"
//	           | field "before" n "days" "ago"
//	value      = number | "text" | day | instant | "true" | "false"
//
// Words of the form may be written in capitals. In a text, \" is a quotation mark and \\ a backslash.

// symbols are comparisons that are written by a sign.
var symbols = map[Op]string{Is: "=", IsNot: "!=", Less: "<", AtMost: "<=", More: ">", AtLeast: ">="}

// lists are comparisons with a list of values.
var lists = map[Op]string{OneOf: "in", AnyOf: "has any", AllOf: "has all", NoneOf: "has none"}

// String gives the filter as text, from which Parse gives the same filter.
func (n Node) String() string {
	var b strings.Builder
	n.print(&b)
	return b.String()
}

func (n Node) print(b *strings.Builder) {
	word := " and "
	switch {
	case n.leaf():
		n.printCondition(b)
		return
	case n.Not != nil:
		b.WriteString("not ")
		n.Not.printInner(b, n.Not.leaf() || n.Not.Not != nil)
		return
	case n.everyone():
		b.WriteString("everyone")
		return
	case n.Any != nil && len(n.Any) == 0:
		b.WriteString("nobody")
		return
	case n.Any != nil:
		word = " or "
	}
	for i, c := range n.children() {
		if i > 0 {
			b.WriteString(word)
		}
		// An "and" binds closer than an "or", and needs no brackets there.
		c.printInner(b, c.leaf() || c.Not != nil || n.Any != nil && c.Any == nil)
	}
}

func (n Node) printInner(b *strings.Builder, bare bool) {
	if bare || len(n.children()) == 0 {
		n.print(b)
		return
	}
	b.WriteByte('(')
	n.print(b)
	b.WriteByte(')')
}

func (n Node) printCondition(b *strings.Builder) {
	if n.Op == InSegment {
		b.WriteString("in segment " + n.Segment)
		return
	}
	b.WriteString(n.Field + " ")
	if sign, ok := symbols[n.Op]; ok {
		b.WriteString(sign + " ")
		n.printValue(b, 0)
		return
	}
	if word, ok := lists[n.Op]; ok {
		b.WriteString(word + " (")
		for i := range n.Values {
			if i > 0 {
				b.WriteString(", ")
			}
			n.printValue(b, i)
		}
		b.WriteByte(')')
		return
	}
	switch n.Op {
	case Contains:
		b.WriteString("has ")
		n.printValue(b, 0)
	case Between:
		b.WriteString("between ")
		n.printValue(b, 0)
		b.WriteString(" and ")
		n.printValue(b, 1)
	case IsKnown:
		b.WriteString("is known")
	case IsUnknown:
		b.WriteString("is unknown")
	case Within:
		b.WriteString("within ")
		n.printValue(b, 0)
		b.WriteString(" days")
	case Next:
		b.WriteString("within next ")
		n.printValue(b, 0)
		b.WriteString(" days")
	case Before:
		b.WriteString("before ")
		n.printValue(b, 0)
		b.WriteString(" days ago")
	default:
		b.WriteString(string(n.Op))
	}
}

func (n Node) printValue(b *strings.Builder, i int) {
	if i >= len(n.Values) {
		b.WriteByte('?')
		return
	}
	v := n.Values[i]
	switch v.kind {
	case numberValue:
		b.WriteString(v.decimal())
	case flagValue:
		if v.flag {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	default:
		if _, ok := instant(v); ok && bareText(v.text) {
			b.WriteString(v.text) // a day or an instant; read back as the same text
			return
		}
		b.WriteByte('"')
		for _, r := range v.text {
			if r == '"' || r == '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		b.WriteByte('"')
	}
}
