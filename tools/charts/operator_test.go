package charts

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

func operatorValues(name string) string { return dir(filepath.Join("guanxi-operator", "ci", name)) }

// TestTheOperatorRefusesWhatDoesNotFit holds that a mistake is told before anything is installed.
func TestTheOperatorRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for set, says := range map[string]string{
		"platform.url=":              "platform.url is missing",
		"platform.url=ftp://x":       "platform",
		"oidc.tokenUrl=":             "oidc.tokenUrl is missing",
		"oidc.existingSecret=":       "oidc needs clientId and existingSecret",
		"oidc.development=true":      "takes no clientId",
		"kafka.cluster=north":        "kafka.brokers is missing",
		"kafka.brokers={kafka:9092}": "kafka.cluster is missing",
		"kafka.brokers={kafka}":      "kafka",
		"kafka.brokers={k:1},kafka.cluster=a,kafka.sasl=PLAIN": "go together",
		"kafka.brokers={k:1},kafka.cluster=a,kafka.caSecret=c": "needs kafka.tls",
		"monitoring.serviceMonitor.enabled=true":               "needs monitoring.metrics",
		"image.tag=latest":                                     "tag",
		"replica=2":                                            "replica",
		"oidc.clientSecret=x":                                  "clientSecret",
		"replicas=many":                                        "replicas",
		"terminationGracePeriodSeconds=5":                      "terminationGracePeriodSeconds",
	} {
		said, err := run(t, "template", release, dir("guanxi-operator"), "--values", operatorValues("minimal.yaml"), "--set", set)
		require.Error(t, err, set)
		require.Contains(t, said, says, set)
	}
}

// TestTheOperatorMayDoWhatItsProgramDeclares compares the chart's roles with what controller-gen writes, and that with what nobody
// should have.
func TestTheOperatorMayDoWhatItsProgramDeclares(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(root + "/platform/operator/config/rbac/role.yaml")
	require.NoError(t, err)
	copied, err := os.ReadFile(dir("guanxi-operator/files/role.yaml"))
	require.NoError(t, err)
	require.Equal(t, string(raw), string(copied), "make generate-crds copies it")
	declared := map[string][]rbacv1.PolicyRule{}
	for _, one := range strings.Split(string(raw), "\n---\n") {
		var role rbacv1.ClusterRole // a Role has the same rules
		require.NoError(t, yaml.Unmarshal([]byte(one), &role))
		declared[role.Kind] = role.Rules
	}
	for _, o := range render(t, "guanxi-operator", release, operatorValues("minimal.yaml")) {
		if o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
			continue
		}
		role := into[rbacv1.ClusterRole](t, o)
		for i, rule := range declared[o.GetKind()] {
			if slices.Equal(rule.ResourceNames, []string{"system"}) { // how the program calls the namespace that it is installed into
				declared[o.GetKind()][i].ResourceNames = []string{namespace}
			}
		}
		require.Equal(t, declared[o.GetKind()], role.Rules, o.id())
		for _, rule := range role.Rules {
			require.NotContains(t, append(append(rule.Verbs, rule.Resources...), rule.APIGroups...), "*", o.id())
		}
	}
}
