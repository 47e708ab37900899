package contactpoint

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// Digits of a number in E.164 behind the plus sign, and of its country code.
const (
	fewestDigits, mostDigits = 7, 15
	mostCountryDigits        = 3
)

// isE164 tells of a possible number that it is written in E.164 and that nothing would be taken for a prefix that people dial: reading
// it would give the same. Files of other systems are full of such numbers, and to look for extensions in each, for which the library
// has large expressions, takes longer than all else that is done with it. False says nothing.
func isE164(value string) bool {
	digits, plus := strings.CutPrefix(value, "+")
	if !plus || len(digits) < fewestDigits || len(digits) > mostDigits || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	for n := 1; n <= mostCountryDigits; n++ {
		prefix, known := dialled()[digits[:n]]
		if !known {
			continue
		}
		if national := digits[n:]; national[0] != '0' && (prefix == nil || !prefix.MatchString(national)) {
			country, _ := strconv.ParseInt(digits[:n], 10, 32)
			rest, _ := strconv.ParseUint(national, 10, 64)
			code := int32(country)
			number := phonenumbers.PhoneNumber{CountryCode: &code, NationalNumber: &rest}
			return phonenumbers.IsPossibleNumberWithReason(&number) == phonenumbers.IS_POSSIBLE
		}
		return false
	}
	return false
}

// dialled gives, by the country code, what national numbers begin with when they are dialled from within, nil where that is nothing.
// Codes of no country are not in it.
var dialled = sync.OnceValue(func() map[string]*regexp.Regexp {
	prefixes := make(map[string]*regexp.Regexp)
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		return prefixes
	}
	for _, of := range all.GetMetadata() {
		// Of countries that share a code the main one's prefix is what a number is read by.
		if code := int(of.GetCountryCode()); of.GetId() == phonenumbers.GetRegionCodeForCountryCode(code) && len(of.GetId()) == 2 {
			var prefix *regexp.Regexp
			if text := of.GetNationalPrefixForParsing(); text != "" {
				prefix = regexp.MustCompile("^(?:" + text + ")")
			}
			prefixes[strconv.Itoa(code)] = prefix
		}
	}
	return prefixes
})
