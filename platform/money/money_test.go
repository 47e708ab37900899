package money_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/money"
)

func TestParse(t *testing.T) {
	t.Parallel()
	cases := []struct {
		amount, currency string
		minor            int64
		fault            string
	}{
		{"11.77", "USD", 1177, ""},
		{"12", "USD", 1200, ""},
		{"0.00", "USD", 0, ""},
		{"1.5", "USD", 150, ""},
		{"007.10", "USD", 710, ""},
		{"1.2300", "USD", 123, ""}, // zeros beyond the cent lose nothing
		{"1200", "JPY", 1200, ""},
		{"1200.0", "JPY", 1200, ""},
		{"1.234", "KWD", 1234, ""},
		{"90071992547409.91", "USD", money.Max, ""},
		{"90071992547409.92", "USD", 0, "amount_too_large"},
		{"99999999999999999999999999", "USD", 0, "amount_too_large"},
		{"1.234", "USD", 0, "amount_too_precise"},
		{"0.5", "JPY", 0, "amount_too_precise"},
		{"-1.00", "USD", 0, "amount_negative"},
		{"+1.00", "USD", 0, "amount_malformed"},
		{"", "USD", 0, "amount_malformed"},
		{".", "USD", 0, "amount_malformed"},
		{".5", "USD", 0, "amount_malformed"},
		{"1.", "USD", 0, "amount_malformed"},
		{"1,000.00", "USD", 0, "amount_malformed"},
		{"1e3", "USD", 0, "amount_malformed"},
		{"１２", "USD", 0, "amount_malformed"},
		{"12.00", "usd", 0, "currency_unknown"},
		{"12.00", "XXX", 0, "currency_unknown"},
		{"12.00", "", 0, "currency_unknown"},
	}
	for _, c := range cases {
		t.Run(c.amount+" "+c.currency, func(t *testing.T) {
			t.Parallel()
			minor, fault := money.Parse(c.amount, c.currency)
			code := ""
			if fault != nil {
				code = fault.Code
			}
			if minor != c.minor || code != c.fault {
				t.Fatalf("got %d %q, want %d %q", minor, code, c.minor, c.fault)
			}
		})
	}
}

func TestParseReadsBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64Range(0, money.Max).Draw(t, "minor")
		got, fault := money.Parse(fmt.Sprintf("%d.%02d", minor/100, minor%100), "EUR")
		if fault != nil || got != minor {
			t.Fatalf("got %d %v, want %d", got, fault, minor)
		}
	})
}

func TestSharesAddUpToTheAmount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, money.Max).Draw(t, "amount")
		whole := rapid.Int64Range(1, 1000).Draw(t, "whole")
		left, pieces := amount, whole
		for pieces > 0 {
			part := rapid.Int64Range(1, pieces).Draw(t, "part")
			share := money.Share(left, part, pieces)
			if share < 0 || share > left {
				t.Fatalf("share %d of %d", share, left)
			}
			left, pieces = left-share, pieces-part
		}
		if left != 0 {
			t.Fatalf("%d left over", left)
		}
	})
}

func TestDigits(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{"CNY": 2, "JPY": 0, "KWD": 3, "MRU": 2, "RSD": 2, "IQD": 3} {
		if got, ok := money.Digits(code); !ok || got != want {
			t.Errorf("%s: got %d %v, want %d", code, got, ok, want)
		}
	}
	for _, code := range []string{"", "cny", "XXX", "XAU", "DEM", "US", "USDX"} {
		if _, ok := money.Digits(code); ok {
			t.Errorf("%q passes for a currency", code)
		}
	}
}
