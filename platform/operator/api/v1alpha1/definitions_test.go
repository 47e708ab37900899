//go:build kube

package v1alpha1_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
)

const subscription = `
apiVersion: guanxi.io/v1alpha1
kind: EventSubscription
metadata: {name: NAME, namespace: default}
spec:
  eventTypes: ["guanxi.sales.events.v1.*"]
  delivery: {kafka: {}}
`

const rollout = `
apiVersion: guanxi.io/v1alpha1
kind: CRMRollout
metadata: {name: NAME, namespace: default}
spec:
  tenant: acme
  displayName: CRM for acme
  team: [{subject: anna, role: sponsor}]
  phases:
  - {code: pilot, name: Pilot, kind: pilot, units: [north], capabilities: [sales], leave: [{code: go, person: {role: sponsor}}]}
  - {code: all, name: Everybody, kind: go_live, after: [pilot], units: [north, south], capabilities: [sales]}
`

const policy = `
apiVersion: guanxi.io/v1alpha1
kind: SLAPolicy
metadata: {name: NAME, namespace: default}
spec:
  tenant: acme
  displayName: Gold
  targets: {p1: {firstResponse: 1h30m}}
`

// change is what a case does to the object: the path below spec, and what stands there.
type change struct {
	path  []string
	value any
}

func set(value any, path ...string) change { return change{path, value} }

func list(values ...any) []any { return values }

func phase(code string, after ...any) map[string]any {
	return map[string]any{"code": code, "name": code, "kind": "other", "after": after}
}

// refused lists what contradicts itself, and a part of the sentence that says so.
var refused = map[string]struct {
	object string
	change change
	says   string
}{
	"no way of delivering":          {subscription, set(map[string]any{}, "delivery"), "give exactly one of them"},
	"two ways of delivering":        {subscription, set(map[string]any{"url": "https://a.example", "secretName": "s"}, "delivery", "webhook"), "give exactly one of them"},
	"single types without a tenant": {subscription, set(list("guanxi.sales.events.v1.OrderPlaced"), "eventTypes"), "reads whole topics"},
	"a type that is none":           {subscription, set(list("OrderPlaced"), "eventTypes"), "an event type is written as"},
	"the platform's groups":         {subscription, set("guanxi.sales", "delivery", "kafka", "groupPrefix"), "the platform's own"},
	"a replay of one's own groups":  {subscription, set(map[string]any{"id": "1", "from": "2026-01-01T00:00:00Z"}, "replay"), "replays by itself"},
	"a tenant that is none":         {subscription, set("ACME", "tenant"), "spec.tenant"},
	"an address with a password":    {subscription, set(map[string]any{"webhook": map[string]any{"url": "https://a:b@c.example", "secretName": "s"}}, "delivery"), "without a user and password"},
	"pauses the wrong way round": {subscription, set(map[string]any{"webhook": map[string]any{"url": "https://c.example", "secretName": "s",
		"retry": map[string]any{"first": "10m"}}}, "delivery"), "cannot be longer than the longest"},

	"phases in a cycle":        {rollout, set(list(phase("a", "b"), phase("b", "a")), "phases"), "in a cycle"},
	"a phase after itself":     {rollout, set(list(phase("a", "a")), "phases"), "in a cycle"},
	"a phase after none":       {rollout, set(list(phase("a", "x")), "phases"), "does not have"},
	"one code twice":           {rollout, set(list(phase("a"), phase("a")), "phases"), "a code of its own"},
	"a rollback of nothing":    {rollout, set(map[string]any{"id": "1", "phase": "x", "reason": "y"}, "rollback"), "rollback names a phase"},
	"a gate that nobody opens": {rollout, set(list(map[string]any{"subject": "otto", "role": "data"}), "team"), "a role that nobody of the team has"},
	"a gate on an unknown metric": {rollout, set(list(map[string]any{"code": "a", "name": "a", "kind": "other", "enter": list(map[string]any{"code": "g",
		"metric": map[string]any{"name": "mood", "atLeast": "1"}})}), "phases"), "Unsupported value"},
	"capabilities for nobody": {rollout, set(list(map[string]any{"code": "a", "name": "a", "kind": "other", "capabilities": list("sales")}), "phases"), "names the units"},

	"a duration in other words": {policy, set("90m", "targets", "p1", "firstResponse"), "written canonically"},
	"a promise of nothing":      {policy, set(map[string]any{}, "targets"), "at least 1 properties"},
	"a queue for a warning":     {policy, set(list(map[string]any{"percent": int64(80), "action": "warn", "queue": "a"}), "steps"), "queue belongs to assign_queue"},
}

// fixed lists what cannot be changed.
var fixed = map[string]struct {
	object string
	change change
	says   string
}{
	"a tenant comes to a subscription": {subscription, set("acme", "tenant"), "tenant cannot be changed"},
	"Kafka becomes a webhook":          {subscription, set(map[string]any{"webhook": map[string]any{"url": "https://c.example", "secretName": "s"}}, "delivery"), "stays with Kafka"},
	"the tenant of a rollout":          {rollout, set("other", "tenant"), "tenant cannot be changed"},
	"the tenant of a policy":           {policy, set("other", "tenant"), "tenant cannot be changed"},
}

func object(t *testing.T, text, name string) *unstructured.Unstructured {
	t.Helper()
	var content map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &content))
	o := &unstructured.Unstructured{Object: content}
	o.SetName(name)
	return o
}

func (c change) apply(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	require.NoError(t, unstructured.SetNestedField(o.Object, c.value, append([]string{"spec"}, c.path...)...))
}

func TestARealServerTakesTheDefinitionsAndRefusesContradictions(t *testing.T) {
	t.Parallel()
	server := &envtest.Environment{
		BinaryAssetsDirectory: filepath.Join("..", "..", "..", "..", "bin", "kube"), DownloadBinaryAssets: false,
		CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true,
	}
	cfg, err := server.Start()
	require.NoError(t, err, "kube-apiserver and etcd are built by: make kube-binaries")
	t.Cleanup(func() { _ = server.Stop() })
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	require.NoError(t, err)
	ctx := context.Background()

	for name, text := range map[string]string{"subscription": subscription, "rollout": rollout, "policy": policy} {
		require.NoError(t, c.Create(ctx, object(t, text, name)), name)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "operator.md"))
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	require.Len(t, examples, 3, "one of each kind")
	for n, example := range examples {
		o := object(t, string(example[1]), fmt.Sprint("example-", n))
		o.SetNamespace(metav1.NamespaceDefault)
		require.NoError(t, c.Create(ctx, o), "docs/operator.md, example %d", n+1)
	}
	for name, one := range refused {
		o := object(t, one.object, "refused")
		one.change.apply(t, o)
		require.ErrorContains(t, c.Create(ctx, o), one.says, name)
	}
	names := map[string]string{subscription: "subscription", rollout: "rollout", policy: "policy"}
	for name, one := range fixed {
		o := object(t, one.object, names[one.object])
		require.NoError(t, c.Get(ctx, client.ObjectKeyFromObject(o), o))
		one.change.apply(t, o)
		require.ErrorContains(t, c.Update(ctx, o), one.says, name)
	}
	var kept v1alpha1.EventSubscription
	require.NoError(t, c.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "subscription"}, &kept))
	require.Equal(t, v1alpha1.Retain, kept.Spec.DeletionPolicy)
}
