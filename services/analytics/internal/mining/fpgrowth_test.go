package mining_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/mining"
)

var wide = mining.Bounds{MaxLength: 20, MaxSets: 1_000_000}

// shown writes itemsets as text, each with its count.
func shown(b *mining.Baskets, sets []mining.Itemset) []string {
	all := make([]string, len(sets))
	for i, s := range sets {
		names := make([]string, len(s.Items))
		for j, item := range s.Items {
			names[j] = b.Names[item]
		}
		slices.Sort(names)
		all[i] = fmt.Sprintf("%s:%d", strings.Join(names, ""), s.Count)
	}
	slices.Sort(all)
	return all
}

// The baskets and all that is frequent in them are those of J. Han, J. Pei and Y. Yin, Mining frequent patterns without candidate
// generation, SIGMOD 2000, table 1 and examples 1 to 3: at least three of five.
func TestFrequentItemsetsAreAsPublished(t *testing.T) {
	t.Parallel()
	var b mining.Baskets
	for _, basket := range []string{"facdgimp", "abcflmo", "bfhjo", "bcksp", "afcelpmn"} {
		b.AddNames(strings.Split(basket, "")...)
	}
	found := mining.Frequent(t.Context(), &b, 3, wide)
	want := []string{
		"f:4", "c:4", "a:3", "b:3", "m:3", "p:3", "cp:3", "fm:3", "cm:3", "am:3", "cfm:3", "afm:3", "acm:3", "acfm:3", "af:3", "ac:3", "acf:3", "cf:3",
	}
	slices.Sort(want)
	if got := shown(&b, found.Sets); !slices.Equal(got, want) || found.Cut != "" {
		t.Errorf("got %v (%q), want %v", got, found.Cut, want)
	}
}

// apriori finds frequent sets by counting every set there can be.
func apriori(baskets [][]string, least, longest int) []string {
	items := map[string]bool{}
	for _, b := range baskets {
		for _, i := range b {
			items[i] = true
		}
	}
	var names []string
	for i := range items {
		names = append(names, i)
	}
	slices.Sort(names)
	var all []string
	for set := 1; set < 1<<len(names); set++ {
		var of []string
		for i, n := range names {
			if set&(1<<i) != 0 {
				of = append(of, n)
			}
		}
		if len(of) > longest {
			continue
		}
		count := 0
		for _, b := range baskets {
			if !slices.ContainsFunc(of, func(n string) bool { return !slices.Contains(b, n) }) {
				count++
			}
		}
		if count >= least {
			all = append(all, fmt.Sprintf("%s:%d", strings.Join(of, ""), count))
		}
	}
	slices.Sort(all)
	return all
}

func anyBaskets(t *rapid.T) [][]string {
	item := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"})
	return rapid.SliceOfN(rapid.SliceOfN(item, 0, 9), 1, 30).Draw(t, "baskets")
}

func TestFrequentItemsetsAreThoseThatCountingEverySetFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		baskets := anyBaskets(t)
		least, longest := rapid.IntRange(1, 5).Draw(t, "least"), rapid.IntRange(1, 7).Draw(t, "longest")
		var b mining.Baskets
		for _, basket := range baskets {
			b.AddNames(basket...)
		}
		found := mining.Frequent(context.Background(), &b, least, mining.Bounds{MaxLength: longest, MaxSets: 1000})
		if got, want := shown(&b, found.Sets), apriori(baskets, least, longest); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestRulesAreThoseThatCountingFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		baskets := anyBaskets(t)
		confidence := rapid.Float64Range(0, 1).Draw(t, "confidence")
		var b mining.Baskets
		for _, basket := range baskets {
			b.AddNames(basket...)
		}
		holds := func(of ...string) (n int) {
			for _, basket := range baskets {
				if !slices.ContainsFunc(of, func(item string) bool { return !slices.Contains(basket, item) }) {
					n++
				}
			}
			return n
		}
		found := mining.Frequent(context.Background(), &b, 2, wide)
		rules := mining.Rules(&b, found.Sets, confidence, 0)
		for _, r := range rules {
			n, both, one, other := len(baskets), holds(append(slices.Clone(r.If), r.Then)...), holds(r.If...), holds(r.Then)
			if r.Counts != (mining.Counts{N: n, If: one, Then: other, Both: both}) || float64(both) < confidence*float64(one)-1e-9 {
				t.Fatalf("%+v: %d of %d, %d, %d", r, both, n, one, other)
			}
			support, lift := float64(both)/float64(n), float64(both)/float64(one)/(float64(other)/float64(n))
			if math.Abs(r.Lift()-lift) > 1e-12*lift || math.Abs(r.Leverage()-(support-float64(one)/float64(n)*float64(other)/float64(n))) > 1e-12 {
				t.Fatalf("%+v: lift %g, leverage %g", r, r.Lift(), r.Leverage())
			}
			if low, high := r.Confidence().Low, r.Confidence().High; low > float64(both)/float64(one) || high < float64(both)/float64(one) {
				t.Fatalf("%+v: the interval leaves the value out", r)
			}
		}
		want := 0
		for _, s := range found.Sets {
			if len(s.Items) < 2 {
				continue
			}
			for i := range s.Items {
				var rest []string
				for j, item := range s.Items {
					if j != i {
						rest = append(rest, b.Names[item])
					}
				}
				if float64(s.Count) >= confidence*float64(holds(rest...))-1e-9 {
					want++
				}
			}
		}
		if len(rules) != want {
			t.Fatalf("got %d rules, want %d", len(rules), want)
		}
	})
}

func TestMeasuresOfARule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                       string
		counts                     mining.Counts
		lift, leverage, conviction float64
	}{
		// S. Brin et al., Dynamic itemset counting and implication rules for market basket data, SIGMOD 1997, section 4: tea and coffee.
		{"tea and coffee keep off each other", mining.Counts{N: 100, If: 25, Then: 90, Both: 20}, 0.8888888889, -0.025, 0.5},
		{"nothing to do with each other", mining.Counts{N: 100, If: 50, Then: 20, Both: 10}, 1, 0, 1},
		{"never wrong", mining.Counts{N: 100, If: 10, Then: 20, Both: 10}, 5, 0.08, math.Inf(1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.counts; math.Abs(got.Lift()-c.lift) > 1e-9 || math.Abs(got.Leverage()-c.leverage) > 1e-9 ||
				got.Conviction() != c.conviction && math.Abs(got.Conviction()-c.conviction) > 1e-9 {
				t.Errorf("lift %g, leverage %g, conviction %g", got.Lift(), got.Leverage(), got.Conviction())
			}
		})
	}
}

func TestASearchThatIsCutShortSaysSo(t *testing.T) {
	t.Parallel()
	var b mining.Baskets
	for range 10 {
		b.AddNames("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l")
	}
	found := mining.Frequent(t.Context(), &b, 2, mining.Bounds{MaxLength: 12, MaxSets: 100})
	if found.Cut != mining.CutSets || len(found.Sets) != 100 {
		t.Errorf("%d sets, cut by %q", len(found.Sets), found.Cut)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found = mining.Frequent(ctx, &b, 2, wide); found.Cut != mining.CutTime {
		t.Errorf("cut by %q", found.Cut)
	}
	long := make([]string, 600)
	for i := range long {
		long[i] = fmt.Sprint(i)
	}
	var cut mining.Baskets
	cut.AddNames(long...)
	if cut.Cut != 1 {
		t.Errorf("%d baskets cut", cut.Cut)
	}
}
