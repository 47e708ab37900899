//go:build kube

package controller_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/controller"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/platform"
)

const (
	poll = 200 * time.Millisecond
	soon = 60 * time.Second // how long a test waits for what has to come
)

// cluster is a real kube-apiserver with the definitions.
type cluster struct {
	client.Client
	t      *testing.T
	cfg    *rest.Config
	scheme *runtime.Scheme
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	server := &envtest.Environment{
		BinaryAssetsDirectory: filepath.Join("..", "..", "..", "..", "bin", "kube"), DownloadBinaryAssets: false,
		CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true,
	}
	cfg, err := server.Start()
	require.NoError(t, err, "kube-apiserver and etcd are built by: make kube-binaries")
	t.Cleanup(func() { _ = server.Stop() })
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	require.NoError(t, corev1.AddToScheme(scheme))
	require.NoError(t, eventsv1.AddToScheme(scheme))
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	require.NoError(t, err)
	return &cluster{c, t, cfg, scheme}
}

// operator starts one instance; what it gives kills it.
func (c *cluster) operator(p *standIn, patience time.Duration) (kill func()) {
	c.t.Helper()
	return c.operatorOf(nil, p, patience)
}

// operatorOf starts one instance that may leave with its namespace.
func (c *cluster) operatorOf(leaving *controller.Leaving, p *standIn, patience time.Duration) (kill func()) {
	c.t.Helper()
	anew := true
	mgr, err := ctrl.NewManager(c.cfg, ctrl.Options{
		Scheme: c.scheme, Metrics: metrics.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: &anew},
		LeaderElection: true, LeaderElectionID: "guanxi-operator", LeaderElectionNamespace: "default", LeaderElectionReleaseOnCancel: true,
	})
	require.NoError(c.t, err)
	api := platform.New(p.URL, platform.Tokens{URL: p.URL + "/token", Development: true})
	require.NoError(c.t, controller.NewRollouts(mgr, api, leaving, poll, patience).SetupWithManager(mgr))
	require.NoError(c.t, controller.NewPolicies(mgr, api, leaving, poll, patience).SetupWithManager(mgr))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = mgr.Start(ctx) }()
	kill = func() { cancel(); <-done }
	c.t.Cleanup(kill)
	return kill
}

func pilot(name string) *v1alpha1.CRMRollout {
	return &v1alpha1.CRMRollout{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: v1alpha1.CRMRolloutSpec{
		Tenant: "acme", DisplayName: "CRM", Team: []v1alpha1.RolloutMember{{Subject: "anna", Role: "sponsor"}},
		Phases: []v1alpha1.RolloutPhase{
			{Code: "pilot", Name: "Pilot", Kind: "pilot", Units: []v1alpha1.Unit{"north"}, Capabilities: []v1alpha1.Code{"sales"},
				Leave: []v1alpha1.RolloutGate{{Code: "go", Person: &v1alpha1.PersonGate{Role: "sponsor"}}}},
			{Code: "all", Name: "All", Kind: "go_live", After: []v1alpha1.Code{"pilot"}},
		},
	}}
}

// until waits until the object is as it should be.
func (c *cluster) until(o *v1alpha1.CRMRollout, what string, is func() bool) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		return c.Get(context.Background(), client.ObjectKeyFromObject(o), o) == nil && is()
	}, soon, poll, what)
}

// edit changes the spec as a person does.
func (c *cluster) edit(o *v1alpha1.CRMRollout, change func()) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		if c.Get(context.Background(), client.ObjectKeyFromObject(o), o) != nil {
			return false
		}
		change()
		return c.Update(context.Background(), o) == nil
	}, soon, poll)
}

func reason(o v1alpha1.Conditioned, kind string) string {
	if found := meta.FindStatusCondition(o.Common().Conditions, kind); found != nil {
		return string(found.Status) + " " + found.Reason
	}
	return ""
}

func times(all []string, one string) (n int) {
	for _, what := range all {
		if what == one {
			n++
		}
	}
	return n
}

func TestARolloutGoesItsWay(t *testing.T) {
	t.Parallel()
	c, p, ctx := startCluster(t), newStandIn(t), context.Background()
	reader := c.Client
	require.NoError(t, controller.CheckDefinitions(ctx, reader))
	kill := c.operator(p, time.Minute)
	o := pilot("north")
	require.NoError(t, c.Create(ctx, o))
	c.until(o, "the gate holds", func() bool { return o.Status.Gate == "go (waiting_for_people)" && o.Status.Phase == "pilot" })
	require.Equal(t, "True InForce", reason(o, v1alpha1.ConditionReady))
	require.Equal(t, "True GateHeld", reason(o, v1alpha1.ConditionProgressing))
	require.Empty(t, o.Finalizers)

	version := o.ResourceVersion
	time.Sleep(10 * poll) // so many polls
	c.until(o, "it is there", func() bool { return true })
	require.Equal(t, version, o.ResourceVersion, "a reconcile that changes nothing writes nothing")
	require.Equal(t, []string{"POST rollouts", "POST start"}, p.changes())

	c.edit(o, func() { o.Spec.Paused = true })
	c.until(o, "paused", func() bool { return o.Status.State == "paused" && o.Status.PausedByOperator })
	kill()
	c.operator(p, time.Minute) // another leads, and converges
	c.edit(o, func() { o.Spec.Paused = false })
	c.until(o, "resumed", func() bool { return o.Status.State == "running" })

	p.set(func(r object) { r["state"], r["pause"] = "paused", object{"reason": "holidays"} })
	c.until(o, "people paused it", func() bool { return o.Status.State == "paused" && !o.Status.PausedByOperator })
	time.Sleep(5 * poll)
	require.Equal(t, 1, times(p.changes(), "POST decisions resume"), "what people paused, they resume")
	p.set(func(r object) { r["state"], r["pause"], r["phases"] = "running", nil, phases("live", "passed") })
	c.until(o, "live", func() bool { return o.Status.Phases[0].State == "live" })

	c.edit(o, func() { o.Spec.Rollback = &v1alpha1.RolloutRollback{ID: "1", Phase: "pilot", Reason: "too_early"} })
	c.until(o, "rolled back", func() bool { return o.Status.Phases[0].State == "rolled_back" && o.Status.RolledBackID == "1" })
	c.edit(o, func() { o.Spec.Rollback.ID = "2" })
	c.until(o, "a refused rollback is told", func() bool { return reason(o, v1alpha1.ConditionDegraded) == "True RollbackRefused" })

	c.edit(o, func() { o.Spec.Phases[1].Name = "Everybody" })
	c.until(o, "edited", func() bool {
		return slices.Contains(p.changes(), "PUT plan") && reason(o, v1alpha1.ConditionReady) == "True InForce" && o.Status.ObservedGeneration == o.Generation
	})
	c.edit(o, func() { o.Spec.Phases[1].Units = []v1alpha1.Unit{"nowhere"} })
	c.until(o, "a plan that is refused", func() bool { return reason(o, v1alpha1.ConditionReady) == "False Refused" })
	require.Contains(t, meta.FindStatusCondition(o.Status.Conditions, v1alpha1.ConditionReady).Message, "is no unit")
	before := times(p.changes(), "PUT plan")
	time.Sleep(5 * poll)
	require.LessOrEqual(t, times(p.changes(), "PUT plan"), before+1, "what was refused is not asked all the time")
	require.Equal(t, 2, times(p.changes(), "POST decisions roll_back"))
	require.Equal(t, 1, times(p.changes(), "POST rollouts"))

	c.edit(o, func() { o.Spec.DisplayName = "CRM for all" })
	c.until(o, "renamed", func() bool { return slices.Contains(p.changes(), "PUT name") })

	require.NoError(t, c.Delete(ctx, o))
	require.Eventually(t, func() bool { return slices.Contains(p.changes(), "POST release") }, soon, poll, "given back to people")
	require.NotContains(t, p.changes(), "POST decisions cancel")
}

func TestADeletionNeverHangs(t *testing.T) {
	t.Parallel()
	c, p, ctx := startCluster(t), newStandIn(t), context.Background()
	c.operator(p, 2*time.Second)
	for _, away := range []bool{false, true} {
		o := pilot("south")
		o.Spec.DeletionPolicy = v1alpha1.Delete
		require.NoError(t, c.Create(ctx, o))
		c.until(o, "in force", func() bool { return reason(o, v1alpha1.ConditionReady) == "True InForce" })
		p.setAway(away)
		if away {
			c.until(o, "the platform is away", func() bool { return reason(o, v1alpha1.ConditionReady) == "False PlatformUnavailable" })
		}
		require.NoError(t, c.Delete(ctx, o))
		require.Eventually(t, func() bool { return apierrors.IsNotFound(c.Get(ctx, client.ObjectKeyFromObject(o), o)) }, soon, poll)
		require.Equal(t, 1, times(p.changes(), "POST decisions cancel"))
	}
}

func TestAPolicyIsKeptAsItIsWritten(t *testing.T) {
	t.Parallel()
	c, p, ctx := startCluster(t), newStandIn(t), context.Background()
	c.operator(p, time.Minute)
	o := &v1alpha1.SLAPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "gold"}, Spec: v1alpha1.SLAPolicySpec{
		Tenant: "acme", DisplayName: "Gold", Condition: "tier == \"gold\"\n", Targets: v1alpha1.SLATargets{P1: &v1alpha1.SLATarget{FirstResponse: "1h30m"}},
	}}
	require.NoError(t, c.Create(ctx, o))
	is := func(what string, want func() bool) {
		t.Helper()
		require.Eventually(t, func() bool { return c.Get(ctx, client.ObjectKeyFromObject(o), o) == nil && want() }, soon, poll, what)
	}
	is("in force", func() bool { return reason(o, v1alpha1.ConditionReady) == "True InForce" && o.Status.Version == 1 })
	version := o.ResourceVersion
	p.mu.Lock()
	p.policy["position"] = 7 // somebody changes it behind the operator's back
	p.mu.Unlock()
	is("put right", func() bool { return o.Status.Version == 2 })
	require.NotEqual(t, version, o.ResourceVersion)
	version = o.ResourceVersion
	time.Sleep(25 * poll)
	is("still there", func() bool { return true })
	require.Equal(t, version, o.ResourceVersion)

	lost := o.DeepCopy()
	lost.ObjectMeta, lost.Spec.Tenant = metav1.ObjectMeta{Namespace: "default", Name: "lost"}, "nobody"
	require.NoError(t, c.Create(ctx, lost))
	require.Eventually(t, func() bool {
		return c.Get(ctx, client.ObjectKeyFromObject(lost), lost) == nil && reason(lost, v1alpha1.ConditionReady) == "False UnknownTenant"
	}, soon, poll)
	require.Equal(t, 1, times(p.changes(), "POST sla-policies"), "nothing is made for nobody")

	taken := o.DeepCopy()
	taken.ObjectMeta, taken.Spec.DisplayName = metav1.ObjectMeta{Namespace: "default", Name: "taken"}, "Taken"
	p.mu.Lock()
	p.policy = nil
	p.mu.Unlock()
	require.NoError(t, c.Delete(ctx, o))
	require.NoError(t, c.Create(ctx, taken))
	o = taken
	is("refused", func() bool { return reason(o, v1alpha1.ConditionReady) == "False Refused" })
}
