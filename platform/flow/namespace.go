package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
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

// ensureNamespace asks first: the server takes only about one registration a second, of all processes together.
func (c *Client) ensureNamespace(ctx context.Context) error {
	return c.until(ctx, func(ctx context.Context) error {
		_, err := c.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.namespace})
		var unknown *serviceerror.NamespaceNotFound
		if !errors.As(err, &unknown) {
			return err
		}
		_, registered := c.temporal.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace:                        c.namespace,
			Description:                      "Processes of a Guanxi installation",
			WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
		var exists *serviceerror.NamespaceAlreadyExists
		if registered != nil && !errors.As(registered, &exists) {
			return registered
		}
		return err // until every frontend has heard of it
	})
}

func (c *Client) ensureSearchAttributes(ctx context.Context) error {
	missing, err := c.missingSearchAttributes(ctx)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err = c.temporal.OperatorService().AddSearchAttributes(call, &operatorservice.AddSearchAttributesRequest{
		Namespace: c.namespace, SearchAttributes: missing,
	})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	// The frontends learn of a new attribute by a cache that is refreshed now and then. One query asks for all of them:
	// the server allows only some ten of these a second, and processes that start together share them.
	query := strings.Join(slices.Sorted(maps.Keys(searchAttributes)), " IS NOT NULL OR ") + " IS NOT NULL"
	return c.until(ctx, func(ctx context.Context) error {
		_, err := c.temporal.WorkflowService().CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: c.namespace, Query: query,
		})
		return err
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

// until tries for up to 30 s, long enough for the server's caches, with a growing pause: callers that try again at once keep
// each other from ever getting below the server's rate limits.
func (c *Client) until(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 3*time.Second) {
		call, done := context.WithTimeout(ctx, patience)
		err := try(call)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}
