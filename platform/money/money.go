// Package money keeps amounts exact: integers in a currency's minor unit (cents for USD, yen for JPY, fils for KWD).
// Nothing here rounds unless its name says so, and nothing here is a floating point number.
package money

import (
	"fmt"
	"math/bits"
	"strings"
)

// Max is the largest amount that is taken anywhere, in minor units: 2^53-1, the largest integer that every JSON reader
// keeps exact, browsers included.
const Max int64 = 1<<53 - 1

// Fault says what is wrong with an amount or a currency that came from outside.
type Fault struct {
	Code    string // stable: currency_unknown, amount_malformed, amount_too_precise, amount_negative, amount_too_large
	Message string // what would be right, without repeating the value
}

func (f *Fault) Error() string { return f.Message }

// exponents holds the active codes of ISO 4217 list one (2025) by the digits of their minor unit. Codes that are no
// money of anybody (metals, testing, none) are left out. The list is written down here since the Unicode data behind
// golang.org/x/text lacks the currencies since 2018 and counts digits by custom, not by ISO 4217.
var exponents = index(map[int]string{
	0: `BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF`,
	2: `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP
	    CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
	    KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
	    NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB
	    TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
	3: `BHD IQD JOD KWD LYD OMR TND`,
})

func index(lists map[int]string) map[string]int {
	out := make(map[string]int)
	for digits, list := range lists {
		for code := range strings.FieldsSeq(list) {
			out[code] = digits
		}
	}
	return out
}

// Digits gives the number of decimal digits of a currency's minor unit: 2 for USD, 0 for JPY, 3 for KWD. The code is
// ISO 4217, three capitals; ok is false for any other.
func Digits(currency string) (digits int, ok bool) {
	digits, ok = exponents[currency]
	return digits, ok
}

// Parse reads an amount in major units as people and files write it ("11.77", "12", "0.00") and gives it in minor
// units of the currency. Digits beyond the minor unit are a fault unless they are zeros; so are signs, exponents and
// separators of thousands, since each is read differently somewhere.
func Parse(amount, currency string) (int64, *Fault) {
	digits, ok := Digits(currency)
	if !ok {
		return 0, &Fault{"currency_unknown", "must be an ISO 4217 currency code, such as CNY"}
	}
	if strings.HasPrefix(amount, "-") {
		return 0, &Fault{"amount_negative", "must not be negative"}
	}
	whole, fraction, point := strings.Cut(amount, ".")
	if whole == "" || (point && fraction == "") || !allDigits(whole) || !allDigits(fraction) {
		return 0, &Fault{"amount_malformed", "must be a plain decimal number in major units, such as 11.77"}
	}
	if len(fraction) > digits {
		if strings.Trim(fraction[digits:], "0") != "" {
			return 0, &Fault{"amount_too_precise", fmt.Sprintf("must have at most %d decimal places in %s", digits, currency)}
		}
		fraction = fraction[:digits]
	}
	minor := int64(0)
	for _, digit := range whole + fraction + strings.Repeat("0", digits-len(fraction)) {
		minor = minor*10 + int64(digit-'0')
		if minor > Max {
			return 0, &Fault{"amount_too_large", fmt.Sprintf("must be at most %d minor units", Max)}
		}
	}
	return minor, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Add gives a+b, both from 0 to Max; ok is false when the sum is above Max.
func Add(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, sum <= Max
}

// Share gives the part of amount that falls to part of whole (0 <= part <= whole, whole > 0, amount >= 0), rounded
// down. Shares taken one after the other, each from what the last one left, add up to the amount exactly.
func Share(amount, part, whole int64) int64 {
	high, low := bits.Mul64(uint64(amount), uint64(part))
	share, _ := bits.Div64(high, low, uint64(whole))
	return int64(share)
}
