package lead

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func world() World {
	return World{Setting: Default(), Fields: customfield.Set{}, Pipelines: &pipeline.Book{}}
}

// taken gives the lead of a draft, or the faults as "location code".
func taken(d Draft) (Lead, Enquiry, []string) {
	if d.Capture == "" {
		d.Capture = ByAPI
	}
	l, e, faults := Take(uuid.New(), uuid.New(), d, world(), noon)
	var got []string
	for _, f := range faults {
		got = append(got, f.Location+" "+f.Code)
	}
	return l, e, got
}

func TestWhatComesInIsBroughtToOneForm(t *testing.T) {
	t.Parallel()
	l, e, faults := taken(Draft{
		Contact: Contact{Name: "  Lily \t Chen ", Company: "Northern  Pizza", JobTitle: " Buyer ", Email: " Lily@Northern-Pizza.Example ",
			Phone: "138 0013 8000", Website: "HTTPS://www.Northern-Pizza.example/contact?x=1"},
		Message: "Two ovens,\r\nplease. ", Profile: Profile{Language: "ZH-cn", Source: "fair"}, Tags: []string{" Ovens ", "ovens", "a b"},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if want := (Contact{"Lily Chen", "Northern Pizza", "Buyer", "lily@northern-pizza.example", "+8613800138000", "northern-pizza.example"}); l.Contact != want {
		t.Errorf("got %+v, want %+v", l.Contact, want)
	}
	if l.Profile != (Profile{Country: "CN", Language: "zh-CN", Source: "fair"}) {
		t.Errorf("got %+v: the country is the number's", l.Profile)
	}
	if l.Domain != "northern-pizza.example" || !slices.Equal(l.Tags, []string{"a b", "ovens"}) || e.Message != "Two ovens,\nplease." || l.Pipeline != "standard" {
		t.Errorf("%+v %+v", l, e)
	}
	if l.Version != 1 || l.State != Open || l.Enquiries != 1 || !l.CapturedAt.Equal(noon) || l.did[0].what != "captured" {
		t.Errorf("%+v", l)
	}
}

func TestATelephoneNumberIsOfTheCountryThatIsSaid(t *testing.T) {
	t.Parallel()
	for country, want := range map[string]string{"DE": "+4930901820", "": "+8630901820"} { // of China, where nothing is said
		l, _, faults := taken(Draft{Contact: Contact{Phone: "030 901820"}, Profile: Profile{Country: country}})
		if len(faults) > 0 || l.Phone != want {
			t.Errorf("in %q: got %q %v", country, l.Phone, faults)
		}
	}
}

func TestADraftThatIsNotRightIsRefusedFieldByField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		draft Draft
		want  []string
	}{
		"nobody":              {Draft{Message: "hello"}, []string{"name contact_required"}},
		"a job alone":         {Draft{Contact: Contact{JobTitle: "Buyer"}}, []string{"name contact_required"}},
		"a customer":          {Draft{CustomerID: uuid.New()}, nil},
		"no address":          {Draft{Contact: Contact{Email: "lily@"}}, []string{"email email_malformed"}},
		"no number":           {Draft{Contact: Contact{Phone: "12"}}, []string{"phone phone_malformed"}},
		"no website":          {Draft{Contact: Contact{Name: "x", Website: "not a site"}}, []string{"website website_malformed"}},
		"no country":          {Draft{Contact: Contact{Name: "x"}, Profile: Profile{Country: "XX"}}, []string{"country country_unknown"}},
		"a part of the world": {Draft{Contact: Contact{Name: "x"}, Profile: Profile{Country: "150"}}, []string{"country country_unknown"}},
		"no language":         {Draft{Contact: Contact{Name: "x"}, Profile: Profile{Language: "no language"}}, []string{"language language_unknown"}},
		"no code":             {Draft{Contact: Contact{Name: "x"}, Profile: Profile{Source: "Our Fair"}}, []string{"source source_malformed"}},
		"an endless name":     {Draft{Contact: Contact{Name: strings.Repeat("x", 201)}}, []string{"name name_malformed"}},
		"an endless message":  {Draft{Contact: Contact{Name: "x"}, Message: strings.Repeat("x", 5001)}, []string{"message message_malformed"}},
		"a bell":              {Draft{Contact: Contact{Name: "x\a"}}, []string{"name name_malformed"}},
		"an empty tag":        {Draft{Contact: Contact{Name: "x"}, Tags: []string{"ok", " "}}, []string{"tags[1] tag_malformed"}},
		"no pipeline":         {Draft{Contact: Contact{Name: "x"}, Pipeline: "nowhere"}, []string{"pipeline pipeline_unknown"}},
		"a day to come":       {Draft{Contact: Contact{Name: "x"}, CapturedAt: noon.Add(25 * time.Hour)}, []string{"captured_at captured_at_out_of_range"}},
		"long ago":            {Draft{Contact: Contact{Name: "x"}, CapturedAt: time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)}, []string{"captured_at captured_at_out_of_range"}},
		"no field":            {Draft{Contact: Contact{Name: "x"}, Custom: map[string]json.RawMessage{"size": json.RawMessage(`1`)}}, []string{"custom_fields.size field_unknown"}},
	} {
		if _, _, got := taken(c.draft); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestProvidersOfMailboxesAreNoCompanies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		contact Contact
		want    string
	}{
		{Contact{Email: "lily@northern-pizza.example"}, "northern-pizza.example"},
		{Contact{Email: "lily@qq.com"}, ""},
		{Contact{Email: "lily@gmail.com", Website: "northern-pizza.example"}, "northern-pizza.example"},
		{Contact{}, ""},
	} {
		if got := companyDomain(c.contact); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.contact, got, c.want)
		}
	}
}

func TestNamesThatAreAlike(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"Lily Chen", "chen, LILY", true},
		{"José García", "Jose Garcia", true},
		{"Johannes Müller", "Johannes Mueller", true}, // one letter too much in fifteen
		{"Lily Chen", "Lilly Chen", true},
		{"Lily Chen", "Li Chen", false},
		{"陈莉", "陈莉", true},
		{"陈莉", "陈丽", false},
		{"Ann", "Anna", false},
		{"", "", false},
		{"...", "...", false},
	} {
		if got := alike(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: got %t", c.a, c.b, got)
		}
		if alike(c.a, c.b) != alike(c.b, c.a) {
			t.Errorf("%q and %q: it depends on who is first", c.a, c.b)
		}
	}
}

func TestTheSurestKeyDecidesAndThenTheYoungest(t *testing.T) {
	t.Parallel()
	ids := []uuid.UUID{uuid.MustParse("01890000-0000-7000-8000-000000000001"), uuid.MustParse("01890000-0000-7000-8000-000000000002")}
	lily := Lead{Contact: Contact{Name: "Lily Chen", Company: "Northern Pizza"}}
	for name, c := range map[string]struct {
		twins []twin
		want  string
	}{
		"none":                           {nil, ""},
		"the address before the phone":   {[]twin{{id: ids[1], key: KeyPhone}, {id: ids[0], key: KeyEmail}}, "0 email"},
		"the customer before all":        {[]twin{{id: ids[1], key: KeyEmail}, {id: ids[0], key: KeyCustomer}}, "0 customer"},
		"the youngest":                   {[]twin{{id: ids[0], key: KeyPhone}, {id: ids[1], key: KeyPhone}}, "1 phone"},
		"a colleague is somebody else":   {[]twin{{id: ids[0], key: KeyCompany, name: "Hans Maier", company: "Northern Pizza"}}, ""},
		"the same by another mailbox":    {[]twin{{id: ids[0], key: KeyCompany, name: "Chen Lily", company: "Other"}}, "0 company"},
		"who has no name may be anybody": {[]twin{{id: ids[0], key: KeyCompany, company: "Northern Pizza"}}, ""},
	} {
		got := ""
		if found, ok := pick(lily, c.twins); ok {
			got = fmt.Sprint(slices.Index(ids, found.id), " ", found.key)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestAnEnquiryFillsInWhatIsNotKnownUnlessAnybodySentIt(t *testing.T) {
	t.Parallel()
	was, _, _ := taken(Draft{Contact: Contact{Name: "Lily Chen", Email: "lily@northern-pizza.example"}, Tags: []string{"a"}, Profile: Profile{Source: "fair"}})
	again, e, _ := taken(Draft{Contact: Contact{Name: "L. Chen", Phone: "13800138000"}, Tags: []string{"b"}, Profile: Profile{Source: "web"}})
	now, kept, err := was.Enquire(again, e, noon.Add(time.Hour))
	if err != nil || now.Name != "Lily Chen" || now.Phone != "+8613800138000" || now.Source != "fair" || !slices.Equal(now.Tags, []string{"a", "b"}) {
		t.Errorf("%+v %v", now, err)
	}
	if kept.LeadID != was.ID || kept.Name != "L. Chen" || now.Enquiries != 2 || now.Version != was.Version+1 {
		t.Errorf("%+v %+v", kept, now)
	}
	e.Capture = ByForm
	if now, _, err = was.Enquire(again, e, noon); err != nil || now.Contact != was.Contact || !slices.Equal(now.Tags, was.Tags) {
		t.Errorf("a form changed the lead: %+v %v", now, err)
	}
}

// TestALeadGoesOnlyWhereItCan tries all that can be done, in any order.
func TestALeadGoesOnlyWhereItCan(t *testing.T) {
	t.Parallel()
	allowed := map[string][]State{
		"qualify": {Open, Nurturing}, "lose": {Open, Nurturing, Qualified}, "reopen": {Lost}, "nurture": {Open, Qualified}, "return": {Nurturing},
		"convert": {Open, Nurturing, Qualified}, "unconvert": {Converted}, "assign": {Open, Nurturing, Qualified}, "enquire": {Open, Nurturing, Qualified},
	}
	rapid.Check(t, func(r *rapid.T) {
		l, e, _ := taken(Draft{Contact: Contact{Name: "Lily Chen"}})
		at := noon
		var before Lead // as it was when it was converted
		r.Repeat(map[string]func(*rapid.T){
			"": func(r *rapid.T) { sound(r, l) },
			"step": func(r *rapid.T) {
				names := []string{"qualify", "lose", "reopen", "nurture", "return", "convert", "unconvert", "assign", "enquire", "erase"}
				what := rapid.SampledFrom(names).Draw(r, "what")
				at = at.Add(time.Minute)
				was, erased := l, !l.ErasedAt.IsZero()
				var err error
				switch what {
				case "qualify":
					l, err = l.Qualify(Checklist{}, "hans", at)
				case "lose":
					l, err = l.Lose("no_need", at)
				case "reopen":
					l, err = l.Reopen(at)
				case "nurture":
					l, err = l.Nurture("score", at)
				case "return":
					l, err = l.Return("score", at)
				case "convert":
					if l, err = l.Convert(uuid.New(), uuid.Nil, uuid.New(), at); err == nil {
						before = was
					}
				case "unconvert":
					l, err = l.Unconvert(at)
					if err == nil && (l.State != before.State || l.CustomerID != before.CustomerID) {
						r.Fatalf("undone it is %s of %s, was %s of %s", l.State, l.CustomerID, before.State, before.CustomerID)
					}
				case "assign":
					l, err = l.Assign("north", fmt.Sprint("owner", at.Minute()), "hand", at)
				case "enquire":
					l, _, err = l.Enquire(l, e, at)
				case "erase":
					if !erased {
						l = l.Erase(at)
					}
					return
				}
				if may := !erased && slices.Contains(allowed[what], was.State); may != (err == nil) {
					r.Fatalf("%s of a lead that is %s (erased %t): %v", what, was.State, erased, err)
				}
				if err != nil && !reflect.DeepEqual(l, was) {
					r.Fatalf("%s failed and changed the lead", what)
				}
				if kind := problem.KindOf(err); err != nil && kind != problem.Conflict && kind != problem.Gone {
					r.Fatalf("%s: %v", what, err)
				}
			},
		})
	})
}

// sound holds a lead to what is always so.
func sound(r *rapid.T, l Lead) {
	if (l.State == Lost) != !l.LostAt.IsZero() || (l.State == Lost) != (l.LostReason != "") {
		r.Fatalf("%s, lost at %s for %q", l.State, l.LostAt, l.LostReason)
	}
	if (l.State == Converted) != !l.ConvertedAt.IsZero() || (l.State == Converted) != (l.OpportunityID != uuid.Nil) {
		r.Fatalf("%s, converted at %s to %s", l.State, l.ConvertedAt, l.OpportunityID)
	}
	if l.State == Qualified && l.QualifiedAt.IsZero() || l.State == Open && !l.QualifiedAt.IsZero() {
		r.Fatalf("%s, qualified at %s", l.State, l.QualifiedAt)
	}
	if !l.ErasedAt.IsZero() && (l.State.Working() || l.Contact != (Contact{}) || l.Need != "") {
		r.Fatalf("erased: %+v", l)
	}
	state := State("")
	for i, s := range l.did {
		if s.no != int64(i+1) || s.from != state {
			r.Fatalf("step %d of the history is number %d from %s, want from %s", i+1, s.no, s.from, state)
		}
		state = s.to
	}
	if state != l.State || int64(len(l.did)) != l.Version {
		r.Fatalf("the history ends in %s with %d steps, the lead is %s of version %d", state, len(l.did), l.State, l.Version)
	}
}

func TestWhatPeopleEditIsHeldAgainstTheRules(t *testing.T) {
	t.Parallel()
	l, _, _ := taken(Draft{Contact: Contact{Name: "Lily Chen"}})
	l.CustomerCheckedAt, l.Candidates = noon, []Candidate{{CustomerID: uuid.New()}}
	p := func(s string) *string { return &s }
	n := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		edit Edit
		want string
	}{
		"nothing":               {Edit{}, "same"},
		"the same":              {Edit{Name: p("Lily  Chen")}, "same"},
		"another name":          {Edit{Name: p("Lily Li")}, "changed"},
		"no name":               {Edit{Name: p("")}, "name contact_required"},
		"an address instead":    {Edit{Name: p(""), Email: p("lily@example.com")}, "changed"},
		"a budget":              {Edit{Check: Check{BudgetMinor: n(5), Currency: p("CNY")}}, "changed"},
		"half a budget":         {Edit{Check: Check{BudgetMinor: n(5)}}, "budget_minor budget_incomplete"},
		"the other half":        {Edit{Check: Check{Currency: p("CNY")}}, "budget_minor budget_incomplete"},
		"a budget of nobody's":  {Edit{Check: Check{BudgetMinor: n(5), Currency: p("XXX")}}, "budget_currency currency_unknown"},
		"a budget below zero":   {Edit{Check: Check{BudgetMinor: n(-1), Currency: p("CNY")}}, "budget_minor budget_out_of_range"},
		"a budget past JSON":    {Edit{Check: Check{BudgetMinor: n(1 << 53), Currency: p("CNY")}}, "budget_minor budget_out_of_range"},
		"a need that is longer": {Edit{Check: Check{Need: p(strings.Repeat("x", 5001))}}, "need need_malformed"},
		"no website":            {Edit{Website: p("x y")}, "website website_malformed"},
	} {
		now, changed, faults := l.Edit(c.edit, world(), noon.Add(time.Hour))
		got := map[bool]string{true: "changed", false: "same"}[changed]
		for _, f := range faults {
			got = f.Location + " " + f.Code
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if changed != (now.Version == l.Version+1) {
			t.Errorf("%s: version %d after %d", name, now.Version, l.Version)
		}
		if asked := changed && now.Contact != l.Contact; asked != now.CustomerCheckedAt.IsZero() {
			t.Errorf("%s: who it may be is asked again: %t", name, now.CustomerCheckedAt.IsZero())
		}
	}
}
