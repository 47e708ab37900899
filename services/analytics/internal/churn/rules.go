package churn

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// holdout is the share of rows, in tenths, that a tree does not see while it grows, and is judged by.
const holdout = 3

// Condition is what one column has to be for a rule to hold.
type Condition struct {
	Column  string   `json:"column"`
	Above   *float64 `json:"above,omitempty"`
	AtMost  *float64 `json:"at_most,omitempty"`
	OneOf   []string `json:"one_of,omitempty"`
	Missing bool     `json:"missing"` // it holds as well where the column says nothing
}

// Rule is a leaf: the conditions that lead to it, and who is in it.
type Rule struct {
	Conditions []Condition
	Rows       int     // that the tree grew on
	Support    float64 // their share
	Purity     proportion.Interval
	Lift       float64 // purity as a multiple of the share among all rows
	Predicts   bool    // the outcome that most rows have
	// Of the rows that the tree did not see; Unseen has no bounds where there are none.
	UnseenRows int
	Unseen     *proportion.Interval
}

// Explanation says of a yes or no who has it.
type Explanation struct {
	Tree     *Tree
	Rows     int // that it grew on
	Base     float64
	Rules    []Rule // the highest lift first
	Holdout  int
	Accuracy proportion.Interval // share of the rows it did not see whose outcome it predicts
	// Trivial is the accuracy there of who always predicts the outcome that most rows have.
	Trivial float64
}

// Explain grows a tree on seven tenths of the rows, dealt by the hash of their ids, and judges it by the rest.
func Explain(t *Table, g Growth) (Explanation, error) {
	if err := NotEnough(t.Target); err != nil {
		return Explanation{}, err
	}
	if g.MinLeaf == 0 {
		g.MinLeaf = max(5, t.Rows()/100)
	}
	var seen, unseen []int32
	for i, fold := range Deal(t.IDs, t.Target, 10) {
		if fold < holdout {
			unseen = append(unseen, int32(i))
		} else {
			seen = append(seen, int32(i))
		}
	}
	if len(seen) < 2*g.MinLeaf {
		return Explanation{}, model.NotEnough("A tree with %d rows a leaf needs %d rows to grow on; here are %d.", g.MinLeaf, 2*g.MinLeaf, len(seen))
	}
	out := Explanation{Tree: Grow(t, seen, g), Rows: len(seen), Holdout: len(unseen)}
	out.Base = float64(out.Tree.Positive) / float64(out.Tree.Rows)
	reached := map[*Tree][2]int{} // rows and positive rows that it did not see
	right, usual := 0, 0
	for _, r := range unseen {
		leaf := out.Tree.Leaf(t, r)
		at := reached[leaf]
		at[0]++
		if t.Target[r] {
			at[1]++
		}
		reached[leaf] = at
		if leaf.predicts() == t.Target[r] {
			right++
		}
		if out.Tree.predicts() == t.Target[r] {
			usual++
		}
	}
	out.Accuracy, out.Trivial = proportion.Wilson(right, len(unseen)), float64(usual)/float64(len(unseen))
	out.Tree.walk(nil, func(path []step, leaf *Tree) {
		rule := Rule{
			Conditions: conditions(t, path), Rows: leaf.Rows, Support: float64(leaf.Rows) / float64(out.Rows), Purity: proportion.Wilson(leaf.Positive, leaf.Rows),
			Predicts: leaf.predicts(), UnseenRows: reached[leaf][0],
		}
		rule.Lift = rule.Purity.Value / out.Base
		if at := reached[leaf]; at[0] > 0 {
			share := proportion.Wilson(at[1], at[0])
			rule.Unseen = &share
		}
		out.Rules = append(out.Rules, rule)
	})
	slices.SortStableFunc(out.Rules, func(a, b Rule) int { return cmp.Compare(b.Lift, a.Lift) })
	return out, nil
}

// predicts is the outcome that most rows have; with as many of both, no.
func (n *Tree) predicts() bool { return 2*n.Positive > n.Rows }

// step is a split and the side that was taken.
type step struct {
	split *Split
	left  bool
}

func (n *Tree) walk(path []step, leaf func(path []step, leaf *Tree)) {
	if n.Split == nil {
		leaf(path, n)
		return
	}
	n.Left.walk(append(slices.Clip(path), step{n.Split, true}), leaf)
	n.Right.walk(append(slices.Clip(path), step{n.Split, false}), leaf)
}

// conditions puts the steps of a path together, column by column in the order of the path.
func conditions(t *Table, path []step) []Condition {
	var order []int
	of := map[int][]step{}
	for _, s := range path {
		if of[s.split.Column] == nil {
			order = append(order, s.split.Column)
		}
		of[s.split.Column] = append(of[s.split.Column], s)
	}
	all := make([]Condition, 0, len(order))
	for _, i := range order {
		c := &t.Columns[i]
		one := Condition{Column: c.Name, Missing: true}
		if c.Numeric {
			low, high := math.Inf(-1), math.Inf(1)
			for _, s := range of[i] {
				one.Missing = one.Missing && s.split.MissingLeft == s.left
				if s.left {
					high = min(high, s.split.Most)
				} else {
					low = max(low, s.split.Most)
				}
			}
			if !math.IsInf(low, 0) {
				one.Above = &low
			}
			if !math.IsInf(high, 0) {
				one.AtMost = &high
			}
			one.Missing = one.Missing && c.Missing() > 0
			all = append(all, one)
			continue
		}
		words := c.places()
		for _, s := range of[i] {
			maps.DeleteFunc(words, func(w int32, _ string) bool { return s.split.Words[w] != s.left })
		}
		_, one.Missing = words[missingWord]
		delete(words, missingWord)
		one.OneOf = slices.Sorted(maps.Values(words))
		all = append(all, one)
	}
	return all
}

// places are the categories of a column as the tree sees them.
func (c *Column) places() map[int32]string {
	words := map[int32]string{}
	if c.Missing() > 0 {
		words[missingWord] = ""
	}
	for i, word := range c.Categories {
		if len(c.Categories) > maxCategories && i >= int(foldedWord) {
			words[foldedWord] = Other
			break
		}
		words[int32(i)] = word
	}
	return words
}

// Words says a condition as people do.
func (c Condition) Words() string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }
	name := strings.ReplaceAll(c.Column, "_", " ")
	var text string
	switch {
	case c.Above != nil && c.AtMost != nil:
		text = fmt.Sprintf("%s is above %s and at most %s", name, number(*c.Above), number(*c.AtMost))
	case c.Above != nil:
		text = fmt.Sprintf("%s is above %s", name, number(*c.Above))
	case c.AtMost != nil:
		text = fmt.Sprintf("%s is at most %s", name, number(*c.AtMost))
	case len(c.OneOf) > 0:
		text = name + " is " + strings.Join(c.OneOf, " or ")
	case c.Missing:
		return name + " is not known"
	default:
		return name + " is known"
	}
	if c.Missing {
		text += ", or is not known"
	}
	return text
}

// Words says a rule as people do.
func (r Rule) Words() string {
	if len(r.Conditions) == 0 {
		return "everybody"
	}
	parts := make([]string, len(r.Conditions))
	for i, c := range r.Conditions {
		parts[i] = c.Words()
	}
	return strings.Join(parts, "; ")
}
