package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retention is how long the histories of closed processes are kept.
const retention = 30 * 24 * time.Hour

var searchAttributes = map[string]enumspb.IndexedValueType{
	tenantAttribute.GetName():   enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	stageAttribute.GetName():    enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	dueAtAttribute.GetName():    enumspb.INDEXED_VALUE_TYPE_DATETIME,
	priorityAttribute.GetName(): enumspb.INDEXED_VALUE_TYPE_INT,
	teamAttribute.GetName():     enumspb.INDEXED_VALUE_TYPE_KEYWORD,
}

// EnsureNamespace makes the namespace and its search attributes where they are missing and waits until the server
// answers a query over them. Run again, it changes nothing. It fails when Temporal is away; the caller tries again.
func (c *Client) EnsureNamespace(ctx context.Context) error {
	if err := c.ensureNamespace(ctx); err != nil {
		return fmt.Errorf("namespace %s: %w", c.namespace, err)
	}
	if err := c.ensureSearchAttributes(ctx); err != nil {
		return fmt.Errorf("search attributes of %s: %w", c.namespace, err)
	}
	return nil
}

func (c *Client) ensureNamespace(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := c.temporal.WorkflowService().RegisterNamespace(call, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        c.namespace,
		Description:                      "Processes of a Guanxi installation",
		WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	var exists *serviceerror.NamespaceAlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	return c.until(ctx, func(ctx context.Context) error {
		_, err := c.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.namespace})
		return err
	})
}

func (c *Client) ensureSearchAttributes(ctx context.Context) error {
	missing, err := c.missingSearchAttributes(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		call, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_, err := c.temporal.OperatorService().AddSearchAttributes(call, &operatorservice.AddSearchAttributesRequest{
			Namespace: c.namespace, SearchAttributes: missing,
		})
		var exists *serviceerror.AlreadyExists
		if err != nil && !errors.As(err, &exists) {
			return err
		}
	}
	// The frontends learn of a new attribute by a cache that is refreshed now and then.
	return c.until(ctx, func(ctx context.Context) error {
		for _, name := range slices.Sorted(maps.Keys(searchAttributes)) {
			_, err := c.temporal.WorkflowService().CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
				Namespace: c.namespace, Query: name + " IS NOT NULL",
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// missingSearchAttributes gives those that are not there; one that is there with another type is an error, since it can
// only be mended by hand.
func (c *Client) missingSearchAttributes(ctx context.Context) (map[string]enumspb.IndexedValueType, error) {
	var have map[string]enumspb.IndexedValueType
	err := c.until(ctx, func(ctx context.Context) error {
		list, err := c.temporal.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: c.namespace})
		have = list.GetCustomAttributes()
		return err
	})
	if err != nil {
		return nil, err
	}
	missing := map[string]enumspb.IndexedValueType{}
	for name, want := range searchAttributes {
		switch got, ok := have[name]; {
		case !ok:
			missing[name] = want
		case got != want:
			return nil, fmt.Errorf("%s is %v and should be %v; remove or rename it", name, got, want)
		}
	}
	return missing, nil
}

// until tries for up to 30 s, long enough for the server's caches.
func (c *Client) until(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		call, done := context.WithTimeout(ctx, patience)
		err := try(call)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}
