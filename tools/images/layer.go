package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// file is one entry of a layer: a folder, a link, content, or a file of this machine.
type file struct {
	mode    int64
	folder  bool
	link    string
	content []byte
	from    string
}

// files are the entries of a layer by their paths, without the leading slash.
type files map[string]file

// layer packs files, owned by root, all of one date and in one order: the same files make the same bytes.
func layer(fs files, date time.Time) (v1.Layer, error) {
	all := maps.Clone(fs)
	for name := range fs {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, is := all[dir]; !is {
				all[dir] = file{mode: 0o755, folder: true}
			}
		}
	}
	packed, err := os.CreateTemp("", "layer-*.tar")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(packed.Name()) }()
	defer func() { _ = packed.Close() }()
	w := tar.NewWriter(packed)
	for _, name := range sorted(all) {
		if err := writeEntry(w, name, all[name], date); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return compressed(packed.Name())
}

// compressed keeps the layer in memory, compressed, so that it is compressed once only.
func compressed(tarFile string) (v1.Layer, error) {
	raw, err := os.Open(tarFile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = raw.Close() }()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(z, raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil })
}

func sorted(fs files) []string { return slices.Sorted(maps.Keys(fs)) }

func writeEntry(w *tar.Writer, name string, f file, date time.Time) error {
	h := &tar.Header{Name: name, Mode: f.mode, ModTime: date, Format: tar.FormatPAX}
	switch {
	case f.folder:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		return w.WriteHeader(h)
	case f.link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		return w.WriteHeader(h)
	case f.from != "":
		from, err := os.Open(f.from)
		if err != nil {
			return err
		}
		defer func() { _ = from.Close() }()
		info, err := from.Stat()
		if err != nil {
			return err
		}
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = io.Copy(w, from)
		return err
	default:
		h.Typeflag, h.Size = tar.TypeReg, int64(len(f.content))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(f.content)
		return err
	}
}

// addTree adds the files below a folder of this machine but those that skip names; links become what they point to.
func (fs files) addTree(dir string, skip func(rel string) bool) error {
	return filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if skip(rel) {
			if info.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if info.IsDir() {
			return nil
		}
		return fs.add(p)
	})
}

// add adds one file of this machine at its own path. A folder that a link points to is left out.
func (fs files) add(p string) error {
	info, err := os.Stat(p)
	if err != nil || info.IsDir() {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	fs[strings.TrimPrefix(p, "/")] = file{mode: mode, from: p}
	return nil
}
