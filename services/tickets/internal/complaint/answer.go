package complaint

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// conclude applies the decisions that bring a complaint to its end, or back; done is false for others.
func (c *Complaint) conclude(d Decision, p policy.Policy, now time.Time) (done bool, err error) {
	switch d.Action {
	case Verify:
		c.verified(d, p, now)
	case Answer:
		return true, c.answer(p, now)
	case Withdraw:
		c.end(Withdrawn, p, now)
	case Reopen:
		if c.Outcome == Unanswered {
			c.speak(d.By.Subject, p, now)
			break
		}
		if c.Reopened >= p.Reopens {
			return true, problem.New(problem.Conflict, "reopened_often_enough",
				"It was dealt with anew %d times, as often as the policy allows.", c.Reopened)
		}
		before := c.Outcome
		c.open(Assessed, p, now)
		c.raise()
		c.anew(d.By.Subject, "customer_replied", before, now)
	default:
		return false, nil
	}
	return true, nil
}

// remark applies the decisions that change no step; done is false for others.
func (c *Complaint) remark(d Decision, p policy.Policy, now time.Time) (done bool, err error) {
	switch d.Action {
	case Add:
	case Refer:
		if _, known := p.Body(d.Body); !known {
			return true, decisionInvalid([]problem.Field{{Location: "body", Code: "body_unknown",
				Message: "must be the code of an outside body of the policy"}})
		}
	case Escalate:
		c.EscalatedAt = now
		if c.CrisisID == uuid.Nil {
			c.CrisisID = d.CrisisID
		}
	case Prevent:
		if !d.DueAt.After(now) {
			return true, decisionInvalid([]problem.Field{{Location: "due_at", Code: "due_at_past", Message: "must be in the future"}})
		}
		c.Preventions = append(slices.Clip(c.Preventions), Prevention{No: len(c.Preventions) + 1, DecisionID: d.ID, Owner: d.Owner, DueAt: d.DueAt})
	case Finish:
		if d.Prevention < 1 || d.Prevention > len(c.Preventions) || !c.Preventions[d.Prevention-1].DoneAt.IsZero() {
			return true, decisionInvalid([]problem.Field{{Location: "prevention", Code: "prevention_unknown",
				Message: "must be the number of a preventive action that is not done"}})
		}
		c.Preventions = slices.Clone(c.Preventions)
		c.Preventions[d.Prevention-1].DoneAt = now
	case Review:
		c.ReviewedAt = now
	default:
		return false, nil
	}
	return true, nil
}

// low tells whether the score of a decision is a low one; ok is false where it is none. Of csat it is up to the policy's
// limit. Of nps a detractor's, 0 to 6, is low; of ces the lower three of seven.
func (d Decision) low(limit int) (low, ok bool) {
	switch d.ScoreKind {
	case "csat":
		return d.Score <= limit, d.Score >= 1 && d.Score <= 5
	case "nps":
		return d.Score <= 6, d.Score >= 0 && d.Score <= 10
	case "ces":
		return d.Score <= 3, d.Score >= 1 && d.Score <= 7
	default:
		return false, false
	}
}

// verified takes the customer's verdict. A low score has the complaint dealt with anew, one level higher; after as many times
// as the policy allows a final answer is due, if the policy asks for one.
func (c *Complaint) verified(d Decision, p policy.Policy, now time.Time) {
	score, before := d.Score, c.Outcome
	c.Score, c.ScoreKind = &score, d.ScoreKind
	to := Assessed
	if c.Reopened >= p.Reopens {
		to = Answering
	}
	low, _ := d.low(p.LowScore)
	switch {
	case !low && c.Stage == Closed:
	case !low:
		c.end(c.agreed(), p, now)
	case to == Answering && len(p.OutsideBodies) == 0 && c.Stage == Closed:
	case to == Answering && len(p.OutsideBodies) == 0:
		c.end(NotAgreed, p, now)
	case to == Answering && c.Stage != Closed:
		c.enter(Answering, p, now)
	default:
		c.open(to, p, now)
		if to == Assessed {
			c.raise()
		}
		c.anew(d.By.Subject, "low_score", before, now)
	}
}

// agreed is the outcome of a complaint whose remedy was carried out.
func (c Complaint) agreed() Outcome {
	if c.Silent {
		return Unanswered
	}
	return Settled
}

// speak is what follows when a customer who was silent says something after all: the offer is no longer the last word.
func (c *Complaint) speak(by string, p policy.Policy, now time.Time) {
	before := c.Outcome
	c.open(Found, p, now)
	c.anew(by, "customer_replied", before, now)
}

// open takes a complaint up again at a stage. Deadlines that passed while it was closed were met by that; those to come hold.
func (c *Complaint) open(to Stage, p policy.Policy, now time.Time) {
	if c.Stage == Closed {
		c.missAlarms(now)
		if c.Proposal != nil {
			c.CarriedMinor = -c.Proposal.spent()
		}
	}
	c.enter(to, p, now)
	c.Outcome, c.ClosedAt, c.Silent, c.ReviewedAt = "", time.Time{}, false, time.Time{}
}

// raise hands a complaint to the next level, where the customer may negotiate anew and responsibility is another matter.
func (c *Complaint) raise() {
	c.Level++
	c.Reopened++
	c.Rounds, c.DeclinedBy, c.Ruled = 0, "", false
}

// anew tells that a complaint is dealt with anew. A verdict on what was done before is no verdict on what will be.
func (c *Complaint) anew(by, why string, before Outcome, now time.Time) {
	if before != "" || why == "low_score" {
		c.Score, c.ScoreKind = nil, ""
	}
	detail := StepDetail{Level: c.Level, Why: why, Before: before}
	if last := &c.Steps[len(c.Steps)-1]; last.Action == Reopen { // the decision itself says so
		last.Detail = detail
		return
	}
	c.happened(Step{Action: Reopen, By: by, At: now, Detail: detail})
}

// answer gives the final answer.
func (c *Complaint) answer(p policy.Policy, now time.Time) error {
	if len(p.OutsideBodies) == 0 {
		return problem.New(problem.Conflict, "outside_bodies_missing",
			"A final answer names the bodies that the customer may turn to: let somebody put them into the policy of complaints first.")
	}
	last := &c.Steps[len(c.Steps)-1]
	for _, b := range p.OutsideBodies {
		last.Detail.Bodies = append(last.Detail.Bodies, b.Code)
	}
	last.Detail.DueAt = c.LegalDueAt
	c.AnsweredAt = now
	c.silenceAlarms(FinalAnswer)
	outcome := Answered
	if c.Stage == Answering {
		outcome = NotAgreed
	}
	c.end(outcome, p, now)
	return nil
}
