package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/delivery"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/subscription"
)

// standing is how a subscription was found, or brought, to stand.
type standing struct {
	ready       bool
	reason      string // of Ready
	message     string
	progressing bool
	progress    string // the reason of Progressing
	plan        subscription.Plan
	lag, dead   *int64
	replayed    bool // spec.replay has been carried out
	next        time.Duration
}

// The reasons of Progressing.
const (
	reasonSettled   = "Settled"   // nothing is under way
	reasonRetrying  = "Retrying"  // something failed and is tried again
	reasonReplaying = "Replaying" // a replay is about to begin
	reasonBlocked   = "Blocked"   // somebody has to change an object first
)

// converge has the subscription be in force, as far as that is possible. The error is one of Kubernetes; everything else is
// told by how the subscription stands.
func (s *Subscriptions) converge(ctx context.Context, sub *v1alpha1.EventSubscription) (standing, error) {
	found, err := s.apply(ctx, sub)
	var refusal *subscription.Refusal
	var kube apierrors.APIStatus
	switch {
	case errors.As(err, &refusal):
		found.ready, found.reason, found.message = false, refusal.Reason, refusal.Message
		found.progressing, found.progress, found.next = false, reasonBlocked, s.resync()
	case errors.As(err, &kube):
		return found, err
	case err != nil:
		found.ready, found.reason, found.message = false, "KafkaUnreachable", err.Error()
		found.progressing, found.progress, found.next = true, reasonRetrying, min(3*again, s.resync())
		found.lag, found.dead = sub.Status.Lag, sub.Status.DeadLetters
	}
	return found, nil
}

// apply does what the plan asks for.
func (s *Subscriptions) apply(ctx context.Context, sub *v1alpha1.EventSubscription) (standing, error) {
	partitions, err := s.Kafka.Topics(ctx)
	if err != nil {
		return standing{}, err
	}
	var all v1alpha1.EventSubscriptionList
	if err := s.Client.List(ctx, &all); err != nil {
		return standing{}, err
	}
	published := make([]string, 0, len(partitions))
	for topic := range partitions {
		published = append(published, topic)
	}
	slices.Sort(published)
	plan, err := subscription.For(sub, all.Items, published, s.Cluster)
	if err != nil {
		return standing{}, err
	}
	found := standing{plan: plan}
	if sub.Spec.Delivery.Webhook != nil {
		err = s.applyWebhook(ctx, sub, plan)
	} else {
		err = s.applyKafka(ctx, sub, plan, partitions)
	}
	if err != nil {
		return found, err
	}
	return found, s.look(ctx, sub, &found)
}

func (s *Subscriptions) applyKafka(ctx context.Context, sub *v1alpha1.EventSubscription, plan subscription.Plan, partitions map[string]int32) error {
	if plan.Own != "" {
		most := int32(1)
		for _, source := range plan.Sources {
			most = max(most, partitions[source])
		}
		if err := s.Kafka.EnsureTopic(ctx, plan.Own, most); err != nil {
			return err
		}
	}
	if _, err := s.Kafka.Allow(ctx, plan.Grant.User, plan.Grant.Rules()); err != nil {
		return err
	}
	if err := s.credentials(ctx, sub, plan.Grant); err != nil {
		return err
	}
	if plan.Own != "" {
		job := jobOf(sub, plan)
		job.Topic = plan.Own
		s.Delivery.Set(job)
	}
	return nil
}

func (s *Subscriptions) applyWebhook(ctx context.Context, sub *v1alpha1.EventSubscription, plan subscription.Plan) error {
	spec := sub.Spec.Delivery.Webhook
	keys, err := s.keys(ctx, sub)
	if refused := s.Guard.Check(spec.URL); err == nil && refused != nil {
		err = &subscription.Refusal{Reason: "URLRefused", Message: refused.Error()}
	}
	if err != nil {
		if _, refused := errors.AsType[*subscription.Refusal](err); refused {
			s.Delivery.Remove(ctx, client.ObjectKeyFromObject(sub).String()) // nothing goes on under a key that was taken away
		}
		return err
	}
	if err := s.Kafka.EnsureTopic(ctx, plan.Dead, 1); err != nil {
		return err
	}
	job := jobOf(sub, plan)
	job.Webhook = &delivery.Webhook{
		URL: spec.URL, Keys: keys, Timeout: spec.Timeout.Length(), Attempts: int(spec.Retry.Attempts),
		First: spec.Retry.First.Length(), Longest: spec.Retry.Longest.Length(), Dead: plan.Dead,
	}
	s.Delivery.Set(job)
	return nil
}

// jobOf gives what both ways of delivering have in common.
func jobOf(sub *v1alpha1.EventSubscription, plan subscription.Plan) delivery.Job {
	job := delivery.Job{
		Name: client.ObjectKeyFromObject(sub).String(), Group: plan.Group, Sources: plan.Sources, Since: sub.CreationTimestamp.UTC(),
	}
	if sub.Spec.Tenant != nil {
		job.Tenant = string(*sub.Spec.Tenant)
	}
	for _, t := range sub.Spec.EventTypes {
		job.Types = append(job.Types, string(t))
	}
	if r := sub.Spec.Replay; r != nil {
		job.Replay = delivery.Replay{ID: r.ID, From: r.From.UTC()}
	}
	return job
}

// keys reads the signing keys of a webhook.
func (s *Subscriptions) keys(ctx context.Context, sub *v1alpha1.EventSubscription) ([]delivery.Key, error) {
	name := sub.Spec.Delivery.Webhook.SecretName
	var secret corev1.Secret
	err := s.Reader.Get(ctx, client.ObjectKey{Namespace: sub.Namespace, Name: name}, &secret)
	if apierrors.IsNotFound(err) {
		return nil, &subscription.Refusal{Reason: "SecretMissing", Message: fmt.Sprintf("there is no Secret %s with the signing key: make it with an entry key", name)}
	}
	if err != nil {
		return nil, err
	}
	var keys []delivery.Key
	for _, entry := range []string{"key", "previous"} {
		text, ok := secret.Data[entry]
		if !ok && entry == "previous" {
			continue
		}
		key, err := delivery.ParseKey(string(text))
		if err != nil {
			return nil, &subscription.Refusal{Reason: "KeyInvalid", Message: fmt.Sprintf("entry %s of Secret %s: %s", entry, name, err)}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// look finds out how far the subscription is.
func (s *Subscriptions) look(ctx context.Context, sub *v1alpha1.EventSubscription, found *standing) error {
	var lag int64
	var known bool
	var err error
	if found.plan.Group != "" {
		lag, known, err = s.Kafka.Lag(ctx, found.plan.Group, found.plan.Sources)
	} else {
		lag, known, err = s.Kafka.LagOf(ctx, found.plan.Grant.GroupPrefix, found.plan.Grant.Topics)
	}
	if err != nil {
		return err
	}
	if known {
		found.lag = &lag
	}
	if found.plan.Dead != "" {
		dead, err := s.Kafka.Written(ctx, found.plan.Dead)
		if err != nil {
			return err
		}
		found.dead = &dead
	}
	found.ready, found.progress, found.next = true, reasonSettled, s.resync()
	found.reason, found.message = "Granted", "the credentials are in Secret "+secretOf(sub)
	if found.plan.Group == "" {
		return nil
	}
	if sub.Spec.Delivery.Webhook != nil {
		found.reason, found.message = "Delivering", "events are sent to the webhook"
	}
	report, _ := s.Delivery.Report(client.ObjectKeyFromObject(sub).String())
	found.replayed = sub.Spec.Replay != nil && report.Replay == sub.Spec.Replay.ID
	switch {
	case report.Failing != "":
		found.ready, found.reason, found.message = false, "DeliveryFailing", report.Failing
		found.progressing, found.progress, found.next = true, reasonRetrying, min(again, s.resync())
	case sub.Spec.Replay != nil && !found.replayed:
		found.progressing, found.progress, found.next = true, reasonReplaying, min(again, s.resync())
	case !known:
		found.next = min(again, s.resync()) // positions are about to be kept for the first time
	}
	return nil
}

func secretOf(sub *v1alpha1.EventSubscription) string {
	if sub.Spec.Delivery.Kafka == nil {
		return ""
	}
	return subscription.SecretOf(sub)
}
