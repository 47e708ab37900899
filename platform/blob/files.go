package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// files keeps blobs in a folder. A blob appears under its name when it is whole.
type files struct{ dir string }

// part is between a blob's name and what tells apart those who are writing it. No key has it.
const part = ".part-"

// place gives where a key's file is, and makes its folder.
func (f *files) place(key string, folder bool) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	path := filepath.Join(f.dir, filepath.FromSlash(key))
	if folder {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", unavailable(err)
		}
	}
	return path, nil
}

func (f *files) Put(ctx context.Context, key string, r io.Reader) (_ int64, err error) {
	path, err := f.place(key, true)
	if err != nil {
		return 0, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+part)
	if err != nil {
		return 0, unavailable(err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	from := &source{Reader: r, ctx: ctx}
	n, err := io.Copy(file, from)
	if from.err != nil {
		return 0, from.err
	}
	if err == nil {
		err = file.Sync() // a row will say that it is there
	}
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return 0, unavailable(err)
	}
	return n, nil
}

// syncFolder has a new name outlive a power failure.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *files) Get(_ context.Context, key string) (io.ReadCloser, int64, error) {
	path, err := f.place(key, false)
	if err != nil {
		return nil, 0, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, ErrNotFound
	}
	if err != nil {
		return nil, 0, unavailable(err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, 0, unavailable(err)
	}
	return file, info.Size(), nil
}

func (f *files) Delete(_ context.Context, key string) error {
	path, err := f.place(key, false)
	if err != nil {
		return err
	}
	siblings, err := os.ReadDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	base := filepath.Base(path)
	for _, s := range siblings {
		if s.Name() != base && !strings.HasPrefix(s.Name(), base+part) {
			continue
		}
		if err := os.Remove(filepath.Join(filepath.Dir(path), s.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unavailable(err)
		}
	}
	return nil
}
