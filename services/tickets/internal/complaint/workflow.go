package complaint

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/flow"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/activities/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/activities/v1"
)

// The names by which the process is started, decided on and asked.
const (
	WorkflowName = "complaint"
	DecideUpdate = "decide" // takes a Decision, answers with Decided
	StepsQuery   = "steps"  // answers with a Standing
)

// Standing is the answer to the query "steps": where a complaint stands, what happened and what may be decided next.
type Standing struct {
	Number  string    `json:"number"`
	Stage   Stage     `json:"stage"`
	Outcome Outcome   `json:"outcome,omitempty"`
	DueAt   time.Time `json:"due_at,omitzero"`
	Level   int       `json:"level,omitempty"`  // that deals with it, from 1
	Alarms  []Alarm   `json:"alarms,omitempty"` // of deadlines that hold whatever step it is in
	Steps   []Step    `json:"steps"`
	Next    []Next    `json:"next"`
}

// Handle leads a complaint: it waits for decisions, reminds of what is overdue and carries out what was accepted. All that
// it knows is in the complaint's row, so it can be killed anywhere, and started anew where it was ended by hand, or where
// somebody has more to say about a complaint that is closed.
func Handle(ctx workflow.Context, in Input) error {
	p := begun(in)
	if err := p.listen(ctx); err != nil {
		return err
	}
	if err := p.ask(ctx, loadActivity, in); err != nil {
		return err
	}
	workflow.Go(ctx, p.watch)
	for {
		for p.c.Stage != Closed {
			if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && p.idle(ctx) {
				return workflow.NewContinueAsNewError(ctx, WorkflowName, in)
			}
			if err := p.step(ctx); err != nil {
				return err
			}
		}
		// Whoever decided in the same moment gets an answer; it may be that the complaint is dealt with anew.
		disconnected, _ := workflow.NewDisconnectedContext(ctx)
		if err := workflow.Await(disconnected, func() bool { return p.idle(disconnected) }); err != nil || p.c.Stage == Closed {
			return err
		}
	}
}

// idle tells that nobody waits for an answer and no activity is under way.
func (p *handling) idle(ctx workflow.Context) bool {
	return p.decisions.Idle(ctx)
}

// watch has the alarms of deadlines rung that hold whatever step the complaint is in, also while a remedy is carried out.
func (p *handling) watch(ctx workflow.Context) {
	for {
		if err := workflow.Await(ctx, func() bool { _, ok := p.c.nextAlarm(); return ok }); err != nil {
			return // by an operator, who ends it
		}
		next, _ := p.c.nextAlarm()
		changed, err := workflow.AwaitWithTimeout(ctx, max(0, next.At.Sub(workflow.Now(ctx))), func() bool {
			now, ok := p.c.nextAlarm()
			return !ok || !now.At.Equal(next.At)
		})
		if err != nil {
			return
		}
		if !changed && p.ask(ctx, overdueActivity, overdueInput{ID: p.in.ID, DueAt: next.At}) != nil {
			return
		}
	}
}

// handling is one run of the process.
type handling struct {
	in        Input
	c         Complaint // as last heard; Version 0 until it was loaded
	decisions flow.Decisions[Decision, Decided]
}

func begun(in Input) *handling {
	p := &handling{in: in}
	p.decisions = flow.Decisions[Decision, Decided]{
		Update: DecideUpdate, Activity: decideActivity, About: "the complaint", Attempt: attempt, Validate: p.validate,
		Heard: func(ctx workflow.Context, answer Decided) error { return p.heard(ctx, answer.Complaint) },
	}
	return p
}

// listen answers queries and decisions from the first moment on.
func (p *handling) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StepsQuery, func() (Standing, error) {
		return Standing{Number: p.c.Number, Stage: p.c.Stage, Outcome: p.c.Outcome, DueAt: p.c.DueAt, Level: p.c.Level, Alarms: p.c.Alarms,
			Steps: p.c.Steps, Next: p.c.Next()}, nil
	}); err != nil {
		return err
	}
	return p.decisions.Listen(ctx)
}

// validate refuses what cannot be decided, as far as the process knows.
func (p *handling) validate(d Decision, old bool) error {
	if d.ComplaintID != p.in.ID {
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

// heard takes over where the complaint stands, unless something newer is known, and shows it to operators.
func (p *handling) heard(ctx workflow.Context, c Complaint) error {
	if c.Version <= p.c.Version {
		return nil
	}
	p.c = c
	workflow.SetCurrentDetails(ctx, c.describe())
	return flow.SetSearch(ctx, c.search())
}

// step waits for the present step's decision, or carries out what was accepted.
func (p *handling) step(ctx workflow.Context) error {
	if p.c.Stage == Accepted {
		return p.carryOut(ctx)
	}
	version, dueAt := p.c.Version, p.c.DueAt
	decided, err := workflow.AwaitWithTimeout(ctx, max(0, dueAt.Sub(workflow.Now(ctx))), func() bool { return p.c.Version != version })
	switch {
	case temporal.IsCanceledError(err): // by an operator; what is being carried out already is not broken off
		return p.ask(ctx, endActivity, p.in)
	case err != nil || decided:
		return err
	}
	return p.ask(ctx, overdueActivity, overdueInput{ID: p.in.ID, DueAt: dueAt})
}

// ask has an activity of ours change or read the complaint.
func (p *handling) ask(ctx workflow.Context, activity string, in any) error {
	var now Complaint
	if err := p.decisions.Ask(ctx, activity, &now, in); err != nil {
		return err
	}
	return p.heard(ctx, now)
}

// carryOut carries out the parts of the accepted proposal, one after the other. When one is refused for good, those before
// it are taken back in reverse; where that cannot be, a person is asked. Each part has a key of its own, so that it is carried
// out once however often this runs.
func (p *handling) carryOut(ctx workflow.Context) error {
	// The customer's word is given: neither a part nor its compensation is broken off.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	kept := workflow.GetVersion(ctx, partsAreKept, workflow.DefaultVersion, 1) >= 1
	proposal := p.c.Proposal
	done := executedInput{ID: p.in.ID, Proposal: proposal.No}
	var before []Part // that would have to be taken back, the failing one included
	for i, part := range proposal.Parts {
		if part.State == Done { // before a part failed that is tried again now
			before = append(before, part)
		}
		if part.State != Planned {
			continue
		}
		before = append(before, part)
		result, err := p.carryOutPart(ctx, part, p.key(ctx, part))
		if err != nil {
			code, final := flow.Refused(err)
			if !final {
				return err
			}
			failed := Failure{Proposal: proposal.No, Part: part.No, Code: code, Results: done.Results}
			if failed.Stuck, failed.TakenBack, err = p.takeBack(ctx, before); err != nil {
				return err
			}
			return p.ask(ctx, failedActivity, failedInput{ID: p.in.ID, Failure: failed})
		}
		done.Results = append(done.Results, result)
		if kept && left(proposal.Parts[i+1:]) {
			if err := p.ask(ctx, partActivity, executedInput{ID: p.in.ID, Proposal: proposal.No, Results: []PartResult{result}}); err != nil {
				return err
			}
		}
	}
	return p.ask(ctx, executedActivity, done)
}

func left(parts []Part) bool {
	return slices.ContainsFunc(parts, func(part Part) bool { return part.State == Planned })
}

// key is that of a part: the same however often it is asked for.
func (p *handling) key(ctx workflow.Context, part Part) string {
	return fmt.Sprintf("%s/%d/%d", workflow.GetInfo(ctx).WorkflowExecution.ID, p.c.Proposal.No, part.No)
}

func (p *handling) carryOutPart(ctx workflow.Context, part Part, key string) (PartResult, error) {
	result := PartResult{No: part.No}
	switch part.Kind {
	case Points:
		var granted loyaltyv1.GrantPointsResult
		err := request(ctx, "loyalty", &loyaltyv1.GrantPoints{
			IdempotencyKey: key, CustomerId: p.c.CustomerID.String(), Points: part.Points, ReasonType: aggregate, ReasonId: p.c.ID.String(),
		}, &granted)
		result.Reference = granted.GetEntryId()
		return result, err
	case Refund:
		var refunded salesv1.RefundOrderResult
		err := request(ctx, "sales", &salesv1.RefundOrder{
			IdempotencyKey: key, OrderId: part.OrderID.String(), CustomerId: p.c.CustomerID.String(), AtMostMinor: part.AmountMinor,
			Currency: p.c.Proposal.Currency,
		}, &refunded)
		result.Reference, result.AmountMinor = refunded.GetReturnId(), refunded.GetAmountMinor()
		return result, err
	case Repair, Exchange, FreeService:
		err := flow.Insist(flow.Patiently(ctx, "", attempt), openTicketActivity, &result, ticketInput{ID: p.in.ID, Proposal: p.c.Proposal.No, Part: part.No})
		return result, err
	default: // whoever writes letters and issues vouchers does it under this number
		result.Reference = uuid.NewSHA1(p.in.ID, []byte(key)).String()
		return result, nil
	}
}

// takeBack takes parts back, the last first, until one cannot be: then it is stuck, and a person has to say how to go on.
// The last one is that which was refused: whether or not it took place, it is taken back too.
func (p *handling) takeBack(ctx workflow.Context, parts []Part) (stuck bool, back []int, err error) {
	for _, part := range slices.Backward(parts) {
		refused := part.No == parts[len(parts)-1].No
		switch {
		case part.Kind == Points:
			var reversed loyaltyv1.ReverseGrantResult
			err = request(ctx, "loyalty", &loyaltyv1.ReverseGrant{IdempotencyKey: p.key(ctx, part)}, &reversed)
		case refused: // everything else was not done
		case part.Kind == Refund:
			return true, back, nil
		case part.byTicket():
			err = flow.Insist(flow.Patiently(ctx, "", attempt), closeTicketActivity, nil, ticketInput{ID: p.in.ID, Proposal: p.c.Proposal.No, Part: part.No})
		}
		if _, final := flow.Refused(err); final {
			return true, back, nil
		}
		if err != nil {
			return false, nil, err
		}
		if !refused {
			back = append(back, part.No)
		}
	}
	return false, back, nil
}

// request asks another service for an activity of its contract, until it answers or refuses for good.
func request(ctx workflow.Context, service string, in, out proto.Message) error {
	return flow.Insist(flow.Patiently(ctx, service, attempt), flow.ActivityName(in), out, in)
}

// attempt is how long one attempt at an activity may take.
const attempt = 10 * time.Second

// search is what operators find and sort complaints by.
func (c Complaint) search() flow.Search {
	return flow.Search{Stage: string(c.Stage), DueAt: c.DueAt, Priority: c.Severity, Team: c.Unit}
}

// describe is what Temporal's page shows.
func (c Complaint) describe() string {
	text := fmt.Sprintf("**%s** %s", c.Number, c.Stage)
	if c.Outcome != "" {
		text += ", " + string(c.Outcome)
	}
	if !c.DueAt.IsZero() {
		text += "; due " + c.DueAt.UTC().Format(time.RFC3339)
	}
	if c.Reminders > 0 {
		text += fmt.Sprintf("; reminded %d times", c.Reminders)
	}
	if _, ok := c.nextAlarm(); ok && !c.LegalDueAt.IsZero() && c.AnsweredAt.IsZero() {
		text += "; final answer due " + c.LegalDueAt.UTC().Format(time.RFC3339)
	}
	if c.Level > 1 {
		text += fmt.Sprintf("; level %d", c.Level)
	}
	if p := c.Proposal; p != nil {
		text += fmt.Sprintf("; proposal %d costs %d %s (minor units)", p.No, p.CostMinor, p.Currency)
	}
	return text + "; next: " + c.possible()
}
