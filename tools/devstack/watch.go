package main

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/tools/devstack/internal/postgres"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

// giveUpAfter is how many times in a row Temporal may fail to answer, with PostgreSQL there, before it is ended so that
// the supervisor starts it afresh. Mostly it recovers by itself within seconds after PostgreSQL is back.
const giveUpAfter = 6

// watchTemporal returns when ctx ends or when Temporal has stayed broken although PostgreSQL answers.
func watchTemporal(ctx context.Context, addr, postgresURL string) error {
	client, err := flow.NewClient(flow.Config{Address: addr, Namespace: stack.Namespace, Key: make([]byte, flow.MinKey)}, quiet())
	if err != nil {
		return err
	}
	defer client.Close()
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	failed := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		call, cancel := context.WithTimeout(ctx, 4*time.Second)
		// Listing goes through to the database, unlike what the frontend answers from its caches.
		_, err := client.Temporal().WorkflowService().ListWorkflowExecutions(call,
			&workflowservice.ListWorkflowExecutionsRequest{Namespace: stack.Namespace, PageSize: 1})
		cancel()
		switch {
		case err == nil || ctx.Err() != nil:
			failed = 0
		case postgres.Wait(ctx, postgresURL, time.Second) != nil:
			failed = 0 // it cannot answer without its database
		default:
			failed++
		}
		if failed >= giveUpAfter {
			return fmt.Errorf("temporal does not recover although PostgreSQL answers: %w", err)
		}
	}
}
