package quote_test

import (
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
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/services/sales/internal/quote"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(quote.Ask, workflow.RegisterOptions{Name: quote.WorkflowName})
	})
}

// calendar is a quote in approval whose time passes as fast as nothing happens, on a real database.
type calendar struct {
	*testsuite.TestWorkflowEnvironment
	*shop
	of      uuid.UUID
	answers []error
}

// asked is a quote of mei's with a discount that is submitted when the test begins, by the policy that change makes of the usual one.
func asked(t *testing.T, rate int32, change func(p *quote.Policy)) *calendar {
	t.Helper()
	c := &calendar{shop: open(t)}
	c.levels(change)
	c.of = c.submitted(rate).ID
	c.process()
	return c
}

// process makes a process of the quote that begins now; decisions are made by wang, who has signed it.
func (c *calendar) process() {
	c.t.Helper()
	env := flowtest.Environment(c.t, wang, "quote/pizza/"+c.of.String()+"/1")
	env.SetStartTime(c.now)
	c.use(func() time.Time { return env.Now() })
	c.quotes.Worker(env)
	c.TestWorkflowEnvironment = env
}

// at makes decisions after so much time.
func (c *calendar) at(after time.Duration, decisions ...quote.Decision) {
	c.RegisterDelayedCallback(func() {
		for _, d := range decisions {
			d.QuoteID, d.Version, d.By = c.of, 1, flow.Actor{Subject: wang.Subject, Roles: wang.Roles}
			if d.ID == uuid.Nil {
				d.ID = uuid.New()
			}
			c.UpdateWorkflow(quote.DecideUpdate, uuid.NewString(), &testsuite.TestUpdateCallback{
				OnReject: func(err error) { c.answers = append(c.answers, err) }, OnAccept: func() {},
				OnComplete: func(_ any, err error) { c.answers = append(c.answers, err) },
			}, d)
		}
	}, after)
}

// run lets the process come to its end and gives the quote as it is then.
func (c *calendar) run() quote.Told {
	c.t.Helper()
	c.ExecuteWorkflow(quote.WorkflowName, quote.Input{QuoteID: c.of, Version: 1})
	require.NoError(c.t, c.GetWorkflowError())
	return c.get(c.of)
}

// when gives what happened, and after how much time.
func when(q quote.Told) (list []string) {
	for i, s := range steps(q) {
		list = append(list, s+" "+q.Steps[i].At.Sub(thursday).Truncate(time.Minute).String())
	}
	return list[2:] // after create and submit
}

func TestSilenceEscalatesAndAfterTheLastLevelRejects(t *testing.T) {
	t.Parallel()
	c := asked(t, 1500, nil)
	end := c.run()
	// Half an hour of Thursday in Shanghai, and three and a half of Friday; then eight plain hours.
	require.Equal(t, []string{"escalate team by process:quote 19h0m0s", "reject company by process:quote 27h0m0s"}, when(end))
	require.Equal(t, quote.Draft, end.Latest().State)
	require.Equal(t, 2, c.told("QuoteApprovalRequested"))
	require.Equal(t, 1, c.told("QuoteRejected"))
	golden.JSON(t, "testdata/rejected.event.json", c.event("QuoteRejected"))
	golden.JSON(t, "testdata/escalated.event.json", c.event("QuoteApprovalRequested"))
	require.Zero(t, end.Latest().Approval.DueAt)
}

func TestSilenceOfTheLastLevelAsksAgainWhereThePolicySaysSo(t *testing.T) {
	t.Parallel()
	c := asked(t, 1500, func(p *quote.Policy) { p.Silence = quote.SilenceAsksAgain })
	c.at(45*time.Hour, quote.Decision{Action: quote.ActionApprove, Level: "company"})
	end := c.run()
	require.NoError(t, c.answers[0])
	require.Equal(t, []string{
		"escalate team by process:quote 19h0m0s", "escalate company by process:quote 27h0m0s", "escalate company by process:quote 35h0m0s",
		"escalate company by process:quote 43h0m0s", "approve company by wang 45h0m0s",
	}, when(end))
	require.Equal(t, quote.Approved, end.Latest().State, "the level above may grant what the silent one might have")
}

func TestNobodyIsAskedAboutAQuoteWhoseLastDayHasPassed(t *testing.T) {
	t.Parallel()
	c := asked(t, 1500, func(p *quote.Policy) { p.Silence, p.ValidityDays = quote.SilenceAsksAgain, 1 })
	end := c.run()
	// The last day is Friday in Shanghai, which ends 30.5 hours after the beginning; the time of the board ends after 27 and 35.
	require.Equal(t, []string{"escalate team by process:quote 19h0m0s", "escalate company by process:quote 27h0m0s", "reject company by process:quote 35h0m0s"}, when(end))
	require.Equal(t, "expired", end.Steps[len(end.Steps)-1].Code)
	require.Equal(t, quote.Draft, end.Latest().State)
}

func TestTheLevelThatIsEnoughApproves(t *testing.T) {
	t.Parallel()
	c := asked(t, 1500, nil)
	c.at(time.Hour, quote.Decision{Action: quote.ActionApprove, Level: "team"})
	end := c.run()
	require.Equal(t, []error{nil}, c.answers)
	require.Equal(t, []string{"approve team by wang 1h0m0s"}, when(end))
	require.Equal(t, quote.Approved, end.Latest().State)
	require.Equal(t, 1, c.told("QuoteApproved"))
	require.LessOrEqual(t, c.Now().Sub(thursday), 2*time.Hour, "the process ends at once")
}

func TestNobodyApprovesOnTwoLevels(t *testing.T) {
	t.Parallel()
	c := asked(t, 2500, nil)
	c.at(time.Hour, quote.Decision{Action: quote.ActionApprove, Level: "team"})
	c.at(2*time.Hour, quote.Decision{Action: quote.ActionApprove, Level: "company"})
	c.at(3*time.Hour, quote.Decision{Action: quote.ActionApprove, Level: "team"})
	end := c.run()
	require.NoError(t, c.answers[0])
	require.ErrorContains(t, c.answers[1], "approval_twice")
	require.ErrorContains(t, c.answers[2], "approval_level_passed")
	require.Equal(t, []string{"approve team by wang 1h0m0s", "reject company by process:quote 9h0m0s"}, when(end))

	c = asked(t, 2500, func(p *quote.Policy) { p.Twice = true })
	c.at(time.Hour, quote.Decision{Action: quote.ActionApprove, Level: "team"})
	c.at(2*time.Hour, quote.Decision{Action: quote.ActionApprove, Level: "company"})
	end = c.run()
	require.Equal(t, []error{nil, nil}, c.answers)
	require.Equal(t, quote.Approved, end.Latest().State)
	require.Equal(t, []quote.Approver{{Level: "team", By: "wang", At: thursday.Add(time.Hour)}, {Level: "company", By: "wang", At: thursday.Add(2 * time.Hour)}}, end.Latest().Approval.Given)
}

func TestADecisionIsMadeOnce(t *testing.T) {
	t.Parallel()
	c := asked(t, 2500, func(p *quote.Policy) { p.Twice = true })
	once := quote.Decision{ID: uuid.New(), Action: quote.ActionApprove, Level: "team", Hash: []byte("a")}
	other := once
	other.Hash = []byte("b")
	c.at(time.Hour, once, once)
	c.at(2*time.Hour, once, other)
	c.at(3*time.Hour, quote.Decision{Action: quote.ActionReject, Level: "company", Code: "margin"})
	end := c.run()
	require.Equal(t, []string{"approve team by wang 1h0m0s", "reject company by wang 3h0m0s"}, when(end))
	require.Equal(t, "margin", end.Steps[3].Code)
	require.Equal(t, quote.Draft, end.Latest().State)
	require.Len(t, c.answers, 5)
	require.ErrorContains(t, c.answers[2], "idempotency_key_reused", "which is refused before the one beside it is answered")
	for _, i := range []int{0, 1, 3, 4} {
		require.NoError(t, c.answers[i])
	}
}

func TestTheRowDecidesWhoMay(t *testing.T) {
	t.Parallel()
	c := asked(t, 1500, func(p *quote.Policy) { p.Levels[0].Approvers = []string{"zhao"} })
	c.at(time.Hour, quote.Decision{Action: quote.ActionApprove, Level: "team"})
	c.at(20*time.Hour, quote.Decision{Action: quote.ActionApprove, Level: "company"})
	end := c.run()
	require.ErrorContains(t, c.answers[0], "approver_unknown")
	require.Equal(t, []string{"escalate team by process:quote 19h0m0s", "approve company by wang 20h0m0s"}, when(end))
}

func TestWhoeverChangesTheQuoteEndsItsProcess(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *calendar) error{
		"edited":    func(c *calendar) error { _, err := c.quotes.Edit(c.as(mei), c.of, free(1600), always); return err },
		"withdrawn": func(c *calendar) error { _, err := c.quotes.Withdraw(c.as(mei), c.of, "mistake", ""); return err },
	} {
		c := asked(t, 1500, nil)
		c.RegisterDelayedCallback(func() {
			require.NoError(t, change(c), name)
			c.SignalWorkflow("poke", nil)
		}, time.Hour)
		end := c.run()
		require.LessOrEqual(t, c.Now().Sub(thursday), 2*time.Hour, name)
		require.NotEqual(t, quote.InApproval, end.Latest().State)
		require.Len(t, when(end), 1)
		require.Zero(t, c.told("QuoteRejected"))

		c = asked(t, 1500, nil) // and where the process is not told
		c.RegisterDelayedCallback(func() { require.NoError(t, change(c), name) }, time.Hour)
		require.Len(t, when(c.run()), 1)
	}
}

func TestAVersionThatIsSubmittedAgainIsAskedForAgain(t *testing.T) {
	t.Parallel()
	c := asked(t, 1500, nil)
	c.RegisterDelayedCallback(func() {
		_, err := c.quotes.Edit(c.as(mei), c.of, free(2500), always)
		require.NoError(t, err)
		_, err = c.quotes.Submit(c.as(mei), c.of, 1)
		require.NoError(t, err)
		c.SignalWorkflow("poke", nil)
	}, time.Hour)
	c.at(2*time.Hour, quote.Decision{Action: quote.ActionReject, Level: "team", Code: "margin"})
	end := c.run()
	require.Equal(t, []error{nil}, c.answers)
	require.Equal(t, []string{"edit by mei 1h0m0s", "submit team by mei 1h0m0s", "reject team by wang 2h0m0s"}, when(end))
	require.EqualValues(t, 2, end.Latest().Approval.Submission)
}

func TestACancelledProcessLeavesTheQuoteAndIsRevived(t *testing.T) {
	t.Parallel()
	c := asked(t, 1500, nil)
	c.RegisterDelayedCallback(c.CancelWorkflow, time.Hour)
	c.ExecuteWorkflow(quote.WorkflowName, quote.Input{QuoteID: c.of, Version: 1})
	require.Error(t, c.GetWorkflowError())
	require.Equal(t, quote.InApproval, c.get(c.of).Latest().State)
	due := c.get(c.of).Latest().Approval.DueAt
	waiting := func() int { return c.count(`SELECT count(*) FROM process_start`) }
	c.use(func() time.Time { return due.Add(9 * time.Minute) })
	require.NoError(t, c.quotes.Sweep(t.Context()))
	require.Zero(t, waiting())
	c.use(func() time.Time { return due.Add(11 * time.Minute) })
	require.NoError(t, c.quotes.Sweep(t.Context()))
	require.Equal(t, 1, waiting())
	require.Equal(t, 1, c.count(`SELECT count(*) FROM process_start WHERE workflow_id = 'quote/pizza/' || $1 || '/1' AND queue = 'sales'`, c.of.String()))
	c.now = due.Add(11 * time.Minute)
	c.process()
	require.Equal(t, []string{"escalate team by process:quote 19h11m0s", "reject company by process:quote 27h11m0s"}, when(c.run()))
}

func TestAQuoteOfACustomerWhoWasErasedEndsItsProcess(t *testing.T) {
	t.Parallel()
	c := asked(t, 1500, nil)
	customer := c.get(c.of).CustomerID
	c.RegisterDelayedCallback(func() { c.erase(customer) }, time.Hour)
	end := c.run()
	require.Equal(t, quote.Withdrawn, end.Latest().State)
	require.Empty(t, end.Latest().Content.Terms)
	_, err := c.quotes.Decide(auth.With(t.Context(), wang), quote.Decision{QuoteID: c.of, Version: 1, Action: quote.ActionApprove, Level: "team"}, "")
	require.Equal(t, "customer_erased", code(err))
}
