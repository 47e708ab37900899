package complaint_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/complaint"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

var (
	monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

	mei   = flow.Actor{Subject: "mei", Roles: []string{auth.RoleAgent}}
	wang  = flow.Actor{Subject: "wang", Roles: []string{auth.RoleManager}}
	chen  = flow.Actor{Subject: "chen", Roles: []string{auth.RoleAdmin}}
	other = flow.Actor{Subject: "lin", Roles: []string{auth.RoleMarketing}}
)

// id gives a new id.
func id() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func coldPizza() complaint.Draft {
	return complaint.Draft{CustomerID: id(), Category: "product", Channel: "phone", Description: "The pizza was cold."}
}

// registered is a complaint that was just taken in.
func registered(t *testing.T) complaint.Complaint {
	t.Helper()
	c, faults := complaint.RegisterComplaint(id(), coldPizza(), "mei", policy.Standard(), calendar.Always(), monday)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	c.Number = "T-000001"
	return c
}

// decide makes a decision as if it had been sent.
func decide(a complaint.Action, by flow.Actor, change ...func(*complaint.Decision)) complaint.Decision {
	d := complaint.Decision{ID: id(), Action: a, By: by}
	switch a {
	case complaint.Assess:
		d.Admissible, d.Severity = true, 3
	case complaint.Assign:
		d.Unit, d.Person = "kitchen", "zhao"
	case complaint.Find:
		d.Finding, d.Cause = "founded", "product"
	case complaint.Rule:
		d.Unit, d.Person = "delivery", "sun"
	case complaint.Decline, complaint.Object, complaint.Reopen, complaint.Settle:
		d.Said = []complaint.Word{complaint.Reason}
	case complaint.Acknowledge:
		d.Channel = "phone"
	case complaint.Verify:
		d.Score, d.ScoreKind = 5, "csat"
	case complaint.Answer:
		d.Medium, d.Said = "letter", []complaint.Word{complaint.AnswerText}
	case complaint.Refer:
		d.Body = "12315"
	case complaint.Add:
		d.Said = []complaint.Word{complaint.Facts}
	case complaint.Prevent:
		d.Owner, d.DueAt, d.Said = "zhao", monday.AddDate(0, 1, 0), []complaint.Word{complaint.PreventionText}
	case complaint.Finish:
		d.Prevention = 1
	case complaint.Propose:
		d.Currency, d.Parts = "CNY", []complaint.PartDraft{{Kind: complaint.Points, Points: 500}}
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func costing(points int64) func(*complaint.Decision) {
	return func(d *complaint.Decision) { d.Parts[0].Points = points }
}

// walk decides one after the other under the standard policy; each must be possible.
func walk(t *testing.T, c complaint.Complaint, decisions ...complaint.Decision) complaint.Complaint {
	t.Helper()
	return walkBy(t, policy.Standard(), c, decisions...)
}

func walkBy(t *testing.T, p policy.Policy, c complaint.Complaint, decisions ...complaint.Decision) complaint.Complaint {
	t.Helper()
	for _, d := range decisions {
		d.ComplaintID = c.ID
		next, err := c.Decide(d, p, monday)
		if err != nil {
			t.Fatalf("%s while %s: %v", d.Action, c.Stage, err)
		}
		if next.Version != c.Version+1 || len(next.Steps) <= len(c.Steps) || next.Steps[len(c.Steps)].Action != d.Action {
			t.Fatalf("%s: version %d after %d, %d steps after %d", d.Action, next.Version, c.Version, len(next.Steps), len(c.Steps))
		}
		c = next
	}
	return c
}

// toProposal is the road to where a remedy can be proposed.
func toProposal() []complaint.Decision {
	return []complaint.Decision{decide(complaint.Assess, mei), decide(complaint.Assign, mei), decide(complaint.Find, mei)}
}

func TestTheRoadOfAComplaint(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		decisions []complaint.Decision
		stage     complaint.Stage
		outcome   complaint.Outcome
	}{
		{"not taken up", []complaint.Decision{decide(complaint.Assess, mei, func(d *complaint.Decision) { d.Admissible, d.Severity = false, 0 })},
			complaint.Closed, complaint.Inadmissible},
		{"cheap: nobody need approve", append(toProposal(), decide(complaint.Propose, mei)), complaint.Offered, ""},
		{"dear: a manager has to", append(toProposal(), decide(complaint.Propose, mei, costing(5_001))), complaint.Proposed, ""},
		{"approved", append(toProposal(), decide(complaint.Propose, mei, costing(5_001)), decide(complaint.Approve, wang)), complaint.Offered, ""},
		{"very dear, approved by a director", append(toProposal(), decide(complaint.Propose, mei, costing(50_001)), decide(complaint.Approve, chen)),
			complaint.Offered, ""},
		{"refused: something else has to be proposed", append(toProposal(), decide(complaint.Propose, mei, costing(5_001)),
			decide(complaint.Refuse, wang), decide(complaint.Propose, mei)), complaint.Offered, ""},
		{"accepted", append(toProposal(), decide(complaint.Propose, mei), decide(complaint.Accept, mei)), complaint.Accepted, ""},
		{"rejected: another proposal is due", append(toProposal(), decide(complaint.Propose, mei), decide(complaint.Reject, mei)), complaint.Found, ""},
		{"rejected three times", append(toProposal(),
			decide(complaint.Propose, mei), decide(complaint.Reject, mei), decide(complaint.Propose, mei), decide(complaint.Reject, mei),
			decide(complaint.Propose, mei), decide(complaint.Reject, mei)), complaint.Closed, complaint.NotAgreed},
		{"somebody else answers for it", []complaint.Decision{decide(complaint.Assess, mei), decide(complaint.Assign, mei), decide(complaint.Assign, mei)},
			complaint.Assigned, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			end := walk(t, registered(t), c.decisions...)
			if end.Stage != c.stage || end.Outcome != c.outcome {
				t.Fatalf("got %s %q, want %s %q", end.Stage, end.Outcome, c.stage, c.outcome)
			}
			if (end.Stage == complaint.Closed) == end.ClosedAt.IsZero() || (end.Stage == complaint.Closed) != end.DueAt.IsZero() != (end.Stage == complaint.Accepted) {
				t.Fatalf("closed at %s, due at %s", end.ClosedAt, end.DueAt)
			}
		})
	}
}

func TestAGraveComplaintIsNeverSettledWithoutASecondLook(t *testing.T) {
	t.Parallel()
	grave := decide(complaint.Assess, mei, func(d *complaint.Decision) { d.Severity = 1 })
	c := walk(t, registered(t), grave, decide(complaint.Assign, mei), decide(complaint.Find, mei), decide(complaint.Propose, mei))
	if c.Stage != complaint.Proposed || c.Proposal.Approval != policy.Manager {
		t.Fatalf("%s, approval by %s", c.Stage, c.Proposal.Approval)
	}
}

func TestItCanBeWithdrawnUntilTheCustomersWordIsGiven(t *testing.T) {
	t.Parallel()
	road := append(toProposal(), decide(complaint.Propose, mei, costing(5_001)), decide(complaint.Approve, wang))
	for n := range len(road) + 1 {
		c := walk(t, registered(t), append(slices.Clone(road[:n]), decide(complaint.Withdraw, mei))...)
		if c.Stage != complaint.Closed || c.Outcome != complaint.Withdrawn {
			t.Errorf("after %d decisions: %s %s", n, c.Stage, c.Outcome)
		}
	}
	accepted := walk(t, registered(t), append(road, decide(complaint.Accept, mei))...)
	if _, err := accepted.Decide(decide(complaint.Withdraw, mei), policy.Standard(), monday); problem.From(err).Code != "complaint_stage" {
		t.Fatalf("got %v", err)
	}
}

func TestDecisionsAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	dear := append(toProposal(), decide(complaint.Propose, wang, costing(5_001)))
	veryDear := append(toProposal(), decide(complaint.Propose, mei, costing(50_001)))
	closed := []complaint.Decision{decide(complaint.Withdraw, mei)}
	cases := []struct {
		name     string
		before   []complaint.Decision
		decision complaint.Decision
		kind     problem.Kind
		code     string
	}{
		{"in a wrong state", nil, decide(complaint.Propose, mei), problem.Conflict, "complaint_stage"},
		{"twice", []complaint.Decision{decide(complaint.Assess, mei)}, decide(complaint.Assess, mei), problem.Conflict, "complaint_stage"},
		{"of a closed one", closed, decide(complaint.Assess, mei), problem.Conflict, "complaint_closed"},
		{"by a person without the role", nil, decide(complaint.Assess, other), problem.Forbidden, "permission_missing"},
		{"approval by an agent", dear, decide(complaint.Approve, mei), problem.Forbidden, "permission_missing"},
		{"approval by the proposer", dear, decide(complaint.Approve, wang), problem.Forbidden, "approval_by_proposer"},
		{"refusal by the proposer", dear, decide(complaint.Refuse, wang), problem.Forbidden, "approval_by_proposer"},
		{"approval beyond a manager's limit", veryDear, decide(complaint.Approve, wang), problem.Forbidden, "approval_beyond_limit"},
		{"what nobody knows", nil, decide("flatter", mei), problem.NotFound, "decision_unknown"},
		{"a severity of 5", nil, decide(complaint.Assess, mei, func(d *complaint.Decision) { d.Severity = 5 }), problem.Unprocessable, "decision_invalid"},
		{"a severity of what is not taken up", nil, decide(complaint.Assess, mei, func(d *complaint.Decision) { d.Admissible = false }),
			problem.Unprocessable, "decision_invalid"},
		{"a unit that is no code", []complaint.Decision{decide(complaint.Assess, mei)},
			decide(complaint.Assign, mei, func(d *complaint.Decision) { d.Unit = "The Kitchen" }), problem.Unprocessable, "decision_invalid"},
		{"a finding that is none", toProposal()[:2], decide(complaint.Find, mei, func(d *complaint.Decision) { d.Finding = "so so" }),
			problem.Unprocessable, "decision_invalid"},
	}
	for name, change := range map[string]func(*complaint.Decision){
		"no points":               costing(0),
		"negative points":         costing(-1),
		"more points than anyone": costing(1_000_001),
		"no parts":                func(d *complaint.Decision) { d.Parts = nil },
		"eleven parts":            func(d *complaint.Decision) { d.Parts = slices.Repeat(d.Parts, 11) },
		"a currency that is none": func(d *complaint.Decision) { d.Currency = "XXX" },
		"a refund of no order":    func(d *complaint.Decision) { d.Parts = []complaint.PartDraft{{Kind: complaint.Refund, AmountMinor: 1}} },
		"a refund of nothing":     func(d *complaint.Decision) { d.Parts = []complaint.PartDraft{{Kind: complaint.Refund, OrderID: id()}} },
		"an apology with points":  func(d *complaint.Decision) { d.Parts[0].Kind = complaint.Apology },
		"points of an order":      func(d *complaint.Decision) { d.Parts[0].OrderID = id() },
		"flowers":                 func(d *complaint.Decision) { d.Parts = []complaint.PartDraft{{Kind: "flowers"}} },
		"too dear to be counted": func(d *complaint.Decision) {
			d.Parts = slices.Repeat([]complaint.PartDraft{{Kind: complaint.Refund, OrderID: id(), AmountMinor: 1 << 52}}, 3)
		},
	} {
		cases = append(cases, struct {
			name     string
			before   []complaint.Decision
			decision complaint.Decision
			kind     problem.Kind
			code     string
		}{"a proposal of " + name, toProposal(), decide(complaint.Propose, mei, change), problem.Unprocessable, "decision_invalid"})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := walk(t, registered(t), c.before...)
			after, err := before.Decide(c.decision, policy.Standard(), monday)
			if p := problem.From(err); p == nil || p.Kind != c.kind || p.Code != c.code || p.Detail == "" {
				t.Fatalf("got %v, want %s %s", err, c.kind, c.code)
			}
			if after.Version != before.Version || after.Stage != before.Stage {
				t.Fatalf("it was refused, and is %s, version %d", after.Stage, after.Version)
			}
		})
	}
}

func TestWhatIsOverdueIsRemindedOf(t *testing.T) {
	t.Parallel()
	p := policy.Standard()
	c := registered(t)
	tuesday := monday.Add(p.StepWithin)
	late := c.Overdue(c.DueAt, p, tuesday)
	if late.Reminders != 1 || late.Stage != complaint.Registered || !late.DueAt.Equal(tuesday.Add(p.StepWithin)) {
		t.Fatalf("%d reminders, %s, due %s", late.Reminders, late.Stage, late.DueAt)
	}
	if again := late.Overdue(c.DueAt, p, tuesday); again.Version != late.Version {
		t.Fatal("the same reminder counted twice")
	}
	assessed := walk(t, late, decide(complaint.Assess, mei))
	if assessed.Reminders != 0 {
		t.Fatalf("%d reminders of the step before", assessed.Reminders)
	}
	if after := assessed.Overdue(late.DueAt, p, tuesday); after.Version != assessed.Version {
		t.Fatal("a reminder of a step that was taken")
	}
}

func TestAnApprovalThatNobodyGivesGoesOneLevelUp(t *testing.T) {
	t.Parallel()
	c := walk(t, registered(t), append(toProposal(), decide(complaint.Propose, mei, costing(5_001)))...)
	before := c.Proposal
	late := c.Overdue(c.DueAt, policy.Standard(), c.DueAt)
	if late.Proposal.Approval != policy.Director || before.Approval != policy.Manager {
		t.Fatalf("%s, and before %s", late.Proposal.Approval, before.Approval)
	}
	if _, err := late.Decide(decide(complaint.Approve, wang), policy.Standard(), monday); problem.From(err).Code != "approval_beyond_limit" {
		t.Fatalf("a manager: %v", err)
	}
}

func TestSilenceIsNoConsent(t *testing.T) {
	t.Parallel()
	p := policy.Standard()
	refund := complaint.PartDraft{Kind: complaint.Refund, OrderID: id(), AmountMinor: 1_000}
	silent := func(parts ...complaint.PartDraft) complaint.Complaint {
		propose := decide(complaint.Propose, mei, func(d *complaint.Decision) { d.Parts = parts })
		c := walk(t, registered(t), append(toProposal(), propose)...)
		for n := range p.Reminders {
			if c = c.Overdue(c.DueAt, p, c.DueAt); c.Stage != complaint.Offered || c.Reminders != n+1 {
				t.Fatalf("%s after %d reminders", c.Stage, c.Reminders)
			}
		}
		return c.Overdue(c.DueAt, p, c.DueAt)
	}
	both := silent(refund, complaint.PartDraft{Kind: complaint.Points, Points: 500})
	if both.Stage != complaint.Accepted || both.Proposal.Parts[0].State != complaint.Planned || both.Proposal.Parts[1].State != complaint.Dropped {
		t.Fatalf("%s %+v", both.Stage, both.Proposal.Parts)
	}
	end := both.Executed(1, []complaint.PartResult{{No: 1, Reference: "entry"}}, p, monday)
	if end.Outcome != complaint.Unanswered || end.Proposal.CostMinor != 500 {
		t.Fatalf("%s at the cost of %d", end.Outcome, end.Proposal.CostMinor)
	}
	if only := silent(refund); only.Stage != complaint.Closed || only.Outcome != complaint.Unanswered {
		t.Fatalf("%s %s", only.Stage, only.Outcome)
	}
}

func TestWhatWasCarriedOutIsCounted(t *testing.T) {
	t.Parallel()
	p := policy.Standard()
	propose := decide(complaint.Propose, mei, func(d *complaint.Decision) {
		d.Parts = []complaint.PartDraft{{Kind: complaint.Refund, OrderID: id(), AmountMinor: 1_000}, {Kind: complaint.Apology}, {Kind: complaint.Points, Points: 500}}
	})
	accepted := walk(t, registered(t), append(toProposal(), propose, decide(complaint.Accept, mei))...)
	for i, kind := range []complaint.PartKind{complaint.Points, complaint.Apology, complaint.Refund} {
		if accepted.Proposal.Parts[i].Kind != kind || accepted.Proposal.Parts[i].No != i+1 {
			t.Fatalf("part %d is %+v: what cannot be taken back comes last", i+1, accepted.Proposal.Parts[i])
		}
	}
	end := accepted.Executed(1, []complaint.PartResult{{No: 1, Reference: "entry"}, {No: 2}, {No: 3, Reference: "return", AmountMinor: 800}}, p, monday)
	if end.Outcome != complaint.Settled || end.Proposal.CostMinor != 1_300 {
		t.Fatalf("%s at the cost of %d", end.Outcome, end.Proposal.CostMinor)
	}
	if again := end.Executed(1, nil, p, monday); again.Version != end.Version {
		t.Fatal("carried out twice")
	}

	failure := complaint.Failure{Proposal: 1, Part: 3, Code: "return_invalid"}
	failed := accepted.CannotExecute(failure, p, monday)
	states := []complaint.PartState{failed.Proposal.Parts[0].State, failed.Proposal.Parts[1].State, failed.Proposal.Parts[2].State}
	if failed.Stage != complaint.Found || !slices.Equal(states, []complaint.PartState{complaint.TakenBack, complaint.TakenBack, complaint.Failed}) {
		t.Fatalf("%s %v", failed.Stage, states)
	}
	if again := failed.CannotExecute(failure, p, monday); again.Version != failed.Version {
		t.Fatal("failed twice")
	}
	if other := failed.Executed(1, nil, p, monday); other.Version != failed.Version {
		t.Fatal("carried out after it failed")
	}
}

func TestAComplaintIsRegisteredWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*complaint.Draft){
		"customer_id": func(d *complaint.Draft) { d.CustomerID = uuid.Nil },
		"category":    func(d *complaint.Draft) { d.Category = "weather" },
		"channel":     func(d *complaint.Draft) { d.Channel = "By Phone" },
		"description": func(d *complaint.Draft) { d.Description = " \n" },
	} {
		d := coldPizza()
		change(&d)
		_, faults := complaint.RegisterComplaint(id(), d, "mei", policy.Standard(), calendar.Always(), monday)
		if len(faults) != 1 || faults[0].Location != field {
			t.Errorf("%s: %+v", field, faults)
		}
	}
}

func TestTheSameDecisionIsKnownAgain(t *testing.T) {
	t.Parallel()
	d := decide(complaint.Assess, mei, func(d *complaint.Decision) { d.Hash = []byte("first") })
	c := walk(t, registered(t), d)
	if before, err := c.Decided(d); !before || err != nil {
		t.Fatalf("%t %v", before, err)
	}
	d.Hash = []byte("other")
	if _, err := c.Decided(d); problem.From(err).Code != "idempotency_key_reused" {
		t.Fatalf("got %v", err)
	}
	if before, err := c.Decided(decide(complaint.Assess, mei)); before || err != nil {
		t.Fatalf("%t %v", before, err)
	}
}
