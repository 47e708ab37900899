package crisis_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/crisis"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(crisis.Handle, workflow.RegisterOptions{Name: crisis.WorkflowName})
	})
}

// calendar is a crisis whose time passes as fast as nothing happens, on a real database.
type calendar struct {
	*testsuite.TestWorkflowEnvironment
	*shop
	of      crisis.Told
	answers []error
}

// declared is a crisis of so many complaints that is declared when the test begins.
func declared(t *testing.T, complaints int) *calendar {
	t.Helper()
	c := &calendar{shop: open(t)}
	c.crises = crisis.New(c.db, outbox.New("tickets"), nil, nil, "tickets", func() time.Time {
		if c.TestWorkflowEnvironment == nil {
			return thursday
		}
		return c.Now()
	})
	for range complaints {
		c.complained("pizza", someone(), uuid.Nil, "product", days(1))
	}
	told, err := c.crises.DeclareByHand(auth.With(t.Context(), wang), crisis.Draft{Dimension: crisis.Category, Value: "product", Since: days(2)}, "")
	require.NoError(t, err)
	require.EqualValues(t, complaints, told.Linked.Complaints)
	c.of = told
	env := flowtest.Environment(t, wang, "crisis/pizza/"+told.ID.String())
	env.SetStartTime(thursday)
	c.crises.Worker(env)
	c.TestWorkflowEnvironment = env
	return c
}

// at makes decisions after so much time; what is said is there as the command would have left it.
func (c *calendar) at(after time.Duration, decisions ...crisis.Decision) {
	c.RegisterDelayedCallback(func() {
		for _, d := range decisions {
			d.CrisisID, d.By = c.of.ID, flow.Actor{Subject: wang.Subject, Roles: wang.Roles}
			if d.ID == uuid.Nil {
				d.ID = uuid.New()
			}
			d.NoteID = uuid.NewSHA1(d.ID, []byte("words"))
			c.tx("pizza", func(tx *pg.Tx) {
				tx.Queue(`INSERT INTO crisis_note VALUES ('pizza', $1, $2, $3, 'wang', $4) ON CONFLICT DO NOTHING`, d.NoteID, c.of.ID, "said: "+string(d.Action), c.Now())
			})
			c.UpdateWorkflow(crisis.DecideUpdate, d.ID.String(), &testsuite.TestUpdateCallback{
				OnReject: func(err error) { c.answers = append(c.answers, err) }, OnAccept: func() {},
				OnComplete: func(_ any, err error) { c.answers = append(c.answers, err) },
			}, d)
		}
	}, after)
}

// run lets the process come to its end and gives the crisis as it is then.
func (c *calendar) run() crisis.Told {
	c.t.Helper()
	c.ExecuteWorkflow(crisis.WorkflowName, crisis.Input{ID: c.of.ID})
	require.NoError(c.t, c.GetWorkflowError())
	told, err := c.crises.Get(auth.With(c.t.Context(), wang), c.of.ID)
	require.NoError(c.t, err)
	return told
}

// steps gives what happened and after how much time.
func steps(c crisis.Told) (list []string) {
	for _, s := range c.Steps {
		list = append(list, string(s.Action)+" "+s.At.Sub(thursday).Truncate(time.Minute).String())
	}
	return list
}

// said counts the public replies on the tickets of the crisis's complaints, and those who have one.
func (s *shop) said(words string) (replies, tickets int) {
	s.t.Helper()
	s.tx("pizza", func(tx *pg.Tx) {
		require.NoError(s.t, tx.QueryRow(s.t.Context(), `SELECT count(*), count(DISTINCT ticket_id) FROM ticket_reply
			WHERE tenant_id = 'pizza' AND author = 'agent' AND by_subject = 'wang' AND words = $1`, words).Scan(&replies, &tickets))
	})
	return replies, tickets
}

func TestACrisisFromTheDeclarationToItsReview(t *testing.T) {
	t.Parallel()
	c := declared(t, 45) // more than are answered in one transaction
	c.at(10*time.Minute, crisis.Decision{Action: crisis.Staff, Team: []string{"mei", "chen", "mei"}})
	c.at(20*time.Minute, crisis.Decision{Action: crisis.Hold})
	c.at(time.Hour, crisis.Decision{Action: crisis.Answer})
	c.at(2*time.Hour, crisis.Decision{Action: crisis.Answer}) // everybody has had an answer
	c.at(3*time.Hour, crisis.Decision{Action: crisis.Update, Answer: true})
	c.at(30*time.Hour, crisis.Decision{Action: crisis.Clear})
	c.at(50*time.Hour, crisis.Decision{Action: crisis.Review})
	end := c.run()
	for _, err := range c.answers {
		require.NoError(t, err)
	}
	require.Equal(t, []string{
		"declare 0s", "staff 10m0s", "hold 20m0s", "answer 1h0m0s", "answer 2h0m0s", "update 3h0m0s",
		"remind 7h0m0s", "remind 11h0m0s", "remind 15h0m0s", "remind 19h0m0s", "remind 23h0m0s", "remind 27h0m0s",
		"clear 30h0m0s", "review 50h0m0s",
	}, steps(end))
	require.Equal(t, crisis.Closed, end.Stage)
	require.Equal(t, []string{"chen", "mei"}, end.Team)
	require.Equal(t, crisis.Linked{Complaints: 45, Answered: 45}, end.Linked)
	for words, want := range map[string][2]int{"said: answer": {45, 45}, "said: update": {45, 45}, "said: hold": {0, 0}, "said: clear": {0, 0}} {
		replies, tickets := c.said(words)
		require.Equal(t, want, [2]int{replies, tickets}, words)
	}
	require.Zero(t, end.DueAt)
	require.Empty(t, end.Next())
}

func TestSilenceIsRemindedOfAgainAndAgain(t *testing.T) {
	t.Parallel()
	c := declared(t, 0)
	c.at(150*time.Minute, crisis.Decision{Action: crisis.Hold})
	c.at(8*time.Hour, crisis.Decision{Action: crisis.Clear})
	c.at(45*24*time.Hour, crisis.Decision{Action: crisis.Review})
	end := c.run()
	require.Equal(t, []string{
		"declare 0s", "remind 1h0m0s", "remind 2h0m0s", "hold 2h30m0s", "remind 6h30m0s", "clear 8h0m0s",
		"remind 344h0m0s", "remind 680h0m0s", "remind 1016h0m0s", "review 1080h0m0s", // every two weeks
	}, steps(end))
	require.Equal(t, []error{nil, nil, nil}, c.answers)
}

func TestAnswersThatATicketDoesNotTakeAreShown(t *testing.T) {
	t.Parallel()
	c := declared(t, 3)
	out := c.complained("pizza", someone(), uuid.Nil, "product", days(1)) // after the declaration: linked by the answer
	escalated := c.complained("pizza", someone(), uuid.Nil, "price", days(1))
	erased := someone()
	c.complained("pizza", erased, uuid.Nil, "product", days(1))
	c.tx("pizza", func(tx *pg.Tx) {
		tx.Queue(`UPDATE ticket SET status = 'closed' WHERE tenant_id = 'pizza' AND id = $1`, out)
		tx.Queue(`UPDATE complaint SET crisis_id = $2 WHERE tenant_id = 'pizza' AND id = $1`, escalated, c.of.ID)
		tx.Queue(`INSERT INTO erased_customer (tenant_id, customer_id, erasure_id) VALUES ('pizza', $1, $1)`, erased)
	})
	c.at(time.Minute, crisis.Decision{Action: crisis.Hold, Answer: true})
	c.at(2*time.Minute, crisis.Decision{Action: crisis.Clear})
	c.at(3*time.Minute, crisis.Decision{Action: crisis.Review})
	end := c.run()
	require.Equal(t, crisis.Linked{Complaints: 6, Answered: 4, Refused: 2}, end.Linked)
	members, err := c.crises.Members(auth.With(t.Context(), wang), c.of.ID, uuid.Nil, 10)
	require.NoError(t, err)
	codes := map[string]int{}
	for _, m := range members {
		codes[m.Answer+" "+m.AnswerCode]++
	}
	require.Equal(t, map[string]int{"done ": 4, "refused ticket_closed": 1, "refused customer_erased": 1}, codes)
}

func TestWhatTheProcessRefuses(t *testing.T) {
	t.Parallel()
	c := declared(t, 1)
	once := crisis.Decision{ID: uuid.New(), Action: crisis.Hold, Hash: []byte("a")}
	c.at(time.Minute, crisis.Decision{Action: crisis.Review}, crisis.Decision{Action: "panic"}, crisis.Decision{Action: crisis.Declare})
	c.at(2*time.Minute, once)
	c.at(3*time.Minute, once)
	c.at(5*time.Minute, crisis.Decision{Action: crisis.Link, Complaints: []uuid.UUID{uuid.New()}})
	c.at(6*time.Minute, crisis.Decision{Action: crisis.Staff})
	c.at(7*time.Minute, crisis.Decision{Action: crisis.Clear})
	c.at(8*time.Minute, crisis.Decision{Action: crisis.Hold})
	c.at(9*time.Minute, crisis.Decision{Action: crisis.Review})
	end := c.run()
	require.Equal(t, []string{"declare 0s", "hold 2m0s", "clear 7m0s", "review 9m0s"}, steps(end), "a decision that is sent twice is made once")
	_, err := end.Decided(crisis.Decision{ID: once.ID, Hash: []byte("b")})
	require.ErrorContains(t, err, "idempotency_key_reused")
	for i, code := range []string{
		"crisis_stage", "decision_unknown", "crisis_stage", "", "", "complaint_unknown", "decision_invalid", "", "crisis_stage", "",
	} {
		if code == "" {
			require.NoError(t, c.answers[i], "%d", i)
			continue
		}
		require.ErrorContains(t, c.answers[i], code, "%d", i)
	}
}

func TestACancelledProcessLeavesTheCrisisAsItIs(t *testing.T) {
	t.Parallel()
	c := declared(t, 1)
	c.RegisterDelayedCallback(c.CancelWorkflow, 10*time.Minute)
	c.ExecuteWorkflow(crisis.WorkflowName, crisis.Input{ID: c.of.ID})
	require.Error(t, c.GetWorkflowError())
	told, err := c.crises.Get(auth.With(t.Context(), wang), c.of.ID)
	require.NoError(t, err)
	require.Equal(t, crisis.Declared, told.Stage)
}

func TestDecisionsNeedTheRightAndTheirContent(t *testing.T) {
	t.Parallel()
	manager, agent := flow.Actor{Subject: "wang", Roles: []string{auth.RoleManager}}, flow.Actor{Subject: "mei", Roles: []string{auth.RoleAgent}}
	in := func(s crisis.Stage) crisis.Crisis { return crisis.Crisis{Stage: s, Steps: []crisis.Step{}} }
	said := uuid.New()
	for name, c := range map[string]struct {
		of   crisis.Crisis
		d    crisis.Decision
		code string
	}{
		"by an agent":                 {in(crisis.Proposed), crisis.Decision{Action: crisis.Declare, By: agent}, "permission_missing"},
		"a dismissal without a word":  {in(crisis.Proposed), crisis.Decision{Action: crisis.Dismiss, By: manager}, "decision_invalid"},
		"an answer without a word":    {in(crisis.Declared), crisis.Decision{Action: crisis.Answer, By: manager}, "decision_invalid"},
		"an all-clear of a proposal":  {in(crisis.Proposed), crisis.Decision{Action: crisis.Clear, By: manager, NoteID: said}, "crisis_stage"},
		"anything once it is over":    {in(crisis.Closed), crisis.Decision{Action: crisis.Update, By: manager, NoteID: said}, "crisis_over"},
		"of what was dismissed":       {in(crisis.Dismissed), crisis.Decision{Action: crisis.Declare, By: manager}, "crisis_over"},
		"nobody as the team":          {in(crisis.Declared), crisis.Decision{Action: crisis.Staff, By: manager}, "decision_invalid"},
		"a nameless one in the team":  {in(crisis.Declared), crisis.Decision{Action: crisis.Staff, By: manager, Team: []string{"mei", " "}}, "decision_invalid"},
		"no complaint to link":        {in(crisis.Declared), crisis.Decision{Action: crisis.Link, By: manager}, "decision_invalid"},
		"too many complaints to link": {in(crisis.Declared), crisis.Decision{Action: crisis.Link, By: manager, Complaints: make([]uuid.UUID, 201)}, "decision_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.of.Decide(c.d, crisis.StandardSetting(), thursday)
			var p *problem.Error
			require.True(t, errors.As(err, &p), "%v", err)
			require.Equal(t, c.code, p.Code)
		})
	}
}
