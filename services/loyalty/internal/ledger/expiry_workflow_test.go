package ledger_test

import (
	"context"
	"errors"
	"testing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/history/*.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(ledger.Expire, workflow.RegisterOptions{Name: ledger.ExpiryName})
	})
}

// TestALongSweepGoesOnInANewRun has rounds that never come to the end, while infrastructure is away now and then.
func TestALongSweepGoesOnInANewRun(t *testing.T) {
	t.Parallel()
	env := flowtest.Environment(t, auth.Principal{Subject: "schedule:" + ledger.ExpiryName}, ledger.ExpiryName+"-1")
	env.RegisterWorkflowWithOptions(ledger.Expire, workflow.RegisterOptions{Name: ledger.ExpiryName})
	var rounds int64
	env.RegisterActivityWithOptions(func(_ context.Context, s ledger.Sweep) (ledger.Sweep, error) {
		if rounds++; rounds%7 == 0 {
			return s, errors.New("the database is away")
		}
		s.Part, s.Points = "lots", s.Points+10
		return s, nil
	}, activity.RegisterOptions{Name: ledger.ExpiryName + ".round"})
	env.ExecuteWorkflow(ledger.ExpiryName, ledger.Sweep{})
	var again *workflow.ContinueAsNewError
	if err := env.GetWorkflowError(); !errors.As(err, &again) {
		t.Fatal(err)
	}
	var s ledger.Sweep
	if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &s); err != nil || s.Points != 10*(rounds-rounds/7) {
		t.Fatalf("goes on with %+v after %d rounds: %v", s, rounds, err)
	}
}
