package tier_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/history/*.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(tier.Review, workflow.RegisterOptions{Name: tier.WorkflowName})
	})
}

// TestAReviewGoesOnInAnotherRunWhenItIsLong and fails in the end where it did not work with some member.
func TestAReviewGoesOnInAnotherRunWhenItIsLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rounds int64
		failed int64
		anew   bool
	}{{2, 0, false}, {2, 1, false}, {1000, 0, true}} {
		env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
		env.RegisterWorkflowWithOptions(tier.Review, workflow.RegisterOptions{Name: tier.WorkflowName})
		tier.RegisterRound(env, func(s tier.Sweep) (tier.Sweep, error) {
			if s.Members++; s.Members == c.rounds {
				s.Part, s.Failed = tier.PartEnded, c.failed
			}
			return s, nil
		})
		env.ExecuteWorkflow(tier.WorkflowName, tier.Sweep{})
		err := env.GetWorkflowError()
		require.Equal(t, c.anew, workflow.IsContinueAsNewError(err), "%v", err)
		if !c.anew {
			require.Equal(t, c.failed > 0, err != nil, "%v", err)
		}
	}
}
