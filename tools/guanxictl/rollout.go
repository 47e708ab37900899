package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func (t *tool) rolloutCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rollout",
		Short: "See how the platform is introduced, and decide",
		Long: `A rollout introduces the platform phase by phase and unit by unit. Phases wait for tasks, which people do, and for gates, which
people or measured numbers open; what a phase switches on is refused to people of other units until it is live for them.`,
	}
	c.AddCommand(t.rolloutListCommand(), t.rolloutShowCommand(), t.rolloutStartCommand(), t.rolloutDecideCommand(), t.rolloutStepsCommand(), t.rolloutReportCommand())
	return c
}

func (t *tool) rolloutListCommand() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use: "list", Short: "List rollouts, the latest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			all := []client.Rollout{}
			if err := api.ListRollouts(cmd.Context(), state, func(one client.Rollout) error {
				all = append(all, one)
				return nil
			}); err != nil {
				return err
			}
			return t.print(cmd, all, func(p *table) {
				p.row("ID", "STATE", "PHASES", "IN HAND", "GATES HELD", "TASKS LATE", "RISKS", "NAME")
				for _, r := range all {
					p.row(r.RolloutID, r.State, fmt.Sprintf("%d/%d", r.PhasesOver, r.PhaseCount), listed(r.InHand), r.Held, r.Late, listed(r.Triggered), r.Name)
				}
			})
		},
	}
	c.Flags().StringVar(&state, "state", "", "only those that stand so: draft, running, paused, finished or cancelled")
	return c
}

func (t *tool) rolloutShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show where a rollout stands, why gates hold, and for whom what is open", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			r, err := api.GetRollout(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.print(cmd, r, func(p *table) { drawRollout(p, r) })
		},
	}
}

func (t *tool) rolloutStartCommand() *cobra.Command {
	return &cobra.Command{
		Use: "start ID", Short: "Start a draft: from now on what it switches on is withheld from units that are not live", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			r, err := api.StartRollout(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.print(cmd, r, func(p *table) { drawRollout(p, r) })
		},
	}
}

func (t *tool) rolloutStepsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "steps ID", Short: "Show what happened, the latest first", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			all := []client.RolloutStep{}
			if err := api.RolloutSteps(cmd.Context(), args[0], func(one client.RolloutStep) error {
				all = append(all, one)
				return nil
			}); err != nil {
				return err
			}
			return t.print(cmd, all, func(p *table) {
				p.row("WHEN", "STEP", "OF", "BY", "WHY")
				for _, s := range all {
					of := strings.Join(slices.DeleteFunc([]string{s.Detail.Phase, s.Detail.Task, s.Detail.Gate, s.Detail.Risk}, func(code string) bool { return code == "" }), "/")
					p.row(s.At.Format(time.RFC3339), s.Action, cmp.Or(of, "-"), cmp.Or(s.By, "-"), cmp.Or(strings.TrimSpace(s.Detail.Reason+" "+s.Note), "-"))
				}
			})
		},
	}
}

func drawRollout(p *table, r client.Rollout) {
	p.row(r.Name, r.State)
	p.row("id", r.RolloutID)
	p.row("plan", strings.TrimSuffix(fmt.Sprintf("version %d, kept by %s", r.PlanVersion, r.ManagedBy), ", kept by "))
	if r.Pause != nil {
		p.row("paused", fmt.Sprintf("%s by %s: %s", r.Pause.At.Format(time.RFC3339), cmp.Or(r.Pause.By, "the risk "+r.Pause.Risk), r.Pause.Reason))
	}
	p.line("")
	p.row("PHASE", "STATE", "UNITS", "SWITCHES ON", "WAITS FOR")
	for _, one := range r.Phases {
		p.row(one.Code, inRound(one), listed(one.Units), listed(one.Capabilities), waits(one))
	}
	p.line("")
	p.row("CAPABILITY", "OPEN FOR")
	for _, e := range r.Entitlements {
		open := cmp.Or(strings.Join(e.Units, " "), "nobody")
		if e.Everyone {
			open = "everybody"
		}
		p.row(e.Capability, open)
	}
	for _, k := range r.Risks {
		if k.State == "triggered" {
			p.line(fmt.Sprintf("The risk %s has come about (exposure %d).", k.Code, k.Exposure))
		}
	}
}

func inRound(one client.RolloutPhase) string {
	state := one.State
	if one.Round > 1 {
		state += fmt.Sprintf(" (round %d)", one.Round)
	}
	if one.Reason != "" {
		state += ": " + one.Reason
	}
	return state
}

// waits tells what a phase waits for: other phases, tasks, gates.
func waits(one client.RolloutPhase) string {
	var all []string
	for _, code := range one.WaitsFor {
		all = append(all, "phase "+code)
	}
	if one.State == "working" {
		for _, task := range one.Tasks {
			if task.DoneAt == nil {
				all = append(all, "task "+task.Code+late(task))
			}
		}
	}
	for _, g := range one.Gates {
		if g.Stands == "held" {
			all = append(all, "gate "+g.Code+": "+why(g))
		}
	}
	return cmp.Or(strings.Join(all, "; "), "-")
}

func late(t client.RolloutTask) string {
	switch {
	case !t.Late:
		return ""
	case t.Escalated:
		return " (late, the leads were told)"
	default:
		return fmt.Sprintf(" (late, reminded %d times)", t.Reminders)
	}
}

// why tells why a gate holds.
func why(g client.RolloutGate) string {
	switch {
	case g.Kind == "person":
		return fmt.Sprintf("%s, %d of %d agree", g.Reason, len(g.Agreed), g.Needs)
	case g.Measured == nil || g.Limit == nil || g.Sample == nil:
		return g.Reason
	default:
		return fmt.Sprintf("%s, %s is %.4g of %.4g on %d cases", g.Reason, g.Metric, *g.Measured, *g.Limit, *g.Sample)
	}
}

func listed(codes []string) string { return cmp.Or(strings.Join(codes, " "), "-") }

// rolloutAction is a decision about a rollout and the flags that it needs.
type rolloutAction struct {
	name   string
	needed []string
}

// rolloutActions are the decisions, those on the whole of it first.
var rolloutActions = []rolloutAction{
	{"pause", []string{"reason"}}, {"resume", nil}, {"cancel", []string{"reason"}},
	{"complete", []string{"phase", "task"}}, {"reopen", []string{"phase", "task"}},
	{"approve", []string{"phase", "gate"}}, {"refuse", []string{"phase", "gate"}}, {"skip_gate", []string{"phase", "gate", "reason"}},
	{"roll_back", []string{"phase", "reason"}}, {"redo", []string{"phase"}}, {"skip_phase", []string{"phase", "reason"}},
	{"trigger_risk", []string{"risk"}}, {"mitigate_risk", []string{"risk"}}, {"close_risk", []string{"risk"}},
}

func (t *tool) rolloutDecideCommand() *cobra.Command {
	var d client.RolloutDecision
	var key string
	var forms []string
	for _, a := range rolloutActions {
		form := "  " + a.name
		for _, flag := range a.needed {
			form += " --" + flag + " CODE"
		}
		forms = append(forms, form)
	}
	c := &cobra.Command{
		Use: "decide ID ACTION", Short: "Make one decision about a rollout",
		Long: "Decide makes one decision about a rollout. The actions and the flags that they need:\n\n" + strings.Join(forms, "\n") + `

--reason, a code, and --note, words, may be given with any. Every decision has an idempotency key, which is printed. When no answer
comes, or one that says to try again later, the same command with --key and that key is safe: a decision is not taken twice.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Action = args[1]
			if err := rolloutFits(cmd, args[1]); err != nil {
				return err
			}
			return t.decideRollout(cmd, args[0], d, key)
		},
	}
	flags := c.Flags()
	flags.StringVar(&d.Phase, "phase", "", "code of the phase")
	flags.StringVar(&d.Task, "task", "", "code of the task")
	flags.StringVar(&d.Gate, "gate", "", "code of the gate")
	flags.StringVar(&d.Risk, "risk", "", "code of the risk")
	flags.StringVar(&d.Reason, "reason", "", "why, as a code")
	flags.StringVar(&d.Note, "note", "", "why, in words; it goes into no event")
	flags.StringVar(&key, "key", "", "idempotency key, to repeat a decision whose answer was lost (default: a new one)")
	return c
}

// rolloutFits checks that no flag is missing that the action needs, and that none is given that says nothing of it.
func rolloutFits(cmd *cobra.Command, name string) error {
	i := slices.IndexFunc(rolloutActions, func(a rolloutAction) bool { return a.name == name })
	if i < 0 {
		var names []string
		for _, a := range rolloutActions {
			names = append(names, a.name)
		}
		return fmt.Errorf("no decision is called %q; there are %s", name, strings.Join(names, ", "))
	}
	for _, flag := range []string{"phase", "task", "gate", "risk", "reason"} {
		needed := slices.Contains(rolloutActions[i].needed, flag)
		switch given := cmd.Flags().Changed(flag); {
		case needed && !given:
			return fmt.Errorf("%s needs --%s", name, flag)
		case given && !needed && flag != "reason":
			return fmt.Errorf("--%s says nothing of %s", flag, name)
		}
	}
	return nil
}

func (t *tool) decideRollout(cmd *cobra.Command, id string, d client.RolloutDecision, key string) error {
	api, err := t.client()
	if err != nil {
		return err
	}
	if key == "" {
		key = uuid.NewString()
	}
	cmd.PrintErrln("idempotency key " + key)
	r, err := api.DecideRollout(cmd.Context(), id, d, key)
	if err != nil {
		return adviseRollout(err, id, key)
	}
	return t.print(cmd, r, func(p *table) { drawRollout(p, r) })
}

// adviseRollout adds to the refusal of a decision what to do about it.
func adviseRollout(err error, id, key string) error {
	var p *client.Problem
	errors.As(err, &p)
	switch {
	case client.Temporary(err) || p != nil && p.Code == "idempotency_key_in_flight":
		return fmt.Errorf("%w\nWhether the decision was taken is not known. Repeat the same command with --key %s until there is an answer: it is not taken twice", err, key)
	case p != nil && p.Code == "idempotency_key_reused":
		return fmt.Errorf("%w\nNothing was decided. Leave --key away for a new decision", err)
	case p != nil && p.Status == http.StatusConflict:
		return fmt.Errorf("%w\nNothing was decided. guanxictl rollout show %s tells where it stands", err, id)
	default:
		return err
	}
}
