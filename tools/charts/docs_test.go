package charts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhatThePagesSayIsThere follows the pages' links to files, and renders what they install from this repository's own values.
func TestWhatThePagesSayIsThere(t *testing.T) {
	t.Parallel()
	rendered := 0
	pages, err := filepath.Glob(dir("*/README.md"))
	require.NoError(t, err)
	charts, err := filepath.Glob(dir("*/Chart.yaml"))
	require.NoError(t, err)
	require.Len(t, pages, len(charts), "each chart has a page")
	for _, page := range append(pages, "docs/installing.md", "docs/images.md", "docs/operator.md") {
		page = strings.TrimPrefix(page, root+"/")
		content, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		for _, link := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(string(content), -1) {
			_, err := os.Stat(filepath.Join(root, filepath.Dir(page), link[1]))
			require.NoError(t, err, page)
		}
		installs := regexp.MustCompile(`(?m)^\$ helm -n crm install (\S+) (charts/\S+)(.*)$`).FindAllStringSubmatch(string(content), -1)
		for _, install := range installs {
			args := []string{"template", install[1], filepath.Join(root, install[2]), "--namespace", "crm"}
			fields := strings.Fields(install[3])
			for i := range fields {
				switch fields[i] {
				case "--values":
					if fields[i+1] == "crm.yaml" { // the reader's own
						args = append(args, "--values", ci("minimal"))
					} else {
						args = append(args, "--values", filepath.Join(root, fields[i+1]))
					}
				case "--set":
					args = append(args, "--set", fields[i+1])
				}
			}
			said, err := run(t, args...)
			require.NoError(t, err, said)
			rendered++
		}
	}
	require.Equal(t, 7, rendered, "guanxi, the demo's parts, guanxi and the operator on them, and the operator by its own page")
}

// TestTheDemosSecretHasWhatBothChartsAskFor reads the command that makes it from the page.
func TestTheDemosSecretHasWhatBothChartsAskFor(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, "docs/installing.md"))
	require.NoError(t, err)
	_, command, found := strings.Cut(string(content), "create secret generic guanxi-demo")
	require.True(t, found)
	command, _, _ = strings.Cut(command, "$ helm")
	made := map[string]bool{}
	for _, key := range regexp.MustCompile(`--from-literal=([a-z-]+)=`).FindAllStringSubmatch(command, -1) {
		made[key[1]] = true
	}
	asked := map[string]bool{}
	for _, p := range append(pods(t, render(t, "guanxi", release, ci("demo"))), pods(t, deps(t, "demo"))...) {
		for _, e := range p.spec.Containers[0].Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				require.Equal(t, "guanxi-demo", e.ValueFrom.SecretKeyRef.Name, p.of)
				asked[e.ValueFrom.SecretKeyRef.Key] = true
			}
		}
	}
	require.Equal(t, asked, made)
}
