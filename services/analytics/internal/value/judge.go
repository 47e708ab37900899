package value

import (
	"math"
	"slices"
	"time"
)

// topCount is the last count of the tables: so many and more.
const topCount = 7

// purchaseDetail is what a fit of a purchase model shows beside its numbers.
type purchaseDetail struct {
	// Calibration: how many customers made so many purchases after the first up to the cut-off, and how many the model says.
	Calibration []countedRow `json:"calibration"`
	// NewCustomer is what a new customer buys after the first purchase.
	NewCustomer []atHorizon     `json:"new_customer"`
	Holdout     *holdout        `json:"holdout,omitempty"`
	Tracking    []trackedPeriod `json:"tracking,omitempty"`
}

type countedRow struct {
	Count    int     `json:"count"` // the last one: so many and more
	Actual   int64   `json:"actual"`
	Expected float64 `json:"expected"`
}

// holdout holds what came after the cut-off against what the model expected of each customer.
type holdout struct {
	Time              float64       `json:"time"` // in the unit of the table
	Actual            float64       `json:"actual"`
	Expected          float64       `json:"expected"`
	ErrorPercent      *float64      `json:"error_percent"` // of the sum; null where nothing was bought
	MeanAbsoluteError float64       `json:"mean_absolute_error"`
	RootMeanSquare    float64       `json:"root_mean_square_error"`
	ByCount           []heldByCount `json:"by_count"` // a plot: purchases after the cut-off by those up to it
}

type heldByCount struct {
	Count     int     `json:"count"`
	Customers int64   `json:"customers"`
	Actual    float64 `json:"actual"`   // in the mean
	Expected  float64 `json:"expected"` // in the mean
}

// trackedPeriod is a point of the plot of purchases after the first over time.
type trackedPeriod struct {
	Until              string  `json:"until"` // its last day
	Actual             int64   `json:"actual"`
	Expected           float64 `json:"expected"`
	CumulativeActual   int64   `json:"cumulative_actual"`
	CumulativeExpected float64 `json:"cumulative_expected"`
	Holdout            bool    `json:"holdout"` // it lies after the cut-off
}

// judge says how good the model is on the sample.
func (s *sample) judge(m purchaseModel, all []Group) purchaseDetail {
	d := purchaseDetail{Calibration: calibrate(m, all)}
	if s.holds && s.until > 0 {
		d.Holdout = s.hold(m)
	}
	if s.repeats != nil {
		d.Tracking = s.track(m)
	}
	return d
}

// calibrate counts customers by purchases and adds up what the model says of customers of their ages. Ages that are many are put
// together, neighbours first, into some two thousand.
func calibrate(m purchaseModel, all []Group) []countedRow {
	rows := make([]countedRow, topCount+1)
	byAge := make(map[float64]int64)
	for _, g := range all {
		rows[min(g.X, topCount)].Actual += g.N
		byAge[g.Age] += g.N
	}
	for _, bin := range binned(byAge, 2000) {
		rest := 1.0
		for x := range topCount {
			p := m.Count(x, bin.age)
			rows[x].Expected += bin.n * p
			rest -= p
		}
		rows[topCount].Expected += bin.n * max(0, rest)
	}
	for i := range rows {
		rows[i].Count = i
	}
	return rows
}

type ageBin struct{ age, n float64 }

func binned(byAge map[float64]int64, most int) []ageBin {
	ages := make([]float64, 0, len(byAge))
	for a := range byAge {
		ages = append(ages, a)
	}
	slices.Sort(ages)
	step := (len(ages) + most - 1) / most
	var out []ageBin
	for part := range slices.Chunk(ages, max(step, 1)) {
		var bin ageBin
		for _, a := range part {
			n := float64(byAge[a])
			bin.n += n
			bin.age += n * a
		}
		bin.age /= bin.n
		out = append(out, bin)
	}
	return out
}

// hold reckons what was expected of every customer after the cut-off.
func (s *sample) hold(m purchaseModel) *holdout {
	h := &holdout{Time: s.until, ByCount: make([]heldByCount, topCount+1)}
	known := make(map[History]float64)
	var customers float64
	for _, o := range s.sorted() {
		n := float64(s.outcomes[o])
		e, ok := known[o.History]
		if !ok {
			e = m.Expected(o.History, s.until)
			known[o.History] = e
		}
		was := float64(o.held)
		customers += n
		h.Actual += n * was
		h.Expected += n * e
		h.MeanAbsoluteError += n * math.Abs(was-e)
		h.RootMeanSquare += n * (was - e) * (was - e)
		row := &h.ByCount[min(o.X, topCount)]
		row.Customers += s.outcomes[o]
		row.Actual += n * was
		row.Expected += n * e
	}
	h.MeanAbsoluteError /= customers
	h.RootMeanSquare = math.Sqrt(h.RootMeanSquare / customers)
	if h.Actual > 0 {
		percent := 100 * (h.Expected - h.Actual) / h.Actual
		h.ErrorPercent = &percent
	}
	for i := range h.ByCount {
		row := &h.ByCount[i]
		row.Count = i
		if row.Customers > 0 {
			row.Actual /= float64(row.Customers)
			row.Expected /= float64(row.Customers)
		}
	}
	return h
}

// sorted gives the outcomes in an order of their own, so that sums are the same every time.
func (s *sample) sorted() []outcome {
	all := make([]outcome, 0, len(s.outcomes))
	for o := range s.outcomes {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b outcome) int {
		switch {
		case a.X != b.X:
			return int(a.X - b.X)
		case a.Recency != b.Recency:
			return sign(a.Recency - b.Recency)
		case a.Age != b.Age:
			return sign(a.Age - b.Age)
		default:
			return int(a.held - b.held)
		}
	})
	return all
}

func sign(v float64) int {
	if v < 0 {
		return -1
	}
	return 1
}

// track adds up purchases after the first by period, from the first day of all to the end of the hold-out, and what the model
// says: a customer who began on day b is expected to have made E[X((d−b)/7)] by the end of day d. Periods are weeks, longer ones
// where there would be more than some hundred.
func (s *sample) track(m purchaseModel) []trackedPeriod {
	last := int(s.cutoff.Sub(s.origin)/(24*time.Hour)) + int(math.Round(s.until*7))
	cut := int(s.cutoff.Sub(s.origin) / (24 * time.Hour))
	step := 7 * max(1, (last/7+119)/120)
	known := make(map[int]float64)
	begins := make([]int, 0, len(s.begins))
	for b := range s.begins {
		begins = append(begins, b)
	}
	slices.Sort(begins)
	var out []trackedPeriod
	var cumulative int64
	before, from := 0.0, 0
	for end := step - 1; from <= last; end += step {
		end = min(end, last)
		p := trackedPeriod{Until: s.origin.AddDate(0, 0, end).Format(time.DateOnly), Holdout: end > cut}
		for d := from; d <= end; d++ {
			p.Actual += s.repeats[d]
		}
		for _, b := range begins {
			if b >= end {
				break
			}
			e, ok := known[end-b]
			if !ok {
				e = m.New(float64(end-b) / 7)
				known[end-b] = e
			}
			p.CumulativeExpected += float64(s.begins[b]) * e
		}
		cumulative += p.Actual
		p.CumulativeActual = cumulative
		p.Expected = p.CumulativeExpected - before
		before, from = p.CumulativeExpected, end+1
		out = append(out, p)
	}
	return out
}

// quantiles gives those bounds between n parts of equal size of the spends that differ from each other.
func quantiles(all []Spend, n int) []float64 {
	m := make([]float64, len(all))
	for i, s := range all {
		m[i] = s.M
	}
	slices.Sort(m)
	var out []float64
	for i := 1; i < n; i++ {
		if b := m[i*len(m)/n]; b > m[0] && (len(out) == 0 || b > out[len(out)-1]) {
			out = append(out, b)
		}
	}
	return out
}

func sortedKeys(m map[int64]int64) []int64 {
	keys := make([]int64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
