package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// shownRejections bounds what the table shows; -o json has all.
const shownRejections = 50

type importFlags struct {
	mapping          []string
	format, policy   string
	header, noHeader bool
	dryRun, wait     bool
}

func (t *tool) importCommand() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import customers|orders|leads FILE",
		Short: "Import a file of customers, orders or leads (- reads standard input)",
		Long: `Import streams the file to the platform, which works through it as a workflow: it may be killed anywhere, and
no row is lost or taken twice. Rows with a fault are reported by row, column and reason; the good rows go in.

A mapping says what each target column is filled from: target=source, where source is the name of a column of the
header, a column's number (#3), a constant ('text') or $line, the number of the line in the file.`,
		Example: `  guanxictl --tenant music import customers CDNOW_master.txt --format whitespace --map external:cdnow=#1
  guanxictl --tenant pizza import orders orders.csv --map external_id=no --map placed_at=date ...`,
		Args:      cobra.ExactArgs(2),
		ValidArgs: importKinds(),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := f.request(args[0], args[1])
			if err != nil {
				return err
			}
			return t.runImport(cmd, request, args[1], f.wait)
		},
	}
	c.Flags().StringArrayVarP(&f.mapping, "map", "m", nil, "target=source, once for each target")
	c.Flags().StringVar(&f.format, "format", "", "csv, jsonl or whitespace (default: by the file's name)")
	c.Flags().BoolVar(&f.header, "header", false, "the first line names the columns (default but for jsonl)")
	c.Flags().BoolVar(&f.noHeader, "no-header", false, "the first line is data")
	c.Flags().StringVar(&f.policy, "policy", "skip", "what to do with a row that is there already: skip, update, or (customers) create")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what would be rejected")
	c.Flags().BoolVar(&f.wait, "wait", true, "wait until the import has finished")
	c.MarkFlagsMutuallyExclusive("header", "no-header")
	return c
}

// importKinds are what files can be of.
func importKinds() []string { return []string{"customers", "orders", "leads"} }

// request checks the flags. The body is opened later.
func (f importFlags) request(kind, file string) (client.ImportRequest, error) {
	r := client.ImportRequest{Kind: kind, Format: f.format, Mapping: f.mapping, Policy: f.policy, DryRun: f.dryRun}
	if !slices.Contains(importKinds(), kind) {
		return r, fmt.Errorf("import takes customers, orders or leads, not %q", kind)
	}
	if r.Format == "" {
		r.Format = formatOf(file)
	}
	switch r.Format {
	case "csv", "jsonl", "whitespace":
	default:
		return r, fmt.Errorf("--format is csv, jsonl or whitespace, not %q", r.Format)
	}
	if r.Policy != "skip" && r.Policy != "update" && (r.Policy != "create" || r.Kind != "customers") {
		return r, fmt.Errorf("--policy is skip or update, or create for customers, not %q", r.Policy)
	}
	r.Header = f.header || !f.noHeader && r.Format != "jsonl"
	if f.header && r.Format == "jsonl" {
		return r, errors.New("--header: JSON Lines has none, every line names its columns")
	}
	seen := make(map[string]bool)
	for _, m := range f.mapping {
		target, source, ok := strings.Cut(m, "=")
		if !ok || target == "" || source == "" {
			return r, fmt.Errorf("--map %q is not target=source", m)
		}
		if seen[target] {
			return r, fmt.Errorf("--map fills %q twice", target)
		}
		seen[target] = true
	}
	return r, nil
}

func formatOf(file string) string {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".jsonl", ".ndjson", ".json":
		return "jsonl"
	case ".txt", ".dat":
		return "whitespace"
	default:
		return "csv"
	}
}

func (t *tool) runImport(cmd *cobra.Command, request client.ImportRequest, file string, wait bool) error {
	api, err := t.client()
	if err != nil {
		return err
	}
	body, err := open(cmd, file)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	ctx := cmd.Context()
	request.Body = &countingReader{Reader: body, each: 16 << 20, tell: func(n int64) {
		cmd.PrintErrf("uploaded %d MiB\n", n>>20)
	}}
	job, err := api.StartImport(ctx, request)
	if err != nil {
		return err
	}
	cmd.PrintErrf("import %s is %s\n", job.ID, job.State)
	if !wait {
		return t.print(cmd, job, func(p *table) { drawImport(p, job) })
	}
	last := int64(-1)
	job, err = api.WaitImport(ctx, request.Kind, job.ID, func(now client.Import) {
		if now.Rows != last {
			last = now.Rows
			cmd.PrintErrf("%3.0f%%  %d rows, %d accepted, %d rejected\n", 100*now.Progress, now.Rows, now.Accepted, now.Rejected)
		}
	})
	if err != nil {
		return err
	}
	return t.showImport(ctx, cmd, api, request.Kind, job)
}

func (t *tool) showImport(ctx context.Context, cmd *cobra.Command, api *client.Client, kind string, job client.Import) error {
	rejections := []client.Rejection{}
	if job.Rejected > 0 {
		err := api.Rejections(ctx, kind, job.ID, func(r client.Rejection) error {
			rejections = append(rejections, r)
			if t.output == "table" && len(rejections) == shownRejections {
				return client.ErrStop
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	answer := struct {
		client.Import
		Rejections []client.Rejection `json:"rejections"`
	}{job, rejections}
	err := t.print(cmd, answer, func(p *table) {
		drawImport(p, job)
		drawRejections(p, job, rejections)
	})
	if err == nil && job.Failed() {
		return fmt.Errorf("import %s is %s: %s", job.ID, job.State, job.Failure)
	}
	return err
}

func drawImport(p *table, job client.Import) {
	p.row("IMPORT", "STATE", "ROWS", "ACCEPTED", "REJECTED")
	p.row(job.ID, job.State, job.Rows, job.Accepted, job.Rejected)
}

func drawRejections(p *table, job client.Import, rejections []client.Rejection) {
	if len(rejections) == 0 {
		return
	}
	p.line("")
	p.row("LINE", "ROW", "COLUMN", "CODE", "REASON")
	for _, r := range rejections {
		p.row(r.Line, r.Row, r.Column, r.Code, r.Reason)
	}
	if rest := job.Rejected - int64(len(rejections)); rest > 0 {
		p.line(fmt.Sprintf("... and more: %d rows were rejected in all; -o json lists every one", job.Rejected))
	}
}

func open(cmd *cobra.Command, file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	return os.Open(file)
}

// countingReader tells how far it is, every so many bytes.
type countingReader struct {
	io.Reader
	each, read, told int64
	tell             func(int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += int64(n)
	if c.read-c.told >= c.each {
		c.told = c.read
		c.tell(c.read)
	}
	return n, err
}
