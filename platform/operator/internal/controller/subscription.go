package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/delivery"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/subscription"
)

// +kubebuilder:rbac:groups=guanxi.io,resources=eventsubscriptions,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=guanxi.io,resources=eventsubscriptions/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=guanxi.io,resources=eventsubscriptions/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// subscriptionFinalizer holds a subscription with deletionPolicy Delete until its topics and positions are gone, for a bounded
// time.
const subscriptionFinalizer = "guanxi.io/subscription"

const (
	defaultResync   = time.Minute
	defaultPatience = time.Minute
	reconcileMax    = 30 * time.Second
	kafkaMax        = 10 * time.Second // of a try to clean up, so that a namespace goes soon without Kafka
	again           = 5 * time.Second  // to the next look at what is under way
	sweepEvery      = 10 * time.Minute
)

// Subscriptions has EventSubscriptions be in force: credentials and access in Kafka, and what has to be delivered. What is left
// out of Client, Reader and Events comes from the manager.
type Subscriptions struct {
	Client client.Client
	Reader client.Reader // reads past the cache: Secrets are not kept in it
	Events events.EventRecorder
	// Kafka carries out what is planned; its user may alter the cluster.
	Kafka *subscription.Kafka
	// Delivery forwards and sends events. The manager has to run it as well.
	Delivery *delivery.Deliveries
	// Guard is the one that Delivery sends by.
	Guard delivery.Guard
	// Cluster is a mark of this cluster without a dot, the same for ever; users and topics in Kafka are named by it.
	Cluster string
	// Endpoint is where subscribers find Kafka.
	Endpoint subscription.Endpoint
	// Leaving is the end of the operator's own namespace; nil: it never comes.
	Leaving *Leaving
	// Resync is how often a subscription is looked at without a change; 0: 1 minute.
	Resync time.Duration
	// Patience is how long a deletion waits for Kafka; 0: 1 minute.
	Patience time.Duration
}

// SetupWithManager has the manager run the controller.
func (s *Subscriptions) SetupWithManager(mgr ctrl.Manager) error {
	if s.Client == nil {
		s.Client = mgr.GetClient()
	}
	if s.Reader == nil {
		s.Reader = mgr.GetAPIReader()
	}
	if s.Events == nil {
		s.Events = mgr.GetEventRecorder(reporter)
	}
	if err := mgr.Add(manager.RunnableFunc(s.sweep)); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).Named("eventsubscription").
		For(&v1alpha1.EventSubscription{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(s.ofSecret)).
		WatchesRawSource(s.Leaving.wakes(mgr.GetAPIReader(), "EventSubscription")).
		Complete(s)
}

// ofSecret gives the subscriptions that a Secret belongs to.
func (s *Subscriptions) ofSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var all v1alpha1.EventSubscriptionList
	if err := s.Client.List(ctx, &all, client.InNamespace(secret.GetNamespace())); err != nil {
		return nil
	}
	var of []reconcile.Request
	for i := range all.Items {
		var name string
		if one := &all.Items[i]; one.Spec.Delivery.Webhook != nil {
			name = one.Spec.Delivery.Webhook.SecretName
		} else {
			name = subscription.SecretOf(one)
		}
		if name == secret.GetName() {
			of = append(of, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return of
}

// Reconcile brings one subscription into force, or takes it back. Where nothing has changed it writes nothing.
func (s *Subscriptions) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileMax)
	defer cancel()
	sub := &v1alpha1.EventSubscription{}
	if err := s.Client.Get(ctx, req.NamespacedName, sub); err != nil {
		if !apierrors.IsNotFound(err) {
			return reconcile.Result{}, err
		}
		return s.gone(ctx, req.NamespacedName)
	}
	if !sub.DeletionTimestamp.IsZero() || s.Leaving.takes(sub) {
		return s.finish(ctx, sub)
	}
	if err := s.hold(ctx, sub); err != nil {
		return retry(err)
	}
	found, err := s.converge(ctx, sub)
	if err != nil {
		return retry(err)
	}
	if err := s.report(ctx, sub, found); err != nil {
		return retry(err)
	}
	return reconcile.Result{RequeueAfter: found.next}, nil
}

// retry has what somebody else changed meanwhile be looked at once more, which is no fault.
func retry(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: 100 * time.Millisecond}, nil
	}
	return reconcile.Result{}, client.IgnoreNotFound(err)
}

// hold has the finalizer be there exactly while deleting the subscription deletes something in Kafka.
func (s *Subscriptions) hold(ctx context.Context, sub *v1alpha1.EventSubscription) error {
	before := sub.DeepCopy()
	var changed bool
	if sub.Spec.DeletionPolicy == v1alpha1.Delete {
		changed = controllerutil.AddFinalizer(sub, subscriptionFinalizer)
	} else {
		changed = controllerutil.RemoveFinalizer(sub, subscriptionFinalizer)
	}
	if !changed {
		return nil
	}
	return s.Client.Patch(ctx, sub, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// gone takes the credentials of a subscription back that is not there any more. While Kafka is away it tries on; nothing waits
// for that.
func (s *Subscriptions) gone(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	s.Delivery.Remove(ctx, key.String())
	if err := s.Kafka.Revoke(ctx, subscription.UserFor(s.Cluster, key.Namespace, key.Name)); err != nil {
		log.FromContext(ctx).Info("credentials are not taken back yet", "error", err.Error())
		return reconcile.Result{RequeueAfter: s.resync()}, nil
	}
	return reconcile.Result{}, nil
}

// finish cleans up for a subscription that is being deleted and lets it go, in the end without having cleaned up.
func (s *Subscriptions) finish(ctx context.Context, sub *v1alpha1.EventSubscription) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileMax)
	defer cancel()
	err := s.clean(ctx, sub)
	if !controllerutil.ContainsFinalizer(sub, subscriptionFinalizer) {
		if err != nil && s.Leaving.takes(sub) { // nobody will see it go
			log.FromContext(ctx).Info("the credentials of the subscription are not taken back yet", "error", err.Error())
			return s.Leaving.again(sub, again), nil
		}
		s.Leaving.settle(sub)
		return reconcile.Result{}, nil // whoever else holds it; what is left is done when it is gone
	}
	if err != nil {
		patience := s.Patience
		if patience == 0 {
			patience = defaultPatience
		}
		if s.Leaving.deletedFor(sub) < patience {
			log.FromContext(ctx).Info("what the subscription left in Kafka is not deleted yet", "error", err.Error())
			return s.Leaving.again(sub, min(again, patience)), nil
		}
		abandon(ctx, s.Client, sub, fmt.Sprintf("Kafka could not be cleaned up: %s. Topics and consumer groups of the subscription may be left; credentials are taken back once Kafka answers", err))
	}
	before := sub.DeepCopy()
	controllerutil.RemoveFinalizer(sub, subscriptionFinalizer)
	if err := s.Client.Patch(ctx, sub, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return retry(err)
	}
	s.Leaving.settle(sub)
	return reconcile.Result{}, nil
}

// clean takes the credentials back, and topics and positions with the policy Delete.
func (s *Subscriptions) clean(ctx context.Context, sub *v1alpha1.EventSubscription) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaMax)
	defer cancel()
	s.Delivery.Remove(ctx, client.ObjectKeyFromObject(sub).String())
	names := subscription.Names(sub, s.Cluster)
	if names.Grant.User != "" {
		if err := s.Kafka.Revoke(ctx, names.Grant.User); err != nil {
			return err
		}
	}
	if sub.Spec.DeletionPolicy != v1alpha1.Delete {
		return nil
	}
	blank := func(name string) bool { return name == "" }
	return s.Kafka.Remove(ctx, slices.DeleteFunc([]string{names.Own, names.Dead}, blank),
		slices.DeleteFunc([]string{names.Group}, blank), names.Grant.GroupPrefix)
}

// sweep takes credentials back whose subscription went while nobody looked.
func (s *Subscriptions) sweep(ctx context.Context) error {
	timer := time.NewTicker(sweepEvery)
	defer timer.Stop()
	for {
		if err := s.orphans(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Info("credentials without a subscription were not looked for", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// orphans asks Kafka first: a user that is there had its subscription before.
func (s *Subscriptions) orphans(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reconcileMax)
	defer cancel()
	users, err := s.Kafka.Users(ctx)
	if err != nil {
		return err
	}
	var all v1alpha1.EventSubscriptionList
	if err := s.Reader.List(ctx, &all); err != nil {
		return fmt.Errorf("list subscriptions: %w", err)
	}
	kept := map[string]bool{}
	for i := range all.Items {
		if one := &all.Items[i]; one.Spec.Delivery.Kafka != nil {
			kept[subscription.UserFor(s.Cluster, one.Namespace, one.Name)] = true
		}
	}
	var failed error
	for _, user := range users {
		if _, _, ours := subscription.OwnerOf(s.Cluster, user); ours && !kept[user] {
			failed = errors.Join(failed, s.Kafka.Revoke(ctx, user))
		}
	}
	return failed
}

func (s *Subscriptions) resync() time.Duration {
	if s.Resync == 0 {
		return defaultResync
	}
	return s.Resync
}
