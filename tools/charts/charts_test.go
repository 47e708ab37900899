package charts

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

var update = flag.Bool("update", false, "write golden files anew instead of comparing with them")

func TestChartsAreWhatHelmCallsWellFormed(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		said, err := run(t, "lint", "--strict", dir(r.chart), "--values", r.values, "--namespace", namespace)
		require.NoError(t, err, "%s: %s", r, said)
	}
}

// TestRenderingsAreTheGoldenOnes shows in a change what it changes in an installation.
func TestRenderingsAreTheGoldenOnes(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		if r.chart == "guanxi-crds" {
			continue // TestTheDefinitionsAreTheOperators says more
		}
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			golden := filepath.Join("testdata", r.String()+".yaml")
			got := text(t, r.chart, r.name, r.values)
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
				return
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err, "-update writes it")
			require.Equal(t, string(want), got, "-update writes it anew, if the new rendering is right")
		})
	}
}

func TestRenderingTwiceGivesTheSame(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		require.Equal(t, text(t, r.chart, r.name, r.values), text(t, r.chart, r.name, r.values), r.String())
	}
}

// TestEveryPodMayRunWherePodSecurityIsRestricted asks the judge that sits in the kube-apiserver, and two more of the house: no file
// of a container can be written but for what is mounted, and no pod holds a token of the cluster that does not use it.
func TestEveryPodMayRunWherePodSecurityIsRestricted(t *testing.T) {
	t.Parallel()
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	restricted := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	for _, r := range renderings(t) {
		for _, p := range pods(t, render(t, r.chart, r.name, r.values)) {
			verdict := policy.AggregateCheckResults(judge.EvaluatePod(restricted, &p.meta.ObjectMeta, &p.spec))
			require.True(t, verdict.Allowed, "%s: %s: %s", r, p.of, verdict.ForbiddenDetail())
			for _, c := range append(p.spec.InitContainers, p.spec.Containers...) {
				require.NotNil(t, c.SecurityContext.ReadOnlyRootFilesystem, "%s: %s", r, p.of)
				require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, "%s: %s", r, p.of)
				require.NotEmpty(t, c.Resources.Requests, "%s: %s", r, p.of)
				require.Contains(t, c.Resources.Limits, corev1.ResourceMemory, "%s: %s", r, p.of)
				require.NotRegexp(t, `:latest$|^[^:@]+$`, c.Image, "%s: %s names a version of its image", r, p.of)
			}
			require.NotNil(t, p.spec.AutomountServiceAccountToken, "%s: %s", r, p.of)
			require.Equal(t, mayUseTheCluster(p), *p.spec.AutomountServiceAccountToken, "%s: %s", r, p.of)
		}
	}
}

// mayUseTheCluster says whose work it is to speak to the kube-apiserver.
func mayUseTheCluster(p pod) bool {
	return p.labels["guanxi.io/uses"] == "kube-apiserver"
}

// secretName is how a variable is called whose value is nobody's business.
var secretName = regexp.MustCompile(`(?i)(password|secret|token|private|_key$|admin_url)`)

// TestNoSecretIsRenderedInClear holds that what is secret is only referred to: no Secret with content, no variable with a value.
func TestNoSecretIsRenderedInClear(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		objects := render(t, r.chart, r.name, r.values)
		for _, o := range objects {
			require.NotEqual(t, "Secret", o.GetKind(), "%s: %s", r, o.id())
			if o.GetKind() == "ConfigMap" {
				for key, value := range into[corev1.ConfigMap](t, o).Data {
					path := strings.HasPrefix(value, "/") // a file that is mounted from a Secret
					require.False(t, secretName.MatchString(key) && !path, "%s: %s has %s", r, o.id(), key)
					require.NotRegexp(t, `://[^/@]*:[^/@]*@`, value, "%s: %s has a password in %s", r, o.id(), key)
				}
			}
		}
		for _, p := range pods(t, objects) {
			for _, c := range append(p.spec.InitContainers, p.spec.Containers...) {
				for _, e := range c.Env {
					require.False(t, secretName.MatchString(e.Name) && e.Value != "", "%s: %s: %s has a value", r, p.of, e.Name)
				}
				for _, arg := range append(c.Command, c.Args...) {
					require.NotRegexp(t, `(?i)--?(password|secret)[= ][^$]`, arg, "%s: %s", r, p.of)
				}
			}
		}
	}
}

// TestNamesFitEvenWithTheLongestRelease looks at all names, label values and ports.
func TestNamesFitEvenWithTheLongestRelease(t *testing.T) {
	t.Parallel()
	require.Len(t, longest, 53)
	for _, r := range renderings(t) {
		objects := render(t, r.chart, longest, r.values)
		seen := map[string]bool{}
		for _, o := range objects {
			if o.GetKind() != "CustomResourceDefinition" {
				require.LessOrEqual(t, len(o.GetName()), 63, "%s: %s", r, o.id())
			}
			require.False(t, seen[o.id()], "%s: %s twice", r, o.id())
			seen[o.id()] = true
			for key, value := range o.GetLabels() {
				require.LessOrEqual(t, len(value), 63, "%s: %s: %s", r, o.id(), key)
			}
		}
		for _, p := range pods(t, objects) {
			for key, value := range p.labels {
				require.LessOrEqual(t, len(value), 63, "%s: %s: %s", r, p.of, key)
			}
		}
	}
}

// TestADeploymentIsNeverWithoutAPod holds how versions follow each other.
func TestADeploymentIsNeverWithoutAPod(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		if r.chart != "guanxi" {
			continue
		}
		for _, o := range render(t, r.chart, r.name, r.values) {
			if o.GetKind() != "Deployment" {
				continue
			}
			unavailable, _, err := nested(o, "spec", "strategy", "rollingUpdate", "maxUnavailable")
			require.NoError(t, err)
			require.EqualValues(t, 0, unavailable, "%s: %s", r, o.id())
		}
	}
}
