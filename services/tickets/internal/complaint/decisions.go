package complaint

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// deciding is the input of a decision; its body says what is decided.
type deciding[B content] struct {
	ID   uuid.UUID `path:"complaint_id" format:"uuid"`
	Body B
}

// content is what a person decides, and what is said with it.
type content interface {
	fill(d *Decision)
	said() []Saying
}

// Why is a decision that has nothing to say but its reason; it is part of every other.
type Why struct {
	Reason string `json:"reason,omitempty" doc:"Why. It goes into no event." maxLength:"20000"`
}

func (w Why) fill(*Decision) {}
func (w Why) said() []Saying { return []Saying{{Reason, "reason", w.Reason}} }

type acknowledgement struct {
	Channel string `json:"channel" doc:"Code of the channel by which the customer was told that it was received." example:"email" maxLength:"64"`
	Why
}

func (a acknowledgement) fill(d *Decision) { d.Channel = a.Channel }

type assessment struct {
	Admissible      bool   `json:"admissible" doc:"Whether it is taken up; if not, it is closed."`
	Severity        int    `json:"severity,omitempty" minimum:"0" maximum:"4" doc:"1 (grave) to 4 (slight), of one that is taken up."`
	Safety          bool   `json:"safety,omitempty" doc:"Whether people may come to harm: then containment is needed."`
	Containment     string `json:"containment,omitempty" doc:"Code of what was done at once." example:"sale_stopped" maxLength:"64"`
	ContainmentText string `json:"containment_text,omitempty" doc:"The same in words." maxLength:"20000"`
	Why
}

func (a assessment) fill(d *Decision) {
	d.Admissible, d.Severity, d.Safety, d.Containment = a.Admissible, a.Severity, a.Safety, a.Containment
}

func (a assessment) said() []Saying {
	return append(a.Why.said(), Saying{ContainmentText, "containment_text", a.ContainmentText})
}

type assignment struct {
	Unit   string `json:"unit" doc:"Code of the unit that answers for it." example:"kitchen" maxLength:"64"`
	Person string `json:"person,omitempty" doc:"Subject of the accountable person." maxLength:"255"`
	Why
}

func (a assignment) fill(d *Decision) { d.Unit, d.Person = a.Unit, a.Person }

type investigation struct {
	Finding   string   `json:"finding" enum:"founded,partly,unfounded,not_provable" doc:"The last two need a reason, which the customer is given."`
	Cause     string   `json:"cause" enum:"product,service,delivery,price,attitude,promise,misunderstanding,other"`
	RootCause string   `json:"root_cause,omitempty" doc:"What lies behind it." maxLength:"20000"`
	Evidence  []string `json:"evidence,omitempty" nullable:"false" maxItems:"20" doc:"Where something can be found that proves it, such as ids of attachments."`
	Why
}

func (f investigation) fill(d *Decision) { d.Finding, d.Cause = f.Finding, f.Cause }

func (f investigation) said() []Saying {
	return append(append(f.Why.said(), Saying{RootCause, "root_cause", f.RootCause}), evidence(f.Evidence)...)
}

func evidence(references []string) (said []Saying) {
	for i, r := range references {
		said = append(said, Saying{Evidence, fmt.Sprintf("evidence[%d]", i), r})
	}
	return said
}

type newProposal struct {
	Currency string    `json:"currency" doc:"ISO 4217, of every amount." example:"CNY"`
	Parts    []newPart `json:"parts" nullable:"false" minItems:"1" maxItems:"10"`
	Why
}

type newPart struct {
	Kind        PartKind   `json:"kind" enum:"points,apology,explanation,voucher,repair,exchange,free_service,refund"`
	Entry       string     `json:"entry,omitempty" doc:"Code on the menu of remedies; left out: the first of the kind." maxLength:"64"`
	Points      int64      `json:"points,omitempty" minimum:"0" maximum:"1000000" doc:"Of a part of the kind points."`
	OrderID     *uuid.UUID `json:"order_id,omitempty" format:"uuid" doc:"Of a refund: whatever of the order has not come back yet."`
	AmountMinor int64      `json:"amount_minor,omitempty" minimum:"0" doc:"Of a refund: the most that it may be, in minor units. Of a voucher: its value. Of a repair, an exchange or a free service: what this one is expected to cost, where that is not what the menu says."`
}

func (n newProposal) fill(d *Decision) {
	d.Currency = n.Currency
	for _, p := range n.Parts {
		part := PartDraft{Kind: p.Kind, Entry: p.Entry, Points: p.Points, AmountMinor: p.AmountMinor}
		if p.OrderID != nil {
			part.OrderID = *p.OrderID
		}
		d.Parts = append(d.Parts, part)
	}
}

type verdict struct {
	Score int    `json:"score" minimum:"0" maximum:"10" doc:"As the customer says."`
	Kind  string `json:"kind,omitempty" enum:"csat,nps,ces" default:"csat" doc:"csat: 1 to 5; nps: 0 to 10; ces: 1 to 7."`
	Why
}

func (v verdict) fill(d *Decision) {
	d.Score, d.ScoreKind = v.Score, v.Kind
	if d.ScoreKind == "" {
		d.ScoreKind = "csat"
	}
}

type finalAnswer struct {
	Medium string `json:"medium" enum:"letter,email,document" doc:"On which the customer can keep it, and read it unchanged later."`
	Text   string `json:"text" doc:"As the customer has it; the outside bodies of the policy are named beside it." maxLength:"20000"`
	Why
}

func (f finalAnswer) fill(d *Decision) { d.Medium = f.Medium }

func (f finalAnswer) said() []Saying { return append(f.Why.said(), Saying{AnswerText, "text", f.Text}) }

type referral struct {
	Body string `json:"body" doc:"Code of an outside body of the policy." example:"12315" maxLength:"64"`
	Why
}

func (r referral) fill(d *Decision) { d.Body = r.Body }

type newFacts struct {
	Facts    string   `json:"facts,omitempty" maxLength:"20000"`
	Evidence []string `json:"evidence,omitempty" nullable:"false" maxItems:"20" doc:"Where something can be found that proves it."`
	Why
}

func (f newFacts) fill(*Decision) {}

func (f newFacts) said() []Saying {
	return append(append(f.Why.said(), Saying{Facts, "facts", f.Facts}), evidence(f.Evidence)...)
}

type escalation struct {
	CrisisID *uuid.UUID `json:"crisis_id,omitempty" format:"uuid" doc:"The crisis that it belongs to, if there is one already."`
	Why
}

func (e escalation) fill(d *Decision) {
	if e.CrisisID != nil {
		d.CrisisID = *e.CrisisID
	}
}

type newPrevention struct {
	Action string    `json:"action" doc:"What is done so that it does not happen again." maxLength:"20000"`
	Owner  string    `json:"owner" doc:"Subject of whoever does it." maxLength:"255"`
	DueAt  time.Time `json:"due_at"`
	Why
}

func (p newPrevention) fill(d *Decision) {
	d.Owner, d.DueAt = p.Owner, p.DueAt.UTC().Truncate(time.Microsecond)
}

func (p newPrevention) said() []Saying {
	return append(p.Why.said(), Saying{PreventionText, "action", p.Action})
}

type donePrevention struct {
	Prevention int `json:"prevention" minimum:"1" doc:"Its number within the complaint."`
	Why
}

func (p donePrevention) fill(d *Decision) { d.Prevention = p.Prevention }

// decisionRoutes adds an operation for every decision.
func (c *Complaints) decisionRoutes(api *httpx.API) {
	route[acknowledgement](c, api, Acknowledge, "Say that the customer was told that it was received", "A public reply on its ticket says so as well.")
	route[assessment](c, api, Assess, "Assess a complaint", "Whether it is taken up, how grave it is, and what was done at once.")
	route[assignment](c, api, Assign, "Name who answers for a complaint", "It can be said again at any time: the step that it is in stays.")
	route[Why](c, api, Decline, "Refuse the responsibility", "A supervisor says then who answers for it.")
	route[assignment](c, api, Rule, "Rule who answers for a complaint", "That cannot be refused. Nobody rules on their own refusal.")
	route[investigation](c, api, Find, "Say what was found", "")
	route[Why](c, api, Object, "The customer objects to what was found", "Once: it is investigated anew.")
	route[newProposal](c, api, Propose, "Propose a remedy",
		"One that costs more than the policy leaves free, or is for a grave complaint, has to be approved by somebody else.")
	route[Why](c, api, Approve, "Approve a proposal", "Nobody approves their own.")
	route[Why](c, api, Refuse, "Refuse a proposal", "Another one is due then.")
	route[Why](c, api, Accept, "The customer accepts", "The remedy is carried out at once; the answer does not wait for it.")
	route[Why](c, api, Reject, "The customer rejects", "Another proposal is due then, unless there were as many as the policy allows.")
	route[Why](c, api, Retry, "Try a part that failed again", "And carry out those after it.")
	route[Why](c, api, Settle, "Let be what was done, and drop the rest", "")
	route[verdict](c, api, Verify, "Say how the customer finds what was done",
		"A survey asks as well. After a low score it is dealt with anew, one level higher, as often as the policy allows.")
	route[finalAnswer](c, api, Answer, "Give the final answer", "It names the outside bodies of the policy, and closes the complaint.")
	route[referral](c, api, Refer, "The customer turned to an outside body", "After the final answer.")
	route[Why](c, api, Withdraw, "The customer withdraws the complaint", "")
	route[Why](c, api, Reopen, "Deal with a closed complaint anew", "Where the customer was silent and speaks after all, or is not content with what was done.")
	route[newFacts](c, api, Add, "Add facts", "At any time.")
	route[escalation](c, api, Escalate, "Take a complaint for more than one customer's matter", "Whoever leads crises sees it.")
	route[newPrevention](c, api, Prevent, "Say what is done so that it does not happen again", "")
	route[donePrevention](c, api, Finish, "Say that a preventive action was done", "")
	route[Why](c, api, Review, "Review a closed complaint", "By a supervisor who neither answered for it nor proposed its remedy.")
}

// right is the least permission that a decision needs.
func (a Action) right() auth.Permission {
	for _, r := range rules {
		if r.action == a {
			return r.right
		}
	}
	return ""
}

func route[B content](c *Complaints, api *httpx.API, action Action, summary, description string) {
	httpx.Register(api, httpx.Operation{
		ID: string(action) + "-complaint", Method: http.MethodPost, Path: "/v1/complaints/{complaint_id}/" + string(action),
		Tag: "Complaints", Summary: summary, Description: description, Permission: action.right(),
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *deciding[B]) (*answer, error) {
		d := Decision{ComplaintID: in.ID, Action: action}
		in.Body.fill(&d)
		return answered(c.Decide(ctx, d, in.Body.said()))
	})
}
