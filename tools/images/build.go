package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The user of all images, who owns nothing in them; the charts name the same number.
const user = "65532:65532"

const (
	certificates = "/etc/ssl/certs/ca-certificates.crt"
	versionOf    = "github.com/guanxi-crm/guanxi/platform/app.Version"
)

// built is an image, and the list of what is in it.
type built struct {
	image
	v1   v1.Image
	sbom []byte
}

// build compiles the program and puts the image together.
func build(o options, s image) (built, error) {
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return built{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, s.name)
	if err := compile(o, s, program); err != nil {
		return built{}, err
	}
	return assemble(o, s, program)
}

// compile makes a static program that is the same wherever the repository lies.
func compile(o options, s image, program string) error {
	abs, err := filepath.Abs(o.root)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X "+versionOf+"="+o.version, "-o", program, s.pkg)
	cmd.Dir = filepath.Join(abs, s.module)
	workspace := filepath.Join(abs, "go.work")
	if s.single {
		workspace = "off"
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOWORK="+workspace)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s in %s: %w", s.pkg, s.module, err)
	}
	return nil
}

// assemble puts the layers on each other: what all images have, what this one has beside its program, the program.
func assemble(o options, s image, program string) (built, error) {
	base, err := baseFiles()
	if err != nil {
		return built{}, err
	}
	layers := []files{base}
	var bundle files
	if s.bundle != nil {
		if bundle, err = s.bundle(); err != nil {
			return built{}, err
		}
		layers = append(layers, bundle)
	}
	sbom, err := describe(o, s, program, base, bundle)
	if err != nil {
		return built{}, err
	}
	at := "usr/local/bin/" + s.name
	layers = append(layers, files{
		at: {mode: 0o755, from: program},
		"usr/share/sbom/" + s.name + ".spdx.json": {mode: 0o644, content: sbom},
	})
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, fs := range layers {
		l, err := layer(fs, o.created)
		if err != nil {
			return built{}, err
		}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: l, MediaType: types.OCILayer, History: v1.History{CreatedBy: "tools/images"}}); err != nil {
			return built{}, err
		}
	}
	img, err = configure(o, s, img, "/"+at, bundle)
	return built{image: s, v1: img, sbom: sbom}, err
}

func configure(o options, s image, img v1.Image, entrypoint string, bundle files) (v1.Image, error) {
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture, cfg.Created = "linux", runtime.GOARCH, v1.Time{Time: o.created}
	cfg.Config = v1.Config{
		User: user, WorkingDir: "/", Entrypoint: []string{entrypoint},
		Env: []string{
			"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "ZONEINFO=/usr/share/zoneinfo.zip",
			"SSL_CERT_FILE=" + certificates,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":    s.title,
			"org.opencontainers.image.version":  o.version,
			"org.opencontainers.image.revision": o.revision,
			"org.opencontainers.image.created":  o.created.Format("2006-01-02T15:04:05Z"),
			"org.opencontainers.image.vendor":   "Guanxi",
		},
	}
	for name := range bundle {
		if filepath.Base(name) == "initdb" {
			cfg.Config.Env = append(cfg.Config.Env, "GUANXI_PG_BINARIES=/"+filepath.Dir(name))
		}
	}
	return mutate.ConfigFile(img, cfg)
}

// baseFiles are what a static program wants of a system: a name for its user, certificates, time zones, a /tmp.
func baseFiles() (files, error) {
	if _, err := os.Stat(certificates); err != nil {
		return nil, errors.New("no certificates of authorities here: apt-get install ca-certificates")
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	zones := filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip")
	return files{
		"etc/passwd":                          {mode: 0o644, content: []byte("root:x:0:0:root:/:/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/nologin\n")},
		"etc/group":                           {mode: 0o644, content: []byte("root:x:0:\nnonroot:x:65532:\n")},
		"tmp":                                 {mode: 0o1777, folder: true},
		"usr/share/zoneinfo.zip":              {mode: 0o644, from: zones},
		strings.TrimPrefix(certificates, "/"): {mode: 0o644, from: certificates},
	}, nil
}

// dockerManifest is an entry of manifest.json, by which docker load finds the image.
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func dockerJSON(o options, b built) ([]byte, error) {
	m, err := b.v1.Manifest()
	if err != nil {
		return nil, err
	}
	blob := func(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }
	entry := dockerManifest{Config: blob(m.Config.Digest), RepoTags: []string{b.repository() + ":" + o.version}}
	for _, l := range m.Layers {
		entry.Layers = append(entry.Layers, blob(l.Digest))
	}
	return json.Marshal([]dockerManifest{entry})
}
