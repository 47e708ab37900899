package index_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/index"
)

var nan = math.NaN()

func TestTheIndexOfThreeIsItsFormula(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		weights [3]float64
		rows    [][]float64
		want    float64 // NaN: none
		n, left int
	}{
		{"a third each", [3]float64{}, [][]float64{{8, 7, 6}}, 100 * 6. / 9, 1, 0},
		{"weights", [3]float64{.5, .3, .2}, [][]float64{{10, 1, 1}, {8, 3, 1}}, 100 * (.5*8 + .3*1) / 9, 2, 0},
		{"the least", [3]float64{}, [][]float64{{1, 1, 1}}, 0, 1, 0},
		{"the most", [3]float64{}, [][]float64{{10, 10, 10}}, 100, 1, 0},
		{"who left one out does not count", [3]float64{}, [][]float64{{10, 10, 10}, {1, nan, 1}}, 100, 1, 1},
		{"what nobody said is not spread over the others", [3]float64{}, [][]float64{{10, nan, 10}}, nan, 1, 0},
		{"nothing", [3]float64{}, nil, nan, 0, 0},
	} {
		root, err := index.ACSI(c.weights[0], c.weights[1], c.weights[2])
		if err != nil {
			t.Fatal(err)
		}
		e := index.Evaluate(root, c.rows)
		got := nan
		if e.Indexes[0].Value != nil {
			got = *e.Indexes[0].Value
		}
		if math.IsNaN(got) != math.IsNaN(c.want) || math.Abs(got-c.want) > 1e-9 || e.N != c.n || e.LeftOut != c.left {
			t.Errorf("%s: %v of %d without %d, want %v", c.name, got, e.N, e.LeftOut, c.want)
		}
	}
	if _, err := index.ACSI(.5, .3, .1); err == nil {
		t.Error("weights that do not sum to 1 are taken")
	}
}

// tree is a random tree with weights that sum to 1 at each level.
func tree(random *rand.Rand, depth int, code string) index.Node {
	n := index.Node{Code: code, Low: 1, High: 10, Question: code, Weight: 1}
	if depth == 0 || depth < 3 && random.IntN(3) == 0 {
		return n
	}
	n.Low, n.High, n.Question = 0, 0, ""
	sum := 0.0
	for i := range 1 + random.IntN(4) {
		child := tree(random, depth-1, code+string(rune('a'+i)))
		child.Weight = .1 + random.Float64()
		sum += child.Weight
		n.Children = append(n.Children, child)
	}
	for i := range n.Children {
		n.Children[i].Weight /= sum
	}
	return n
}

// slow is a node's mean over rows, each reckoned down the tree one after the other.
func slow(n index.Node, column map[string]int, row []float64) float64 {
	if n.Leaf() {
		return 100 * (row[column[n.Code]] - n.Low) / (n.High - n.Low)
	}
	sum := 0.0
	for _, child := range n.Children {
		sum += child.Weight * slow(child, column, row)
	}
	return sum
}

func TestEachLevelIsWhatItsPartsMake(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		root := tree(random, 3, "x")
		column := map[string]int{}
		for i, l := range root.Leaves() {
			column[l.Code] = i
		}
		var rows [][]float64
		for range 1 + random.IntN(20) {
			row := make([]float64, len(column))
			for i := range row {
				row[i] = float64(1 + random.IntN(10))
			}
			rows = append(rows, row)
		}
		values, shares := map[string]float64{}, 0.0
		for _, f := range index.Evaluate(root, rows).Indexes {
			want := 0.0
			for _, row := range rows {
				want += slow(f.Node, column, row) / float64(len(rows))
			}
			if f.Value == nil || math.Abs(*f.Value-want) > 1e-9 || *f.Value < -1e-9 || *f.Value > 100+1e-9 {
				t.Fatalf("%s: %v, want %v", f.Node.Code, f.Value, want)
			}
			if (f.Interval == nil) != (len(rows) < 2) || f.Interval != nil && (f.Interval.Low > *f.Value+1e-9 || f.Interval.High < *f.Value-1e-9) {
				t.Fatalf("%s: %+v around %v", f.Node.Code, f.Interval, *f.Value)
			}
			if values[f.Node.Code] = *f.Value; f.Node.Leaf() {
				shares += f.Share
			}
		}
		if math.Abs(shares-1) > 1e-9 {
			t.Fatalf("leaves have %v of the whole", shares)
		}
		// What nobody says of one leaf is missing from it up to the root, and from nothing else.
		gone := root.Leaves()[random.IntN(len(column))].Code
		for _, row := range rows {
			row[column[gone]] = nan
		}
		for _, f := range index.Evaluate(root, rows).Indexes {
			below := false
			for _, l := range f.Node.Leaves() {
				below = below || l.Code == gone
			}
			if below != (f.Value == nil) || below != (len(f.Missing) == 1) || !below && math.Abs(*f.Value-values[f.Node.Code]) > 1e-9 {
				t.Fatalf("without %s: %+v", gone, f)
			}
		}
	})
}
