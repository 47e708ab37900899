// Package blob keeps files that are too big for a row: what customers and agents attach. In development they are files in a
// folder, in a cluster objects of an S3-compatible store. A service writes down a key in its own database before it puts
// anything there, so that every blob is known to some row and can be swept; the store is never asked for a list.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// ErrNotFound says that there is nothing under the key.
var ErrNotFound = errors.New("blob: there is nothing under this key")

// Store keeps blobs. Its errors are ErrNotFound, those of the reader that was handed in, and Unavailable
// blob_store_unavailable, after which the same may be tried again. It is safe for concurrent use.
type Store interface {
	// Put reads r to its end and keeps what it gave under the key, in the place of what was there. It gives the number of
	// bytes. When it fails, nothing new is there, and it may have left parts behind, which Delete removes. It holds no more
	// than a few MiB at a time.
	Put(ctx context.Context, key string, r io.Reader) (int64, error)
	// Get opens a blob and tells its size in bytes. The caller closes it.
	Get(ctx context.Context, key string) (io.ReadCloser, int64, error)
	// Delete removes a blob and what an interrupted Put left of it; that nothing was there is no error.
	Delete(ctx context.Context, key string) error
}

// Config says where blobs are: in Dir or in S3. Nowhere is fine for a process whose services keep none.
type Config struct {
	// Dir is a folder that all processes of the installation see.
	Dir string
	S3  S3
}

// S3 is a bucket of an S3-compatible store.
type S3 struct {
	// Endpoint is its address, such as https://s3.eu-central-1.amazonaws.com or http://minio.storage:9000.
	Endpoint string
	Bucket   string // which is there already; nobody else may read it
	Region   string // empty: the store is asked
	// AccessKey and SecretKey are credentials. Both empty: those of the pod's own identity (web identity, instance metadata).
	AccessKey, SecretKey string
}

// Configured tells whether there is a place for blobs.
func (c Config) Configured() bool { return c.Dir != "" || c.S3 != S3{} }

// Validate names everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.S3 == (S3{}) {
		return nil
	}
	if c.Dir != "" {
		bad("blob.dir: cannot be set together with blob.s3")
	}
	if u, err := url.Parse(c.S3.Endpoint); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" {
		bad("blob.s3.endpoint: must be the address of the store without a path, such as https://s3.eu-central-1.amazonaws.com")
	}
	if c.S3.Bucket == "" {
		bad("blob.s3.bucket: is required")
	}
	if (c.S3.AccessKey == "") != (c.S3.SecretKey == "") {
		bad("blob.s3: access_key and secret_key belong together; leave out both to use the pod's identity")
	}
	return errors.Join(errs...)
}

// Open gives the store of a configuration that was found valid; nil where none is configured. It calls nobody yet.
func Open(c Config) (Store, error) {
	switch {
	case c.S3 != S3{}:
		return openS3(c.S3)
	case c.Dir != "":
		return &files{dir: c.Dir}, nil
	default:
		return nil, nil //nolint:nilnil // no place is a valid answer, and documented
	}
}

// keyShape keeps keys to what every store takes and no path can be led astray by.
var keyShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$`)

// maxKey is the longest key, in bytes.
const maxKey = 512

// checkKey refuses what is no key: a mistake in our code, since keys are made of ids.
func checkKey(key string) error {
	if len(key) > maxKey || !keyShape.MatchString(key) {
		return fmt.Errorf("blob: %q is no key: small letters, digits, - and _ in parts between slashes", key)
	}
	return nil
}

func unavailable(err error) error {
	return problem.New(problem.Unavailable, "blob_store_unavailable", "Files cannot be stored or fetched just now. Try again.").Because(err)
}

// source remembers why a reader ended, since a store may take some errors for the end: to io.ReadFull's callers a connection
// that broke reads like a short part.
type source struct {
	io.Reader
	ctx context.Context
	n   int64
	err error // other than io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.Reader.Read(p)
	s.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
