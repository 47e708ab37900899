package survey

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	accountsactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/activities/v1"
)

// WorkflowName is the name by which the process is started.
const WorkflowName = "survey_invitation"

const (
	queue   = "tickets"           // this service's task queue
	sender  = "survey"            // on whose behalf what happens by itself does
	attempt = 10 * time.Second    // how long one attempt at an activity may take
	purpose = "survey"            // as consents know it
	reason  = "survey_invitation" // what the contact is for
)

// Send asks accounts at that moment whether and how the customer may be reached, and has the invitation sent, or refused with
// the reason. All that it knows is in the invitation's row: it can be killed anywhere and started anew.
func Send(ctx workflow.Context, in Input) error {
	// What is said of the invitation is said also when an operator cancels.
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	ours := flow.Patiently(disconnected, "", attempt)
	var asked Asked
	if err := flow.Insist(ours, loadActivity, &asked, in); err != nil {
		return err
	}
	if asked.State != Waiting {
		return nil
	}
	outcome, err := resolve(ctx, in, asked)
	if err != nil {
		return err
	}
	var done Asked
	if err := flow.Insist(ours, settleActivity, &done, outcome); err != nil {
		return err
	}
	return flow.SetSearch(ctx, flow.Search{Stage: string(done.State)})
}

// resolve asks accounts whether and how the customer may be reached.
func resolve(ctx workflow.Context, in Input, asked Asked) (settledInput, error) {
	var answer accountsactivitiesv1.ResolveContactResult
	request := &accountsactivitiesv1.ResolveContact{
		IdempotencyKey: fmt.Sprintf("%s/contact/%d", workflow.GetInfo(ctx).WorkflowExecution.ID, max(1, asked.Round)), CustomerId: asked.CustomerID.String(),
		Purpose: purpose, Channel: asked.Channel, ReasonType: reason, ReasonId: in.ID.String(),
	}
	outcome := settledInput{ID: in.ID}
	err := flow.Insist(flow.Patiently(ctx, "accounts", attempt), flow.ActivityName(request), &answer, request)
	code, final := flow.Refused(err)
	switch {
	case final:
		outcome.Refusal = NotPossible
		workflow.GetLogger(ctx).Warn("accounts refused the question", "code", code)
	case temporal.IsCanceledError(err):
		outcome.Refusal = Cancelled
	case err != nil:
		return outcome, err
	case !answer.GetAllowed():
		outcome.Refusal = answer.GetRefusal()
	default:
		outcome.Channel = answer.GetChannel()
		if outcome.ContactID, err = uuid.Parse(answer.GetContactId()); err != nil {
			outcome.Refusal, outcome.Channel = NotPossible, ""
		}
	}
	return outcome, nil
}
