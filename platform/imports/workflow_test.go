package imports_test

import (
	"testing"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/imports"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(imports.Import, workflow.RegisterOptions{Name: "import-people"})
	})
}
