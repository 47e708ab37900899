package churn_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/churn"
)

func rowsOf(t *churn.Table) []int32 {
	rows := make([]int32, t.Rows())
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

func gini(rows, positive int) float64 {
	if rows == 0 {
		return 0
	}
	p := float64(positive) / float64(rows)
	return float64(rows) * (1 - p*p - (1-p)*(1-p))
}

// bestGain tries every way to part the rows by one column: every bound, every set of words, what is missing on either side.
func bestGain(t *churn.Table, least int) (best float64) {
	try := func(left func(row int) bool) {
		var n, yes [2]int
		for i := range t.Rows() {
			side := 0
			if left(i) {
				side = 1
			}
			n[side]++
			if t.Target[i] {
				yes[side]++
			}
		}
		if n[0] >= least && n[1] >= least {
			best = math.Max(best, gini(n[0]+n[1], yes[0]+yes[1])-gini(n[0], yes[0])-gini(n[1], yes[1]))
		}
	}
	for _, c := range t.Columns {
		if c.Numeric {
			for _, bound := range append([]float64{math.Inf(1), math.Inf(-1)}, c.Numbers...) {
				for _, missingLeft := range []bool{true, false} {
					try(func(row int) bool {
						if math.IsNaN(c.Numbers[row]) {
							return missingLeft
						}
						return c.Numbers[row] <= bound
					})
				}
			}
			continue
		}
		for set := range 1 << (len(c.Categories) + 1) {
			try(func(row int) bool { return set&(1<<(c.Words[row]+1)) != 0 })
		}
	}
	return best
}

func someTable(t *rapid.T) *churn.Table {
	n := rapid.IntRange(4, 40).Draw(t, "n")
	table := &churn.Table{Columns: []churn.Column{{Name: "x", Numeric: true}, {Name: "y", Numeric: true}, {Name: "w", Categories: []string{"a", "b", "c", "d"}}}}
	for i := range n {
		table.IDs, table.Target = append(table.IDs, fmt.Sprint(i)), append(table.Target, rapid.Bool().Draw(t, "target"))
		for c := range 2 {
			v := float64(rapid.IntRange(-1, 6).Draw(t, "number"))
			if v < 0 {
				v = math.NaN()
			}
			table.Columns[c].Numbers = append(table.Columns[c].Numbers, v)
		}
		table.Columns[2].Words = append(table.Columns[2].Words, int32(rapid.IntRange(-1, 3).Draw(t, "word")))
	}
	return table
}

func TestTheFirstSplitIsTheBestOfAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := someTable(t)
		least := rapid.IntRange(1, 4).Draw(t, "least")
		if least > 1 { // then the best of all sets of words need not be one in the order of their shares
			table.Columns = table.Columns[:2]
		}
		tree := churn.Grow(table, rowsOf(table), churn.Growth{MaxDepth: 1, MinLeaf: least})
		got := 0.0
		if tree.Split != nil {
			got = gini(tree.Rows, tree.Positive) - gini(tree.Left.Rows, tree.Left.Positive) - gini(tree.Right.Rows, tree.Right.Positive)
		}
		if want := bestGain(table, least); math.Abs(got-want) > 1e-6 {
			t.Fatalf("the split takes off %g, the best %g", got, want)
		}
	})
}

func TestATreeKeepsItsBoundsAndCountsEachRowOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := someTable(t)
		g := churn.Growth{MaxDepth: rapid.IntRange(1, 4).Draw(t, "depth"), MinLeaf: rapid.IntRange(1, 5).Draw(t, "least")}
		tree := churn.Grow(table, rowsOf(table), g)
		rows, yes := map[*churn.Tree]int{}, map[*churn.Tree]int{}
		for i := range table.Rows() {
			leaf := tree.Leaf(table, int32(i))
			rows[leaf]++
			if table.Target[i] {
				yes[leaf]++
			}
		}
		var check func(n *churn.Tree, depth int)
		check = func(n *churn.Tree, depth int) {
			if depth > g.MaxDepth {
				t.Fatal("too deep")
			}
			if n.Split != nil {
				check(n.Left, depth+1)
				check(n.Right, depth+1)
				return
			}
			if depth > 0 && n.Rows < g.MinLeaf || rows[n] != n.Rows || yes[n] != n.Positive {
				t.Fatalf("a leaf of %d rows, %d of them positive, has %d and %d", n.Rows, n.Positive, rows[n], yes[n])
			}
		}
		check(tree, 0)
	})
}

func TestComplexityCutsBackWhatIsNotWorthIt(t *testing.T) {
	t.Parallel()
	// Half of the rows by a, and by chance one of them in a corner.
	table := &churn.Table{Columns: []churn.Column{{Name: "a", Numeric: true}, {Name: "b", Numeric: true}}}
	for i := range 200 {
		table.IDs = append(table.IDs, fmt.Sprint(i))
		table.Columns[0].Numbers = append(table.Columns[0].Numbers, float64(i/100))
		table.Columns[1].Numbers = append(table.Columns[1].Numbers, float64(i%100))
		table.Target = append(table.Target, i >= 100 || i == 99)
	}
	leaves := func(complexity float64) (n int) {
		tree := churn.Grow(table, rowsOf(table), churn.Growth{MaxDepth: 5, MinLeaf: 1, Complexity: complexity})
		seen := map[*churn.Tree]bool{}
		for i := range table.Rows() {
			seen[tree.Leaf(table, int32(i))] = true
		}
		return len(seen)
	}
	require.Equal(t, 3, leaves(0))
	require.Equal(t, 2, leaves(0.05))
	require.Equal(t, 1, leaves(1))
}

func TestRulesSayWhoAndHowSure(t *testing.T) {
	t.Parallel()
	// Who went bought little and by the web; of the others nobody did. A column of chance is not asked for.
	rows := repeated(2000, func(i int) string {
		spent, channel := fmt.Sprint(i%50), []string{"web", "shop", "phone"}[i/50%3]
		if i%10 == 3 {
			spent = ""
		}
		left := "no"
		if channel == "web" && spent != "" && i%50 <= 19 {
			left = "yes"
		}
		return fmt.Sprintf("r%d,%s,%s,%d,%s", i, spent, channel, i*7919%101, left)
	})
	table, err := churn.Build([]string{"id", "spent", "channel", "chance", "left"}, rows, churn.Layout{Target: "left", ID: "id"})
	require.NoError(t, err)
	e, err := churn.Explain(table, churn.Growth{MaxDepth: 4, MinLeaf: 10, Complexity: 0.01})
	require.NoError(t, err)
	require.Equal(t, 2000, e.Rows+e.Holdout)
	require.InDelta(t, 1, e.Accuracy.Value, 1e-12)
	require.Less(t, e.Accuracy.Low, 1.0)
	require.Less(t, e.Trivial, 0.9)
	best := e.Rules[0]
	require.True(t, best.Predicts)
	require.InDelta(t, 1, best.Purity.Value, 1e-12)
	require.InDelta(t, 1/e.Base, best.Lift, 1e-9)
	require.Contains(t, best.Words(), "channel is web")
	require.Contains(t, best.Words(), "spent is at most 19.5")
	require.NotContains(t, best.Words(), "not known")
	require.InDelta(t, 1, best.Unseen.Value, 1e-12)
	support := 0.0
	for _, r := range e.Rules {
		support += r.Support
		require.NotContains(t, r.Words(), "chance")
	}
	require.InDelta(t, 1, support, 1e-9)
}

func TestARuleOverPortraitsIsAFilter(t *testing.T) {
	t.Parallel()
	n := func(v float64) *float64 { return &v }
	r := churn.Rule{Conditions: []churn.Condition{
		{Column: "purchase_days", Above: n(2.5), AtMost: n(9.5)},
		{Column: "net_minor", AtMost: n(1000.5), Missing: true},
		{Column: "last_channel", OneOf: []string{"shop", "web"}},
		{Column: "buyer", OneOf: []string{"true"}},
		{Column: "csat", Missing: true},
		{Column: "nps"},
	}}
	f, ok := r.Filter()
	require.True(t, ok)
	require.Equal(t, `purchase_days > 2.5 and purchase_days <= 9.5 and (net_minor <= 1000 or net_minor is unknown) and last_channel in ("shop", "web") and buyer = true and csat is unknown and nps is known`, f.String())
	_, ok = churn.Rule{Conditions: []churn.Condition{{Column: "source", OneOf: []string{"other"}}}}.Filter()
	require.False(t, ok)
}
