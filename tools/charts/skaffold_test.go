package charts

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// TestSkaffoldInstallsWhatItBuilds renders the chart as skaffold has Helm do it, with the image that it has built under a registry
// and the digest of its sources as the tag, and demands that every pod runs that image.
func TestSkaffoldInstallsWhatItBuilds(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(root, "skaffold.yaml"))
	require.NoError(t, err)
	var file struct {
		Build struct {
			Artifacts []struct{ Image string }
		}
		Deploy struct {
			Helm struct {
				Releases []struct {
					Name, ChartPath   string
					ValuesFiles       []string
					SetValueTemplates map[string]string
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	const registry, tag = "localhost:5000", "c6a1f1c1d7d5a3f0c9e2b4a6978685746352413f2e1d0c0b0a09080706050403"
	images := map[string]string{}
	for _, a := range file.Build.Artifacts {
		name := strings.NewReplacer("/", "_", "-", "_", ".", "_").Replace(a.Image)
		images["IMAGE_REPO_"+name], images["IMAGE_TAG_"+name] = registry+"/"+a.Image, tag
	}
	require.Len(t, file.Deploy.Helm.Releases, 1)
	r := file.Deploy.Helm.Releases[0]
	args := []string{"template", r.Name, filepath.Join(root, r.ChartPath)}
	for _, f := range r.ValuesFiles {
		args = append(args, "--values", filepath.Join(root, f))
	}
	for _, key := range slices.Sorted(maps.Keys(r.SetValueTemplates)) {
		var value bytes.Buffer
		made, err := template.New(key).Option("missingkey=error").Parse(r.SetValueTemplates[key])
		require.NoError(t, err)
		require.NoError(t, made.Execute(&value, images), "an image that is not built")
		args = append(args, "--set", key+"="+value.String())
	}
	said, err := run(t, args...)
	require.NoError(t, err, said)
	made := pods(t, parse(t, said))
	require.NotEmpty(t, made)
	for _, p := range made {
		require.Equal(t, registry+"/guanxi/guanxi:"+tag, p.spec.Containers[0].Image, p.of)
	}
}
