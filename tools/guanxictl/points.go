package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// shownEntries bounds what the table shows; -o json has all.
const shownEntries = 50

// memberFlags say whose points.
type memberFlags struct{ member, customer string }

func (f *memberFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.member, "member", "", "id of the member")
	c.Flags().StringVar(&f.customer, "customer", "", "id of the customer who is the member")
	c.MarkFlagsOneRequired("member", "customer")
	c.MarkFlagsMutuallyExclusive("member", "customer")
}

func (f *memberFlags) find(ctx context.Context, api *client.Client) (client.Member, error) {
	if f.member != "" {
		return api.GetMember(ctx, f.member)
	}
	return api.MemberOf(ctx, f.customer)
}

func (t *tool) pointsCommand() *cobra.Command {
	c := &cobra.Command{Use: "points", Short: "What a customer's points are, and why"}
	c.AddCommand(t.balanceCommand(), t.explainCommand(), t.expireCommand())
	return c
}

func (t *tool) balanceCommand() *cobra.Command {
	var f memberFlags
	var at string
	c := &cobra.Command{
		Use:   "balance --member ID|--customer ID",
		Short: "Show a member's points, of now or of a past time",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			when, err := parseTime(at, time.Now())
			if err == nil && at != "" && when.IsZero() {
				err = errors.New("there was nothing at the start")
			}
			if err != nil {
				return fmt.Errorf("--at: %w", err)
			}
			api, err := t.client()
			if err != nil {
				return err
			}
			member, err := f.find(cmd.Context(), api)
			if err != nil {
				return err
			}
			b, err := api.GetBalance(cmd.Context(), member.MemberID, when)
			if err != nil {
				return err
			}
			return t.print(cmd, b, func(p *table) {
				p.row("TO SPEND", "LOCKED", "OWED", "AS OF")
				p.row(b.Available, b.Pending, b.Debt, b.AsOf.Format(time.RFC3339))
				drawExpiring(p, b.Expiring)
				if b.Own != nil {
					p.line("")
					p.line("This is of several members who are one customer. Of it, this member's own:")
					p.row("TO SPEND", "LOCKED", "OWED", "CUSTOMER")
					p.row(b.Own.Available, b.Own.Pending, b.Own.Debt, b.Own.CustomerID)
				}
			})
		},
	}
	f.register(c)
	c.Flags().StringVar(&at, "at", "", "a past time: RFC 3339, or a duration back from now, such as 24h")
	return c
}

func (t *tool) explainCommand() *cobra.Command {
	var f memberFlags
	c := &cobra.Command{
		Use:   "explain --member ID|--customer ID",
		Short: "Show what a member's points are made of and what led to them, in words to read out",
		Long: fmt.Sprintf(`Explain shows a member's points, what is left of each purchase or gift that they come from, and what happened to
them, the latest first, with what there was after each. The table ends after %d rows of each; -o json has everything.`, shownEntries),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			member, err := f.find(cmd.Context(), api)
			if err != nil {
				return err
			}
			most := 0
			if t.output == "table" {
				most = shownEntries + 1 // tells whether there are more
			}
			x, err := api.ExplainBalance(cmd.Context(), member.MemberID, most)
			if err != nil {
				return err
			}
			if err := addsUp(x, most == 0 || len(x.Items) < most); err != nil {
				return err
			}
			return t.print(cmd, x, func(p *table) { drawExplanation(p, member, x) })
		},
	}
	f.register(c)
	return c
}

func (t *tool) expireCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "expire",
		Short: "Have points run out now whose time has come, and members be told of those that will within 30 days",
		Long:  "Expire starts, for your tenant, the process that runs every half hour for all tenants. To start it again does no harm.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			id, err := api.ExpirePoints(cmd.Context())
			if err != nil {
				return err
			}
			return t.print(cmd, map[string]string{"workflow_id": id}, func(p *table) {
				p.line("started: " + id + ", to be followed in Temporal")
			})
		},
	}
}

// addsUp counts back from the balance over the entries: each has to have led to what there was after it, and all of them
// together to nothing before the first.
func addsUp(x client.Explanation, whole bool) error {
	now := x.Balance
	for _, e := range x.Items {
		if e.AvailableAfter != now.Available {
			return fmt.Errorf("the entries do not add up: after entry %s there were %d points to spend, but the later ones begin at %d; "+
				"have the ledger audited (POST /v1/points/audits)", e.EntryID, e.AvailableAfter, now.Available)
		}
		now = before(now, e)
	}
	if whole && now != (client.Balance{}) {
		return fmt.Errorf("the entries do not add up to the balance: %+v is left; have the ledger audited (POST /v1/points/audits)", now)
	}
	return nil
}

// before gives what there was before an entry.
func before(after client.Balance, e client.Entry) client.Balance {
	return client.Balance{Available: after.Available - e.Available, Pending: after.Pending - e.Pending, Debt: after.Debt - e.Debt}
}

func drawExplanation(p *table, m client.Member, x client.Explanation) {
	p.line(fmt.Sprintf("Card %s, member%s since %s%s: %s", grouped(m.CardNumber), of(m.Programme), day(m.EnrolledAt), state(m.State), inWords(x.Balance)))
	if len(x.InWords) > 0 {
		p.line("")
		p.line("To read out:")
		for _, sentence := range x.InWords {
			p.line(sentence)
		}
	}
	if len(x.PooledWith) > 0 {
		p.line("")
		p.line("Others who are the same customer since a merge; what all of them have is spent together, what runs out soonest first:")
		p.row("TO SPEND", "LOCKED", "OWED", "MEMBER", "CUSTOMER")
		for _, o := range x.PooledWith {
			p.row(o.Available, o.Pending, o.Debt, o.MemberID, o.CustomerID)
		}
	}
	if len(x.OpenLots) > 0 {
		p.line("")
		p.line("Where the points come from; they are spent in that order, what runs out first and then the oldest:")
		p.row("LEFT", "OF", "FROM", "FOR", "CAN BE SPENT", "RUNS OUT")
		for _, l := range x.OpenLots[:min(len(x.OpenLots), shownEntries)] {
			since := "now"
			if l.State == "locked" {
				since = "from " + day(l.AvailableAt)
			}
			until := "-"
			if l.ExpiresAt != nil {
				until = l.ExpiresAt.UTC().Format(time.RFC3339)
			}
			p.row(l.Remaining, l.Points, day(l.EarnedAt), reason(l.ReasonType, l.ReasonID), since, until)
		}
		if rest := x.OpenLotsTotal - shownEntries; rest > 0 {
			p.line(fmt.Sprintf("... and %d more", rest))
		}
	}
	p.line("")
	p.line("What happened, the latest first, and what there was to spend, locked and owed after it:")
	p.row("BOOKED", "TO SPEND", "LOCKED", "OWED", "WHAT")
	after := x.Balance
	for i, e := range x.Items {
		if i == shownEntries {
			p.line("... and more before that; -o json lists everything")
			return
		}
		p.row(e.BookedAt.UTC().Format(time.DateTime), after.Available, after.Pending, after.Debt, happened(e))
		after = before(after, e)
	}
}

// drawExpiring shows the next times at which points run out.
func drawExpiring(p *table, next []client.Expiring) {
	if len(next) == 0 {
		return
	}
	p.line("")
	p.line("What runs out next, if it is not spent before:")
	p.row("POINTS", "AT")
	for _, e := range next {
		p.row(e.Points, e.At.UTC().Format(time.RFC3339))
	}
}

// of names a programme that is not the one that everybody has.
func of(programme string) string {
	if programme == "" || programme == "standard" {
		return ""
	}
	return " of " + programme
}

// state names the state of a member that is not as usual.
func state(of string) string {
	if of == "" || of == "active" {
		return ""
	}
	return ", " + of
}

// inWords tells a balance.
func inWords(b client.Balance) string {
	parts := []string{fmt.Sprintf("%d points to spend", b.Available)}
	if b.Pending != 0 {
		parts = append(parts, fmt.Sprintf("%d locked until it is certain that nothing comes back", b.Pending))
	}
	if b.Debt != 0 {
		parts = append(parts, fmt.Sprintf("%d owed, which the next points pay first", b.Debt))
	}
	return strings.Join(parts, ", ") + "."
}

// happened tells what an entry did.
func happened(e client.Entry) string {
	what := reason(e.ReasonType, e.ReasonID)
	var said string
	switch e.Kind {
	case "earn":
		said = fmt.Sprintf("%d earned for %s", e.Points, what)
	case "grant":
		said = fmt.Sprintf("%d given for %s", e.Points, what)
	case "spend":
		said = fmt.Sprintf("%d spent on %s", e.Points, what)
	case "release":
		said = fmt.Sprintf("%d of %s unlocked", e.Points, what)
	case "reversal":
		said = fmt.Sprintf("%d taken back for %s", e.Points, what)
	case "restore":
		said = fmt.Sprintf("%d given back that had been spent, for %s", e.Points, what)
	case "expiry":
		said = fmt.Sprintf("%d ran out", e.Points)
	case "adjustment":
		given := "given"
		if e.Available < 0 || e.Pending < 0 {
			given = "taken"
		}
		said = fmt.Sprintf("%d %s by hand or by a rule, for %s", e.Points, given, what)
	default:
		said = fmt.Sprintf("%s of %d for %s", e.Kind, e.Points, what)
	}
	when := day(e.EffectiveAt)
	switch {
	case when == day(e.BookedAt):
	case e.Kind == "release", e.Kind == "expiry":
		said += ", as of " + when
	default:
		said += " of " + when
	}
	if e.PartOf != "" {
		said += "; a part of the spend " + e.PartOf + " of another member who is the same customer"
	}
	for _, part := range e.Parts {
		said += fmt.Sprintf("; %d more of the member %s, who is the same customer", part.Points, part.MemberID)
	}
	if e.Waived > 0 {
		said += fmt.Sprintf("; %d more had run out before and are not asked for", e.Waived)
	}
	if e.Pending > 0 {
		said += fmt.Sprintf("; %d of them locked", e.Pending)
	}
	switch {
	case e.Debt > 0:
		said += fmt.Sprintf("; %d of them had been spent already and are owed now", e.Debt)
	case e.Debt < 0:
		said += fmt.Sprintf("; %d of them paid what was owed", -e.Debt)
	}
	return said
}

// reason makes words of a code and an id.
func reason(code, id string) string {
	return strings.TrimSpace(strings.ReplaceAll(code, "_", " ") + " " + id)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// grouped writes a card's number in groups of four, as on the card.
func grouped(number string) string {
	var b strings.Builder
	for i, digit := range number {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(digit)
	}
	return b.String()
}
