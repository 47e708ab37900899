package strength_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/strength"
)

// all is a customer of whom everything is known.
func all() strength.Known {
	return strength.Known{
		"csat": 4, "question alternatives": 2, "points": 2500, "member": 1, "tenure_days": 365,
		"repeats": 2, "question share_of_wallet": 60, "nps": 9, "question price_tolerance": 3, "interactions": 7,
	}
}

func without(keys ...string) strength.Known {
	k := all()
	for _, key := range keys {
		delete(k, key)
	}
	return k
}

func TestBothFiguresAreTheirDefinitions(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	const invested = .5*.25 + .5 + .2
	for _, c := range []struct {
		name              string
		missing           string
		known             strength.Known
		strength, loyalty float64 // NaN: none
		lacks             int
	}{
		{"all", "none", all(), .75 - .25 + invested, 25 * (.4 + .6 + .9 + .5), 0},
		{"no alternatives", "none", without("question alternatives"), nan, 60, 1},
		{"no alternatives, gone without", "without", without("question alternatives"), .75 + invested, 60, 1},
		{"no recommendation", "none", without("nps"), .5 + invested, nan, 1},
		{"no recommendation, gone without", "without", without("nps"), .5 + invested, 100 * (.4 + .6 + .5) / 3, 1},
		{"nothing said", "without", without("csat", "question alternatives", "nps", "question share_of_wallet", "question price_tolerance"), nan, 40, 5},
		{"nothing invested", "none", without("points", "member", "tenure_days", "repeats"), .5, 50, 0},
		{"beyond the caps", "none", strength.Known{"csat": 5, "question alternatives": 1, "points": 1e6, "member": 1, "tenure_days": 1e5, "repeats": 99,
			"question share_of_wallet": 250, "nps": 10, "question price_tolerance": 5}, 3, 100, 0},
	} {
		s := strength.House()
		s.Missing = c.missing
		bond, loyalty := s.Reckon(c.known)
		for _, one := range []struct {
			what string
			got  *float64
			want float64
		}{{"strength", bond.Value, c.strength}, {"loyalty", loyalty.Value, c.loyalty}} {
			if (one.got == nil) != math.IsNaN(one.want) || one.got != nil && math.Abs(*one.got-one.want) > 1e-9 {
				t.Errorf("%s: %s %v, want %v", c.name, one.what, one.got, one.want)
			}
		}
		if n := len(bond.Missing) + len(loyalty.Missing); n != c.lacks {
			t.Errorf("%s: %v and %v are said to be missing", c.name, bond.Missing, loyalty.Missing)
		}
	}
}

func TestFiguresStayInTheirBoundsAndPartsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := strength.House()
		s.Missing = rapid.SampledFrom([]string{"none", "without"}).Draw(t, "missing")
		known := strength.Known{}
		for key := range all() {
			if rapid.Bool().Draw(t, "known") {
				known[key] = rapid.Float64Range(-1e4, 1e6).Draw(t, key)
			}
		}
		bond, loyalty := s.Reckon(known)
		for _, f := range []struct {
			of         strength.StrengthFigure
			low, high  float64
			times, sum float64
		}{{bond, -1, 3, 1, math.NaN()}, {loyalty, 0, 100, 100, 1}} {
			sum, weights := 0.0, 0.0
			for _, p := range f.of.Parts {
				if p.Scaled != nil {
					sum += f.times * p.Weight * *p.Scaled
					weights += p.Weight
				}
			}
			v := f.of.Value
			if v != nil && (math.Abs(*v-sum) > 1e-9 || *v < f.low-1e-9 || *v > f.high+1e-9) {
				t.Fatalf("%v of %+v", *v, f.of)
			}
			if v != nil && !math.IsNaN(f.sum) && math.Abs(weights-f.sum) > 1e-9 {
				t.Fatalf("weights sum to %v: %+v", weights, f.of)
			}
			if s.Missing == "none" && (v == nil) != (len(f.of.Missing) > 0) {
				t.Fatalf("%+v", f.of)
			}
		}
	})
}

func TestTheHousesSettingsAreGood(t *testing.T) {
	t.Parallel()
	s := strength.House()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
}
