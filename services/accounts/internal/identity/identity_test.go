package identity_test

import (
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, kind, value, region string
		want, fault               string
	}{
		{"a Chinese mobile as typed", "phone", "138 0013 8000", "CN", "+8613800138000", ""},
		{"the same with country code", "phone", "+86 138-0013-8000", "US", "+8613800138000", ""},
		{"the same in full-width digits", "phone", "１３８００１３８０００", "CN", "+8613800138000", ""},
		{"a landline of Beijing", "phone", "(010) 6552 9988", "CN", "+861065529988", ""},
		{"a number of London seen from China", "phone", "0044 20 7946 0018", "CN", "+442079460018", ""},
		{"an extension goes", "phone", "+44 20 7946 0018 ext 5", "GB", "+442079460018", ""},
		{"no number at all", "phone", "call me", "CN", "", "phone_malformed"},
		{"too short", "phone", "110", "CN", "", "phone_malformed"},
		{"too long", "phone", "+86 138 0013 8000 8000 8000", "CN", "", "phone_malformed"},
		{"a flood of digits", "phone", strings.Repeat("1", 10_000), "CN", "", "phone_malformed"},

		{"mail in capitals", "email", " Li.Lei@Example.COM ", "CN", "li.lei@example.com", ""},
		{"mail of a Chinese domain", "email", "info@例子.中国", "CN", "info@xn--fsqu00a.xn--fiqs8s", ""},
		{"mail with a Chinese local part", "email", "李雷@example.com", "CN", "李雷@example.com", ""},
		{"mail with a final dot", "email", "a@example.com.", "CN", "a@example.com", ""},
		{"mail without domain", "email", "lilei", "CN", "", "email_malformed"},
		{"mail without a dot", "email", "lilei@localhost", "CN", "", "email_malformed"},
		{"mail with blanks", "email", "li lei@example.com", "CN", "", "email_malformed"},
		{"mail with two @", "email", "li@lei@example.com", "CN", "", "email_malformed"},
		{"mail with a name around", "email", "Li Lei <a@example.com>", "CN", "", "email_malformed"},
		{"mail with an injected header", "email", "a\r\nbcc:b@example.com", "CN", "", "email_malformed"},
		{"mail with dots in a row", "email", "a..b@example.com", "CN", "", "email_malformed"},
		{"mail that is endless", "email", strings.Repeat("a", 65) + "@example.com", "CN", "", "email_malformed"},

		{"a card as printed", "card", "6225-8801 1234", "CN", "622588011234", ""},
		{"a card in small letters", "card", "vip00017", "CN", "VIP00017", ""},
		{"a card in full-width digits", "card", "６２２５", "CN", "6225", ""},
		{"a card too short", "card", "12", "CN", "", "card_malformed"},
		{"a card with a sign", "card", "12#4", "CN", "", "card_malformed"},

		{"an external id is kept as it is", "external:cdnow", " 00001 ", "CN", "00001", ""},
		{"an external id in Chinese", "external:erp", "客户-7", "CN", "客户-7", ""},
		{"an empty external id", "external:cdnow", "  ", "CN", "", "external_id_malformed"},
		{"an external id too long", "external:cdnow", strings.Repeat("客", 129), "CN", "", "external_id_malformed"},
		{"no system", "external:", "1", "CN", "", "system_malformed"},
		{"a system in capitals", "external:CDNOW", "1", "CN", "", "system_malformed"},
		{"an unknown type", "fax", "1", "CN", "", "type_unknown"},
		{"no type", "", "1", "CN", "", "type_unknown"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, fault := identity.Normalise(c.kind, c.value, c.region)
			code := ""
			if fault != nil {
				code = fault.Code
			}
			if got.Value != c.want || code != c.fault {
				t.Fatalf("got %q %q, want %q %q", got.Value, code, c.want, c.fault)
			}
			if fault != nil && len(c.value) > 3 && strings.Contains(fault.Message, c.value) {
				t.Fatalf("the message repeats the value: %s", fault.Message)
			}
		})
	}
}

func TestNormalisingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	for kind, value := range map[string]string{
		"phone": "010 6552 9988", "email": "Info@例子.中国", "card": "vip-17", "external:erp": " A1 ",
	} {
		once, fault := identity.Normalise(kind, value, "CN")
		if fault != nil {
			t.Fatalf("%s: %v", kind, fault)
		}
		twice, fault := identity.Normalise(kind, once.Value, "US")
		if fault != nil || twice != once {
			t.Errorf("%s: %v became %v (%v)", kind, once, twice, fault)
		}
	}
}

func TestExclusive(t *testing.T) {
	t.Parallel()
	for kind, want := range map[identity.Type]bool{
		identity.Phone: false, identity.Email: false, identity.Card: true, identity.External("cdnow"): true,
	} {
		if kind.Exclusive() != want {
			t.Errorf("%s: exclusive is %v, want %v", kind, !want, want)
		}
	}
}
