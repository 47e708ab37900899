package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// skaffoldFile has the fields of skaffold/v4beta13 that we use; another one is a mistake until it is written here.
type skaffoldFile struct {
	APIVersion string                `json:"apiVersion"`
	Kind       string                `json:"kind"`
	Metadata   struct{ Name string } `json:"metadata"`
	Build      struct {
		TagPolicy struct{ InputDigest struct{} } `json:"tagPolicy"`
		Local     struct{ Push bool }            `json:"local"`
		Artifacts []struct {
			Image   string
			Context string
			Ko      struct {
				Main         string
				Dependencies struct{ Paths []string }
				Env          []string
				Flags        []string
				Ldflags      []string
			}
		} `json:"artifacts"`
	} `json:"build"`
	Deploy struct {
		Helm struct {
			Releases []struct {
				Name              string
				ChartPath         string
				Namespace         string
				CreateNamespace   bool
				ValuesFiles       []string
				SetValueTemplates map[string]string
			}
		}
	} `json:"deploy"`
}

// koFile has the fields of ko's configuration that we use.
type koFile struct {
	DefaultBaseImage string `json:"defaultBaseImage"`
	Builds           []struct {
		ID      string `json:"id"`
		Main    string
		Env     []string
		Flags   []string
		Ldflags []string
	}
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../..", name))
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(raw, into))
}

func TestSkaffoldBuildsAndInstallsWhatIsThere(t *testing.T) {
	t.Parallel()
	var s skaffoldFile
	read(t, "skaffold.yaml", &s)
	assert.Equal(t, "skaffold/v4beta13", s.APIVersion)
	require.Len(t, s.Build.Artifacts, 1)
	a := s.Build.Artifacts[0]
	assert.Equal(t, images()[0].repository(), a.Image)
	assert.FileExists(t, filepath.Join("../..", a.Context, a.Ko.Main, "main.go"))
	assert.Contains(t, a.Ko.Env, "CGO_ENABLED=0")
	for _, p := range a.Ko.Dependencies.Paths {
		found, err := filepath.Glob(filepath.Join("../..", strings.TrimSuffix(p, "/**")))
		require.NoError(t, err)
		assert.NotEmpty(t, found, p)
	}
	require.Len(t, s.Deploy.Helm.Releases, 1)
	r := s.Deploy.Helm.Releases[0]
	assert.FileExists(t, filepath.Join("../..", r.ChartPath, "Chart.yaml"))
	for _, f := range r.ValuesFiles {
		assert.FileExists(t, filepath.Join("../..", f))
	}
	// Skaffold names an image in templates with all but letters, digits and underscores replaced by an underscore.
	assert.Equal(t, "{{.IMAGE_REPO_guanxi_guanxi}}", r.SetValueTemplates["image.repository"])
	assert.Equal(t, "{{.IMAGE_TAG_guanxi_guanxi}}", r.SetValueTemplates["image.tag"])
}

func TestKoBuildsTheSameProgramWithTheSameVersion(t *testing.T) {
	t.Parallel()
	var k koFile
	read(t, ".ko.yaml", &k)
	require.Len(t, k.Builds, 1)
	b := k.Builds[0]
	assert.FileExists(t, filepath.Join("../..", b.Main, "main.go"))
	assert.Contains(t, b.Env, "CGO_ENABLED=0")
	assert.Contains(t, b.Flags, "-trimpath")
	assert.Contains(t, b.Ldflags, "-X "+versionOf+"={{.Git.ShortCommit}}")
}
