package retention_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/retention"
)

func splitKey(key string) []string { return strings.Split(key, "/") }

// calendar is a case whose time passes as fast as nothing happens, on a real database.
type calendar struct {
	*testsuite.TestWorkflowEnvironment
	*shop
	accounts *neighbour
	customer uuid.UUID
	of       retention.Told
	answers  []error
}

// opened is a case of a customer who was worth so much, by a plan.
func opened(t *testing.T, fen int64, change func(*retention.Terms)) *calendar {
	t.Helper()
	c := &calendar{shop: open(t)}
	c.customer = c.worth(fen)
	c.plan("winback", change)
	c.of = c.byHand(c.customer, "winback")
	c.enact()
	return c
}

// enact prepares the process of the case.
func (c *calendar) enact() {
	c.use(func() time.Time {
		if c.TestWorkflowEnvironment == nil {
			return c.now
		}
		return c.Now()
	})
	env := flowtest.Environment(c.t, wang, "retention/pizza/"+c.of.ID.String())
	env.SetStartTime(thursday)
	c.accounts = &neighbour{now: func() time.Time { return c.Now() }, refuse: map[string]string{}}
	c.accounts.register(env)
	c.retentions.Worker(env)
	c.TestWorkflowEnvironment = env
}

// at makes decisions after so much time.
func (c *calendar) at(after time.Duration, decisions ...retention.Decision) {
	c.after(after, func() {
		for _, d := range decisions {
			d.CaseID, d.By = c.of.ID, flow.Actor{Subject: wang.Subject, Roles: wang.Roles}
			if d.ID == uuid.Nil {
				d.ID = uuid.New()
			}
			c.UpdateWorkflow(retention.DecideUpdate, d.ID.String(), &testsuite.TestUpdateCallback{
				OnReject: func(err error) { c.answers = append(c.answers, err) }, OnAccept: func() {},
				OnComplete: func(_ any, err error) { c.answers = append(c.answers, err) },
			}, d)
		}
	})
}

func (c *calendar) after(d time.Duration, do func()) { c.RegisterDelayedCallback(do, d) }

// tell has the process look at the case, as the loop does that finds what was changed.
func (c *calendar) tell() {
	require.EqualValues(c.t, 1, c.number(`SELECT count(*) FROM retention_case WHERE id = $1 AND untold`, c.of.ID))
	c.UpdateWorkflow(retention.LookUpdate, uuid.NewString(), &testsuite.TestUpdateCallback{OnReject: func(err error) { c.answers = append(c.answers, err) }, OnAccept: func() {}, OnComplete: func(any, error) {}})
}

// buys has the customer buy after so much time.
func (c *calendar) buys(after time.Duration, fen int64) {
	c.after(after, func() { c.sold(c.customer, c.Now(), fen); c.tell() })
}

// run lets the process come to its end and gives the case as it is then.
func (c *calendar) run() retention.Told {
	c.t.Helper()
	c.ExecuteWorkflow(retention.WorkflowName, retention.Input{ID: c.of.ID})
	require.True(c.t, c.IsWorkflowCompleted())
	require.NoError(c.t, c.GetWorkflowError())
	told, err := c.retentions.Get(c.as(wang), c.of.ID)
	require.NoError(c.t, err)
	return told
}

// steps gives what happened, with its step and code, and after how many days.
func steps(c retention.Told) (list []string) {
	for _, s := range c.Steps {
		parts := []string{string(s.Action)}
		for _, p := range []string{string(s.Step), s.Code, s.Channel} {
			if p != "" {
				parts = append(parts, p)
			}
		}
		list = append(list, strings.Join(parts, " ")+" "+s.At.Sub(c.OpenedAt).Truncate(time.Hour).String())
	}
	return list
}

// events counts what was told of the case.
func (s *shop) events(name string) int64 {
	s.t.Helper()
	var n int64
	require.NoError(s.t, s.database.DB(pg.Owner).System(s.t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(s.t.Context(), `SELECT count(*) FROM outbox WHERE headers::text LIKE '%' || $1 || '%'`, "loyalty.events.v1."+name).Scan(&n)
	}))
	return n
}

// last gives the value of the last event of the name.
func (s *shop) last(name string) (value []byte) {
	s.t.Helper()
	require.NoError(s.t, s.database.DB(pg.Owner).System(s.t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(s.t.Context(), `SELECT payload FROM outbox WHERE headers::text LIKE '%' || $1 || '%' ORDER BY shard, id DESC LIMIT 1`,
			"loyalty.events.v1."+name).Scan(&value)
	}))
	return value
}

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(retention.Handle, workflow.RegisterOptions{Name: retention.WorkflowName})
		r.RegisterWorkflowWithOptions(retention.Scan, workflow.RegisterOptions{Name: retention.ScanWorkflow})
	})
}

func TestEveryStepIsDoneInItsTimeAndThenTheCustomerIsLost(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	end := c.run()
	require.Equal(t, []string{
		"open manual 0s", "contact contact email 0s", "contact offer email 72h0m0s", "offer small 72h0m0s", "contact reminder sms 240h0m0s",
		"contact survey email 480h0m0s", "end lost 1440h0m0s",
	}, steps(end))
	require.Equal(t, retention.Lost, end.Stage)
	require.Equal(t, 4, end.Contacts)
	require.Zero(t, end.CostMinor, "nobody took the offer")
	require.Zero(t, end.Revenue)
	var keys []string
	for _, in := range c.accounts.asked {
		require.Equal(t, "marketing", in.GetPurpose())
		require.Equal(t, []string{c.customer.String(), "retention_case", c.of.ID.String()}, []string{in.GetCustomerId(), in.GetReasonType(), in.GetReasonId()})
		keys = append(keys, strings.TrimPrefix(in.GetIdempotencyKey(), "retention/pizza/"+c.of.ID.String()))
	}
	require.Equal(t, []string{"/contact-1/1", "/offer-2/1", "/reminder-3/1", "/survey-4/1"}, keys)
	require.EqualValues(t, []int64{1, 4, 1, 1}, []int64{c.events("RetentionCaseOpened"), c.events("RetentionContactDue"), c.events("RetentionOfferMade"), c.events("RetentionCaseClosed")})
}

func TestOfWhoIsHeldOutNothingIsDoneButToMeasure(t *testing.T) {
	t.Parallel()
	all := func(t *retention.Terms) { t.HoldOutPermille = 1000 }
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		c := opened(t, 100_000, all)
		c.at(day, retention.Decision{Action: retention.ActionPause}, retention.Decision{Action: retention.ActionAccept})
		end := c.run()
		require.Equal(t, []string{"open manual 0s", "end lost 1440h0m0s"}, steps(end))
		require.Empty(t, c.accounts.asked)
		require.Zero(t, c.events("RetentionContactDue")+c.events("RetentionOfferMade"))
		for _, err := range c.answers {
			require.ErrorContains(t, err, "held out")
		}
		require.Len(t, c.answers, 2)
	})
	t.Run("retained", func(t *testing.T) {
		t.Parallel()
		c := opened(t, 100_000, all)
		c.buys(20*day, 7_000)
		end := c.run()
		require.Equal(t, []string{"open manual 0s", "buy 480h0m0s", "end retained 480h0m0s"}, steps(end))
		require.EqualValues(t, 7_000, end.Revenue)
		require.Empty(t, c.accounts.asked)
		require.Zero(t, c.points(c.customer))
	})
}

func TestAPurchaseInTimeTakesTheOfferAndEndsTheCase(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	c.buys(5*day, 4_200)
	end := c.run()
	require.Equal(t, []string{
		"open manual 0s", "contact contact email 0s", "contact offer email 72h0m0s", "offer small 72h0m0s", "buy 120h0m0s", "take small 120h0m0s", "end retained 120h0m0s",
	}, steps(end))
	require.Equal(t, []any{retention.Retained, int64(4_200), int64(100), retention.OfferTaken}, []any{end.Stage, end.Revenue, end.CostMinor, end.Offer.State})
	require.EqualValues(t, 100, c.points(c.customer), "a customer who was no member has become one by it")
	require.NotEqual(t, uuid.Nil, end.Offer.EntryID)
	require.EqualValues(t, 1, c.events("RetentionCaseClosed"))
	golden.JSON(t, "testdata/retention_contact_due.json", c.last("RetentionContactDue"))
	golden.JSON(t, "testdata/retention_offer_made.json", c.last("RetentionOfferMade"))
	golden.JSON(t, "testdata/retention_case_closed.json", c.last("RetentionCaseClosed"))
}

func TestAPurchaseAfterTheOfferRanOutDoesNotTakeIt(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, func(t *retention.Terms) { t.Offers[1].ValidSeconds = 86400 })
	c.buys(5*day, 12_300)
	c.at(4*day+time.Hour, retention.Decision{Action: retention.ActionAccept})
	end := c.run()
	require.Equal(t, []any{retention.Retained, int64(0), retention.OfferMade}, []any{end.Stage, end.CostMinor, end.Offer.State})
	require.Zero(t, c.points(c.customer))
	require.ErrorContains(t, c.answers[0], "offer_expired")
}

func TestAPurchaseBeforeTheOfferThatIsHeardOfLaterDoesNotTakeIt(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	c.after(5*day, func() { c.sold(c.customer, thursday.Add(day), 700); c.tell() })
	end := c.run()
	require.Equal(t, []any{retention.Retained, int64(0), retention.OfferMade, int64(700)}, []any{end.Stage, end.CostMinor, end.Offer.State, end.Revenue})
	require.Zero(t, c.points(c.customer))
}

func TestAnOfferIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	once := retention.Decision{ID: uuid.New(), Action: retention.ActionAccept, Hash: []byte("a")}
	c.at(day, retention.Decision{Action: retention.ActionAccept})
	c.at(4*day, once)
	c.at(4*day+time.Hour, once)
	c.at(5*day, retention.Decision{Action: retention.ActionAccept})
	c.buys(6*day, 500)
	end := c.run()
	for i, want := range []string{"offer_not_made", "", "", "offer_taken"} {
		if want == "" {
			require.NoError(t, c.answers[i], "%d", i)
			continue
		}
		require.ErrorContains(t, c.answers[i], want, "%d", i)
	}
	require.EqualValues(t, 100, c.points(c.customer))
	require.Equal(t, []any{retention.Retained, int64(100)}, []any{end.Stage, end.CostMinor})
	require.EqualValues(t, 1, c.number(`SELECT count(*) FROM ledger_entry WHERE kind = 'grant'`))
}

func TestWhoIsNotToBeContactedIsSkippedAndAskedForAgainByTheNextStep(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	c.accounts.refuse["contact"], c.accounts.refuse["offer"] = "no_consent", "no_address"
	end := c.run()
	require.Equal(t, []string{
		"open manual 0s", "skip contact no_consent 0s", "skip offer no_address 72h0m0s", "contact reminder sms 240h0m0s", "offer small 240h0m0s",
		"contact survey email 480h0m0s", "end lost 1440h0m0s",
	}, steps(end), "the reminder brings the offer")
	require.Equal(t, 2, end.Contacts)

	never := opened(t, 100_000, nil)
	never.accounts.refuse["*"] = "withdrawn"
	end = never.run()
	require.Zero(t, end.Contacts)
	require.Zero(t, never.events("RetentionContactDue")+never.events("RetentionOfferMade"))
	require.Equal(t, retention.Lost, end.Stage)
}

func TestWhatAccountsDoesNotUnderstandIsSkippedAndWhatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	c.accounts.fault = "reason_type_unknown"
	require.Equal(t, "skip contact not_possible 0s", steps(c.run())[1])

	later := opened(t, 100_000, nil)
	later.accounts.away = 500
	end := later.run()
	require.Equal(t, retention.ActionContact, end.Steps[1].Action)
	require.Greater(t, end.Steps[1].At.Sub(thursday), time.Hour)
}

func TestAnAnswerThatIsTooOldIsAskedForAnew(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	c.accounts.stale = 1
	require.Equal(t, 4, c.run().Contacts)
	require.True(t, strings.HasSuffix(c.accounts.asked[0].GetIdempotencyKey(), "/contact-1/1"))
	require.True(t, strings.HasSuffix(c.accounts.asked[1].GetIdempotencyKey(), "/contact-1/2"))
	require.True(t, strings.HasSuffix(c.accounts.asked[2].GetIdempotencyKey(), "/offer-2/1"))
}

func TestContactsHaveLimits(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, func(t *retention.Terms) { t.MaxContacts = 2 })
	require.Equal(t, []string{
		"open manual 0s", "contact contact email 0s", "contact offer email 72h0m0s", "offer small 72h0m0s", "skip reminder contact_limit_case 240h0m0s",
		"skip survey contact_limit_case 480h0m0s", "end lost 1440h0m0s",
	}, steps(c.run()))
	require.Len(t, c.accounts.asked, 2, "accounts is not asked for what the plan does not allow")

	often := opened(t, 100_000, func(t *retention.Terms) {
		t.MaxContacts30Days = 1
		t.Steps[3].AfterSeconds = 25 * 86400
	})
	require.Equal(t, []string{
		"open manual 0s", "contact contact email 0s", "skip offer contact_limit_30_days 72h0m0s", "skip reminder contact_limit_30_days 240h0m0s",
		"contact survey email 840h0m0s", "end lost 1440h0m0s",
	}, steps(often.run()))
}

func TestAnOfferThatTheCustomersValueDoesNotAllowIsNotMade(t *testing.T) {
	t.Parallel()
	c := opened(t, 999, nil) // a tenth of it is 99, and the least offer costs 100
	end := c.run()
	require.Equal(t, "skip offer over_cap 72h0m0s", steps(end)[2])
	require.Equal(t, "contact reminder sms 240h0m0s", steps(end)[3])
	require.Zero(t, c.events("RetentionOfferMade"))
	exact := opened(t, 1_000, nil)
	require.Equal(t, "offer small 72h0m0s", steps(exact.run())[3])
}

func TestWhatPointsAreWorthCountsAgainstTheCap(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.tx("pizza", func(tx *pg.Tx) {
		tx.Queue(`INSERT INTO programme (tenant_id, code, name, zone, by_subject, created_at) VALUES ('pizza', 'standard', 'S', 'UTC', 'x', now())`)
		tx.Queue(`INSERT INTO programme_version (tenant_id, programme, no, id, effective_from, terms, by_subject, created_at)
			VALUES ('pizza', 'standard', 1, gen_random_uuid(), '2020-01-01', '{"return_days": 14, "worth": {"currency": "CNY", "points": 100, "minor": 250}}', 'x', now())`)
	})
	c := &calendar{shop: s}
	c.customer = c.worth(2_500)
	c.plan("winback", nil)
	c.of = c.byHand(c.customer, "winback")
	c.enact()
	require.EqualValues(t, 250, c.run().Offer.CostMinor, "not 100")
}

func TestPausedCasesDoNothingUntilTheyAreResumed(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	c.at(day, retention.Decision{Action: retention.ActionPause})
	c.at(day+time.Hour, retention.Decision{Action: retention.ActionPause})
	c.at(20*day, retention.Decision{Action: retention.ActionResume})
	end := c.run()
	require.Equal(t, []string{
		"open manual 0s", "contact contact email 0s", "pause 24h0m0s", "resume 480h0m0s", "contact offer email 480h0m0s", "offer small 480h0m0s",
		"contact reminder sms 648h0m0s", "contact survey email 888h0m0s", "end lost 1440h0m0s",
	}, steps(end))
	require.ErrorContains(t, c.answers[1], "retention_case_stage")

	still := opened(t, 100_000, nil)
	still.at(day, retention.Decision{Action: retention.ActionPause})
	require.Equal(t, []string{"open manual 0s", "contact contact email 0s", "pause 24h0m0s", "end lost 1440h0m0s"}, steps(still.run()), "its time passes all the same")
}

func TestAReasonThatIsLearnedChoosesTheOffer(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	c.at(day, retention.Decision{Action: retention.ActionLearn, Reason: retention.Price})
	c.at(day+time.Hour, retention.Decision{Action: retention.ActionLearn, Reason: "mood"})
	c.at(day+2*time.Hour, retention.Decision{Action: retention.ActionClassify, LossKind: retention.OurFault})
	end := c.run()
	require.Equal(t, "big", end.Offer.Offer)
	require.Equal(t, []any{retention.Price, retention.OurFault}, []any{end.Reason, end.LossKind})
	require.ErrorContains(t, c.answers[1], "decision_invalid")
}

func TestWhomNobodyWantsBackIsLeftAloneAlsoWhenThatIsLearnedLater(t *testing.T) {
	t.Parallel()
	for _, kind := range []retention.LossKind{retention.Fraudulent, retention.LetGo} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := opened(t, 100_000, nil)
			c.at(2*day, retention.Decision{Action: retention.ActionClassify, LossKind: kind})
			end := c.run()
			require.Equal(t, []string{"open manual 0s", "contact contact email 0s", "classify " + string(kind) + " 48h0m0s"}, steps(end))
			require.Equal(t, []any{retention.Cancelled, string(kind), kind}, []any{end.Stage, end.Code, end.LossKind})
			require.EqualValues(t, 1, c.events("RetentionContactDue"), "nothing more is sent")
			_, err := c.retentions.OpenByHand(c.as(wang), retention.Draft{CustomerID: c.customer, Plan: "winback"}, "")
			require.Equal(t, "customer_excluded", code(err))
		})
	}
	t.Run("said of the customer", func(t *testing.T) {
		t.Parallel()
		c := opened(t, 100_000, nil)
		c.after(2*day, func() {
			_, err := c.retentions.Exclude(c.as(wang), retention.Exclusion{CustomerID: c.customer, LossKind: retention.Fraudulent})
			require.NoError(t, err)
			c.tell()
		})
		end := c.run()
		require.Equal(t, []string{"open manual 0s", "contact contact email 0s", "end fraudulent 48h0m0s"}, steps(end))
		require.Len(t, c.accounts.asked, 1)
	})
}

func TestErasedAndMergedCustomersCasesAreCancelled(t *testing.T) {
	t.Parallel()
	t.Run("erased", func(t *testing.T) {
		t.Parallel()
		c := opened(t, 100_000, nil)
		c.after(2*day, func() { c.erased(c.customer); c.tell() })
		end := c.run()
		require.Equal(t, []any{retention.Cancelled, "customer_erased", 1}, []any{end.Stage, end.Code, end.Contacts})
	})
	t.Run("merged with somebody who has an older case", func(t *testing.T) {
		t.Parallel()
		c := &calendar{shop: open(t)}
		c.customer = c.worth(100_000)
		other := c.worth(100_000)
		c.plan("winback", nil)
		first := c.byHand(other, "winback")
		c.of = c.byHand(c.customer, "winback")
		c.merged(c.customer, other)
		c.enact()
		end := c.run()
		require.Equal(t, []any{retention.Cancelled, "merged"}, []any{end.Stage, end.Code})
		require.Empty(t, c.accounts.asked)
		require.Equal(t, retention.Open, c.cases(other)[1].Stage)
		require.Equal(t, first.ID, c.cases(other)[1].ID)
	})
	t.Run("what a merged customer buys counts", func(t *testing.T) {
		t.Parallel()
		c := opened(t, 100_000, nil)
		other := someone()
		c.after(4*day, func() {
			c.merged(other, c.customer)
			c.sold(other, c.Now(), 4_000)
			c.tell()
		})
		end := c.run()
		require.Equal(t, []any{retention.Retained, int64(4_000)}, []any{end.Stage, end.Revenue})
	})
}

func TestPeopleEndCases(t *testing.T) {
	t.Parallel()
	for action, want := range map[retention.Action]retention.Stage{retention.ActionCancel: retention.Cancelled, retention.ActionClose: retention.Lost} {
		c := opened(t, 100_000, nil)
		c.at(4*day, retention.Decision{Action: action})
		end := c.run()
		require.Equal(t, want, end.Stage)
		require.Equal(t, 2, end.Contacts)
		require.Equal(t, wang.Subject, end.Steps[len(end.Steps)-1].By)
	}
}

func TestACancelledProcessLeavesTheCaseAsItIs(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, nil)
	c.after(4*day, c.CancelWorkflow)
	c.ExecuteWorkflow(retention.WorkflowName, retention.Input{ID: c.of.ID})
	require.Error(t, c.GetWorkflowError())
	told, err := c.retentions.Get(c.as(wang), c.of.ID)
	require.NoError(t, err)
	require.Equal(t, []any{retention.Open, 2}, []any{told.Stage, told.Contacts})
}

func TestCareIsService(t *testing.T) {
	t.Parallel()
	c := opened(t, 100_000, func(t *retention.Terms) { t.Kind = retention.Care })
	c.run()
	require.Equal(t, "service", c.accounts.asked[0].GetPurpose())
}
