package charts

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// TestTheDefinitionsAreTheOperators holds the chart's files to what is generated from the operator's types, and what is rendered to
// the files: nothing is lost on the way through Helm.
func TestTheDefinitionsAreTheOperators(t *testing.T) {
	t.Parallel()
	generated, err := filepath.Glob(filepath.Join(root, "platform/operator/config/crd/*.yaml"))
	require.NoError(t, err)
	copied, err := filepath.Glob(dir("guanxi-crds/files/*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, generated)
	require.Len(t, copied, len(generated), "make generate-crds copies them")
	want := map[string]any{}
	for _, file := range generated {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		ours, err := os.ReadFile(dir("guanxi-crds/files/" + filepath.Base(file)))
		require.NoError(t, err)
		require.Equal(t, string(source), string(ours), "%s: make generate-crds copies it", file)
		var crd struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Spec map[string]any `json:"spec"`
		}
		require.NoError(t, yaml.Unmarshal(source, &crd))
		want[crd.Metadata.Name] = crd.Spec
	}
	got := map[string]any{}
	for _, o := range render(t, "guanxi-crds", release, dir("guanxi-crds/ci/keep.yaml")) {
		require.Equal(t, "keep", o.GetAnnotations()["helm.sh/resource-policy"], o.id())
		spec, _, err := nested(o, "spec")
		require.NoError(t, err)
		got[o.GetName()] = spec
	}
	require.Equal(t, want, got)
	for _, o := range render(t, "guanxi-crds", release, dir("guanxi-crds/ci/keep.yaml"), "--set", "keep=false") {
		require.NotContains(t, o.GetAnnotations(), "helm.sh/resource-policy", o.id())
	}
}
