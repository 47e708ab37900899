//go:build kube

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
)

const (
	home  = "crm" // the namespace of the operator
	shop  = "shop"
	grace = 30 * time.Second
	soon  = time.Minute // how long a test waits for what has to come
)

// cluster is a real kube-apiserver. There is no node: the test ends pods as a kubelet does.
type cluster struct {
	client.Client
	t   *testing.T
	ctx context.Context
	dir string // of kubeconfig and logs
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	binaries, err := filepath.Abs(filepath.Join("..", "..", "..", "..", "bin", "kube"))
	require.NoError(t, err)
	server := &envtest.Environment{
		BinaryAssetsDirectory: binaries, DownloadBinaryAssets: false,
		CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true,
	}
	cfg, err := server.Start()
	require.NoError(t, err, "kube-apiserver and etcd are built by: make kube-binaries")
	t.Cleanup(func() { _ = server.Stop() })
	scheme := runtime.NewScheme()
	require.NoError(t, errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme), eventsv1.AddToScheme(scheme)))
	direct, err := client.New(cfg, client.Options{Scheme: scheme})
	require.NoError(t, err)
	admin, err := server.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	require.NoError(t, err)
	file, err := admin.KubeConfig()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	c := &cluster{direct, t, ctx, t.TempDir()}
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, "kubeconfig"), file, 0o600))
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(c.dir, "operator"), ".")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, name := range []string{home, shop} {
		require.NoError(t, c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	return c
}

// start runs a program until the test ends, or until it ends by itself.
func (c *cluster) start(name, path string, args ...string) *exec.Cmd {
	c.t.Helper()
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	require.NoError(c.t, err)
	p := exec.CommandContext(c.ctx, path, args...)
	p.Env, p.Stdout, p.Stderr = append(os.Environ(), "KUBECONFIG="+filepath.Join(c.dir, "kubeconfig")), log, log
	require.NoError(c.t, p.Start())
	c.t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = log.Close()
		if c.t.Failed() {
			said, _ := os.ReadFile(log.Name())
			c.t.Logf("%s: %s", name, said)
		}
	})
	return p
}

// namespaces runs the namespace controller of Kubernetes.
func (c *cluster) namespaces() {
	c.t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "..", "bin", "kube", "kube-controller-manager"))
	require.NoError(c.t, err)
	c.start("kube-controller-manager", path, "--kubeconfig="+filepath.Join(c.dir, "kubeconfig"), "--controllers=namespace-controller",
		"--leader-elect=false", "--secure-port=0")
}

// operator starts an instance whose platform is away, and the pod that it would be in.
func (c *cluster) operator(name string) *exec.Cmd {
	c.t.Helper()
	require.NoError(c.t, c.Create(c.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name}, Spec: corev1.PodSpec{
		NodeName: "node", Containers: []corev1.Container{{Name: "operator", Image: "operator"}},
	}}))
	return c.start(name, filepath.Join(c.dir, "operator"), "--platform-url=http://127.0.0.1:1", "--dev-token-url=http://127.0.0.1:1/token",
		"--probe-addr=0", "--metrics-addr=0", "--lease-namespace="+home, "--poll=1s", "--grace="+grace.String())
}

// objects makes one object of each kind that is held, and one that is held in another namespace. Subscriptions are not served, as
// after an upgrade that took Kafka away.
func (c *cluster) objects() (held []client.Object, elsewhere client.Object) {
	c.t.Helper()
	policy := func(namespace string) *v1alpha1.SLAPolicy {
		return &v1alpha1.SLAPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "gold"}, Spec: v1alpha1.SLAPolicySpec{
			Tenant: "acme", DisplayName: "Gold", DeletionPolicy: v1alpha1.Delete, Targets: v1alpha1.SLATargets{P1: &v1alpha1.SLATarget{Resolution: "1h"}},
		}}
	}
	retained := policy(home)
	retained.Name, retained.Spec.DeletionPolicy = "silver", v1alpha1.Retain
	rollout := &v1alpha1.CRMRollout{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "north"}, Spec: v1alpha1.CRMRolloutSpec{
		Tenant: "acme", DisplayName: "CRM", DeletionPolicy: v1alpha1.Delete, Phases: []v1alpha1.RolloutPhase{{Code: "one", Name: "One", Kind: "other"}},
	}}
	subscription := &v1alpha1.EventSubscription{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "erp", Finalizers: []string{"guanxi.io/subscription"}},
		Spec: v1alpha1.EventSubscriptionSpec{
			EventTypes: []v1alpha1.EventType{"guanxi.sales.events.v1.*"}, Delivery: v1alpha1.Delivery{Kafka: &v1alpha1.KafkaDelivery{}}, DeletionPolicy: v1alpha1.Delete,
		},
	}
	held, elsewhere = []client.Object{policy(home), rollout, subscription}, policy(shop)
	for _, o := range append([]client.Object{retained, elsewhere}, held...) {
		require.NoError(c.t, c.Create(c.ctx, o))
	}
	for _, o := range append([]client.Object{elsewhere}, held...) {
		require.Eventually(c.t, func() bool {
			return c.Get(c.ctx, client.ObjectKeyFromObject(o), o) == nil && len(o.GetFinalizers()) == 1
		}, soon, 100*time.Millisecond, "%T is held", o)
	}
	return held, elsewhere
}

func (c *cluster) gone(o client.Object) bool {
	return apierrors.IsNotFound(c.Get(c.ctx, client.ObjectKeyFromObject(o), o))
}

// told holds that there is an Event of each object that was let go, where it can still be read.
func (c *cluster) told(held []client.Object) {
	c.t.Helper()
	var all eventsv1.EventList
	require.NoError(c.t, c.List(c.ctx, &all, client.InNamespace(metav1.NamespaceDefault)))
	var notes []string
	for _, e := range all.Items {
		if e.Reason == "CleanupAbandoned" {
			require.Equal(c.t, "Namespace "+home, e.Regarding.Kind+" "+e.Regarding.Name)
			notes = append(notes, e.Note)
		}
	}
	require.Len(c.t, notes, len(held))
	for _, o := range held {
		require.Contains(c.t, strings.Join(notes, "\n"), o.GetName()+": ")
	}
}

// TestTheNamespaceOfTheOperatorGoes has the namespace controller of Kubernetes delete the operator's namespace, with two instances, a
// platform that is away, and objects that are held.
func TestTheNamespaceOfTheOperatorGoes(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.namespaces()
	instances := []*exec.Cmd{c.operator("operator-1"), c.operator("operator-2")}
	held, elsewhere := c.objects()

	require.NoError(t, c.Delete(c.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}}))
	began := time.Now()
	for i, instance := range instances {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: fmt.Sprintf("operator-%d", i+1)}}
		require.Eventually(t, func() bool {
			return c.Get(c.ctx, client.ObjectKeyFromObject(pod), pod) == nil && pod.DeletionTimestamp != nil
		}, soon, 100*time.Millisecond, "the pod is asked to end")
		require.NoError(t, instance.Process.Signal(syscall.SIGTERM))
	}
	for i, instance := range instances {
		require.NoError(t, instance.Wait(), "operator-%d", i+1)
	}
	require.Less(t, time.Since(began), grace+5*time.Second, "the kubelet would have killed it")
	for _, o := range held {
		require.NoError(t, c.Get(c.ctx, client.ObjectKeyFromObject(o), o))
		require.Nil(t, o.GetDeletionTimestamp(), "objects go after the pods")
		require.Empty(t, o.GetFinalizers())
	}
	require.NoError(t, c.DeleteAllOf(c.ctx, &corev1.Pod{}, client.InNamespace(home), client.GracePeriodSeconds(0)))
	require.Eventually(t, func() bool { return c.gone(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}}) }, soon, 100*time.Millisecond, "the namespace goes")
	c.told(held)
	require.NoError(t, c.Get(c.ctx, client.ObjectKeyFromObject(elsewhere), elsewhere))
	require.NotEmpty(t, elsewhere.GetFinalizers(), "what is in other namespaces stays as it is")
}

// TestTheRightsOfTheOperatorGoAtTheSameTime is as Kubernetes before 1.33 deletes a namespace: all at once.
func TestTheRightsOfTheOperatorGoAtTheSameTime(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	instance := c.operator("operator-1")
	held, _ := c.objects()
	require.NoError(t, c.Delete(c.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}}))
	for _, kind := range []client.Object{&v1alpha1.CRMRollout{}, &v1alpha1.SLAPolicy{}, &v1alpha1.EventSubscription{}} {
		require.NoError(t, c.DeleteAllOf(c.ctx, kind, client.InNamespace(home)))
	}
	began := time.Now()
	require.NoError(t, instance.Process.Signal(syscall.SIGTERM))
	for _, o := range held {
		require.Eventually(t, func() bool { return c.gone(o) }, 10*time.Second, 100*time.Millisecond, "%T is let go before what the operator may do ends", o)
	}
	require.NoError(t, instance.Wait())
	require.Less(t, time.Since(began), grace/2)
	c.told(held)
}

// TestANamespaceThatStays holds that an operator which is only ended ends at once, and leaves all as it is.
func TestANamespaceThatStays(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	instance := c.operator("operator-1")
	held, _ := c.objects()
	began := time.Now()
	require.NoError(t, instance.Process.Signal(syscall.SIGTERM))
	require.NoError(t, instance.Wait())
	require.Less(t, time.Since(began), grace/2)
	for _, o := range held {
		require.NoError(t, c.Get(c.ctx, client.ObjectKeyFromObject(o), o))
		require.NotEmpty(t, o.GetFinalizers())
	}
}
