package churn

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Folds is into how many parts rows are dealt for the cross validation.
const Folds = 5

// Deal gives each row its fold, such that each fold has its share of both outcomes. It depends on the ids alone: neither on the
// order of rows nor on chance.
func Deal(ids []string, y []bool, folds int) []int {
	order := hashed(ids)
	fold := make([]int, len(ids))
	var dealt [2]int
	for _, i := range order {
		class := 0
		if y[i] {
			class = 1
		}
		fold[i] = dealt[class] % folds
		dealt[class]++
	}
	return fold
}

// hashed is an order of rows by the hash of their ids.
func hashed(ids []string) []int {
	hash := make([]uint64, len(ids))
	order := make([]int, len(ids))
	for i, id := range ids {
		order[i], hash[i] = i, hashOf(id)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(hash[a], hash[b]), cmp.Compare(ids[a], ids[b])) })
	return order
}

// hashOf is FNV-1a with the finaliser of MurmurHash3: ids that differ in their last digit only are spread as well.
func hashOf(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	z := h.Sum64()
	z = (z ^ z>>33) * 0xff51afd7ed558ccd
	z = (z ^ z>>33) * 0xc4ceb9fe1a85ec53
	return z ^ z>>33
}

// AUC is the area under the ROC curve: how likely a row with the outcome scores higher than one without, half of the ties counted.
// The variance is that of DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837–845, reckoned by mid-ranks as in Sun, Xu, IEEE
// Signal Processing Letters 21 (2014) 1389–1393. Both outcomes must be there; with fewer than two rows of one the variance is NaN.
func AUC(scores []float64, y []bool) (auc, variance float64) {
	var with, without []float64
	for i, s := range scores {
		if y[i] {
			with = append(with, s)
		} else {
			without = append(without, s)
		}
	}
	m, n := float64(len(with)), float64(len(without))
	slices.Sort(with)
	slices.Sort(without)
	all := slices.Concat(with, without)
	slices.Sort(all)
	// A row's placement is its mid-rank among all less that among its own.
	placements := func(own []float64, others float64) []float64 {
		in, among := midranks(own, own), midranks(own, all)
		for i := range in {
			in[i] = (among[i] - in[i]) / others
		}
		return in
	}
	of := func(values []float64, mean float64) float64 {
		sum := 0.0
		for _, v := range values {
			sum += (v - mean) * (v - mean)
		}
		return sum / (float64(len(values)) - 1) / float64(len(values))
	}
	high, low := placements(with, n), placements(without, m)
	for _, v := range high {
		auc += v / m
	}
	return auc, of(high, auc) + of(low, 1-auc)
}

// midranks gives the mid-ranks of values among all; both are sorted.
func midranks(values, all []float64) []float64 {
	ranks := make([]float64, len(values))
	begin, end := 0, 0
	for i, v := range values {
		for begin < len(all) && all[begin] < v {
			begin++
		}
		end = max(end, begin)
		for end < len(all) && all[end] == v {
			end++
		}
		ranks[i] = float64(begin+end+1) / 2
	}
	return ranks
}

// Decile is a tenth of the rows by their predicted risk.
type Decile struct {
	Decile    int     `json:"decile"` // 1: the highest risk
	Rows      int     `json:"rows"`
	Predicted float64 `json:"predicted"` // mean risk
	Observed  float64 `json:"observed"`  // share with the outcome
	Low       float64 `json:"low"`       // its 95 % interval after Wilson
	High      float64 `json:"high"`
	Lift      float64 `json:"lift"`     // observed as a multiple of the share among all rows
	Captured  float64 `json:"captured"` // share of all rows with the outcome that stand in this tenth and those before it
}

// Validation is how well a model predicts rows that it was not fitted to.
type Validation struct {
	Folds     []float64 `json:"folds"` // AUC of each
	AUC       float64   `json:"auc"`   // their mean
	Low       float64   `json:"auc_low"`
	High      float64   `json:"auc_high"`
	Brier     float64   `json:"brier"`    // mean square of risk less outcome
	LogLoss   float64   `json:"log_loss"` // mean of −log of what was predicted for what came
	BaseBrier float64   `json:"base_brier"`
	BaseLoss  float64   `json:"base_log_loss"` // of who always predicts the share of all
	Deciles   []Decile  `json:"deciles"`
}

// Judge compares risks that were predicted for rows outside what the model was fitted to with what came.
func Judge(risk []float64, y []bool, fold []int, ids []string) Validation {
	var v Validation
	variance := 0.0
	for k := range Folds {
		var r []float64
		var of []bool
		for i := range y {
			if fold[i] == k {
				r, of = append(r, risk[i]), append(of, y[i])
			}
		}
		auc, of2 := AUC(r, of)
		v.Folds = append(v.Folds, auc)
		v.AUC += auc / Folds
		variance += of2 / (Folds * Folds)
	}
	// The folds share no row that they are judged by: the variance of the mean is that of independent ones (LeDell, Petersen, van der
	// Laan, Electronic Journal of Statistics 9 (2015) 1583–1607).
	half := proportion.Z * math.Sqrt(variance)
	v.Low, v.High = math.Max(0, v.AUC-half), math.Min(1, v.AUC+half)
	n, yes := float64(len(y)), 0.0
	for i, p := range risk {
		came := 0.0
		if y[i] {
			came = 1
			yes++
		}
		v.Brier += (p - came) * (p - came) / n
		v.LogLoss += loss(p, y[i]) / n
	}
	base := yes / n
	v.BaseBrier, v.BaseLoss = base*(1-base), -base*math.Log(base)-(1-base)*math.Log(1-base)
	v.Deciles = deciles(risk, y, ids, base)
	return v
}

// loss is −log of what was predicted for what came; a risk that rounding made 0 or 1 costs 36.7 at most.
func loss(p float64, came bool) float64 {
	if !came {
		p = 1 - p
	}
	return -math.Log(math.Max(p, 1e-16))
}

func deciles(risk []float64, y []bool, ids []string, base float64) []Decile {
	order := make([]int, len(risk))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(risk[b], risk[a]), cmp.Compare(ids[a], ids[b])) })
	var all []Decile
	captured := 0
	for d := range 10 {
		begin, end := d*len(order)/10, (d+1)*len(order)/10
		if begin == end {
			continue
		}
		one, yes := Decile{Decile: d + 1, Rows: end - begin}, 0
		for _, i := range order[begin:end] {
			one.Predicted += risk[i] / float64(end-begin)
			if y[i] {
				yes++
			}
		}
		captured += yes
		share := proportion.Wilson(yes, end-begin)
		one.Observed, one.Low, one.High = share.Value, share.Low, share.High
		one.Lift = one.Observed / base
		one.Captured = float64(captured) / (base * float64(len(y)))
		all = append(all, one)
	}
	return all
}
