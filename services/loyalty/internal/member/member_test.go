package member

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestTheCheckDigitIsThatOfLuhn(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]byte{
		"7992739871": 3, "453201511283036": 6, "401288888888188": 1, "37828224631000": 5, "0": 0, "1": 8,
	} {
		if got := luhn(digits); got != want {
			t.Errorf("%s: got %d, want %d", digits, got, want)
		}
	}
}

func TestACardNumberHasSixteenDigits(t *testing.T) {
	t.Parallel()
	for _, random := range []uint64{0, 17, 99_999_999_999_999, 1<<64 - 1} {
		got := cardNumber(random)
		if len(got) != 16 || got[0] != '9' || got[15]-'0' != luhn(got[:15]) {
			t.Errorf("%d: got %s", random, got)
		}
	}
}

func TestCardsDiffer(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	for range 1000 {
		m, err := Enrol(uuid.New(), "standard", SourceAPI, now)
		if err != nil || seen[m.CardNumber] {
			t.Fatalf("%+v %v", m, err)
		}
		seen[m.CardNumber] = true
	}
}
