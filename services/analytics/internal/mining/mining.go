// Package mining finds what goes together: articles that are bought together, as association rules, and customers who are
// alike, as clusters. Of the rules come recommendations: what else goes with an article, and the next best offer for a customer.
//
// Rules are found by FP-growth (J. Han, J. Pei, Y. Yin, Mining frequent patterns without candidate generation, SIGMOD 2000),
// clusters by k-means (S. Lloyd, Least squares quantization in PCM, IEEE Trans. Inf. Theory 28 (1982)) from centres that are
// drawn as D. Arthur and S. Vassilvitskii do (k-means++: the advantages of careful seeding, SODA 2007), and judged by
// silhouettes (P. Rousseeuw, J. Comput. Appl. Math. 20 (1987) 53–65).
package mining

import (
	"math"
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Kinds of models that this room fits.
const (
	KindRules    = "association"
	KindClusters = "kmeans"
)

// Baskets are sets of items, each item by its place in Names. They are kept end to end: millions of them are two slices.
type Baskets struct {
	Names []string // of items
	items []int32
	ends  []int // of each basket in items

	place map[string]int32
	Cut   int // baskets that were longer than maxBasket, of which only the first so many items count
}

// maxBasket is how many different items of one basket count.
const maxBasket = 500

// Len is the number of baskets.
func (b *Baskets) Len() int { return len(b.ends) }

// Item gives the place of an item, which is new or known.
func (b *Baskets) Item(name string) int32 {
	if b.place == nil {
		b.place = map[string]int32{}
	}
	at, known := b.place[name]
	if !known {
		at = int32(len(b.Names))
		b.place[name] = at
		b.Names = append(b.Names, name)
	}
	return at
}

// Add adds a basket. An item counts once in it, however often it is there; one without an item is a basket as well.
func (b *Baskets) Add(items ...int32) {
	begin := len(b.items)
	b.items = append(b.items, items...)
	own := b.items[begin:]
	slices.Sort(own)
	own = slices.Compact(own)
	if len(own) > maxBasket {
		own = own[:maxBasket]
		b.Cut++
	}
	b.items = b.items[:begin+len(own)]
	b.ends = append(b.ends, len(b.items))
}

// AddNames is Add by names. Empty ones are left out.
func (b *Baskets) AddNames(names ...string) {
	items := make([]int32, 0, len(names))
	for _, n := range names {
		if n != "" {
			items = append(items, b.Item(n))
		}
	}
	b.Add(items...)
}

// basket gives the items of a basket, ascending.
func (b *Baskets) basket(i int) []int32 {
	begin := 0
	if i > 0 {
		begin = b.ends[i-1]
	}
	return b.items[begin:b.ends[i]]
}

// Itemset is items that are together in Count baskets.
type Itemset struct {
	Items []int32 // ascending
	Count int
}

// Counts are in how many baskets the parts of a rule are, of N.
type Counts struct {
	N, If, Then, Both int
}

// Rule says that baskets with all of If tend to hold Then as well.
type Rule struct {
	If   []string `json:"if"`
	Then string   `json:"then"`
	Counts
}

// Support is the share of baskets that hold all of the rule, with its 95 % interval.
func (c Counts) Support() proportion.Interval { return proportion.Wilson(c.Both, c.N) }

// Confidence is the share, of baskets that hold the condition, of those that hold the consequence too, with its 95 % interval.
func (c Counts) Confidence() proportion.Interval { return proportion.Wilson(c.Both, c.If) }

// Lift is how many times as often both are together as they would be by chance: 1 means that they have nothing to do with
// each other.
func (c Counts) Lift() float64 {
	return float64(c.Both) * float64(c.N) / (float64(c.If) * float64(c.Then))
}

// Leverage is the share of baskets that hold both beyond what chance gives; 0 means that they have nothing to do with each other.
func (c Counts) Leverage() float64 {
	n := float64(c.N)
	return float64(c.Both)/n - float64(c.If)/n*float64(c.Then)/n
}

// Conviction is how many times as often the rule would be wrong if both had nothing to do with each other. It is not finite
// for a rule that is never wrong.
func (c Counts) Conviction() float64 {
	if c.Both == c.If {
		return math.Inf(1)
	}
	n := float64(c.N)
	return (1 - float64(c.Then)/n) / (1 - float64(c.Both)/float64(c.If))
}

// Score is what recommendations are ordered by.
func (c Counts) Score() float64 { return c.Lift() * float64(c.Both) / float64(c.If) }

// compareRules puts the rule with the greatest score first, then the one with more baskets; the rest makes the order certain.
func compareRules(a, b Rule) int {
	switch s, t := a.Score(), b.Score(); {
	case s != t && math.Abs(s-t) > 1e-12*math.Max(s, t):
		if s > t {
			return -1
		}
		return 1
	case a.Both != b.Both:
		return b.Both - a.Both
	case len(a.If) != len(b.If):
		return len(a.If) - len(b.If)
	}
	if n := slices.Compare(a.If, b.If); n != 0 {
		return n
	}
	return strings.Compare(a.Then, b.Then)
}

// least is the smallest count of which the share of n is at least s.
func least(s float64, n int) int {
	count := int(math.Ceil(s*float64(n) - 1e-9))
	return max(count, 1)
}

// Rules makes rules of the frequent itemsets, each with one consequence: of every set of at least two items one for each
// item of it. sets must hold all subsets of each of its sets, as frequent ones do.
func Rules(b *Baskets, sets []Itemset, minConfidence, minLift float64) []Rule {
	counts := make(map[string]int, len(sets))
	for _, s := range sets {
		counts[setKey(s.Items)] = s.Count
	}
	var rules []Rule
	rest := make([]int32, 0, 16)
	for _, s := range sets {
		if len(s.Items) < 2 {
			continue
		}
		for i, then := range s.Items {
			rest = append(append(rest[:0], s.Items[:i]...), s.Items[i+1:]...)
			c := Counts{N: b.Len(), If: counts[setKey(rest)], Then: counts[setKey([]int32{then})], Both: s.Count}
			if c.If == 0 || c.Then == 0 || float64(c.Both) < minConfidence*float64(c.If)-1e-9 || c.Lift() < minLift-1e-12 {
				continue // a subset that is not there was cut off by a limit
			}
			r := Rule{If: make([]string, len(rest)), Then: b.Names[then], Counts: c}
			for j, item := range rest {
				r.If[j] = b.Names[item]
			}
			slices.Sort(r.If)
			rules = append(rules, r)
		}
	}
	slices.SortFunc(rules, compareRules)
	return rules
}

func setKey(items []int32) string {
	key := make([]byte, 0, 4*len(items))
	for _, i := range items {
		key = append(key, byte(i), byte(i>>8), byte(i>>16), byte(i>>24))
	}
	return string(key)
}
