package churn

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// Bounds on what one fit takes.
const (
	// MaxRows is how many rows a table may have.
	MaxRows = 200_000
	// maxColumns is how many columns.
	maxColumns = 200
	// maxCategories is how many categories of a column are told apart; rarer ones are one, called Other.
	maxCategories = 50
	// tooManyCategories are more than a column of words can mean anything with.
	tooManyCategories = 1000
	// maxCell is the longest value, in bytes.
	maxCell = 1000
)

// Other is the category that stands for all those of a column that are too rare to be told apart.
const Other = "other"

// Table is rows with a yes or no to be explained.
type Table struct {
	IDs     []string // unique
	Columns []Column
	Target  []bool
}

// Column is one field of all rows: numbers or words.
type Column struct {
	Name    string
	Numeric bool
	Numbers []float64 // NaN: missing
	Shown   []float64 // as they are shown to people, where Numbers are on another scale
	Words   []int32   // index into Categories; -1: missing
	// Categories are the words in the order of how often they come, then of the alphabet.
	Categories []string
}

// Rows is how many rows the table has.
func (t *Table) Rows() int { return len(t.IDs) }

// Layout says what the columns of a file mean.
type Layout struct {
	Target   string
	Positive string // the value of the target that is to be explained; empty: the usual ones, such as yes and 1
	ID       string // empty: rows are numbered from 1
	Ignore   []string
	Words    []string // columns that are words although they look like numbers
}

// missing tells whether a cell says nothing.
func missing(cell string) bool {
	switch strings.ToLower(cell) {
	case "", "na", "n/a", "nan", "null":
		return true
	}
	return false
}

// positives are the values of a target that are taken as yes, in lower case.
var positives = []string{"yes", "true", "1", "y", "churned", "left", "lost"}

// Build takes a table of texts as rows to learn from: the columns that the layout names as target and id, and all others but those to
// be ignored as fields. A column whose values are all numbers is one of numbers. What cannot be used is a problem of the kind
// Unprocessable that names row and column.
func Build(columns []string, rows [][]string, l Layout) (*Table, error) {
	header := slices.Clone(columns)
	take, err := l.place(header)
	if err != nil {
		return nil, err
	}
	if len(rows) > MaxRows {
		return nil, problem.New(problem.Unprocessable, "table_too_large", "The table has more than %d rows. Draw a sample: no more are needed.", MaxRows)
	}
	cells := make([][]string, len(header))
	for i := range cells {
		cells[i] = make([]string, len(rows))
	}
	for r, row := range rows {
		if len(row) != len(header) {
			return nil, model.RowFault(r, "length", "must have as many values as there are columns")
		}
		for i, cell := range row {
			if cells[i][r] = strings.TrimSpace(cell); len(cell) > maxCell {
				return nil, model.RowFault(r, header[i], fmt.Sprintf("must be of at most %d bytes", maxCell))
			}
		}
	}
	return l.build(header, cells, take, len(rows))
}

// place finds out which columns are to be read as fields.
func (l Layout) place(header []string) (take []int, err error) {
	refused := func(param, code, message string) error {
		return problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.").WithField(param, code, message)
	}
	if len(header) > maxColumns {
		return nil, problem.New(problem.Unprocessable, "table_too_wide", "The table has more than %d columns.", maxColumns)
	}
	seen := map[string]bool{}
	for i, name := range header {
		if header[i] = strings.TrimSpace(name); header[i] == "" || seen[header[i]] || !utf8.ValidString(name) || strings.ContainsRune(name, 0) || len(name) > 100 {
			return nil, refused(fmt.Sprintf("columns[%d]", i), "column_invalid", "must be a name of at most 100 bytes that no other column has")
		}
		seen[header[i]] = true
	}
	for _, p := range []struct {
		param string
		names []string
	}{{"target", []string{l.Target}}, {"id", []string{l.ID}}, {"ignore", l.Ignore}, {"words", l.Words}} {
		for _, name := range p.names {
			if (name != "" || p.param == "target") && !seen[name] {
				return nil, refused(p.param, "column_unknown", "is not a column of the table")
			}
		}
	}
	if l.ID == l.Target {
		return nil, refused("id", "column_twice", "must not be the target")
	}
	for i, name := range header {
		if name != l.Target && name != l.ID && !slices.Contains(l.Ignore, name) {
			take = append(take, i)
		}
	}
	if len(take) == 0 {
		return nil, model.NotEnough("The table has no column that could explain the target.")
	}
	return take, nil
}

func (l Layout) build(header []string, cells [][]string, take []int, rows int) (*Table, error) {
	if rows == 0 {
		return nil, model.NotEnough("The table has no rows.")
	}
	t := &Table{IDs: make([]string, rows)}
	for i := range t.IDs {
		t.IDs[i] = strconv.Itoa(i + 1)
	}
	if l.ID != "" {
		t.IDs = cells[slices.Index(header, l.ID)]
		seen := make(map[string]bool, rows)
		for i, id := range t.IDs {
			if id == "" || seen[id] {
				return nil, model.RowFault(i, l.ID, "must name the row, and no other one")
			}
			seen[id] = true
		}
	}
	var err error
	if t.Target, err = l.readTarget(cells[slices.Index(header, l.Target)]); err != nil {
		return nil, err
	}
	for _, i := range take {
		c, err := readColumn(header[i], cells[i], slices.Contains(l.Words, header[i]))
		if err != nil {
			return nil, err
		}
		t.Columns = append(t.Columns, c)
	}
	return t, nil
}

// readTarget reads a column of two values.
func (l Layout) readTarget(cells []string) ([]bool, error) {
	values := map[string]bool{}
	for i, cell := range cells {
		if missing(cell) {
			return nil, problem.New(problem.Unprocessable, "target_missing", "Each row needs its target. Fill it in or leave the row out.").
				WithField(fmt.Sprintf("body.rows[%d].%s", i, l.Target), "target_missing", "is missing")
		}
		if values[cell] = true; len(values) > 2 {
			return nil, problem.New(problem.Unprocessable, "target_not_binary", "The target must have two values, such as Yes and No; this one has more.")
		}
	}
	if len(values) == 1 {
		return nil, problem.New(problem.Unprocessable, "target_one_class", "All rows have the same target: there is nothing to tell apart.")
	}
	yes := l.Positive
	if yes != "" && !values[yes] {
		return nil, problem.New(problem.Unprocessable, "target_positive_unknown", "No row has the target that positive names.").
			WithField("positive", "value_unknown", "is not a value of the target")
	}
	if yes == "" {
		for value := range values {
			if !slices.Contains(positives, strings.ToLower(value)) {
				continue
			}
			if yes != "" {
				yes = ""
				break
			}
			yes = value
		}
	}
	if yes == "" {
		return nil, problem.New(problem.Unprocessable, "target_positive_unknown", "Say by positive which of the two values of the target is to be explained.")
	}
	target := make([]bool, len(cells))
	for i, cell := range cells {
		target[i] = cell == yes
	}
	return target, nil
}

// readColumn takes a column as numbers where all that is not missing are; where nearly all are, the others are held to be mistakes.
func readColumn(name string, cells []string, words bool) (Column, error) {
	c := Column{Name: name, Numbers: make([]float64, len(cells))}
	known, numbers, odd := 0, 0, -1
	for i, cell := range cells {
		c.Numbers[i] = math.NaN()
		if missing(cell) {
			continue
		}
		known++
		if v, err := strconv.ParseFloat(cell, 64); err == nil && !math.IsInf(v, 0) && math.Abs(v) <= 1e100 {
			c.Numbers[i] = v
			numbers++
		} else if odd < 0 {
			odd = i
		}
	}
	switch {
	case !words && known > 0 && numbers == known:
		c.Numeric = true
		return c, nil
	case !words && numbers*10 >= known*9 && known >= 10:
		return c, model.RowFault(odd, name, "is not a finite number, as nearly all of the column are; mend it, or say by words that the column is words")
	}
	c.Numbers = nil
	return c.sorted(cells)
}

// sorted gives a column of words its categories, where there are not too many.
func (c Column) sorted(cells []string) (Column, error) {
	c.sort(cells)
	if len(c.Categories) > tooManyCategories {
		return c, problem.New(problem.Unprocessable, "column_too_many_categories",
			"A column of words has more than %d different ones, as names and ids do: nothing can be learnt from it. Leave it out by ignore.", tooManyCategories).
			WithField("columns."+c.Name, "too_many_categories", fmt.Sprintf("has %d different values", len(c.Categories)))
	}
	return c, nil
}

// sort makes the cells the column's words.
func (c *Column) sort(cells []string) {
	count := map[string]int{}
	for _, cell := range cells {
		if !missing(cell) {
			count[cell]++
		}
	}
	for word := range count {
		c.Categories = append(c.Categories, word)
	}
	slices.SortFunc(c.Categories, func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	index := make(map[string]int32, len(c.Categories))
	for i, word := range c.Categories {
		index[word] = int32(i)
	}
	c.Words = make([]int32, len(cells))
	for i, cell := range cells {
		c.Words[i] = -1
		if !missing(cell) {
			c.Words[i] = index[cell]
		}
	}
}

// Missing counts the rows in which the column says nothing.
func (c Column) Missing() (n int) {
	for _, v := range c.Numbers {
		if math.IsNaN(v) {
			n++
		}
	}
	for _, w := range c.Words {
		if w < 0 {
			n++
		}
	}
	return n
}
