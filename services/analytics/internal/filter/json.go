package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// MarshalJSON writes the filter as a JSON object: {"all": [...]}, {"any": [...]}, {"not": {...}}, {"field": ..., "op": ...,
// "value": ...} (or "values"), {"op": "in_segment", "segment": ...}. Everybody is {"all": []}.
func (n Node) MarshalJSON() ([]byte, error) {
	type list struct {
		All *[]Node `json:"all,omitempty"`
		Any *[]Node `json:"any,omitempty"`
	}
	switch {
	case n.leaf():
		c := struct {
			Field   string  `json:"field,omitempty"`
			Op      Op      `json:"op"`
			Value   *Value  `json:"value,omitempty"`
			Values  []Value `json:"values,omitempty"`
			Segment string  `json:"segment,omitempty"`
		}{Field: n.Field, Op: n.Op, Segment: n.Segment}
		if _, most := arity(n.Op); most == 1 && len(n.Values) == 1 {
			c.Value = &n.Values[0]
		} else {
			c.Values = n.Values
		}
		return json.Marshal(c)
	case n.Not != nil:
		return json.Marshal(map[string]*Node{"not": n.Not})
	case n.Any != nil:
		return json.Marshal(list{Any: &n.Any})
	default:
		all := n.All
		if all == nil {
			all = []Node{}
		}
		return json.Marshal(list{All: &all})
	}
}

// MarshalJSON writes the value as what it is.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case textValue:
		return json.Marshal(v.text)
	case flagValue:
		return json.Marshal(v.flag)
	default:
		return []byte(v.decimal()), nil
	}
}

// UnmarshalJSON reads what MarshalJSON wrote. What people send is read by Decode, which says where a fault stands.
func (n *Node) UnmarshalJSON(data []byte) error {
	read, faults := Decode(data, "filter")
	if len(faults) > 0 {
		return fmt.Errorf("%s %s", faults[0].Location, faults[0].Message)
	}
	*n = read
	return nil
}

// Decode reads a filter's JSON form and checks it; each fault names its place below at.
func Decode(data []byte, at string) (Node, []problem.Field) {
	if len(data) > MaxText {
		return Node{}, []problem.Field{{Location: at, Code: "too_large", Message: fmt.Sprintf("has more than %d bytes", MaxText)}}
	}
	d := decoder{}
	n := d.node(data, at, 1)
	if len(d.faults) > 0 {
		return Node{}, d.faults
	}
	if faults := Check(n, at); len(faults) > 0 {
		return Node{}, faults
	}
	return n.Normal(), nil
}

type decoder struct {
	checker
}

var parts = []string{"all", "any", "field", "not", "op", "segment", "value", "values"}

func (d *decoder) node(data []byte, at string, depth int) Node {
	d.nodes++
	var object map[string]json.RawMessage
	switch {
	case depth > MaxDepth:
		d.fault(at, "too_deep", "is nested deeper than %d", MaxDepth)
		return Node{}
	case d.nodes > MaxNodes:
		if d.nodes == MaxNodes+1 {
			d.fault(at, "too_large", "comes after more than %d conditions and groups", MaxNodes)
		}
		return Node{}
	case json.Unmarshal(data, &object) != nil || object == nil:
		d.fault(at, "type", "must be an object with all, any, not, or field and op")
		return Node{}
	}
	for name := range object {
		if !slices.Contains(parts, name) {
			d.fault(at, "unexpected_property", "has a part that filters do not have; they have all, any, not, field, op, value, values, segment")
			return Node{}
		}
	}
	for _, group := range []string{"all", "any", "not"} {
		if inner, ok := object[group]; ok {
			if len(object) > 1 {
				d.fault(at, "ambiguous", "has more beside %s, which stands alone", group)
				return Node{}
			}
			return d.group(group, inner, at, depth)
		}
	}
	return d.condition(object, at)
}

func (d *decoder) group(group string, data []byte, at string, depth int) Node {
	if group == "not" {
		inner := d.node(data, at+".not", depth+1)
		return Node{Not: &inner}
	}
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil || list == nil {
		d.fault(at+"."+group, "type", "must be a list of filters")
		return Node{}
	}
	nodes := make([]Node, 0, min(len(list), MaxNodes))
	for i, item := range list {
		if d.nodes > MaxNodes {
			break
		}
		nodes = append(nodes, d.node(item, fmt.Sprintf("%s.%s[%d]", at, group, i), depth+1))
	}
	if group == "any" {
		return Node{Any: nodes}
	}
	return Node{All: nodes}
}

func (d *decoder) condition(object map[string]json.RawMessage, at string) Node {
	var n Node
	text := func(name string, into *string) {
		if raw, ok := object[name]; ok {
			if err := json.Unmarshal(raw, into); err != nil || bytes.Equal(raw, []byte("null")) {
				d.fault(at+"."+name, "type", "must be a text")
			}
		}
	}
	var op string
	text("field", &n.Field)
	text("op", &op)
	text("segment", &n.Segment)
	n.Op = Op(op)
	_, one := object["value"]
	_, many := object["values"]
	switch {
	case op == "":
		d.fault(at+".op", "required", "says how the field is compared: %s", list([]Op{Is, IsNot, Less, AtMost, More, AtLeast, Between, OneOf,
			Contains, AnyOf, AllOf, NoneOf, IsKnown, IsUnknown, Within, Before, Next, InSegment}))
	case n.Op == InSegment && (n.Field != "" || one || many):
		d.fault(at, "ambiguous", "in_segment takes a segment and nothing else")
	case n.Op != InSegment && n.Segment != "":
		d.fault(at+".segment", "unexpected_property", "goes with in_segment only")
	case one && many:
		d.fault(at, "ambiguous", "has value and values")
	case one:
		n.Values = []Value{d.value(object["value"], at+".value")}
	case many:
		n.Values = d.values(object["values"], at+".values")
	}
	return n
}

func (d *decoder) values(data []byte, at string) []Value {
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil || items == nil {
		d.fault(at, "type", "must be a list")
		return nil
	}
	if len(items) > MaxValues {
		d.fault(at, "too_large", "has more than %d values", MaxValues)
		return nil
	}
	var values []Value
	for i, item := range items {
		values = append(values, d.value(item, fmt.Sprintf("%s[%d]", at, i)))
	}
	return values
}

func (d *decoder) value(data []byte, at string) Value {
	var (
		number float64
		text   string
		flag   bool
	)
	switch {
	case bytes.Equal(data, []byte("null")):
	case json.Unmarshal(data, &number) == nil:
		return Number(number)
	case json.Unmarshal(data, &text) == nil:
		return Text(text)
	case json.Unmarshal(data, &flag) == nil:
		return Flag(flag)
	}
	d.fault(at, "type", "must be a number, a text, true or false")
	return Value{}
}
