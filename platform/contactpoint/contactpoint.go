// Package contactpoint brings telephone numbers and mail addresses, as people and systems write them, to one form each, so that
// equal means equal in every service.
package contactpoint

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	maxEmail  = 254 // bytes, RFC 5321 4.5.3.1.3 less the angle brackets
	maxLocal  = 64  // bytes, RFC 5321 4.5.3.1.1
	maxPhone  = 64  // characters as typed, before normalising
	maxDomain = 253 // bytes, RFC 1035 2.3.4 less the root's dot
)

// What is wrong with a value that is none, for people.
const (
	PhoneMalformed = "must be a telephone number, national or with + and the country code"
	EmailMalformed = "must be a mail address such as name@example.com"
)

// Phone gives E.164; ok is false for what is no telephone number. Region is the ISO 3166 code of the country whose national numbers
// are meant where the number names none. A number is taken when it is possible (the right length for its country), not only when its
// range is known to be in use: operators open ranges faster than any list of them is updated. An extension is dropped, since a number
// finds who may be calling, and callers are shown without their extension.
func Phone(value, region string) (e164 string, ok bool) {
	if utf8.RuneCountInString(value) > maxPhone {
		return "", false
	}
	if isE164(value) {
		return value, true
	}
	number, err := phonenumbers.Parse(value, region)
	if err != nil || phonenumbers.IsPossibleNumberWithReason(number) != phonenumbers.IS_POSSIBLE {
		return "", false
	}
	return phonenumbers.Format(number, phonenumbers.E164), true
}

// Email gives the address in lower case, its domain in ASCII (IDNA 2008); ok is false for what is no address. The local part may be in
// any script.
func Email(value string) (address string, ok bool) {
	value = norm.NFC.String(strings.TrimSpace(value))
	at := strings.LastIndexByte(value, '@')
	if at < 1 || at > maxLocal || !utf8.ValidString(value) {
		return "", false
	}
	local := strings.ToLower(value[:at])
	unfit := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`"(),:;<>@[\]`, r)
	}
	if strings.ContainsFunc(local, unfit) || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return "", false
	}
	domain, ok := Domain(value[at+1:])
	if !ok || len(local)+1+len(domain) > maxEmail {
		return "", false
	}
	return local + "@" + domain, true
}

// Domain gives the name of a host on the internet in lower case and ASCII (IDNA 2008), without the root's dot; ok is false for what is
// none, a name of one label included.
func Domain(value string) (domain string, ok bool) {
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(value, "."))
	if err != nil || !strings.Contains(domain, ".") || len(domain) > maxDomain {
		return "", false
	}
	return domain, true
}

// Country gives the ISO 3166-1 code of the country that a number in E.164 is of; empty where it is of none or of several.
func Country(e164 string) string {
	number, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return ""
	}
	region := phonenumbers.GetRegionCodeForNumber(number)
	if len(region) != 2 || region == phonenumbers.UNKNOWN_REGION {
		return ""
	}
	return region
}
