package imports

import (
	"maps"
	"slices"
)

// Row is one record of the file, as the mapping reads it. It is valid until Apply returns.
type Row struct {
	// Line is the physical line in the file on which the record begins, 1-based.
	Line int64
	// Number counts the data rows, 1-based; blank lines and the header do not count.
	Number int64
	// Prepared is what the kind's Prepare made of the row; nil where the kind has none.
	Prepared any

	schema *schema
	values []string // parallel to schema.columns
	more   map[string]string
	raw    string
}

// schema names the values of rows.
type schema struct {
	columns []string
	index   map[string]int
}

// Get gives the value of a column, trimmed of space around it; empty where the column is not mapped or has no value.
func (r Row) Get(column string) string {
	if i, ok := r.schema.index[column]; ok {
		return r.values[i]
	}
	return r.more[column]
}

// More names the columns with a prefix, such as external:shop, that this row has besides those of the job: JSON Lines
// without a mapping may have others in each line.
func (r Row) More() []string { return slices.Sorted(maps.Keys(r.more)) }

// NewRow makes a row of columns and their values, for the tests of kinds.
func NewRow(line int64, columns, values []string) Row {
	return Row{Line: line, Number: line, schema: plan{Entries: entriesOf(columns)}.schema(), values: values}
}

func entriesOf(columns []string) []entry {
	entries := make([]entry, len(columns))
	for n, c := range columns {
		entries[n].Target = c
	}
	return entries
}
