package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/guanxi-crm/guanxi/platform/blob"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// stores gives one of each kind, the second on a server that speaks S3.
func stores(t *testing.T) map[string]blob.Store {
	t.Helper()
	all := make(map[string]blob.Store)
	for name, c := range map[string]blob.Config{"files": {Dir: filepath.Join(t.TempDir(), "blobs")}, "s3": {S3: s3(t)}} {
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		store, err := blob.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = store
	}
	return all
}

// s3 starts an S3 server with an empty bucket.
func s3(t *testing.T) blob.S3 {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("guanxi"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return blob.S3{Endpoint: server.URL, Bucket: "guanxi", Region: "eu-central-1", AccessKey: "key", SecretKey: "secret"}
}

func read(t *testing.T, s blob.Store, key string) ([]byte, error) {
	t.Helper()
	body, size, err := s.Get(t.Context(), key)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	if size != int64(len(raw)) {
		t.Errorf("%s: said to be %d bytes, is %d", key, size, len(raw))
	}
	return raw, nil
}

func TestABlobIsReadAsItWasPut(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		for _, size := range []int{0, 1, 5 << 20, 5<<20 + 1, 12 << 20} { // around what is sent in parts
			content := bytes.Repeat([]byte("比萨. pizza"), size/12+1)[:size]
			n, err := s.Put(t.Context(), "tickets/pizza/a1", bytes.NewReader(content))
			if err != nil || n != int64(size) {
				t.Fatalf("%s: put %d bytes: %d, %v", name, size, n, err)
			}
			if got, err := read(t, s, "tickets/pizza/a1"); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes came back as %d: %v", name, size, len(got), err)
			}
		}
	}
}

func TestADeletedBlobIsGoneAndMayBeDeletedAgain(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		if _, err := read(t, s, "tickets/pizza/a1"); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s: before anything was put: %v", name, err)
		}
		for _, key := range []string{"tickets/pizza/a1", "tickets/pizza/a12", "tickets/music/a1"} {
			if _, err := s.Put(t.Context(), key, strings.NewReader(key)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := s.Delete(t.Context(), "tickets/pizza/a1"); err != nil {
				t.Errorf("%s: delete: %v", name, err)
			}
		}
		if _, err := read(t, s, "tickets/pizza/a1"); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s: after it was deleted: %v", name, err)
		}
		for _, other := range []string{"tickets/pizza/a12", "tickets/music/a1"} {
			if got, err := read(t, s, other); err != nil || string(got) != other {
				t.Errorf("%s: %s went with it: %v", name, other, err)
			}
		}
	}
}

// broken gives n bytes and then an error.
type broken struct {
	n   int
	err error
}

func (b *broken) Read(p []byte) (int, error) {
	if b.n == 0 {
		return 0, b.err
	}
	n := min(len(p), b.n)
	b.n -= n
	return n, nil
}

func TestNothingIsKeptOfWhatBreaksOff(t *testing.T) {
	t.Parallel()
	tooLarge := problem.New(problem.TooLarge, "too_large", "")
	for name, s := range stores(t) {
		for _, size := range []int{0, 10, 5 << 20, 7 << 20, 11 << 20} {
			// A connection that breaks reads as an unexpected end, which must not be taken for the end.
			for _, why := range []error{io.ErrUnexpectedEOF, tooLarge} {
				if _, err := s.Put(t.Context(), "tickets/pizza/a1", &broken{size, why}); !errors.Is(err, why) {
					t.Errorf("%s: broken after %d bytes by %v: %v", name, size, why, err)
				}
				if got, err := read(t, s, "tickets/pizza/a1"); !errors.Is(err, blob.ErrNotFound) {
					t.Errorf("%s: %d of %d bytes are kept: %v", name, len(got), size, err)
				}
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Put(ctx, "tickets/pizza/a1", strings.NewReader("late")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: nobody waits for it any more: %v", name, err)
		}
	}
}

func TestPartsOfAKilledProcessGoWithTheBlob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := blob.Open(blob.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "tickets", "pizza")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a1.part-123", "a2.part-123"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), "tickets/pizza/a1"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 || left[0].Name() != "a2.part-123" {
		t.Fatalf("left are %v, %v", left, err)
	}
}

func TestAKeyLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		for _, key := range []string{"", "/etc/passwd", "../a", "a/../b", "a//b", "a/", "A", "a b", "a.part-1", "ä", strings.Repeat("a", 513)} {
			if _, err := s.Put(t.Context(), key, strings.NewReader("x")); err == nil {
				t.Errorf("%s: %q was put", name, key)
			}
			if _, _, err := s.Get(t.Context(), key); err == nil || errors.Is(err, blob.ErrNotFound) {
				t.Errorf("%s: %q was looked for: %v", name, key, err)
			}
			if err := s.Delete(t.Context(), key); err == nil {
				t.Errorf("%s: %q was deleted", name, key)
			}
		}
	}
}

func TestBlobsArePutAndReadAtOnce(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				content := bytes.Repeat([]byte{byte('a' + i)}, 100_000)
				if _, err := s.Put(t.Context(), "tickets/pizza/same", bytes.NewReader(content)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				got, err := read(t, s, "tickets/pizza/same")
				if err != nil || len(got) != 100_000 || !bytes.Equal(got, bytes.Repeat(got[:1], 100_000)) {
					t.Errorf("%s: %d bytes of several: %v", name, len(got), err)
				}
			})
		}
		wait.Wait()
	}
}

func TestAStoreThatIsAwayIsSaidToBe(t *testing.T) {
	t.Parallel()
	gone := s3(t)
	gone.Bucket = "another" // there is none: nothing may be taken for missing, or for deleted
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(refusing.Close)
	forbidden := s3(t)
	forbidden.Endpoint = refusing.URL
	occupied := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(occupied, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]blob.Config{"no bucket": {S3: gone}, "forbidden": {S3: forbidden}, "no folder": {Dir: occupied}} {
		s, err := blob.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		_, putErr := s.Put(t.Context(), "tickets/a", strings.NewReader("x"))
		_, _, getErr := s.Get(t.Context(), "tickets/a")
		for what, err := range map[string]error{"put": putErr, "get": getErr, "delete": s.Delete(t.Context(), "tickets/a")} {
			if problem.KindOf(err) != problem.Unavailable {
				t.Errorf("%s: %s gives %v", name, what, err)
			}
		}
	}
}

func TestAConfigurationIsCompleteOrSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	whole := blob.S3{Endpoint: "https://s3.example.com", Bucket: "guanxi", AccessKey: "a", SecretKey: "b"}
	change := func(f func(*blob.Config)) blob.Config {
		c := blob.Config{S3: whole}
		f(&c)
		return c
	}
	for want, c := range map[string]blob.Config{
		"":                 {},
		"blob.dir":         change(func(c *blob.Config) { c.Dir = "/blobs" }),
		"blob.s3.endpoint": change(func(c *blob.Config) { c.S3.Endpoint = "s3.example.com" }),
		"without a path":   change(func(c *blob.Config) { c.S3.Endpoint = "https://s3.example.com/guanxi" }),
		"blob.s3.bucket":   change(func(c *blob.Config) { c.S3.Bucket = "" }),
		"access_key":       change(func(c *blob.Config) { c.S3.SecretKey = "" }),
	} {
		err := c.Validate()
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if s, err := blob.Open(blob.Config{}); s != nil || err != nil {
		t.Errorf("no place: %v, %v", s, err)
	}
}
