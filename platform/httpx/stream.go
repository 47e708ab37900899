package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Stream adds a plain gin route for a streamed upload or download. It has the same guard, documentation and problems as
// Register. The body is limited by MaxBody and may take as long as Timeout, as long as something comes every 30 s. An
// error of handle becomes a problem when nothing was written yet, and closes the connection otherwise. handle must not
// keep c.
func Stream(a *API, op Operation, handle func(c *gin.Context) error) {
	op.check()
	a.equip(&op)
	op.stream = true
	op.hasBody = len(op.Consumes) > 0
	if op.MaxBody == 0 {
		op.MaxBody = defaultMaxStream
	}
	if op.Timeout == 0 {
		op.Timeout = streamTimeout
	}
	op.queryNames = map[string]bool{}
	for _, p := range op.Parameters {
		if p.In == "" || p.In == "query" {
			op.queryNames[p.Name] = p.Repeatable
		}
	}
	server := a.server
	path := strings.NewReplacer("{", ":", "}", "").Replace(op.Path)
	server.engine.Handle(op.Method, path, func(c *gin.Context) {
		err := server.guard(c, &op)
		if err == nil {
			err = op.open(c)
		}
		if err == nil {
			defer server.limited(c, &op)()
			err = handle(c)
		}
		if err == nil {
			return
		}
		p := settle(c.Request.Context(), err)
		if c.Writer.Written() {
			stateOf(c.Request.Context()).problem = p
			panic(http.ErrAbortHandler)
		}
		fail(c, statusOf(err), p)
	})
	a.documentStream(&op)
	a.finish(&op)
}

// open prepares the request's body for being streamed.
func (op *Operation) open(c *gin.Context) error {
	r := c.Request
	for _, p := range op.Parameters {
		if p.Required && (p.In == "" || p.In == "query") && !r.URL.Query().Has(p.Name) {
			return problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.").
				WithField("query."+p.Name, "required", "is missing")
		}
	}
	control := http.NewResponseController(c.Writer)
	if err := control.SetWriteDeadline(time.Now().Add(op.Timeout + streamIdle)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("setting the time for writing: %w", err)
	}
	if !op.hasBody {
		if n, _ := io.CopyN(io.Discard, r.Body, 1); n > 0 {
			return problem.New(problem.BadRequest, "body_unexpected", "This operation takes no body.")
		}
		return nil
	}
	if err := contentType(r, op.Consumes); err != nil {
		return err
	}
	if r.ContentLength > op.MaxBody {
		return tooLarge(op.MaxBody)
	}
	r.Body = &streamBody{body: r.Body, left: op.MaxBody, limit: op.MaxBody, control: control}
	return nil
}

// streamBody bounds a body in size, and in the time between two reads instead of in the whole.
type streamBody struct {
	body        io.ReadCloser
	left, limit int64
	control     *http.ResponseController
}

func (b *streamBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	// Not supported without a real connection, as in some tests; then there is nothing to bound either.
	_ = b.control.SetReadDeadline(time.Now().Add(streamIdle))
	n, err := b.body.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge(b.limit)
	}
	if err != nil {
		// A deadline left behind would end the request's context while the handler still works.
		_ = b.control.SetReadDeadline(time.Time{})
		if !errors.Is(err, io.EOF) {
			err = readError(err)
		}
	}
	return n, err
}

func (b *streamBody) Close() error { return b.body.Close() }

// HashedBody is the body of a streamed operation, hashed while it is read.
type HashedBody struct {
	io.Reader
	c *gin.Context
}

// HashBody gives the request's body as a reader that hashes what it gives. Read it to its end, then take Context.
func HashBody(c *gin.Context) *HashedBody {
	st := stateOf(c.Request.Context())
	if st == nil || st.once == nil {
		return &HashedBody{Reader: c.Request.Body, c: c}
	}
	return &HashedBody{Reader: io.TeeReader(c.Request.Body, st.hash), c: c}
}

// Context gives the request's context; when the caller sent an Idempotency-Key it carries pg.Once with the hash of
// method, path, query and of what was read. Read the body to its end first.
func (h *HashedBody) Context() context.Context {
	ctx := h.c.Request.Context()
	st := stateOf(ctx)
	if st == nil || st.once == nil {
		return ctx
	}
	once := *st.once
	once.BodyHash = st.hash.Sum(nil)
	return pg.WithOnce(ctx, once)
}
