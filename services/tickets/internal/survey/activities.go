package survey

import (
	"context"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Input names an invitation to its process; the tenant is in the signed header.
type Input struct {
	ID uuid.UUID `json:"id"`
}

// Asked is what the process needs to know of an invitation.
type Asked struct {
	State      State     `json:"state"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	Channel    string    `json:"channel,omitempty"` // to be asked by
	Round      int       `json:"round,omitempty"`   // of asking
}

// settledInput is what accounts said: a refusal, or how the customer is reached.
type settledInput struct {
	ID        uuid.UUID `json:"id"`
	Refusal   string    `json:"refusal,omitempty"`
	ContactID uuid.UUID `json:"contact_id,omitzero"`
	Channel   string    `json:"channel,omitempty"`
}

// Names under which the activities are registered.
const (
	loadActivity   = "survey.load"
	settleActivity = "survey.settle"
)

// Worker registers the process and its activities.
func (s *Surveys) Worker(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Send, workflow.RegisterOptions{Name: WorkflowName})
	r.RegisterActivityWithOptions(s.load, activity.RegisterOptions{Name: loadActivity})
	r.RegisterActivityWithOptions(s.settle, activity.RegisterOptions{Name: settleActivity})
}

func (s *Surveys) load(ctx context.Context, in Input) (asked Asked, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		i, err := loadInvitation(ctx, tx, in.ID, false)
		asked = Asked{State: i.State, CustomerID: i.CustomerID, Channel: i.Channel, Round: i.Round}
		return err
	})
	return asked, err
}

// settle has the invitation sent or refused. One that was settled before stays as it is: so it can be done again.
func (s *Surveys) settle(ctx context.Context, in settledInput) (done Asked, err error) {
	at := s.now()
	_, err = s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		i, err := loadInvitation(ctx, tx, in.ID, true)
		if err != nil {
			return pg.Result{}, err
		}
		done.State = i.State
		if i.State != Waiting {
			return pg.Result{}, nil
		}
		if in.Refusal == "" {
			of, err := loadSurvey(ctx, tx, i.SurveyID, 0, false)
			if err != nil {
				return pg.Result{}, err
			}
			if of.Closed {
				in.Refusal = SurveyClosed
			}
		}
		if in.Refusal != "" {
			i = i.Refuse(in.Refusal)
			done.State = i.State
			saveInvitation(tx, i)
			return pg.Result{}, nil
		}
		i = i.Send(in.ContactID, in.Channel, at)
		done.State = i.State
		saveInvitation(tx, i)
		return pg.Result{}, s.outbox.Append(ctx, tx, sentEvent(i))
	})
	return done, err
}
