package filter

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

var (
	comparisons = []Op{Is, IsNot, Less, AtMost, More, AtLeast, Between, OneOf, IsKnown, IsUnknown}
	onText      = []Op{Is, IsNot, OneOf, IsKnown, IsUnknown}
	onDays      = []Op{Is, IsNot, Less, AtMost, More, AtLeast, Between, Within, Before, Next, IsKnown, IsUnknown}
	onInstants  = []Op{Less, AtMost, More, AtLeast, Between, Within, Before, Next, IsKnown, IsUnknown}
	onFlags     = []Op{Is, IsNot, IsKnown, IsUnknown}
	onCodes     = []Op{Contains, AnyOf, AllOf, NoneOf, IsKnown, IsUnknown}

	segmentCode = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

// Ops lists how fields of a type can be compared.
func Ops(t portrait.Type) []Op {
	switch t {
	case portrait.Text:
		return onText
	case portrait.Day:
		return onDays
	case portrait.Instant:
		return onInstants
	case portrait.Flag:
		return onFlags
	case portrait.Codes:
		return onCodes
	default:
		return comparisons
	}
}

// Check names what is wrong with a filter, each fault by its place in the JSON form below at, such as filter.all[1].value.
func Check(n Node, at string) []problem.Field {
	c := checker{}
	c.node(n, at, 1)
	if c.nodes > MaxNodes {
		return []problem.Field{{Location: at, Code: "too_large", Message: fmt.Sprintf("has more than %d conditions and groups", MaxNodes)}}
	}
	return c.faults
}

// maxFaults is how many faults are told at once.
const maxFaults = 20

type checker struct {
	faults []problem.Field
	nodes  int
}

func (c *checker) fault(at, code, format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, problem.Field{Location: at, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) node(n Node, at string, depth int) {
	c.nodes++
	switch {
	case c.nodes > MaxNodes:
	case depth > MaxDepth:
		c.fault(at, "too_deep", "is nested deeper than %d", MaxDepth)
	case n.Op == InSegment:
		if !segmentCode.MatchString(n.Segment) {
			c.fault(at+".segment", "invalid", "must be the code of a segment")
		}
	case n.leaf():
		c.condition(n, at)
	case n.Not != nil:
		c.node(*n.Not, at+".not", depth+1)
	default:
		name := "all"
		if n.Any != nil {
			name = "any"
		}
		for i, child := range n.children() {
			c.node(child, fmt.Sprintf("%s.%s[%d]", at, name, i), depth+1)
		}
	}
}

func (c *checker) condition(n Node, at string) {
	f, ok := portrait.Lookup(n.Field)
	if !ok {
		c.fault(at+".field", "unknown_field", "is not a field of customers' portraits%s; see GET /v1/analytics/fields", near(n.Field))
		return
	}
	ops := Ops(f.Type)
	if !slices.Contains(ops, n.Op) {
		c.fault(at+".op", "not_allowed", "%s is of the type %s, which can be compared by %s", f.Name, f.Type, list(ops))
		return
	}
	least, most := arity(n.Op)
	switch {
	case len(n.Values) < least || len(n.Values) > most:
		c.fault(at, "value_count", "%s of %s takes %s", n.Op, f.Name, howMany(least, most))
		return
	case n.Op == Within || n.Op == Before || n.Op == Next:
		if days, ok := n.Values[0].whole(); !ok || days < 0 || days > MaxDays {
			c.fault(at+".value", "days", "%s takes a whole number of days from 0 to %d", f.Name, MaxDays)
		}
		return
	}
	for i, v := range n.Values {
		if what := unfit(f.Type, v); what != "" {
			c.fault(valueAt(at, n, i), "value", "%s is of the type %s and %s", f.Name, f.Type, what)
		}
	}
	if n.Op == Between && len(c.faults) == 0 && order(f.Type, n.Values[0], n.Values[1]) > 0 {
		c.fault(at+".values", "order", "%s is between a smaller and a larger value, in this order", f.Name)
	}
}

func valueAt(at string, n Node, i int) string {
	if _, most := arity(n.Op); most == 1 {
		return at + ".value"
	}
	return fmt.Sprintf("%s.values[%d]", at, i)
}

// arity is how many values a comparison takes.
func arity(op Op) (least, most int) {
	switch op {
	case IsKnown, IsUnknown, InSegment:
		return 0, 0
	case Between:
		return 2, 2
	case OneOf, AnyOf, AllOf, NoneOf:
		return 1, MaxValues
	default:
		return 1, 1
	}
}

func howMany(least, most int) string {
	switch {
	case most == 0:
		return "no value"
	case least == most && most == 1:
		return "one value"
	case least == most:
		return fmt.Sprintf("%d values", most)
	default:
		return fmt.Sprintf("%d to %d values", least, most)
	}
}

// unfit says what a value of the type has to be, where v is not.
func unfit(t portrait.Type, v Value) string {
	switch t {
	case portrait.Number:
		if v.kind != numberValue || math.IsNaN(v.number) || math.Abs(v.number) > maxNumber {
			return "takes a number"
		}
	case portrait.Money:
		if _, ok := v.whole(); !ok {
			return "takes a whole number of minor units"
		}
	case portrait.Day:
		if _, ok := day(v); !ok {
			return "takes a day of the form 2006-01-02"
		}
	case portrait.Instant:
		if _, ok := instant(v); !ok {
			return "takes a day of the form 2006-01-02, which is its first moment in UTC, or an instant of RFC 3339"
		}
	case portrait.Flag:
		if v.kind != flagValue {
			return "takes true or false"
		}
	default:
		if v.kind != textValue || v.text == "" || utf8.RuneCountInString(v.text) > MaxLength || !printable(v.text) {
			return fmt.Sprintf("takes a text of 1 to %d characters", MaxLength)
		}
	}
	return ""
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

// order compares two fit values of numbers, days or instants.
func order(t portrait.Type, a, b Value) int {
	if t == portrait.Day || t == portrait.Instant {
		x, _ := instant(a)
		y, _ := instant(b)
		return x.Compare(y)
	}
	switch {
	case a.number < b.number:
		return -1
	case a.number > b.number:
		return 1
	default:
		return 0
	}
}

func day(v Value) (time.Time, bool) {
	if v.kind != textValue || len(v.text) != len(time.DateOnly) {
		return time.Time{}, false
	}
	d, err := time.Parse(time.DateOnly, v.text)
	return d, err == nil && d.Year() >= 1
}

// instant reads an instant, or a day as its first moment in UTC.
func instant(v Value) (time.Time, bool) {
	if d, ok := day(v); ok {
		return d, true
	}
	if v.kind != textValue {
		return time.Time{}, false
	}
	i, err := time.Parse(time.RFC3339Nano, v.text)
	return i.UTC().Truncate(time.Microsecond), err == nil && i.Year() >= 1
}

func list(ops []Op) string {
	words := make([]string, len(ops))
	for i, op := range ops {
		words[i] = string(op)
	}
	return strings.Join(words, ", ")
}

// near names the fields that begin alike, as a help against slips of the pen.
func near(name string) string {
	var like []string
	for _, f := range portrait.Fields() {
		if len(name) >= 3 && (strings.HasPrefix(f.Name, name[:3])) {
			like = append(like, f.Name)
		}
	}
	if len(like) == 0 {
		return ""
	}
	return "; there are " + strings.Join(like[:min(len(like), 5)], ", ")
}
