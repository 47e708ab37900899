package audit_test

import (
	"testing"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/audit"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/history/*.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(audit.Audit, workflow.RegisterOptions{Name: audit.WorkflowName})
	})
}
