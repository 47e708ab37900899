package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func (t *tool) rolloutReportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "report ID", Short: "Report what a rollout came to, or has come to so far, goal by goal", Args: cobra.ExactArgs(1),
		Long: `Report shows of each goal what was before, what was aimed at and what was measured at the end; how long phases took and what was late;
how gates opened; which risks came about; pauses, and what was rolled back. With -o json the
times of all of it are there as well.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			r, err := api.ReportRollout(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.print(cmd, r, func(p *table) { drawReport(p, r) })
		},
	}
}

func drawReport(p *table, r client.RolloutReport) {
	p.row(r.Name, r.State)
	p.row("id", r.RolloutID)
	p.row("days", decimals(r.Days))
	p.row("goals", fmt.Sprintf("%d of %d reached, %d not measured", r.GoalsReached, len(r.Goals), r.GoalsUnknown))
	p.line("")
	p.row("GOAL", "METRIC", "OF", "BASELINE", "TARGET", "MEASURED", "REACHED", "NAME")
	for _, g := range r.Goals {
		p.row(g.Code, g.Metric, cmp.Or(g.Unit, "all units"), plain(g.Baseline), aimed(g), known(g.Measured), yes(g.Reached), g.Name)
	}
	p.line("")
	p.row("PHASE", "STATE", "ROUNDS", "DAYS", "TASKS DONE", "TASKS LATE", "WHY")
	for _, one := range r.Phases {
		took := "-"
		if one.Days != nil {
			took = decimals(*one.Days)
		}
		p.row(one.Code, one.State, one.Round, took, fmt.Sprintf("%d/%d", one.Done, one.Tasks), one.Late, cmp.Or(one.Reason, "-"))
	}
	drawLate(p, r)
	drawHappened(p, r)
}

func drawLate(p *table, r client.RolloutReport) {
	if len(r.LateTasks) == 0 {
		return
	}
	p.line("")
	p.row("LATE", "DUE", "DONE", "DAYS LATE", "TITLE")
	for _, one := range r.LateTasks {
		p.row(one.Phase+"/"+one.Task, one.DueAt.Format(time.RFC3339), when(one.DoneAt), decimals(one.DaysLate), one.Title)
	}
}

// drawHappened tells of gates, risks, pauses and phases that were rolled back, each where there was one.
func drawHappened(p *table, r client.RolloutReport) {
	if len(r.Gates) > 0 {
		p.line("")
		p.row("GATE", "OPENED", "BY", "MEASURED", "ASKED FOR", "WHY")
		for _, g := range r.Gates {
			p.row(g.Phase+"/"+g.Gate, g.At.Format(time.RFC3339), cmp.Or(g.By, g.How), known(g.Measured), known(g.Limit), cmp.Or(g.Reason, "-"))
		}
	}
	if len(r.Came)+len(r.Pauses)+len(r.RollBacks) == 0 {
		return
	}
	p.line("")
	p.row("WHAT HAPPENED", "WHEN", "UNTIL", "BY", "WHY")
	for _, k := range r.Came {
		p.row("risk "+k.Risk+" came about", k.At.Format(time.RFC3339), "-", cmp.Or(k.By, "a number"), strings.TrimSuffix("measured "+known(k.Measured), "measured -"))
	}
	for _, one := range r.Pauses {
		p.row("paused", one.From.Format(time.RFC3339), when(one.Resumed), cmp.Or(one.By, "the risk "+one.Risk), one.Reason)
	}
	for _, one := range r.RollBacks {
		p.row(fmt.Sprintf("%s rolled back (round %d)", one.Phase, one.Round), one.At.Format(time.RFC3339), "-", one.By, one.Reason)
	}
}

// aimed writes a target with which way is better.
func aimed(g client.RolloutGoal) string {
	if g.Direction == "down" {
		return "<= " + plain(g.Target)
	}
	return ">= " + plain(g.Target)
}

func plain(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

func decimals(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func known(v *float64) string {
	if v == nil {
		return "-"
	}
	return plain(*v)
}

func yes(v *bool) string {
	switch {
	case v == nil:
		return "-"
	case *v:
		return "yes"
	default:
		return "no"
	}
}

func when(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.Format(time.RFC3339)
}
