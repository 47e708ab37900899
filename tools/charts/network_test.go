package charts

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// matches says whether a selector means a pod.
func matches(t *testing.T, with map[string]string, expressions []metav1.LabelSelectorRequirement, of map[string]string) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchLabels: with, MatchExpressions: expressions})
	require.NoError(t, err)
	return selector.Matches(labels.Set(of))
}

// who is how the table of edges calls a pod.
func who(p pod) string {
	if service := p.labels["guanxi.io/service"]; service != "" {
		return service
	}
	return p.labels["app.kubernetes.io/component"]
}

// edges gives who reaches whom among the pods of one namespace, as "a -> b:port". A pod that no policy selects would reach
// everybody; that one does is held by TestEveryPodIsIsolated.
func edges(all []netv1.NetworkPolicy, pods []pod) []string {
	found := map[string]bool{}
	for _, from := range pods {
		for _, to := range pods {
			for _, port := range to.spec.Containers[0].Ports {
				if letsOut(all, from, to, port) && letsIn(all, from, to, port) {
					found[who(from)+" -> "+who(to)+":"+port.Name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func selects(selector *metav1.LabelSelector, p pod) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(p.labels))
}

// peer says whether the pod, of the same namespace, is meant: by one of the peers, or because none is named.
func peer(peers []netv1.NetworkPolicyPeer, p pod) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(one netv1.NetworkPolicyPeer) bool {
		return one.PodSelector != nil && one.NamespaceSelector == nil && selects(one.PodSelector, p)
	})
}

// opens says whether the port is meant, by its name or its number, or because none is.
func opens(ports []netv1.NetworkPolicyPort, port corev1.ContainerPort) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(one netv1.NetworkPolicyPort) bool {
		return one.Port == nil || *one.Port == intstr.FromString(port.Name) || *one.Port == intstr.FromInt32(port.ContainerPort)
	})
}

func letsOut(all []netv1.NetworkPolicy, from, to pod, port corev1.ContainerPort) bool {
	return slices.ContainsFunc(all, func(policy netv1.NetworkPolicy) bool {
		return selects(&policy.Spec.PodSelector, from) && slices.ContainsFunc(policy.Spec.Egress, func(r netv1.NetworkPolicyEgressRule) bool {
			return peer(r.To, to) && opens(r.Ports, port)
		})
	})
}

func letsIn(all []netv1.NetworkPolicy, from, to pod, port corev1.ContainerPort) bool {
	return slices.ContainsFunc(all, func(policy netv1.NetworkPolicy) bool {
		return selects(&policy.Spec.PodSelector, to) && slices.ContainsFunc(policy.Spec.Ingress, func(r netv1.NetworkPolicyIngressRule) bool {
			return peer(r.From, from) && opens(r.Ports, port)
		})
	})
}

// documented reads the table of who reaches whom from the page, and writes it as edges does.
func documented(t *testing.T, heading string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "docs/installing.md"))
	require.NoError(t, err)
	_, table, found := strings.Cut(string(content), "\n"+heading+"\n| --- | --- |\n")
	require.True(t, found, "the page has no table %s", heading)
	table, _, _ = strings.Cut(table, "\n\n")
	var all []string
	for row := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(row, "|")
		require.Len(t, cells, 4, row)
		for to := range strings.SplitSeq(cells[2], ",") {
			all = append(all, strings.Trim(cells[1], " `")+" -> "+strings.Trim(to, " `"))
		}
	}
	slices.Sort(all)
	return all
}

// TestWhoMayTalkToWhom judges the policies as a network would, an edge being there where one policy lets it out and one lets it in,
// and holds the table of the page to it.
func TestWhoMayTalkToWhom(t *testing.T) {
	t.Parallel()
	inside := documented(t, "| within a release, mode `services` | reaches |")
	require.Len(t, inside, 19)
	for _, values := range []string{"minimal", "services"} {
		objects := render(t, "guanxi", release, ci(values))
		require.Equal(t, inside, edges(policies(t, objects), pods(t, objects)), values)
	}
	objects := render(t, "guanxi", release, ci("all-in-one"))
	require.Equal(t, []string{"test -> all:http"}, edges(policies(t, objects), pods(t, objects)))
}

// TestWhoMayTalkToWhomInTheDemo has the charts of the demo and the operator in one namespace.
func TestWhoMayTalkToWhomInTheDemo(t *testing.T) {
	t.Parallel()
	objects := append(render(t, "guanxi", release, ci("demo")), deps(t, "demo")...)
	objects = append(objects, render(t, "guanxi-operator", "operator", operatorValues("demo.yaml"))...)
	require.Equal(t, documented(t, "| in the demo, mode `all-in-one` | reaches |"), edges(policies(t, objects), pods(t, objects)))
}

// TestEveryPodIsIsolated holds that what no policy names is refused: each pod is selected for both ways.
func TestEveryPodIsIsolated(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		objects := render(t, r.chart, r.name, r.values)
		for _, p := range pods(t, objects) {
			var ways []netv1.PolicyType
			for _, policy := range policies(t, objects) {
				if selects(&policy.Spec.PodSelector, p) {
					ways = append(ways, policy.Spec.PolicyTypes...)
				}
			}
			require.Subset(t, ways, []netv1.PolicyType{netv1.PolicyTypeIngress, netv1.PolicyTypeEgress}, "%s: %s", r, p.of)
		}
	}
}
