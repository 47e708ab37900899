package erasure

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
)

// The names by which the process is started and decided on.
const (
	WorkflowName = "erasure"
	DecideUpdate = "decide" // takes a Decision, answers with an Erasure
)

// rounds of the services: one to erase, one for what came in while the others still worked.
const rounds = 2

const (
	attempt   = time.Minute    // at one activity
	lookAgain = 24 * time.Hour // for what holds, when nobody asks earlier
	tryAgain  = 10 * time.Minute
	soon      = time.Minute // for what ends by itself
)

// Input names an erasure to its process; the tenant is in the signed header.
type Input struct {
	ID       uuid.UUID `json:"id"`
	Services []string  `json:"services"` // task queues of all that hold something of customers
}

// Action is what a person decides about an erasure.
type Action string

// The actions.
const (
	Recheck Action = "recheck" // look now whether something still holds
	Cancel  Action = "cancel"
)

// Decision is a person's decision about an erasure.
type Decision struct {
	ID     uuid.UUID `json:"id"` // the erasure's
	Action Action    `json:"action"`
}

// Erase leads an erasure. All that it knows is in the erasure's row, so it can be killed anywhere, and started anew where it
// was ended by hand.
func Erase(ctx workflow.Context, in Input) error {
	p := &erasing{in: in}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, DecideUpdate, p.decide, workflow.UpdateHandlerOptions{
		Description: "a person's decision about the erasure", Validator: p.validate,
	}); err != nil {
		return err
	}
	if err := p.ask(ctx, loadActivity, in.ID); err != nil {
		return err
	}
	for p.e.Open() {
		if err := p.step(ctx); err != nil {
			return err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && p.e.Open() && workflow.AllHandlersFinished(ctx) {
			return workflow.NewContinueAsNewError(ctx, WorkflowName, in)
		}
	}
	return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

// erasing is one run of the process.
type erasing struct {
	in   Input
	e    Erasure // as last heard
	look bool    // somebody asked to look again
}

func (p *erasing) validate(_ workflow.Context, d Decision) error {
	if d.ID != p.in.ID || d.Action != Recheck && d.Action != Cancel {
		return flow.Err(problem.New(problem.Unprocessable, "decision_unknown", "An erasure is rechecked or cancelled."))
	}
	return nil
}

func (p *erasing) decide(ctx workflow.Context, d Decision) (Erasure, error) {
	if d.Action == Recheck {
		p.look = true
		err := p.ask(ctx, loadActivity, p.in.ID)
		return p.e, err
	}
	var now Erasure
	err := workflow.ExecuteActivity(flow.Patiently(ctx, "", attempt), cancelActivity, p.in.ID).Get(ctx, &now)
	if err != nil {
		return now, err
	}
	return now, p.heard(ctx, now)
}

// step looks whether something holds, and waits while it does; or has the services erase.
func (p *erasing) step(ctx workflow.Context) error {
	if p.e.State == Erasing {
		return p.erase(ctx)
	}
	p.look = false
	holds, err := p.holds(ctx)
	if err != nil {
		return err
	}
	if err := p.ask(ctx, judgeActivity, judgement{ID: p.in.ID, Holds: holds}); err != nil {
		return err
	}
	if p.e.State != Held {
		return nil
	}
	_, err = workflow.AwaitWithTimeout(ctx, p.e.patience(), func() bool { return p.look || p.e.State != Held })
	return err
}

// holds asks every service what keeps the customer from being erased.
func (p *erasing) holds(ctx workflow.Context) ([]Hold, error) {
	all := []Hold{}
	for _, service := range p.in.Services {
		var answer erasurev1.CheckErasureResult
		in := &erasurev1.CheckErasure{CustomerIds: p.ids()}
		if err := flow.Insist(flow.Patiently(ctx, service, attempt), flow.ActivityName(in), &answer, in); err != nil {
			return nil, err
		}
		for _, h := range answer.GetHolds() {
			reference, _ := uuid.Parse(h.GetReferenceId()) // none is no reason to erase
			all = append(all, Hold{Service: service, Code: h.GetCode(), Reference: reference})
		}
	}
	return all, nil
}

// erase has every service erase, twice, keeps their reports, and marks the end. What a service says to be left is asked for
// again until nothing is.
func (p *erasing) erase(ctx workflow.Context) error {
	for round := 1; round <= rounds; round++ {
		for _, service := range p.in.Services {
			report, err := p.eraseIn(ctx, service, round)
			for err == nil && !report.clean() {
				if err = workflow.Sleep(ctx, tryAgain); err == nil {
					report, err = p.eraseIn(ctx, service, round)
				}
			}
			if err != nil {
				return err
			}
			if err := flow.Insist(flow.Patiently(ctx, "", attempt), reportActivity, nil, reported{ID: p.in.ID, Report: report}); err != nil {
				return err
			}
		}
	}
	return p.ask(ctx, finishActivity, p.in.ID)
}

func (p *erasing) eraseIn(ctx workflow.Context, service string, round int) (Report, error) {
	var answer erasurev1.EraseCustomerResult
	in := &erasurev1.EraseCustomer{ErasureId: p.in.ID.String(), CustomerIds: p.ids()}
	if err := flow.Insist(flow.Patiently(ctx, service, attempt), flow.ActivityName(in), &answer, in); err != nil {
		return Report{}, err
	}
	r := Report{Service: service, Round: round, Erased: []Count{}}
	for _, e := range answer.GetErased() {
		r.Erased = append(r.Erased, Count{What: e.GetWhat(), Count: e.GetCount(), Left: e.GetLeft()})
	}
	return r, nil
}

func (p *erasing) ids() []string {
	ids := make([]string, len(p.e.CustomerIDs))
	for n, id := range p.e.CustomerIDs {
		ids[n] = id.String()
	}
	return ids
}

// ask has an activity of ours change or read the erasure.
func (p *erasing) ask(ctx workflow.Context, activity string, in any) error {
	var now Erasure
	if err := flow.Insist(flow.Patiently(ctx, "", attempt), activity, &now, in); err != nil {
		return err
	}
	return p.heard(ctx, now)
}

// heard takes over where the erasure stands, and shows it to operators.
func (p *erasing) heard(ctx workflow.Context, e Erasure) error {
	if e.Version <= p.e.Version {
		return nil
	}
	p.e = e
	text := fmt.Sprintf("erasure of customer %s: %s", e.CustomerID, e.State)
	for _, h := range e.Holds {
		if e.State == Held {
			text += fmt.Sprintf("; held by %s of %s (%s)", h.Code, h.Service, h.Reference)
		}
	}
	workflow.SetCurrentDetails(ctx, text)
	return flow.SetSearch(ctx, flow.Search{Stage: string(e.State)})
}
