package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func (t *tool) complaintCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "complaint",
		Short: "See where complaints stand, and decide",
		Long: `A complaint goes from one decision to the next: acknowledge, assess, assign, find, propose, perhaps approve or refuse,
then the customer's accept or reject and, where the policy asks for it, the verdict; withdraw ends it at any time before it is
carried out, answer is the final answer. A complaint is named by its id or by the number of its ticket, such as T-000123.`,
	}
	c.AddCommand(t.complaintListCommand(), t.complaintShowCommand(), t.decideCommand())
	return c
}

func (t *tool) complaintListCommand() *cobra.Command {
	var stage, customer string
	c := &cobra.Command{
		Use:   "list",
		Short: "List complaints, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			all := []client.Complaint{}
			if err := api.ListComplaints(cmd.Context(), stage, customer, func(one client.Complaint) error {
				all = append(all, one)
				return nil
			}); err != nil {
				return err
			}
			return t.print(cmd, all, func(p *table) {
				p.row("NUMBER", "STANDS", "CATEGORY", "SEVERITY", "REGISTERED", "DUE", "NEXT", "CUSTOMER", "ID")
				for _, one := range all {
					p.row(one.Number, stands(one), one.Category, orDash(one.Severity), one.RegisteredAt.Format(time.RFC3339),
						whenOrDash(one.DueAt), nextActions(one), one.CustomerID, one.ComplaintID)
				}
			})
		},
	}
	c.Flags().StringVar(&stage, "stage", "", "only those in this stage: registered, assessed, assigned, disputed, found, proposed, offered, accepted, stuck, verifying, answering or closed")
	c.Flags().StringVar(&customer, "customer", "", "only those of the customer with this id")
	return c
}

func (t *tool) complaintShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID|NUMBER", Short: "Show where a complaint stands, what happened, and what may be decided next", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			found, err := api.FindComplaint(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.print(cmd, found, func(p *table) { drawComplaint(p, found) })
		},
	}
}

func drawComplaint(p *table, c client.Complaint) {
	p.row(c.Number, stands(c))
	p.row("id", c.ComplaintID)
	p.row("customer", c.CustomerID)
	if c.OrderID != "" {
		p.row("about order", c.OrderID)
	}
	p.row("about", c.Category+", heard of by "+c.Channel)
	p.row("what happened", c.Description)
	if c.Wish != "" {
		p.row("wish", c.Wish)
	}
	if c.Severity != 0 {
		p.row("severity", fmt.Sprintf("%d of 1 (grave) to 4 (slight)", c.Severity))
	}
	if c.Unit != "" {
		p.row("answered for by", strings.TrimSuffix(c.Unit+", "+c.Person, ", "))
	}
	if c.Finding != "" {
		p.row("finding", c.Finding+", cause "+c.Cause)
	}
	if c.DueAt != nil {
		p.row("due", fmt.Sprintf("%s, after %d reminders", c.DueAt.Format(time.RFC3339), c.Reminders))
	}
	drawDeadlines(p, c)
	if c.Proposal != nil {
		drawProposal(p, c)
	}
	if len(c.Preventions) > 0 {
		p.line("")
		p.row("PREVENTION", "BY", "UNTIL", "DONE")
		for _, one := range c.Preventions {
			p.row(fmt.Sprintf("%d %s", one.No, one.Action), one.Owner, one.DueAt.Format(time.RFC3339), whenOrDash(one.DoneAt))
		}
	}
	p.line("")
	p.row("WHEN", "STEP", "BY", "WHY")
	for _, s := range c.Steps {
		p.row(s.At.Format(time.RFC3339), s.Action, s.By, s.Reason)
	}
	p.line("")
	drawNext(p, c)
}

// drawDeadlines tells what holds whatever step the complaint is in.
func drawDeadlines(p *table, c client.Complaint) {
	done := func(name string, at *time.Time, until *time.Time, missing string) {
		switch {
		case at != nil:
			p.row(name, at.Format(time.RFC3339))
		case until != nil:
			p.row(name, missing+" until "+until.Format(time.RFC3339))
		}
	}
	if c.Level > 1 {
		p.row("level", fmt.Sprintf("%d: it is dealt with anew", c.Level))
	}
	if c.Stage != client.Closed || c.AcknowledgedAt != nil {
		done("acknowledged", c.AcknowledgedAt, c.AcknowledgeBy, "not yet; has to be")
	}
	if c.Stage != client.Closed || c.AnsweredAt != nil {
		done("finally answered", c.AnsweredAt, c.LegalDueAt, "not yet; has to be")
	}
	if c.Score != nil {
		p.row("verdict", fmt.Sprintf("%d (%s)", *c.Score, c.ScoreKind))
	}
	if c.CrisisID != "" {
		p.row("part of crisis", c.CrisisID)
	} else if c.EscalatedAt != nil {
		p.row("escalated", c.EscalatedAt.Format(time.RFC3339))
	}
	if c.ReviewedAt != nil {
		p.row("reviewed", c.ReviewedAt.Format(time.RFC3339))
	}
}

func drawProposal(p *table, c client.Complaint) {
	approval := ""
	if c.Stage == "proposed" {
		approval = ", needs a " + c.Proposal.Approval + " to approve it"
	}
	p.line("")
	p.line(fmt.Sprintf("Proposal %d by %s costs %d %s (minor units)%s; the customer has rejected %d:",
		c.Proposal.No, c.Proposal.ProposedBy, c.Proposal.CostMinor, c.Proposal.Currency, approval, c.Rounds))
	p.row("PART", "STATE", "REFERENCE")
	for _, part := range c.Proposal.Parts {
		what := part.Kind
		switch part.Kind {
		case "points":
			what = fmt.Sprintf("%d points", part.Points)
		case "refund":
			what = fmt.Sprintf("refund of order %s, %d %s", part.OrderID, part.AmountMinor, c.Proposal.Currency)
		case "voucher":
			what = fmt.Sprintf("voucher of %d %s", part.AmountMinor, c.Proposal.Currency)
		}
		p.row(what, part.State, part.Reference)
	}
}

// drawNext says what to type next.
func drawNext(p *table, c client.Complaint) {
	switch {
	case c.Stage == client.Closed && len(c.Next) == 0:
		p.line("It is closed; there is nothing to decide any more.")
	case len(c.Next) == 0:
		p.line("It is being carried out; there is nothing to decide until that is done.")
	default:
		p.row("NEXT", "NEEDS PERMISSION")
		for _, n := range c.Next {
			p.row("guanxictl complaint decide "+c.ComplaintID+" "+n.Action+usage(n.Action), n.Permission)
		}
	}
}

// stands tells stage and outcome.
func stands(c client.Complaint) string {
	if c.Outcome != "" {
		return c.Stage + ", " + c.Outcome
	}
	return c.Stage
}

func nextActions(c client.Complaint) string {
	var names []string
	for _, n := range c.Next {
		names = append(names, n.Action)
	}
	return cmp.Or(strings.Join(names, " "), "-")
}

func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func whenOrDash(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}
