package churn

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"
)

// FieldKind is what a field of a model says of a row.
type FieldKind string

// Kinds of fields.
const (
	Number  FieldKind = "number"   // the column's value; the median where it is missing
	Missing FieldKind = "missing"  // 1 where the column is missing
	Word    FieldKind = "category" // 1 where the column is this category
)

// Field is one regressor: a column, or one category of it, brought to mean 0 and deviation 1 over the rows that were learnt from.
type Field struct {
	Column   string    `json:"column"`
	Kind     FieldKind `json:"kind"`
	Category string    `json:"category,omitempty"`
	Fill     float64   `json:"fill,omitempty"` // of numbers: stands where the value is missing
	Mean     float64   `json:"mean"`
	SD       float64   `json:"sd"` // of the population
}

// Treatment says what was made of a column.
type Treatment struct {
	Column     string   `json:"column"`
	Kind       string   `json:"kind"` // number, category, constant, duplicate
	Missing    int      `json:"missing"`
	Fill       float64  `json:"fill,omitempty"`
	Categories int      `json:"categories,omitempty"`
	Reference  string   `json:"reference,omitempty"` // the category that the others are compared with
	Folded     int      `json:"folded,omitempty"`    // categories that became Other
	SameAs     []string `json:"same_as,omitempty"`   // fields of other columns that say just the same, which stand for these
	Known      []string `json:"known,omitempty"`     // the categories that are told apart
}

// Encoding turns rows into regressors. It is learnt from some rows and holds for any.
type Encoding struct {
	Fields  []Field     `json:"fields"`
	Columns []Treatment `json:"columns"`
}

// missingCategory stands for nothing in a column of words.
const missingCategory = "(missing)"

// Learn finds the fields of a table from the rows: the fill-ins, the categories that are told apart, means and deviations. A field
// that never changes, or that says just the same as one before it, is left out.
func Learn(t *Table, rows []int) Encoding {
	var (
		e      Encoding
		twins  = twins{seed: maphash.MakeSeed(), seen: map[uint64]Field{}, buffer: make([]byte, 0, 8*len(rows))}
		values = make([]float64, len(rows))
	)
	for i := range t.Columns {
		c := &t.Columns[i]
		fields, how := c.fields(rows)
		said := how.said(c)
		kept := 0
		for _, f := range fields {
			for i, r := range rows {
				values[i] = f.raw(c, said, r)
			}
			if f.Mean, f.SD = stat.PopMeanStdDev(values, nil); f.SD <= 1e-12*(1+math.Abs(f.Mean)) {
				continue
			}
			if twin, ok := twins.find(values, f); ok {
				how.SameAs = append(how.SameAs, twin.name())
				continue
			}
			e.Fields = append(e.Fields, f)
			kept++
		}
		if kept == 0 {
			how.Kind = "constant"
			if len(how.SameAs) > 0 {
				how.Kind = "duplicate"
			}
		}
		e.Columns = append(e.Columns, how)
	}
	return e
}

// twins finds fields whose standardised values are the same, but for the sign.
type twins struct {
	seed   maphash.Seed
	seen   map[uint64]Field
	buffer []byte
}

func (t *twins) find(values []float64, f Field) (Field, bool) {
	var hash [2]uint64
	for i, sign := range []float64{1, -1} {
		t.buffer = t.buffer[:0]
		for _, v := range values {
			z := int64(math.Round(sign * (v - f.Mean) / f.SD * 1e9))
			t.buffer = binary.LittleEndian.AppendUint64(t.buffer, uint64(z))
		}
		hash[i] = maphash.Bytes(t.seed, t.buffer)
	}
	if twin, ok := t.seen[hash[0]]; ok {
		return twin, true
	}
	t.seen[hash[0]], t.seen[hash[1]] = f, f
	return Field{}, false
}

func (f Field) name() string {
	switch f.Kind {
	case Word:
		return f.Column + "=" + f.Category
	case Missing:
		return f.Column + "=" + missingCategory
	default:
		return f.Column
	}
}

// fields are the candidates of a column.
func (c *Column) fields(rows []int) ([]Field, Treatment) {
	how := Treatment{Column: c.Name, Kind: "number"}
	if c.Numeric {
		known := make([]float64, 0, len(rows))
		for _, r := range rows {
			if v := c.Numbers[r]; !math.IsNaN(v) {
				known = append(known, v)
			}
		}
		how.Missing = len(rows) - len(known)
		if len(known) > 0 {
			sort.Float64s(known)
			how.Fill = (known[(len(known)-1)/2] + known[len(known)/2]) / 2
		}
		fields := []Field{{Column: c.Name, Kind: Number, Fill: how.Fill}}
		if how.Missing > 0 {
			fields = append(fields, Field{Column: c.Name, Kind: Missing})
		}
		return fields, how
	}
	how.Kind = "category"
	count := make([]int, len(c.Categories))
	for _, r := range rows {
		if w := c.Words[r]; w >= 0 {
			count[w]++
		} else {
			how.Missing++
		}
	}
	// The most frequent one is what the others are compared with.
	order := make([]int, 0, len(count))
	for w, n := range count {
		if n > 0 {
			order = append(order, w)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return count[b] - count[a] })
	how.Categories = len(order)
	if len(order) > maxCategories {
		how.Folded = len(order) - (maxCategories - 1)
		order = order[:maxCategories-1]
	}
	var fields []Field
	for i, w := range order {
		how.Known = append(how.Known, c.Categories[w])
		if i == 0 {
			how.Reference = c.Categories[w]
			continue
		}
		fields = append(fields, Field{Column: c.Name, Kind: Word, Category: c.Categories[w]})
	}
	if how.Missing > 0 {
		fields = append(fields, Field{Column: c.Name, Kind: Missing})
	}
	if how.Folded > 0 {
		fields = append(fields, Field{Column: c.Name, Kind: Word, Category: Other})
	}
	return fields, how
}

// said gives each category of a column as the model knows it: itself, Other, or the reference where it was never seen.
func (how Treatment) said(c *Column) []string {
	said := make([]string, len(c.Categories))
	for i, word := range c.Categories {
		switch {
		case slices.Contains(how.Known, word):
			said[i] = word
		case how.Folded > 0:
			said[i] = Other
		default:
			said[i] = how.Reference
		}
	}
	return said
}

// raw is the field's value of a row before it is standardised; said are the column's categories as the model knows them.
func (f Field) raw(c *Column, said []string, row int) float64 {
	switch f.Kind {
	case Missing:
		if c.Numeric && math.IsNaN(c.Numbers[row]) || !c.Numeric && c.Words[row] < 0 {
			return 1
		}
	case Word:
		if w := c.Words[row]; w >= 0 && said[w] == f.Category {
			return 1
		}
	default:
		if v := c.Numbers[row]; !math.IsNaN(v) {
			return v
		}
		return f.Fill
	}
	return 0
}

// Apply gives the rows as regressors: row after row, each a 1 for the intercept and then the standardised fields.
func (e Encoding) Apply(t *Table, rows []int) []float64 {
	width := len(e.Fields) + 1
	x := make([]float64, len(rows)*width)
	for i := range rows {
		x[i*width] = 1
	}
	said := map[string][]string{}
	columns := map[string]*Column{}
	for i := range t.Columns {
		columns[t.Columns[i].Name] = &t.Columns[i]
	}
	for _, how := range e.Columns {
		if c := columns[how.Column]; c != nil {
			said[how.Column] = how.said(c)
		}
	}
	for j, f := range e.Fields {
		c := columns[f.Column]
		if c == nil {
			continue // never learnt of here: as usual as can be
		}
		for i, r := range rows {
			x[i*width+j+1] = (f.raw(c, said[f.Column], r) - f.Mean) / f.SD
		}
	}
	return x
}
