package reward_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/loyalty"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/reward"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(reward.Handle, workflow.RegisterOptions{Name: reward.WorkflowName})
	})
}

// noon is when the redemptions of these tests are made.
var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

var wang = auth.Principal{Subject: "wang", Tenant: "pizza", Roles: []string{auth.RoleManager}}

// calendar is a redemption whose time passes as fast as nothing happens, on a real database.
type calendar struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	db      *pg.DB
	rewards *reward.Rewards
	member  uuid.UUID
	of      reward.Redemption
	behind  time.Duration // the service's clock against Temporal's
}

// redeemed is a redemption of a reward of a kind, made when the test begins by a member who has nothing left then; change says what
// is special about the reward. Its process has not begun.
func redeemed(t *testing.T, kind reward.Kind, change func(d *reward.Draft)) *calendar {
	t.Helper()
	c := &calendar{t: t, db: pgtest.Database(t, loyalty.Module().Source()).DB(pg.App)}
	clock := func() time.Time {
		if c.TestWorkflowEnvironment == nil {
			return noon
		}
		return c.Now().Add(-c.behind)
	}
	o, ctx := outbox.New("loyalty"), auth.With(t.Context(), wang)
	points := ledger.New(c.db, o, clock)
	c.rewards = reward.New(c.db, o, points, nil, nil, "loyalty", clock)
	m, _, err := member.New(c.db, o, clock).Enrol(ctx, uuid.Must(uuid.NewV7()), "standard", member.SourceAPI)
	require.NoError(t, err)
	c.member = m.ID
	_, err = points.Earn(ctx, m.ID, ledger.Earning{Points: 100, Reason: ledger.Reason{Type: "campaign"}})
	require.NoError(t, err)
	d := reward.Draft{Programme: "standard", Code: "mug", Kind: kind, Points: 100, Offer: reward.Offer{Name: "Mug", FulfilWithin: 24 * time.Hour}}
	if kind != reward.Voucher {
		d.Stock = new(int64)
		*d.Stock = 1
	}
	if change != nil {
		change(&d)
	}
	of, err := c.rewards.Create(ctx, d)
	require.NoError(t, err)
	if kind == reward.Voucher {
		_, err = c.rewards.Upload(ctx, of.ID, []string{"SECRET-1"}, func(int) string { return "" })
		require.NoError(t, err)
	}
	c.of, err = c.rewards.Redeem(ctx, m.ID, reward.Wish{Reward: "mug", Quantity: 1})
	require.NoError(t, err)
	c.TestWorkflowEnvironment = c.process(flowtest.Environment(t, wang, "redemption/pizza/"+c.of.ID.String()))
	return c
}

func (c *calendar) process(env *testsuite.TestWorkflowEnvironment) *testsuite.TestWorkflowEnvironment {
	env.SetStartTime(noon)
	c.rewards.Worker(env)
	return env
}

// at does something after so much time, and pokes the process, unless it is not to be told.
func (c *calendar) at(after time.Duration, poke bool, do func() error) {
	c.RegisterDelayedCallback(func() {
		require.NoError(c.t, do())
		if poke {
			c.SignalWorkflow("poke", nil)
		}
	}, after)
}

// run lets the process come to its end, and gives the redemption as it is then, how long that took, and what the member has.
func (c *calendar) run() (end reward.Redemption, took time.Duration, points int64) {
	c.t.Helper()
	c.ExecuteWorkflow(reward.WorkflowName, reward.Input{ID: c.of.ID})
	require.True(c.t, c.IsWorkflowCompleted())
	require.NoError(c.t, c.GetWorkflowError())
	took = c.Now().Sub(noon).Truncate(time.Minute)
	ctx := auth.With(c.t.Context(), wang)
	end, err := c.rewards.Redemption(ctx, c.of.ID)
	require.NoError(c.t, err)
	require.NoError(c.t, c.db.Read(ctx, "pizza", func(tx *pg.Tx) error {
		m, err := member.Find(ctx, tx, c.member)
		points = m.Available
		return err
	}))
	r, err := c.rewards.Get(ctx, c.of.RewardID)
	require.NoError(c.t, err)
	require.True(c.t, r.Holds())
	want := map[reward.State]reward.Stock{
		reward.Cancelled: {Limited: true, Received: 1, Free: 1}, reward.Fulfilled: {Limited: true, Received: 1, Given: 1},
		reward.Reserved: {Limited: true, Received: 1, Reserved: 1}, reward.HandedOver: {Limited: true, Received: 1, Reserved: 1},
	}[end.State]
	want.Movements = r.Movements
	require.Equal(c.t, want, r.Stock)
	return end, took, points
}

func TestWhatIsNotHandedOverInTimeIsCancelled(t *testing.T) {
	t.Parallel()
	c := redeemed(t, reward.Counter, nil)
	end, took, points := c.run()
	require.Equal(t, reward.Cancelled, end.State)
	require.Equal(t, "time_limit", end.Reason)
	require.Equal(t, "process:redemption", end.ClosedBy)
	require.Equal(t, 24*time.Hour, took)
	require.EqualValues(t, 100, points)
}

func TestWhatIsHandedOverEndsItsProcess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		poked bool
		ends  time.Duration
	}{"which is told": {true, 3 * time.Hour}, "which looks when the time is over": {false, 24 * time.Hour}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := redeemed(t, reward.Counter, nil)
			k.at(3*time.Hour, c.poked, func() error {
				_, err := k.rewards.HandOver(auth.With(t.Context(), wang), k.of.ID, "till-3")
				return err
			})
			end, took, points := k.run()
			require.Equal(t, reward.Fulfilled, end.State)
			require.Equal(t, c.ends, took)
			require.Zero(t, points)
		})
	}
}

func TestWhatIsOnItsWayIsTakenAsArrivedWhenNobodySaysOtherwise(t *testing.T) {
	t.Parallel()
	send := func(c *calendar) func() error {
		return func() error {
			_, err := c.rewards.HandOver(auth.With(t.Context(), wang), c.of.ID, "SF1")
			return err
		}
	}
	confirmed := func(d *reward.Draft) { d.Confirm = true }
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		c := redeemed(t, reward.Delivery, confirmed)
		c.at(20*time.Hour, true, send(c))
		end, took, _ := c.run()
		require.Equal(t, reward.Fulfilled, end.State)
		require.Equal(t, "process:redemption", end.ClosedBy)
		require.Equal(t, 44*time.Hour, took, "the time for its arrival begins when it is sent")
	})
	t.Run("the process was not told that it was sent", func(t *testing.T) {
		t.Parallel()
		c := redeemed(t, reward.Delivery, confirmed)
		c.at(20*time.Hour, false, send(c))
		end, took, _ := c.run()
		require.Equal(t, reward.Fulfilled, end.State)
		require.Equal(t, 44*time.Hour, took)
	})
	t.Run("the member", func(t *testing.T) {
		t.Parallel()
		c := redeemed(t, reward.Delivery, confirmed)
		c.at(20*time.Hour, true, send(c))
		c.at(30*time.Hour, true, func() error {
			_, err := c.rewards.Confirm(auth.With(t.Context(), wang), c.of.ID)
			return err
		})
		end, took, _ := c.run()
		require.Equal(t, reward.Fulfilled, end.State)
		require.Equal(t, "wang", end.ClosedBy)
		require.Equal(t, 30*time.Hour, took)
	})
	t.Run("it comes back", func(t *testing.T) {
		t.Parallel()
		c := redeemed(t, reward.Delivery, confirmed)
		c.at(20*time.Hour, true, send(c))
		c.at(30*time.Hour, true, func() error {
			_, err := c.rewards.Cancel(auth.With(t.Context(), wang), c.of.ID, "came_back")
			return err
		})
		end, _, points := c.run()
		require.Equal(t, reward.Cancelled, end.State)
		require.EqualValues(t, 100, points)
	})
}

func TestAVoucherIsIssuedAtOnce(t *testing.T) {
	t.Parallel()
	c := redeemed(t, reward.Voucher, nil)
	end, took, points := c.run()
	require.Equal(t, reward.Fulfilled, end.State)
	require.Zero(t, took)
	require.Zero(t, points)
	var state reward.Progress
	answer, err := c.QueryWorkflow(reward.StateQuery)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&state))
	require.Equal(t, reward.Fulfilled, state.State)
}

func TestAVoucherThatCannotBeIssuedIsCancelled(t *testing.T) {
	t.Parallel()
	c := redeemed(t, reward.Voucher, nil)
	require.NoError(t, c.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		_, err := tx.ExecNow(t.Context(), `UPDATE reward_voucher SET code = NULL`) // as nothing of ours does
		return err
	}))
	end, _, points := c.run()
	require.Equal(t, reward.Cancelled, end.State)
	require.Equal(t, []string{"not_fulfilled", "voucher_missing"}, []string{end.Reason, end.Failure})
	require.EqualValues(t, 100, points)
}

func TestAVoucherWhoseTimeWasOverBeforeItsProcessBeganIsCancelled(t *testing.T) {
	t.Parallel()
	c := redeemed(t, reward.Voucher, nil)
	c.SetStartTime(noon.Add(25 * time.Hour))
	end, _, points := c.run()
	require.Equal(t, "time_limit", end.Reason)
	require.EqualValues(t, 100, points)
}

func TestToCancelTheProcessIsToCancelTheRedemption(t *testing.T) {
	t.Parallel()
	c := redeemed(t, reward.Counter, nil)
	c.RegisterDelayedCallback(c.CancelWorkflow, time.Hour)
	end, took, points := c.run()
	require.Equal(t, reward.Cancelled, end.State)
	require.Equal(t, "operator", end.Reason)
	require.Equal(t, time.Hour, took)
	require.EqualValues(t, 100, points)
}

func TestALongHistoryIsContinuedInANewOne(t *testing.T) {
	t.Parallel()
	c := redeemed(t, reward.Counter, nil)
	c.RegisterDelayedCallback(func() {
		c.SetContinueAsNewSuggested(true)
		c.SignalWorkflow("poke", nil)
	}, time.Hour)
	c.ExecuteWorkflow(reward.WorkflowName, reward.Input{ID: c.of.ID})
	var anew *workflow.ContinueAsNewError
	require.ErrorAs(t, c.GetWorkflowError(), &anew)
	require.Equal(t, reward.WorkflowName, anew.WorkflowType.Name)
	found, err := c.rewards.Redemption(auth.With(t.Context(), wang), c.of.ID)
	require.NoError(t, err)
	require.Equal(t, reward.Reserved, found.State, "which goes on where it was")
}

func TestAProcessThatIsStartedAnewGoesOn(t *testing.T) {
	t.Parallel()
	c := redeemed(t, reward.Counter, nil)
	c.run() // to its end: cancelled
	c.TestWorkflowEnvironment = c.process(flowtest.Environment(t, wang, "redemption/pizza/"+c.of.ID.String()))
	end, took, points := c.run()
	require.Equal(t, reward.Cancelled, end.State)
	require.Zero(t, took, "there is nothing left to do")
	require.EqualValues(t, 100, points, "and nothing is given back twice")
}

func TestClocksThatDifferCancelNothingTooEarly(t *testing.T) {
	t.Parallel()
	t.Run("a little", func(t *testing.T) {
		t.Parallel()
		c := redeemed(t, reward.Counter, nil)
		c.behind = time.Minute
		end, took, _ := c.run()
		require.Equal(t, reward.Cancelled, end.State)
		require.False(t, end.ClosedAt.Before(c.of.DueAt))
		require.Less(t, took, 24*time.Hour+10*time.Minute)
	})
	t.Run("by days: the sweep will start it anew", func(t *testing.T) {
		t.Parallel()
		c := redeemed(t, reward.Counter, nil)
		c.behind = 72 * time.Hour
		end, _, points := c.run()
		require.Equal(t, reward.Reserved, end.State)
		require.Zero(t, points)
	})
}

func TestTheSweepFindsWhatItsProcessLeft(t *testing.T) {
	t.Parallel()
	k := open(t)
	k.Flow.Work(nil) // processes are started, and none runs: as if somebody ended them
	k.offered("mug", "counter", body{"fulfil_seconds": 60})
	k.vouchers("ticket", 1)
	lily := k.rich(1000)
	mug, ticket := k.redeem(lily, "mug"), k.redeem(lily, "ticket")
	k.Eventually("both processes were started", func() bool {
		return len(k.Flow.Started()) == 2 && k.Count(`SELECT count(*) FROM process_start`) == 0
	})
	sweep := func(after time.Duration) (found []string) {
		at := time.Now().Add(after)
		require.NoError(t, k.rewards(func() time.Time { return at }).Sweep(t.Context()))
		for _, g := range []got{mug, ticket} {
			if k.Count(`SELECT count(*) FROM process_start WHERE workflow_id = $1`, "redemption/pizza/"+g.ID) == 1 {
				found = append(found, g.ID)
			}
		}
		k.Admin(`DELETE FROM process_start`)
		return found
	}
	k.stop()
	require.Empty(t, sweep(time.Minute))
	require.Equal(t, []string{ticket.ID}, sweep(5*time.Minute+time.Second), "a voucher ought to have been issued")
	require.Equal(t, []string{mug.ID, ticket.ID}, sweep(7*time.Minute))
	k.decide(mug, "cancel", body{"reason": "x"})
	require.Equal(t, []string{ticket.ID}, sweep(7*time.Minute))
}
