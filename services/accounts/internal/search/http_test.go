package search_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

func TestACustomerIsFoundByWhatPeopleKnow(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.register("李雷", "phone", "138 0013 8000", "email", "Li.Lei@mail.example.com", "card", "vip-0017", "external:till", "A-7")
	w.register("韓梅梅", "phone", "010-6552 9988")
	w.register("王小明")
	w.register("李小龍")
	w.register("Jonathan Smith", "email", "jsmith77@corp.example.org")
	w.register("Anna Blacksmith")
	w.register("José García")
	w.register("O'Neil & Sons")
	w.index()

	for _, c := range []struct {
		text string
		want []string
	}{
		{"李雷", []string{"李雷"}}, {"李", []string{"李小龍", "李雷"}}, {"雷", []string{"李雷"}}, {"小明", []string{"王小明"}},
		{"韩梅梅", []string{"韓梅梅"}}, {"韓梅", []string{"韓梅梅"}}, {"李小龙", []string{"李小龍"}}, {"小", []string{"李小龍", "王小明"}},
		{"lilei", []string{"李雷"}}, {"li lei", []string{"李雷"}}, {"LL", []string{"李雷"}}, {"xiaoming", []string{"王小明"}},
		{"wxm", []string{"王小明"}}, {"lilei 8000", []string{"李雷"}}, {"lilei 9988", nil}, {"wangxiao", []string{"王小明"}}, {"han mei", []string{"韓梅梅"}},
		{"8000", []string{"李雷"}}, {"0013 8000", []string{"李雷"}}, {"13800138000", []string{"李雷"}}, {"+86 138-0013-8000", []string{"李雷"}},
		{"01065529988", []string{"韓梅梅"}}, {"5529", []string{"韓梅梅"}}, {"4711", nil},
		{"li.lei@mail.example.com", []string{"李雷"}}, {"li.lei@mail", []string{"李雷"}}, {"example.com", []string{"李雷"}}, {"li.l", []string{"李雷"}},
		{"lei@mail.example", []string{"李雷"}}, {"jsmith", []string{"Jonathan Smith"}},
		{"VIP0017", []string{"李雷"}}, {"vip 0017", []string{"李雷"}}, {"vip-0017", []string{"李雷"}}, {"a-7", []string{"李雷"}},
		{"smith", []string{"Jonathan Smith", "Anna Blacksmith"}}, {"jon", []string{"Jonathan Smith"}}, {"smi", []string{"Anna Blacksmith", "Jonathan Smith"}},
		{"nath", []string{"Jonathan Smith"}}, {"smith jonathan", []string{"Jonathan Smith"}}, {"jonathansmith", []string{"Jonathan Smith"}},
		{"jose garcia", []string{"José García"}}, {"GARCÍA", []string{"José García"}}, {"oneil", []string{"O'Neil & Sons"}},
		{"smiht", []string{"Jonathan Smith"}}, {"jonatan smit", []string{"Jonathan Smith"}}, {"jonethen", []string{"Jonathan Smith"}},
		{"garzia", []string{"José García"}}, {"smokestack", nil}, {"--", nil}, {"' OR 1=1 --", nil}, {`\' | 'x':*`, nil}, {"'", nil},
	} {
		w.finds(c.text, c.want...)
	}
}

// A word that is a name is the beginning of others all the same, in letters and in pinyin, in a name and in an address.
func TestAWordThatIsANameIsAPartOfOthersToo(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.register("杭州")
	w.register("Han Solo")
	w.register("Johannes Kepler")
	w.register("Hannah Arendt")
	w.register("James Oberlin")
	w.register("J. Hook", "email", "james.h77@mail.example.com")
	w.register("K. Hook", "email", "james77@mail.example.com")
	w.register("Jamesina Hook")
	many := make([]string, 30) // more than are written out
	for n := range many {
		many[n] = fmt.Sprintf("Zor%c%c", 'a'+n%5, 'a'+n/5)
		w.register(many[n])
	}
	w.index()
	slices.Sort(many)

	w.finds("han", "Han Solo", "Hannah Arendt", "Johannes Kepler", "杭州")
	w.finds("hang", "杭州", "Han Solo")
	w.finds("hansol", "Han Solo") // written as one
	w.finds("james hook", "J. Hook", "Jamesina Hook", "K. Hook")
	w.finds("hook james", "J. Hook", "Jamesina Hook", "K. Hook")
	w.finds("zor", many...)
}

func TestFiltersNarrowASearch(t *testing.T) {
	t.Parallel()
	w := start(t)
	admin := w.Token(auth.RoleAdmin, "pizza")
	for field, of := range map[string][2]string{"grade": {"choice", "behaviour"}, "visits": {"integer", "behaviour"}, "allergy": {"text", "health"}} {
		w.AsSuperuser(t, `INSERT INTO custom_field (tenant_id, name, title, type, choices, class, version, created_at, changed_at)
			VALUES ('pizza', $1, $1, $2, CASE $2 WHEN 'choice' THEN ARRAY['gold', 'silver'] ELSE '{}' END, $3, 1, now(), now())`, field, of[0], of[1])
	}
	w.registered(admin, body{"display_name": "李雷", "tags": []string{"vip", "north"}, "owner": "ann",
		"custom_fields": body{"grade": "gold", "visits": 12, "allergy": "nuts"}})
	w.registered(admin, body{"display_name": "李四", "tags": []string{"vip"}, "custom_fields": body{"grade": "silver"}})
	w.registered(admin, body{"display_name": "李氏集团", "kind": "organisation"})
	w.index()

	for _, c := range []struct{ parameters, want []string }{
		{[]string{"tag", "vip"}, []string{"李四", "李雷"}},
		{[]string{"tag", "vip", "tag", "north"}, []string{"李雷"}},
		{[]string{"tag", "vip", "q", "四"}, []string{"李四"}},
		{[]string{"owner", "ann"}, []string{"李雷"}},
		{[]string{"kind", "organisation", "q", "李"}, []string{"李氏集团"}},
		{[]string{"custom", "grade:gold"}, []string{"李雷"}},
		{[]string{"custom", "grade:gold", "custom", "visits:12.0"}, []string{"李雷"}},
		{[]string{"custom", "grade:gold", "custom", "visits:13"}, []string{}},
		{[]string{"q", "nuts"}, []string{}},
		{[]string{"sort", "name"}, []string{"李四", "李氏集团", "李雷"}},
		{[]string{"sort", "registered_at"}, []string{"李氏集团", "李四", "李雷"}},
		{[]string{"sort", "name", "q", "li"}, []string{"李四", "李氏集团", "李雷"}},
		{[]string{"state", "archived"}, []string{}},
		{[]string{"state", "any", "q", "雷"}, []string{"李雷"}},
		{nil, []string{"李氏集团", "李四", "李雷"}},
	} {
		if got := w.search(w.agent, c.parameters...).names(); !slices.Equal(got, c.want) {
			t.Errorf("%v finds %v, want %v", c.parameters, got, c.want)
		}
	}
	for query, code := range map[string]string{
		"custom=allergy:nuts": "custom_field_not_searchable", "custom=none:1": "custom_field_unknown", "custom=visits:many": "custom_value_malformed",
		"custom=grade": "custom_malformed", "custom=grade:a&custom=grade:b": "custom_repeated",
	} {
		answer := w.Want(http.StatusUnprocessableEntity, http.MethodGet, "/v1/customers/search?"+query, admin, nil, nil)
		if !slices.Contains(codes(t, answer.Decode), code) {
			t.Errorf("%s: %s", query, answer.Body)
		}
	}
	var stored int
	w.one(&stored, `SELECT count(*) FROM customer_search WHERE terms::text LIKE '%nuts%'`)
	if stored != 0 {
		t.Error("what is of health stands in the index")
	}
}

func TestWhoDoesNotSeeNamesFindsNobodyByThem(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.registered(w.agent, body{"display_name": "李雷", "tags": []string{"vip"}})
	w.index()
	marketing := w.Token(auth.RoleMarketing, "pizza")
	if a := w.Do(http.MethodGet, "/v1/customers/search?purpose=analysis&q=lilei", marketing, nil); a.Status != 403 || a.Code() != "search_not_allowed" {
		t.Errorf("by name for analysis: %d %s", a.Status, a.Body)
	}
	found := w.search(marketing, "purpose", "analysis", "tag", "vip")
	if len(found.Items) != 1 || found.Items[0].DisplayName != "" || found.Items[0].CustomerID == "" {
		t.Errorf("by tag for analysis: %+v", found)
	}
	if a := w.Do(http.MethodGet, "/v1/customers/search?q=lilei", w.Token(auth.RolePlatformAdmin, ""), nil); a.Status != 403 {
		t.Errorf("an administrator of the platform: %d %s", a.Status, a.Body)
	}
}

func TestNobodyIsFoundByAnotherTenant(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.register("李雷", "phone", "138 0013 8000", "card", "VIP0017")
	w.register("Jonathan Smith")
	w.registered(w.Token(auth.RoleAgent, "music"), body{"display_name": "李小龙"})
	w.index()
	music := w.Token(auth.RoleAgent, "music")
	for _, text := range []string{"李雷", "雷", "lilei", "8000", "VIP0017", "smith", "smiht", "jonathen"} {
		if got := w.search(music, "q", text).names(); len(got) > 0 {
			t.Errorf("%s finds %v of another tenant", text, got)
		}
	}
	if got := w.search(music).names(); !slices.Equal(got, []string{"李小龙"}) {
		t.Errorf("without a text: %v", got)
	}
	w.finds("李", "李雷")
}

func TestPagesAreStableWhateverTheOrder(t *testing.T) {
	t.Parallel()
	w := start(t)
	want := make(map[string]bool)
	for n := range 23 {
		name := fmt.Sprintf("Smith %c%d", 'a'+n%3, n)
		if n%4 == 0 {
			name = fmt.Sprintf("Blacksmith %d", n)
		}
		if n%5 == 0 {
			name = fmt.Sprintf("Anna Smith %d", n)
		}
		if n%7 == 0 {
			name = fmt.Sprintf("Smiht %d", n)
		}
		want[w.register(name)] = true
	}
	w.index()
	for _, sort := range []string{"relevance", "name", "registered_at"} {
		wanted := len(want)
		if sort != "relevance" { // nobody is taken for somebody else where the order does not say so
			wanted -= 4
		}
		whole := w.search(w.agent, "q", "smith", "sort", sort, "limit", "200")
		var got []string
		for cursor := ""; ; {
			p := w.search(w.agent, "q", "smith", "sort", sort, "limit", "3", "cursor", cursor)
			for _, i := range p.Items {
				got = append(got, i.CustomerID)
			}
			if cursor = p.NextCursor; cursor == "" {
				break
			}
		}
		if len(got) != wanted || len(whole.Items) != wanted {
			t.Errorf("%s: %d in pages, %d at once, want %d", sort, len(got), len(whole.Items), wanted)
		}
		for i, item := range whole.Items {
			if i < len(got) && got[i] != item.CustomerID {
				t.Errorf("%s: page and whole differ at %d", sort, i)
				break
			}
		}
	}
}

func TestTheIndexFollowsChanges(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.register("李雷")
	if got := w.search(w.agent, "q", "李雷"); len(got.Items) != 0 {
		t.Fatal("found before it was indexed: this test shows nothing")
	}
	w.index()
	path := "/v1/customers/" + id
	w.Want(http.StatusOK, http.MethodPatch, path, w.agent, body{"display_name": "Zsofia Zsolnay"}, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodPost, path+"/identities", w.agent, body{"type": "phone", "value": "138 0013 8000"}, nil)
	w.index()
	w.finds("李雷")
	w.finds("zsofia", "Zsofia Zsolnay")
	w.finds("8000", "Zsofia Zsolnay")
	w.Want(http.StatusOK, http.MethodPatch, path, w.agent, body{"display_name": "Anna"}, nil, "If-Match", "*")
	w.index()
	w.finds("zsolnai")
	var words int
	w.one(&words, `SELECT count(*) FROM customer_search_word WHERE word LIKE 'zs%'`)
	if words != 0 {
		t.Error("words that nobody has any more are kept")
	}
	w.Want(http.StatusOK, http.MethodPost, path+"/archive", w.agent, nil, nil)
	w.index()
	w.finds("anna")
	if got := w.search(w.agent, "q", "anna", "state", "archived").names(); !slices.Equal(got, []string{"Anna"}) {
		t.Errorf("among archived ones: %v", got)
	}
}

func TestTheMergedAreFoundAsTheSurvivor(t *testing.T) {
	t.Parallel()
	w := start(t)
	manager := w.Token(auth.RoleManager, "pizza")
	lei, lily := w.register("李雷", "phone", "138 0013 8000"), w.register("Lily Lee", "phone", "139 1111 2222")
	w.index()
	var merge struct {
		MergeID string `json:"merge_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+lei+"/merges", manager, body{"absorbed_id": lily}, &merge)
	w.finds("2222") // whoever was absorbed is not found any more, though the index is behind
	w.index()
	for _, text := range []string{"lily", "2222", "8000"} { // and by the name that the survivor has no more, too
		if got := w.search(w.agent, "q", text).Items; len(got) != 1 || got[0].CustomerID != lei {
			t.Errorf("%s finds %v", text, got)
		}
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/merges/"+merge.MergeID+"/undo", manager, nil, nil)
	w.index()
	w.finds("lily", "Lily Lee")
	w.finds("2222", "Lily Lee")
	w.finds("8000", "李雷")
}

func TestSearchRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	badinput.Check(t, badinput.Target{
		URL: w.URL, Token: w.agent, Method: http.MethodGet, Path: "/v1/customers/search", List: true,
	})
	for _, query := range []string{"sort=size", "state=gone", "kind=cat", "limit=0", "limit=201", "cursor=x", "colour=red", "q=%00", "q=%ff", "purpose=fun"} {
		if a := w.Do(http.MethodGet, "/v1/customers/search?"+query, w.agent, nil); a.Status < 400 || a.Status > 422 {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
}
