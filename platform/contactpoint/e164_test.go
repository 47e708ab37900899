package contactpoint

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// TestANumberInE164IsWhatReadingItGives compares with the library what is said of the example numbers of all regions, and of others
// that are made of them: with a digit more, less or another, or a prefix that people dial.
func TestANumberInE164IsWhatReadingItGives(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 64))
	var taken, asked int
	for region := range phonenumbers.GetSupportedRegions() {
		for kind := range phonenumbers.VOICEMAIL + 1 {
			number := phonenumbers.GetExampleNumberForType(region, kind)
			if number == nil {
				continue
			}
			code, national := fmt.Sprint(number.GetCountryCode()), phonenumbers.GetNationalSignificantNumber(number)
			for _, digits := range variants(random, national) {
				value := "+" + code + digits
				asked++
				if !isE164(value) {
					continue
				}
				taken++
				for _, home := range []string{"US", "CN", "DE", region, ""} {
					read, err := phonenumbers.Parse(value, home)
					if err != nil || phonenumbers.IsPossibleNumberWithReason(read) != phonenumbers.IS_POSSIBLE ||
						phonenumbers.Format(read, phonenumbers.E164) != value || read.GetExtension() != "" {
						t.Fatalf("%s, at home in %q: is read as %v, %v", value, home, read, err)
					}
				}
			}
		}
	}
	if taken < asked/3 {
		t.Errorf("only %d of %d numbers were taken as they are", taken, asked)
	}
	for _, other := range []string{"13800138000", "+", "+86", "+8613800138000 ", "+86138001380001234567", "+86 13800138000", "+99912345678", "+8601065529988", "+4402071838750", "+0013800138000"} {
		if isE164(other) {
			t.Errorf("%s is none", other)
		}
	}
}

func variants(random *rand.Rand, national string) (all []string) {
	for range 40 {
		digits := []byte(national)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(digits))
			switch random.IntN(6) {
			case 0:
				digits = slices.Insert(digits, at, byte('0'+random.IntN(10)))
			case 1:
				digits = slices.Insert(digits, 0, []byte([]string{"0", "1", "8", "06", "15", "17951"}[random.IntN(6)])...)
			case 2:
				if len(digits) > 2 {
					digits = slices.Delete(digits, at, at+1)
				}
			default:
				digits[at] = byte('0' + random.IntN(10))
			}
		}
		all = append(all, string(digits))
	}
	return append(all, national)
}

// BenchmarkPhone reads numbers as files of other systems have them.
func BenchmarkPhone(b *testing.B) {
	for _, c := range []struct{ name, value string }{{"E.164", "+16172345678"}, {"national", "(617) 234-5678"}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, ok := Phone(c.value, "US"); !ok {
					b.Fatal(c.value)
				}
			}
		})
	}
}
