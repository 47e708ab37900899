package edge

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

// smallest is the size in bytes from which a file is worth being compressed.
const smallest = 1024

// Page is the page as it was built.
type Page struct {
	// Files has index.html and, below assets/, files whose names change with their content.
	Files fs.FS
	// Instead is shown where the page was not built.
	Instead []byte
}

type file struct {
	body, gzipped []byte
	kind, tag     string
}

// pages serves the files of the page. Each is compressed once, when it is first asked for.
type pages struct {
	page Page

	mu    sync.Mutex
	files map[string]*file
}

func newPages(page Page) (*pages, error) {
	p := &pages{page: page, files: map[string]*file{}}
	_, err := p.load("index.html")
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
		p.files["index.html"] = pack("index.html", page.Instead)
	}
	return p, err
}

// serve answers with a file, or with the page itself, which knows its own paths. A file that is not there is 404: an old page
// would take the index for the script that it asks for.
func (p *pages) serve(w http.ResponseWriter, r *http.Request, name string) error {
	header := w.Header()
	cache := "no-cache"
	switch {
	case strings.HasPrefix(name, "assets/"):
		cache = "public, max-age=31536000, immutable"
	case path.Ext(name) == "" || name == "":
		name = "index.html"
	}
	f, err := p.load(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return errNothing
	}
	if err != nil {
		return err
	}
	header.Set("Cache-Control", cache)
	header.Set("Content-Type", f.kind)
	header.Set("ETag", f.tag)
	header.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("If-None-Match"), f.tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	body := f.body
	if f.gzipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		body = f.gzipped
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the browser has gone; there is nobody left to tell
	}
	return nil
}

func (p *pages) load(name string) (*file, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.files[name]; f != nil {
		return f, nil
	}
	if strings.HasPrefix(path.Base(name), ".") {
		return nil, fs.ErrNotExist // what keeps the folder in the repository
	}
	body, err := fs.ReadFile(p.page.Files, name)
	if err != nil {
		return nil, err
	}
	f := pack(name, body)
	p.files[name] = f
	return f, nil
}

func pack(name string, body []byte) *file {
	sum := sha256.Sum256(body)
	f := &file{body: body, kind: mime.TypeByExtension(path.Ext(name)), tag: `"` + hex.EncodeToString(sum[:12]) + `"`}
	if f.kind == "" {
		f.kind = "application/octet-stream"
	}
	if len(body) < smallest {
		return f
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a constant that it knows
	_, _ = z.Write(body)                                  // memory takes everything
	_ = z.Close()
	if b.Len() < len(body)*9/10 {
		f.gzipped = b.Bytes()
	}
	return f
}
