package opportunity_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(opportunity.FollowUp, workflow.RegisterOptions{Name: opportunity.WorkflowName})
	})
}

// follow is an opportunity that stalled, whose time passes as fast as nothing happens, on a real database.
type follow struct {
	*testsuite.TestWorkflowEnvironment
	*shop
	of     opportunity.Opportunity
	behind time.Duration // the service's clock against Temporal's
}

// stalled is an opportunity of mei that stalled on Friday, 27 November, for want of a next step.
func stalled(t *testing.T) *follow {
	t.Helper()
	f := &follow{shop: open(t)}
	f.of = f.opens(nil)
	f.now = thursday.Add(day)
	f.scans()
	f.use(func() time.Time {
		if f.TestWorkflowEnvironment == nil {
			return thursday.Add(day)
		}
		return f.Now().Add(-f.behind)
	})
	f.TestWorkflowEnvironment = flowtest.Environment(t, opportunity.ProcessOf("pizza"), "opportunity-follow-up/pizza/"+f.of.ID.String())
	f.SetStartTime(thursday.Add(day))
	f.all.Worker(f.TestWorkflowEnvironment)
	return f
}

// at does something after so much time, and pokes the process, unless it is not to be told.
func (f *follow) at(after time.Duration, poke bool, do func() error) {
	f.RegisterDelayedCallback(func() {
		require.NoError(f.t, do())
		if poke {
			f.SignalWorkflow("poke", nil)
		}
	}, after)
}

// run lets the process come to its end, and gives when that was and what was asked, the first first.
func (f *follow) run() (ended time.Time, asked []string) {
	f.t.Helper()
	f.ExecuteWorkflow(opportunity.WorkflowName, opportunity.Input{ID: f.of.ID})
	require.True(f.t, f.IsWorkflowCompleted())
	require.NoError(f.t, f.GetWorkflowError())
	all, err := f.all.AskedOf(f.as(mei), opportunity.AskedFilter{Done: true}, 100)
	require.NoError(f.t, err)
	for n := len(all) - 1; n >= 0; n-- {
		asked = append(asked, all[n].AskedAt.Format("0102 ")+string(all[n].Kind))
	}
	return f.Now().UTC().Truncate(time.Minute), asked
}

func TestPeopleAreAskedOnWorkingDaysUntilNobodyIsLeft(t *testing.T) {
	t.Parallel()
	f := stalled(t)
	ended, asked := f.run()
	// The end of Monday, of Wednesday, and of the tenth working day, each the midnight after.
	require.Equal(t, []string{"1201 remind", "1203 escalate", "1212 propose_close"}, asked)
	require.Equal(t, date(2026, 12, 12), ended)
	require.Zero(t, f.number(`SELECT count(*) FROM opportunity WHERE follow_up_at IS NOT NULL`), "nothing is left for the process to do")
}

func TestItEndsWhenTheOpportunityGoesOn(t *testing.T) {
	t.Parallel()
	step, on := "Call", date(2027, 1, 1)
	for name, c := range map[string]struct {
		poked bool
		do    func(f *follow) error
		ends  time.Time
	}{
		"by a next step, and it is told": {true, func(f *follow) error {
			_, err := f.all.Change(f.as(mei), f.of.ID, change(&step, &on), nil, anyVersion)
			return err
		}, date(2026, 12, 1).Add(2 * time.Hour)},
		"by a next step, and it looks when something would be due": {false, func(f *follow) error {
			_, err := f.all.Change(f.as(mei), f.of.ID, change(&step, &on), nil, anyVersion)
			return err
		}, date(2026, 12, 3)},
		"by being lost": {true, func(f *follow) error {
			_, err := f.all.Lose(f.as(mei), f.of.ID, "no_decision", "")
			return err
		}, date(2026, 12, 1).Add(2 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := stalled(t)
			f.at(4*day, c.poked, func() error { return c.do(f) })
			ended, asked := f.run()
			require.Equal(t, []string{"1201 remind"}, asked)
			require.Equal(t, c.ends, ended)
			require.Zero(t, f.number(`SELECT count(*) FROM opportunity_asked WHERE done_at IS NULL`))
		})
	}
}

func TestWhatMendsNothingEndsNothing(t *testing.T) {
	t.Parallel()
	f := stalled(t)
	name := "More ovens"
	for n := range 5 {
		f.at(time.Duration(n)*time.Hour, true, func() error {
			_, err := f.all.Change(f.as(mei), f.of.ID, opportunity.Change{Name: &name}, nil, anyVersion)
			return err
		})
	}
	_, asked := f.run()
	require.Len(t, asked, 3)
}

func TestAServiceWhoseClockIsBehindAsksByItsOwn(t *testing.T) {
	t.Parallel()
	f := stalled(t)
	f.behind = 3 * time.Minute
	ended, asked := f.run()
	require.Equal(t, []string{"1201 remind", "1203 escalate", "1212 propose_close"}, asked)
	require.WithinDuration(t, date(2026, 12, 12), ended, 6*time.Minute)
}

func TestItGoesOnWithWhateverStalledAnew(t *testing.T) {
	t.Parallel()
	f := stalled(t)
	step, on := "Call", date(2026, 11, 28)
	f.at(time.Hour, false, func() error {
		_, err := f.all.Change(f.as(mei), f.of.ID, change(&step, &on), nil, anyVersion)
		return err
	})
	f.at(2*day, false, func() error { return f.all.Scan(t.Context()) }) // on Sunday the next step is overdue
	ended, asked := f.run()
	require.Equal(t, []string{"1201 remind", "1203 escalate", "1212 propose_close"}, asked, "working days from Sunday are those from Friday")
	require.Equal(t, date(2026, 12, 12), ended)
	require.EqualValues(t, 3, f.number(`SELECT count(*) FROM opportunity_asked WHERE stall = 2`))
}
