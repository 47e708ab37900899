package imports

import (
	"fmt"
	"slices"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Bounds of a batch that goes on to the end of rows that belong together.
const (
	mostTogether      = 20 * batchRows
	mostTogetherBytes = 4 * batchBytes
)

// CodeIncomplete is the code of the rejection of rows that could be taken themselves, beside one that could not.
const CodeIncomplete = "together_incomplete"

// Incomplete is the rejection of a row that belongs together with one that cannot be taken.
func Incomplete(line int64, column string, faulty int64) Rejection {
	return Rejection{Line: line, Column: column, Code: CodeIncomplete,
		Reason: fmt.Sprintf("belongs together with line %d, which cannot be taken: mend that, and bring all of them in again", faulty)}
}

// together gives the place of the column by which rows of the columns belong together, and its name; -1 where each is for itself.
func (k Kind) together(columns []string) (place int, name string) {
	if k.Together == nil {
		return -1, ""
	}
	if name = k.Together(columns); name == "" {
		return -1, ""
	}
	return slices.Index(columns, name), name
}

// run is rows of a batch that belong together, as they are read.
type run struct {
	column string
	key    string // their value of the column; empty: none was read yet
	first  int    // place of the first of them in the batch
	faulty int64  // line of one that cannot be taken; 0: there is none
	lost   int64  // line of a record behind them of which nobody knows whether it is one of them or of the next; 0: there is none
}

// over tells whether a record of the key is none of the run.
func (u *run) over(key string) bool { return key != "" && key != u.key && u.lost == 0 }

// add takes a record in before it is a row of the batch. The empty key is of a record that cannot be read so far: both the rows
// before it and those behind it may lack it.
func (u *run) add(b *batch, key string, line int64, faulty bool) {
	if key == "" {
		u.faulty, u.lost = line, line
		return
	}
	if key != u.key {
		u.end(b)
		*u = run{column: u.column, key: key, first: len(b.rows), faulty: u.lost}
	}
	if u.lost = 0; faulty {
		u.faulty = line
	}
}

// end takes the rows out of the batch if one of them cannot be taken.
func (u *run) end(b *batch) {
	if u.faulty == 0 {
		return
	}
	for _, row := range b.rows[u.first:] {
		b.rejected = append(b.rejected, rejected{Rejection: Incomplete(row.Line, u.column, u.faulty), number: row.Number, raw: row.raw})
	}
	b.rows = b.rows[:u.first]
}

// keyOf gives the value by which a record belongs to others; empty where that cannot be told.
func (u *run) keyOf(values []string, place int, faults []fault) string {
	for _, f := range faults {
		if f.column == "" || f.column == u.column {
			return ""
		}
	}
	return values[place]
}

// bounded refuses rows without end that belong together.
func (b *batch) bounded(bytes int64) error {
	if b.count <= mostTogether && bytes <= mostTogetherBytes {
		return nil
	}
	return problem.New(problem.Unprocessable, "rows_together_too_many",
		"More than %d rows, or %d MiB, up to line %d belong together: is the right column mapped?", mostTogether, mostTogetherBytes>>20, b.line)
}

// half gives where to part rows so that what belongs together stays so; 0 where all of them do.
func half(rows []Row, place int) int {
	middle := len(rows) / 2
	if place < 0 {
		return middle
	}
	for off := range rows {
		for _, at := range []int{middle - off, middle + off} {
			if at > 0 && at < len(rows) && rows[at].values[place] != rows[at-1].values[place] {
				return at
			}
		}
	}
	return 0
}
