package survey_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/activities/v1"
	"github.com/guanxi-crm/guanxi/services/tickets"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(survey.Send, workflow.RegisterOptions{Name: survey.WorkflowName})
	})
}

var (
	monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	chief  = auth.Principal{Subject: "chen", Tenant: "pizza", Roles: []string{auth.RoleAdmin}}
)

// neighbour stands in for accounts: it keeps the promise of the contract of its activity.
type neighbour struct {
	mu      sync.Mutex
	refusal string // why nobody is reached
	fault   string // with which it refuses the question itself
	away    int    // how many calls find it away
	asked   []*accountsactivitiesv1.ResolveContact
	contact uuid.UUID
}

func (n *neighbour) register(r worker.Registry) {
	n.contact = uuid.Must(uuid.NewV7())
	r.RegisterActivityWithOptions(n.resolve, activity.RegisterOptions{Name: flow.ActivityName(&accountsactivitiesv1.ResolveContact{})})
}

func (n *neighbour) resolve(_ context.Context, in *accountsactivitiesv1.ResolveContact) (*accountsactivitiesv1.ResolveContactResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, in)
	switch {
	case n.away > 0:
		n.away--
		return nil, errors.New("away")
	case n.fault != "":
		return nil, problem.New(problem.Unprocessable, n.fault, "This is not valid.")
	case n.refusal != "":
		return &accountsactivitiesv1.ResolveContactResult{Refusal: n.refusal, ContactId: n.contact.String()}, nil
	}
	return &accountsactivitiesv1.ResolveContactResult{Allowed: true, ContactId: n.contact.String(), Channel: "email"}, nil
}

// back has accounts answer again.
func (n *neighbour) back() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away = 0
}

// post is an invitation whose time passes as fast as nothing happens, on a real database.
type post struct {
	*testsuite.TestWorkflowEnvironment
	t        *testing.T
	db       *pg.DB
	surveys  *survey.Surveys
	accounts *neighbour
	of       survey.Survey
	id       uuid.UUID
	ctx      context.Context
}

// write has a survey and an invitation that waits.
func write(t *testing.T, in survey.Invitation) *post {
	t.Helper()
	p := &post{t: t, accounts: &neighbour{}, ctx: auth.With(t.Context(), chief)}
	clock := func() time.Time {
		if p.TestWorkflowEnvironment == nil {
			return monday
		}
		return p.Now()
	}
	p.db = pgtest.Database(t, tickets.Module().Source()).DB(pg.App)
	starter := starts.New(p.db, nil)
	p.surveys = survey.New(p.db, outbox.New("tickets"), starter, clock)
	draft := survey.Templates()["nps"]
	draft.Code = "nps"
	var err error
	p.of, err = p.surveys.Make(p.ctx, draft)
	require.NoError(t, err)
	if in.Survey == "" {
		in.SurveyID = p.of.ID
	}
	in.CustomerID = uuid.Must(uuid.NewV7())
	require.NoError(t, p.db.Tx(p.ctx, "pizza", func(tx *pg.Tx) (err error) {
		p.id, err = survey.Invite(p.ctx, tx, outbox.New("tickets"), starter, monday, in)
		return err
	}))
	return p
}

// run lets the process come to its end and gives the invitation as it is then.
func (p *post) run(prepare ...func()) survey.Invited {
	p.t.Helper()
	env := flowtest.Environment(p.t, chief, "survey-invitation/pizza/"+p.id.String())
	env.SetStartTime(monday.Add(time.Hour))
	p.surveys.Worker(env)
	p.accounts.register(env)
	p.TestWorkflowEnvironment = env
	for _, one := range prepare {
		one()
	}
	env.ExecuteWorkflow(survey.WorkflowName, survey.Input{ID: p.id})
	require.NoError(p.t, env.GetWorkflowError())
	i, err := p.surveys.Invitation(p.ctx, p.id)
	require.NoError(p.t, err)
	return i
}

func (p *post) events() (n int) {
	p.t.Helper()
	require.NoError(p.t, p.db.Tx(p.ctx, "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(p.ctx, `SELECT coalesce(sum(seq), 0) FROM outbox_seq WHERE aggregate_type = 'invitation'`).Scan(&n)
	}))
	return n
}

func TestAnInvitationIsSentToWhomeverAccountsAllows(t *testing.T) {
	t.Parallel()
	p := write(t, survey.Invitation{Channel: "email"})
	p.accounts.away = 3
	i := p.run()
	require.Equal(t, survey.Sent, i.State)
	require.Equal(t, p.accounts.contact, i.ContactID)
	require.Equal(t, "email", i.Channel)
	require.Equal(t, 14*24*time.Hour, i.LocksAt.Sub(i.SentAt))
	require.Equal(t, 1, p.events())
	asked := p.accounts.asked[0]
	require.Equal(t, "survey", asked.GetPurpose())
	require.Equal(t, "email", asked.GetChannel())
	require.Equal(t, i.CustomerID.String(), asked.GetCustomerId())
	for _, again := range p.accounts.asked {
		require.Equal(t, asked.GetIdempotencyKey(), again.GetIdempotencyKey())
	}

	_, _, err := p.surveys.Fetch(p.ctx, p.id, true)
	require.Equal(t, "invitation_delivered", problem.From(err).Code)
	_, secret, err := p.surveys.Fetch(p.ctx, p.id, false)
	require.NoError(t, err)
	_, _, err = p.surveys.Fetch(p.ctx, p.id, false)
	require.Equal(t, "link_used", problem.From(err).Code)
	bounced, err := p.surveys.Bounce(p.ctx, p.id)
	require.NoError(t, err)
	require.Equal(t, survey.Bounced, bounced.State)
	score := 9
	require.NoError(t, p.surveys.Answer(p.ctx, secret, "en", []survey.Given{{Question: "score", Number: &score}}), "it did arrive after all")
	after, err := p.surveys.Bounce(p.ctx, p.id)
	require.NoError(t, err)
	require.Equal(t, survey.Answered, after.State)
}

func TestWithoutConsentNothingIsSentAndTheInvitationSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refusal, fault, want string
	}{
		"no consent":                {"no_consent", "", "no_consent"},
		"a withdrawal":              {"withdrawn", "", "withdrawn"},
		"nothing to reach them by":  {"no_address", "", "no_address"},
		"a question not understood": {"", "contact_invalid", survey.NotPossible},
	} {
		p := write(t, survey.Invitation{})
		p.accounts.refusal, p.accounts.fault = c.refusal, c.fault
		i := p.run()
		if i.State != survey.Refused || i.Refusal != c.want || p.events() != 0 {
			t.Errorf("%s: got %+v", name, i)
		}
		if _, _, err := p.surveys.Fetch(p.ctx, p.id, false); problem.From(err).Code != "invitation_refused" {
			t.Errorf("%s: the link is given: %v", name, err)
		}
		if _, err := p.surveys.Bounce(p.ctx, p.id); problem.From(err).Code != "invitation_not_sent" {
			t.Errorf("%s: it bounced: %v", name, err)
		}
	}
}

func TestAProcessThatIsStartedAnewSendsNothingTwice(t *testing.T) {
	t.Parallel()
	p := write(t, survey.Invitation{})
	first := p.run()
	again := p.run()
	require.Equal(t, first, again)
	require.Equal(t, 1, p.events())
	require.Len(t, p.accounts.asked, 1)
}

func TestWhatDidNotReachTheCustomerIsAskedAgain(t *testing.T) {
	t.Parallel()
	p := write(t, survey.Invitation{})
	again := func() error { _, err := p.surveys.Again(p.ctx, p.id); return err }
	p.accounts.refusal = "no_consent"
	require.Equal(t, "no_consent", p.run().Refusal)
	require.NoError(t, again())
	require.NoError(t, again(), "twice is once")
	p.accounts.refusal = ""
	sent := p.run()
	require.Equal(t, survey.Sent, sent.State)
	require.Equal(t, 2, sent.Round)
	require.NotEqual(t, p.accounts.asked[0].GetIdempotencyKey(), p.accounts.asked[1].GetIdempotencyKey())

	require.NoError(t, again(), "nobody fetched the link")
	require.Equal(t, survey.Sent, p.run().State)
	_, first, err := p.surveys.Fetch(p.ctx, p.id, false)
	require.NoError(t, err)
	require.Equal(t, "link_used", problem.From(again()).Code, "it is out")
	_, err = p.surveys.Bounce(p.ctx, p.id)
	require.NoError(t, err)
	require.NoError(t, again())
	score := 9
	given := []survey.Given{{Question: "score", Number: &score}}
	require.Equal(t, "survey_link_unknown", problem.From(p.surveys.Answer(p.ctx, first, "en", given)).Code)
	require.Equal(t, survey.Sent, p.run().State)
	_, second, err := p.surveys.Fetch(p.ctx, p.id, false)
	require.NoError(t, err)
	require.NoError(t, p.surveys.Answer(p.ctx, second, "en", given))
	require.Equal(t, "survey_answered", problem.From(again()).Code)
	require.Equal(t, 4, p.events(), "sent three times, answered once")
}

func TestASurveyThatWasClosedMeanwhileIsNotSent(t *testing.T) {
	t.Parallel()
	p := write(t, survey.Invitation{})
	_, err := p.surveys.SetClosed(p.ctx, p.of.ID, true)
	require.NoError(t, err)
	require.Equal(t, survey.SurveyClosed, p.run().Refusal)
	require.Zero(t, p.events())
}

func TestACancelledProcessSendsNothing(t *testing.T) {
	t.Parallel()
	p := write(t, survey.Invitation{})
	p.accounts.away = 1_000_000
	i := p.run(func() { p.RegisterDelayedCallback(p.CancelWorkflow, time.Hour) })
	require.Equal(t, survey.Refused, i.State)
	require.Equal(t, survey.Cancelled, i.Refusal)
}

func TestAComplaintIsVerifiedByAReadySurvey(t *testing.T) {
	t.Parallel()
	complaint := uuid.Must(uuid.NewV7())
	p := write(t, survey.Invitation{Survey: survey.Verification, ComplaintID: complaint})
	i := p.run()
	require.Equal(t, complaint, i.ComplaintID)
	require.Equal(t, survey.CSAT, i.Kind)
	require.NotEqual(t, p.of.ID, i.SurveyID)
	ask := func(in survey.Invitation) (err error) {
		in.CustomerID = uuid.Must(uuid.NewV7())
		return p.db.Tx(p.ctx, "pizza", func(tx *pg.Tx) error {
			_, err := survey.Invite(p.ctx, tx, outbox.New("tickets"), nil, monday, in)
			return err
		})
	}
	require.NoError(t, ask(survey.Invitation{Survey: survey.Verification, ComplaintID: complaint}), "a second time by the same survey")
	all, err := p.surveys.List(p.ctx, uuid.Nil, 10)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "survey_not_found", problem.From(ask(survey.Invitation{Survey: "horoscope"})).Code)
	silent := survey.Templates()["csat"]
	silent.Code, silent.Anonymous = "silent", true
	_, err = p.surveys.Make(p.ctx, silent)
	require.NoError(t, err)
	require.Equal(t, "survey_anonymous", problem.From(ask(survey.Invitation{Survey: "silent", ComplaintID: complaint})).Code)
	require.NoError(t, ask(survey.Invitation{Survey: "silent"}))
}

// TestACommandGoesOnWhereNobodyCanBeAsked holds rooms before this one to nothing: they may go on without an invitation.
func TestACommandGoesOnWhereNobodyCanBeAsked(t *testing.T) {
	t.Parallel()
	p := write(t, survey.Invitation{})
	_, err := p.surveys.SetClosed(p.ctx, p.of.ID, true)
	require.NoError(t, err)
	gone := uuid.Must(uuid.NewV7())
	require.NoError(t, p.db.Tx(p.ctx, "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO erased_customer (tenant_id, customer_id, erasure_id) VALUES ('pizza', $1, $1)`, gone)
		for code, in := range map[string]survey.Invitation{
			"customer_erased":  {Survey: survey.Verification, CustomerID: gone},
			"survey_closed":    {SurveyID: p.of.ID, CustomerID: uuid.Must(uuid.NewV7())},
			"survey_not_found": {Survey: "horoscope", CustomerID: uuid.Must(uuid.NewV7())},
		} {
			_, err := survey.Invite(p.ctx, tx, outbox.New("tickets"), nil, monday, in)
			require.Equal(t, code, problem.From(err).Code)
		}
		return tx.Flush(p.ctx)
	}))
}

func TestAnInvitationWhoseProcessIsGoneIsFound(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t, tickets.Module().Source())
	db, ops := database.DB(pg.App), database.DB(pg.Ops)
	now := monday
	surveys := survey.New(db, outbox.New("tickets"), starts.New(db, nil), func() time.Time { return now })
	ask := func(tenant string, at time.Time) string {
		ctx := auth.With(t.Context(), auth.Principal{Subject: "mei", Tenant: tenant})
		var id uuid.UUID
		require.NoError(t, db.Tx(ctx, tenant, func(tx *pg.Tx) (err error) {
			id, err = survey.Invite(ctx, tx, outbox.New("tickets"), nil, at, survey.Invitation{Survey: survey.Verification, CustomerID: uuid.Must(uuid.NewV7())})
			return err
		}))
		return "survey-invitation/" + tenant + "/" + id.String()
	}
	pizza, music := ask("pizza", monday), ask("music", monday)
	ask("pizza", monday.Add(time.Hour))
	swept := func() (ids []string) {
		require.NoError(t, surveys.Sweep(t.Context()))
		require.NoError(t, ops.System(t.Context(), func(tx *pg.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT coalesce(array_agg(workflow_id), '{}') FROM process_start`).Scan(&ids)
		}))
		return ids
	}
	now = monday.Add(9 * time.Minute)
	require.Empty(t, swept(), "its process has time")
	now = monday.Add(11 * time.Minute)
	require.ElementsMatch(t, []string{pizza, music}, swept())
	require.ElementsMatch(t, []string{pizza, music}, swept(), "again changes nothing")
}
