package controller

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
)

// report writes how the subscription stands, where that differs from what is written.
func (s *Subscriptions) report(ctx context.Context, sub *v1alpha1.EventSubscription, found standing) error {
	before := sub.DeepCopy()
	status := &sub.Status
	status.ObservedGeneration = sub.Generation
	status.Lag, status.DeadLetters = found.lag, found.dead
	if len(found.plan.Sources) > 0 {
		status.Topics, status.GroupPrefix = found.plan.Sources, found.plan.Grant.GroupPrefix
		if sub.Spec.Delivery.Kafka != nil {
			status.Topics = found.plan.Grant.Topics
		}
	}
	if name := secretOf(sub); name != "" && found.ready {
		status.Binding = &v1alpha1.Binding{Name: name}
	}
	if found.replayed {
		from := sub.Spec.Replay.From
		status.ReplayedID, status.ReplayedFrom = sub.Spec.Replay.ID, &from
	}
	condition := func(kind string, is bool, reason, message string) {
		c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message, ObservedGeneration: sub.Generation}
		if is {
			c.Status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&status.Conditions, c)
	}
	condition(v1alpha1.ConditionReady, found.ready, found.reason, found.message)
	condition(v1alpha1.ConditionProgressing, found.progressing, found.progress, "")
	if equality.Semantic.DeepEqual(before.Status, sub.Status) {
		return nil
	}
	if err := s.Client.Status().Patch(ctx, sub, client.MergeFrom(before)); err != nil {
		return err
	}
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	if was == nil || was.Reason != found.reason {
		kind := corev1.EventTypeNormal
		if !found.ready {
			kind = corev1.EventTypeWarning
		}
		s.Events.Eventf(sub, nil, kind, found.reason, "Reconcile", "%s", found.message)
	}
	return nil
}
