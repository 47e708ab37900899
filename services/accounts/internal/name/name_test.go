package name_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/name"
)

func TestAChineseNameIsTypedInPinyinOrByInitials(t *testing.T) {
	t.Parallel()
	for han, typed := range map[string][2]string{
		"李雷": {"lilei", "ll"}, "单田芳": {"shantianfang", "stf"}, "曾国藩": {"zengguofan", "zgf"}, "吕布": {"lvbu", "lb"},
		"欧阳修": {"ouyangxiu", "oyx"},
	} {
		full, initials := name.Spellings(han)
		if !slices.Contains(full, typed[0]) || !slices.Contains(initials, typed[1]) {
			t.Errorf("%s is typed %v or %v", han, full, initials)
		}
	}
	if full, _ := name.Spellings("吕布"); !slices.Contains(full, "lubu") {
		t.Errorf("ü typed as u is not known: %v", full)
	}
	if full, initials := name.Spellings("李ab"); full != nil || initials != nil {
		t.Errorf("what has no reading has %v %v", full, initials)
	}
}

func TestWhatIsTypedOfPinyinIsCompleted(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string][]string{
		"lile": {"lilei", "lilen", "lileng"}, "han": {"hang"}, "xia": {"xian", "xiang", "xiao", "xiai"}, "zhuan": {"zhuang"}, "lv": {"lve"},
	} {
		got := name.Completions(typed)
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%s is completed to %v, without %s", typed, got, w)
			}
		}
	}
	for _, typed := range []string{"james", "smith", "王", "véro"} {
		if got := name.Completions(typed); got != nil {
			t.Errorf("%q is completed to %v", typed, got)
		}
	}
	// Whoever is found by the beginning of a spelling is found by whole spellings.
	characters := rapid.RuneFrom([]rune("王李张刘陈单曾欧阳修吕绿女行长重藏安恩二儿嗯哦艾昂衣"))
	rapid.Check(t, func(t *rapid.T) {
		run := []rune(rapid.StringOfN(characters, 1, 4, -1).Draw(t, "run"))
		spellings, _ := name.Spellings(string(run))
		spelling := rapid.SampledFrom(spellings).Draw(t, "spelling")
		typed := spelling[:rapid.IntRange(1, len(spelling)).Draw(t, "typed")]
		whole := append(name.Completions(typed), typed)
		for n := 1; n <= len(run); n++ {
			begins, _ := name.Spellings(string(run[:n]))
			if share(begins, whole) {
				return
			}
		}
		t.Fatalf("%s, of %s, is found by none of %v", typed, string(run), whole)
	})
}

func TestNamesThatAreSaidAlikeShareASound(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"李雷", "Li Lei"}, {"李雷", "Lei LI"}, {"王小明", "Xiaoming Wang"}, {"歐陽修", "Xiu Ouyang"}} {
		if !share(name.Sounds(fold.Text(pair[0])), name.Sounds(fold.Text(pair[1]))) {
			t.Errorf("%v do not sound alike", pair)
		}
	}
	for _, pair := range [][2]string{{"李雷", "Li Mei"}, {"李雷", ""}, {"", ""}} {
		if share(name.Sounds(fold.Text(pair[0])), name.Sounds(fold.Text(pair[1]))) {
			t.Errorf("%v sound alike", pair)
		}
	}
}

func share(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func TestSimilarityIsThatOfTrigrams(t *testing.T) {
	t.Parallel()
	// SELECT similarity('john smith', 'jon smith'), and so on, by pg_trgm 1.6.
	for _, c := range []struct {
		a, b string
		want float64
	}{{"john smith", "jon smith", 0.6153846}, {"smith", "smyth", 0.33333334}, {"anna", "anna", 1}, {"anna", "otto", 0}, {"", "", 0}} {
		if got := name.Similarity(c.a, c.b); got < c.want-1e-6 || got > c.want+1e-6 {
			t.Errorf("%s and %s: %v, want %v", c.a, c.b, got, c.want)
		}
	}
	if s := name.Similarity("王小明", "王晓明"); s < 0.2 || s > 0.5 {
		t.Errorf("two of three characters alike: %v", s)
	}
}

// What people get wrong is found: whatever one or two typos make of a word shares a key with it.
func TestAWordIsNearWhatTyposMakeOfIt(t *testing.T) {
	t.Parallel()
	letter := rapid.RuneFrom([]rune("abcdefgh"))
	within := 0
	rapid.Check(t, func(t *rapid.T) {
		word := []rune(rapid.StringOfN(letter, 3, 12, -1).Draw(t, "word"))
		wrong := slices.Clone(word)
		for range name.Typos(string(word)) {
			at := rapid.IntRange(0, len(wrong)-1).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "typo") {
			case 0:
				wrong[at] = letter.Draw(t, "other")
			case 1:
				wrong = slices.Insert(wrong, at, letter.Draw(t, "more"))
			case 2:
				wrong = slices.Delete(wrong, at, at+1)
			default:
				if at > 0 {
					wrong[at], wrong[at-1] = wrong[at-1], wrong[at]
				}
			}
		}
		a, b := string(word), string(wrong)
		if d := name.Distance(a, b); d > min(name.Typos(a), name.Typos(b)) {
			return // too short, or typos that add up: nothing is promised
		}
		within++
		if !share(name.Near(a), name.Near(b)) {
			t.Fatalf("%s and %s share no key", a, b)
		}
	})
	if within < 10 {
		t.Fatalf("only %d words were within reach", within)
	}
}

func TestDistanceCountsWrongLetters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"smith", "smith", 0}, {"smith", "smiht", 1}, {"smith", "smyth", 1}, {"jonson", "johnsen", 2}, {"", "ab", 2}} {
		if got := name.Distance(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
