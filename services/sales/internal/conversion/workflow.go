package conversion

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// The names by which the process is started and asked.
const (
	WorkflowName = "lead-conversion"
	StateQuery   = "state" // answers with a Progress
)

// Input names a conversion to its process; the tenant is in the signed header.
type Input struct {
	ID uuid.UUID `json:"id"`
}

// Progress is what the process knows of a conversion, and its answer to the query "state". It travels in histories: ids and
// codes only.
type Progress struct {
	Version       int64     `json:"version"`
	State         State     `json:"state"`
	Moving        bool      `json:"moving"`
	LeadID        uuid.UUID `json:"lead_id"`
	CustomerID    uuid.UUID `json:"customer_id,omitzero"`
	ContactID     uuid.UUID `json:"contact_id,omitzero"`
	OpportunityID uuid.UUID `json:"opportunity_id,omitzero"`
	Refusal       string    `json:"refusal,omitempty"`
}

func (c Conversion) progress() Progress {
	return Progress{
		Version: c.Version, State: c.State, Moving: c.Moving(), LeadID: c.LeadID, CustomerID: c.Customer.ID, ContactID: c.Contact.ID,
		OpportunityID: c.OpportunityID, Refusal: c.Refusal,
	}
}

// Handle leads a conversion, or its undoing, to its end. All that it knows is in the row, so it can be killed anywhere, and
// started anew where it was ended by hand.
func Handle(ctx workflow.Context, in Input) error {
	var now Progress
	if err := workflow.SetQueryHandler(ctx, StateQuery, func() (Progress, error) { return now, nil }); err != nil {
		return err
	}
	ask := func(activity string) error {
		if err := flow.Insist(flow.Patiently(ctx, "", attempt), activity, &now, in); err != nil {
			return err
		}
		workflow.SetCurrentDetails(ctx, now.describe())
		return flow.SetSearch(ctx, flow.Search{Stage: string(now.State)})
	}
	if err := ask(loadActivity); err != nil {
		return err
	}
	for now.Moving {
		next := putBackActivity
		switch {
		case now.State == Running && now.CustomerID == uuid.Nil:
			next = introduceActivity
		case now.State == Running:
			next = openActivity
		case now.State == Undoing:
			next = undoActivity
		}
		if err := ask(next); err != nil {
			return err
		}
	}
	return nil
}

// attempt is how long one attempt at an activity may take: several calls of accounts.
const attempt = time.Minute

// describe is what Temporal's page shows.
func (p Progress) describe() string {
	text := fmt.Sprintf("**%s** lead %s", p.State, p.LeadID)
	if p.CustomerID != uuid.Nil {
		text += fmt.Sprintf(", customer %s", p.CustomerID)
	}
	if p.OpportunityID != uuid.Nil {
		text += fmt.Sprintf(", opportunity %s", p.OpportunityID)
	}
	if p.Refusal != "" {
		text += "; " + p.Refusal
	}
	return text
}
