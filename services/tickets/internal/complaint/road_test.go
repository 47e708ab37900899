package complaint_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/complaint"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// thorough is a policy that asks for all that one can ask for.
func thorough() policy.Policy {
	p := policy.Standard()
	p.VerifyWithin = 14 * 24 * time.Hour
	p.OutsideBodies = []policy.Body{{Code: "ombudsman", Name: "Ombudsman"}, {Code: "12315", Name: "全国12315平台"}}
	return p
}

// carriedOut is the road of a complaint whose remedy was carried out, from the finding of who answers for it on.
func carriedOut(t *testing.T, p policy.Policy, c complaint.Complaint, approve ...complaint.Decision) complaint.Complaint {
	t.Helper()
	road := append([]complaint.Decision{decide(complaint.Assign, mei), decide(complaint.Find, mei), decide(complaint.Propose, mei)}, approve...)
	c = walkBy(t, p, c, append(road, decide(complaint.Accept, mei))...)
	return c.Executed(c.Proposal.No, []complaint.PartResult{{No: 1, Reference: "entry"}}, p, monday)
}

func score(n int) func(*complaint.Decision) {
	return func(d *complaint.Decision) { d.Score = n }
}

func TestALowScoreHasItDealtWithAnewUntilAFinalAnswerIsDue(t *testing.T) {
	t.Parallel()
	p := thorough()
	c := walkBy(t, p, registered(t), decide(complaint.Assess, mei))
	for level, approve := range [][]complaint.Decision{{}, {decide(complaint.Approve, wang)}, {decide(complaint.Approve, chen)}} {
		if c.Stage != complaint.Assessed || c.Level != level+1 || c.Reopened != level {
			t.Fatalf("%s at level %d, reopened %d times", c.Stage, c.Level, c.Reopened)
		}
		if c = carriedOut(t, p, c, approve...); c.Stage != complaint.Verifying || !c.DueAt.Equal(monday.Add(p.VerifyWithin)) {
			t.Fatalf("%s, due %s", c.Stage, c.DueAt)
		}
		c = walkBy(t, p, c, decide(complaint.Verify, mei, score(2)))
	}
	if c.Stage != complaint.Answering || c.Reopened != 2 {
		t.Fatalf("%s, reopened %d times", c.Stage, c.Reopened)
	}
	if _, err := c.Decide(decide(complaint.Answer, mei), p, monday); problem.From(err).Code != "permission_missing" {
		t.Fatalf("an agent gave the final answer: %v", err)
	}
	c = walkBy(t, p, c, decide(complaint.Answer, wang))
	if c.Stage != complaint.Closed || c.Outcome != complaint.NotAgreed || c.AnsweredAt.IsZero() {
		t.Fatalf("%s %s", c.Stage, c.Outcome)
	}
	if last := c.Steps[len(c.Steps)-1]; !slices.Equal(last.Detail.Bodies, []string{"ombudsman", "12315"}) || last.Detail.Medium != "letter" {
		t.Fatalf("%+v", last)
	}
	for _, action := range []complaint.Action{complaint.Verify, complaint.Reopen, complaint.Reply} {
		by := mei
		if action == complaint.Reply {
			by = flow.Actor{Subject: "process:complaint"}
		}
		if _, err := c.Decide(decide(action, by), p, monday); problem.From(err).Code != "complaint_closed" {
			t.Errorf("%s after the final answer: %v", action, err)
		}
	}
	c = walkBy(t, p, c, decide(complaint.Refer, mei))
	if _, err := c.Decide(decide(complaint.Refer, mei, func(d *complaint.Decision) { d.Body = "newspaper" }), p, monday); problem.From(err).Code != "decision_invalid" {
		t.Errorf("to a body that the policy does not know: %v", err)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	strict, lenient := thorough(), thorough()
	strict.Reopens = 0
	lenient.OutsideBodies, lenient.Reopens = nil, 0
	for _, c := range []struct {
		name    string
		policy  policy.Policy
		kind    string
		score   int
		stage   complaint.Stage
		outcome complaint.Outcome
	}{
		{"csat 3 is good enough", thorough(), "csat", 3, complaint.Closed, complaint.Settled},
		{"csat 2 is low", thorough(), "csat", 2, complaint.Assessed, ""},
		{"nps 7 is good enough", thorough(), "nps", 7, complaint.Closed, complaint.Settled},
		{"nps 6 is a detractor's", thorough(), "nps", 6, complaint.Assessed, ""},
		{"nps 0 is a score", thorough(), "nps", 0, complaint.Assessed, ""},
		{"ces 4 is good enough", thorough(), "ces", 4, complaint.Closed, complaint.Settled},
		{"ces 3 is low", thorough(), "ces", 3, complaint.Assessed, ""},
		{"low, and never dealt with anew", strict, "csat", 1, complaint.Answering, ""},
		{"low, and no outside bodies to name", lenient, "csat", 1, complaint.Closed, complaint.NotAgreed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			end := carriedOut(t, c.policy, walkBy(t, c.policy, registered(t), decide(complaint.Assess, mei)))
			end = walkBy(t, c.policy, end, decide(complaint.Verify, mei, func(d *complaint.Decision) { d.Score, d.ScoreKind = c.score, c.kind }))
			if end.Stage != c.stage || end.Outcome != c.outcome {
				t.Fatalf("got %s %q, want %s %q", end.Stage, end.Outcome, c.stage, c.outcome)
			}
		})
	}
}

func TestACustomerWhoGivesNoVerdictIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	p := thorough()
	c := carriedOut(t, p, walkBy(t, p, registered(t), decide(complaint.Assess, mei)))
	c = c.Overdue(c.DueAt, p, c.DueAt)
	if c.Stage != complaint.Closed || c.Outcome != complaint.Settled || c.Score != nil {
		t.Fatalf("%s %s", c.Stage, c.Outcome)
	}
	late := walkBy(t, p, c, decide(complaint.Verify, mei, score(1)))
	if late.Stage != complaint.Assessed || late.Level != 2 || late.Outcome != "" || !late.ClosedAt.IsZero() {
		t.Fatalf("a low score that came late: %s at level %d", late.Stage, late.Level)
	}
	if last := late.Steps[len(late.Steps)-1]; last.Action != complaint.Reopen || last.Detail.Before != complaint.Settled || last.Detail.Why != "low_score" {
		t.Fatalf("%+v", last)
	}
	good := walkBy(t, p, c, decide(complaint.Verify, mei))
	if good.Stage != complaint.Closed || good.Score == nil || *good.Score != 5 {
		t.Fatalf("%s, score %v", good.Stage, good.Score)
	}
	if _, err := good.Decide(decide(complaint.Verify, mei), p, monday); problem.From(err).Code != "complaint_closed" {
		t.Fatalf("a second verdict: %v", err)
	}
}

func TestTheWordOfASilentCustomerReopens(t *testing.T) {
	t.Parallel()
	p := policy.Standard()
	refund := complaint.PartDraft{Kind: complaint.Refund, OrderID: id(), AmountMinor: 1_000}
	c := walk(t, registered(t), append(toProposal(), decide(complaint.Propose, mei, func(d *complaint.Decision) { d.Parts = []complaint.PartDraft{refund} }))...)
	heard := flow.Actor{Subject: "process:complaint"}
	reply := decide(complaint.Reply, heard, func(d *complaint.Decision) { d.Channel = "email" })
	c = c.Overdue(c.DueAt, p, c.DueAt)
	if c = walk(t, c, reply); c.Reminders != 0 || c.Stage != complaint.Offered {
		t.Fatalf("a customer who says something is not silent: %s after %d reminders", c.Stage, c.Reminders)
	}
	for range p.Reminders + 1 {
		c = c.Overdue(c.DueAt, p, c.DueAt)
	}
	if c.Stage != complaint.Closed || c.Outcome != complaint.Unanswered {
		t.Fatalf("%s %s", c.Stage, c.Outcome)
	}
	for _, word := range []complaint.Decision{decide(complaint.Reply, heard), decide(complaint.Reopen, mei)} {
		open := walk(t, c, word)
		if open.Stage != complaint.Found || open.Silent || open.Level != 1 || open.Outcome != "" {
			t.Fatalf("after %s: %s at level %d", word.Action, open.Stage, open.Level)
		}
		if steps := open.Steps[len(c.Steps):]; steps[len(steps)-1].Action != complaint.Reopen || steps[len(steps)-1].Detail.Why != "customer_replied" {
			t.Fatalf("%+v", steps)
		}
		again := walk(t, open, decide(complaint.Propose, mei), decide(complaint.Accept, mei))
		if again.Stage != complaint.Accepted || again.Proposal.No != 2 {
			t.Fatalf("%s", again.Stage)
		}
	}
	if _, err := c.Decide(decide(complaint.Reply, mei), p, monday); problem.From(err).Code != "decision_unknown" {
		t.Fatalf("a person cannot make up what was heard: %v", err)
	}
}

func TestResponsibilityIsRefusedOnceAndRuledOn(t *testing.T) {
	t.Parallel()
	c := walk(t, registered(t), decide(complaint.Assess, mei), decide(complaint.Assign, mei))
	silent := decide(complaint.Decline, wang, func(d *complaint.Decision) { d.Said = nil })
	if _, err := c.Decide(silent, policy.Standard(), monday); problem.From(err).Code != "decision_invalid" {
		t.Fatalf("refused without a reason: %v", err)
	}
	c = walk(t, c, decide(complaint.Decline, wang))
	if c.Stage != complaint.Disputed {
		t.Fatal(c.Stage)
	}
	for by, code := range map[*flow.Actor]string{&mei: "permission_missing", &wang: "ruling_by_decliner"} {
		if _, err := c.Decide(decide(complaint.Rule, *by), policy.Standard(), monday); problem.From(err).Code != code {
			t.Errorf("by %s: %v", by.Subject, err)
		}
	}
	if _, err := c.Decide(decide(complaint.Assign, mei), policy.Standard(), monday); problem.From(err).Code != "complaint_stage" {
		t.Fatalf("assigned past the supervisor: %v", err)
	}
	c = walk(t, c, decide(complaint.Rule, chen))
	if c.Stage != complaint.Assigned || c.Unit != "delivery" || c.Person != "sun" {
		t.Fatalf("%s %s %s", c.Stage, c.Unit, c.Person)
	}
	if _, err := c.Decide(decide(complaint.Decline, wang), policy.Standard(), monday); problem.From(err).Code != "responsibility_ruled" {
		t.Fatalf("refused again: %v", err)
	}
}

func TestTheCustomerObjectsOnce(t *testing.T) {
	t.Parallel()
	p := policy.Standard()
	unfounded := decide(complaint.Find, mei, func(d *complaint.Decision) { d.Finding = "unfounded" })
	c := walk(t, registered(t), decide(complaint.Assess, mei), decide(complaint.Assign, mei))
	if _, err := c.Decide(unfounded, p, monday); problem.From(err).Code != "decision_invalid" {
		t.Fatalf("unfounded without reasons: %v", err)
	}
	unfounded.Said = []complaint.Word{complaint.Reason}
	c = walk(t, c, unfounded, decide(complaint.Object, mei))
	if last := c.Steps[len(c.Steps)-1]; c.Stage != complaint.Assigned || last.Detail.Why != "objection" || last.Detail.Before != "" {
		t.Fatalf("%s %+v", c.Stage, last)
	}
	c = walk(t, c, decide(complaint.Find, mei))
	if _, err := c.Decide(decide(complaint.Object, mei), p, monday); problem.From(err).Code != "objected_already" {
		t.Fatalf("twice: %v", err)
	}
	refused := walk(t, registered(t), decide(complaint.Assess, mei, func(d *complaint.Decision) { d.Admissible, d.Severity = false, 0 }))
	again := walk(t, refused, decide(complaint.Object, mei))
	if last := again.Steps[len(again.Steps)-1]; again.Stage != complaint.Registered || last.Detail.Before != complaint.Inadmissible {
		t.Fatalf("one that was not taken up: %s %+v", again.Stage, last)
	}
	withdrawn := walk(t, registered(t), decide(complaint.Withdraw, mei))
	if _, err := withdrawn.Decide(decide(complaint.Object, mei), p, monday); problem.From(err).Code != "complaint_closed" {
		t.Fatalf("one that was withdrawn: %v", err)
	}
}

func TestAFinalAnswerNeedsBodiesToName(t *testing.T) {
	t.Parallel()
	c := walk(t, registered(t), toProposal()...)
	if _, err := c.Decide(decide(complaint.Answer, wang), policy.Standard(), monday); problem.From(err).Code != "outside_bodies_missing" {
		t.Fatalf("got %v", err)
	}
	for name, change := range map[string]func(*complaint.Decision){
		"on the telephone": func(d *complaint.Decision) { d.Medium = "phone" },
		"without words":    func(d *complaint.Decision) { d.Said = nil },
	} {
		if _, err := c.Decide(decide(complaint.Answer, wang, change), thorough(), monday); problem.From(err).Code != "decision_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if end := walkBy(t, thorough(), c, decide(complaint.Answer, wang)); end.Outcome != complaint.Answered {
		t.Fatalf("got %s", end.Outcome)
	}
	p := thorough()
	p.Rounds = 1
	rejected := walkBy(t, p, c, decide(complaint.Propose, mei), decide(complaint.Reject, mei))
	if rejected.Stage != complaint.Answering {
		t.Fatalf("after the last round: %s", rejected.Stage)
	}
}

func TestWhatIsPossibleAtAnyTime(t *testing.T) {
	t.Parallel()
	road := append(toProposal(), decide(complaint.Propose, mei, costing(5_001)), decide(complaint.Approve, wang), decide(complaint.Accept, mei))
	for n := range len(road) + 1 {
		c := walk(t, registered(t), road[:n]...)
		crisis := id()
		after := walk(t, c, decide(complaint.Add, mei), decide(complaint.Acknowledge, mei),
			decide(complaint.Escalate, mei, func(d *complaint.Decision) { d.CrisisID = crisis }))
		if after.Stage != c.Stage || !after.DueAt.Equal(c.DueAt) || after.CrisisID != crisis || after.EscalatedAt.IsZero() || after.AcknowledgedAt.IsZero() {
			t.Errorf("while %s: %s, due %s, crisis %s", c.Stage, after.Stage, after.DueAt, after.CrisisID)
		}
		for _, action := range []complaint.Action{complaint.Escalate, complaint.Acknowledge} {
			if _, err := after.Decide(decide(action, mei), policy.Standard(), monday); problem.KindOf(err) != problem.Conflict {
				t.Errorf("%s twice: %v", action, err)
			}
		}
		if n >= 2 { // somebody answers for it, or should
			other := walk(t, c, decide(complaint.Assign, mei, func(d *complaint.Decision) { d.Unit, d.Person = "bar", "sun" }))
			if other.Stage != c.Stage || other.Person != "sun" || other.Unit != "bar" {
				t.Errorf("another person while %s: %s %s", c.Stage, other.Stage, other.Person)
			}
		}
	}
}

func TestWhatWasLearned(t *testing.T) {
	t.Parallel()
	p := policy.Standard()
	c := carriedOut(t, p, walk(t, registered(t), decide(complaint.Assess, mei)))
	if _, err := c.Decide(decide(complaint.Prevent, mei, func(d *complaint.Decision) { d.DueAt = monday }), p, monday); problem.From(err).Code != "decision_invalid" {
		t.Fatalf("due already: %v", err)
	}
	if _, err := c.Decide(decide(complaint.Finish, mei), p, monday); problem.From(err).Code != "no_prevention" {
		t.Fatalf("nothing to finish: %v", err)
	}
	c = walk(t, c, decide(complaint.Prevent, mei), decide(complaint.Finish, mei))
	if len(c.Preventions) != 1 || !c.Preventions[0].DoneAt.Equal(monday) || c.Preventions[0].Owner != "zhao" {
		t.Fatalf("%+v", c.Preventions)
	}
	accountable := flow.Actor{Subject: "zhao", Roles: wang.Roles}
	if _, err := c.Decide(decide(complaint.Review, accountable), p, monday); problem.From(err).Code != "review_by_accountable" {
		t.Fatalf("by the accountable person: %v", err)
	}
	c = walk(t, c, decide(complaint.Review, wang))
	if _, err := c.Decide(decide(complaint.Review, chen), p, monday); problem.From(err).Code != "reviewed_already" {
		t.Fatalf("twice: %v", err)
	}
}

func TestDangerIsContainedAtOnce(t *testing.T) {
	t.Parallel()
	danger := decide(complaint.Assess, mei, func(d *complaint.Decision) { d.Safety = true })
	if _, err := registered(t).Decide(danger, policy.Standard(), monday); problem.From(err).Code != "decision_invalid" {
		t.Fatalf("nothing was done: %v", err)
	}
	danger.Containment = "sale_stopped"
	if c := walk(t, registered(t), danger); !c.Safety || c.Containment != "sale_stopped" {
		t.Fatalf("%+v", c)
	}
}

func TestTheMenuSaysWhatARemedyCostsAndNeeds(t *testing.T) {
	t.Parallel()
	p := policy.Standard()
	p.Menu = policy.Menu{Entries: []policy.Entry{
		{Code: "dessert", Kind: policy.FreeService, Justice: []policy.Justice{policy.Interaction}, CostMinor: 1_500},
		{Code: "new-pizza", Kind: policy.Exchange, Justice: []policy.Justice{policy.Outcome}, CostMinor: 4_000, Consent: true},
		{Code: "banquet", Kind: policy.FreeService, Justice: []policy.Justice{policy.Outcome}, CostMinor: 60_000, Consent: true},
		{Code: "voucher", Kind: policy.Voucher, Justice: []policy.Justice{policy.Outcome}},
	}}
	propose := func(parts ...complaint.PartDraft) complaint.Decision {
		return decide(complaint.Propose, mei, func(d *complaint.Decision) { d.Parts = parts })
	}
	c := walk(t, registered(t), toProposal()...)
	both := walkBy(t, p, c, propose(complaint.PartDraft{Kind: policy.Exchange}, complaint.PartDraft{Kind: policy.FreeService}))
	if both.Proposal.CostMinor != 5_500 || both.Stage != complaint.Proposed || both.Proposal.Parts[0].Entry != "new-pizza" {
		t.Fatalf("%s %+v", both.Stage, both.Proposal)
	}
	dear := walkBy(t, p, c, propose(complaint.PartDraft{Kind: policy.FreeService, Entry: "banquet"}))
	if dear.Proposal.Approval != policy.Director {
		t.Fatalf("%+v", dear.Proposal)
	}
	special := walkBy(t, p, c, propose(complaint.PartDraft{Kind: policy.Exchange, AmountMinor: 100}, complaint.PartDraft{Kind: policy.Voucher, AmountMinor: 900}))
	if special.Proposal.CostMinor != 1_000 || special.Proposal.Parts[0].AmountMinor != 900 {
		t.Fatalf("%+v", special.Proposal)
	}
	silent := special
	for silent.Stage == complaint.Offered {
		silent = silent.Overdue(silent.DueAt, p, silent.DueAt)
	}
	if states := []complaint.PartState{silent.Proposal.Parts[0].State, silent.Proposal.Parts[1].State}; silent.Stage != complaint.Accepted ||
		!slices.Equal(states, []complaint.PartState{complaint.Planned, complaint.Dropped}) {
		t.Fatalf("%s %v: an exchange needs the customer's consent, a voucher does not", silent.Stage, states)
	}
	for name, part := range map[string]complaint.PartDraft{
		"what is not on the menu":       {Kind: policy.Apology},
		"an entry that is not there":    {Kind: policy.FreeService, Entry: "dinner"},
		"an entry of another kind":      {Kind: policy.Exchange, Entry: "dessert"},
		"a voucher of nothing":          {Kind: policy.Voucher},
		"a negative cost":               {Kind: policy.Exchange, AmountMinor: -1},
		"an exchange of an order":       {Kind: policy.Exchange, OrderID: uuid.New()},
		"more points than points allow": {Kind: policy.Voucher, Points: 1, AmountMinor: 1},
	} {
		if _, err := c.Decide(propose(part), p, monday); problem.From(err).Code != "decision_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatCannotBeTakenBackAsksAPerson(t *testing.T) {
	t.Parallel()
	p := policy.Standard()
	refund := func() complaint.PartDraft {
		return complaint.PartDraft{Kind: complaint.Refund, OrderID: id(), AmountMinor: 1_000}
	}
	propose := decide(complaint.Propose, mei, func(d *complaint.Decision) {
		d.Parts = []complaint.PartDraft{refund(), refund(), {Kind: complaint.Points, Points: 500}}
	})
	accepted := walk(t, registered(t), append(toProposal(), propose, decide(complaint.Accept, mei))...)
	stuck := accepted.CannotExecute(complaint.Failure{Proposal: 1, Part: 3, Code: "return_invalid", Stuck: true,
		Results: []complaint.PartResult{{No: 1, Reference: "entry"}, {No: 2, Reference: "return", AmountMinor: 800}}, TakenBack: nil}, p, monday)
	states := func(c complaint.Complaint) (all []complaint.PartState) {
		for _, part := range c.Proposal.Parts {
			all = append(all, part.State)
		}
		return all
	}
	if stuck.Stage != complaint.Stuck || !slices.Equal(states(stuck), []complaint.PartState{complaint.Done, complaint.Done, complaint.Failed}) {
		t.Fatalf("%s %v", stuck.Stage, states(stuck))
	}
	retried := walk(t, stuck, decide(complaint.Retry, mei))
	if retried.Stage != complaint.Accepted || !slices.Equal(states(retried), []complaint.PartState{complaint.Done, complaint.Done, complaint.Planned}) {
		t.Fatalf("%s %v", retried.Stage, states(retried))
	}
	if done := retried.Executed(1, []complaint.PartResult{{No: 3, Reference: "return", AmountMinor: 1_000}}, p, monday); done.Outcome != complaint.Settled ||
		done.Proposal.CostMinor != 2_300 {
		t.Fatalf("%s at the cost of %d", done.Outcome, done.Proposal.CostMinor)
	}
	left := walk(t, stuck, decide(complaint.Settle, wang))
	if left.Outcome != complaint.Settled || left.Proposal.CostMinor != 1_300 {
		t.Fatalf("%s at the cost of %d", left.Outcome, left.Proposal.CostMinor)
	}
	other := walk(t, stuck, decide(complaint.Propose, mei))
	if other.Stage != complaint.Offered || other.Proposal.No != 2 || other.CarriedMinor != 1_300 {
		t.Fatalf("%s, %d spent already", other.Stage, other.CarriedMinor)
	}
}

func TestDeadlinesThatNothingPauses(t *testing.T) {
	t.Parallel()
	p := thorough()
	p.LegalDays, p.LegalWarnDays = 15, []int{5, 1, 20}
	c, _ := complaint.RegisterComplaint(id(), coldPizza(), "mei", p, weekdays(t), monday)
	due := time.Date(2026, 12, 14, 17, 0, 0, 0, time.UTC) // the fifteenth working day after Monday the 23rd
	if !c.LegalDueAt.Equal(due) {
		t.Fatalf("due %s", c.LegalDueAt)
	}
	type ring struct {
		at time.Time
		of complaint.Deadline
	}
	var rings []ring
	for _, a := range c.Alarms {
		rings = append(rings, ring{a.At, a.Deadline})
	}
	want := []ring{{monday.Add(24 * time.Hour), complaint.Acknowledgement}, {time.Date(2026, 12, 7, 17, 0, 0, 0, time.UTC), complaint.FinalAnswer},
		{time.Date(2026, 12, 11, 17, 0, 0, 0, time.UTC), complaint.FinalAnswer}, {due, complaint.FinalAnswer}}
	if !slices.Equal(rings, want) {
		t.Fatalf("got %v", rings)
	}
	acknowledged := walkBy(t, p, c, decide(complaint.Acknowledge, mei))
	if len(acknowledged.Alarms) != 3 {
		t.Fatalf("%v", acknowledged.Alarms)
	}
	rung := acknowledged.Overdue(want[1].at, p, want[1].at)
	if last := rung.Steps[len(rung.Steps)-1]; last.Action != complaint.Warn || last.Detail.DaysLeft != 5 || !last.Detail.DueAt.Equal(due) || len(rung.Alarms) != 2 {
		t.Fatalf("%+v", last)
	}
	if again := rung.Overdue(want[1].at, p, want[1].at); again.Version != rung.Version {
		t.Fatal("the same warning twice")
	}
	passed := rung.Overdue(due, p, due)
	if n := len(passed.Steps); passed.Steps[n-1].Action != complaint.Miss || passed.Steps[n-2].Action != complaint.Warn || len(passed.Alarms) != 0 {
		t.Fatalf("%+v", passed.Steps)
	}
	answered := walkBy(t, p, rung, append(toProposal(), decide(complaint.Answer, wang))...)
	if len(answered.Alarms) != 0 {
		t.Fatalf("what is done does not ring: %v", answered.Alarms)
	}
	// One that was closed in time, and is taken up again after the deadline, has not missed it; one that waits for a verdict has.
	verifying := carriedOut(t, p, walkBy(t, p, acknowledged, decide(complaint.Assess, mei)))
	if waiting := verifying.Overdue(due, p, due); waiting.Steps[len(waiting.Steps)-1].Action != complaint.Miss {
		t.Fatalf("%+v", waiting.Steps)
	}
	late := decide(complaint.Verify, mei, score(1))
	reopened, err := verifying.Overdue(verifying.DueAt, p, verifying.DueAt).Decide(late, p, due.Add(time.Hour))
	if err != nil || reopened.Stage != complaint.Assessed || len(reopened.Alarms) != 0 {
		t.Fatalf("%s %v %v", reopened.Stage, reopened.Alarms, err)
	}
}

// weekdays is a calendar that is open from nine to five, Monday to Friday, in UTC.
func weekdays(t *testing.T) calendar.Calendar {
	t.Helper()
	day := []businesstime.Interval{{From: 9 * 60, To: 17 * 60}}
	c, faults := calendar.Draft{Name: "law", Zone: "Etc/UTC", Hours: businesstime.Hours{Week: businesstime.Week{
		Monday: day, Tuesday: day, Wednesday: day, Thursday: day, Friday: day,
	}}}.Calendar()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return c
}
