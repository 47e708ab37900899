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

		{"a number of 16 digits with its check digit", "card", "4012 8888 8888 1881", "CN", "4012888888881881", ""},
		{"one with two digits swapped", "card", "4012 8888 8888 1818", "CN", "", "card_check_digit"},
		{"one of 13 digits", "card", "4222222222222", "CN", "4222222222222", ""},
		{"one of 13 digits that was misread", "card", "4222222222223", "CN", "", "card_check_digit"},
		{"one of 19 digits that was misread", "card", "6225880123456789012", "CN", "", "card_check_digit"},
		{"12 digits have no check digit", "card", "422222222223", "CN", "422222222223", ""},
		{"nor have 20", "card", "62258801234567890123", "CN", "62258801234567890123", ""},
		{"nor has one with a letter", "card", "V222222222223", "CN", "V222222222223", ""},

		{"a login in capitals", "login", " Li.Lei ", "CN", "li.lei", ""},
		{"a login in full-width letters", "login", "ＬｉＬｅｉ", "CN", "lilei", ""},
		{"a login in Chinese", "login", "李雷", "CN", "李雷", ""},
		{"a login with a blank", "login", "li lei", "CN", "", "login_malformed"},
		{"no login", "login", " ", "CN", "", "login_malformed"},
		{"an endless login", "login", strings.Repeat("a", 129), "CN", "", "login_malformed"},
		{"a browser's cookie", "web_device", " GA1.2.1234567-Ab ", "CN", "GA1.2.1234567-Ab", ""},
		{"a cookie too short", "web_device", "a1", "CN", "", "web_device_malformed"},
		{"a cookie with a blank", "web_device", "GA1 2 1234567", "CN", "", "web_device_malformed"},
		{"a UnionID", "wechat_union", "o6_bmasdasdsad6_2sgVt7hMZOPfL", "CN", "o6_bmasdasdsad6_2sgVt7hMZOPfL", ""},
		{"a UnionID with a sign", "wechat_union", "o6*bmasdasd", "CN", "", "wechat_union_malformed"},
		{"an OpenID of an app", "wechat", "WX1234567890abcdef : oR5GJxQ_1-a", "CN", "wx1234567890abcdef:oR5GJxQ_1-a", ""},
		{"an OpenID without its app", "wechat", "oR5GJxQ_1-a", "CN", "", "wechat_malformed"},
		{"an OpenID of two apps", "wechat", "wx12:wx34:oR5", "CN", "", "wechat_malformed"},
		{"an app without an OpenID", "wechat", "wx1234567890abcdef:", "CN", "", "wechat_malformed"},
		{"a contact of a company", "wecom", "ww55ca070cb9b7eb22:wmqfasd1e19278asdasAAAA", "CN", "ww55ca070cb9b7eb22:wmqfasd1e19278asdasAAAA", ""},
		{"a contact without the company", "wecom", "wmqfasd1e19278asdasAAAA", "CN", "", "wecom_malformed"},

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
		"login": "Ｌi.Lei", "web_device": " Ab-12345", "wechat_union": "oAb_12345", "wechat": "WXab:oA-1", "wecom": "WW12: wmA_1",
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
		identity.Phone: false, identity.Email: false, identity.WebDevice: false, identity.Card: true, identity.Login: true,
		identity.WeChatUnion: true, identity.WeChat: true, identity.WeCom: true, identity.External("cdnow"): true,
	} {
		if kind.Exclusive() != want {
			t.Errorf("%s: exclusive is %v, want %v", kind, !want, want)
		}
	}
}
