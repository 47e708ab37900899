package report

import (
	"cmp"
	"math"
	"slices"
)

// Change is how far the last week of a metric lies from what the weeks before let expect.
type Change struct {
	Last, Expected, Spread float64 // the median of the weeks before, and 1.4826 times the median distance from it
	Score                  float64 // (Last − Expected) ÷ Spread, of at least a hundredth of Expected
	Weeks                  int     // before the last
	Enough                 bool    // at least minWeeks
	Typical                []int   // the week that Expected is of, or the two that it is the mean of; none where there is not enough
}

const (
	maxWeeks = 12
	minWeeks = 8
	// normalMAD makes the median distance comparable to a standard deviation of normal data: F. R. Hampel, The influence curve and
	// its role in robust estimation, JASA 69 (1974) 383–393.
	normalMAD = 1.4826
	// unusual is the score from which on a week stands out: B. Iglewicz, D. Hoaglin, How to Detect and Handle Outliers (1993).
	unusual = 3.5
)

// Compare holds the last of the weeks against those before it.
func Compare(weeks []float64) Change {
	if len(weeks) == 0 {
		return Change{}
	}
	last, before := weeks[len(weeks)-1], weeks[:len(weeks)-1]
	c := Change{Last: last, Weeks: len(before), Enough: len(before) >= minWeeks}
	if !c.Enough {
		return c
	}
	c.Typical = middle(before)
	for _, i := range c.Typical {
		c.Expected += before[i] / float64(len(c.Typical))
	}
	distances := make([]float64, len(before))
	for i, w := range before {
		distances[i] = math.Abs(w - c.Expected)
	}
	for _, i := range middle(distances) {
		c.Spread += normalMAD * distances[i] / float64(2-len(distances)%2)
	}
	if floor := max(math.Abs(c.Expected)/100, 1e-9); c.Last != c.Expected {
		c.Score = (c.Last - c.Expected) / max(c.Spread, floor)
	}
	return c
}

// middle gives the places of the one value, or of the two, that the median is of; of equal values the later stand higher.
func middle(values []float64) []int {
	places := make([]int, len(values))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	n := len(places)
	return places[(n-1)/2 : n/2+1]
}

// Driver is what one value of a dimension has to do with a change.
type Driver struct {
	Value          *string // nil: not known
	Last, Expected float64 // in the last week, and in the weeks that the expectation is of
	Change         float64
}

// Drive is a change as the values of one dimension make it up: the Changes of all drivers and Rest are the whole change.
type Drive struct {
	Drivers  []Driver // the largest change first
	Others   int      // values that are in Rest
	Rest     float64
	Surprise float64 // how far the shares of the last week are from those expected, 0 to ln 2
}

// maxDrivers is how many values of a dimension are named.
const maxDrivers = 5

// Drives takes a change apart by the weeks of each value of a dimension, which are as long as those of the whole. What a value is
// expected at is what it was in the weeks that the whole's expectation is of, so that the parts add up to the whole; the value's
// own median would not. How much a dimension tells is measured as in R. Bhagwan and others, Adtributor: Revenue Debugging in
// Advertising Systems, NSDI 2014: by the Jensen-Shannon divergence between the shares of its values in both; amounts below zero
// have no share.
func (c Change) Drives(values []*string, weeks [][]float64) (d Drive) {
	d.Rest = c.Last - c.Expected
	all := make([]Driver, len(values))
	for i, v := range values {
		one := Driver{Value: v, Last: weeks[i][len(weeks[i])-1]}
		for _, at := range c.Typical {
			one.Expected += weeks[i][at] / float64(len(c.Typical))
		}
		one.Change = one.Last - one.Expected
		all[i] = one
	}
	d.Surprise = surprise(all)
	all = slices.DeleteFunc(all, func(one Driver) bool { return one.Change == 0 })
	slices.SortStableFunc(all, func(a, b Driver) int { return cmp.Compare(math.Abs(b.Change), math.Abs(a.Change)) })
	d.Drivers, d.Others = all[:min(maxDrivers, len(all))], max(0, len(all)-maxDrivers)
	for _, one := range d.Drivers {
		d.Rest -= one.Change
	}
	return d
}

func surprise(all []Driver) (s float64) {
	var last, expected float64
	for _, one := range all {
		last += max(0, one.Last)
		expected += max(0, one.Expected)
	}
	if last == 0 || expected == 0 {
		return 0
	}
	for _, one := range all {
		p, q := max(0, one.Expected)/expected, max(0, one.Last)/last
		for _, share := range []float64{p, q} {
			if share > 0 {
				s += share * math.Log(2*share/(p+q)) / 2
			}
		}
	}
	return s
}
