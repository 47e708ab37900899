package matching

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

func person(display string, identities ...identity.Identity) subject {
	return subjectOf(uuid.Must(uuid.NewV7()), search.Record{Kind: "person", Display: display, Names: []string{display}, Identities: identities})
}

func id(kind identity.Type, value string) identity.Identity {
	return identity.Identity{Type: kind, Value: value}
}

func TestStandardRulesAreRulesThatOneMaySet(t *testing.T) {
	t.Parallel()
	if faults := Check(Standard(), func(string) bool { return false }); len(faults) > 0 {
		t.Fatal(faults)
	}
}

func TestRulesAreChecked(t *testing.T) {
	t.Parallel()
	phone := Criterion{Kind: SameIdentity, Type: "phone"}
	for code, r := range map[string]Rule{
		"name_alone":                  {"r", Automatic, []Criterion{{Kind: SameName}, {Kind: SameSound}, {Kind: SimilarName, Threshold: 1}, {Kind: SameInitials}}},
		"rule_finds_nobody":           {"r", Review, []Criterion{{Kind: SimilarName, Threshold: 0.5}}},
		"threshold_range":             {"r", Review, []Criterion{phone, {Kind: SimilarName, Threshold: 1.01}}},
		"kind_unknown":                {"r", Review, []Criterion{{Kind: "smell"}, phone}},
		"type_unknown":                {"r", Review, []Criterion{{Kind: SameIdentity, Type: "fax"}}},
		"custom_field_not_searchable": {"r", Review, []Criterion{{Kind: SameField, Field: "allergy"}}},
		"not_for_kind":                {"r", Review, []Criterion{{Kind: SameName, Type: "phone"}}},
		"criteria_count":              {"r", Review, nil},
		"result_unknown":              {"r", "maybe", []Criterion{phone}},
		"name_malformed":              {"No 1", Review, []Criterion{phone}},
	} {
		faults := Check([]Rule{r}, func(field string) bool { return field == "birth_date" })
		if len(faults) != 1 || faults[0].Code != code {
			t.Errorf("%s: %+v", code, faults)
		}
	}
	if faults := Check([]Rule{{"r", Review, []Criterion{{Kind: SameName}}}, {"r", Review, []Criterion{phone}}}, nil); len(faults) != 1 || faults[0].Code != "name_repeated" {
		t.Errorf("a name twice: %+v", faults)
	}
}

func TestWhoMatchesByTheStandardRules(t *testing.T) {
	t.Parallel()
	phone, mail, card := id("phone", "+8613800138000"), id("email", "li@example.com"), id("card", "VIP17")
	for _, c := range []struct {
		what string
		a, b subject
		rule string
	}{
		{"a card", person("李雷", card), person("韩梅梅", card), "exclusive_identity"},
		{"telephone and name", person("李雷", phone), person("李雷", phone), "phone_and_name"},
		{"telephone and traditional name", person("陳偉", phone), person("陈伟", phone), "phone_and_name"},
		{"telephone and pinyin", person("李雷", phone), person("Lei Li", phone), "phone_and_name"},
		{"mail and misspelt name", person("John Smith", mail), person("Jon Smith", mail), "email_and_name"},
		{"a family's telephone", person("李雷", phone), person("李梅", phone), ""},
		{"brother and sister", person("John Smith", phone), person("Jane Smith", phone), ""},
		{"telephone without a name", person("", phone), person("", phone), ""},
		{"telephone without one name", person("李雷", phone), person("", phone), ""},
		{"a name alone", person("李雷"), person("李雷"), ""},
		{"nothing at all", person(""), person(""), ""},
	} {
		m, ok := apply(Standard(), c.a, c.b)
		if m.Rule != c.rule || ok != (c.rule != "") {
			t.Errorf("%s: %+v", c.what, m)
		}
		if back, _ := apply(Standard(), c.b, c.a); back.Rule != m.Rule || back.Score != m.Score {
			t.Errorf("%s: %+v one way, %+v the other", c.what, m, back)
		}
	}
	shop := person("李雷", phone)
	shop.kind = "organisation"
	if _, ok := apply(Standard(), person("李雷", phone), shop); ok {
		t.Error("a person matches an organisation")
	}
}

func TestWhoWasShownToDifferIsNeverOneAutomatically(t *testing.T) {
	t.Parallel()
	till, shop := id("external:till", "A7"), id("external:till", "A8")
	a, b := person("李雷", id("card", "VIP17"), till), person("李雷", id("card", "VIP17"), shop)
	if m, _ := apply(Standard(), a, b); m.Result != Automatic {
		t.Fatalf("%+v: this test shows nothing", m)
	}
	a.verified, b.verified = []identity.Identity{till}, []identity.Identity{shop}
	if m, ok := apply(Standard(), a, b); !ok || m.Result != Review {
		t.Errorf("%+v", m)
	}
	for _, c := range []struct {
		a, b []identity.Identity
		want []string
	}{
		{nil, []identity.Identity{till}, nil},
		{[]identity.Identity{till}, []identity.Identity{till}, nil},
		{[]identity.Identity{till}, []identity.Identity{id("external:web", "A8")}, nil},
		{[]identity.Identity{id("phone", "1")}, []identity.Identity{id("phone", "2")}, nil},
		{[]identity.Identity{id("wechat", "wx1:a")}, []identity.Identity{id("wechat", "wx2:b")}, nil},
		{[]identity.Identity{id("wechat", "wx1:a")}, []identity.Identity{id("wechat", "wx1:b")}, []string{"wechat"}},
		{[]identity.Identity{till, id("card", "1234")}, []identity.Identity{shop, id("card", "5678")}, []string{"card", "external:till"}},
	} {
		if got, back := differing(c.a, c.b), differing(c.b, c.a); !slices.Equal(got, c.want) || !slices.Equal(back, c.want) {
			t.Errorf("%v and %v: %v, %v", c.a, c.b, got, back)
		}
	}
}
