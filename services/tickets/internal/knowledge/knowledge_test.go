package knowledge

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func said(title string) Text {
	return Text{Title: title, Body: "Body of " + title, Audience: Public, Language: "en"}
}

func TestADraftReplacesWhatIsPublishedOnlyWhenItIsPublished(t *testing.T) {
	t.Parallel()
	a, v := Start(uuid.Must(uuid.NewV7()), said("one"), "ann", noon)
	if a.State != Draft || a.Current != 1 || a.Draft != 1 || a.Title != "one" || a.Version != 1 || v.State != Draft {
		t.Fatalf("begun: %+v, %+v", a, v)
	}
	a, v = a.Write(said("one, better"), "bob", noon)
	if a.Draft != 1 || a.Title != "one, better" || v.No != 1 || v.By != "bob" {
		t.Fatalf("written again before it was published: %+v, %+v", a, v)
	}
	a, v, err := a.Publish(v, "carol", noon)
	if err != nil || a.State != Published || a.Draft != 0 || v.State != Published || v.PublishedBy != "carol" {
		t.Fatalf("published: %+v, %+v, %v", a, v, err)
	}
	a, v = a.Write(said("two"), "ann", noon)
	if a.Current != 1 || a.Title != "one, better" || a.Draft != 2 || v.No != 2 || a.State != Published {
		t.Fatalf("a second draft: %+v, %+v", a, v)
	}
	a, v, err = a.Publish(v, "carol", noon)
	if err != nil || a.Current != 2 || a.Title != "two" || a.Last != 2 {
		t.Fatalf("published anew: %+v, %v", a, err)
	}
	if _, _, err := a.Publish(v, "carol", noon); problem.KindOf(err) != problem.Conflict {
		t.Errorf("published without a draft: %v", err)
	}
	a, err = a.Archive(noon)
	if err != nil || a.State != Archived {
		t.Fatalf("archived: %+v, %v", a, err)
	}
	if _, err := a.Archive(noon); problem.KindOf(err) != problem.Conflict {
		t.Errorf("archived twice: %v", err)
	}
	a, v = a.Write(said("three"), "ann", noon)
	if a.State != Archived || a.Draft != 3 || a.Title != "two" {
		t.Fatalf("a draft of what is archived: %+v", a)
	}
	if a, _, err = a.Publish(v, "ann", noon); err != nil || a.State != Published || a.Title != "three" {
		t.Fatalf("brought back: %+v, %v", a, err)
	}
}

func TestATextIsKeptCleanOrNamesItsFaults(t *testing.T) {
	t.Parallel()
	good := Text{Title: " A\u0308pfel ", Body: "x", Keywords: []string{"b", " a ", "b"}, Audience: Internal, Language: "zh-hans"}
	if got, faults := good.Clean(); len(faults) > 0 || got.Title != "Äpfel" || !slices.Equal(got.Keywords, []string{"a", "b"}) || got.Language != "zh-Hans" {
		t.Errorf("%+v, %v", got, faults)
	}
	for code, change := range map[string]func(*Text){
		"title_malformed":   func(t *Text) { t.Title = "two\nlines" },
		"body_malformed":    func(t *Text) { t.Body = " " },
		"keyword_malformed": func(t *Text) { t.Keywords = []string{""} },
		"audience_unknown":  func(t *Text) { t.Audience = "all" },
		"language_unknown":  func(t *Text) { t.Language = "klingonese" },
	} {
		bad := good
		change(&bad)
		if _, faults := bad.Clean(); len(faults) != 1 || faults[0].Code != code {
			t.Errorf("%s: %v", code, faults)
		}
	}
}

func TestAVerdictCountsOnceATicket(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	a := Article{}.judged(nil, true).judged(nil, false).judged(&no, true)
	if a.Helped != 2 || a.NotHelped != 0 {
		t.Fatalf("%+v", a)
	}
	if a = a.judged(&yes, false); a.Helped != 1 || a.NotHelped != 1 {
		t.Fatalf("%+v", a)
	}
}

func words(terms []term) (all []string) {
	for _, t := range terms {
		all = append(all, t.word)
	}
	return all
}

func TestWordsAreLookedForAsTheirScriptIsWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"Missing BOTTLE": {"missing", "bottle"},
		"两瓶可乐":           {"两瓶", "瓶可", "可乐"},
		"開瓶器 opener 開瓶器": {"opener", "开瓶", "瓶器"},
		"乐":              {"乐"},
		"Crème brûlée":   {"creme", "brulee"},
		"コーラ缶":           {"コー", "ーラ", "ラ缶"},
		"콜라 두 병":         {"콜라", "두", "병"},
		" -- !":          nil,
	} {
		if got := words(searched("pizza", text)); !slices.Equal(got, want) {
			t.Errorf("%q looks for %q, want %q", text, got, want)
		}
	}
	if got := words(asked("pizza", "Late deliveries", "冰 a")); !slices.Equal(got, []string{"late", "deliveri"}) {
		t.Errorf("a ticket asks for %q", got)
	}
	long := searched("pizza", strings.Repeat("可口乐百", 60)+strings.Repeat(" word", 40))
	if len(long) > maxTokens+maxGrams {
		t.Errorf("a long search looks for %d words", len(long))
	}
}

func TestTenantsShareNoTerm(t *testing.T) {
	t.Parallel()
	if a, b := searched("pizza", "cola")[0].query, searched("music", "cola")[0].query; a == b {
		t.Errorf("both look for %s", a)
	}
}

func TestALongArticleFitsItsIndex(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	for i := range 50_000 { // no character comes twice in a row with the same one
		body.WriteRune(rune(0x4e00 + (i*7919)%20_000))
	}
	if n := len(Terms("pizza", Text{Title: "x", Body: body.String()})); n > 1<<20 {
		t.Errorf("%d bytes of terms", n)
	}
}

func TestTheRarestWordsTellMost(t *testing.T) {
	t.Parallel()
	terms := asked("pizza", "the cola opener", "")
	counts := []int64{2000, 900, 10, 0} // all articles; then those with the, cola and opene
	weigh(terms, counts)
	kept := telling(terms, counts)
	if got := words(kept); !slices.Equal(got, []string{"cola", "the"}) || kept[0].weight < 4*kept[1].weight {
		t.Errorf("%+v", kept)
	}
	counts[1] = common // which tells nothing
	if got := words(telling(terms, counts)); !slices.Equal(got, []string{"cola"}) {
		t.Errorf("%q", got)
	}
}
