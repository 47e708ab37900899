package httpx_test

import (
	"testing"

	"github.com/guanxi-crm/guanxi/platform/httpx"
)

func TestTheLanguageOfAnAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ asked, accepts, want string }{
		{"", "", "en"}, {"zh", "en", "zh"}, {"zh-CN", "", "zh"}, {"en", "zh-CN", "en"}, {"", "zh-Hans-CN,en;q=0.5", "zh"},
		{"", "en;q=0.5,zh;q=0.8", "zh"}, {"", "de,zh;q=0.3", "zh"}, {"", "de", "en"}, {"", "???;;", "en"}, {"fr", "zh", "en"},
		{"", "zh-Hant-TW", "zh"}, {"", "de-AT, en;q=0.5, zh;q=0.4", "en"}, {"", "*", "en"},
	} {
		if got := httpx.Language(c.asked, c.accepts); got != c.want {
			t.Errorf("asked %q, accepts %q: %s instead of %s", c.asked, c.accepts, got, c.want)
		}
	}
}
