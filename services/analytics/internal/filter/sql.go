package filter

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// SQL gives the condition over a row of the table portrait, which the statement calls by no other name. Values become arguments:
// they are appended to args, and stand in the text as $n by their place there. Today is the placeholder of the day of the
// question, such as $2::date. A filter that Check finds faults with, or that names a segment that was not resolved, is an error.
//
// It is true where the filter holds, and false or null where it does not.
func (n Node) SQL(args *[]any, today string) (string, error) {
	c := compiler{args: args, today: today}
	return c.node(n, false)
}

type compiler struct {
	args  *[]any
	today string
}

func (c compiler) arg(v any) string {
	*c.args = append(*c.args, v)
	return fmt.Sprintf("$%d", len(*c.args))
}

// node compiles a node. Below a not, a condition on what is not known has to be false rather than null.
func (c compiler) node(n Node, strict bool) (string, error) {
	switch {
	case n.Op == InSegment:
		if n.members == uuid.Nil {
			return "", fmt.Errorf("segment %s of a filter was not resolved", n.Segment)
		}
		// The list keeps the ids that it was given; those that mean another customer by now are few, and looked up once.
		id := c.arg(n.members) + "::uuid"
		return `EXISTS (SELECT FROM segment_member m WHERE m.tenant_id = portrait.tenant_id AND m.segment_id = ` + id +
			` AND m.customer_id = portrait.customer_id) OR portrait.customer_id IN (SELECT a.root_id
			FROM customer_aliases(current_setting('app.tenant_id', true)) a JOIN segment_member m ON m.customer_id = a.customer_id
			WHERE m.tenant_id = current_setting('app.tenant_id', true) AND m.segment_id = ` + id + `)`, nil
	case n.leaf():
		s, err := c.condition(n)
		if err == nil && strict {
			s = "(" + s + ") IS TRUE"
		}
		return s, err
	case n.Not != nil:
		s, err := c.node(*n.Not, true)
		return "NOT (" + s + ")", err
	}
	word, empty := " AND ", "true"
	if n.Any != nil {
		word, empty = " OR ", "false"
	}
	parts := make([]string, 0, len(n.children()))
	for _, child := range n.children() {
		s, err := c.node(child, strict)
		if err != nil {
			return "", err
		}
		parts = append(parts, "("+s+")")
	}
	if len(parts) == 0 {
		return empty, nil
	}
	return strings.Join(parts, word), nil
}

// operators of comparisons that are the same in SQL for all types that have them.
var operators = map[Op]string{Is: " = ", IsNot: " IS DISTINCT FROM ", Less: " < ", AtMost: " <= ", More: " > ", AtLeast: " >= "}

func (c compiler) condition(n Node) (string, error) {
	if faults := Check(n, "filter"); len(faults) > 0 {
		return "", fmt.Errorf("%s %s", faults[0].Location, faults[0].Message)
	}
	f, _ := portrait.Lookup(n.Field)
	x := "(" + f.SQL(c.today) + ")"
	switch n.Op {
	case IsKnown:
		return known(f, x), nil
	case IsUnknown:
		return "NOT " + known(f, x), nil
	case Between:
		return x + " BETWEEN " + c.value(f, n.Values[0]) + " AND " + c.value(f, n.Values[1]), nil
	case OneOf:
		return x + " = ANY (" + c.set(f, n.Values) + ")", nil
	case Contains, AnyOf:
		return x + " && " + c.set(f, n.Values), nil
	case AllOf:
		return x + " @> " + c.set(f, n.Values), nil
	case NoneOf:
		return "NOT coalesce(" + x + " && " + c.set(f, n.Values) + ", false)", nil
	case Within, Before, Next:
		return c.days(f, x, n), nil
	default:
		return x + operators[n.Op] + c.value(f, n.Values[0]), nil
	}
}

// known is true where there is a value, and false elsewhere.
func known(f portrait.Field, x string) string {
	switch f.Type {
	case portrait.Text:
		return "(coalesce(" + x + ", '') <> '')"
	case portrait.Codes:
		return "(coalesce(cardinality(" + x + "), 0) > 0)"
	default:
		return "(" + x + " IS NOT NULL)"
	}
}

// days compares with a day that is so many days from today. An instant belongs to its day in UTC; the column stays bare.
func (c compiler) days(f portrait.Field, x string, n Node) string {
	days, _ := n.Values[0].whole()
	k := c.arg(int32(days)) + "::integer"
	first := func(day string) string {
		if f.Type == portrait.Instant {
			return "(((" + day + ")::timestamp) AT TIME ZONE 'UTC')"
		}
		return "(" + day + ")"
	}
	switch n.Op {
	case Within:
		return x + " >= " + first(c.today+" - "+k) + " AND " + x + " < " + first(c.today+" + 1")
	case Next:
		return x + " >= " + first(c.today) + " AND " + x + " < " + first(c.today+" + "+k+" + 1")
	default:
		return x + " < " + first(c.today+" - "+k)
	}
}

// value makes one argument of the field's type.
func (c compiler) value(f portrait.Field, v Value) string {
	switch f.Type {
	case portrait.Number, portrait.Money:
		if whole, ok := v.whole(); ok {
			return c.arg(whole) + "::bigint"
		}
		return c.arg(v.number) + "::double precision"
	case portrait.Day:
		d, _ := day(v)
		return c.arg(d) + "::date"
	case portrait.Instant:
		i, _ := instant(v)
		return c.arg(i) + "::timestamptz"
	case portrait.Flag:
		return c.arg(v.flag) + "::boolean"
	default:
		return c.arg(v.text) + "::text"
	}
}

// set makes one argument of all values of a list.
func (c compiler) set(f portrait.Field, values []Value) string {
	if f.Type == portrait.Number || f.Type == portrait.Money {
		numbers := make([]float64, len(values))
		for i, v := range values {
			numbers[i] = v.number
		}
		return c.arg(numbers) + "::double precision[]"
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.text
	}
	return c.arg(texts) + "::text[]"
}
