// Package edge is the one origin that browsers talk to: the page with its headers, sign-in and sign-out, and the way to the
// services' APIs on behalf of whoever signed in.
package edge

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/console/internal/live"
	"github.com/guanxi-crm/guanxi/services/console/internal/session"
	"github.com/guanxi-crm/guanxi/services/console/internal/signin"
)

const (
	// Prefix is the path below which everything of the console is.
	Prefix = "/console"
	// markHeader must be on whatever changes something: a form of another site cannot set it, and a script of another site may not.
	markHeader = "X-Guanxi-Console"
	// signInFor is how long the browser keeps what it needs to come back from the issuer, in seconds.
	signInFor = 600
)

// Config is what the edge is told from outside.
type Config struct {
	URL      *url.URL // where browsers find it: scheme and host
	Services []string // whose APIs are passed on
	Absolute time.Duration
	// Workflows is where the workflows of the installation's namespace are shown, Traces where a trace is ({trace_id} stands for its
	// id); empty: nowhere.
	Workflows, Traces string
}

// Edge answers below Prefix. It is safe for concurrent use.
type Edge struct {
	cfg      Config
	sessions *session.Store
	signIn   *signin.Service
	tokens   *auth.Verifier
	hub      *live.Hub
	pages    *pages
	proxy    *httputil.ReverseProxy
	base     func(service string) (string, error)
	cross    *http.CrossOriginProtection
}

// Parts are what the edge stands on.
type Parts struct {
	Sessions *session.Store
	SignIn   *signin.Service
	Tokens   *auth.Verifier
	Hub      *live.Hub
	// Base gives where the API of a service is.
	Base func(service string) (string, error)
}

// New makes the edge.
func New(cfg Config, p Parts, page Page) (*Edge, error) {
	pages, err := newPages(page)
	if err != nil {
		return nil, err
	}
	e := &Edge{
		cfg: cfg, sessions: p.Sessions, signIn: p.SignIn, tokens: p.Tokens, hub: p.Hub, pages: pages, base: p.Base,
		cross: http.NewCrossOriginProtection(),
	}
	// Behind a proxy the Host may be another than the browser's.
	if err := e.cross.AddTrustedOrigin(cfg.URL.Scheme + "://" + cfg.URL.Host); err != nil {
		return nil, err
	}
	e.proxy = newProxy()
	return e, nil
}

// Serve answers one request.
func (e *Edge) Serve(w http.ResponseWriter, r *http.Request) error {
	e.harden(w.Header())
	if !plainPath(r.URL) {
		return errNothing
	}
	below := strings.TrimPrefix(r.URL.Path, Prefix)
	first, rest, _ := strings.Cut(strings.TrimPrefix(below, "/"), "/")
	switch {
	case below == "":
		http.Redirect(w, r, Prefix+"/", http.StatusFound)
		return nil
	case below == "/sign-in":
		return e.only(r, http.MethodGet, func() error { return e.serveSignIn(w, r) })
	case below == "/callback":
		return e.only(r, http.MethodGet, func() error { return e.serveCallback(w, r) })
	case below == "/sign-out":
		return e.only(r, http.MethodPost, func() error { return e.serveSignOut(w, r) })
	case below == "/session":
		return e.only(r, http.MethodGet, func() error { return e.serveSession(w, r) })
	case below == "/live":
		return e.only(r, http.MethodGet, func() error { return e.serveLive(w, r) })
	case first == "api":
		return e.serveAPI(w, r, rest)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return errMethod
	}
	return e.pages.serve(w, r, strings.TrimPrefix(below, "/"))
}

var (
	errNothing = problem.New(problem.NotFound, "route_not_found", "There is nothing at this path.")
	errMethod  = problem.New(problem.BadRequest, "method_not_allowed", "This path has other methods.")
	errForeign = problem.New(problem.Forbidden, "cross_origin_refused", "This request did not come from the console's own page.")
)

// plainPath refuses what two readers of a path may read differently.
func plainPath(u *url.URL) bool {
	clean := path.Clean(u.Path)
	return (u.Path == clean || u.Path == clean+"/") && !strings.Contains(u.Path, `\`)
}

func (e *Edge) only(r *http.Request, method string, serve func() error) error {
	if r.Method != method {
		return errMethod
	}
	if method != http.MethodGet {
		if err := e.ours(r); err != nil {
			return err
		}
	}
	return serve()
}

// ours refuses what another site made the browser send: by Sec-Fetch-Site and Origin, and by the header that only our page sets.
func (e *Edge) ours(r *http.Request) error {
	if err := e.cross.Check(r); err != nil {
		return errForeign.Because(err)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get(markHeader) == "" {
		return errForeign.Because(errors.New(markHeader + " is missing"))
	}
	return nil
}

// who gives the session of the request and whom it is of.
func (e *Edge) who(r *http.Request) (session.Session, auth.Principal, error) {
	cookie, err := r.Cookie(e.cookieName(sessionCookie))
	if err != nil {
		return session.Session{}, auth.Principal{}, session.ErrNone
	}
	s, err := e.sessions.Find(r.Context(), cookie.Value)
	if err != nil {
		return session.Session{}, auth.Principal{}, err
	}
	who, err := e.tokens.Verify(r.Context(), s.Tokens.Access)
	switch {
	case problem.KindOf(err) == problem.Unauthenticated, err == nil && who.Tenant != s.Tenant:
		return session.Session{}, auth.Principal{}, session.ErrNone.Because(err)
	case err != nil:
		return session.Session{}, auth.Principal{}, err
	}
	httpx.OfTenant(r.Context(), who.Tenant)
	return s, who, nil
}

func (e *Edge) serveSignIn(w http.ResponseWriter, r *http.Request) error {
	to := r.URL.Query().Get("to")
	if u, err := url.Parse(to); err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, Prefix+"/") || strings.Contains(to, `\`) {
		to = Prefix + "/"
	}
	issuer, sealed, err := e.signIn.Begin(r.Context(), to)
	if err != nil {
		return err
	}
	e.setCookie(w, signInCookie, sealed, signInFor)
	http.Redirect(w, r, issuer, http.StatusSeeOther) //nolint:gosec // the authorisation endpoint of the configured issuer
	return nil
}

func (e *Edge) serveCallback(w http.ResponseWriter, r *http.Request) error {
	var sealed string
	if cookie, err := r.Cookie(e.cookieName(signInCookie)); err == nil {
		sealed = cookie.Value
	}
	e.setCookie(w, signInCookie, "", -1)
	tokens, who, to, err := e.signIn.Finish(r.Context(), sealed, r.URL.Query())
	if err != nil {
		// Somebody looks at this, not a program: the page says what happened and what to do.
		p := problem.From(err)
		if problem.CallersFault(p) || p.Kind == problem.Unavailable {
			http.Redirect(w, r, Prefix+"/?"+url.Values{"problem": {p.Code}}.Encode(), http.StatusSeeOther)
			return nil
		}
		return err
	}
	cookie, err := e.sessions.Begin(r.Context(), who.Tenant, tokens)
	if err != nil {
		return err
	}
	httpx.OfTenant(r.Context(), who.Tenant)
	e.setCookie(w, sessionCookie, cookie, int(e.cfg.Absolute/time.Second))
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // was held to be a path of the console before it was sealed
	return nil
}

func (e *Edge) serveSignOut(w http.ResponseWriter, r *http.Request) error {
	if cookie, err := r.Cookie(e.cookieName(sessionCookie)); err == nil {
		if err := e.sessions.End(r.Context(), cookie.Value); err != nil {
			return err
		}
	}
	e.setCookie(w, sessionCookie, "", -1)
	return answer(w, map[string]string{"then": e.signIn.Out(r.Context())})
}

// serveSession says who is signed in and what the page may offer. It says nothing that the page could sign in with.
func (e *Edge) serveSession(w http.ResponseWriter, r *http.Request) error {
	s, who, err := e.who(r)
	if err != nil {
		return err
	}
	may := []auth.Permission{}
	for _, p := range auth.Permissions() {
		if who.Can(p) {
			may = append(may, p)
		}
	}
	return answer(w, map[string]any{
		"subject": who.Subject, "name": s.Tokens.Name, "tenant": who.Tenant, "roles": who.Roles, "permissions": may,
		"workflows_url": e.cfg.Workflows, "traces_url": e.cfg.Traces,
	})
}

func (e *Edge) serveLive(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Sec-Fetch-Site") != "" && r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return errForeign
	}
	_, who, err := e.who(r)
	if err != nil {
		return err
	}
	return e.hub.Serve(w, r, who)
}

func answer(w http.ResponseWriter, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw) // the browser has gone; there is nobody left to tell
	return nil
}
