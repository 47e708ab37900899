package httpx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// siteTimeout bounds one answer of a site: an upload or a download that it passes on may take that long.
const siteTimeout = streamTimeout + streamIdle

// Site is what people's browsers are served below one path: pages, sign-in and all that is behind them. It guards itself.
type Site struct {
	// Prefix is the path below which it answers, such as /console. It is also where / leads.
	Prefix string
	// Serve answers a request, whose path is the whole one. Its error becomes a problem as long as nothing was written, and
	// closes the connection otherwise. Bodies are bounded in size, and in the time between two reads.
	Serve func(w http.ResponseWriter, r *http.Request) error
}

// Site adds a site. It is traced and logged as operations are, under the pattern of its prefix.
func (s *Server) Site(site Site) {
	handle := func(c *gin.Context) {
		control := http.NewResponseController(c.Writer)
		err := control.SetWriteDeadline(time.Now().Add(siteTimeout))
		if errors.Is(err, http.ErrNotSupported) {
			err = nil // without a real connection, as in some tests
		}
		if err != nil {
			err = fmt.Errorf("setting the time for writing: %w", err)
		} else {
			c.Request.Body = &streamBody{body: c.Request.Body, left: defaultMaxStream, limit: defaultMaxStream, control: control}
			put(context.WithValue(c.Request.Context(), stoppingKey{}, s.stopping), c)
			err = site.Serve(c.Writer, c.Request)
		}
		if err == nil {
			return
		}
		p := settle(c.Request.Context(), err)
		if c.Writer.Written() {
			stateOf(c.Request.Context()).problem = p
			panic(http.ErrAbortHandler)
		}
		fail(c, 0, p)
	}
	s.engine.Any(site.Prefix, handle)
	s.engine.Any(site.Prefix+"/*path", handle)
	s.engine.GET("/", func(c *gin.Context) { c.Redirect(http.StatusFound, site.Prefix+"/") })
}

type stoppingKey struct{}

// Stopping gives a channel that is closed when the server begins to go down, for a site that answers for long: it ends its answer
// then. Outside of a site's request it is nil, which is never closed.
func Stopping(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(stoppingKey{}).(chan struct{})
	return c
}

// OfTenant names the tenant of a site's request to the access log and the trace.
func OfTenant(ctx context.Context, tenant string) {
	if st := stateOf(ctx); st != nil {
		st.tenant = tenant
	}
}
