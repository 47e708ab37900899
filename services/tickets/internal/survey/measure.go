package survey

import (
	"math"
	"slices"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Enough is the number of answers below which nothing is said but that there is not enough data.
const Enough = 30

// Interval is an estimate with its 95 % confidence interval.
type Interval = proportion.Interval

// NetPromoter gives the share of promoters minus that of detractors, of n answers, with the interval of the difference of two
// shares of one multinomial sample: ± 1.96·√((p + d − (p − d)²)/n), cut at −1 and 1. n must be at least 1.
func NetPromoter(promoters, detractors, n int) Interval {
	p, d := float64(promoters)/float64(n), float64(detractors)/float64(n)
	half := proportion.Z * math.Sqrt((p+d-(p-d)*(p-d))/float64(n))
	return Interval{Value: p - d, Low: max(-1, p-d-half), High: min(1, p-d+half)}
}

// Measure gives the value of a survey of the kind from how often each score was given, and how many answers that were; ok is
// false while these are not enough.
func Measure(k Kind, counts map[int]int) (v Interval, n int, ok bool) {
	count := func(from, to int) (sum int) {
		for score, times := range counts {
			if score >= from && score <= to {
				sum += times
			}
		}
		return sum
	}
	n = count(math.MinInt, math.MaxInt)
	if n < Enough {
		return Interval{}, n, false
	}
	switch k {
	case CSAT:
		return proportion.Wilson(count(4, 5), n), n, true
	case CES:
		return proportion.Wilson(count(5, 7), n), n, true
	case NPS:
		return NetPromoter(count(9, 10), count(0, 6), n), n, true
	default:
		return Interval{}, n, false
	}
}

// ResponseRate is answered ÷ (sent − bounced); ok is false where nothing arrived.
func ResponseRate(answered, sent, bounced int) (rate float64, ok bool) {
	if sent <= bounced {
		return 0, false
	}
	return float64(answered) / float64(sent-bounced), true
}

// Category is what a feature is to somebody who answered a Kano pair.
type Category string

// The categories.
const (
	Attractive     Category = "attractive"
	OneDimensional Category = "one_dimensional"
	MustBe         Category = "must_be"
	Indifferent    Category = "indifferent"
	Reverse        Category = "reverse"
	Questionable   Category = "questionable"
)

// kanoTable has a row for each answer to "with the feature", a column for each to "without it": 1 I like it, 2 I expect it, 3
// I am neutral, 4 I can live with it, 5 I dislike it. After N. Kano et al., Attractive quality and must-be quality (1984), in
// the form of C. Berger et al., Kano's methods for understanding customer-defined quality, CQM Journal 2/4 (1993).
var kanoTable = [5][5]Category{
	{Questionable, Attractive, Attractive, Attractive, OneDimensional},
	{Reverse, Indifferent, Indifferent, Indifferent, MustBe},
	{Reverse, Indifferent, Indifferent, Indifferent, MustBe},
	{Reverse, Indifferent, Indifferent, Indifferent, MustBe},
	{Reverse, Reverse, Reverse, Reverse, Questionable},
}

// Categorise reads a pair of answers, each 1 to 5.
func Categorise(with, without int) Category { return kanoTable[with-1][without-1] }

// Coefficients say how much satisfaction a feature adds where it is there (0 to 1) and takes away where it is not (−1 to 0):
// (A + O) ÷ (A + O + M + I) and −(O + M) ÷ (A + O + M + I), after Berger et al. (1993). ok is false where nobody answered so.
func Coefficients(n map[Category]int) (better, worse float64, ok bool) {
	a, o, m, i := n[Attractive], n[OneDimensional], n[MustBe], n[Indifferent]
	all := float64(a + o + m + i)
	if all == 0 {
		return 0, 0, false
	}
	return float64(a+o) / all, -float64(o+m) / all, true
}

// Item is the mean of an item of the customer satisfaction index with its weight.
type Item struct{ Mean, Weight float64 }

// Index is the customer satisfaction index, 0 to 100: Σ w·(mean − 1) ÷ 9 · 100 with the weights brought to a sum of 1 (the
// American Customer Satisfaction Index, methodology report, University of Michigan). The weights of that index come from a
// model of a whole industry; here they are the survey's. items must not be empty.
func Index(items []Item) float64 {
	var sum, weights float64
	for _, i := range items {
		sum += i.Weight * (i.Mean - 1)
		weights += i.Weight
	}
	return sum / weights / 9 * 100
}

// Attribute is how far a product is from the ideal in one respect.
type Attribute struct {
	Weight float64
	Gap    float64 // |ideal − perceived|, or its mean over those who answered
}

// Distance is Σ w·|ideal − perceived|: 0 is the ideal product. As a mean over people it is the sum of the weighted mean gaps.
func Distance(all []Attribute) (sum float64) {
	for _, a := range all {
		sum += a.Weight * a.Gap
	}
	return sum
}

// mean of numbers that were given so often.
func mean(counts map[int]int) (m float64, n int) {
	sum := 0
	for number, times := range counts {
		sum += number * times
		n += times
	}
	if n == 0 {
		return 0, 0
	}
	return float64(sum) / float64(n), n
}

// pooled is the mean of means, each of as many answers: what a dimension of several questions comes to.
func pooled(means []float64) float64 {
	if len(means) == 0 {
		return 0
	}
	slices.Sort(means) // the same sum to the last bit, in whichever order they came
	sum := 0.0
	for _, m := range means {
		sum += m
	}
	return sum / float64(len(means))
}
