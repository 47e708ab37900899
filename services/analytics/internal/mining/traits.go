package mining

import (
	"math"
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// means gives the mean of each field in its own unit.
func (b *ClustersBody) means(taken Matrix) []float64 {
	means := make([]float64, taken.Cols)
	for i, v := range taken.Data {
		means[i%taken.Cols] += unlogged(v, slices.Contains(b.Log, b.Fields[i%taken.Cols]))
	}
	for j := range means {
		means[j] /= float64(taken.Rows())
	}
	return means
}

// describe says what sets each cluster apart.
func (b *ClustersBody) describe(taken Matrix, p Partition, state clustersState, overall []float64, s Silhouette) []clusterDetail {
	k, d := len(p.Sizes), taken.Cols
	logs := make([]bool, d)
	for j, name := range b.Fields {
		logs[j] = slices.Contains(b.Log, name)
	}
	sums, own := make([]float64, k*d), make([]float64, k*d)
	for i := range taken.Rows() {
		c := int(p.Of[i])
		for j, v := range taken.Row(i) {
			if own[c*d+j] += v; b.Scale == scalePopulation {
				v = v*state.Deviations[j] + state.Means[j]
			}
			sums[c*d+j] += unlogged(v, logs[j])
		}
	}
	all := make([]clusterDetail, k)
	for c, size := range p.Sizes {
		one := clusterDetail{Cluster: clusterName(int32(c)), Size: size, Share: float64(size) / float64(taken.Rows()), Silhouette: s.By[c]}
		if math.IsNaN(one.Silhouette) {
			one.Silhouette = 0 // none of it is in the sample
		}
		for j, name := range b.Fields {
			difference := own[c*d+j] / float64(size)
			if b.Scale == scaleNone {
				difference = scaled(difference, state.Means[j], state.Deviations[j])
			}
			one.Traits = append(one.Traits, Trait{Field: name, Mean: sums[c*d+j] / float64(size), Overall: overall[j], Difference: difference})
		}
		slices.SortStableFunc(one.Traits, func(x, y Trait) int {
			switch dx, dy := math.Abs(x.Difference), math.Abs(y.Difference); {
			case dx > dy:
				return -1
			case dx < dy:
				return 1
			default:
				return strings.Compare(x.Field, y.Field)
			}
		})
		all[c] = one
	}
	return all
}

func (b *ClustersBody) warnings(p Partition, s Silhouette, given, n int) (all []model.Warning) {
	if !p.Converged {
		all = append(all, model.Warn("rounds_exhausted", "After {rounds} rounds rows still changed their cluster.", "rounds", p.Rounds))
	}
	if given > n {
		all = append(all, model.Warn("rows_left_out", "{left_out} of {rows} rows lack a number and were left out.", "left_out", given-n, "rows", given))
	}
	if s.Overall < 0.25 { // L. Kaufman, P. Rousseeuw, Finding groups in data (1990), table 4
		all = append(all, model.Warn("structure_weak", "The silhouette is below 0.25: there is no substantial structure in these fields."))
	}
	return all
}
