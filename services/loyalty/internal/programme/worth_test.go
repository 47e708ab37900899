package programme_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

func TestWhatPointsAreWorthIsRoundedDownAndTheFewestAreFound(t *testing.T) {
	t.Parallel()
	if _, ok := (programme.Worth{}).For(100); ok || (programme.Worth{}).Of(100) != 0 {
		t.Error("nobody said what points are worth")
	}
	if _, ok := (programme.Worth{Currency: "CNY", Points: 1}).For(100); ok {
		t.Error("points that are worth nothing never come to an amount")
	}
	rapid.Check(t, func(t *rapid.T) {
		w := programme.Worth{Currency: "CNY", Points: rapid.Int64Range(1, 1_000_000).Draw(t, "points"), Minor: rapid.Int64Range(1, 1_000_000_000).Draw(t, "minor")}
		n := rapid.Int64Range(1, money.Max).Draw(t, "n")
		want := new(big.Int).Mul(big.NewInt(n), big.NewInt(w.Minor))
		want.Div(want, big.NewInt(w.Points))
		if got := w.Of(n); want.IsInt64() && want.Int64() != got || !want.IsInt64() && got != 1<<63-1 {
			t.Fatalf("%d points are worth %d, want %s", n, got, want)
		}
		amount := rapid.Int64Range(1, 1_000_000_000).Draw(t, "amount")
		points, ok := w.For(amount)
		if !ok || w.Of(points) < amount || points > 1 && w.Of(points-1) >= amount {
			t.Fatalf("%d points for %d", points, amount)
		}
	})
}
