package survey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Verification is the code of the survey by which a complaint's outcome is verified. A tenant that has written none gets the
// ready one when it is first needed.
const Verification = "complaint_verification"

// Invitation says who is asked what about what.
type Invitation struct {
	Survey      string    // code of the survey, such as Verification
	SurveyID    uuid.UUID // or its id
	CustomerID  uuid.UUID // an alias will do
	TicketID    uuid.UUID // Nil for none
	ComplaintID uuid.UUID // Nil for none; its answer is the event SurveyAnswered with the complaint's id
	Touchpoint  string    // code; empty for none
	Channel     string    // to be asked by; empty: whichever the customer prefers of those that are allowed
	ByHand      bool      // an agent hands the link over: accounts is not asked, and nothing is delivered
}

// Invite asks a customer, in the transaction of whoever calls for it and on behalf of auth.From(ctx), and gives the
// invitation's id. The asking is a process that starts after the transaction: without consent nothing is sent, and the
// invitation says why. Where starter is nil the next sweep starts it. There is no cool-down: who calls for it has a reason.
//
// Problems: survey_not_found, survey_closed, survey_anonymous (a complaint cannot be verified by answers of nobody) and
// customer_erased. After each of these the transaction can go on.
func Invite(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, starter *starts.Starter, at time.Time, in Invitation) (uuid.UUID, error) {
	erased := false
	tx.Queue(`SELECT EXISTS (SELECT FROM erased_customer WHERE tenant_id = $1 AND customer_id = $2)`, tx.Tenant(), in.CustomerID).
		QueryRow(func(row pgx.Row) error { return row.Scan(&erased) })
	s, err := surveyOf(ctx, tx, in, at)
	if err != nil {
		return uuid.Nil, err
	}
	switch {
	case erased:
		return uuid.Nil, problem.New(problem.Gone, "customer_erased", "The customer was erased: nobody can be asked.")
	case s.Closed:
		return uuid.Nil, errClosed
	case s.Anonymous && in.ComplaintID != uuid.Nil:
		return uuid.Nil, problem.New(problem.Unprocessable, "survey_anonymous",
			"In anonymous mode nobody knows whose an answer is: it cannot verify a complaint.")
	}
	erasure.Refuse(tx, in.CustomerID) // whoever is erased at this moment: done again, it is refused above
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, err
	}
	i := Invited{
		ID: id, SurveyID: s.ID, SurveyVersion: s.Questions, Kind: s.Kind, Anonymous: s.Anonymous, CustomerID: in.CustomerID,
		TicketID: in.TicketID, ComplaintID: in.ComplaintID, Touchpoint: in.Touchpoint, Channel: in.Channel, ByHand: in.ByHand,
		Round: 1, State: Waiting, CreatedAt: at,
	}
	if in.ByHand {
		i = i.Send(uuid.Nil, "", at)
		insertInvitation(tx, i)
		return id, o.Append(ctx, tx, sentEvent(i))
	}
	insertInvitation(tx, i)
	if starter == nil {
		return id, nil
	}
	return id, starter.Queue(ctx, tx, start(tx.Tenant(), id))
}

// surveyOf finds the survey that is meant, and makes the one for complaints where it is needed for the first time.
func surveyOf(ctx context.Context, tx *pg.Tx, in Invitation, at time.Time) (Survey, error) {
	if in.SurveyID != uuid.Nil {
		return loadSurvey(ctx, tx, in.SurveyID, 0, false)
	}
	found, err := findSurvey(ctx, tx, in.Survey)
	if !errors.Is(err, errNotFound) || in.Survey != Verification {
		return found, err
	}
	// Who comes second waits for the first, and finds its survey.
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('survey ' || $1 || ' ' || $2, 0))`, tx.Tenant(), Verification)
	if found, err = findSurvey(ctx, tx, in.Survey); !errors.Is(err, errNotFound) {
		return found, err
	}
	s := Templates()[Verification]
	if s.ID, err = uuid.NewV7(); err != nil {
		return Survey{}, err
	}
	s.Code, s.Version, s.Questions, s.ChangedAt = Verification, 1, 1, at
	insertSurvey(tx, s, sender)
	return s, nil
}

// start describes the process that asks accounts and sends. The invitation's row decides what is left to do.
func start(tenant string, invitation uuid.UUID) flow.Start {
	return flow.Start{
		ID: "survey-invitation/" + tenant + "/" + invitation.String(), Queue: queue, Workflow: WorkflowName,
		Args: []any{Input{ID: invitation}}, Search: flow.Search{Stage: string(Waiting)}, Again: true,
	}
}
