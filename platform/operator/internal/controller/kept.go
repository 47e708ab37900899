package controller

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/platform"
)

// platformFinalizer holds an object with deletionPolicy Delete until the platform has done so, for a bounded time.
const platformFinalizer = "guanxi.io/platform"

// The reasons of conditions that all kinds share which the platform keeps. docs/operator.md documents them.
const (
	ReasonInForce             = "InForce"
	ReasonPlatformUnavailable = "PlatformUnavailable"
	ReasonNotAllowed          = "NotAllowed"
	ReasonRefused             = "Refused"
	ReasonManagedElsewhere    = "ManagedElsewhere"
	ReasonUnknownTenant       = "UnknownTenant"
	ReasonInvalidPlan         = "InvalidPlan"
	ReasonWaiting             = "Waiting"
	ReasonAsIntended          = "AsIntended"
)

// external is what the platform knows an object by.
func external(o client.Object) string { return platform.Manager + ":" + string(o.GetUID()) }

// setCondition says how a kind of condition stands.
func setCondition(o v1alpha1.Conditioned, kind string, is metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&o.Common().Conditions, metav1.Condition{
		Type: kind, Status: is, Reason: reason, Message: message, ObservedGeneration: o.GetGeneration(),
	})
}

// why gives the reason of a call that went wrong.
func why(err error) string {
	switch e := platform.As(err); {
	case e.Away():
		return ReasonPlatformUnavailable
	case e.Status == 401 || e.Status == 403:
		return ReasonNotAllowed
	case e.Code == "tenant_not_found":
		return ReasonUnknownTenant
	case e.Code == "managed_elsewhere":
		return ReasonManagedElsewhere
	default:
		return ReasonRefused
	}
}

// object is a kind of the platform's.
type object interface {
	client.Object
	v1alpha1.Conditioned
}

// keeper is what the controllers of kinds that the platform keeps have in common.
type keeper struct {
	client   client.Client
	events   events.EventRecorder
	patience time.Duration // how long a deletion waits for the platform
	poll     time.Duration
	leaving  *Leaving

	mu      sync.Mutex
	deleted map[types.NamespacedName][]departed
	refused map[asked]refusal
}

type departed struct {
	object object
	since  time.Time
}

// asked is one of the things that are asked for an object, such as its plan or its name.
type asked struct {
	of   types.UID
	kind string
}

// refusal is what the platform refused last, for it not to be asked the same all the time.
type refusal struct {
	what string
	err  error
	next time.Time
}

// refusedPause is how many polls lie between two tries of what was refused: somebody may have mended what it hangs on, such as a
// unit that was missing.
const refusedPause = 10

// ask does what has to be done, unless the same of a kind was refused a short while ago.
func (k *keeper) ask(o client.Object, kind, what string, do func() error) error {
	this := asked{o.GetUID(), kind}
	k.mu.Lock()
	last, ok := k.refused[this]
	k.mu.Unlock()
	if ok && last.what == what && time.Now().Before(last.next) {
		return last.err
	}
	err := do()
	k.mu.Lock()
	defer k.mu.Unlock()
	if delete(k.refused, this); err != nil && !platform.As(err).Away() {
		k.refused[this] = refusal{what, err, time.Now().Add(refusedPause * k.poll)}
	}
	return err
}

// changed lets through what changes an intent, and keeps what is deleted, for it to be given back to people.
func (k *keeper) changed() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || e.ObjectNew.GetDeletionTimestamp() != nil
		},
		DeleteFunc: func(e event.DeleteEvent) bool {
			o, ok := e.Object.(object)
			if !ok || o.OnDeletion() == v1alpha1.Delete {
				return ok
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			at := client.ObjectKeyFromObject(o)
			k.deleted[at] = append(k.deleted[at], departed{o, time.Now()})
			return true
		},
	}
}

// departed gives back to people what objects that were deleted with Retain stood for. Nothing waits for it; while the platform is
// away it is tried on for a bounded time.
func (k *keeper) departed(ctx context.Context, at types.NamespacedName, release func(context.Context, object) error) (reconcile.Result, error) {
	k.mu.Lock()
	gone := k.deleted[at]
	delete(k.deleted, at)
	k.mu.Unlock()
	var left []departed
	for _, one := range gone {
		err := release(ctx, one.object)
		switch {
		case err == nil:
		case platform.As(err).Away() && time.Since(one.since) < k.patience:
			left = append(left, one)
		default:
			log.FromContext(ctx).Info("what was deleted with Retain stays managed by Kubernetes in the platform", "error", err.Error())
		}
	}
	if len(left) == 0 {
		return reconcile.Result{}, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.deleted[at] = append(left, k.deleted[at]...)
	return reconcile.Result{RequeueAfter: k.poll}, nil
}

// hold has the finalizer be there exactly while deleting the object deletes something in the platform.
func (k *keeper) hold(ctx context.Context, o object) error {
	before := o.DeepCopyObject().(object) //nolint:forcetypeassert // a copy has the type of what it copies
	var changed bool
	if o.OnDeletion() == v1alpha1.Delete {
		changed = controllerutil.AddFinalizer(o, platformFinalizer)
	} else {
		changed = controllerutil.RemoveFinalizer(o, platformFinalizer)
	}
	if !changed {
		return nil
	}
	return k.client.Patch(ctx, o, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// ends tells whether an object is deleted, or as good as that.
func (k *keeper) ends(o object) bool { return !o.GetDeletionTimestamp().IsZero() || k.leaving.takes(o) }

// finish deletes what an object stands for and lets the object go, in the end without having done so.
func (k *keeper) finish(ctx context.Context, o object, remove, release func(context.Context, object) error) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(o, platformFinalizer) {
		return k.giveBack(ctx, o, release), nil
	}
	if err := remove(ctx, o); err != nil {
		if platform.As(err).Away() && k.leaving.deletedFor(o) < k.patience {
			log.FromContext(ctx).Info("what the object stands for is not deleted yet", "error", err.Error())
			return k.leaving.again(o, min(k.poll, k.patience)), nil
		}
		abandon(ctx, k.client, o, "the platform did not delete what the object stands for: "+err.Error())
	}
	before := o.DeepCopyObject().(object) //nolint:forcetypeassert // a copy has the type of what it copies
	controllerutil.RemoveFinalizer(o, platformFinalizer)
	if err := k.client.Patch(ctx, o, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return retry(err)
	}
	k.leaving.settle(o)
	return reconcile.Result{}, nil
}

// giveBack gives what an object with Retain stands for back to people, before the operator goes with its namespace: nobody would see
// the object go. Other objects are given back when they are gone.
func (k *keeper) giveBack(ctx context.Context, o object, release func(context.Context, object) error) reconcile.Result {
	if !k.leaving.takes(o) {
		return reconcile.Result{}
	}
	if o.OnDeletion() != v1alpha1.Delete {
		if err := release(ctx, o); err != nil {
			log.FromContext(ctx).Info("what goes with Retain is not given back to people", "error", err.Error())
			if platform.As(err).Away() {
				return k.leaving.again(o, k.poll)
			}
		}
	}
	k.leaving.settle(o)
	return reconcile.Result{}
}

// report writes the status, where it differs from what was written before, and an event where the reason is another.
func (k *keeper) report(ctx context.Context, before, o object) error {
	o.Common().ObservedGeneration = o.GetGeneration()
	if equality.Semantic.DeepEqual(before, o) {
		return nil
	}
	if err := k.client.Status().Patch(ctx, o, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(err)
	}
	was := meta.FindStatusCondition(before.Common().Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(o.Common().Conditions, v1alpha1.ConditionReady)
	if is != nil && (was == nil || was.Reason != is.Reason) {
		kind := corev1.EventTypeNormal
		if is.Status != metav1.ConditionTrue {
			kind = corev1.EventTypeWarning
		}
		k.events.Eventf(o, nil, kind, is.Reason, "Reconcile", "%s", is.Message)
	}
	return nil
}
