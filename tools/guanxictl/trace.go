package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func (t *tool) traceCommand() *cobra.Command {
	var from string
	c := &cobra.Command{
		Use:   "trace ID",
		Short: "Show the tree of a trace from the development stack, which keeps the last hour",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			trace, err := client.GetTrace(cmd.Context(), from, args[0])
			if err != nil {
				return err
			}
			return t.print(cmd, trace, func(p *table) { drawTrace(p, trace) })
		},
	}
	c.Flags().StringVar(&from, "traces", devTraces, "URL of the development stack's trace store")
	return c
}

func drawTrace(p *table, trace client.Trace) {
	roots := trace.Tree()
	if len(roots) == 0 {
		return
	}
	began := roots[0].Start
	p.row("START", "TOOK", "SERVICE", "KIND", "SPAN")
	var draw func(node client.TraceNode, depth int)
	draw = func(node client.TraceNode, depth int) {
		name := strings.Repeat("  ", depth) + node.Name
		if node.Linked {
			name += " (linked, of trace " + node.TraceID + ")"
		}
		if node.Error != "" {
			name += " FAILED: " + node.Error
		}
		p.row("+"+milliseconds(node.Start.Sub(began)), milliseconds(node.Duration), node.Service, node.Kind, name)
		for _, child := range node.Children {
			draw(child, depth+1)
		}
	}
	for _, root := range roots {
		draw(root, 0)
	}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
}
