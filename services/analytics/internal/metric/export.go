package metric

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/guanxi-crm/guanxi/platform/imports"
)

const (
	mediaCSV     = "text/csv"
	mediaParquet = "application/vnd.apache.parquet"
)

var currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)

// column is one of a file.
type exportColumn struct {
	name string
	unit string // of a number; empty of a text
	text func(r Row) *string
	of   func(r Row) *float64
}

// exportColumns are the period, the dimensions, then of each metric its value and what it rests on.
func exportColumns(a Answer) (columns []exportColumn) {
	if a.Grain != Whole {
		columns = append(columns, exportColumn{name: "period", text: func(r Row) *string {
			day := r.Start.Format(time.DateOnly)
			return &day
		}})
	}
	for i, d := range a.By {
		columns = append(columns, exportColumn{name: d, text: func(r Row) *string { return r.By[i] }})
	}
	for i, m := range a.Metrics {
		add := func(suffix, unit string, of func(v Value) *float64) {
			columns = append(columns, exportColumn{name: m.Code + suffix, unit: unit, of: func(r Row) *float64 { return of(r.Values[i]) }})
		}
		unit := string(m.Unit)
		if m.Unit == Money && a.Currency != "" {
			unit = "minor units of " + a.Currency
		}
		add("", unit, func(v Value) *float64 { return v.Value })
		if m.BuiltIn && (m.how == share || m.how == ratio || m.how == net) {
			add("_sample", string(Number), func(v Value) *float64 { return v.Sample })
		}
		if m.BuiltIn && (m.how == share || m.how == net) {
			add("_low", unit, func(v Value) *float64 { return v.Low })
			add("_high", unit, func(v Value) *float64 { return v.High })
		}
		if a.Previous {
			add("_previous", unit, func(v Value) *float64 { return v.Previous })
		}
	}
	return columns
}

// WriteCSV writes an answer as CSV (RFC 4180), a header first. What is not known is empty.
func WriteCSV(w io.Writer, a Answer) error {
	columns := exportColumns(a)
	out := csv.NewWriter(w)
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = c.name
	}
	if err := out.Write(cells); err != nil {
		return err
	}
	for _, r := range a.Rows {
		for i, c := range columns {
			cells[i] = ""
			if c.text != nil {
				if s := c.text(r); s != nil {
					cells[i] = imports.Mark(*s) // no spreadsheet takes it for a formula
				}
			} else if f := c.of(r); f != nil {
				cells[i] = strconv.FormatFloat(*f, 'f', -1, 64)
			}
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// parquetRows is how many rows are held before they are written.
const parquetRows = 10_000

// WriteParquet writes an answer as Parquet: texts as optional strings, numbers as optional doubles. Units, the currency, the time
// and as of stand in the file's key-value metadata: unit.<column>, from, to, as_of.
func WriteParquet(w io.Writer, a Answer) error {
	columns := exportColumns(a)
	group := parquet.Group{}
	byName := map[string]exportColumn{}
	options := []parquet.WriterOption{parquet.MaxRowsPerRowGroup(parquetRows), parquet.CreatedBy("guanxi", "1", "")}
	for _, c := range columns {
		byName[c.name] = c
		if c.text != nil {
			group[c.name] = parquet.Optional(parquet.String())
			continue
		}
		group[c.name] = parquet.Optional(parquet.Leaf(parquet.DoubleType))
		options = append(options, parquet.KeyValueMetadata("unit."+c.name, c.unit))
	}
	if !a.Span.From.IsZero() {
		options = append(options, parquet.KeyValueMetadata("from", a.Span.From.Format(time.DateOnly)), parquet.KeyValueMetadata("to", a.Span.To.Format(time.DateOnly)))
	}
	if !a.AsOf.IsZero() {
		options = append(options, parquet.KeyValueMetadata("as_of", a.AsOf.Format(time.RFC3339Nano)))
	}
	schema := parquet.NewSchema("metrics", group)
	out := parquet.NewWriter(w, append(options, schema)...)
	// A group's columns stand in the order of their names.
	ordered := make([]exportColumn, 0, len(columns))
	for _, path := range schema.Columns() {
		ordered = append(ordered, byName[path[0]])
	}
	for _, r := range a.Rows {
		row := make(parquet.Row, len(ordered))
		for i, c := range ordered {
			row[i] = parquet.NullValue().Level(0, 0, i)
			if c.text != nil {
				if s := c.text(r); s != nil {
					row[i] = parquet.ByteArrayValue([]byte(*s)).Level(0, 1, i)
				}
			} else if f := c.of(r); f != nil {
				row[i] = parquet.DoubleValue(*f).Level(0, 1, i)
			}
		}
		if _, err := out.WriteRows([]parquet.Row{row}); err != nil {
			return fmt.Errorf("writing a row of metrics: %w", err)
		}
	}
	return out.Close()
}
