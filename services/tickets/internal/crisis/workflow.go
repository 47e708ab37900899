package crisis

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// The names by which the process is started, decided on and asked.
const (
	WorkflowName = "crisis"
	DecideUpdate = "decide" // takes a Decision, answers with Decided
	StepsQuery   = "steps"  // answers with a Standing
)

// Standing is the answer to the query "steps": where a crisis stands, what happened and what may be decided next.
type Standing struct {
	Dimension Dimension `json:"dimension"`
	Value     string    `json:"value"`
	Stage     Stage     `json:"stage"`
	Due       string    `json:"due,omitempty"` // statement, update or review
	DueAt     time.Time `json:"due_at,omitzero"`
	Linked    Linked    `json:"linked"`
	Steps     []Step    `json:"steps"`
	Next      []Action  `json:"next"`
}

// Handle leads a crisis that was declared: it waits for decisions, gives the answers that were decided on, and reminds of what
// is overdue. All that it knows is in the crisis's row, so it can be killed anywhere, and started anew where it was ended by
// hand. A crisis is ended by people only: cancelling its process leaves it as it is.
func Handle(ctx workflow.Context, in Input) error {
	p := begun(in)
	if err := p.listen(ctx); err != nil {
		return err
	}
	if err := p.ask(ctx, loadActivity, in); err != nil {
		return err
	}
	return p.decisions.Steps(ctx, WorkflowName, in, func(ctx workflow.Context) (over bool, err error) {
		if !p.ended() {
			err = p.step(ctx)
		}
		return p.ended(), err
	})
}

// ended tells that nothing is left to be led.
func (p *handling) ended() bool { return p.c.Over() || p.c.Stage == Proposed }

// handling is one run of the process.
type handling struct {
	in        Input
	c         Crisis // as last heard; Version 0 until it was loaded
	decisions flow.Decisions[Decision, Decided]
}

func begun(in Input) *handling {
	p := &handling{in: in}
	p.decisions = flow.Decisions[Decision, Decided]{
		Update: DecideUpdate, Activity: decideActivity, About: "the crisis", Attempt: attempt, Validate: p.validate,
		Heard: func(ctx workflow.Context, answer Decided) error { return p.heard(ctx, answer.Crisis) },
	}
	return p
}

// listen answers queries and decisions from the first moment on.
func (p *handling) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StepsQuery, func() (Standing, error) {
		return Standing{Dimension: p.c.Dimension, Value: p.c.Value, Stage: p.c.Stage, Due: p.c.Due(), DueAt: p.c.DueAt, Linked: p.c.Linked,
			Steps: p.c.Steps, Next: p.c.Next()}, nil
	}); err != nil {
		return err
	}
	return p.decisions.Listen(ctx)
}

// validate refuses what cannot be decided, as far as the process knows.
func (p *handling) validate(d Decision, old bool) error {
	if d.CrisisID != p.in.ID {
		return errNotFound
	}
	if p.c.Version == 0 || old { // the row will say
		return nil
	}
	if before, err := p.c.Decided(d); before || err != nil {
		return err
	}
	return p.c.Check(d)
}

// heard takes over where the crisis stands, unless something newer is known, and shows it to operators. Answers that were given
// change no version.
func (p *handling) heard(ctx workflow.Context, c Crisis) error {
	if c.Version < p.c.Version {
		return nil
	}
	p.c = c
	workflow.SetCurrentDetails(ctx, c.describe())
	return flow.SetSearch(ctx, c.search())
}

// step gives answers that were decided on, or waits for a decision until something is overdue.
func (p *handling) step(ctx workflow.Context) error {
	if p.c.Linked.Planned > 0 {
		return p.ask(ctx, answerActivity, p.in)
	}
	version, dueAt := p.c.Version, p.c.DueAt
	decided, err := workflow.AwaitWithTimeout(ctx, max(0, dueAt.Sub(workflow.Now(ctx))), func() bool {
		return p.c.Version != version || p.c.Linked.Planned > 0
	})
	if err != nil || decided {
		return err
	}
	return p.ask(ctx, overdueActivity, overdueInput{ID: p.in.ID, DueAt: dueAt})
}

// ask has an activity of ours change or read the crisis.
func (p *handling) ask(ctx workflow.Context, activity string, in any) error {
	var now Crisis
	if err := p.decisions.Ask(ctx, activity, &now, in); err != nil {
		return err
	}
	return p.heard(ctx, now)
}

// attempt is how long one attempt at an activity may take.
const attempt = 30 * time.Second

// search is what operators find and sort crises by. A crisis is always urgent.
func (c Crisis) search() flow.Search {
	return flow.Search{Stage: string(c.Stage), DueAt: c.DueAt, Priority: 1}
}

// describe is what Temporal's page shows.
func (c Crisis) describe() string {
	text := fmt.Sprintf("**%s %s** %s; %d complaints, %d answered", c.Dimension, c.Value, c.Stage, c.Linked.Complaints, c.Linked.Answered)
	if !c.DueAt.IsZero() {
		text += fmt.Sprintf("; %s due %s", c.Due(), c.DueAt.UTC().Format(time.RFC3339))
	}
	if c.Reminders > 0 {
		text += fmt.Sprintf("; reminded %d times", c.Reminders)
	}
	var next []string
	for _, a := range c.Next() {
		next = append(next, string(a))
	}
	return text + "; next: " + strings.Join(next, ", ")
}
