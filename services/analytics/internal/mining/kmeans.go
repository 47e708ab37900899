package mining

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/stat"
)

// Matrix is rows of numbers, end to end.
type Matrix struct {
	Data []float64
	Cols int
}

// Rows is how many there are.
func (m Matrix) Rows() int {
	if m.Cols == 0 {
		return 0
	}
	return len(m.Data) / m.Cols
}

// Row is one of them.
func (m Matrix) Row(i int) []float64 { return m.Data[i*m.Cols : (i+1)*m.Cols] }

// pick gives the named rows as a matrix of their own.
func (m Matrix) pick(rows []int) Matrix {
	out := Matrix{Data: make([]float64, 0, len(rows)*m.Cols), Cols: m.Cols}
	for _, i := range rows {
		out.Data = append(out.Data, m.Row(i)...)
	}
	return out
}

// Scale takes every column to mean 0 and population standard deviation 1, in place, and gives what they were. A column in which
// all are equal becomes 0 and has the deviation 0.
func Scale(m Matrix) (means, deviations []float64) {
	means, deviations = make([]float64, m.Cols), make([]float64, m.Cols)
	column := make([]float64, m.Rows())
	for j := range m.Cols {
		for i := range column {
			column[i] = m.Data[i*m.Cols+j]
		}
		mean, variance := stat.PopMeanVariance(column, nil)
		means[j], deviations[j] = mean, math.Sqrt(variance)
		if constant(column) {
			deviations[j] = 0
		}
		for i := range column {
			m.Data[i*m.Cols+j] = scaled(column[i], mean, deviations[j])
		}
	}
	return means, deviations
}

// constant tells whether all are equal: their variance can be a rounding error above nothing.
func constant(column []float64) bool {
	for _, v := range column {
		if v != column[0] {
			return false
		}
	}
	return true
}

func scaled(v, mean, deviation float64) float64 {
	if deviation == 0 {
		return 0
	}
	return (v - mean) / deviation
}

// Partition is rows in clusters.
type Partition struct {
	Centres Matrix
	Of      []int32 // the cluster of each row
	Sizes   []int
	Within  float64 // sum of squared distances of rows to the centre of their cluster
	// Converged tells that no row would change its cluster any more; otherwise the limit of rounds was reached, and every
	// row is in the cluster of the centre next to it.
	Converged bool
	Rounds    int
}

// mostRounds of moving the centres.
const mostRounds = 300

// KMeans parts rows into k clusters around centres drawn by k-means++, starts times, and gives the partition with the least
// squared distances within. The same seed gives the same. There must be k different rows. It ends early, with ctx's error.
func KMeans(ctx context.Context, m Matrix, k, starts int, seed uint64) (Partition, error) {
	best := Partition{Within: math.Inf(1)}
	for s := range starts {
		p, err := lloyd(ctx, m, plusPlus(m, k, rand.New(rand.NewPCG(seed, uint64(s)))))
		if err != nil {
			return Partition{}, err
		}
		if p.Within < best.Within {
			best = p
		}
	}
	return best, nil
}

// plusPlus draws centres among the rows, each with a chance in proportion to the square of its distance from those drawn.
func plusPlus(m Matrix, k int, r *rand.Rand) Matrix {
	n := m.Rows()
	centres := Matrix{Cols: m.Cols}
	centres.Data = append(centres.Data, m.Row(r.IntN(n))...)
	nearest := make([]float64, n)
	for i := range nearest {
		nearest[i] = math.Inf(1)
	}
	for centres.Rows() < k {
		last, sum := centres.Row(centres.Rows()-1), 0.0
		for i := range n {
			nearest[i] = min(nearest[i], squared(m.Row(i), last))
			sum += nearest[i]
		}
		at, left := n-1, r.Float64()*sum
		for i, d := range nearest {
			if left -= d; left < 0 {
				at = i
				break
			}
		}
		centres.Data = append(centres.Data, m.Row(at)...)
	}
	return centres
}

func squared(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		d := v - b[i]
		sum += d * d
	}
	return sum
}

// blocks is into how many parts rows are cut for several workers. It does not depend on the machine, so that sums do not either.
const blocks = 64

// inBlocks has every block of n rows looked at, on all processors.
func inBlocks(n int, do func(block, from, to int)) {
	var wg sync.WaitGroup
	next := make(chan int, blocks)
	for b := range blocks {
		next <- b
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), blocks) {
		wg.Go(func() {
			for b := range next {
				do(b, b*n/blocks, (b+1)*n/blocks)
			}
		})
	}
	wg.Wait()
}

// share is what one block adds to a round.
type share struct {
	sums    []float64
	sizes   []int
	within  float64
	changed int
	far     int // the row that is farthest from its centre
	farAt   float64
}

// lloyd puts every row to the nearest centre and every centre into the middle of its rows, until nothing changes.
func lloyd(ctx context.Context, m Matrix, centres Matrix) (Partition, error) {
	n, k, d := m.Rows(), centres.Rows(), m.Cols
	p := Partition{Centres: centres, Of: make([]int32, n)}
	for i := range p.Of {
		p.Of[i] = -1
	}
	shares := make([]share, blocks)
	for p.Rounds = 1; ; p.Rounds++ {
		if err := ctx.Err(); err != nil {
			return Partition{}, err
		}
		inBlocks(n, func(block, from, to int) {
			s := share{sums: make([]float64, k*d), sizes: make([]int, k), far: -1, farAt: -1}
			for i := from; i < to; i++ {
				row := m.Row(i)
				c, distance := Nearest(centres, row)
				if p.Of[i] != c {
					p.Of[i] = c
					s.changed++
				}
				s.sizes[c]++
				s.within += distance
				if distance > s.farAt {
					s.far, s.farAt = i, distance
				}
				for j, v := range row {
					s.sums[int(c)*d+j] += v
				}
			}
			shares[block] = s
		})
		sum := share{sums: make([]float64, k*d), sizes: make([]int, k), far: -1, farAt: -1}
		for _, s := range shares {
			sum.add(s)
		}
		p.Sizes, p.Within = sum.sizes, sum.within
		if p.Converged = sum.changed == 0; p.Converged || p.Rounds == mostRounds {
			return p, nil
		}
		for c := range k {
			centre := centres.Row(c)
			if sum.sizes[c] == 0 { // nobody is next to it: it goes where it is needed most
				copy(centre, m.Row(sum.far))
				continue
			}
			for j := range d {
				centre[j] = sum.sums[c*d+j] / float64(sum.sizes[c])
			}
		}
	}
}

func (s *share) add(o share) {
	for i, v := range o.sums {
		s.sums[i] += v
	}
	for i, v := range o.sizes {
		s.sizes[i] += v
	}
	s.within += o.within
	s.changed += o.changed
	if o.farAt > s.farAt {
		s.far, s.farAt = o.far, o.farAt
	}
}

// Nearest gives the centre next to the row, the first of several, and the square of its distance.
func Nearest(centres Matrix, row []float64) (centre int32, distance float64) {
	distance = math.Inf(1)
	for c := range centres.Rows() {
		if d := squared(row, centres.Row(c)); d < distance {
			centre, distance = int32(c), d
		}
	}
	return centre, distance
}

// bySize numbers clusters anew, the largest first.
func (p *Partition) bySize() {
	k := len(p.Sizes)
	order := make([]int, k)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return p.Sizes[b] - p.Sizes[a] })
	to, sizes := make([]int32, k), make([]int, k)
	for at, c := range order {
		to[c], sizes[at] = int32(at), p.Sizes[c]
	}
	p.Centres, p.Sizes = p.Centres.pick(order), sizes
	for i, c := range p.Of {
		p.Of[i] = to[c]
	}
}

// Silhouette says how well rows lie in their clusters: −1 to 1. Overall is the mean over rows, By that over each cluster's; a row
// that is alone in its cluster counts 0.
type Silhouette struct {
	Overall float64
	By      []float64
	Rows    int // that were looked at
}

// Silhouettes reckons silhouettes of all rows by their distances to all others, so it is for some thousand rows: of more, sample.
// There must be at least two clusters with rows.
func Silhouettes(m Matrix, of []int32, k int) Silhouette {
	n := m.Rows()
	sizes := make([]int, k)
	for _, c := range of {
		sizes[c]++
	}
	each := make([]float64, n)
	inBlocks(n, func(_, from, to int) {
		sums := make([]float64, k)
		for i := from; i < to; i++ {
			clear(sums)
			for j := range n {
				sums[of[j]] += math.Sqrt(squared(m.Row(i), m.Row(j)))
			}
			own := int(of[i])
			if sizes[own] < 2 {
				continue
			}
			inner, outer := sums[own]/float64(sizes[own]-1), math.Inf(1)
			for c, size := range sizes {
				if c != own && size > 0 {
					outer = min(outer, sums[c]/float64(size))
				}
			}
			if most := max(inner, outer); most > 0 {
				each[i] = (outer - inner) / most
			}
		}
	})
	s := Silhouette{By: make([]float64, k), Rows: n}
	for i, v := range each {
		s.Overall += v / float64(n)
		s.By[of[i]] += v / float64(sizes[of[i]])
	}
	return s
}

// sample draws size of n rows, ascending; all where there are not more.
func sample(n, size int, seed uint64) []int {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	rows := make([]int, 0, min(n, size))
	for i := range n { // each remaining row with the chance that fills the sample (D. Knuth, algorithm S)
		if r.IntN(n-i) < size-len(rows) {
			rows = append(rows, i)
		}
	}
	return rows
}
