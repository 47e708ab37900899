package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// print writes value as JSON or what human draws as a table, as --output says.
func (t *tool) print(cmd *cobra.Command, value any, human func(*table)) error {
	if t.output == "json" {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(value)
	}
	p := newTable(cmd.OutOrStdout())
	human(p)
	return p.close()
}

// table writes aligned columns, two spaces apart.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer) *table { return &table{tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)} }

// row writes one row. Tabs and line ends within a cell would break the table and become spaces.
func (p *table) row(cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(fmt.Sprint(c))
	}
	_, _ = fmt.Fprintln(p.w, strings.Join(text, "\t")) // a failed write shows on close
}

// line writes text across the columns.
func (p *table) line(text string) { _, _ = fmt.Fprintln(p.w, text) }

func (p *table) close() error { return p.w.Flush() }
