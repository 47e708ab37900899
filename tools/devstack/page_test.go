package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThePageIsBuiltAnewWhenItsSourcesChange(t *testing.T) {
	t.Parallel()
	web, openapi := t.TempDir(), t.TempDir()
	write := func(root, name, content string) {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	sum := func() string {
		got, err := sumOf(web, openapi)
		require.NoError(t, err)
		return got
	}
	write(web, "src/main.tsx", "a")
	write(openapi, "sales.yaml", "a")
	before := sum()
	for _, made := range []string{"node_modules/x/index.js", "dist/index.html", "e2e/a.test.ts", "src/api/sales.d.ts"} {
		write(web, made, "made by the build or for tests")
		require.Equal(t, before, sum(), made)
	}
	for _, source := range []struct{ root, name, content string }{
		{web, "src/main.tsx", "b"}, {web, "src/new.tsx", ""}, {openapi, "sales.yaml", "b"}, {web, "public/theme.js", "x"},
	} {
		write(source.root, source.name, source.content)
		after := sum()
		require.NotEqual(t, before, after, source.name)
		before = after
	}
}

func TestAPageThatIsBuiltIsNotBuiltAgain(t *testing.T) {
	t.Parallel()
	repo := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(repo, pageDir, "dist"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(repo, "proto", "openapi"), 0o700))
	sum, err := sumOf(filepath.Join(repo, pageDir), filepath.Join(repo, "proto", "openapi"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(repo, pageDir, builtFrom), []byte(sum), 0o600))
	var said []string
	require.NoError(t, buildPage(t.Context(), repo, func(line string) { said = append(said, line) }))
	require.Equal(t, []string{"the console's page is built already"}, said)
}
