package value

import (
	"cmp"
	"slices"
)

// History is what the purchase models know of one customer, in weeks: X distinct purchase days after the first, Recency from the
// first to the last of them, Age from the first to the cut-off. Any other unit does as well, if all times have it.
type History struct {
	X       int64
	Recency float64
	Age     float64
}

// Group is customers of one history.
type Group struct {
	History
	N int64
}

// groups puts equal histories together, sorted: a model looks at each once.
func groups(all []Group) []Group {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.Recency, b.Recency), cmp.Compare(a.Age, b.Age))
	})
	out := sorted[:0]
	for _, g := range sorted {
		if n := len(out); n > 0 && out[n-1].History == g.History {
			out[n-1].N += g.N
			continue
		}
		out = append(out, g)
	}
	return out
}

// coarsened is every so many-th group, so that some thousands are left; nil where there are not more anyway.
func coarsened(all []Group) []Group {
	const enough = 8192
	step := len(all) / enough
	if step < 2 {
		return nil
	}
	var out []Group
	for i := 0; i < len(all); i += step {
		out = append(out, all[i])
	}
	return out
}

// indexed are groups by columns, each value looked up in a table of the different ones: logarithms and gamma functions are
// reckoned once for each different value, not for each group.
type indexed struct {
	n                   []float64
	x, recency, age     []int32
	xs, recencies, ages []float64
	total               float64
}

func index(all []Group) *indexed {
	d := &indexed{n: make([]float64, len(all)), x: make([]int32, len(all)), recency: make([]int32, len(all)), age: make([]int32, len(all))}
	xs, recencies, ages := map[float64]int32{}, map[float64]int32{}, map[float64]int32{}
	place := func(m map[float64]int32, all *[]float64, v float64) int32 {
		i, ok := m[v]
		if !ok {
			i = int32(len(*all))
			m[v] = i
			*all = append(*all, v)
		}
		return i
	}
	for i, g := range all {
		d.n[i] = float64(g.N)
		d.total += d.n[i]
		d.x[i] = place(xs, &d.xs, float64(g.X))
		d.recency[i] = place(recencies, &d.recencies, g.Recency)
		d.age[i] = place(ages, &d.ages, g.Age)
	}
	return d
}

// means are those of purchases after the first and of ages.
func means(all []Group) (x, age float64) {
	var n float64
	for _, g := range all {
		w := float64(g.N)
		n += w
		x += w * float64(g.X)
		age += w * g.Age
	}
	return x / n, age / n
}
