package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// save writes name.tar and name.spdx.json, and the digest into digests.txt.
func save(o options, b built) error {
	dir, err := os.MkdirTemp(o.out, ".layout-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	index, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	// The first is what containerd calls the image, the second what other programs call it within the archive.
	names := map[string]string{
		"io.containerd.image.name":          "docker.io/" + b.repository() + ":" + o.version,
		"org.opencontainers.image.ref.name": o.version,
	}
	if err := index.AppendImage(b.v1, layout.WithAnnotations(names)); err != nil {
		return err
	}
	docker, err := dockerJSON(o, b)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), docker, 0o600); err != nil {
		return err
	}
	if err := pack(o, dir, filepath.Join(o.out, b.name+".tar")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, b.name+".spdx.json"), b.sbom, 0o644); err != nil {
		return err
	}
	digest, err := b.v1.Digest()
	if err != nil {
		return err
	}
	return noteDigest(filepath.Join(o.out, "digests.txt"), b.repository()+":"+o.version, digest.String())
}

// pack makes the archive, whole or not at all.
func pack(o options, dir, archive string) (err error) {
	all := files{}
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		all[rel] = file{mode: 0o644, from: p}
		return err
	})
	if err != nil {
		return err
	}
	out, err := os.Create(archive + ".making")
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	for _, name := range sorted(all) {
		if err := writeEntry(w, name, all[name], o.created); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		return err
	}
	return os.Rename(archive+".making", archive)
}

// noteDigest puts a line "name digest" in the place of the one of that name.
func noteDigest(path, name, digest string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := []string{name + " " + digest}
	for line := range strings.Lines(string(old)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, name+" ") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	fmt.Println("   ", name, digest)
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}
