package edge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	dialTimeout   = 3 * time.Second
	headerTimeout = 2 * time.Minute // a long upload is answered when it was read
	idleConns     = 64
)

// passed are the request headers that a service gets; all others stay here, the cookie before all.
var passed = []string{
	"Accept", "Accept-Language", "Content-Length", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "Range", "X-Purpose",
}

type outcomeKey struct{}

// outcome carries why a service could not be reached from the proxy to whoever answers.
type outcome struct{ err error }

type targetKey struct{}

// target is where a request is passed on to, and by which token.
type target struct {
	url   *url.URL
	token string
}

// newProxy passes requests on with the headers that services know, and answers back without cookies.
func newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			ResponseHeaderTimeout: headerTimeout, MaxIdleConnsPerHost: idleConns, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		Rewrite: func(p *httputil.ProxyRequest) {
			to := p.In.Context().Value(targetKey{}).(target)
			p.Out.URL, p.Out.Host = to.url, ""
			headers := http.Header{}
			for _, name := range passed {
				if values := p.In.Header.Values(name); len(values) > 0 {
					headers[http.CanonicalHeaderKey(name)] = values
				}
			}
			headers.Set("Authorization", "Bearer "+to.token)
			propagation.TraceContext{}.Inject(p.In.Context(), propagation.HeaderCarrier(headers))
			p.Out.Header = headers
		},
		ModifyResponse: func(r *http.Response) error {
			for _, name := range []string{"Set-Cookie", "Clear-Site-Data", "Refresh", "Content-Security-Policy"} {
				r.Header.Del(name)
			}
			// A service sends nobody elsewhere, and a page of its own must not run here: what it has to show is downloaded.
			if kind := r.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/html") || strings.HasPrefix(kind, "image/svg") {
				r.Header.Set("Content-Disposition", "attachment")
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			r.Context().Value(outcomeKey{}).(*outcome).err = err
		},
	}
}

// serveAPI passes a request to /console/api/<service>/v1/... on to the service.
func (e *Edge) serveAPI(w http.ResponseWriter, r *http.Request, rest string) error {
	service, below, _ := strings.Cut(rest, "/")
	if !slices.Contains(e.cfg.Services, service) || !strings.HasPrefix(below, "v1/") {
		return errNothing
	}
	if err := e.ours(r); err != nil {
		return err
	}
	s, _, err := e.who(r)
	if err != nil {
		return err
	}
	base, err := e.base(service)
	if err != nil {
		return err
	}
	to, err := url.Parse(base)
	if err != nil {
		return err
	}
	// What is escaped stays escaped: an id may hold a slash.
	escaped := strings.TrimPrefix(r.URL.EscapedPath(), Prefix+"/api/"+service)
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return errNothing
	}
	to.RawPath, to.Path, to.RawQuery = to.EscapedPath()+escaped, to.Path+plain, r.URL.RawQuery
	var out outcome
	ctx := context.WithValue(context.WithValue(r.Context(), outcomeKey{}, &out), targetKey{}, target{url: to, token: s.Tokens.Access})
	e.proxy.ServeHTTP(w, r.WithContext(ctx))
	if out.err == nil {
		return nil
	}
	if r.Context().Err() != nil {
		return r.Context().Err()
	}
	if p := (*problem.Error)(nil); errors.As(out.err, &p) {
		return p // of the body that was read, such as one that is too large
	}
	return problem.New(problem.Unavailable, "peer_unavailable", "The service %s cannot be reached. Try again in a moment.", service).Because(withoutURL(out.err))
}

// withoutURL keeps ids in paths out of logs.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
