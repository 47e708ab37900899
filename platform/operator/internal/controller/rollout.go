package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/platform"
)

// +kubebuilder:rbac:groups=guanxi.io,resources=crmrollouts,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=guanxi.io,resources=crmrollouts/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// The reasons that only rollouts have.
const (
	ReasonFinished       = "Finished"
	ReasonCancelled      = "Cancelled"
	ReasonPaused         = "Paused"
	ReasonGateHeld       = "GateHeld"
	ReasonUnderWay       = "UnderWay"
	ReasonRiskTriggered  = "RiskTriggered"
	ReasonRollbackRefuse = "RollbackRefused"
)

// pauseReason is the code of why the operator pauses: by it the operator knows its own pauses.
const pauseReason = "paused_in_kubernetes"

// Rollouts has CRMRollouts be carried out by the platform, and mirrors how far they are.
type Rollouts struct {
	keeper
	platform *platform.Client
}

// NewRollouts makes the controller. poll is how often the platform is asked, patience how long a deletion waits for it.
func NewRollouts(mgr ctrl.Manager, p *platform.Client, l *Leaving, poll, patience time.Duration) *Rollouts {
	return &Rollouts{newKeeper(mgr, l, poll, patience), p}
}

func newKeeper(mgr ctrl.Manager, l *Leaving, poll, patience time.Duration) keeper {
	return keeper{
		client: mgr.GetClient(), events: mgr.GetEventRecorder(reporter), poll: poll, patience: patience, leaving: l,
		deleted: map[types.NamespacedName][]departed{}, refused: map[asked]refusal{},
	}
}

// SetupWithManager has the manager run the controller.
func (r *Rollouts) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("crmrollout").
		For(&v1alpha1.CRMRollout{}, builder.WithPredicates(r.changed())).
		WatchesRawSource(r.leaving.wakes(mgr.GetAPIReader(), "CRMRollout")).Complete(r)
}

// Reconcile brings the platform to what is intended and mirrors where it stands. Where nothing has changed it writes nothing.
func (r *Rollouts) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	o := &v1alpha1.CRMRollout{}
	if err := r.client.Get(ctx, req.NamespacedName, o); err != nil {
		if !apierrors.IsNotFound(err) {
			return reconcile.Result{}, err
		}
		return r.departed(ctx, req.NamespacedName, r.release)
	}
	if r.ends(o) {
		return r.finish(ctx, o, r.cancel, r.release)
	}
	if err := r.hold(ctx, o); err != nil {
		return retry(err)
	}
	before := o.DeepCopy()
	r.converge(ctx, o)
	if err := r.report(ctx, before, o); err != nil {
		return retry(err)
	}
	next := r.poll
	if o.Status.State == "finished" || o.Status.State == "cancelled" {
		next *= refusedPause
	}
	return reconcile.Result{RequeueAfter: next}, nil
}

// converge does what lies between the intent and the platform, and puts into the status where that stands.
func (r *Rollouts) converge(ctx context.Context, o *v1alpha1.CRMRollout) {
	plan, err := planOf(o.Spec)
	if err != nil {
		setCondition(o, v1alpha1.ConditionReady, metav1.ConditionFalse, ReasonInvalidPlan, err.Error())
		return
	}
	var b platform.Board
	if err = r.platform.Tenant(ctx, string(o.Spec.Tenant)); err == nil {
		b, err = r.board(ctx, o, plan)
	}
	if err != nil {
		setCondition(o, v1alpha1.ConditionReady, metav1.ConditionFalse, why(err), err.Error())
		return
	}
	o.Status.RolloutID = b.ID
	intent := r.intend(ctx, o, plan, &b)
	r.mirror(o, b)
	switch {
	case intent != nil:
		setCondition(o, v1alpha1.ConditionReady, metav1.ConditionFalse, why(intent), intent.Error())
	case b.State == "cancelled":
		setCondition(o, v1alpha1.ConditionReady, metav1.ConditionFalse, ReasonCancelled, "The rollout was cancelled in the platform; make a new CRMRollout for another one.")
	case b.State == "finished":
		setCondition(o, v1alpha1.ConditionReady, metav1.ConditionTrue, ReasonFinished, "All phases are over.")
	default:
		setCondition(o, v1alpha1.ConditionReady, metav1.ConditionTrue, ReasonInForce, "The platform carries out the plan of this generation.")
	}
}

// board gives the rollout of an object, making it first where there is none.
func (r *Rollouts) board(ctx context.Context, o *v1alpha1.CRMRollout, plan platform.Plan) (platform.Board, error) {
	tenant := string(o.Spec.Tenant)
	if o.Status.RolloutID != "" {
		b, err := r.platform.Rollout(ctx, tenant, o.Status.RolloutID)
		if platform.Code(err) != "rollout_not_found" {
			return b, err
		}
	}
	b, found, err := r.platform.FindRollout(ctx, tenant, external(o))
	if err != nil || found {
		return b, err
	}
	err = r.ask(o, "make", digest(plan), func() (err error) {
		b, err = r.platform.MakeRollout(ctx, tenant, fmt.Sprintf("%s:make:%d", o.UID, o.Generation), external(o), o.Spec.DisplayName, plan)
		return err
	})
	if platform.Code(err) == "external_id_taken" { // made meanwhile, by a leader before
		b, _, err = r.platform.FindRollout(ctx, tenant, external(o))
	}
	if err == nil {
		o.Status.PlanDigest = digest(plan)
	}
	return b, err
}

// intend brings a rollout to what the spec says of it: name, plan, start, pause, rollback. b is as it stands after that. A name that
// is refused keeps nothing else from being done.
func (r *Rollouts) intend(ctx context.Context, o *v1alpha1.CRMRollout, plan platform.Plan, b *platform.Board) error {
	named := r.rename(ctx, o, b)
	if err := r.carryOut(ctx, o, plan, b); err != nil {
		return err
	}
	return named
}

// rename has the rollout be called as the spec says, also one that is over.
func (r *Rollouts) rename(ctx context.Context, o *v1alpha1.CRMRollout, b *platform.Board) error {
	name := strings.TrimSpace(o.Spec.DisplayName)
	if b.Name == name || b.ManagedBy != platform.Manager {
		return nil
	}
	return r.ask(o, "name", name, func() error {
		is, err := r.platform.RenameRollout(ctx, string(o.Spec.Tenant), b.ID, name)
		if err == nil {
			b.Name, b.Version = is.Name, is.Version
		}
		return err
	})
}

// carryOut brings a rollout that is not over to what the spec says of it.
func (r *Rollouts) carryOut(ctx context.Context, o *v1alpha1.CRMRollout, plan platform.Plan, b *platform.Board) error {
	if b.State == "finished" || b.State == "cancelled" {
		return nil
	}
	if b.ManagedBy != platform.Manager {
		return &platform.Error{Status: 409, Code: "managed_elsewhere", Detail: "The rollout was given back to people: the operator only mirrors it."}
	}
	if err := r.replan(ctx, o, plan, b); err != nil {
		return err
	}
	tenant := string(o.Spec.Tenant)
	step := func(what string, do func(key string) (platform.Board, error)) error {
		key := fmt.Sprintf("%s:%s:%d", o.UID, what, b.Version)
		return r.ask(o, "step", what, func() error {
			is, err := do(key)
			if err == nil {
				*b = is
			}
			return err
		})
	}
	decide := func(what string, d platform.Decision) error {
		return step(what, func(key string) (platform.Board, error) { return r.platform.DecideRollout(ctx, tenant, key, b.ID, d) })
	}
	ours := b.Pause != nil && b.Pause.Reason == pauseReason
	var err error
	switch {
	case b.State == "draft" && !o.Spec.Paused:
		err = step("start", func(key string) (platform.Board, error) { return r.platform.StartRollout(ctx, tenant, key, b.ID) })
	case b.State == "running" && o.Spec.Paused:
		err = decide("pause", platform.Decision{Action: "pause", Reason: pauseReason})
	case b.State == "paused" && !o.Spec.Paused && ours:
		err = decide("resume", platform.Decision{Action: "resume"})
	}
	if err != nil {
		return err
	}
	return r.rollBack(ctx, o, b)
}

// replan gives the platform the plan of this generation, where it has another one.
func (r *Rollouts) replan(ctx context.Context, o *v1alpha1.CRMRollout, plan platform.Plan, b *platform.Board) error {
	is := digest(plan)
	if o.Status.PlanDigest == is {
		return nil
	}
	tenant := string(o.Spec.Tenant)
	err := r.ask(o, "plan", is, func() error {
		has, err := r.platform.RolloutPlan(ctx, tenant, b.ID)
		if err != nil || digest(has) == is {
			return err // the status was lost, not the plan
		}
		changed, err := r.platform.ChangePlan(ctx, tenant, b.ID, b.PlanVersion, plan)
		if err == nil {
			*b = changed
		}
		return err
	})
	if err == nil {
		o.Status.PlanDigest = is
	}
	return err
}

// rollBack takes a phase back, once for each id. What the platform refuses is not asked again: the phase may be live later, and
// nobody means that then.
func (r *Rollouts) rollBack(ctx context.Context, o *v1alpha1.CRMRollout, b *platform.Board) error {
	want := o.Spec.Rollback
	if want == nil || want.ID == o.Status.RolledBackID || b.State == "draft" {
		return nil
	}
	d := platform.Decision{Action: "roll_back", Phase: string(want.Phase), Reason: string(want.Reason)}
	is, err := r.platform.DecideRollout(ctx, string(o.Spec.Tenant), fmt.Sprintf("%s:rollback:%s", o.UID, want.ID), b.ID, d)
	switch {
	case err == nil:
		*b = is
		setCondition(o, v1alpha1.ConditionDegraded, metav1.ConditionFalse, ReasonAsIntended, "")
	case why(err) == ReasonRefused:
		setCondition(o, v1alpha1.ConditionDegraded, metav1.ConditionTrue, ReasonRollbackRefuse, err.Error())
	default:
		return err
	}
	o.Status.RolledBackID = want.ID
	return nil
}

// external ids are searched for, since an object that was just made may be deleted before its status was written.
func (r *Rollouts) ofDeleted(ctx context.Context, o *v1alpha1.CRMRollout) (platform.Board, bool, error) {
	return r.platform.FindRollout(ctx, string(o.Spec.Tenant), external(o))
}

// cancel ends the rollout of an object that is deleted with deletionPolicy Delete.
func (r *Rollouts) cancel(ctx context.Context, gone object) error {
	o, ok := gone.(*v1alpha1.CRMRollout)
	if !ok {
		return nil
	}
	b, found, err := r.ofDeleted(ctx, o)
	if err != nil || !found || b.State == "finished" || b.State == "cancelled" {
		return err
	}
	_, err = r.platform.DecideRollout(ctx, string(o.Spec.Tenant), fmt.Sprintf("%s:cancel:%d", o.UID, b.Version), b.ID,
		platform.Decision{Action: "cancel", Reason: "deleted_in_kubernetes"})
	return err
}

// release gives the rollout of an object that was deleted back to people.
func (r *Rollouts) release(ctx context.Context, gone object) error {
	o, ok := gone.(*v1alpha1.CRMRollout)
	if !ok {
		return nil
	}
	b, found, err := r.ofDeleted(ctx, o)
	if err != nil || !found || b.ManagedBy != platform.Manager {
		return err
	}
	_, err = r.platform.ReleaseRollout(ctx, string(o.Spec.Tenant), b.ID)
	return err
}
