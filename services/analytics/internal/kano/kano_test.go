package kano_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/kano"
)

func TestEveryPairHasItsCategory(t *testing.T) {
	t.Parallel()
	for row, want := range []string{"QAAAO", "RIIIM", "RIIIM", "RIIIM", "RRRRQ"} {
		for column, c := range want {
			if got := kano.Categorise(kano.Answer(row+1), kano.Answer(column+1)); string(got) != string(c) {
				t.Errorf("%d and %d: got %s, want %c", row+1, column+1, got, c)
			}
		}
	}
}

// TestThePublishedSkisAreReached has the shares per thousand of E. Sauerwein, F. Bailom, K. Matzler, H. H. Hinterhuber, The Kano
// model: how to delight your customers, IX. International Working Seminar on Production Economics (1996) 313–327.
func TestThePublishedSkisAreReached(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attribute        string
		a, o, m, i, r, q int
		want             kano.Category
	}{
		{"edge grip", 70, 323, 493, 95, 3, 15, kano.MustBe},
		{"ease of turn", 104, 451, 305, 115, 12, 12, kano.OneDimensional},
		{"service", 638, 216, 29, 85, 7, 25, kano.Attractive},
	} {
		f := kano.Find(c.attribute, map[kano.Category]int{"A": c.a, "O": c.o, "M": c.m, "I": c.i, "R": c.r, "Q": c.q})
		all := float64(c.a + c.o + c.m + c.i)
		if f.Category != c.want || !f.Clear || !f.Concerns || !f.Significant || math.Abs(f.Better.Value-float64(c.a+c.o)/all) > 1e-12 ||
			math.Abs(f.Worse.Value+float64(c.o+c.m)/all) > 1e-12 {
			t.Errorf("%s: %+v", c.attribute, f)
		}
	}
}

func TestOfSeveralThatAreAsFrequentTheStrictestIsTaken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		counts map[kano.Category]int
		want   kano.Category
	}{
		{map[kano.Category]int{"I": 5, "A": 5, "O": 5, "M": 5}, "M"},
		{map[kano.Category]int{"I": 5, "A": 5, "O": 5, "M": 4}, "O"},
		{map[kano.Category]int{"I": 5, "A": 5, "O": 1}, "A"},
		{map[kano.Category]int{"I": 5, "R": 5, "Q": 5}, "I"},
		{map[kano.Category]int{"R": 6, "I": 5}, "R"},
		{map[kano.Category]int{"Q": 1}, "Q"},
	} {
		f := kano.Find("x", c.counts)
		if f.Category != c.want {
			t.Errorf("%v: %s, want %s", c.counts, f.Category, c.want)
		}
		if f.Category == "Q" && (f.Better != nil || f.Worse != nil) {
			t.Errorf("nobody answered A, O, M or I: %+v", f)
		}
	}
}

// TestTheLeadIsHeldAgainstChance has 23 against 12 of 50: the least difference after Fong is 1.65·√(35·65/100) = 7.87, and 19 against
// 12 is below it.
func TestTheLeadIsHeldAgainstChance(t *testing.T) {
	t.Parallel()
	if f := kano.Find("x", map[kano.Category]int{"M": 23, "O": 12, "A": 8, "I": 7}); !f.Significant || f.N != 50 {
		t.Errorf("%+v", f)
	}
	if f := kano.Find("x", map[kano.Category]int{"M": 19, "O": 12, "A": 10, "I": 9}); f.Significant || math.Abs(f.Strength-.14) > 1e-12 || math.Abs(f.Total-.82) > 1e-12 {
		t.Errorf("%+v", f)
	}
}

func TestFindingsStayWithinTheirBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		counts, n := map[kano.Category]int{}, 0
		for _, c := range kano.Categories() {
			counts[c] = rapid.IntRange(0, 40).Draw(t, string(c))
			n += counts[c]
		}
		if n == 0 {
			return
		}
		f := kano.Find("x", counts)
		for c, k := range counts {
			if k > counts[f.Category] {
				t.Fatalf("%s is more frequent than %s", c, f.Category)
			}
		}
		if f.N != n || f.Strength < 0 || f.Strength > 1 || f.Total < 0 || f.Total > 1 {
			t.Fatalf("%+v", f)
		}
		if f.Better != nil && (f.Better.Low < 0 || f.Better.High > 1 || f.Worse.Low < -1 || f.Worse.High > 0 || f.Worse.Low > f.Worse.Value || f.Worse.Value > f.Worse.High) {
			t.Fatalf("%+v %+v", f.Better, f.Worse)
		}
	})
}
