// Package kano says what attributes of an offer are to those who answered pairs of questions: how it is with it, and how without.
// N. Kano et al., Attractive quality and must-be quality (1984), in the form of C. Berger et al., Kano's methods for understanding
// customer-defined quality, CQM Journal 2/4 (1993).
package kano

import (
	"math"
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

// Category is what an attribute is to somebody.
type Category string

// The categories, in the order in which the first of several that are as frequent is taken.
const (
	MustBe         Category = "M"
	OneDimensional Category = "O"
	Attractive     Category = "A"
	Indifferent    Category = "I"
	Reverse        Category = "R"
	Questionable   Category = "Q"
)

// Categories lists them in that order.
func Categories() []Category {
	return []Category{MustBe, OneDimensional, Attractive, Indifferent, Reverse, Questionable}
}

// Answer is 1 (like), 2 (must), 3 (neutral), 4 (live with) or 5 (dislike).
type Answer int

// words name the answers, from 1.
var words = [...]string{1: "like", "must", "neutral", "live_with", "dislike"}

// ReadAnswer reads an answer by its number or its word; ok is false where it is neither.
func ReadAnswer(v any) (a Answer, ok bool) {
	switch v := v.(type) {
	case float64:
		return Answer(v), v == math.Trunc(v) && v >= 1 && v <= 5
	case string:
		n := slices.Index(words[:], strings.ReplaceAll(strings.ReplaceAll(v, " ", "_"), "-", "_"))
		return Answer(n), n > 0
	default:
		return 0, false
	}
}

// table has a row for each answer to "with it", a column for each to "without it".
var table = [5][5]Category{
	{Questionable, Attractive, Attractive, Attractive, OneDimensional},
	{Reverse, Indifferent, Indifferent, Indifferent, MustBe},
	{Reverse, Indifferent, Indifferent, Indifferent, MustBe},
	{Reverse, Indifferent, Indifferent, Indifferent, MustBe},
	{Reverse, Reverse, Reverse, Reverse, Questionable},
}

// Categorise reads a pair of answers, each 1 to 5.
func Categorise(functional, dysfunctional Answer) Category {
	return table[functional-1][dysfunctional-1]
}

// The bounds after M. C. Lee, J. F. Newcomb, Applying the Kano methodology to meet customer requirements: NASA's microgravity
// science program, Quality Management Journal 4/3 (1997) 95–110: a category is clear where it leads by at least six points, and
// an attribute matters where at least 60 of 100 hold it to be M, O or A.
const (
	clearLead    = 0.06
	clearConcern = 0.60
)

// Finding is what an attribute is to those who answered.
type Finding struct {
	Attribute string
	N         int
	Counts    map[Category]int
	Category  Category // the most frequent; of several the first of M, O, A, I, R, Q
	// Strength is the lead of the category over the next one, total the share of M, O and A (Lee, Newcomb).
	Strength, Total float64
	Clear, Concerns bool // Strength and Total reach the bounds of Lee and Newcomb
	// Significant: the two most frequent categories differ by more than chance would have it at 90 % confidence, after D. Fong,
	// Using the self-stated importance questionnaire to interpret Kano questionnaire results, CQM Journal 5 (1996) 21–24:
	// |a − b| >= 1.65·√((a + b)(2N − a − b)/(2N)).
	Significant   bool
	Better, Worse *rating.Interval // nil where nobody answered A, O, M or I
}

// Find tells what an attribute is by how often each category was answered; at least one was.
func Find(attribute string, counts map[Category]int) Finding {
	f := Finding{Attribute: attribute, Counts: counts}
	order := Categories()
	for _, c := range order {
		f.N += counts[c]
	}
	slices.SortStableFunc(order, func(a, b Category) int { return counts[b] - counts[a] })
	f.Category = order[0]
	first, second, n := float64(counts[order[0]]), float64(counts[order[1]]), float64(f.N)
	f.Strength = (first - second) / n
	f.Significant = first-second >= 1.65*math.Sqrt((first+second)*(2*n-first-second)/(2*n))
	a, o, m, i := counts[Attractive], counts[OneDimensional], counts[MustBe], counts[Indifferent]
	f.Total = float64(a+o+m) / n
	f.Clear, f.Concerns = f.Strength >= clearLead, f.Total >= clearConcern
	if all := a + o + m + i; all > 0 {
		better, worse := proportion.Wilson(a+o, all), proportion.Wilson(o+m, all)
		f.Better = &rating.Interval{Value: better.Value, Low: better.Low, High: better.High}
		f.Worse = &rating.Interval{Value: -worse.Value, Low: -worse.High, High: -worse.Low}
	}
	return f
}
