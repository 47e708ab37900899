package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func (t *tool) slaCommand() *cobra.Command {
	c := &cobra.Command{Use: "sla", Short: "See what was promised to customers, and how it is kept"}
	c.AddCommand(t.slaExplainCommand())
	return c
}

func (t *tool) slaExplainCommand() *cobra.Command {
	var at string
	c := &cobra.Command{
		Use:   "explain ID|NUMBER",
		Short: "Show how each deadline of a ticket came about",
		Long: `Explain shows the clocks of a ticket: what the policy allows, when the clock started, which business time it counted,
piece by piece, what it left out, and the deadline at which the target is used up. A ticket is named by its id or by its number,
such as T-000123. Times are those of the calendar's wall clock.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var when time.Time
			if at != "" {
				var err error
				if when, err = parseTime(at, time.Now()); err != nil || when.IsZero() {
					return fmt.Errorf("--at: %q is neither a time nor a duration", at)
				}
			}
			api, err := t.client()
			if err != nil {
				return err
			}
			found, err := api.ExplainSLA(cmd.Context(), args[0], when)
			if err != nil {
				return err
			}
			return t.print(cmd, found, func(p *table) { drawSLA(p, found) })
		},
	}
	c.Flags().StringVar(&at, "at", "", "as things stood then: RFC 3339, or a duration back from now, such as 24h")
	return c
}

func drawSLA(p *table, s client.TicketSLA) {
	p.line(fmt.Sprintf("%s is %s", s.Number, s.Status))
	if s.Policy == nil {
		p.line("No policy fits it: nothing is promised.")
		return
	}
	wall := wallClock(s.Calendar)
	p.row("as things stood", wall(s.At))
	p.row("policy", fmt.Sprintf("%s, version %d%s", s.Policy.Name, s.Policy.Version, gradeAndTier(s)))
	p.row("calendar", calendarName(s.Calendar))
	if s.Next != nil {
		p.row("next deadline", wall(s.Next.DueAt)+", "+clockName(s.Next.Clock, 0))
	} else {
		p.row("next deadline", "none: every clock pauses or is done")
	}
	for _, c := range s.Clocks {
		p.line("")
		drawClock(p, c, wall)
	}
}

func drawClock(p *table, c client.SLAClock, wall func(time.Time) string) {
	p.line(fmt.Sprintf("%s: %s", clockName(c.Clock, c.Round), strings.ReplaceAll(c.State, "_", " ")))
	p.row("  target", fmt.Sprintf("%.2f business minutes, of priority %d", c.TargetMinutes, c.Priority))
	p.row("  started", wall(c.StartedAt))
	for _, one := range c.Pauses {
		until := "and lasts"
		if one.To != nil {
			until = "to " + wall(*one.To)
		}
		p.row("  left out", wall(one.From), until)
	}
	for _, w := range c.Worked {
		p.row("  counted", wall(w.From), "to "+wall(w.To), fmt.Sprintf("%.2f", w.Minutes), fmt.Sprintf("makes %.2f", w.TotalMinutes))
	}
	if c.WorkedCut {
		p.row("  counted", "and more")
	}
	for _, step := range c.Steps {
		if step.ReachedAt != nil && step.Percent != 100 {
			p.row(fmt.Sprintf("  %d %%", step.Percent), wall(*step.ReachedAt))
		}
	}
	switch {
	case c.DueAt != nil:
		p.row("  due", wall(*c.DueAt))
	case c.CancelledAt == nil:
		p.row("  due", "not while it is paused")
	}
	switch {
	case c.DoneAt != nil:
		p.row("  done", wall(*c.DoneAt))
	case c.CancelledAt != nil:
		p.row("  cancelled", wall(*c.CancelledAt)+", as the ticket was resolved without a reply")
	}
	p.row("  used", fmt.Sprintf("%.2f business minutes, %s", c.UsedMinutes, left(c.DifferenceMinutes)))
}

func left(minutes float64) string {
	if minutes < 0 {
		return fmt.Sprintf("%.2f too many", -minutes)
	}
	return fmt.Sprintf("%.2f left", minutes)
}

func clockName(clock string, round int) string {
	name := strings.ReplaceAll(clock, "_", " ")
	if clock == "next_response" && round > 0 {
		return fmt.Sprintf("%s, round %d", name, round)
	}
	return name
}

func gradeAndTier(s client.TicketSLA) string {
	var parts []string
	if s.Grade != "" {
		parts = append(parts, "grade "+s.Grade)
	}
	if s.Tier != "" {
		parts = append(parts, "tier "+s.Tier)
	}
	if len(parts) == 0 {
		return ""
	}
	return ", of a customer of " + strings.Join(parts, " and ")
}

func calendarName(c *client.SLACalendar) string {
	if c == nil || c.CalendarID == "" {
		return "always open"
	}
	return fmt.Sprintf("%s, version %d, %s", c.CalendarID, c.Version, c.TimeZone)
}

// wallClock writes times as the calendar's wall clock shows them; in UTC where this machine does not know its zone.
func wallClock(c *client.SLACalendar) func(time.Time) string {
	zone := time.UTC
	if c != nil {
		if known, err := time.LoadLocation(c.TimeZone); err == nil {
			zone = known
		}
	}
	return func(at time.Time) string { return at.In(zone).Format("Mon 2006-01-02 15:04:05 MST") }
}
