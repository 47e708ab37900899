package complaint_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/complaint"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// Every path that a complaint may take, in weeks that pass as fast as nothing happens.

const minute = 1.0 / (24 * 60) // of a day

// walk makes decisions from a day on, a minute apart.
func (c *weeks) walk(day float64, decisions ...complaint.Decision) {
	for i, d := range decisions {
		c.at(day+float64(i)*minute, d)
	}
}

// ended lets the process come to its end; nothing may have been refused.
func (c *weeks) ended() complaint.Complaint {
	c.t.Helper()
	end := c.run()
	for _, err := range c.answers {
		require.NoError(c.t, err)
	}
	return end
}

func actions(c complaint.Complaint) []string {
	list, _ := days(c)
	return list
}

func offering(parts ...complaint.PartDraft) func(*complaint.Decision) {
	return func(d *complaint.Decision) { d.Parts = parts }
}

func verified(p *policy.Policy) { p.VerifyWithin = 14 * 24 * time.Hour }

func answering(p *policy.Policy) {
	p.OutsideBodies = []policy.Body{{Code: "ombudsman", Name: "Ombudsman"}, {Code: "12315", Name: "全国12315平台"}}
}

func TestAcceptedAtOnceAndVerified(t *testing.T) {
	t.Parallel()
	c := open(t, verified)
	c.walk(0.1, append([]complaint.Decision{decide(complaint.Acknowledge, mei)}, append(offerBy(mei), decide(complaint.Accept, mei))...)...)
	c.at(3, decide(complaint.Verify, mei))
	end := c.ended()
	require.Equal(t, []string{"register", "acknowledge", "assess", "assign", "find", "propose", "accept", "execute", "verify"}, actions(end))
	require.Equal(t, complaint.Settled, end.Outcome)
	require.Equal(t, 5, *end.Score)
	var asked int
	require.NoError(t, c.db.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM survey_invitation WHERE tenant_id = 'pizza' AND complaint_id = $1`, end.ID).Scan(&asked)
	}))
	require.Equal(t, 1, asked, "the customer is asked once")
}

func TestNobodyGivesAVerdict(t *testing.T) {
	t.Parallel()
	c := open(t, verified)
	c.walk(0.1, append(offerBy(mei), decide(complaint.Accept, mei))...)
	end := c.ended()
	require.Equal(t, complaint.Settled, end.Outcome)
	list, at := days(end)
	require.Equal(t, "silence", list[len(list)-1])
	require.InDelta(t, 14.1, at[len(at)-1], 0.01)
}

func TestNegotiatedToTheFinalAnswer(t *testing.T) {
	t.Parallel()
	c := open(t, answering, func(p *policy.Policy) { p.Rounds = 2 })
	c.walk(0.1, append(offerBy(mei), decide(complaint.Reject, mei), decide(complaint.Propose, mei), decide(complaint.Reject, mei))...)
	c.at(1.5, decide(complaint.Answer, wang))
	end := c.ended()
	require.Equal(t, complaint.NotAgreed, end.Outcome)
	require.Equal(t, []string{"propose", "reject", "propose", "reject", "miss", "answer"}, actions(end)[4:])
	require.Empty(t, c.neighbours.Granted)
}

func TestAnApprovalEscalates(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.walk(0.1, decide(complaint.Assess, mei), decide(complaint.Assign, mei), decide(complaint.Find, mei), decide(complaint.Propose, wang, costing(6_000)))
	c.at(1, decide(complaint.Approve, wang)) // nobody approves their own
	c.at(3, decide(complaint.Approve, flow.Actor{Subject: "lu", Roles: wang.Roles}))
	c.at(3.5, decide(complaint.Approve, chen))
	c.at(3.6, decide(complaint.Accept, mei))
	end := c.run()
	require.Len(t, c.answers, 8)
	require.ErrorContains(t, c.answers[4], "approval_by_proposer")
	require.ErrorContains(t, c.answers[5], "approval_beyond_limit", "two days passed: it is a director's now")
	require.Equal(t, []string{"propose", "miss", "remind", "approve", "accept", "execute"}, actions(end)[4:])
	require.Equal(t, complaint.Settled, end.Outcome)
}

func TestARepairIsATicketOfItsOwn(t *testing.T) {
	t.Parallel()
	c := open(t)
	road := offerBy(mei)
	road[3] = decide(complaint.Propose, mei, offering(complaint.PartDraft{Kind: policy.Repair, AmountMinor: 100}, complaint.PartDraft{Kind: policy.Apology},
		complaint.PartDraft{Kind: policy.Explanation}, complaint.PartDraft{Kind: policy.Voucher, AmountMinor: 900}))
	c.walk(0.1, append(road, decide(complaint.Accept, mei))...)
	end := c.ended()
	require.Equal(t, complaint.Settled, end.Outcome)
	references := map[string]bool{}
	for _, part := range end.Proposal.Parts {
		require.Equal(t, complaint.Done, part.State, "%+v", part)
		references[part.Reference] = true
	}
	require.Len(t, references, 4, "each has a reference of its own")
	require.Equal(t, int64(1_000), end.Proposal.CostMinor)
	require.Equal(t, []string{"incident new"}, c.tickets(end))
}

// tickets gives kind and status of the customer's tickets beside the complaint's.
func (c *weeks) tickets(of complaint.Complaint) (all []string) {
	c.t.Helper()
	require.NoError(c.t, c.db.Read(c.t.Context(), "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(c.t.Context(), `SELECT coalesce(array_agg(kind || ' ' || status ORDER BY id), '{}') FROM ticket
			WHERE tenant_id = 'pizza' AND customer_id = $1 AND id <> $2`, of.CustomerID, of.TicketID).Scan(&all)
	}))
	return all
}

func TestALaterPartFailsForGoodAndTheEarlierAreTakenBack(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.neighbours.RefuseRefund = "return_invalid"
	road := offerBy(mei)
	road[3] = decide(complaint.Propose, mei, offering(complaint.PartDraft{Kind: policy.Refund, OrderID: id(), AmountMinor: 100},
		complaint.PartDraft{Kind: policy.Exchange}, complaint.PartDraft{Kind: policy.Points, Points: 50}))
	c.walk(0.1, append(road, decide(complaint.Accept, mei))...)
	c.walk(0.5, decide(complaint.Propose, mei), decide(complaint.Accept, mei))
	end := c.ended()
	require.Equal(t, complaint.Settled, end.Outcome)
	require.Equal(t, []string{"accept", "fail", "propose", "accept", "execute"}, actions(end)[5:])
	require.Equal(t, []string{"incident closed"}, c.tickets(end), "nobody exchanges anything any more")
	require.Len(t, c.neighbours.Reversed, 1)
	require.Len(t, c.neighbours.Granted, 2, "the points of the second proposal stay")
}

func TestWhatCannotBeTakenBackWaitsForAPerson(t *testing.T) {
	t.Parallel()
	first, second := id(), id()
	refund := func(order uuid.UUID) complaint.PartDraft {
		return complaint.PartDraft{Kind: policy.Refund, OrderID: order, AmountMinor: 100}
	}
	road := func() []complaint.Decision {
		road := offerBy(mei)
		road[3] = decide(complaint.Propose, mei, offering(refund(first), refund(second), complaint.PartDraft{Kind: policy.Points, Points: 50}))
		return append(road, decide(complaint.Accept, mei))
	}
	t.Run("and is left", func(t *testing.T) {
		t.Parallel()
		c := open(t)
		c.neighbours.RefuseOrder = second.String()
		c.walk(0.1, road()...)
		c.at(0.5, decide(complaint.Settle, wang))
		end := c.ended()
		require.Equal(t, []string{"accept", "fail", "settle"}, actions(end)[5:])
		require.Equal(t, complaint.Settled, end.Outcome)
		require.Empty(t, c.neighbours.Reversed, "the points stay with the refund that was given")
		require.Equal(t, int64(150), end.Proposal.CostMinor)
	})
	t.Run("and is tried again", func(t *testing.T) {
		t.Parallel()
		c := open(t)
		c.neighbours.RefuseOrder = second.String()
		c.walk(0.1, road()...)
		c.RegisterDelayedCallback(func() { c.neighbours.Look(func() { c.neighbours.RefuseOrder = "" }) }, 10*time.Hour)
		c.at(0.5, decide(complaint.Retry, mei))
		end := c.ended()
		require.Equal(t, []string{"accept", "fail", "retry", "execute"}, actions(end)[5:])
		require.Len(t, c.neighbours.Refunded, 2)
		require.Len(t, c.neighbours.Granted, 1)
		require.Equal(t, int64(250), end.Proposal.CostMinor)
	})
}

func TestWithdrawnAtEachStep(t *testing.T) {
	t.Parallel()
	road := slices.Concat(offerBy(mei)[:3], []complaint.Decision{decide(complaint.Propose, mei, costing(5_001)), decide(complaint.Approve, wang),
		decide(complaint.Reject, mei), decide(complaint.Propose, mei), decide(complaint.Reject, mei)})
	for n := range len(road) + 1 {
		t.Run(fmt.Sprintf("after %d decisions", n), func(t *testing.T) {
			t.Parallel()
			c := open(t, answering, func(p *policy.Policy) { p.Rounds = 2 })
			var own []complaint.Decision
			for _, d := range road[:n] {
				d.ID = id()
				own = append(own, d)
			}
			c.walk(0.1, append(own, decide(complaint.Withdraw, mei))...)
			end := c.ended()
			require.Equal(t, complaint.Withdrawn, end.Outcome)
			require.Len(t, end.Steps, n+2)
			require.Empty(t, c.neighbours.Granted)
		})
	}
}

func TestReopenedTwiceThenArbitration(t *testing.T) {
	t.Parallel()
	c := open(t, verified, answering)
	again := func(approve ...complaint.Decision) []complaint.Decision {
		road := []complaint.Decision{decide(complaint.Assign, mei), decide(complaint.Find, mei), decide(complaint.Propose, mei)}
		return append(append(road, approve...), decide(complaint.Accept, mei))
	}
	low := func() complaint.Decision { return decide(complaint.Verify, mei, score(1)) }
	c.walk(0.1, append([]complaint.Decision{decide(complaint.Acknowledge, mei), decide(complaint.Assess, mei)}, again()...)...)
	c.at(1, low())
	c.walk(1.1, again(decide(complaint.Approve, wang))...)
	c.at(2, low())
	c.walk(2.1, again(decide(complaint.Approve, chen))...)
	c.at(3, low())
	c.at(3.1, decide(complaint.Answer, wang))
	end := c.ended()
	require.Equal(t, complaint.NotAgreed, end.Outcome)
	require.Equal(t, 3, end.Level)
	list := actions(end)
	require.Equal(t, 3, len(slices.DeleteFunc(slices.Clone(list), func(a string) bool { return a != "verify" })))
	require.Equal(t, 2, len(slices.DeleteFunc(slices.Clone(list), func(a string) bool { return a != "reopen" })))
	require.Equal(t, "answer", list[len(list)-1])
	require.Len(t, c.neighbours.Granted, 3)

	// The customer turns to one of the bodies: the process runs once more, for that alone.
	before := len(end.Steps)
	c.anew(monday.AddDate(0, 0, 10), decide(complaint.Refer, mei))
	end = c.ended()
	require.Len(t, end.Steps, before+1)
	require.Equal(t, []string{"12315"}, end.Steps[before].Detail.Bodies)
}

func TestTheLegalDeadlinePasses(t *testing.T) {
	t.Parallel()
	c := open(t, answering, func(p *policy.Policy) { p.LegalDays, p.LegalWarnDays, p.StepWithin = 15, []int{5, 1}, 40*24*time.Hour })
	c.at(0.5, decide(complaint.Acknowledge, mei))
	c.walk(16, append(offerBy(mei), decide(complaint.Answer, wang))...)
	end := c.ended()
	list, at := days(end)
	require.Equal(t, []string{"register", "acknowledge", "warn", "warn", "miss", "assess", "assign", "find", "propose", "answer"}, list)
	require.InDeltaSlice(t, []float64{10.625, 14.625, 15.625}, at[2:5], 0.001, "to the end of the day; a tenant without a calendar works every day")
	require.Equal(t, complaint.Answered, end.Outcome)
	require.Equal(t, end.LegalDueAt, end.Steps[4].Detail.DueAt)
}

func TestAlarmsRingWhileARemedyIsCarriedOut(t *testing.T) {
	t.Parallel()
	c := open(t, func(p *policy.Policy) { p.LegalDays, p.LegalWarnDays = 1, nil })
	c.neighbours.AwayFor = 1 << 30
	c.RegisterDelayedCallback(func() { c.neighbours.Look(func() { c.neighbours.AwayFor = 0 }) }, 42*time.Hour)
	c.walk(0.1, append(offerBy(mei), decide(complaint.Accept, mei))...)
	end := c.ended()
	require.Equal(t, []string{"accept", "miss", "miss", "execute"}, actions(end)[5:], "acknowledgement and final answer")
	require.Equal(t, complaint.Settled, end.Outcome)
}

func TestRefusedResponsibilityAndAnObjection(t *testing.T) {
	t.Parallel()
	c := open(t)
	unfounded := decide(complaint.Find, mei, func(d *complaint.Decision) { d.Finding, d.Said = "unfounded", []complaint.Word{complaint.Reason} })
	c.walk(0.1, decide(complaint.Assess, mei), decide(complaint.Assign, mei), decide(complaint.Decline, mei), decide(complaint.Rule, wang),
		unfounded, decide(complaint.Object, mei), decide(complaint.Find, mei), decide(complaint.Propose, mei), decide(complaint.Accept, mei))
	end := c.ended()
	require.Equal(t, []string{"register", "assess", "assign", "decline", "rule", "find", "object", "reopen", "find", "propose", "accept", "execute"}, actions(end))
	require.Equal(t, "founded", end.Finding)
}

func TestASilentCustomerSpeaksAndTheProcessRunsAnew(t *testing.T) {
	t.Parallel()
	c := open(t)
	road := offerBy(mei)
	road[3] = decide(complaint.Propose, mei, offering(complaint.PartDraft{Kind: policy.Refund, OrderID: id(), AmountMinor: 100},
		complaint.PartDraft{Kind: policy.Points, Points: 50}))
	c.walk(0.1, road...)
	end := c.ended()
	require.Equal(t, complaint.Unanswered, end.Outcome)
	require.Empty(t, c.neighbours.Refunded, "silence is no consent")

	c.anew(monday.AddDate(0, 2, 0), decide(complaint.Reply, flow.Actor{Subject: "process:complaint"}))
	c.walk(0.1, decide(complaint.Propose, mei, offering(complaint.PartDraft{Kind: policy.Refund, OrderID: id(), AmountMinor: 100})), decide(complaint.Accept, mei))
	end = c.ended()
	require.Equal(t, complaint.Settled, end.Outcome)
	require.Equal(t, []string{"reply", "reopen", "propose", "accept", "execute"}, actions(end)[len(end.Steps)-5:])
	require.Len(t, c.neighbours.Refunded, 1)
	require.Len(t, c.neighbours.Granted, 1, "what was carried out before is not carried out again")
}

// anew begins the process of a closed complaint once more, with a decision about it.
func (c *weeks) anew(from time.Time, d complaint.Decision) {
	c.TestWorkflowEnvironment = c.process()
	c.SetStartTime(from)
	c.answers = nil
	c.at(0, d)
}

func TestClosedAndTakenUpCountsItsCostOnce(t *testing.T) {
	t.Parallel()
	p := thorough()
	c := carriedOut(t, p, walkBy(t, p, registered(t), decide(complaint.Assess, mei)))
	c = c.Overdue(c.DueAt, p, c.DueAt)
	c = walkBy(t, p, c, decide(complaint.Verify, mei, score(1)))
	require.Equal(t, int64(-500), c.CarriedMinor)
	again := carriedOut(t, p, c, decide(complaint.Approve, wang))
	require.Zero(t, again.CarriedMinor)
}
