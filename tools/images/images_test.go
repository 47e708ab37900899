package main

import (
	"archive/tar"
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var date = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// pause is the smallest of the images; all are made by the same code.
func pause(t *testing.T, root string) (options, built) {
	t.Helper()
	o := options{root: root, out: t.TempDir(), version: "1.2.3", revision: strings.Repeat("a", 40), created: date}
	wanted, err := choose(images(), []string{"pause"})
	require.NoError(t, err)
	b, err := build(o, wanted[0])
	require.NoError(t, err)
	return o, b
}

func TestTheSameSourceMakesTheSameImageWhereverItLies(t *testing.T) {
	t.Parallel()
	_, here := pause(t, "../..")
	elsewhere := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "pause/main.go"} {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		to := filepath.Join(elsewhere, "tools/images", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, content, 0o600))
	}
	_, there := pause(t, elsewhere)
	want, err := here.v1.Digest()
	require.NoError(t, err)
	got, err := there.v1.Digest()
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestAnImageNamesItsUserItsProgramAndItsOrigin(t *testing.T) {
	t.Parallel()
	_, b := pause(t, "../..")
	cfg, err := b.v1.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, "65532:65532", cfg.Config.User)
	assert.Equal(t, []string{"/usr/local/bin/pause"}, cfg.Config.Entrypoint)
	assert.Equal(t, "linux", cfg.OS)
	assert.Equal(t, runtime.GOARCH, cfg.Architecture)
	assert.Equal(t, date, cfg.Created.UTC())
	assert.Contains(t, cfg.Config.Env, "ZONEINFO=/usr/share/zoneinfo.zip")
	assert.Equal(t, "1.2.3", cfg.Config.Labels["org.opencontainers.image.version"])
	assert.Equal(t, strings.Repeat("a", 40), cfg.Config.Labels["org.opencontainers.image.revision"])
	var entries []string
	forEach(t, b.v1, func(h *tar.Header, _ io.Reader) {
		entries = append(entries, h.Name)
		assert.Zero(t, h.Uid, h.Name)
		if h.Name != "tmp" && h.Typeflag != tar.TypeSymlink {
			assert.Zero(t, h.Mode&0o022, "%s may be written by others", h.Name)
		}
	})
	assert.Subset(t, entries, []string{"etc/passwd", "tmp", "etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo.zip", "usr/local/bin/pause"})
}

func TestAnArchiveIsTakenByReadersOfOCIAndOfDocker(t *testing.T) {
	t.Parallel()
	o, b := pause(t, "../..")
	require.NoError(t, save(o, b))
	want, err := b.v1.Digest()
	require.NoError(t, err)
	archive := filepath.Join(o.out, "pause.tar")

	dir := t.TempDir()
	require.NoError(t, exec.Command("tar", "-xf", archive, "-C", dir).Run())
	index, err := layout.ImageIndexFromPath(dir)
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))
	m, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, m.Manifests, 1)
	assert.Equal(t, want, m.Manifests[0].Digest)
	assert.Equal(t, "docker.io/guanxi/pause:1.2.3", m.Manifests[0].Annotations["io.containerd.image.name"])

	docker, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(archive) })
	require.NoError(t, err)
	assert.Equal(t, []string{"guanxi/pause:1.2.3"}, docker[0].RepoTags)
	_, err = tarball.ImageFromPath(archive, nil)
	require.NoError(t, err)

	digests, err := os.ReadFile(filepath.Join(o.out, "digests.txt"))
	require.NoError(t, err)
	assert.Equal(t, "guanxi/pause:1.2.3 "+want.String()+"\n", string(digests))
}

// TestWithoutAVersionTheTagIsTheOneThatEveryChartAsksFor holds the tag to what an installation without image.tag pulls.
func TestWithoutAVersionTheTagIsTheOneThatEveryChartAsksFor(t *testing.T) {
	t.Parallel()
	version, err := chartsVersion("../..")
	require.NoError(t, err)
	require.NotEmpty(t, version)
	charts, err := filepath.Glob("../../charts/*/Chart.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, charts)
	for _, chart := range charts {
		raw, err := os.ReadFile(chart)
		require.NoError(t, err)
		assert.Contains(t, string(raw), "\nappVersion: \""+version+"\"\n", chart)
	}
	_, err = chartsVersion(t.TempDir())
	require.Error(t, err)
}

func TestADigestTakesThePlaceOfTheOneBefore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "digests.txt")
	for _, line := range [][2]string{{"b:1", "x"}, {"a:1", "x"}, {"b:1", "y"}, {"b:10", "z"}} {
		require.NoError(t, noteDigest(path, line[0], line[1]))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "a:1 x\nb:1 y\nb:10 z\n", string(got))
}

func TestTheListOfContentsHasTheModulesAndTheGoRelease(t *testing.T) {
	t.Parallel()
	o := options{root: "../..", version: "1.2.3", created: date}
	self, err := os.Executable() // it is built from modules, as the programs are
	require.NoError(t, err)
	raw, err := describe(o, image{name: "some"}, self, files{"bin/sh": {mode: 0o755, from: "/bin/sh"}})
	require.NoError(t, err)
	var doc spdxDocument
	require.NoError(t, json.Unmarshal(raw, &doc))
	var purls []string
	ids := map[string]bool{}
	for _, p := range doc.Packages {
		purls = append(purls, p.Refs[0].Locator)
		assert.False(t, ids[p.ID], "twice: %s", p.ID)
		ids[p.ID] = true
	}
	all := strings.Join(purls, "\n")
	assert.Contains(t, all, "pkg:golang/stdlib@"+strings.TrimPrefix(runtime.Version(), "go"))
	assert.Contains(t, all, "pkg:golang/github.com/google/go-containerregistry@v0.")
	assert.Contains(t, all, "pkg:deb/debian/dash@")
	for _, r := range doc.Relationships[1:] {
		assert.True(t, ids[r.Related], r.Related)
	}
}

func TestAnImageThatIsNotThereIsRefusedByName(t *testing.T) {
	t.Parallel()
	_, err := choose(images(), []string{"nosuch"})
	require.ErrorContains(t, err, `no image is called "nosuch": there are guanxi, guanxictl, pause, demo-deps`)
}

func TestTheProgramRunsAsNobodyInItsImageAlone(t *testing.T) {
	t.Parallel()
	_, b := pause(t, "../..")
	cmd := inside(t, b.v1, "/usr/local/bin/pause")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "holding the pod\n", said)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

func TestThePostgreSQLOfTheDemonstrationMakesItsDataInItsImageAlone(t *testing.T) {
	t.Parallel()
	bundle, err := postgresFiles()
	require.NoError(t, err)
	base, err := baseFiles()
	require.NoError(t, err)
	_, b := pause(t, "../..")
	img := b.v1
	for _, fs := range []files{base, bundle} {
		l, err := layer(fs, date)
		require.NoError(t, err)
		img, err = mutate.AppendLayers(img, l)
		require.NoError(t, err)
	}
	initdb := ""
	for name := range bundle {
		if filepath.Base(name) == "initdb" {
			initdb = "/" + name
		}
	}
	cmd := inside(t, img, initdb, "-D", "/tmp/data", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// inside is a command in the unpacked image, with nothing else of this machine but what /dev has in every container.
func inside(t *testing.T, img v1.Image, program string, args ...string) *exec.Cmd {
	t.Helper()
	require.Zero(t, os.Geteuid(), "another root folder and another user can be had by root only: run this test as root")
	root := t.TempDir()
	unpack(t, img, root)
	require.NoError(t, os.Mkdir(filepath.Join(root, "dev"), 0o755))
	for name, minor := range map[string]int{"null": 3, "zero": 5, "urandom": 9} {
		at := filepath.Join(root, "dev", name)
		require.NoError(t, syscall.Mknod(at, syscall.S_IFCHR|0o666, 1<<8|minor))
		require.NoError(t, os.Chmod(at, 0o666))
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func forEach(t *testing.T, img v1.Image, visit func(h *tar.Header, content io.Reader)) {
	t.Helper()
	flat := mutate.Extract(img)
	defer func() { _ = flat.Close() }()
	r := tar.NewReader(flat)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		visit(h, r)
	}
}

func unpack(t *testing.T, img v1.Image, root string) {
	t.Helper()
	require.NoError(t, os.Chmod(root, 0o755))
	forEach(t, img, func(h *tar.Header, content io.Reader) {
		at := filepath.Join(root, h.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		switch h.Typeflag {
		case tar.TypeDir:
			require.NoError(t, os.MkdirAll(at, 0o755))
		case tar.TypeSymlink:
			require.NoError(t, os.Symlink(h.Linkname, at))
			return
		default:
			f, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY, 0o600)
			require.NoError(t, err)
			_, err = io.Copy(f, content)
			require.NoError(t, errors.Join(err, f.Close()))
		}
		require.NoError(t, os.Chmod(at, h.FileInfo().Mode()))
	})
}

func TestAnImageWithoutThePageSaysSo(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, s := range images() {
		if s.page == "" {
			assert.Empty(t, s.without(root), s.name)
			continue
		}
		assert.Contains(t, s.without(root), "make console", s.name)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, s.page)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, s.page), nil, 0o600))
		assert.Empty(t, s.without(root), s.name)
		assert.Equal(t, "guanxi", s.name)
	}
}
