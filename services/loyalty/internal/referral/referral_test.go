package referral

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

func TestCodesAreChanceAndReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	used := make(map[byte]bool)
	for range 2000 {
		code, err := newCode()
		if err != nil || len(code) != codeLength || seen[code] {
			t.Fatalf("%s %v", code, err)
		}
		seen[code] = true
		for i := range code {
			used[code[i]] = true
		}
		for _, form := range []string{code, strings.ToLower(code), code[:5] + "-" + code[5:], " " + code[:3] + " " + code[3:] + " "} {
			if got, err := ReadCode(form); err != nil || got != code {
				t.Fatalf("%q: got %q %v", form, got, err)
			}
		}
	}
	if len(used) != len(alphabet) || strings.ContainsAny(alphabet, "01OIL") {
		t.Fatalf("%d characters are used", len(used))
	}
}

func TestEveryWrongCharacterAndEverySwapIsFound(t *testing.T) {
	t.Parallel()
	for range 20 {
		code, err := newCode()
		if err != nil {
			t.Fatal(err)
		}
		for i := range code {
			for _, c := range alphabet {
				wrong := code[:i] + string(c) + code[i+1:]
				if _, err := ReadCode(wrong); (err == nil) != (wrong == code) {
					t.Fatalf("%s for %s: %v", wrong, code, err)
				}
			}
			for j := range i {
				swapped := []byte(code)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				if _, err := ReadCode(string(swapped)); (err == nil) != (string(swapped) == code) {
					t.Fatalf("%s for %s: %v", swapped, code, err)
				}
			}
		}
	}
	for _, bad := range []string{"", "K7M4QTX2R", "K7M4QTX2RDD", "K0M4QTX2RD", "KIM4QTX2RD", "咖啡咖啡咖啡咖啡咖啡", "K7M4QTX2R\x00", strings.Repeat("2", 64)} {
		if _, err := ReadCode(bad); err == nil {
			t.Errorf("%q is taken for a code", bad)
		}
	}
}

func TestTheFirstPurchaseThatIsEnoughCounts(t *testing.T) {
	t.Parallel()
	named := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	order := func(days int, minor int64) purchase {
		return purchase{orderID: uuid.New(), currency: "CNY", total: minor, left: minor, placedAt: named.AddDate(0, 0, days)}
	}
	early, small, good, later, late := order(-1, 500), order(1, 99), order(2, 100), order(3, 900), order(31, 900)
	terms := programme.Referral{ReferrerPoints: 1, Minimums: []programme.Minimum{{Currency: "CNY", Minor: 100}}}
	for name, c := range map[string]struct {
		all          []purchase
		want         purchase
		found, older bool
	}{
		"none":                      {nil, purchase{}, false, false},
		"in whichever order":        {[]purchase{later, good, small}, good, true, false},
		"too small":                 {[]purchase{small}, purchase{}, false, false},
		"too late":                  {[]purchase{late}, purchase{}, false, false},
		"small ones and a late one": {[]purchase{late, small}, purchase{}, false, false},
		"one from before":           {[]purchase{good, early}, purchase{}, false, true},
	} {
		r := Referral{NamedAt: named, ExpiresAt: named.AddDate(0, 0, 30)}
		got, found, older := r.first(c.all, func(p purchase) bool { return terms.Enough(p.currency, p.total) })
		if got != c.want || found != c.found || older != c.older {
			t.Errorf("%s: got %+v %t %t", name, got, found, older)
		}
	}
	if !terms.Enough("JPY", 1) || terms.Enough("JPY", 0) {
		t.Error("a currency without a minimum counts from the first minor unit")
	}
}

func TestAReferralExpiresByItself(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	r := Referral{State: Open, ExpiresAt: end}
	if got := r.At(end.Add(-time.Microsecond)); got.State != Open {
		t.Errorf("before: %s", got.State)
	}
	if got := r.At(end); got.State != Expired || !got.DecidedAt.Equal(end) {
		t.Errorf("at its end: %+v", got)
	}
	r.State = Completed
	if got := r.At(end); got.State != Completed {
		t.Errorf("one that was completed: %s", got.State)
	}
}
