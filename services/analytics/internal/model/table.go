package model

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Table is an uploaded table: texts in rows and named columns.
type Table struct {
	Columns []string
	Rows    [][]string // each as long as Columns
}

// ReadTable reads CSV with a header (RFC 4180, UTF-8, a byte order mark is passed over). What cannot be read is BadRequest
// csv_invalid with its line; more than a million rows are Unprocessable table_too_large.
func ReadTable(r io.Reader) (Table, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = false
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return Table{}, problem.New(problem.BadRequest, "body_missing", "The body is empty; send CSV that begins with the names of the columns.")
	}
	if err != nil {
		return Table{}, csvFault(err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	t := Table{Columns: header}
	if err := t.checkHeader(); err != nil {
		return Table{}, err
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return Table{}, csvFault(err)
		}
		for _, cell := range row {
			if !utf8.ValidString(cell) || strings.ContainsRune(cell, 0) {
				line, _ := in.FieldPos(0)
				return Table{}, problem.New(problem.BadRequest, "csv_invalid", "Line %d is not UTF-8, or holds U+0000.", line)
			}
		}
		if len(t.Rows) == maxRows {
			return Table{}, problem.New(problem.Unprocessable, "table_too_large", "The table has more than %d rows. Send fewer, such as a sample.", maxRows)
		}
		t.Rows = append(t.Rows, row)
	}
}

func (t Table) checkHeader() error {
	if len(t.Columns) > maxColumns {
		return problem.New(problem.Unprocessable, "table_too_wide", "The table has more than %d columns.", maxColumns)
	}
	seen := make(map[string]bool, len(t.Columns))
	for i, name := range t.Columns {
		switch {
		case name == "" || !utf8.ValidString(name) || strings.ContainsRune(name, 0):
			return problem.New(problem.Unprocessable, "columns_invalid", "Column %d has no name, or one that is not UTF-8. The first line names the columns.", i+1)
		case seen[name]:
			return problem.New(problem.Unprocessable, "columns_invalid", "Column %d has the name of another column.", i+1)
		}
		seen[name] = true
	}
	return nil
}

// csvFault says where CSV is broken, and repeats nothing of it.
func csvFault(err error) error {
	var p *problem.Error
	var parse *csv.ParseError
	switch {
	case errors.As(err, &p):
		return p // of the reader below: too large, or broken off
	case errors.As(err, &parse):
		return problem.New(problem.BadRequest, "csv_invalid", "Line %d is not CSV with as many fields as the header: %s.", parse.Line, parse.Err)
	default:
		return fmt.Errorf("reading CSV: %w", err)
	}
}

// Column gives the place of the column; Unprocessable columns_missing where it is not there, whatever its case.
func (t Table) Column(name string) (int, error) {
	for i, c := range t.Columns {
		if strings.EqualFold(strings.TrimSpace(c), name) {
			return i, nil
		}
	}
	return 0, problem.New(problem.Unprocessable, "columns_missing", "The table has no column %q.", name)
}

// Number reads the cell as a finite number; row counts from 0. Unprocessable rows_invalid says in which line it is none.
func (t Table) Number(row, column int) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(t.Rows[row][column]), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, RowFault(row, t.Columns[column], "is not a finite number")
	}
	return v, nil
}

// RowFault is the problem of one field of one row, counted from 0.
func RowFault(row int, field, fault string) *problem.Error {
	return problem.New(problem.Unprocessable, "rows_invalid", "Row %d (the first is 1) breaks a rule; errors says which. Mend it and send the table again.", row+1).
		WithField(fmt.Sprintf("body.rows[%d].%s", row, field), "invalid", fault)
}
