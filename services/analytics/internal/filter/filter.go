// Package filter is how customers are chosen: a tree of conditions on the fields of their portraits, written as JSON or as text
// that reads well, and compiled to SQL in which no value stands.
//
//	net_minor >= 100000 and last_purchase_on within 90 days and not tags has "vip"
//
// It is pure: it knows the catalogue of fields and nothing of databases.
package filter

import (
	"math"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// Op is how a field is compared.
type Op string

// The comparisons. Each either holds or does not: of a customer whose value is not known no comparison holds but IsNot, NoneOf
// and IsUnknown, and not turns every answer round.
const (
	Is        Op = "is"
	IsNot     Op = "is_not" // holds where Is does not, so also where nothing is known
	Less      Op = "less"
	AtMost    Op = "at_most"
	More      Op = "more"
	AtLeast   Op = "at_least"
	Between   Op = "between" // two values, both belong to it
	OneOf     Op = "one_of"
	Contains  Op = "contains" // of codes: has this one
	AnyOf     Op = "any_of"
	AllOf     Op = "all_of"
	NoneOf    Op = "none_of" // holds where AnyOf does not
	IsKnown   Op = "is_known"
	IsUnknown Op = "is_unknown"
	Within    Op = "within_days" // at most n days before today, and not after it; 0 is today
	Before    Op = "before_days" // more than n days before today
	Next      Op = "next_days"   // at most n days after today, and not before it; 0 is today
	InSegment Op = "in_segment"
)

// Bounds of one filter.
const (
	MaxDepth  = 10     // of nesting
	MaxNodes  = 200    // conditions and their groups together, those of the segments it names included
	MaxValues = 500    // of one condition
	MaxLength = 200    // characters of a text value
	MaxText   = 32_768 // bytes of a filter as text or as JSON
	MaxDays   = 36_500 // of a condition on days
	maxNumber = 1 << 53
)

// Node is a condition or a group of them: exactly one of All, Any, Not, and Op is there. The zero Node holds for everybody, as
// does an empty All; an empty Any holds for nobody.
type Node struct {
	All []Node // all hold
	Any []Node // at least one holds; not nil where it is meant
	Not *Node

	Field   string // name in the catalogue of portraits
	Op      Op
	Values  []Value // one, or as many as the comparison takes
	Segment string  // code, of InSegment

	members uuid.UUID // the list that Segment stands for, once it is resolved
}

// Everyone holds for everybody, Nobody for nobody.
func Everyone() Node { return Node{} }

// Nobody holds for nobody.
func Nobody() Node { return Node{Any: []Node{}} }

// Members holds for those who are in the list of a segment. It is what a segment's code is resolved to where its members are
// kept and not reckoned, and has no written form of its own.
func Members(segment uuid.UUID) Node { return Node{Op: InSegment, members: segment} }

// Value is a number, a text, or a truth. Days are texts of the form 2006-01-02, instants of RFC 3339.
type Value struct {
	kind   valueKind
	number float64
	text   string
	flag   bool
}

type valueKind byte

const (
	numberValue valueKind = iota
	textValue
	flagValue
)

// Number makes a value of a number.
func Number(n float64) Value { return Value{kind: numberValue, number: n + 0} } // there is no negative zero

// Text makes a value of text, a day or an instant.
func Text(s string) Value { return Value{kind: textValue, text: s} }

// Flag makes a value of yes or no.
func Flag(b bool) Value { return Value{kind: flagValue, flag: b} }

func (v Value) whole() (int64, bool) {
	if v.kind != numberValue || v.number != math.Trunc(v.number) || math.Abs(v.number) > maxNumber {
		return 0, false
	}
	return int64(v.number), true
}

// decimal writes the number in full, so that reading it gives the same number.
func (v Value) decimal() string { return strconv.FormatFloat(v.number, 'f', -1, 64) }

// leaf tells whether the node is a condition.
func (n Node) leaf() bool { return n.Op != "" }

// everyone tells whether the node is the group without conditions.
func (n Node) everyone() bool { return n.Op == "" && n.Not == nil && n.Any == nil && len(n.All) == 0 }

// children gives the nodes right below.
func (n Node) children() []Node {
	switch {
	case n.Not != nil:
		return []Node{*n.Not}
	case n.Any != nil:
		return n.Any
	default:
		return n.All
	}
}

// rebuild gives the node with other children.
func (n Node) rebuild(children []Node) Node {
	switch {
	case n.leaf() || len(children) == 0:
		return n
	case n.Not != nil:
		return Node{Not: &children[0]}
	case n.Any != nil:
		return Node{Any: children}
	default:
		return Node{All: children}
	}
}

// Normal gives the filter as it is kept: groups of one are what they hold.
func (n Node) Normal() Node {
	var children []Node
	for _, c := range n.children() {
		children = append(children, c.Normal())
	}
	if len(children) == 1 && n.Not == nil {
		return children[0]
	}
	return n.rebuild(children)
}

// walk calls f with every node, from the root on.
func (n Node) walk(f func(Node)) {
	f(n)
	for _, c := range n.children() {
		c.walk(f)
	}
}

// Size is the number of nodes.
func (n Node) Size() int {
	var size int
	n.walk(func(Node) { size++ })
	return size
}

// Segments lists the codes of the segments that the filter names, each once, sorted.
func (n Node) Segments() []string {
	var codes []string
	n.walk(func(c Node) {
		if c.Op == InSegment && c.Segment != "" {
			codes = append(codes, c.Segment)
		}
	})
	slices.Sort(codes)
	return slices.Compact(codes)
}

// Fields lists the names of the fields that the filter asks for, each once, sorted.
func (n Node) Fields() []string {
	var names []string
	n.walk(func(c Node) {
		if c.leaf() && c.Op != InSegment {
			names = append(names, c.Field)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// Resolve puts what their codes mean in the place of segments: their filters, or Members.
func (n Node) Resolve(meaning func(code string) (Node, error)) (Node, error) {
	if n.Op == InSegment && n.members == uuid.Nil {
		return meaning(n.Segment)
	}
	children := make([]Node, 0, len(n.children()))
	for _, c := range n.children() {
		r, err := c.Resolve(meaning)
		if err != nil {
			return n, err
		}
		children = append(children, r)
	}
	return n.rebuild(children), nil
}

// OnToday tells whether who is chosen depends on what day it is, so that it changes although nothing is heard of anybody.
func (n Node) OnToday() bool {
	var depends bool
	n.walk(func(c Node) {
		switch c.Op {
		case Within, Before, Next:
			depends = true
		case "", InSegment:
		default:
			f, ok := portrait.Lookup(c.Field)
			depends = depends || ok && f.SQL("a") != f.SQL("b")
		}
	})
	return depends
}
