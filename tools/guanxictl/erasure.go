package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func (t *tool) erasureCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "erasure",
		Short: "Erase customers, and see what keeps them from being erased",
		Long: `An erasure is requested, held while something keeps the customer from being erased, erasing, and erased when every service has
reported twice that nothing is left. Until it is erasing it can be cancelled.`,
	}
	c.AddCommand(t.erasureListCommand(), t.erasureRequestCommand(),
		t.erasureByIDCommand("show ID", "Show where an erasure stands, and what each service did", (*client.Client).GetErasure),
		t.erasureByIDCommand("recheck ID", "Look now whether something still holds", (*client.Client).RecheckErasure),
		t.erasureByIDCommand("cancel ID", "Cancel an erasure that has not begun", (*client.Client).CancelErasure))
	return c
}

func (t *tool) erasureListCommand() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use: "list", Short: "List erasures, the latest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			all := []client.Erasure{}
			if err := api.ListErasures(cmd.Context(), state, func(one client.Erasure) error {
				all = append(all, one)
				return nil
			}); err != nil {
				return err
			}
			return t.print(cmd, all, func(p *table) {
				p.row("ID", "STATE", "HELD BY", "REQUESTED", "BY", "CUSTOMER")
				for _, e := range all {
					p.row(e.ErasureID, e.State, heldBy(e), e.RequestedAt.Format(time.RFC3339), e.RequestedBy, e.CustomerID)
				}
			})
		},
	}
	c.Flags().StringVar(&state, "state", "", "only those that stand so: requested, held, erasing, erased or cancelled")
	return c
}

func (t *tool) erasureRequestCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "request CUSTOMER", Short: "Ask for the erasure of a customer, by id", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			e, err := api.EraseCustomer(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			return t.print(cmd, e, func(p *table) { drawErasure(p, e) })
		},
	}
	c.Flags().StringVar(&reason, "reason", "customer_request", "code of why")
	return c
}

func (t *tool) erasureByIDCommand(use, short string, do func(*client.Client, context.Context, string) (client.Erasure, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			e, err := do(api, cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.print(cmd, e, func(p *table) { drawErasure(p, e) })
		},
	}
}

func heldBy(e client.Erasure) string {
	if e.State != "held" || len(e.Holds) == 0 {
		return "-"
	}
	text := e.Holds[0].Service + " " + e.Holds[0].Code
	if more := len(e.Holds) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func drawErasure(p *table, e client.Erasure) {
	p.row("erasure", e.ErasureID)
	p.row("customer", e.CustomerID)
	p.row("stands", e.State)
	p.row("requested", e.RequestedAt.Format(time.RFC3339)+" by "+e.RequestedBy+", "+e.Reason)
	if e.ErasedAt != nil {
		p.row("erased", e.ErasedAt.Format(time.RFC3339))
	}
	if e.State == "held" {
		p.line("")
		p.row("HELD BY", "CODE", "ABOUT")
		for _, h := range e.Holds {
			p.row(h.Service, h.Code, h.ReferenceID)
		}
	}
	if len(e.Reports) == 0 {
		return
	}
	p.line("")
	p.row("SERVICE", "ROUND", "WHAT", "ERASED", "LEFT")
	for _, r := range e.Reports {
		for _, c := range r.Erased {
			p.row(r.Service, fmt.Sprint(r.Round), c.What, fmt.Sprint(c.Count), fmt.Sprint(c.Left))
		}
	}
}
