package opportunity

import (
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// followUpActivity is the name under which the activity is registered.
const followUpActivity = "opportunity.follow-up"

// Worker registers the process and its activity.
func (o *Opportunities) Worker(w worker.Registry) {
	w.RegisterWorkflowWithOptions(FollowUp, workflow.RegisterOptions{Name: WorkflowName})
	w.RegisterActivityWithOptions(o.followUp, activity.RegisterOptions{Name: followUpActivity})
}
