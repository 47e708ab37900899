package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/platform"
)

// +kubebuilder:rbac:groups=guanxi.io,resources=slapolicies,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=guanxi.io,resources=slapolicies/status,verbs=patch

// Policies has SLAPolicies be in force in the platform, one way: what differs there is put right.
type Policies struct {
	keeper
	platform *platform.Client
}

// NewPolicies makes the controller. poll is how often what was refused is looked at; what is in force is looked at more seldom.
func NewPolicies(mgr ctrl.Manager, p *platform.Client, l *Leaving, poll, patience time.Duration) *Policies {
	return &Policies{newKeeper(mgr, l, poll, patience), p}
}

// SetupWithManager has the manager run the controller.
func (p *Policies) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("slapolicy").
		For(&v1alpha1.SLAPolicy{}, builder.WithPredicates(p.changed())).
		WatchesRawSource(p.leaving.wakes(mgr.GetAPIReader(), "SLAPolicy")).Complete(p)
}

// Reconcile brings one policy into force. Where nothing has changed it writes nothing.
func (p *Policies) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	o := &v1alpha1.SLAPolicy{}
	if err := p.client.Get(ctx, req.NamespacedName, o); err != nil {
		if !apierrors.IsNotFound(err) {
			return reconcile.Result{}, err
		}
		return p.departed(ctx, req.NamespacedName, p.release)
	}
	if p.ends(o) {
		return p.finish(ctx, o, p.archive, p.release)
	}
	if err := p.hold(ctx, o); err != nil {
		return retry(err)
	}
	before, next := o.DeepCopy(), p.poll
	stored, err := p.converge(ctx, o)
	if err != nil {
		setCondition(o, v1alpha1.ConditionReady, metav1.ConditionFalse, why(err), err.Error())
		setCondition(o, v1alpha1.ConditionProgressing, metav1.ConditionTrue, ReasonWaiting, "")
	} else {
		o.Status.PolicyID, o.Status.Version = stored.ID, stored.Version
		setCondition(o, v1alpha1.ConditionReady, metav1.ConditionTrue, ReasonInForce, "The policy is in force as it is written here.")
		setCondition(o, v1alpha1.ConditionProgressing, metav1.ConditionFalse, ReasonInForce, "")
		next *= refusedPause
	}
	if err := p.report(ctx, before, o); err != nil {
		return retry(err)
	}
	return reconcile.Result{RequeueAfter: next}, nil
}

// converge has the platform keep the policy as it is written here.
func (p *Policies) converge(ctx context.Context, o *v1alpha1.SLAPolicy) (stored platform.StoredPolicy, err error) {
	tenant, want := string(o.Spec.Tenant), policyOf(o)
	if err := p.platform.Tenant(ctx, tenant); err != nil {
		return stored, err
	}
	stored, found, err := p.platform.FindPolicy(ctx, tenant, want.ExternalID)
	if err != nil || found && same(stored.Policy, want) {
		return stored, err
	}
	raw, err := json.Marshal(want)
	if err != nil {
		return stored, err
	}
	err = p.ask(o, "policy", string(raw), func() (err error) {
		if found {
			stored, err = p.platform.ChangePolicy(ctx, tenant, stored.ID, stored.Version, want)
			return err
		}
		stored, err = p.platform.MakePolicy(ctx, tenant, fmt.Sprintf("%s:make:%d:%s", o.UID, o.Generation, o.Status.PolicyID), want)
		return err
	})
	return stored, err
}

func (p *Policies) archive(ctx context.Context, gone object) error {
	tenant := tenantOf(gone)
	stored, found, err := p.platform.FindPolicy(ctx, tenant, external(gone))
	if err == nil && found {
		_, err = p.platform.ArchivePolicy(ctx, tenant, stored.ID, stored.Version)
	}
	return err
}

// release gives the policy of an object that was deleted back to people.
func (p *Policies) release(ctx context.Context, gone object) error {
	tenant := tenantOf(gone)
	stored, found, err := p.platform.FindPolicy(ctx, tenant, external(gone))
	if err == nil && found {
		_, err = p.platform.ReleasePolicy(ctx, tenant, stored.ID, stored.Version)
	}
	return err
}

func tenantOf(gone object) string {
	if o, ok := gone.(*v1alpha1.SLAPolicy); ok {
		return string(o.Spec.Tenant)
	}
	return ""
}

// same tells whether two policies say the same.
func same(a, b platform.Policy) bool {
	one, errA := json.Marshal(a)
	two, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(one) == string(two)
}

// policyOf gives the platform's policy of an object, with all that the platform would fill in.
func policyOf(o *v1alpha1.SLAPolicy) platform.Policy {
	s := o.Spec
	p := platform.Policy{
		Name: s.DisplayName, Position: s.Position, Condition: strings.TrimSpace(s.Condition), CalendarID: strings.ToLower(s.CalendarID), Targets: map[string]platform.Target{},
		Pausing: platform.Pausing{Resolution: []string{"pending"}}, Reopening: s.Reopening,
		Steps: []platform.Step{{Percent: 80, Action: "warn"}}, ManagedBy: platform.Manager, ExternalID: external(o),
	}
	if p.Reopening == "" {
		p.Reopening = "first"
	}
	for name, t := range map[string]*v1alpha1.SLATarget{"p1": s.Targets.P1, "p2": s.Targets.P2, "p3": s.Targets.P3, "p4": s.Targets.P4, "p5": s.Targets.P5} {
		if t != nil {
			p.Targets[name] = platform.Target{FirstResponse: inSeconds(t.FirstResponse), NextResponse: inSeconds(t.NextResponse), Resolution: inSeconds(t.Resolution)}
		}
	}
	if s.Pausing != nil {
		p.Pausing = platform.Pausing{FirstResponse: words(s.Pausing.FirstResponse), NextResponse: words(s.Pausing.NextResponse), Resolution: words(s.Pausing.Resolution)}
	}
	if s.Steps != nil {
		p.Steps = []platform.Step{}
		for _, one := range s.Steps {
			step := platform.Step{Clock: one.Clock, Percent: one.Percent, Action: one.Action}
			if one.Queue != nil {
				step.Queue = string(*one.Queue)
			}
			p.Steps = append(p.Steps, step)
		}
	}
	return p
}

func inSeconds(d v1alpha1.Duration) int64 { return int64(d.Length() / time.Second) }
