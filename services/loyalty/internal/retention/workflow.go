package retention

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	accountsactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/activities/v1"
)

// The names by which the process is started, decided on, told and asked.
const (
	WorkflowName = "retention"
	DecideUpdate = "decide" // takes a Decision, answers with Decided
	LookUpdate   = "look"   // takes nothing: the case's row was changed by something else
	StepsQuery   = "steps"  // answers with a Standing
)

// Standing is the answer to the query "steps": where a case stands, what happened and what may be decided next.
type Standing struct {
	Plan  string    `json:"plan"`
	Kind  Kind      `json:"kind"`
	Arm   Arm       `json:"arm"`
	Stage Stage     `json:"stage"`
	DueAt time.Time `json:"due_at,omitzero"`
	Steps []Step    `json:"steps"`
	Next  []Action  `json:"next"`
}

// Handle leads a case: it does the steps of the plan in their time, asking accounts before each whether the customer may be
// contacted, until the customer buys or the time has passed. Of a customer who is held out it only waits. All that it knows is
// in the case's row, so it can be killed anywhere, and started anew where it was ended by hand. A case is ended by its rules
// and by people only: cancelling its process leaves it as it is.
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
	stale     bool // the row was changed by something else
}

func begun(in Input) *handling {
	p := &handling{in: in}
	p.decisions = flow.Decisions[Decision, Decided]{
		Update: DecideUpdate, Activity: decideActivity, About: "the case", Attempt: attempt, Validate: p.validate,
		Heard: func(ctx workflow.Context, answer Decided) error { return p.heard(ctx, answer.Case) },
	}
	return p
}

// listen answers queries, decisions and what is told from the first moment on.
func (p *handling) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StepsQuery, func() (Standing, error) {
		return Standing{Plan: p.c.Plan, Kind: p.c.Kind, Arm: p.c.Arm, Stage: p.c.Stage, DueAt: p.c.DueAt(), Steps: p.c.Steps, Next: p.c.NextActions()}, nil
	}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandler(ctx, LookUpdate, func(workflow.Context) error { p.stale = true; return nil }); err != nil {
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
	return flow.SetSearch(ctx, c.search())
}

// step does what is due, or waits until something is: a time, a decision, or what was told. over says that nothing is left.
func (p *handling) step(ctx workflow.Context) (over bool, err error) {
	p.stale = false
	var seen Looked
	if err := p.ask(ctx, lookActivity, &seen, p.in); err != nil {
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
		if err := p.ask(ctx, contactedActivity, &now, said); err != nil {
			return false, err
		}
		return now.Over(), p.heard(ctx, now)
	}
	version, due := p.c.Version, p.c.DueAt()
	_, err = workflow.AwaitWithTimeout(ctx, max(least, due.Sub(workflow.Now(ctx))), func() bool { return p.stale || p.c.Version != version })
	return p.c.Over(), err
}

// resolve asks accounts whether and how the customer may be reached now.
func (p *handling) resolve(ctx workflow.Context, ask Ask) (contactedInput, error) {
	var answer accountsactivitiesv1.ResolveContactResult
	request := &accountsactivitiesv1.ResolveContact{
		IdempotencyKey: fmt.Sprintf("%s/%s-%d/%d", workflow.GetInfo(ctx).WorkflowExecution.ID, ask.Kind, ask.Next+1, ask.Round),
		CustomerId:     p.c.CustomerID.String(), Purpose: ask.Purpose, Channel: ask.Channel, ReasonType: aggregate, ReasonId: p.in.ID.String(),
	}
	said := contactedInput{ID: p.in.ID, Next: ask.Next, Round: ask.Round}
	err := flow.Insist(flow.Patiently(ctx, "accounts", attempt), flow.ActivityName(request), &answer, request)
	code, final := flow.Refused(err)
	switch {
	case final:
		said.Refusal = notPossible
		workflow.GetLogger(ctx).Warn("accounts refused the question", "code", code)
	case temporal.IsCanceledError(err) || err != nil:
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

// notPossible is why a step was skipped of which accounts did not understand the question.
const notPossible = "not_possible"

// ask has an activity of ours change or read the case.
func (p *handling) ask(ctx workflow.Context, activity string, out, in any) error {
	return p.decisions.Ask(ctx, activity, out, in)
}

const (
	attempt = 30 * time.Second // how long one attempt at an activity may take
	// least is the shortest wait: where the clock of the activities is behind that of the process engine, what the one takes
	// for due is not yet for the other.
	least = 100 * time.Millisecond
)

// search is what operators find and sort cases by: those of the most valuable customers are the most urgent.
func (c Case) search() flow.Search {
	s := flow.Search{Stage: string(c.Stage), DueAt: c.DueAt(), Priority: 3}
	switch c.Band {
	case High:
		s.Priority = 1
	case Medium:
		s.Priority = 2
	}
	return s
}

// describe is what Temporal's page shows.
func (c Case) describe() string {
	text := fmt.Sprintf("**%s** by plan %s (%s, %s), opened by %s: %s; %d contacts", c.Kind, c.Plan, c.Band, c.Arm, c.Trigger, c.Stage, c.Contacts)
	if c.Offer.State != "" {
		text += fmt.Sprintf("; offer %s %s", c.Offer.Offer, c.Offer.State)
	}
	if due := c.DueAt(); !due.IsZero() {
		text += fmt.Sprintf("; next at %s; ends %s", due.UTC().Format(time.RFC3339), c.EndsAt.UTC().Format(time.RFC3339))
	}
	if c.Code != "" {
		text += "; " + c.Code
	}
	return text
}
