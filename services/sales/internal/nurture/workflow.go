package nurture

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	accountsactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/activities/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

// The names by which the process is started, decided on and asked.
const (
	WorkflowName = "nurture"
	DecideUpdate = "decide" // takes a Decision, answers with Decided
	StepsQuery   = "steps"  // answers with a Standing
)

// Standing is the answer to the query "steps": where a case stands, what happened and what may be decided next.
type Standing struct {
	Programme string    `json:"programme"`
	Stage     Stage     `json:"stage"`
	DueAt     time.Time `json:"due_at,omitzero"`
	Steps     []Step    `json:"steps"`
	Next      []Action  `json:"next"`
}

const (
	attempt = 30 * time.Second // how long one attempt at an activity may take
	// least is the shortest wait: where the clock of the activities is behind that of the process engine, what the one takes
	// for due is not yet for the other.
	least = 100 * time.Millisecond
	most  = 30 * 24 * time.Hour // the longest wait, after which it looks again: of a paused one nothing else wakes it
	// notPossible is why a touch was skipped of which accounts did not understand the question.
	notPossible = "not_possible"
	purpose     = "marketing"
)

// Handle warms a lead up: it has it hear what the programme says in its time, asking accounts before whether a customer may be
// contacted, until the lead goes to sales, or was silent to the end. All that it knows is in the case's row, so it can be killed
// anywhere, and started anew where it was ended by hand. A case is ended by its rules and by people only: cancelling its process
// leaves it as it is.
func Handle(ctx workflow.Context, in Input) error {
	p := begun(in)
	if err := p.listen(ctx); err != nil {
		return err
	}
	return p.decisions.Steps(ctx, WorkflowName, in, p.step)
}

// handling is one run of the process.
type handling struct {
	in        Input
	c         Case // as last heard; Version 0 until it was loaded
	decisions flow.Decisions[Decision, Decided]
	pokes     *flow.Poked
}

func begun(in Input) *handling {
	p := &handling{in: in}
	p.decisions = flow.Decisions[Decision, Decided]{
		Update: DecideUpdate, Activity: decideActivity, About: "the nurturing", Attempt: attempt, Validate: p.validate,
		Heard: func(ctx workflow.Context, answer Decided) error { return p.heard(ctx, answer.Case) },
	}
	return p
}

// listen answers queries and decisions, and hears pokes, from the first moment on.
func (p *handling) listen(ctx workflow.Context) error {
	p.pokes = flow.ListenForPokes(ctx)
	if err := workflow.SetQueryHandler(ctx, StepsQuery, func() (Standing, error) {
		return Standing{Programme: p.c.Programme, Stage: p.c.Stage, DueAt: p.c.DueAt(), Steps: p.c.Steps, Next: p.c.NextActions()}, nil
	}); err != nil {
		return err
	}
	return p.decisions.Listen(ctx)
}

// validate refuses what cannot be decided, as far as the process knows.
func (p *handling) validate(d Decision, old bool) error {
	if d.CaseID != p.in.ID {
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

// heard takes over where the case stands, unless something newer is known, and shows it to operators.
func (p *handling) heard(ctx workflow.Context, c Case) error {
	if c.Version < p.c.Version {
		return nil
	}
	p.c = c
	workflow.SetCurrentDetails(ctx, c.describe())
	return flow.SetSearch(ctx, flow.Search{Stage: string(c.Stage), DueAt: c.DueAt()})
}

// step does what is due, or waits until something is: a time, a decision, or a change of the lead. over says that nothing is left.
func (p *handling) step(ctx workflow.Context) (over bool, err error) {
	var seen Looked
	if err := p.decisions.Ask(ctx, lookActivity, &seen, p.in); err != nil {
		return false, err
	}
	if err := p.heard(ctx, seen.Case); err != nil || p.c.Over() {
		return p.c.Over(), err
	}
	if seen.Ask != nil && p.c.Version == seen.Case.Version {
		said, err := p.resolve(ctx, *seen.Ask)
		if err != nil {
			return false, err
		}
		var now Case
		if err := p.decisions.Ask(ctx, touchedActivity, &now, said); err != nil {
			return false, err
		}
		return now.Over(), p.heard(ctx, now)
	}
	version, wait := p.c.Version, most
	if due := p.c.DueAt(); !due.IsZero() {
		wait = min(most, max(least, due.Sub(workflow.Now(ctx))))
	}
	_, err = p.pokes.WaitOr(ctx, wait, func() bool { return p.c.Version != version })
	return p.c.Over(), err
}

// resolve asks accounts whether and how the customer may be reached now.
func (p *handling) resolve(ctx workflow.Context, ask Ask) (touchedInput, error) {
	var answer accountsactivitiesv1.ResolveContactResult
	request := &accountsactivitiesv1.ResolveContact{
		IdempotencyKey: fmt.Sprintf("%s/%s-%d/%d", workflow.GetInfo(ctx).WorkflowExecution.ID, ask.Touch, ask.Next+1, ask.Round),
		CustomerId:     ask.CustomerID.String(), Purpose: purpose, Channel: ask.Channel, ReasonType: lead.Aggregate, ReasonId: p.c.LeadID.String(),
	}
	said := touchedInput{ID: p.in.ID, Next: ask.Next, Round: ask.Round}
	err := flow.Insist(flow.Patiently(ctx, "accounts", attempt), flow.ActivityName(request), &answer, request)
	code, final := flow.Refused(err)
	switch {
	case final:
		said.Refusal = notPossible
		workflow.GetLogger(ctx).Warn("accounts refused the question", "code", code)
	case err != nil:
		return said, err
	case !answer.GetAllowed():
		said.Refusal = answer.GetRefusal()
	default:
		said.Channel, said.ValidUntil = answer.GetChannel(), answer.GetValidUntil().AsTime()
		if said.ContactID, err = uuid.Parse(answer.GetContactId()); err != nil {
			said.Refusal, said.Channel = notPossible, ""
		}
	}
	return said, nil
}

// describe is what Temporal's page shows.
func (c Case) describe() string {
	text := fmt.Sprintf("lead %s by programme %s: **%s**, %d touches", c.LeadID, c.Programme, c.Stage, c.Touches)
	if due := c.DueAt(); !due.IsZero() {
		text += "; next at " + due.UTC().Format(time.RFC3339)
	}
	if c.Code != "" {
		text += "; " + c.Code
	}
	return text
}
