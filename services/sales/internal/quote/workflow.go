package quote

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// The names by which the process is started, decided on and asked.
const (
	WorkflowName = "quote"
	DecideUpdate = "decide" // takes a Decision, answers with Decided
	StateQuery   = "state"  // answers with a Standing
)

// Standing is where the approval of a version stands, as the process knows it. Its JSON form travels in the history, so it carries
// no words of people.
type Standing struct {
	Revision  int64      `json:"revision"` // of the quote
	State     State      `json:"state"`
	Latest    bool       `json:"latest"` // the version is the latest one
	Level     string     `json:"level,omitempty"`
	Escalated bool       `json:"escalated,omitempty"`
	DueAt     time.Time  `json:"due_at,omitzero"`
	Given     []Approver `json:"given,omitempty"`
	Made      []made     `json:"made,omitempty"` // decisions
}

// made is a decision that stands.
type made struct {
	ID   uuid.UUID `json:"id"`
	Hash []byte    `json:"hash,omitempty"`
}

// Standing gives where the approval of a version stands.
func (q Quote) Standing(no int32) (Standing, error) {
	v, err := q.Version(no)
	s := Standing{Revision: q.Revision, State: v.State, Latest: int(no) == len(q.Versions), Level: v.Approval.Level().Code, Escalated: v.Approval.Escalated,
		DueAt: v.Approval.DueAt, Given: v.Approval.Given}
	for _, step := range q.Steps {
		if step.DecisionID != uuid.Nil && step.Version == no {
			s.Made = append(s.Made, made{step.DecisionID, step.Hash})
		}
	}
	return s, err
}

// over tells whether nobody is asked any more.
func (s Standing) over() bool { return s.State != InApproval || !s.Latest }

// Ask asks for the approval of a version of a quote: level after level, in the time that each has. Whoever edits or withdraws the
// quote ends it. All that it knows is in the quote's rows, so it can be killed anywhere, and started anew where it was ended by
// hand. It decides nothing: cancelling it leaves the quote as it is.
func Ask(ctx workflow.Context, in Input) error {
	p := &asking{in: in, pokes: flow.ListenForPokes(ctx)}
	p.decisions = flow.Decisions[Decision, Decided]{
		Update: DecideUpdate, Activity: decideActivity, About: "the quote", Attempt: attempt, Validate: p.validate,
		Heard: func(ctx workflow.Context, answer Decided) error { return p.heard(ctx, answer.Standing) },
	}
	if err := p.listen(ctx); err != nil {
		return err
	}
	if err := p.ask(ctx, loadActivity, in); err != nil {
		return err
	}
	return p.decisions.Steps(ctx, WorkflowName, in, func(ctx workflow.Context) (over bool, err error) {
		if over = p.at.over(); !over {
			err = p.step(ctx)
		}
		return p.at.over() || p.early >= patience, err
	})
}

// asking is one run of the process.
type asking struct {
	in        Input
	at        Standing // as last heard; Revision 0 until it was loaded
	decisions flow.Decisions[Decision, Decided]
	pokes     *flow.Poked
	early     int // times in a row that a level was found silent too early
}

// listen answers queries and decisions from the first moment on.
func (p *asking) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StateQuery, func() (Standing, error) { return p.at, nil }); err != nil {
		return err
	}
	return p.decisions.Listen(ctx)
}

// validate refuses what cannot be decided whatever the row says. That alone knows whether the quote was edited or withdrawn
// meanwhile, and who may decide.
func (p *asking) validate(d Decision, old bool) error {
	if d.QuoteID != p.in.QuoteID {
		return errNotFound
	}
	if d.Version != p.in.Version {
		return errNoVersion
	}
	if i := slices.IndexFunc(p.at.Made, func(m made) bool { return m.ID == d.ID }); i >= 0 {
		return flow.Same(p.at.Made[i].Hash, d.Hash)
	}
	if p.at.Revision == 0 || old || p.at.over() {
		return nil
	}
	return d.fits(p.at.Level)
}

// heard takes over where the approval stands, unless something newer is known, and shows it to operators.
func (p *asking) heard(ctx workflow.Context, s Standing) error {
	if s.Revision < p.at.Revision {
		return nil
	}
	p.at = s
	workflow.SetCurrentDetails(ctx, s.describe())
	return flow.SetSearch(ctx, flow.Search{Stage: string(s.State), DueAt: s.DueAt, Priority: 3})
}

// ask has an activity of ours change or read the quote.
func (p *asking) ask(ctx workflow.Context, activity string, in any) error {
	var now Standing
	if err := p.decisions.Ask(ctx, activity, &now, in); err != nil {
		return err
	}
	return p.heard(ctx, now)
}

// step waits for a decision, for somebody who changes the quote, and until the level that is asked was silent for too long.
func (p *asking) step(ctx workflow.Context) error {
	was := p.at
	left := was.DueAt.Sub(workflow.Now(ctx))
	if p.early > 0 {
		left = max(left, time.Second<<p.early)
	}
	poked, err := p.pokes.WaitOr(ctx, left, func() bool { return p.at.Revision != was.Revision })
	switch {
	case err != nil:
		return err
	case poked:
		return p.ask(ctx, loadActivity, p.in)
	case p.at.Revision != was.Revision:
		p.early = 0
		return nil
	}
	if err := p.ask(ctx, silentActivity, silentInput{Input: p.in, DueAt: was.DueAt}); err != nil {
		return err
	}
	p.early++
	if p.at.Revision != was.Revision {
		p.early = 0
	}
	return nil
}

// attempt is how long one attempt at an activity may take.
const attempt = 30 * time.Second

// patience is how often the process finds the time of a level over where the service's clock does not. Clocks differ by moments;
// where it is more than that, the process ends, and is started anew when the level is late by the service's clock.
const patience = 12

// describe is what Temporal's page shows.
func (s Standing) describe() string {
	text := fmt.Sprintf("**%s**; %d approvals", s.State, len(s.Given))
	if s.over() {
		return text
	}
	if text += fmt.Sprintf("; level %s asked until %s", s.Level, s.DueAt.UTC().Format(time.RFC3339)); s.Escalated {
		text += ", since the one before was silent"
	}
	return text
}
