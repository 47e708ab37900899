//go:build kube

package charts

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// TestARealServerTakesEveryObject has a kube-apiserver judge every object of every rendering, and every pod that they make in a
// namespace that enforces Pod Security "restricted": of a Deployment the server only warns.
func TestARealServerTakesEveryObject(t *testing.T) {
	t.Parallel()
	module := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	gateway, err := module.Output()
	require.NoError(t, err)
	server := &envtest.Environment{
		BinaryAssetsDirectory: filepath.Join(root, "bin", "kube"), DownloadBinaryAssets: false,
		CRDDirectoryPaths:     []string{filepath.Join(strings.TrimSpace(string(gateway)), "config", "crd", "standard")},
		ErrorIfCRDPathMissing: true,
	}
	cfg, err := server.Start()
	require.NoError(t, err, "kube-apiserver and etcd are built by: make kube-binaries")
	t.Cleanup(func() { _ = server.Stop() })
	c, err := client.New(cfg, client.Options{Scheme: scheme.Scheme})
	require.NoError(t, err)
	ctx := context.Background()
	require.NoError(t, c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}))
	require.NoError(t, c.Create(ctx, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "crm"}, Value: 1000}))
	root := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "root", Namespace: namespace}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "a", Image: "a:1"}},
	}}
	require.ErrorContains(t, c.Create(ctx, root, client.DryRunAll), "PodSecurity", "the namespace enforces what this test is about")

	taken := map[string]int{}
	for _, r := range renderings(t) {
		objects := render(t, r.chart, r.name, r.values)
		for _, o := range objects {
			if o.GetAPIVersion() == "monitoring.coreos.com/v1" {
				continue // their types are held by TestMonitoringIsWhatPrometheusReads
			}
			if o.GetNamespace() == "" {
				o.SetNamespace(namespace) // a kind without namespaces does not mind
			}
			require.NoError(t, c.Create(ctx, o.Unstructured, client.DryRunAll, client.FieldValidation("Strict")), "%s: %s", r, o.id())
			taken[o.GetKind()]++
		}
		for _, p := range pods(t, objects) {
			one := &corev1.Pod{ObjectMeta: p.meta.ObjectMeta, Spec: p.spec}
			one.Name, one.Namespace = "one", namespace
			require.NoError(t, c.Create(ctx, one, client.DryRunAll), "%s: %s", r, p.of)
		}
	}
	for _, kind := range []string{"CustomResourceDefinition", "Deployment", "StatefulSet", "Job", "Service", "Ingress", "HTTPRoute", "NetworkPolicy", "HorizontalPodAutoscaler", "PodDisruptionBudget"} {
		require.NotZero(t, taken[kind], "no rendering has a %s", kind)
	}
}
