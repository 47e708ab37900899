package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// action is a decision and the flags that belong to it, beside --reason and --key.
type action struct {
	name   string
	needed []string
	more   []string
	usage  string
}

// actions are the decisions in the order of the road, then those that are possible at any time.
var actions = []action{
	{name: "acknowledge", needed: []string{"channel"}, usage: " --channel CHANNEL"},
	{
		name: "assess", more: []string{"severity", "not-admissible", "safety", "containment"},
		usage: " --severity 1..4|--not-admissible [--safety] [--containment CODE]",
	},
	{name: "assign", needed: []string{"unit"}, more: []string{"person"}, usage: " --unit UNIT [--person SUBJECT]"},
	{name: "decline", needed: []string{"reason"}, usage: " --reason WHY"},
	{name: "rule", needed: []string{"unit"}, more: []string{"person"}, usage: " --unit UNIT [--person SUBJECT]"},
	{
		name: "find", needed: []string{"finding", "cause"}, more: []string{"root-cause", "evidence"},
		usage: " --finding FINDING --cause CAUSE [--root-cause TEXT] [--evidence REFERENCE]",
	},
	{name: "object", needed: []string{"reason"}, usage: " --reason WHAT-THE-CUSTOMER-SAYS"},
	{
		name: "propose", needed: []string{"currency"},
		more: []string{"points", "refund", "apology", "explanation", "voucher", "repair", "exchange", "free-service"},
		usage: " --currency CUR [--points N] [--refund ORDER:AMOUNT_MINOR] [--voucher AMOUNT_MINOR] [--apology] [--explanation]" +
			" [--repair] [--exchange] [--free-service]",
	},
	{name: "approve"}, {name: "refuse"}, {name: "accept"}, {name: "reject"}, {name: "retry"},
	{name: "settle", needed: []string{"reason"}, usage: " --reason WHY"},
	{name: "verify", needed: []string{"score"}, more: []string{"score-kind"}, usage: " --score N [--score-kind csat|nps|ces]"},
	{name: "answer", needed: []string{"medium", "text"}, usage: " --medium letter|email|document --text TEXT"},
	{name: "withdraw"},
	{name: "reopen", needed: []string{"reason"}, usage: " --reason WHAT-THE-CUSTOMER-SAYS"},
	{name: "refer", needed: []string{"body"}, usage: " --body CODE"},
	{name: "add", more: []string{"facts", "evidence"}, usage: " --facts TEXT|--evidence REFERENCE"},
	{name: "escalate", more: []string{"crisis"}, usage: " [--crisis ID]"},
	{name: "prevent", needed: []string{"do", "owner", "due"}, usage: " --do WHAT --owner SUBJECT --due TIME"},
	{name: "finish", needed: []string{"prevention"}, usage: " --prevention N"},
	{name: "review"},
}

// takes tells whether a flag belongs to the action.
func (a action) takes(flag string) bool {
	return slices.Contains(a.needed, flag) || slices.Contains(a.more, flag)
}

// usage gives the flags that an action takes.
func usage(name string) string {
	for _, a := range actions {
		if a.name == name {
			return a.usage
		}
	}
	return ""
}

// decideFlags are what a decision says.
type decideFlags struct {
	client.Decision
	key           string
	notAdmissible bool
	points        int64
	refunds       []string
	voucher       int64
	kinds         map[string]*bool // of parts that say no more, by the flag's name
	score         int
	due           string
}

func (t *tool) decideCommand() *cobra.Command {
	var f decideFlags
	var forms []string
	for _, a := range actions {
		forms = append(forms, "  "+a.name+a.usage)
	}
	c := &cobra.Command{
		Use:   "decide ID|NUMBER ACTION",
		Short: "Make one decision about a complaint",
		Long: `Decide makes one decision about a complaint. The actions and their flags:

` + strings.Join(forms, "\n") + `

Every decision has an idempotency key, which is printed. When no answer comes, or one that says to try again later, the
same command with --key and that key is safe: a decision that was taken is not taken twice.`,
		Example: `  guanxictl --tenant pizza complaint decide T-000123 assess --severity 2
  guanxictl --tenant pizza complaint decide T-000123 propose --currency CNY --points 500 --apology --reason "cold for the second time"
  guanxictl --tenant pizza --subject manager complaint decide T-000123 approve`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			decision, err := f.decision(args[1], cmd.Flags())
			if err != nil {
				return err
			}
			return t.decide(cmd, args[0], args[1], decision, f.key)
		},
	}
	f.register(c.Flags())
	return c
}

func (f *decideFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.Reason, "reason", "", "why; kept with the step")
	flags.StringVar(&f.key, "key", "", "idempotency key, to repeat a decision whose answer was lost (default: a new one)")
	flags.IntVar(&f.Severity, "severity", 0, "assess: 1 (grave) to 4 (slight)")
	flags.BoolVar(&f.notAdmissible, "not-admissible", false, "assess: it is not taken up, and closed")
	flags.StringVar(&f.Unit, "unit", "", "assign, rule: code of the unit that answers for it")
	flags.StringVar(&f.Person, "person", "", "assign, rule: subject of the accountable person")
	flags.StringVar(&f.Finding, "finding", "", "find: founded, partly, unfounded or not_provable")
	flags.StringVar(&f.Cause, "cause", "", "find: product, service, delivery, price, attitude, promise, misunderstanding or other")
	flags.StringVar(&f.Currency, "currency", "", "propose: ISO 4217 currency of every amount")
	flags.Int64Var(&f.points, "points", 0, "propose: points for the customer")
	flags.StringArrayVar(&f.refunds, "refund", nil, "propose: ORDER:AMOUNT_MINOR, the most to be given back of an order; may be given again")
	flags.Int64Var(&f.voucher, "voucher", 0, "propose: a voucher of this amount, in minor units")
	f.kinds = map[string]*bool{}
	for _, kind := range plainKinds {
		f.kinds[kind] = flags.Bool(kind, false, "propose: "+strings.ReplaceAll(kind, "-", " "))
	}
	flags.StringVar(&f.Channel, "channel", "", "acknowledge: by which the customer was told that it was received")
	flags.BoolVar(&f.Safety, "safety", false, "assess: people may come to harm; then --containment is needed")
	flags.StringVar(&f.Containment, "containment", "", "assess: code of what was done at once")
	flags.StringVar(&f.RootCause, "root-cause", "", "find: what lies behind it")
	flags.StringArrayVar(&f.Evidence, "evidence", nil, "find, add: where something can be found that proves it; may be given again")
	flags.StringVar(&f.Facts, "facts", "", "add: what is new")
	flags.IntVar(&f.score, "score", 0, "verify: the customer's verdict")
	flags.StringVar(&f.Kind, "score-kind", "", "verify: csat (1 to 5), nps (0 to 10) or ces (1 to 7) (default csat)")
	flags.StringVar(&f.Medium, "medium", "", "answer: letter, email or document")
	flags.StringVar(&f.Text, "text", "", "answer: as the customer has it")
	flags.StringVar(&f.Body, "body", "", "refer: code of the outside body to which the customer turned")
	flags.StringVar(&f.CrisisID, "crisis", "", "escalate: the crisis that it belongs to, if there is one already")
	flags.StringVar(&f.Action, "do", "", "prevent: what is done so that it does not happen again")
	flags.StringVar(&f.Owner, "owner", "", "prevent: subject of whoever does it")
	flags.StringVar(&f.due, "due", "", "prevent: until when, such as 2026-12-31T17:00:00Z")
	flags.IntVar(&f.Prevention, "prevention", 0, "finish: number of the preventive action that was done")
}

// plainKinds are the parts of a remedy that say no more than their name.
var plainKinds = []string{"apology", "explanation", "repair", "exchange", "free-service"}

// decision checks that the flags belong to the action and that none is missing.
func (f *decideFlags) decision(name string, flags *pflag.FlagSet) (client.Decision, error) {
	i := slices.IndexFunc(actions, func(a action) bool { return a.name == name })
	if i < 0 {
		var names []string
		for _, a := range actions {
			names = append(names, a.name)
		}
		return client.Decision{}, fmt.Errorf("no decision is called %q; there are %s", name, strings.Join(names, ", "))
	}
	for _, a := range actions {
		for _, flag := range slices.Concat(a.needed, a.more) {
			if flag != "reason" && flags.Changed(flag) && !actions[i].takes(flag) {
				return client.Decision{}, fmt.Errorf("--%s belongs to %s, not to %s", flag, a.name, name)
			}
		}
	}
	for _, flag := range actions[i].needed {
		if !flags.Changed(flag) {
			return client.Decision{}, fmt.Errorf("%s needs --%s", name, flag)
		}
	}
	d := f.Decision
	switch name {
	case "assess":
		if f.notAdmissible == flags.Changed("severity") {
			return d, errors.New("assess needs either --severity or --not-admissible")
		}
		admissible := !f.notAdmissible
		d.Admissible = &admissible
	case "propose":
		var err error
		if d.Parts, err = f.parts(flags); err != nil {
			return d, err
		}
	case "verify":
		d.Score = &f.score
	case "prevent":
		due, err := time.Parse(time.RFC3339, f.due)
		if err != nil {
			return d, fmt.Errorf("--due %q is no time, such as 2026-12-31T17:00:00Z", f.due)
		}
		d.DueAt = &due
	}
	return d, nil
}

func (f *decideFlags) parts(flags *pflag.FlagSet) (parts []client.Part, err error) {
	if flags.Changed("points") {
		if f.points < 1 {
			return nil, errors.New("--points has to be more than 0")
		}
		parts = append(parts, client.Part{Kind: "points", Points: f.points})
	}
	for _, refund := range f.refunds {
		order, amount, ok := strings.Cut(refund, ":")
		minor, err := strconv.ParseInt(amount, 10, 64)
		if !ok || order == "" || err != nil || minor < 1 {
			return nil, fmt.Errorf("--refund %q is not ORDER:AMOUNT_MINOR, such as 019a5c8e-…:4500", refund)
		}
		parts = append(parts, client.Part{Kind: "refund", OrderID: order, AmountMinor: minor})
	}
	if flags.Changed("voucher") {
		if f.voucher < 1 {
			return nil, errors.New("--voucher has to be more than 0")
		}
		parts = append(parts, client.Part{Kind: "voucher", AmountMinor: f.voucher})
	}
	for _, kind := range plainKinds {
		if *f.kinds[kind] {
			parts = append(parts, client.Part{Kind: strings.ReplaceAll(kind, "-", "_")})
		}
	}
	if len(parts) == 0 {
		return nil, errors.New("propose needs --points, --refund, --voucher, --apology, --explanation, --repair, --exchange or --free-service")
	}
	return parts, nil
}

func (t *tool) decide(cmd *cobra.Command, which, action string, d client.Decision, key string) error {
	api, err := t.client()
	if err != nil {
		return err
	}
	id := which
	if _, err := uuid.Parse(which); err != nil {
		found, err := api.FindComplaint(cmd.Context(), which)
		if err != nil {
			return err
		}
		id = found.ComplaintID
	}
	if key == "" {
		key = uuid.NewString()
	}
	cmd.PrintErrln("idempotency key " + key)
	now, err := api.Decide(cmd.Context(), id, action, d, key)
	if err != nil {
		return advise(err, which, key)
	}
	return t.print(cmd, now, func(p *table) {
		p.line(fmt.Sprintf("%s: %s; it is now %s.", now.Number, action, stands(now)))
		drawNext(p, now)
	})
}

// advise adds to the refusal of a decision what to do about it.
func advise(err error, which, key string) error {
	show := "guanxictl complaint show " + which
	var p *client.Problem
	errors.As(err, &p)
	switch {
	case client.Temporary(err) || p != nil && p.Code == "idempotency_key_in_flight":
		return fmt.Errorf("%w\nWhether the decision was taken is not known. Repeat the same command with --key %s until there is an answer: "+
			"it is not taken twice", err, key)
	case p == nil:
		return err
	case p.Code == "approval_by_proposer":
		return fmt.Errorf("%w\nNothing was decided. Somebody else has to do it; %s says which permission they need", err, show)
	case p.Status == http.StatusForbidden:
		return fmt.Errorf("%w\nNothing was decided. %s says which permission each decision needs", err, show)
	case p.Code == "idempotency_key_reused":
		return fmt.Errorf("%w\nNothing was decided. Leave --key away for a new decision", err)
	case p.Status == http.StatusConflict:
		return fmt.Errorf("%w\nNothing was decided. Somebody may have been faster: %s tells where it stands and what may be decided", err, show)
	default:
		return err
	}
}
