package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// edge is around every request: trace, security headers, one log line, and the end of panics.
func (s *Server) edge(c *gin.Context) {
	start := time.Now()
	header := c.Writer.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	st := &state{header: header, caller: c.Request.Context()}
	plain := s.plain[c.FullPath()]
	ctx, span := s.observe.start(c, plain)
	header.Set(traceHeader, traceID(ctx))
	put(context.WithValue(ctx, stateKey{}, st), c)
	defer func() {
		aborted := s.caught(c, recover())
		took := time.Since(start)
		s.observe.end(c, span, st, took, plain)
		s.access(c, st, took, plain)
		st.counted(c.Writer.Status() >= http.StatusInternalServerError || aborted)
		if aborted {
			panic(http.ErrAbortHandler) // net/http closes the connection, so that a cut answer does not look whole
		}
	}()
	if err := readable(c.Request); err != nil {
		fail(c, 0, err)
		return
	}
	c.Next()
}

// caught turns a panic into a 500. It tells whether the connection must be closed, because an answer had begun.
func (s *Server) caught(c *gin.Context, r any) (abort bool) {
	if r == nil {
		return false
	}
	if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	p := problem.From(fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
	if c.Writer.Written() {
		stateOf(c.Request.Context()).problem = p
		return true
	}
	fail(c, 0, p)
	return false
}

// access logs one line for one request: no query, no path but the route's, no address. An error of ours is logged here
// and nowhere else.
func (s *Server) access(c *gin.Context, st *state, took time.Duration, plain bool) {
	ctx := c.Request.Context()
	level, status := slog.LevelInfo, c.Writer.Status()
	attrs := []slog.Attr{
		slog.String("method", method(c.Request)), slog.String("route", route(c)), slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.Int("bytes", max(c.Writer.Size(), 0)),
	}
	if st.tenant != "" {
		attrs = append(attrs, slog.String("tenant", st.tenant))
	}
	if p := st.problem; p != nil {
		attrs = append(attrs, slog.String("code", p.Code))
		switch {
		case p.Kind == problem.Unavailable && st.caller.Err() != nil:
			attrs = append(attrs, slog.Bool("caller_gone", true)) // who hangs up is nobody's fault
		case p.Kind == problem.Internal:
			level = slog.LevelError
		case p.Kind == problem.Unavailable:
			level = slog.LevelWarn
		}
		if level > slog.LevelInfo {
			attrs = append(attrs, slog.String("error", p.Error()))
		}
	} else if plain {
		level = slog.LevelDebug
	}
	s.log.LogAttrs(ctx, level, "http", attrs...)
}

// counted has the request counted. A caller who hung up got no answer, good or bad.
func (st *state) counted(failed bool) {
	if st.count != nil && st.tenant != "" {
		st.count(st.tenant, failed && st.caller.Err() == nil)
	}
}

// route is the pattern that the request was routed to; unknown paths share one name.
func route(c *gin.Context) string {
	if p := c.FullPath(); p != "" {
		return p
	}
	return "unmatched"
}

// method keeps invented methods out of logs and metrics.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	default:
		return "OTHER"
	}
}

// readable refuses what no part of the platform can store or compare: U+0000 and bad UTF-8 in path, query and headers,
// and query strings that cannot be taken apart.
func readable(r *http.Request) error {
	if !text(r.URL.Path) {
		return problem.New(problem.BadRequest, "path_invalid", "The path holds U+0000 or is not UTF-8.")
	}
	if r.URL.RawQuery != "" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return problem.New(problem.BadRequest, "query_invalid", "The query string cannot be taken apart; is something not escaped?")
		}
		for name, values := range query {
			if !text(name) || !text(strings.Join(values, "")) {
				return problem.New(problem.BadRequest, "query_invalid", "The query string holds U+0000 or is not UTF-8.").
					WithField("query."+safeName(name), "text", "holds U+0000 or is not UTF-8")
			}
		}
	}
	for name, values := range r.Header {
		for _, v := range values {
			if !text(v) {
				return problem.New(problem.BadRequest, "header_invalid", "A header holds U+0000 or is not UTF-8.").
					WithField("header."+safeName(name), "text", "holds U+0000 or is not UTF-8")
			}
		}
	}
	return nil
}

func text(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
