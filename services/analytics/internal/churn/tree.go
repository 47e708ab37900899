package churn

import (
	"cmp"
	"math"
	"slices"
)

// Growth bounds a decision tree.
type Growth struct {
	MaxDepth int // of conditions from the root to a leaf
	MinLeaf  int // rows of a leaf; 0: a hundredth of all, 5 at least
	// Complexity is what each leaf more has to take off the impurity of all rows, as a share of that of the root: weaker splits are
	// cut back (cost-complexity pruning: Breiman, Friedman, Olshen, Stone, Classification and Regression Trees, 1984, ch. 3).
	Complexity float64
}

// Tree is a decision tree (CART): rows go left or right at each split until they are in a leaf.
type Tree struct {
	Rows, Positive int
	Split          *Split // nil: a leaf
	Left, Right    *Tree
}

// Split is one question.
type Split struct {
	Column int
	// Numbers at most Most go left: it lies halfway between two values that came. Without end: all that are known.
	Most float64
	// Words: the categories that go left, as indexes; those that are folded have the index foldedWord.
	Words map[int32]bool
	// MissingLeft says where rows go of which the column says nothing.
	MissingLeft bool
	Gain        float64 // impurity that it takes off, in rows
}

// Places of words that are not told apart and of those that are missing.
const (
	foldedWord  = int32(maxCategories - 1)
	missingWord = int32(maxCategories)
)

// place is the category of a row as the tree sees it.
func (c *Column) place(row int32) int32 {
	switch w := c.Words[row]; {
	case w < 0:
		return missingWord
	case w >= foldedWord && len(c.Categories) > maxCategories:
		return foldedWord
	default:
		return w
	}
}

// left tells whether a row goes left.
func (s *Split) left(c *Column, row int32) bool {
	if !c.Numeric {
		return s.Words[c.place(row)]
	}
	if v := c.Numbers[row]; !math.IsNaN(v) {
		return v <= s.Most
	}
	return s.MissingLeft
}

// impurity is that of Gini, times the rows.
func impurity(rows, positive int) float64 {
	if rows == 0 {
		return 0
	}
	p := float64(positive) / float64(rows)
	return float64(rows) * 2 * p * (1 - p)
}

// Grow grows a tree on the rows and cuts it back. The same rows give the same tree, whatever their order: of splits that are as good
// the first by column, then by value, is taken.
func Grow(t *Table, rows []int32, g Growth) *Tree {
	b := grower{t: t, g: g, left: make([]bool, t.Rows())}
	// Each column of numbers is sorted once; a split keeps the order on both sides.
	orders := make([][]int32, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		orders[i] = slices.Clone(rows)
		if c.Numeric {
			slices.SortStableFunc(orders[i], func(a, b int32) int { return cmp.Compare(c.Numbers[a], c.Numbers[b]) }) // NaN first
		}
	}
	root := b.grow(rows, orders, 0)
	root.prune(g.Complexity * impurity(root.Rows, root.Positive))
	return root
}

type grower struct {
	t    *Table
	g    Growth
	left []bool
}

func (b *grower) count(rows []int32) (positive int) {
	for _, r := range rows {
		if b.t.Target[r] {
			positive++
		}
	}
	return positive
}

func (b *grower) grow(rows []int32, orders [][]int32, depth int) *Tree {
	n := &Tree{Rows: len(rows), Positive: b.count(rows)}
	if depth >= b.g.MaxDepth || n.Rows < 2*b.g.MinLeaf || n.Positive == 0 || n.Positive == n.Rows {
		return n
	}
	for i := range b.t.Columns {
		var s *Split
		if b.t.Columns[i].Numeric {
			s = b.number(i, orders[i], n)
		} else {
			s = b.words(i, rows, n)
		}
		if s != nil && (n.Split == nil || s.Gain > n.Split.Gain*(1+1e-9)) {
			n.Split = s
		}
	}
	if n.Split == nil {
		return n
	}
	c := &b.t.Columns[n.Split.Column]
	for _, r := range rows {
		b.left[r] = n.Split.left(c, r)
	}
	in, out := make([][]int32, len(orders)), make([][]int32, len(orders))
	for i, order := range orders {
		if b.t.Columns[i].Numeric {
			in[i], out[i] = b.part(order)
		}
	}
	l, r := b.part(rows)
	n.Left, n.Right = b.grow(l, in, depth+1), b.grow(r, out, depth+1)
	return n
}

// part takes rows apart by where they go, keeping their order.
func (b *grower) part(rows []int32) (left, right []int32) {
	n := 0
	for _, r := range rows {
		if b.left[r] {
			n++
		}
	}
	left, right = make([]int32, 0, n), make([]int32, 0, len(rows)-n)
	for _, r := range rows {
		if b.left[r] {
			left = append(left, r)
		} else {
			right = append(right, r)
		}
	}
	return left, right
}

// gain is what a split into a part and the rest takes off; 0 or less where a side is too small.
func (b *grower) gain(n *Tree, rows, positive int) float64 {
	if rows < b.g.MinLeaf || n.Rows-rows < b.g.MinLeaf {
		return 0
	}
	return impurity(n.Rows, n.Positive) - impurity(rows, positive) - impurity(n.Rows-rows, n.Positive-positive)
}

// number finds the best split by a column of numbers, missing ones on the side where they do better.
func (b *grower) number(column int, order []int32, n *Tree) *Split {
	c := &b.t.Columns[column]
	known := 0
	for known < len(order) && math.IsNaN(c.Numbers[order[known]]) {
		known++
	}
	missing, missed := known, b.count(order[:known])
	var best *Split
	try := func(rows, positive int, most float64, missingLeft bool) {
		if gain := b.gain(n, rows, positive); gain > 1e-9 && (best == nil || gain > best.Gain*(1+1e-9)) {
			best = &Split{Column: column, Most: most, MissingLeft: missingLeft, Gain: gain}
		}
	}
	rows, positive := 0, 0
	for i := known; i < len(order)-1; i++ {
		rows++
		if b.t.Target[order[i]] {
			positive++
		}
		v, next := c.Numbers[order[i]], c.Numbers[order[i+1]]
		if v == next {
			continue
		}
		most := v + (next-v)/2
		if most >= next {
			most = v // two neighbours among floating point numbers
		}
		try(rows, positive, most, false)
		if missing > 0 {
			try(rows+missing, positive+missed, most, true)
		}
	}
	if missing > 0 && known < len(order) { // what is known against what is not
		try(n.Rows-missing, n.Positive-missed, math.Inf(1), false)
	}
	return best
}

// words finds the best split by a column of words: for two outcomes it is one of those between the categories in the order of their
// shares (Breiman and others, 1984, theorem 4.5).
func (b *grower) words(column int, rows []int32, n *Tree) *Split {
	c := &b.t.Columns[column]
	type group struct {
		word           int32
		rows, positive int
	}
	groups := make([]group, missingWord+1)
	for _, r := range rows {
		w := c.place(r)
		groups[w].word = w
		groups[w].rows++
		if b.t.Target[r] {
			groups[w].positive++
		}
	}
	groups = slices.DeleteFunc(groups, func(g group) bool { return g.rows == 0 })
	slices.SortStableFunc(groups, func(x, y group) int {
		return cmp.Or(cmp.Compare(x.positive*y.rows, y.positive*x.rows), cmp.Compare(x.word, y.word))
	})
	var best *Split
	in, positive := 0, 0
	for i := range len(groups) - 1 {
		in += groups[i].rows
		positive += groups[i].positive
		gain := b.gain(n, in, positive)
		if gain <= 1e-9 || best != nil && gain <= best.Gain*(1+1e-9) {
			continue
		}
		best = &Split{Column: column, Words: map[int32]bool{}, Gain: gain}
		for _, g := range groups[:i+1] {
			best.Words[g.word] = true
		}
	}
	if best != nil {
		best.MissingLeft = best.Words[missingWord]
	}
	return best
}

// prune cuts back what does not take off the price for each leaf that it adds, and gives the impurity and number of its leaves.
func (n *Tree) prune(price float64) (rest float64, leaves int) {
	if n.Split == nil {
		return impurity(n.Rows, n.Positive), 1
	}
	l, a := n.Left.prune(price)
	r, b := n.Right.prune(price)
	rest, leaves = l+r, a+b
	if own := impurity(n.Rows, n.Positive); own-rest <= price*float64(leaves-1)+1e-9 {
		n.Split, n.Left, n.Right = nil, nil, nil
		return own, 1
	}
	return rest, leaves
}

// Leaf gives the leaf that a row comes to.
func (n *Tree) Leaf(t *Table, row int32) *Tree {
	for n.Split != nil {
		if n.Split.left(&t.Columns[n.Split.Column], row) {
			n = n.Left
		} else {
			n = n.Right
		}
	}
	return n
}
