package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups="",resources=namespaces,resourceNames=system,verbs=get

const (
	look  = 500 * time.Millisecond // between two looks at what is left in the namespace
	hurry = 3 * time.Second        // for all that is left, once the rights of the operator are going as well
)

// finalizers are what the kinds are held by.
var finalizers = map[string]string{"CRMRollout": platformFinalizer, "SLAPolicy": platformFinalizer, "EventSubscription": subscriptionFinalizer}

// Leaving is the end of the namespace that the operator itself is in. Whoever deletes it deletes the operator with its objects, in
// Kubernetes from 1.33 on even before them, and nobody would be left to take finalizers away. So the operator does, before it ends,
// what the deletion of each object would have it do. A nil Leaving never begins.
type Leaving struct {
	namespace string
	began     chan struct{}
	since     time.Time // when the namespace was deleted; to be read once it began

	mu      sync.Mutex
	served  map[string]bool    // kinds that a controller looks at
	settled map[types.UID]bool // objects with which nothing is left to do
}

// NewLeaving watches over the operator's own namespace; over none where namespace is empty.
func NewLeaving(namespace string) *Leaving {
	return &Leaving{namespace: namespace, began: make(chan struct{}), served: map[string]bool{}, settled: map[types.UID]bool{}}
}

// Begin tells whether the namespace is being deleted, which nobody can take back. From then on the controllers deal with its objects
// as with deleted ones. It is called once.
func (l *Leaving) Begin(ctx context.Context, reader client.Reader) (bool, error) {
	if l.namespace == "" {
		return false, nil
	}
	var is corev1.Namespace
	var failed error
	err := wait.PollUntilContextCancel(ctx, look, true, func(ctx context.Context) (bool, error) {
		failed = reader.Get(ctx, client.ObjectKey{Name: l.namespace}, &is)
		lasting := apierrors.IsForbidden(failed) || apierrors.IsUnauthorized(failed) || apierrors.IsNotFound(failed)
		return failed == nil || lasting, nil
	})
	if failed != nil || err != nil {
		return false, fmt.Errorf("whether the operator's own namespace is being deleted cannot be seen: %w", errors.Join(failed, err))
	}
	if is.DeletionTimestamp.IsZero() {
		return false, nil
	}
	l.since = is.DeletionTimestamp.Time
	close(l.began)
	return true, nil
}

// takes tells whether an object goes with the namespace.
func (l *Leaving) takes(o client.Object) bool {
	if l == nil || o.GetNamespace() != l.namespace {
		return false
	}
	select {
	case <-l.began:
		return true
	default:
		return false
	}
}

// deletedFor is how long ago an object was deleted, by itself or with the namespace.
func (l *Leaving) deletedFor(o client.Object) time.Duration {
	if at := o.GetDeletionTimestamp(); at != nil {
		return time.Since(at.Time)
	}
	return time.Since(l.since)
}

// again is when to try again what did not come about: soon where the operator has not long to live.
func (l *Leaving) again(o client.Object, otherwise time.Duration) reconcile.Result {
	if l.takes(o) {
		return reconcile.Result{RequeueAfter: min(otherwise, look)}
	}
	return reconcile.Result{RequeueAfter: otherwise}
}

// settle says that nothing is left to do with an object.
func (l *Leaving) settle(o client.Object) {
	if !l.takes(o) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled[o.GetUID()] = true
}

// wakes has a controller look at each object of a kind once the namespace is going: nothing about the objects themselves changes.
func (l *Leaving) wakes(reader client.Reader, kind string) source.Source {
	if l != nil {
		l.served[kind] = true
	}
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		if l == nil {
			return nil
		}
		go func() {
			select {
			case <-ctx.Done():
				return
			case <-l.began:
			}
			_ = wait.PollUntilContextCancel(ctx, look, true, func(ctx context.Context) (bool, error) {
				all, err := l.objects(ctx, reader, kind)
				for i := range all {
					queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all[i])})
				}
				return err == nil, nil
			})
		}()
		return nil
	})
}

// objects gives those of a kind in the namespace.
func (l *Leaving) objects(ctx context.Context, reader client.Reader, kind string) ([]metav1.PartialObjectMetadata, error) {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
	err := reader.List(ctx, &list, client.InNamespace(l.namespace))
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil // the kind went, and its objects with it
	}
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	}
	return list.Items, err
}

// Settle waits until the controllers are done with the objects of the namespace, or ctx ends. leads tells whether it is this instance
// that works; another waits for the finalizers only, to take over where the one that works dies.
//
// Kubernetes before 1.33 takes away objects, service accounts and pods at the same time. Then an object of the namespace is deleted
// while the operator still runs, and what the operator may do ends within seconds: there it does not wait long.
func (l *Leaving) Settle(ctx context.Context, reader client.Reader, leads func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hurried := false
	_ = wait.PollUntilContextCancel(ctx, look, true, func(ctx context.Context) (bool, error) {
		open, deleted, err := l.open(ctx, reader, leads())
		if deleted && !hurried {
			hurried = true
			time.AfterFunc(hurry, cancel)
		}
		return apierrors.IsUnauthorized(err) || err == nil && open == 0, nil
	})
}

// open counts the objects that something is left to do with, all of them that are not settled or only those that are held, and tells
// whether one was deleted since the namespace was.
func (l *Leaving) open(ctx context.Context, reader client.Reader, all bool) (open int, deleted bool, failed error) {
	for kind, finalizer := range finalizers {
		if !l.served[kind] {
			continue
		}
		objects, err := l.objects(ctx, reader, kind)
		failed = errors.Join(failed, err)
		for i := range objects {
			o := &objects[i]
			l.mu.Lock()
			settled := l.settled[o.UID]
			l.mu.Unlock()
			if controllerutil.ContainsFinalizer(o, finalizer) || all && !settled {
				open++
			}
			if at := o.DeletionTimestamp; at != nil && !at.Time.Before(l.since) {
				deleted = true
			}
		}
	}
	return open, deleted, failed
}

// LetGo takes the finalizers off what is left in the namespace, and tells in an Event of each object that it did. It tries until ctx
// ends.
func (l *Leaving) LetGo(ctx context.Context, c client.Client) error {
	told := map[types.UID]bool{}
	var failed error
	err := wait.PollUntilContextCancel(ctx, look, true, func(ctx context.Context) (bool, error) {
		failed = nil
		var gone []*metav1.PartialObjectMetadata
		for kind, finalizer := range finalizers {
			all, err := l.objects(ctx, c, kind)
			failed = errors.Join(failed, err)
			for i := range all {
				o := &all[i]
				before := o.DeepCopy()
				if !controllerutil.RemoveFinalizer(o, finalizer) {
					continue
				}
				err := c.Patch(ctx, o, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
				if failed = errors.Join(failed, client.IgnoreNotFound(err)); err == nil {
					gone = append(gone, o)
				}
			}
		}
		// The finalizers first: what the operator may do is perhaps ending just now.
		for _, o := range gone {
			if !told[o.UID] {
				told[o.UID] = true
				abandon(ctx, c, o, "the namespace of the operator goes, and what the object stands for could not be deleted before")
			}
		}
		return failed == nil, nil
	})
	if failed != nil {
		return failed
	}
	return err
}

const (
	reporter = "guanxi-operator"
	maxNote  = 1024 // bytes that Kubernetes takes
)

// abandon tells that an object is let go though what it stands for is left, in the log and in an Event of the object. A namespace that
// is being deleted takes no Event: then it is one of the namespace, which is kept in the namespace default.
func abandon(ctx context.Context, c client.Client, o client.Object, note string) {
	to := log.FromContext(ctx)
	kind, err := apiutil.GVKForObject(o, c.Scheme())
	if err != nil {
		to.Error(err, "no Event is written", "note", note)
		return
	}
	to.Info("an object is let go, what it stands for is left", "kind", kind.Kind, "namespace", o.GetNamespace(), "name", o.GetName(), "note", note)
	of := corev1.ObjectReference{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID()}
	e := &eventsv1.Event{
		// Two instances may tell the same.
		ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: "cleanup-abandoned-" + string(o.GetUID())},
		EventTime:  metav1.NowMicro(), ReportingController: reporter, ReportingInstance: reporter,
		Type: corev1.EventTypeWarning, Reason: "CleanupAbandoned", Action: "Delete", Regarding: of, Note: cut(note),
	}
	err = c.Create(ctx, e.DeepCopy())
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err) {
		e.Namespace, e.Related = metav1.NamespaceDefault, &of
		e.Regarding = corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: o.GetNamespace()}
		e.Note = cut(fmt.Sprintf("%s %s: %s", kind.Kind, o.GetName(), note))
		err = c.Create(ctx, e)
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		to.Error(err, "no Event is written")
	}
}

func cut(note string) string {
	return strings.ToValidUTF8(note[:min(len(note), maxNote)], "")
}
