package programme_test

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

func TestAPointForEachWholeMajorUnit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, currency string
		minor, points  int64
		ok             bool
	}{
		{"138.00 yuan", "CNY", 13800, 138, true},
		{"a fen less", "CNY", 13799, 137, true},
		{"99 fen", "CNY", 99, 0, true},
		{"nothing", "CNY", 0, 0, true},
		{"yen have no smaller unit", "JPY", 13800, 13800, true},
		{"a dinar has 1,000 fils", "KWD", 13800, 13, true},
		{"the largest amount", "JPY", money.Max, money.Max, true},
		{"no currency", "XXX", 100, 0, false},
	} {
		if points, ok := programme.Standard().Points(c.minor, c.currency); ok != c.ok || ok && points != c.points {
			t.Errorf("%s: got %d %t, want %d %t", c.name, points, ok, c.points, c.ok)
		}
	}
}

func TestPointsAreLockedForFourteenDays(t *testing.T) {
	t.Parallel()
	placed := time.Date(2026, 11, 20, 11, 30, 0, 0, time.UTC)
	if at := programme.Standard().AvailableAt(placed); !at.Equal(time.Date(2026, 12, 4, 11, 30, 0, 0, time.UTC)) {
		t.Errorf("got %s", at)
	}
}

func TestWhatIsOwedIsTheShareRoundedDown(t *testing.T) {
	t.Parallel()
	p := programme.Standard()
	if got := p.Owed(0, 0, 0); got != 0 {
		t.Errorf("an order for nothing: got %d", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(1, money.Max).Draw(t, "total")
		points := rapid.Int64Range(0, money.Max).Draw(t, "points")
		returned := rapid.Int64Range(0, total).Draw(t, "returned")
		want := new(big.Int).Mul(big.NewInt(points), big.NewInt(returned))
		want.Div(want, big.NewInt(total))
		if got := p.Owed(points, returned, total); big.NewInt(got).Cmp(want) != 0 {
			t.Fatalf("got %d, want %s", got, want)
		}
		if got := p.Owed(points, total, total); got != points {
			t.Fatalf("everything came back, but %d of %d points are owed", got, points)
		}
	})
}
