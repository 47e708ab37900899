package customfield_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

func codes(faults []problem.Field) []string {
	out := []string{}
	for _, f := range faults {
		out = append(out, f.Location+" "+f.Code)
	}
	return out
}

func TestAFormIsKeptInOneShape(t *testing.T) {
	t.Parallel()
	form, faults := customfield.Form{Title: "  Oven \t side ", Type: customfield.Choice, Choices: []string{" left  one", "右"}}.Normalise()
	if len(faults) > 0 || form.Title != "Oven side" || !slices.Equal(form.Choices, []string{"left one", "右"}) {
		t.Fatalf("%+v %v", form, faults)
	}
	for name, c := range map[string]struct {
		form customfield.Form
		want []string
	}{
		"nothing":               {customfield.Form{}, []string{"title title_malformed", "type type_unknown"}},
		"a choice of nothing":   {customfield.Form{Title: "x", Type: customfield.Choices}, []string{"choices choices_required"}},
		"choices of a number":   {customfield.Form{Title: "x", Type: customfield.Number, Choices: []string{"a"}}, []string{"choices choices_unfit"}},
		"the same choice twice": {customfield.Form{Title: "x", Type: customfield.Choice, Choices: []string{"a", " a"}}, []string{"choices[1] choice_malformed"}},
	} {
		if _, faults := c.form.Normalise(); !slices.Equal(codes(faults), c.want) {
			t.Errorf("%s: got %q, want %q", name, codes(faults), c.want)
		}
	}
}

func TestWhatHasValuesIsNotLoosened(t *testing.T) {
	t.Parallel()
	was := customfield.Form{Title: "x", Type: customfield.Choice, Choices: []string{"a", "b"}}
	for name, c := range map[string]struct {
		to   customfield.Form
		want []string
	}{
		"another title":  {customfield.Form{Title: "y", Type: customfield.Choice, Choices: was.Choices}, []string{}},
		"one more":       {customfield.Form{Type: customfield.Choice, Choices: []string{"c", "b", "a"}}, []string{}},
		"one less":       {customfield.Form{Type: customfield.Choice, Choices: []string{"b"}}, []string{"choices field_in_use"}},
		"several at all": {customfield.Form{Type: customfield.Choices, Choices: was.Choices}, []string{"type field_in_use"}},
	} {
		if got := codes(was.Loosened(c.to)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestValuesTakeTheirForm(t *testing.T) {
	t.Parallel()
	find := func(name string) (customfield.Form, bool, bool) {
		kind := customfield.Type(strings.TrimPrefix(name, "old_"))
		return customfield.Form{Type: kind, Choices: []string{"red", "绿"}}, strings.HasPrefix(name, "old_"), slices.Contains(customfield.Types(), kind)
	}
	for _, c := range []struct{ field, raw, want string }{
		{"text", `" 多谢 "`, "多谢"}, {"integer", `-7`, "-7"}, {"number", `1.75`, "1.75"}, {"boolean", `false`, "false"},
		{"date", `"2024-02-29"`, "2024-02-29"}, {"choice", `"绿"`, "绿"}, {"choices", `["绿","red","绿"]`, "[red 绿]"},
		{"text", `1`, "f.text value_malformed"}, {"integer", `1.5`, "f.integer value_malformed"}, {"integer", `"7"`, "f.integer value_malformed"},
		{"number", `1e300`, "f.number value_malformed"}, {"boolean", `"true"`, "f.boolean value_malformed"}, {"date", `"2023-02-29"`, "f.date value_malformed"},
		{"choice", `"blue"`, "f.choice value_malformed"}, {"choices", `[]`, "f.choices value_malformed"},
		{"old_text", `"x"`, "f.old_text field_archived"}, {"hat", `1`, "f.hat field_unknown"}, {"Li Lei's", `1`, "f field_unknown"},
	} {
		values, removed, faults := customfield.Values(find, "f", map[string]json.RawMessage{c.field: json.RawMessage(c.raw)})
		got := fmt.Sprint(values[c.field])
		if len(faults) > 0 {
			got = codes(faults)[0]
		}
		if got != c.want || len(removed) > 0 {
			t.Errorf("%s %s: got %s, want %s", c.field, c.raw, got, c.want)
		}
	}
	_, removed, faults := customfield.Values(find, "f", map[string]json.RawMessage{"text": json.RawMessage("null"), "old_date": json.RawMessage("null")})
	if !slices.Equal(removed, []string{"old_date", "text"}) || len(faults) > 0 {
		t.Errorf("null removes %q, faults %v", removed, faults)
	}
}
