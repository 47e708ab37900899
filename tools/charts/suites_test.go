package charts

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEachChartHasSuitesAndCarriesNone holds what helm-unittest would be silent about: a chart without suites passes, and so does a
// suite whose file it does not take for one. Whoever installs a chart gets it without them.
func TestEachChartHasSuitesAndCarriesNone(t *testing.T) {
	t.Parallel()
	charts, err := filepath.Glob(dir("*/Chart.yaml"))
	require.NoError(t, err)
	for _, file := range charts {
		chart := filepath.Base(filepath.Dir(file))
		t.Run(chart, func(t *testing.T) {
			t.Parallel()
			suites, err := os.ReadDir(dir(chart + "/tests"))
			require.NoError(t, err, "the chart has no suites")
			found := 0
			for _, suite := range suites {
				if suite.Name() == "__snapshot__" {
					continue // made by helm-unittest in passing, and empty
				}
				found++
				require.True(t, strings.HasSuffix(suite.Name(), "_test.yaml"), "%s is not run: suites are named *_test.yaml", suite.Name())
			}
			require.Positive(t, found)
			for _, name := range packaged(t, chart) {
				require.NotContains(t, name, "/tests/")
			}
		})
	}
}

// packaged gives the names of the files in a chart's package.
func packaged(t *testing.T, chart string) []string {
	t.Helper()
	to := t.TempDir()
	said, err := run(t, "package", dir(chart), "--destination", to)
	require.NoError(t, err, said)
	made, err := filepath.Glob(filepath.Join(to, "*.tgz"))
	require.NoError(t, err)
	require.Len(t, made, 1)
	f, err := os.Open(made[0])
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	unzipped, err := gzip.NewReader(f)
	require.NoError(t, err)
	var names []string
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			require.Contains(t, names, chart+"/Chart.yaml")
			return names
		}
		require.NoError(t, err)
		names = append(names, header.Name)
	}
}
