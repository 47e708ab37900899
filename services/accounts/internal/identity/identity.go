// Package identity holds the ways to recognise a customer: a telephone number, a mail address, a membership card, the
// id in another system. Each is brought to one form before it is kept or looked for, so that equal means equal.
package identity

import (
	"cmp"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/width"

	"github.com/guanxi-crm/guanxi/platform/contactpoint"
	"github.com/guanxi-crm/guanxi/platform/externalref"
)

// Type is the sort of an identity: one of those below, or external:<system>.
type Type string

// The types that stand by themselves. See External for the others.
const (
	Phone       Type = "phone"
	Email       Type = "email"
	Card        Type = "card"
	Login       Type = "login"        // to the tenant's own site or app
	WebDevice   Type = "web_device"   // a browser or an app's installation, such as the value of a cookie
	WeChatUnion Type = "wechat_union" // UnionID: one person over all apps of a WeChat Open Platform account
	WeChat      Type = "wechat"       // appid:openid: one person as one app knows them
	WeCom       Type = "wecom"        // corpid:external_userid: a contact of a company's WeCom
)

// ExternalPrefix begins the type of every id in another system; the system's code follows.
const ExternalPrefix = "external:"

// External is the type of a customer's id in another system, such as external:cdnow.
func External(system string) Type { return Type(ExternalPrefix + system) }

// System gives the code of the other system whose id this is; ok is false for all other types.
func (t Type) System() (system string, ok bool) {
	return strings.CutPrefix(string(t), ExternalPrefix)
}

// Exclusive tells whether only one customer of a tenant can have a given identity of this type at a time. A card and an
// id in another system are one customer's; a telephone, a mailbox or a browser may be a family's. The database enforces
// the same.
func (t Type) Exclusive() bool { return t != Phone && t != Email && t != WebDevice }

// Identity is one way to recognise a customer, in its one form: phone in E.164, email in lower case with an ASCII
// domain, card without separators, login in lower case, WeChat's and WeCom's pairs with the first part in lower case, an
// external id as the other system writes it.
type Identity struct {
	Type  Type
	Value string
}

// Compare orders identities by type, then by value.
func Compare(a, b Identity) int {
	return cmp.Or(strings.Compare(string(a.Type), string(b.Type)), strings.Compare(a.Value, b.Value))
}

// Fault says what is wrong with an identity. Field is "type" or "value"; Message never repeats the value, which is
// personal.
type Fault struct {
	Field, Code, Message string
}

func (f *Fault) Error() string { return f.Field + " " + f.Message }

const (
	minCard = 4
	maxCard = 32
	// Lengths of the numbers that have a check digit, ISO/IEC 7812-1:2017.
	minChecked = 13
	maxChecked = 19
	maxLogin   = 128 // characters
)

// Normalise brings an identity as people and systems write it to its one form. Region is the ISO 3166 code of the
// country whose national numbers are meant where a telephone number names none.
func Normalise(kind, value, region string) (Identity, *Fault) {
	t := Type(kind)
	var fault *Fault
	switch {
	case t == Phone:
		value, fault = phone(value, region)
	case t == Email:
		value, fault = email(value)
	case t == Card:
		value, fault = card(value)
	case t == Login:
		value, fault = login(value)
	case t == WebDevice:
		value, fault = opaque(value, webDevice, "web_device_malformed", "must be 8 to 128 letters, digits and ._:-")
	case t == WeChatUnion:
		value, fault = opaque(value, unionID, "wechat_union_malformed", "must be a UnionID as WeChat gives it")
	case t == WeChat:
		value, fault = pair(value, appAndOpenID, "wechat_malformed", "must be AppID:OpenID as WeChat gives them")
	case t == WeCom:
		value, fault = pair(value, corpAndUserID, "wecom_malformed", "must be CorpID:external_userid as WeCom gives them")
	case strings.HasPrefix(kind, ExternalPrefix):
		value, fault = external(strings.TrimPrefix(kind, ExternalPrefix), value)
	default:
		return Identity{}, &Fault{"type", "type_unknown",
			"must be phone, email, card, login, web_device, wechat_union, wechat, wecom or external:<system>"}
	}
	if fault != nil {
		return Identity{}, fault
	}
	return Identity{Type: t, Value: value}, nil
}

func phone(value, region string) (string, *Fault) {
	number, ok := contactpoint.Phone(value, region)
	if !ok {
		return "", &Fault{"value", "phone_malformed", contactpoint.PhoneMalformed}
	}
	return number, nil
}

func email(value string) (string, *Fault) {
	address, ok := contactpoint.Email(value)
	if !ok {
		return "", &Fault{"value", "email_malformed", contactpoint.EmailMalformed}
	}
	return address, nil
}

// card drops the separators that people type and lifts letters to capitals. A number as long as those of ISO/IEC 7812 (the
// numbering of bank cards, which most programmes of membership cards took over) ends with a check digit, so that a digit
// misread or two swapped are noticed; shorter numbers and cards with letters are of the issuer's own making.
func card(value string) (string, *Fault) {
	value = strings.ToUpper(width.Narrow.String(value))
	value = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '-' {
			return -1
		}
		return r
	}, value)
	unfit := func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') }
	if len(value) < minCard || len(value) > maxCard || strings.ContainsFunc(value, unfit) {
		return "", &Fault{"value", "card_malformed", "must be 4 to 32 letters and digits; blanks and hyphens do not count"}
	}
	if len(value) >= minChecked && len(value) <= maxChecked && digits(value) && !luhn(value) {
		return "", &Fault{"value", "card_check_digit", "the check digit does not fit: a digit is wrong, or two are swapped"}
	}
	return value, nil
}

func digits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// luhn tells whether the last digit is the check digit of those before it, after ISO/IEC 7812-1 annex B: from the right,
// every second digit is doubled and its own digits added up; the sum of all is a multiple of ten.
func luhn(number string) bool {
	sum := 0
	for n := range len(number) {
		digit := int(number[len(number)-1-n] - '0')
		if n%2 == 1 {
			digit *= 2
		}
		sum += digit/10 + digit%10
	}
	return sum%10 == 0
}

// login gives a user name as RFC 8265 (PRECIS, UsernameCaseMapped) compares them: in lower case, full-width letters made
// narrow, composed. A name with blanks is none there.
func login(value string) (string, *Fault) {
	name, err := precis.UsernameCaseMapped.String(strings.TrimSpace(value))
	if err != nil || name == "" || utf8.RuneCountInString(name) > maxLogin {
		return "", &Fault{"value", "login_malformed", "must be a user name of at most 128 characters, without blanks"}
	}
	return name, nil
}

// Patterns of ids that other systems make. They tell capitals from small letters, but for AppIDs and CorpIDs, which are
// of small ones and are often typed in capitals.
var (
	webDevice     = regexp.MustCompile(`^[A-Za-z0-9._:-]{8,128}$`)
	unionID       = regexp.MustCompile(`^[A-Za-z0-9_-]{6,64}$`)
	appAndOpenID  = regexp.MustCompile(`^wx[a-z0-9]{1,62}:[A-Za-z0-9_-]{1,64}$`)
	corpAndUserID = regexp.MustCompile(`^w[a-z0-9]{1,63}:[A-Za-z0-9_-]{1,64}$`)
)

func opaque(value string, pattern *regexp.Regexp, code, message string) (string, *Fault) {
	if value = strings.TrimSpace(value); !pattern.MatchString(value) {
		return "", &Fault{"value", code, message}
	}
	return value, nil
}

// pair brings the id of an app or a company, and what a person is there, to the form first:second.
func pair(value string, pattern *regexp.Regexp, code, message string) (string, *Fault) {
	first, second, _ := strings.Cut(value, ":")
	return opaque(strings.ToLower(strings.TrimSpace(first))+":"+strings.TrimSpace(second), pattern, code, message)
}

func external(system, value string) (string, *Fault) {
	ref, fault := externalref.New(system, value)
	switch {
	case fault == nil:
		return ref.ID, nil
	case fault.Field == "system":
		return "", &Fault{"type", fault.Code, "external: " + fault.Message}
	default:
		return "", &Fault{"value", fault.Code, fault.Message}
	}
}
