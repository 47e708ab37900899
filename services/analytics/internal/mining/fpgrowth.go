package mining

import (
	"context"
	"slices"
)

// Bounds are what a search for frequent itemsets may come to.
type Bounds struct {
	MaxLength int // items of a set
	MaxSets   int // that are found
}

// Search is what a search found. Where it was cut short, what was found is right all the same, but there may be more.
type Search struct {
	Sets     []Itemset
	MinCount int // baskets that a set has to be in
	Cut      string
}

// Why a search was cut short.
const (
	CutNone = ""
	CutSets = "too_many_itemsets"
	CutTime = "time"
)

// Frequent finds all sets of at most MaxLength items that are together in at least minCount baskets. It stops when the
// context ends, or when there are more than MaxSets, and then says so; shorter sets are found before longer ones of them.
func Frequent(ctx context.Context, b *Baskets, minCount int, bounds Bounds) Search {
	s := &search{ctx: ctx, min: minCount, bounds: bounds, Search: Search{MinCount: minCount}}
	counts := make([]int, len(b.Names))
	for _, item := range b.items {
		counts[item]++
	}
	// Items by how often they are there, the most frequent first: so that baskets share the beginnings of their paths.
	s.items = make([]int32, 0, len(counts))
	for item, n := range counts {
		if n >= minCount {
			s.items = append(s.items, int32(item))
		}
	}
	slices.SortFunc(s.items, func(x, y int32) int {
		if counts[x] != counts[y] {
			return counts[y] - counts[x]
		}
		return int(x) - int(y)
	})
	rank := make([]int32, len(counts))
	for i := range rank {
		rank[i] = -1
	}
	for r, item := range s.items {
		rank[item] = int32(r)
	}
	t := newTree(len(s.items))
	path := make([]int32, 0, maxBasket)
	for i := range b.Len() {
		if i%8192 == 0 && s.ended() {
			return s.Search
		}
		path = path[:0]
		for _, item := range b.basket(i) {
			if r := rank[item]; r >= 0 {
				path = append(path, r)
			}
		}
		slices.Sort(path)
		t.add(path, 1)
	}
	s.grow(t, nil)
	return s.Search
}

type search struct {
	Search
	ctx    context.Context
	min    int
	bounds Bounds
	items  []int32 // by rank
	steps  int
}

func (s *search) ended() bool {
	if s.Cut == CutNone && s.ctx.Err() != nil {
		s.Cut = CutTime
	}
	return s.Cut != CutNone
}

// grow finds the sets that end in suffix (ranks, the least frequent first): tree holds the beginnings of their paths.
func (s *search) grow(t *tree, suffix []int32) {
	for r := len(t.heads) - 1; r >= 0; r-- {
		if t.counts[r] < s.min {
			continue
		}
		if len(s.Sets) >= s.bounds.MaxSets {
			s.Cut = CutSets
			return
		}
		if s.steps++; s.steps%256 == 0 && s.ended() {
			return
		}
		own := append(slices.Clone(suffix), int32(r))
		set := Itemset{Items: make([]int32, len(own)), Count: t.counts[r]}
		for i, at := range own {
			set.Items[i] = s.items[at]
		}
		slices.Sort(set.Items)
		s.Sets = append(s.Sets, set)
		if len(own) < s.bounds.MaxLength && r > 0 {
			if below := t.conditional(int32(r), s.min); below != nil {
				s.grow(below, own)
			}
		}
		if s.Cut != CutNone {
			return
		}
	}
}

// tree is an FP-tree: paths of ranks from the root, ascending, that share their beginnings. Nodes are places in slices.
type tree struct {
	rank, parent []int32
	count        []int
	next         []int32 // the node with the same rank that was made before; -1: none
	heads        []int32 // the last node of each rank
	counts       []int   // of each rank
	children     map[int64]int32
}

func newTree(ranks int) *tree {
	t := &tree{heads: make([]int32, ranks), counts: make([]int, ranks), children: map[int64]int32{}}
	for i := range t.heads {
		t.heads[i] = -1
	}
	t.node(-1, -1) // the root
	return t
}

func (t *tree) node(parent, rank int32) int32 {
	at := int32(len(t.rank))
	t.rank, t.parent, t.count, t.next = append(t.rank, rank), append(t.parent, parent), append(t.count, 0), append(t.next, -1)
	if rank >= 0 {
		t.next[at], t.heads[rank] = t.heads[rank], at
	}
	return at
}

// add adds a path (ranks, ascending) that n baskets have.
func (t *tree) add(path []int32, n int) {
	at := int32(0)
	for _, r := range path {
		key := int64(at)<<32 | int64(r)
		child, there := t.children[key]
		if !there {
			child = t.node(at, r)
			t.children[key] = child
		}
		t.count[child] += n
		t.counts[r] += n
		at = child
	}
}

// conditional gives the tree of what stands before rank on its paths, of the items that are frequent there; nil where none is.
func (t *tree) conditional(rank int32, least int) *tree {
	counts := make([]int, rank)
	for node := t.heads[rank]; node >= 0; node = t.next[node] {
		for up := t.parent[node]; up > 0; up = t.parent[up] {
			counts[t.rank[up]] += t.count[node]
		}
	}
	ranks := 0
	for r, n := range counts {
		if n >= least {
			ranks = r + 1
		}
	}
	if ranks == 0 {
		return nil
	}
	below := newTree(ranks)
	path := make([]int32, 0, 32)
	for node := t.heads[rank]; node >= 0; node = t.next[node] {
		path = path[:0]
		for up := t.parent[node]; up > 0; up = t.parent[up] {
			if counts[t.rank[up]] >= least {
				path = append(path, t.rank[up])
			}
		}
		slices.Reverse(path)
		below.add(path, t.count[node])
	}
	return below
}
