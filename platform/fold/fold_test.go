package fold_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/fold"
)

func TestWhatIsWrittenAlikeFoldsToOneForm(t *testing.T) {
	t.Parallel()
	for want, written := range map[string][]string{
		"李雷":            {"李雷", " 李雷 ", "李\u3000雷", "李·雷"},
		"韩梅梅":           {"韓梅梅", "韩梅梅"},
		"卫峰":            {"衛峯", "衞峰", "卫峰"},
		"jose garcia":   {"José  García", "JOSE GARCIA", "Jose\u0301-Garci\u0301a"},
		"oneil":         {"O'Neil", "O’Neil", "ONEIL"},
		"strasse":       {"Straße", "STRASSE"},
		"anna 3m":       {"Ａｎｎａ　３Ｍ", "anna, 3m"},
		"soren kierkeg": {"Søren Kierkeg"},
		"한국":            {"한국"},
		"がく":            {"がく"},
		"":              {"", " - ", "。"},
	} {
		for _, w := range written {
			if got := fold.Text(w); got != want {
				t.Errorf("%q folds to %q, not %q", w, got, want)
			}
		}
	}
}

func TestFoldingTwiceIsFoldingOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringN(0, 20, -1).Draw(t, "name")
		if once := fold.Text(s); fold.Text(once) != once {
			t.Fatalf("%q, then %q", once, fold.Text(once))
		}
	})
}
