// Package httpx is the HTTP edge: one hardened gin engine and net/http server, on which every service registers typed
// operations (huma) that are documented, authorised and checked alike. Every error is application/problem+json.
package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Config of a server. The zero value of a field means its default.
type Config struct {
	Addr           string        // host:port; default 127.0.0.1:8080
	TrustedProxies []string      // CIDRs whose forwarding headers are believed; default none
	RequestTimeout time.Duration // an operation's time unless it says otherwise; default 10 s
	ReadTimeout    time.Duration // for a whole request but a streamed upload; default 30 s
	DrainTimeout   time.Duration // how long Run waits for requests in flight; default 25 s
}

const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	defaultMaxBody    = 1 << 20
	defaultMaxStream  = 1 << 30
	streamTimeout     = 30 * time.Minute
	streamIdle        = 30 * time.Second
)

// Server is one engine with one listener. Register everything before Run.
type Server struct {
	cfg      Config
	engine   *gin.Engine
	http     *http.Server
	verifier *auth.Verifier
	log      *slog.Logger
	observe  *observer
	plain    map[string]bool // routes that are neither traced nor logged unless they fail

	mu       sync.Mutex
	listener net.Listener
	stopping chan struct{} // closed when the server begins to go down
}

// NewServer makes a server. It panics when cfg cannot work, such as a proxy that is no CIDR.
func NewServer(cfg Config, verifier *auth.Verifier, log *slog.Logger) *Server {
	cfg = cfg.withDefaults()
	teachHuma()
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.RedirectFixedPath = false
	engine.HandleMethodNotAllowed = true
	if err := engine.SetTrustedProxies(cfg.TrustedProxies); err != nil {
		panic(fmt.Sprintf("httpx: trusted proxies: %v", err))
	}
	s := &Server{
		cfg: cfg, engine: engine, verifier: verifier, log: log,
		observe: newObserver(), plain: map[string]bool{}, stopping: make(chan struct{}),
	}
	s.http = &http.Server{
		Addr: cfg.Addr, Handler: engine,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       cfg.ReadTimeout,
		WriteTimeout:      cfg.ReadTimeout + cfg.RequestTimeout + 5*time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	s.http.RegisterOnShutdown(func() { close(s.stopping) })
	engine.Use(s.edge)
	engine.NoRoute(func(c *gin.Context) {
		fail(c, 0, problem.New(problem.NotFound, "route_not_found", "There is nothing at this path."))
	})
	engine.NoMethod(func(c *gin.Context) {
		fail(c, http.StatusMethodNotAllowed, problem.New(problem.BadRequest, "method_not_allowed",
			"This path has other methods; the Allow header lists them."))
	})
	return s
}

func (c Config) withDefaults() Config {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:8080"
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = 10 * time.Second
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = 30 * time.Second
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 25 * time.Second
	}
	return c
}

// Handler gives the whole server as a handler, for tests.
func (s *Server) Handler() http.Handler { return s.engine }

// Mount serves a plain public route, such as a probe or the development issuer: no authorisation, no documentation, no
// trace. path is a gin pattern (/livez, /dev-issuer/*path); method "" stands for all of them. h sees the whole path.
func (s *Server) Mount(method, path string, h http.Handler) {
	s.plain[path] = true
	handle := func(c *gin.Context) {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, defaultMaxBody)
		h.ServeHTTP(c.Writer, c.Request)
	}
	if method == "" {
		s.engine.Any(path, handle)
		return
	}
	s.engine.Handle(method, path, handle)
}

// Listen opens the listener ahead of Run and gives its address, for those who must know the port first.
func (s *Server) Listen() (net.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		l, err := net.Listen("tcp", s.cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("listening for HTTP: %w", err)
		}
		s.listener = l
	}
	return s.listener.Addr(), nil
}

// Run serves until ctx ends, then accepts nothing more, lets the requests in flight finish and returns. Requests that
// are still running after the drain time are cut off and reported as an error.
func (s *Server) Run(ctx context.Context) error {
	if _, err := s.Listen(); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	err := s.http.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(fmt.Errorf("some HTTP requests did not finish within %s and were cut off", s.cfg.DrainTimeout), s.http.Close())
	}
	return err
}
