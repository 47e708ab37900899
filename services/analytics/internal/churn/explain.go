package churn

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxReasons is how many reasons a prediction comes with.
const maxReasons = 5

// Reason is what a column of a row adds to the logarithm of its odds, against a row that is average in it.
type Reason struct {
	Code      string  `json:"code"`
	Column    string  `json:"column"`
	Value     string  `json:"value"`     // empty: missing
	Direction string  `json:"direction"` // raises or lowers
	Weight    float64 `json:"weight"`
}

// Directions of a reason.
const (
	Raises = "raises"
	Lowers = "lowers"
)

// Prediction is a row's risk and what speaks for and against it, the strongest first.
type Prediction struct {
	ID      string   `json:"id"`
	Risk    float64  `json:"risk"`
	Reasons []Reason `json:"reasons"`
}

// Permille is the risk in thousandths, halves away from zero.
func (p Prediction) Permille() int { return int(math.Round(p.Risk * 1000)) }

// Codes are the codes of what raises the risk, the strongest first.
func (p Prediction) Codes() []string {
	codes := []string{}
	for _, r := range p.Reasons {
		if r.Direction == Raises && !slices.Contains(codes, r.Code) {
			codes = append(codes, r.Code)
		}
	}
	return codes
}

// Code makes a code of a column's name: small letters, digits and underscores. Of a name in another script it is column.
func Code(column string) string {
	var b strings.Builder
	was := rune('_')
	for _, r := range column {
		upper := r >= 'A' && r <= 'Z'
		if upper {
			if was >= 'a' && was <= 'z' {
				b.WriteByte('_')
			}
			was, r = r, r+'a'-'A'
		} else {
			was = r
		}
		if r < 'a' || r > 'z' {
			if r < '0' || r > '9' {
				r = '_'
			}
		}
		b.WriteRune(r)
	}
	code := strings.Trim(b.String(), "_")
	for strings.Contains(code, "__") {
		code = strings.ReplaceAll(code, "__", "_")
	}
	switch {
	case code == "":
		return "column"
	case code[0] >= '0' && code[0] <= '9':
		return "column_" + code
	}
	return code
}

// Predict gives the risks of rows, each with its reasons.
func (m *Trained) Predict(t *Table, rows []int) []Prediction {
	x, width := m.Encoding.Apply(t, rows), len(m.Encoding.Fields)+1
	columns := make([]*Column, len(m.Encoding.Columns))
	place := map[string]int{}
	for i, how := range m.Encoding.Columns {
		place[how.Column] = i
		for j := range t.Columns {
			if t.Columns[j].Name == how.Column {
				columns[i] = &t.Columns[j]
			}
		}
	}
	all := make([]Prediction, len(rows))
	weights := make([]float64, len(columns))
	for i, row := range rows {
		clear(weights)
		score := m.Fit.Beta[0]
		for j, f := range m.Encoding.Fields {
			w := m.Fit.Beta[j+1] * x[i*width+j+1]
			score += w
			weights[place[f.Column]] += w
		}
		p := Prediction{ID: t.IDs[row], Risk: Sigmoid(score)}
		for c, w := range weights {
			if math.Abs(w) < 0.005 || columns[c] == nil {
				continue // too little to be named
			}
			r := Reason{Code: Code(columns[c].Name), Column: columns[c].Name, Value: columns[c].text(row), Direction: Raises, Weight: w}
			if w < 0 {
				r.Direction = Lowers
			}
			p.Reasons = append(p.Reasons, r)
		}
		slices.SortStableFunc(p.Reasons, func(a, b Reason) int { return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)) })
		p.Reasons = slices.Clone(p.Reasons[:min(maxReasons, len(p.Reasons))])
		all[i] = p
	}
	return all
}

// text is what the column says of a row; empty: nothing.
func (c *Column) text(row int) string {
	switch {
	case !c.Numeric && c.Words[row] >= 0:
		return c.Categories[c.Words[row]]
	case len(c.Shown) > 0 && !math.IsNaN(c.Shown[row]):
		return strconv.FormatFloat(c.Shown[row], 'f', -1, 64)
	case c.Numeric && !math.IsNaN(c.Numbers[row]):
		return strconv.FormatFloat(c.Numbers[row], 'g', 6, 64)
	}
	return ""
}

// Words says a reason as a sentence.
func (r Reason) Words() string {
	what := strings.ReplaceAll(r.Column, "_", " ")
	if r.Value == "" {
		return fmt.Sprintf("%s is not known, which %s the risk", what, r.Direction)
	}
	return fmt.Sprintf("%s is %s, which %s the risk", what, r.Value, r.Direction)
}
