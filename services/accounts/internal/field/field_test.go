package field_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func codes(faults []problem.Field) []string {
	out := []string{}
	for _, f := range faults {
		out = append(out, f.Location+" "+f.Code)
	}
	return out
}

func TestDefineNamesEveryFault(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("名", 201)
	cases := []struct {
		name  string
		draft field.Definition
		want  []string
	}{
		{"a text", field.Definition{Name: "shoe_size", Title: "Shoe size", Type: field.Text, Class: access.Behaviour}, []string{}},
		{"a choice", field.Definition{Name: "diet", Title: "饮食", Type: field.Choice, Choices: []string{"清真", "vegan"}, Class: access.Health}, []string{}},
		{"nothing", field.Definition{}, []string{"title title_malformed", "type type_unknown", "class class_unknown", "name name_malformed"}},
		{"a name in capitals", field.Definition{Name: "Shoe", Title: "x", Type: field.Text, Class: access.Behaviour}, []string{"name name_malformed"}},
		{"a name that begins with a digit", field.Definition{Name: "1st", Title: "x", Type: field.Text, Class: access.Behaviour}, []string{"name name_malformed"}},
		{"a title too long", field.Definition{Name: "x", Title: long, Type: field.Text, Class: access.Behaviour}, []string{"title title_malformed"}},
		{"a choice of nothing", field.Definition{Name: "x", Title: "x", Type: field.Choices, Class: access.Behaviour}, []string{"choices choices_required"}},
		{"choices of a text", field.Definition{Name: "x", Title: "x", Type: field.Text, Choices: []string{"a"}, Class: access.Behaviour}, []string{"choices choices_unfit"}},
		{"a choice twice", field.Definition{Name: "x", Title: "x", Type: field.Choice, Choices: []string{"a", " a "}, Class: access.Behaviour}, []string{"choices[1] choice_malformed"}},
		{"an empty choice", field.Definition{Name: "x", Title: "x", Type: field.Choice, Choices: []string{" "}, Class: access.Behaviour}, []string{"choices[0] choice_malformed"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, faults := field.Define(c.draft, noon); !slices.Equal(codes(faults), c.want) {
				t.Fatalf("got %q, want %q", codes(faults), c.want)
			}
		})
	}
}

func TestAFieldInUseIsNotLoosened(t *testing.T) {
	t.Parallel()
	was, faults := field.Define(field.Definition{
		Name: "diet", Title: "Diet", Type: field.Choice, Choices: []string{"halal", "vegan"}, Class: access.Financial,
	}, noon)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	change := func(f func(*field.Definition)) field.Definition { d := was; f(&d); return d }
	cases := []struct {
		name        string
		to          field.Definition
		free, inUse []string // faults
	}{
		{"another title", change(func(d *field.Definition) { d.Title = "Food" }), []string{}, []string{}},
		{"archived", change(func(d *field.Definition) { d.Archived = true }), []string{}, []string{}},
		{"a class more protected", change(func(d *field.Definition) { d.Class = access.Health }), []string{}, []string{}},
		{"a class less protected", change(func(d *field.Definition) { d.Class = access.Behaviour }), []string{}, []string{"class field_in_use"}},
		{"one choice more", change(func(d *field.Definition) { d.Choices = []string{"kosher", "vegan", "halal"} }), []string{}, []string{}},
		{"one choice less", change(func(d *field.Definition) { d.Choices = []string{"halal"} }), []string{}, []string{"choices field_in_use"}},
		{"another type", change(func(d *field.Definition) { d.Type = field.Choices }), []string{}, []string{"type field_in_use"}},
		{"no type", change(func(d *field.Definition) { d.Type = "" }),
			[]string{"type type_unknown", "choices choices_unfit"}, []string{"type type_unknown", "choices choices_unfit", "type field_in_use"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for used, want := range map[bool][]string{false: c.free, true: c.inUse} {
				of := was
				of.Used = used
				now, changed, faults := of.Change(c.to, noon.Add(time.Hour))
				if !slices.Equal(codes(faults), want) || changed != (len(want) == 0) {
					t.Errorf("used %v: changed %v, faults %q, want %q", used, changed, codes(faults), want)
				}
				if changed && (now.Version != 2 || now.Name != "diet" || now.CreatedAt != noon) {
					t.Errorf("%+v", now)
				}
			}
		})
	}
	if _, changed, _ := was.Change(was, noon); changed {
		t.Error("a change to the same counts")
	}
}

func TestValuesAreHeldToTheirType(t *testing.T) {
	t.Parallel()
	set := field.Set{"old": {Name: "old", Type: field.Text, Archived: true}}
	for _, kind := range field.Types() {
		set[string(kind)] = field.Definition{Name: string(kind), Type: kind, Choices: []string{"red", "绿"}}
	}
	const bad = "value_malformed"
	cases := []struct{ name, field, raw, want, fault string }{
		{"a text", "text", `" 多谢 "`, `多谢`, ""},
		{"a text of two lines", "text", `"a\nb"`, "a\nb", ""},
		{"an empty text", "text", `" "`, "", bad},
		{"a text with a bell", "text", `"a\u0007"`, "", bad},
		{"a text of 2000 characters", "text", `"` + strings.Repeat("字", 2000) + `"`, strings.Repeat("字", 2000), ""},
		{"a text of 2001", "text", `"` + strings.Repeat("字", 2001) + `"`, "", bad},
		{"a number for a text", "text", `1`, "", bad},
		{"a whole number", "integer", `-7`, "-7", ""},
		{"the largest", "integer", `9007199254740991`, "9007199254740991", ""},
		{"one more", "integer", `9007199254740992`, "", bad},
		{"a fraction", "integer", `1.5`, "", bad},
		{"a whole number in quotes", "integer", `"7"`, "", bad},
		{"a number", "number", `1.75`, "1.75", ""},
		{"a huge number", "number", `1e300`, "", bad},
		{"a number beyond all", "number", `1e999`, "", bad},
		{"a boolean", "boolean", `false`, "false", ""},
		{"a boolean in quotes", "boolean", `"true"`, "", bad},
		{"a date", "date", `"2024-02-29"`, "2024-02-29", ""},
		{"a date that never was", "date", `"2023-02-29"`, "", bad},
		{"a date with a time", "date", `"2023-02-28T00:00:00Z"`, "", bad},
		{"a choice", "choice", `"绿"`, "绿", ""},
		{"no choice of these", "choice", `"blue"`, "", bad},
		{"choices in their order, once", "choices", `["绿","red","绿"]`, "[red 绿]", ""},
		{"no choices", "choices", `[]`, "", bad},
		{"one choice that is none", "choices", `["red","blue"]`, "", bad},
		{"a choice for choices", "choices", `"red"`, "", bad},
		{"an object", "text", `{"a":1}`, "", bad},
		{"an archived field", "old", `"x"`, "", "field_archived"},
		{"an unknown field", "shoe", `"x"`, "", "field_unknown"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			values, removed, faults := set.Values("custom_fields", map[string]json.RawMessage{c.field: json.RawMessage(c.raw)})
			switch {
			case c.fault != "":
				if !slices.Equal(codes(faults), []string{"custom_fields." + c.field + " " + c.fault}) || len(values) > 0 {
					t.Fatalf("got %v and faults %q", values, codes(faults))
				}
			case len(faults) > 0 || len(removed) > 0 || fmt.Sprint(values[c.field]) != c.want:
				t.Fatalf("got %v, faults %q, want %q", values, codes(faults), c.want)
			}
		})
	}
	_, removed, faults := set.Values("custom_fields", map[string]json.RawMessage{"text": json.RawMessage("null"), "old": json.RawMessage("null")})
	if !slices.Equal(removed, []string{"old", "text"}) || len(faults) > 0 {
		t.Errorf("null removes %q, faults %v", removed, faults)
	}
	_, _, faults = set.Values("custom_fields", map[string]json.RawMessage{"Li Lei's": json.RawMessage(`1`)})
	if got := fmt.Sprint(faults); strings.Contains(got, "Li") || len(faults) != 1 {
		t.Errorf("a name that is none is repeated: %s", got)
	}
}
