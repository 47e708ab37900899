package controller

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/platform"
)

// inHand are the states of a phase that is gone through.
var inHand = []string{"entering", "working", "leaving"}

// mirror puts into the status where a rollout stands.
func (r *Rollouts) mirror(o *v1alpha1.CRMRollout, b platform.Board) {
	s := &o.Status
	s.State, s.Phase, s.Gate, s.Phases = b.State, "", "", nil
	s.PausedByOperator = b.Pause != nil && b.Pause.Reason == pauseReason
	for _, p := range b.Phases {
		one := v1alpha1.PhaseStatus{Code: p.Code, State: p.State, Round: p.Round, TasksTotal: int32(len(p.Tasks))}
		for _, t := range p.Tasks {
			if t.DoneAt != nil {
				one.TasksDone++
			}
		}
		for _, g := range p.Gates {
			if g.Stands != "held" {
				continue
			}
			held := g.Code
			if g.Reason != "" {
				held = fmt.Sprintf("%s (%s)", g.Code, g.Reason)
			}
			one.Held = append(one.Held, held)
		}
		if s.Phase == "" && slices.Contains(inHand, p.State) && b.State != "draft" {
			s.Phase = p.Code
			if len(one.Held) > 0 {
				s.Gate = one.Held[0]
			}
		}
		s.Phases = append(s.Phases, one)
	}
	progress(o, b)
	degrade(o, b)
}

// progress says whether the rollout goes on, and what it stands before.
func progress(o *v1alpha1.CRMRollout, b platform.Board) {
	set := func(is metav1.ConditionStatus, reason, message string) {
		setCondition(o, v1alpha1.ConditionProgressing, is, reason, message)
	}
	s := o.Status
	switch {
	case b.State == "finished":
		set(metav1.ConditionFalse, ReasonFinished, "All phases are over.")
	case b.State == "cancelled":
		set(metav1.ConditionFalse, ReasonCancelled, "The rollout was cancelled.")
	case b.State == "draft":
		set(metav1.ConditionFalse, ReasonWaiting, "The rollout has not begun.")
	case b.State == "paused":
		reason := "unknown"
		if b.Pause != nil {
			reason = b.Pause.Reason
		}
		set(metav1.ConditionFalse, ReasonPaused, fmt.Sprintf("The rollout is paused: %s.", reason))
	case s.Gate != "":
		set(metav1.ConditionTrue, ReasonGateHeld, fmt.Sprintf("The phase %s waits for the gate %s.", s.Phase, s.Gate))
	case s.Phase != "":
		set(metav1.ConditionTrue, ReasonUnderWay, fmt.Sprintf("The phase %s is worked on.", s.Phase))
	default:
		set(metav1.ConditionTrue, ReasonWaiting, "No phase is worked on: a phase that was rolled back has to be gone through again or skipped.")
	}
}

// degrade says what is not as intended: a risk that came about, or a rollback that was refused.
func degrade(o *v1alpha1.CRMRollout, b platform.Board) {
	was := meta.FindStatusCondition(o.Status.Conditions, v1alpha1.ConditionDegraded)
	switch {
	case was != nil && was.Reason == ReasonRollbackRefuse && o.Spec.Rollback != nil && o.Spec.Rollback.ID == o.Status.RolledBackID:
	case len(b.Triggered) > 0:
		setCondition(o, v1alpha1.ConditionDegraded, metav1.ConditionTrue, ReasonRiskTriggered, "Risks have come about: "+strings.Join(b.Triggered, ", ")+".")
	default:
		setCondition(o, v1alpha1.ConditionDegraded, metav1.ConditionFalse, ReasonAsIntended, "")
	}
}
