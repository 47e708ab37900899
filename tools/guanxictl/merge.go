package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func (t *tool) mergeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "merge",
		Short: "See who was merged with whom, who may be one customer, and decide on it",
		Long: `Two customers who are one are merged: the absorbed one's id means the survivor from then on. A merge can be undone for 90 days, also one
that nobody asked for (BY matching, WHY the name of the rule). Pairs who may be one wait for somebody's word.`,
	}
	c.AddCommand(t.mergeListCommand(), t.mergeMakeCommand(),
		t.mergeByIDCommand("show ID", "Show a merge", (*client.Client).GetMerge),
		t.mergeByIDCommand("undo ID", "Undo a merge: both are as they were, with what each got since", (*client.Client).UndoMerge),
		t.mergePairsCommand(),
		t.mergeByIDCommand("accept PAIR", "Say that the two of a pair are one, and merge them", (*client.Client).AcceptDuplicate),
		t.mergeDismissCommand())
	return c
}

func (t *tool) mergeListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list CUSTOMER", Short: "List a customer's merges, undone ones included, the latest first", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			all := []client.Merge{}
			if err := api.ListMerges(cmd.Context(), args[0], func(one client.Merge) error {
				all = append(all, one)
				return nil
			}); err != nil {
				return err
			}
			return t.print(cmd, all, func(p *table) {
				p.row("ID", "SURVIVOR", "ABSORBED", "MERGED", "BY", "WHY", "STANDS")
				for _, m := range all {
					p.row(m.MergeID, m.SurvivorID, m.AbsorbedID, moment(m.MergedAt), m.MergedBy, m.Reason, standing(m))
				}
			})
		},
	}
}

func (t *tool) mergeMakeCommand() *cobra.Command {
	var in client.NewMerge
	c := &cobra.Command{
		Use: "make SURVIVOR ABSORBED", Short: "Merge a customer into another, or see what would come of it", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			in.AbsorbedID = args[1]
			m, err := api.MergeCustomers(cmd.Context(), args[0], in)
			if err != nil {
				return err
			}
			return t.print(cmd, m, func(p *table) { drawMerge(p, m) })
		},
	}
	c.Flags().BoolVar(&in.DryRun, "dry-run", false, "only show the merged record, field by field")
	c.Flags().StringVar(&in.Rule, "rule", "", "from which of the two a field is taken: most_recent or oldest (default most_recent)")
	c.Flags().StringVar(&in.Reason, "reason", "duplicate", "code of why")
	return c
}

func (t *tool) mergeByIDCommand(use, short string, do func(*client.Client, context.Context, string) (client.Merge, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			m, err := do(api, cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.print(cmd, m, func(p *table) { drawMerge(p, m) })
		},
	}
}

func (t *tool) mergePairsCommand() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use: "pairs", Short: "List pairs of customers who may be one, the surest first", Args: cobra.NoArgs,
		Long: `Pairs lists customers who may be one. A pair whose rule is automatic is merged by itself within moments; LEFT BECAUSE says why one
waits for somebody all the same.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			all := []client.Duplicate{}
			if err := api.ListDuplicates(cmd.Context(), state, func(one client.Duplicate) error {
				all = append(all, one)
				return nil
			}); err != nil {
				return err
			}
			return t.print(cmd, all, func(p *table) { drawPairs(p, all) })
		},
	}
	c.Flags().StringVar(&state, "state", "open", "open, accepted or dismissed")
	return c
}

func (t *tool) mergeDismissCommand() *cobra.Command {
	return &cobra.Command{
		Use: "dismiss PAIR", Short: "Say that the two of a pair are not one: the pair does not come back", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			d, err := api.DismissDuplicate(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.print(cmd, d, func(p *table) { drawPairs(p, []client.Duplicate{d}) })
		},
	}
}

func drawMerge(p *table, m client.Merge) {
	if m.MergeID != "" {
		p.row("merge", m.MergeID)
	}
	p.row("survivor", m.SurvivorID)
	p.row("absorbed", m.AbsorbedID)
	if m.MergeID == "" {
		p.line("")
		p.row("FIELD", "WOULD BE", "OF", "BY THE RULE")
		for _, f := range m.Fields {
			value, of := f.Value, f.From
			if f.Withheld {
				value = "(withheld)"
			}
			if of == "" {
				of = "both"
			}
			p.row(f.Field, value, of, f.Rule)
		}
		return
	}
	p.row("merged", moment(m.MergedAt)+" by "+m.MergedBy+", "+m.Reason)
	p.row("stands", standing(m))
}

func drawPairs(p *table, all []client.Duplicate) {
	p.row("PAIR", "SCORE", "RULE", "RESULT", "LEFT BECAUSE", "STANDS", "CUSTOMER", "AND", "NAMES")
	for _, d := range all {
		left := d.LeftBecause
		if left == "" {
			left = "-"
		}
		stands := d.State
		if d.DecidedBy != "" {
			stands += " by " + d.DecidedBy
		}
		row := []any{d.DuplicateID, d.Score, d.Rule, d.Result, left, stands}
		names := ""
		for n, c := range d.Customers {
			row = append(row, c.CustomerID)
			if names += c.DisplayName; n == 0 {
				names += " / "
			}
		}
		p.row(append(row, names)...)
	}
}

// standing tells whether a merge holds.
func standing(m client.Merge) string {
	if m.UndoneAt != nil {
		return "undone " + moment(m.UndoneAt) + " by " + m.UndoneBy
	}
	return "can be undone until " + moment(m.UndoUntil)
}

func moment(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}
