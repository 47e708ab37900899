package conversion_test

import (
	"testing"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/conversion"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(conversion.Handle, workflow.RegisterOptions{Name: conversion.WorkflowName})
	})
}
