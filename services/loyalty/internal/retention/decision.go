package retention

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Action is what can be done about a case.
type Action string

// The decisions of people, in the order in which they are offered, and then what happens by itself.
const (
	ActionPause    Action = "pause"
	ActionResume   Action = "resume"
	ActionLearn    Action = "learn"    // why the customer goes
	ActionClassify Action = "classify" // how the customer was lost
	ActionAccept   Action = "accept"   // the customer takes the offer
	ActionCancel   Action = "cancel"
	ActionClose    Action = "close" // the customer does not come back

	ActionOpen    Action = "open"
	ActionContact Action = "contact"
	ActionSkip    Action = "skip"
	ActionOffer   Action = "offer"
	ActionBuy     Action = "buy"
	ActionTake    Action = "take"
	ActionEnd     Action = "end"
)

// right is what every decision needs.
const right = auth.RetentionManage

// rules is the one table of decisions.
var rules = []struct {
	action  Action
	in      []Stage
	treated bool // has no meaning for a customer who is held out
}{
	{ActionPause, []Stage{Open}, true},
	{ActionResume, []Stage{Paused}, true},
	{ActionLearn, []Stage{Open, Paused}, false},
	{ActionClassify, []Stage{Open, Paused}, false},
	{ActionAccept, []Stage{Open, Paused}, true},
	{ActionCancel, []Stage{Open, Paused}, false},
	{ActionClose, []Stage{Open, Paused}, false},
}

// Decision is what a person decided. Its JSON form travels to the workflow; the words stay behind as a note.
type Decision struct {
	ID      uuid.UUID  `json:"id"` // the same decision has the same id, however often it is sent
	CaseID  uuid.UUID  `json:"case_id"`
	Action  Action     `json:"action"`
	By      flow.Actor `json:"by"`
	Hash    []byte     `json:"hash"`    // of the request
	Attempt string     `json:"attempt"` // which of several requests with one id this is
	NoteID  uuid.UUID  `json:"note_id,omitzero"`

	Reason   Reason   `json:"reason,omitempty"`    // of ActionLearn
	LossKind LossKind `json:"loss_kind,omitempty"` // of ActionClassify
}

// faults names every field of a decision that is not right.
func (d Decision) faults() []problem.Field {
	f := &faultFinder{}
	if d.Action == ActionLearn && !d.Reason.known() {
		f.fault("reason", "reason_unknown", "must be price, product, service, competitor, moved or unknown")
	}
	if d.Action == ActionClassify && !d.LossKind.known() {
		f.fault("loss_kind", "loss_kind_unknown", "must be natural, competitive, our_fault, fraudulent or let_go")
	}
	return f.faults
}

const maxWords = 20_000

// words brings what people write to one form and tells whether it is short enough.
func words(s string) (string, bool) {
	s = norm.NFC.String(strings.TrimSpace(s))
	return s, utf8.RuneCountInString(s) <= maxWords
}

// NextActions lists the decisions that may be made now.
func (c Case) NextActions() []Action {
	next := []Action{}
	for _, r := range rules {
		if slices.Contains(r.in, c.Stage) && (!r.treated || c.Arm == Treated) && (r.action != ActionAccept || c.Offer.State == OfferMade) {
			next = append(next, r.action)
		}
	}
	return next
}

// Check refuses a decision that cannot be made here, or not by this person. What it asks for is not looked at.
func (c Case) Check(d Decision) error {
	i := slices.IndexFunc(rules, func(r struct {
		action  Action
		in      []Stage
		treated bool
	}) bool {
		return r.action == d.Action
	})
	switch {
	case i < 0:
		return problem.New(problem.NotFound, "decision_unknown", "There is no such decision.")
	case c.Over():
		return problem.New(problem.Conflict, "retention_case_over", "This case is %s; nothing can be decided any more.", c.Stage)
	case rules[i].treated && c.Arm == HeldOut:
		return problem.New(problem.Conflict, "retention_case_held_out", "The customer is held out: nothing is done, so that what is done to others can be measured.")
	case !slices.Contains(rules[i].in, c.Stage):
		return problem.New(problem.Conflict, "retention_case_stage", "This cannot be decided now: the case is %s.", c.Stage)
	case d.Action == ActionAccept && c.Offer.State == "":
		return problem.New(problem.Conflict, "offer_not_made", "No offer was made that could be taken.")
	case d.Action == ActionAccept && c.Offer.State != OfferMade:
		return problem.New(problem.Conflict, "offer_taken", "The offer was taken already.")
	case !d.By.Can(right):
		return problem.New(problem.Forbidden, "permission_missing", "This needs the permission %s.", right)
	}
	return nil
}

// Decided tells whether the decision stands here already; one of the same id and another content is a problem.
func (c Case) Decided(d Decision) (bool, error) {
	for _, s := range c.Steps {
		if s.DecisionID == d.ID {
			return true, flow.Same(s.Hash, d.Hash)
		}
	}
	return false, nil
}

// Decide carries a decision out, but for the points of ActionAccept, and what was bought by then, which are the caller's to
// find: the case as it is then, or why it cannot be.
func (c Case) Decide(d Decision, revenue int64, now time.Time) (Case, error) {
	if err := c.Check(d); err != nil {
		return c, err
	}
	if faults := d.faults(); len(faults) > 0 {
		return c, problem.InvalidBody("decision_invalid", "The decision was not accepted: mend the fields named here.", faults)
	}
	step := Step{Action: d.Action, DecisionID: d.ID, Hash: d.Hash, By: d.By.Subject, At: now, NoteID: d.NoteID}
	switch d.Action {
	case ActionPause:
		c.Stage = Paused
	case ActionResume:
		c.Stage = Open
	case ActionLearn:
		c.Reason, step.Code = d.Reason, string(d.Reason)
	case ActionClassify:
		c.LossKind, step.Code = d.LossKind, string(d.LossKind)
		if d.LossKind.Excluded() {
			c.Close(Cancelled, string(d.LossKind), revenue, step)
			return c, nil
		}
	case ActionAccept:
		if !c.takes(now) {
			return c, problem.New(problem.Conflict, "offer_expired", "The offer could be taken until %s.", c.Offer.ExpiresAt.Format(time.RFC3339))
		}
		return c, nil
	case ActionCancel:
		step.Code = "by_hand"
		c.Close(Cancelled, "by_hand", revenue, step)
		return c, nil
	case ActionClose:
		step.Code = string(Lost)
		c.Close(Lost, "", revenue, step)
		return c, nil
	}
	c.happened(step)
	return c, nil
}
