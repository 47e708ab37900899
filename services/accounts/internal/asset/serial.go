package asset

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	maxSerial = 64 // characters
	lengthVIN = 17
)

// NormaliseSerial brings the serial of a product to its one form: capitals, without blanks; a vehicle's is its VIN, without
// hyphens too. Nothing is none.
func NormaliseSerial(t Type, s string) (string, *problem.Field) {
	s = strings.ToUpper(norm.NFC.String(width.Narrow.String(s)))
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || (t == Vehicle && r == '-') {
			return -1
		}
		return r
	}, s)
	switch {
	case s == "":
		return "", nil
	case t == Vehicle && !formVIN(s):
		return "", &problem.Field{Location: "serial", Code: "vin_malformed",
			Message: "of a vehicle must be its VIN: 17 capitals and digits, none of them I, O or Q"}
	case utf8.RuneCountInString(s) > maxSerial || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", &problem.Field{Location: "serial", Code: "serial_malformed", Message: "must be at most 64 characters, none of them a control character"}
	}
	return s, nil
}

// formVIN tells whether s has the form of ISO 3779: 17 of the digits and capitals without I, O and Q.
func formVIN(s string) bool {
	unfit := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') || r == 'I' || r == 'O' || r == 'Q'
	}
	return len(s) == lengthVIN && !strings.ContainsFunc(s, unfit)
}

// The values and weights of 49 CFR 565.15(c), tables III and IV; GB 16735 has the same.
const (
	valuesOfAToZ = "12345678-12345-7-923456789" // I, O and Q have none
	checkDigits  = "0123456789X"
)

var weightsVIN = [lengthVIN]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}

// CheckDigitOK tells whether the ninth character of a VIN is what 49 CFR 565.15(c) makes of the others. Vehicles made for
// North America and China have it; others may have anything there, so that a wrong one is a reason to look again and
// not to refuse.
func CheckDigitOK(vin string) bool {
	if !formVIN(vin) {
		return false
	}
	sum := 0
	for n, r := range []byte(vin) {
		value := r
		if r >= 'A' {
			value = valuesOfAToZ[r-'A']
		}
		sum += int(value-'0') * weightsVIN[n]
	}
	return vin[8] == checkDigits[sum%len(checkDigits)]
}
