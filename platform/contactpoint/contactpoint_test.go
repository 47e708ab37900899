package contactpoint_test

import (
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/contactpoint"
)

func TestPhonesOfOneFormAreEqual(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, region, want string }{
		{"138 0013 8000", "CN", "+8613800138000"},
		{"+86 138-0013-8000", "DE", "+8613800138000"},
		{"0086 13800138000", "CN", "+8613800138000"},
		{"030 901820", "DE", "+4930901820"},
		{"+49 30 901820 ext. 12", "CN", "+4930901820"},
		{"(650) 253-0000", "US", "+16502530000"},
		{"12", "CN", ""},
		{"call me", "CN", ""},
		{"", "CN", ""},
		{"+86 " + strings.Repeat("1", 70), "CN", ""},
		{"138 0013 8000", "", ""},
	} {
		got, ok := contactpoint.Phone(c.value, c.region)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q in %s: got %q %t, want %q", c.value, c.region, got, ok, c.want)
		}
	}
}

func TestAddressesOfOneFormAreEqual(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, want string }{
		{" Lily@Example.COM ", "lily@example.com"},
		{"lily@example.com.", "lily@example.com"},
		{"李@例子.中国", "李@xn--fsqu00a.xn--fiqs8s"},
		{"lily@localhost", ""},
		{"lily", ""},
		{"@example.com", ""},
		{"lily..chen@example.com", ""},
		{".lily@example.com", ""},
		{"li ly@example.com", ""},
		{"<lily@example.com>", ""},
		{strings.Repeat("l", 65) + "@example.com", ""},
		{"lily@" + strings.Repeat("e.", 130) + "com", ""},
	} {
		got, ok := contactpoint.Email(c.value)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q %t, want %q", c.value, got, ok, c.want)
		}
	}
}

func TestDomainsOfOneFormAreEqual(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, want string }{
		{"Example.COM.", "example.com"}, {"例子.中国", "xn--fsqu00a.xn--fiqs8s"}, {"com", ""}, {"", ""}, {"a b.com", ""}, {"https://example.com", ""},
		{strings.Repeat("a.", 127) + "com", ""},
	} {
		got, ok := contactpoint.Domain(c.value)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q %t, want %q", c.value, got, ok, c.want)
		}
	}
}

func TestANumberTellsItsCountry(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"+8613800138000": "CN", "+4930901820": "DE", "+16502530000": "US", "+14165550123": "CA", "+80012345678": "", "": "", "x": "",
	} {
		if got := contactpoint.Country(number); got != want {
			t.Errorf("%q: got %q, want %q", number, got, want)
		}
	}
}
