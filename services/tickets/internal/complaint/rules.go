package complaint

import (
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// rule says where a decision may be made and who may make it; unless, where there is one, refuses what the stage alone allows.
type rule struct {
	action Action
	in     []Stage
	right  auth.Permission
	unless func(c Complaint) error
}

// running are the stages of a complaint that is being dealt with.
var running = []Stage{Registered, Assessed, Assigned, Disputed, Found, Proposed, Offered, Accepted, Stuck, Verifying, Answering}

// always are running, and Closed.
var always = append(slices.Clone(running), Closed)

// rules is the one table of decisions.
var rules = []rule{
	{Acknowledge, running, auth.ComplaintsHandle, func(c Complaint) error {
		return refuseIf(!c.AcknowledgedAt.IsZero(), "acknowledged_already", "The customer was told already that it was received.")
	}},
	{Assess, []Stage{Registered}, auth.ComplaintsHandle, nil},
	{Assign, []Stage{Assessed, Assigned, Found, Proposed, Offered, Accepted, Stuck, Verifying, Answering}, auth.ComplaintsHandle, nil},
	{Decline, []Stage{Assigned}, auth.ComplaintsHandle, func(c Complaint) error {
		return refuseIf(c.Ruled, "responsibility_ruled", "A supervisor has said who answers for this complaint; that cannot be refused.")
	}},
	{Rule, []Stage{Disputed}, auth.ComplaintsApprove, nil},
	{Find, []Stage{Assigned}, auth.ComplaintsHandle, nil},
	{Object, []Stage{Found, Proposed, Offered, Closed}, auth.ComplaintsHandle, func(c Complaint) error {
		if c.Stage == Closed && c.Outcome != Inadmissible {
			return errClosed
		}
		return refuseIf(c.Objected, "objected_already", "The customer has objected once already: what was found then stands.")
	}},
	{Propose, []Stage{Found, Stuck}, auth.ComplaintsHandle, nil},
	{Approve, []Stage{Proposed}, auth.ComplaintsApprove, nil},
	{Refuse, []Stage{Proposed}, auth.ComplaintsApprove, nil},
	{Accept, []Stage{Offered}, auth.ComplaintsHandle, nil},
	{Reject, []Stage{Offered}, auth.ComplaintsHandle, nil},
	{Retry, []Stage{Stuck}, auth.ComplaintsHandle, nil},
	{Settle, []Stage{Stuck}, auth.ComplaintsApprove, nil},
	{Verify, []Stage{Verifying, Closed}, auth.ComplaintsHandle, func(c Complaint) error {
		if c.Stage == Closed && (!c.reopenable() || c.Score != nil) {
			return errClosed
		}
		return nil
	}},
	{Answer, []Stage{Found, Offered, Stuck, Answering}, auth.ComplaintsApprove, nil},
	{Withdraw, []Stage{Registered, Assessed, Assigned, Disputed, Found, Proposed, Offered, Stuck, Answering}, auth.ComplaintsHandle, nil},
	{Reopen, []Stage{Closed}, auth.ComplaintsHandle, func(c Complaint) error {
		if !c.reopenable() {
			return errClosed
		}
		return nil
	}},
	{Refer, []Stage{Closed}, auth.ComplaintsHandle, func(c Complaint) error {
		return refuseIf(c.AnsweredAt.IsZero(), "not_answered", "There was no final answer: the customer has no reason to turn to an outside body yet.")
	}},
	{Add, always, auth.ComplaintsHandle, nil},
	{Escalate, running, auth.ComplaintsHandle, func(c Complaint) error {
		return refuseIf(!c.EscalatedAt.IsZero(), "escalated_already", "It was escalated already.")
	}},
	{Prevent, []Stage{Found, Proposed, Offered, Accepted, Stuck, Verifying, Answering, Closed}, auth.ComplaintsHandle, func(c Complaint) error {
		return refuseIf(len(c.Preventions) >= maxPreventions, "too_many_preventions", "There are %d preventive actions already.", maxPreventions)
	}},
	{Finish, always, auth.ComplaintsHandle, func(c Complaint) error {
		open := slices.ContainsFunc(c.Preventions, func(p Prevention) bool { return p.DoneAt.IsZero() })
		return refuseIf(!open, "no_prevention", "There is no preventive action that is not done.")
	}},
	{Review, []Stage{Closed}, auth.ComplaintsApprove, func(c Complaint) error {
		return refuseIf(!c.ReviewedAt.IsZero(), "reviewed_already", "It was reviewed since it was closed.")
	}},
	{Reply, []Stage{Offered, Closed}, "", func(c Complaint) error {
		if c.Stage == Closed && !(c.reopenable() && c.Outcome == Unanswered) {
			return errClosed
		}
		return nil
	}},
}

const maxPreventions = 20

// facts are the decisions that the process may make for itself, of what it hears.
var facts = []Action{Verify, Acknowledge, Reply}

var errClosed = problem.New(problem.Conflict, "complaint_closed", "This complaint is closed; that cannot be decided any more.")

func refuseIf(refused bool, code, detail string, args ...any) error {
	if !refused {
		return nil
	}
	return problem.New(problem.Conflict, code, detail, args...)
}

// reopenable tells whether a closed complaint may be dealt with anew: after a remedy, unless there was a final answer.
func (c Complaint) reopenable() bool {
	return c.Stage == Closed && c.AnsweredAt.IsZero() && (c.Outcome == Settled || c.Outcome == Unanswered)
}

// applies tells whether the decision of a rule may be made as the complaint stands.
func (r rule) applies(c Complaint) error {
	switch {
	case !slices.Contains(r.in, c.Stage) && c.Stage == Closed:
		return errClosed
	case !slices.Contains(r.in, c.Stage):
		return problem.New(problem.Conflict, "complaint_stage",
			"This cannot be decided now: the complaint is %s. Possible now: %s.", c.Stage, c.possible())
	case r.unless != nil:
		return r.unless(c)
	}
	return nil
}

// Next is a decision that may be made now.
type Next struct {
	Action     Action          `json:"action"`
	Permission auth.Permission `json:"permission"`
}

// Next lists the decisions that may be made now, each with the permission that it needs.
func (c Complaint) Next() []Next {
	next := []Next{}
	for _, r := range rules {
		if r.right != "" && slices.Contains(r.in, c.Stage) && (r.unless == nil || r.unless(c) == nil) {
			next = append(next, Next{r.action, c.right(r)})
		}
	}
	return next
}

// right is the permission that a decision needs here: an approval beyond a manager's limit needs a director's.
func (c Complaint) right(r rule) auth.Permission {
	if (r.action == Approve || r.action == Refuse) && c.Proposal != nil && c.Proposal.Approval == policy.Director {
		return auth.ComplaintsDirect
	}
	return r.right
}

// Check refuses a decision that cannot be made here, or not by this person. What it asks for is not looked at.
func (c Complaint) Check(d Decision) error {
	i := slices.IndexFunc(rules, func(r rule) bool { return r.action == d.Action })
	if i < 0 || rules[i].right == "" && d.By.Subject != process {
		return problem.New(problem.NotFound, "decision_unknown", "There is no such decision.")
	}
	r := rules[i]
	if err := r.applies(c); err != nil {
		return err
	}
	if d.By.Subject == process && slices.Contains(facts, d.Action) {
		return nil
	}
	if !d.By.Can(r.right) {
		return problem.New(problem.Forbidden, "permission_missing", "This needs the permission %s.", r.right)
	}
	if err := c.otherEyes(d); err != nil {
		return err
	}
	if !d.By.Can(c.right(r)) {
		return problem.New(problem.Forbidden, "approval_beyond_limit",
			"This remedy needs more than a manager's approval: a director has to decide.")
	}
	return nil
}

// otherEyes refuses whoever would judge of what they did themselves.
func (c Complaint) otherEyes(d Decision) error {
	switch {
	case (d.Action == Approve || d.Action == Refuse) && d.By.Subject == c.Proposal.By:
		return problem.New(problem.Forbidden, "approval_by_proposer", "Nobody decides on their own proposal: ask somebody else.")
	case d.Action == Rule && d.By.Subject == c.DeclinedBy:
		return problem.New(problem.Forbidden, "ruling_by_decliner", "Nobody rules on a responsibility that they refused themselves: ask somebody else.")
	case d.Action == Review && (d.By.Subject == c.Person || c.Proposal != nil && d.By.Subject == c.Proposal.By):
		return problem.New(problem.Forbidden, "review_by_accountable",
			"Nobody reviews a complaint that they answered for or whose remedy they proposed: ask somebody else.")
	}
	return nil
}

func (c Complaint) possible() string {
	var names []string
	for _, n := range c.Next() {
		names = append(names, string(n.Action))
	}
	switch {
	case c.Stage == Accepted:
		return strings.Join(names, ", ") + "; it is being carried out"
	case len(names) == 0:
		return "nothing"
	default:
		return strings.Join(names, ", ")
	}
}
