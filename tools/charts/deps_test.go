package charts

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func deps(t *testing.T, name string) []object {
	t.Helper()
	return render(t, "guanxi-demo-deps", name, dir("guanxi-demo-deps/ci/minimal.yaml"))
}

// TestTheDemoNeedsASecret that the chart does not make.
func TestTheDemoNeedsASecret(t *testing.T) {
	t.Parallel()
	said, err := run(t, "template", "demo", dir("guanxi-demo-deps"))
	require.Error(t, err)
	require.Contains(t, said, "existingSecret: name the Secret")
	for set, says := range map[string]string{
		"image.tag=latest": "/image/tag", "parts.redis.size=1Gi": "additional properties 'redis' not allowed",
		"password=abc": "additional properties 'password' not allowed", "parts.kafka.size=big": "/parts/kafka/size",
	} {
		said, err := run(t, "template", "demo", dir("guanxi-demo-deps"), "--set", "existingSecret=x,"+set)
		require.Error(t, err, set)
		require.Contains(t, said, says)
	}
}

// TestGuanxiFindsTheDemosParts holds the addresses in guanxi's values for the demo to the Services that the demo makes.
func TestGuanxiFindsTheDemosParts(t *testing.T) {
	t.Parallel()
	var there []string
	for _, o := range deps(t, "demo") {
		if o.GetKind() == "Service" {
			for _, p := range into[corev1.Service](t, o).Spec.Ports {
				there = append(there, fmt.Sprintf("%s:%d", o.GetName(), p.Port))
			}
		}
	}
	for _, o := range render(t, "guanxi", release, ci("demo")) {
		if o.GetKind() != "ConfigMap" {
			continue
		}
		config := into[corev1.ConfigMap](t, o).Data
		for _, key := range []string{"GUANXI_KAFKA_BROKERS", "GUANXI_TEMPORAL_ADDRESS", "GUANXI_OIDC_ISSUER", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
			require.Contains(t, there, strings.TrimPrefix(config[key], "http://"), key)
		}
		require.Contains(t, config["GUANXI_PG_URL"], "@demo-postgres:5432/")
	}
	require.Contains(t, there, "demo-postgres:5432")
}

// TestTheProgramTakesTheDemosFlags asks the program of each part for its help with the flags that the chart gives: an unknown flag,
// or a value that is none, is refused before.
func TestTheProgramTakesTheDemosFlags(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "devstack")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", program, "./tools/devstack")
	build.Dir, build.Env = root, workspace()
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))
	seen := 0
	for _, o := range deps(t, "demo") {
		if o.GetKind() != "StatefulSet" {
			continue
		}
		seen++
		set := into[appsv1.StatefulSet](t, o)
		c := set.Spec.Template.Spec.Containers[0]
		said, err := exec.CommandContext(context.Background(), program, append(slices.Clone(c.Args), "--help")...).CombinedOutput()
		require.NoError(t, err, "%s: %s", o.id(), said)
		require.Contains(t, string(said), "devstack "+c.Name+" [flags]")
		said, err = exec.CommandContext(context.Background(), program, append([]string{c.Args[0], "--unknown"}, c.Args[1:]...)...).CombinedOutput()
		require.Error(t, err, "an unknown flag is refused, so this test sees one: %s", said)
		for _, e := range c.Env {
			if e.ValueFrom != nil {
				args, err := json.Marshal(c.Args)
				require.NoError(t, err)
				require.Contains(t, string(args), "$("+e.Name+")", o.id())
			}
		}
	}
	require.Equal(t, 5, seen)
}
