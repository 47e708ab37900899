package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

// Schedule starts a workflow again and again. Its activities act as the subject "schedule:<id>", without a tenant.
type Schedule struct {
	// ID is unique in the installation, such as accounts-prune.
	ID string
	// Every is the interval; Cron is an expression in UTC. One of them is set.
	Every time.Duration
	Cron  string
	// Workflow is the workflow function or its registered name.
	Workflow any
	Args     []any
}

// EnsureSchedules makes the schedules, and changes those that are there to what is said here; one that an operator has
// paused stays paused. A run that is still going when the next is due makes that one be left out. While Temporal is
// away it tries again until ctx ends.
func (c *Client) EnsureSchedules(ctx context.Context, queue string, schedules ...Schedule) error {
	for _, s := range schedules {
		if s.ID == "" || s.Workflow == nil || (s.Every > 0) == (s.Cron != "") {
			return fmt.Errorf("flow: schedule %q needs an id, a workflow, and either an interval or a cron expression", s.ID)
		}
		var refused *serviceerror.InvalidArgument
		err := c.insist(ctx, "schedule "+s.ID, func() error {
			if err := c.ensureSchedule(ctx, queue, s); !errors.As(err, &refused) {
				return err
			}
			return nil
		})
		if err != nil || refused != nil {
			return fmt.Errorf("schedule %s: %w", s.ID, errors.Join(err, refused))
		}
	}
	return nil
}

func (c *Client) ensureSchedule(ctx context.Context, queue string, s Schedule) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	subject := auth.Principal{Subject: "schedule:" + s.ID}
	ctx = withSigned(ctx, c.signer.sign(subject, scope{kind: scopeSchedule, id: s.ID}))
	spec := client.ScheduleSpec{}
	if s.Every > 0 {
		spec.Intervals = []client.ScheduleIntervalSpec{{Every: s.Every}}
	} else {
		spec.CronExpressions = []string{s.Cron}
	}
	action := &client.ScheduleWorkflowAction{ID: s.ID, Workflow: s.Workflow, Args: s.Args, TaskQueue: queue}
	const overlap = enumspb.SCHEDULE_OVERLAP_POLICY_SKIP
	schedules := c.temporal.ScheduleClient()
	_, err := schedules.Create(ctx, client.ScheduleOptions{ID: s.ID, Spec: spec, Action: action, Overlap: overlap})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return schedules.GetHandle(ctx, s.ID).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			now := in.Description.Schedule
			now.Spec, now.Action = &spec, action
			if now.Policy == nil {
				now.Policy = &client.SchedulePolicies{}
			}
			now.Policy.Overlap = overlap
			return &client.ScheduleUpdate{Schedule: &now}, nil
		},
	})
}
