package filter_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

func parse(t require.TestingT, text string) filter.Node {
	n, faults := filter.Parse(text, "filter")
	require.Empty(t, faults, text)
	return n
}

func TestAFilterReadsWell(t *testing.T) {
	t.Parallel()
	for text, as := range map[string]string{
		`net_minor >= 100000 and last_purchase_on within 90 days and not tags has "vip"`: ``,
		`grade in ("top", "big") or predicted_value_minor > 5000000 and orders < 3`:      ``,
		`(grade = "top" or orders > 2) and contract_ends_on within next 30 days`:         ``,
		`not (orders between 1 and 3 or csat is unknown)`:                                ``,
		`not not buyer = true`: ``,
		`everyone`:             ``,
		`nobody or everyone`:   ``,
		`in segment champions and not in segment gone`:                                ``,
		`channels has all ("shop", "web") and products has none ("a\"b\\c")`:          ``,
		`last_contact_at before 30 days ago or registered_at >= 2026-01-31T10:00:00Z`: ``,
		`first_purchase_on = 2026-02-28`:                                              ``,
		`return_rate > 0.25 and contract_days >= -3`:                                  ``,
		"ORDERS > 1": "!",
		"  orders   >=1 AND\n(not tags HAS \"x\")": `orders >= 1 and not tags has "x"`,
		`((orders > 1))`:               `orders > 1`,
		`registered_at > "2026-01-31"`: `registered_at > 2026-01-31`,
		`orders > 1e3`:                 `orders > 1000`,
		`(orders > 1 and orders < 4) and units > 1 or ((orders = 9 or orders = 8))`: `(orders > 1 and orders < 4) and units > 1 or (orders = 9 or orders = 8)`,
		`churn_permille > -0`: `churn_permille > 0`,
		`kind != "person" and tags has any ("a", "b") and tags is known and csat in (1, 2)`: ``,
	} {
		if as == "!" {
			_, faults := filter.Parse(text, "filter")
			require.NotEmpty(t, faults, text)
			continue
		}
		if as == "" {
			as = text
		}
		require.Equal(t, as, parse(t, text).String())
	}
}

func TestTheTwoFormsOfAFilterAreOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := trees(4).Draw(t, "filter").Normal()
		require.Empty(t, filter.Check(n, "filter"))
		text := n.String()
		require.Equal(t, text, parse(t, text).String())
		data, err := json.Marshal(n)
		require.NoError(t, err)
		back, faults := filter.Decode(data, "filter")
		require.Empty(t, faults, "%s", data)
		again, err := json.Marshal(parse(t, text))
		require.NoError(t, err)
		require.JSONEq(t, string(data), string(again), text)
		require.Equal(t, text, back.String())
	})
}

// trees draws filters of all kinds.
func trees(depth int) *rapid.Generator[filter.Node] {
	return rapid.Custom(func(t *rapid.T) filter.Node {
		what := rapid.IntRange(0, 9).Draw(t, "what")
		switch {
		case depth <= 1 || what >= 5:
			return conditions().Draw(t, "condition")
		case what == 0:
			return filter.Node{Any: append([]filter.Node{}, rapid.SliceOfN(trees(depth-1), 0, 3).Draw(t, "any")...)}
		case what <= 2:
			return filter.Node{Any: rapid.SliceOfN(trees(depth-1), 1, 3).Draw(t, "any")}
		case what == 3:
			return filter.Node{All: rapid.SliceOfN(trees(depth-1), 0, 3).Draw(t, "all")}
		default:
			inner := trees(depth-1).Draw(t, "not")
			return filter.Node{Not: &inner}
		}
	})
}

var (
	texts    = rapid.SampledFrom([]string{"shop", "web", "person", "top", "vip", `a"b`, `c\d`, "2026", "x y", "名", "' OR 1=1 --", "true", "2026-01-01"})
	days     = rapid.SampledFrom([]string{"2025-12-31", "2026-01-01", "2026-02-27", "2026-02-28", "2026-03-01"})
	instants = rapid.SampledFrom([]string{"2026-02-27", "2026-02-28T00:00:00Z", "2026-02-28T23:59:59.999999Z", "2026-03-01T05:00:00+05:00"})
	numbers  = rapid.OneOf(rapid.Float64Range(-5, 10).AsAny(), rapid.IntRange(-3, 12).AsAny())
)

func number(v any) filter.Value {
	if f, ok := v.(float64); ok {
		return filter.Number(f)
	}
	i, _ := v.(int)
	return filter.Number(float64(i))
}

func valueOf(t *rapid.T, kind portrait.Type) filter.Value {
	switch kind {
	case portrait.Number:
		return number(numbers.Draw(t, "number"))
	case portrait.Money:
		return filter.Number(float64(rapid.IntRange(-3, 12).Draw(t, "money")))
	case portrait.Day:
		return filter.Text(days.Draw(t, "day"))
	case portrait.Instant:
		return filter.Text(instants.Draw(t, "instant"))
	case portrait.Flag:
		return filter.Flag(rapid.Bool().Draw(t, "flag"))
	default:
		return filter.Text(texts.Draw(t, "text"))
	}
}

func conditions() *rapid.Generator[filter.Node] {
	return rapid.Custom(func(t *rapid.T) filter.Node {
		f := rapid.SampledFrom(portrait.Fields()).Draw(t, "field")
		n := filter.Node{Field: f.Name, Op: rapid.SampledFrom(filter.Ops(f.Type)).Draw(t, "op")}
		many := 1
		switch n.Op {
		case filter.IsKnown, filter.IsUnknown:
			return n
		case filter.Within, filter.Before, filter.Next:
			n.Values = []filter.Value{filter.Number(float64(rapid.IntRange(0, 70).Draw(t, "days")))}
			return n
		case filter.Between:
			n.Values = []filter.Value{valueOf(t, f.Type), valueOf(t, f.Type)}
			if len(filter.Check(n, "filter")) > 0 {
				n.Values[0], n.Values[1] = n.Values[1], n.Values[0]
			}
			return n
		case filter.OneOf, filter.AnyOf, filter.AllOf, filter.NoneOf:
			many = rapid.IntRange(1, 3).Draw(t, "many")
		}
		for range many {
			n.Values = append(n.Values, valueOf(t, f.Type))
		}
		return n
	})
}

func TestAFaultyFilterSaysWhereAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"not":`, 11) + `{"all":[]}` + strings.Repeat(`}`, 11)
	for body, want := range map[string][3]string{
		`5`:    {"filter", "type", "object"},
		`null`: {"filter", "type", "object"},
		`{"field":"orders","op":"more","value":1,"x":2}`:                               {"filter", "unexpected_property", "values"},
		`{"all":[],"any":[]}`:                                                          {"filter", "ambiguous", "all"},
		`{"all":5}`:                                                                    {"filter.all", "type", "list"},
		`{"all":[{"field":"turnover","op":"more","value":1}]}`:                         {"filter.all[0].field", "unknown_field", "fields"},
		`{"all":[{"field":"net_money","op":"more","value":1}]}`:                        {"filter.all[0].field", "unknown_field", "net_minor"},
		`{"field":"orders","op":"contains","value":"x"}`:                               {"filter.op", "not_allowed", "at_least"},
		`{"field":"grade","op":"more","value":"x"}`:                                    {"filter.op", "not_allowed", "one_of"},
		`{"field":"net_minor","op":"more","value":1.5}`:                                {"filter.value", "value", "minor units"},
		`{"field":"net_minor","op":"more","value":"1"}`:                                {"filter.value", "value", "minor units"},
		`{"field":"orders","op":"more","value":null}`:                                  {"filter.value", "type", "number"},
		`{"field":"orders","op":"more"}`:                                               {"filter", "value_count", "one value"},
		`{"field":"orders","op":"between","values":[5,1]}`:                             {"filter.values", "order", "larger"},
		`{"field":"orders","op":"between","values":[5]}`:                               {"filter", "value_count", "2 values"},
		`{"field":"tags","op":"any_of","values":[]}`:                                   {"filter", "value_count", "1 to 500"},
		`{"field":"tags","op":"any_of","values":["a",""]}`:                             {"filter.values[1]", "value", "text of 1"},
		`{"field":"last_purchase_on","op":"within_days","value":-1}`:                   {"filter.value", "days", "0 to 36500"},
		`{"field":"last_purchase_on","op":"within_days","value":1.5}`:                  {"filter.value", "days", "0 to 36500"},
		`{"field":"last_purchase_on","op":"less","value":"2026-02-30"}`:                {"filter.value", "value", "2006-01-02"},
		`{"field":"registered_at","op":"less","value":"yesterday"}`:                    {"filter.value", "value", "RFC 3339"},
		`{"field":"buyer","op":"is","value":"true"}`:                                   {"filter.value", "value", "true or false"},
		`{"field":"buyer","value":true}`:                                               {"filter.op", "required", "in_segment"},
		`{"op":"in_segment"}`:                                                          {"filter.segment", "invalid", "code"},
		`{"op":"in_segment","segment":"A b"}`:                                          {"filter.segment", "invalid", "code"},
		`{"op":"in_segment","segment":"a","value":1}`:                                  {"filter", "ambiguous", "nothing else"},
		`{"field":"orders","op":"more","value":1,"values":[1]}`:                        {"filter", "ambiguous", "value and values"},
		`{"field":"orders","op":"more","value":1e300}`:                                 {"filter.value", "value", "number"},
		`{"field":"orders","op":5,"value":1}`:                                          {"filter.op", "type", "text"},
		deep:                                                                           {strings.Repeat("filter.not", 1) + strings.Repeat(".not", 9), "too_deep", "10"},
		`{"any":[` + strings.Repeat(`{"all":[]},`, 200) + `{"all":[]}]}`:               {"filter.any[199]", "too_large", "200"},
		`{"field":"tags","op":"any_of","values":[` + strings.Repeat(`1,`, 500) + `1]}`: {"filter.values", "too_large", "500"},
		`{"all":[` + strings.Repeat(" ", 40_000) + `]}`:                                {"filter", "too_large", "32768"},
	} {
		_, faults := filter.Decode([]byte(body), "filter")
		requireFault(t, body, faults, want)
	}
	for text, want := range map[string][3]string{
		``:                            {"filter", "syntax", "at character 1"},
		`orders`:                      {"filter", "syntax", "between"},
		`orders >`:                    {"filter", "syntax", "at character 9"},
		`orders > 1 orders > 2`:       {"filter", "syntax", "and, or"},
		`(orders > 1`:                 {"filter", "syntax", "closing bracket"},
		`tags has "x`:                 {"filter", "syntax", "no end"},
		`tags has "x\n"`:              {"filter", "syntax", "backslash"},
		`tags has any ()`:             {"filter", "syntax", "quotation marks"},
		`名 > 1`:                       {"filter", "syntax", "at character 1"},
		`orders > 1; drop table x`:    {"filter", "syntax", "at character 11"},
		`orders > 2026-13-01`:         {"filter", "syntax", "number"},
		`orders within 3`:             {"filter", "syntax", "days"},
		`last_purchase_on before 3`:   {"filter", "syntax", "days"},
		`csat is fine`:                {"filter", "syntax", "unknown"},
		`orders > "5"`:                {"filter.value", "value", "number"},
		`orders > 1 and turnover > 5`: {"filter.all[1].field", "unknown_field", "portraits"},
		strings.Repeat(`(`, 100):      {"filter", "syntax", "nested"},
		strings.Repeat(`not `, 100):   {"filter", "syntax", "nested"},
		strings.Repeat(`nobody or `, 300) + `nobody`: {"filter", "syntax", "200"},
	} {
		_, faults := filter.Parse(text, "filter")
		requireFault(t, text, faults, want)
	}
}

func requireFault(t *testing.T, what string, faults []problem.Field, want [3]string) {
	t.Helper()
	require.NotEmpty(t, faults, what)
	require.Equal(t, want[0], faults[0].Location, what)
	require.Equal(t, want[1], faults[0].Code, what)
	require.Contains(t, faults[0].Message, want[2], what)
}

func TestNoValueStandsInTheSQL(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := trees(4).Draw(t, "filter")
		args := []any{"music", "today"}
		sql, err := n.SQL(&args, "$2::date")
		require.NoError(t, err)
		for _, bad := range []string{"vip", "OR 1=1", "--", "2026", "\\", "名", ";"} {
			require.NotContains(t, sql, bad)
		}
	})
}

func TestFaultyFiltersAreNotCompiled(t *testing.T) {
	t.Parallel()
	for _, n := range []filter.Node{
		{Field: "orders; DROP TABLE portrait", Op: filter.More, Values: []filter.Value{filter.Number(1)}},
		{Field: "orders", Op: "> 1 OR true --", Values: []filter.Value{filter.Number(1)}},
		{Field: "orders", Op: filter.More, Values: []filter.Value{filter.Text("1")}},
		{Field: "orders", Op: filter.More},
		{Op: filter.InSegment, Segment: "vips"},
	} {
		var args []any
		_, err := filter.Node{Not: &n}.SQL(&args, "$1::date")
		require.Error(t, err)
	}
}

func TestWhatDependsOnToday(t *testing.T) {
	t.Parallel()
	for text, depends := range map[string]bool{
		"orders > 1":                           false,
		"everyone":                             false,
		"last_purchase_on > 2026-01-01":        false,
		"not last_purchase_on within 9 days":   true,
		"orders > 1 or recency_days > 9":       true,
		"mean_order_minor > 100":               false,
		"contract_ends_on within next 30 days": true,
	} {
		require.Equal(t, depends, parse(t, text).OnToday(), text)
	}
}
