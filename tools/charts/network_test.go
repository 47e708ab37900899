package charts

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
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

// edges gives who reaches whom among the pods, as "a -> b:port". A pod that no policy selects would reach everybody; that one
// does is held by TestEveryPodIsIsolated.
func edges(all []netv1.NetworkPolicy, pods []pod) []string {
	found := map[string]bool{}
	for _, from := range pods {
		for _, to := range pods {
			for port := range letsOut(all, from, to) {
				if letsIn(all, from, to)[port] {
					found[who(from)+" -> "+who(to)+":"+port] = true
				}
			}
		}
	}
	var list []string
	for edge := range found {
		list = append(list, edge)
	}
	slices.Sort(list)
	return list
}

func selects(selector *metav1.LabelSelector, p pod) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(p.labels))
}

// peer says whether one of the peers is the pod, of the same namespace.
func peer(peers []netv1.NetworkPolicyPeer, p pod) bool {
	for _, one := range peers {
		if one.PodSelector != nil && one.NamespaceSelector == nil && selects(one.PodSelector, p) {
			return true
		}
	}
	return false
}

func letsOut(all []netv1.NetworkPolicy, from, to pod) map[string]bool {
	found := map[string]bool{}
	for _, policy := range all {
		if !selects(&policy.Spec.PodSelector, from) {
			continue
		}
		for _, rule := range policy.Spec.Egress {
			if peer(rule.To, to) {
				for _, port := range ports(rule.Ports) {
					found[port] = true
				}
			}
		}
	}
	return found
}

func letsIn(all []netv1.NetworkPolicy, from, to pod) map[string]bool {
	found := map[string]bool{}
	for _, policy := range all {
		if !selects(&policy.Spec.PodSelector, to) {
			continue
		}
		for _, rule := range policy.Spec.Ingress {
			if len(rule.From) == 0 || peer(rule.From, from) {
				for _, port := range ports(rule.Ports) {
					found[port] = true
				}
			}
		}
	}
	return found
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
