package matrix_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/matrix"
)

func TestCellsAreNamedAfterTheirSides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first, second             bool
		satisfied, loyal, growing string
	}{
		{true, true, "loyal", "true", "loyalty"},
		{true, false, "fragile", "latent", "expansion"},
		{false, true, "potential", "spurious", "acquisition"},
		{false, false, "negative", "none", "diversification"},
	} {
		if got := matrix.Satisfied(c.first, c.second); got != c.satisfied {
			t.Errorf("product %v, relationship %v: %s", c.first, c.second, got)
		}
		if got := matrix.Loyal(c.first, c.second); got != c.loyal {
			t.Errorf("attitude %v, repeat %v: %s", c.first, c.second, got)
		}
		if got := matrix.Growth(c.first, c.second); got != c.growing {
			t.Errorf("old customer %v, old product %v: %s", c.first, c.second, got)
		}
	}
}

func TestAnOrderIsSharedOutAmongItsLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                              string
		total, oldAmount, newAmount, none int64
		want                              [3]int64
	}{
		{"as the lines say", 300, 100, 200, 0, [3]int64{100, 200, 0}},
		{"a discount on the whole", 270, 100, 200, 0, [3]int64{90, 180, 0}},
		{"half a cent goes away from zero", 1, 1, 1, 0, [3]int64{1, 0, 0}},
		{"a third each", 100, 1, 1, 1, [3]int64{33, 34, 33}},
		{"nothing was paid", 0, 100, 200, 0, [3]int64{0, 0, 0}},
		{"no lines", 500, 0, 0, 0, [3]int64{0, 0, 500}},
		{"lines that come to nothing", 500, 100, -100, 0, [3]int64{0, 0, 500}},
		{"a line that takes off", 90, 100, -10, 0, [3]int64{100, -10, 0}},
		{"a line without a product", 30, 10, 0, 20, [3]int64{10, 0, 20}},
		{"large amounts", 9_000_000_000_000_000, 3_000_000_000_000_000, 6_000_000_000_000_000, 0, [3]int64{3_000_000_000_000_000, 6_000_000_000_000_000, 0}},
	} {
		o, n, u := matrix.Split(c.total, c.oldAmount, c.newAmount, c.none)
		if got := [3]int64{o, n, u}; got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPartsOfAnOrderAddUpToItExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 1_000_000_000)
		total, a, b, c := amount.Draw(t, "total"), amount.Draw(t, "old"), amount.Draw(t, "new"), amount.Draw(t, "none")
		o, n, u := matrix.Split(total, a, b, c)
		if o+n+u != total {
			t.Fatalf("%d + %d + %d is not %d", o, n, u, total)
		}
		if o < 0 || n < 0 || u < 0 || a == 0 && o != 0 {
			t.Fatalf("parts of what is paid: %d %d %d", o, n, u)
		}
		if a+b+c == total && (o != a || n != b || u != c) {
			t.Fatalf("lines that add up are shared out otherwise: %d %d %d", o, n, u)
		}
	})
}
