package httpx

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// guard decides, before anything of the body is read, whether the operation is reached: token, permission, tenant,
// Idempotency-Key, query. On success the request's context carries the principal and the key.
func (s *Server) guard(c *gin.Context, op *Operation) error {
	st := stateOf(c.Request.Context())
	st.count = op.count
	var principal auth.Principal
	if !op.Public {
		var err error
		if principal, err = s.admit(c, op); err != nil {
			return err
		}
		put(auth.With(c.Request.Context(), principal), c)
	}
	if op.Method == http.MethodPost && !op.Public {
		key, ok, err := idempotencyKey(c.Request)
		if err != nil {
			return err
		}
		if ok {
			st.once = &pg.Once{Subject: principal.Subject, Operation: op.ID, Key: key}
			st.hash = sha256.New()
			_, _ = io.WriteString(st.hash, op.Method+"\n"+c.Request.URL.EscapedPath()+"\n"+c.Request.URL.RawQuery+"\n")
		}
	}
	return op.query(c.Request)
}

// admit checks token, permission and tenant, and whatever else the service wants checked.
func (s *Server) admit(c *gin.Context, op *Operation) (auth.Principal, error) {
	raw, err := bearer(c.Request)
	if err != nil {
		return auth.Principal{}, err
	}
	p, err := s.verifier.Verify(c.Request.Context(), raw)
	if err != nil {
		return auth.Principal{}, err
	}
	stateOf(c.Request.Context()).tenant = p.Tenant
	if !p.Can(op.Permission) {
		return auth.Principal{}, problem.New(problem.Forbidden, "permission_missing", "This needs the permission %s.", op.Permission).
			WithField("header.Authorization", "permission_missing", string(op.Permission))
	}
	if p.Tenant == "" && !(op.AnyTenant && p.PlatformAdmin()) {
		return auth.Principal{}, problem.New(problem.Forbidden, "tenant_missing", "The token names no tenant; this needs one.")
	}
	if op.admit != nil {
		if err := op.admit(c.Request.Context(), p, op.Permission); err != nil {
			return auth.Principal{}, err
		}
	}
	return p, nil
}

// bearer takes the token out of the Authorization header; empty when there is none.
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return "", problem.New(problem.Unauthenticated, "token_malformed", "Send one header Authorization: Bearer <token>.")
	}
	return strings.TrimSpace(token), nil
}

func idempotencyKey(r *http.Request) (key string, ok bool, err error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", false, nil
	}
	key = values[0]
	printable := !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
	if len(values) > 1 || len(key) < 1 || len(key) > 255 || !printable {
		return "", false, problem.New(problem.BadRequest, "idempotency_key_invalid",
			"Send one Idempotency-Key of 1 to 255 printable ASCII characters.").
			WithField("header.Idempotency-Key", "idempotency_key_invalid", "must be 1 to 255 printable ASCII characters")
	}
	return key, true, nil
}

// query refuses parameters that the operation does not have, and those that come twice where once is meant.
func (op *Operation) query(r *http.Request) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	p := problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.")
	values := r.URL.Query()
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		repeatable, known := op.queryNames[name]
		switch {
		case !known:
			p = p.WithField("query."+safeName(name), "unknown_parameter", "is not a parameter of this operation")
		case len(values[name]) > 1 && !repeatable:
			p = p.WithField("query."+safeName(name), "repeated", "must come only once")
		}
	}
	if len(p.Fields) > 0 {
		return p
	}
	return nil
}

// read takes the body in, checks it and puts it back for huma.
func (op *Operation) read(c *gin.Context) error {
	r := c.Request
	limit := op.MaxBody
	if !op.hasBody {
		limit = 0
	}
	if op.hasBody && r.ContentLength > limit {
		return tooLarge(limit)
	}
	var buf bytes.Buffer
	if op.hasBody {
		buf.Grow(int(min(max(r.ContentLength, 512), 64<<10)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
		return readError(err)
	}
	body := buf.Bytes()
	switch {
	case len(body) > 0 && !op.hasBody:
		return problem.New(problem.BadRequest, "body_unexpected", "This operation takes no body.")
	case int64(len(body)) > limit:
		return tooLarge(limit)
	case op.bodyRequired || len(body) > 0:
		if err := contentType(r, []string{"application/json"}); err != nil && len(body) > 0 {
			return err
		}
		if err := scan(body); err != nil {
			return err
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if st := stateOf(r.Context()); st.once != nil {
		_, _ = st.hash.Write(body)
		st.once.BodyHash = st.hash.Sum(nil)
		put(pg.WithOnce(r.Context(), *st.once), c)
	}
	return nil
}

func tooLarge(limit int64) error {
	return problem.New(problem.TooLarge, "body_too_large", "The body is larger than the %d bytes that this operation takes.", limit)
}

// errBodyTimeout is answered with 408, which no kind has.
var errBodyTimeout = errors.New("the body did not come in time")

func readError(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return problem.New(problem.BadRequest, "body_timeout", "The body did not come in time.").Because(errors.Join(errBodyTimeout, err))
	}
	return problem.New(problem.BadRequest, "body_incomplete", "The body broke off.").Because(err)
}

// contentType refuses other content types, other charsets than UTF-8, and encodings such as gzip.
func contentType(r *http.Request, allowed []string) error {
	got, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	switch {
	case err != nil, !slices.Contains(allowed, got), charset != "" && charset != "utf-8",
		len(r.Header.Values("Content-Type")) > 1:
		return problem.New(problem.UnsupportedMedia, "content_type", "Send the body as %s in UTF-8, and say so in Content-Type.", strings.Join(allowed, " or "))
	case r.Header.Get("Content-Encoding") != "" && !strings.EqualFold(r.Header.Get("Content-Encoding"), "identity"):
		return problem.New(problem.UnsupportedMedia, "content_encoding", "Send the body without Content-Encoding.")
	}
	return nil
}

// statusOf gives the statuses that no kind has; 0 for that of the kind.
func statusOf(err error) int {
	if errors.Is(err, errBodyTimeout) {
		return http.StatusRequestTimeout
	}
	return 0
}

// limited gives the request the operation's time.
func (s *Server) limited(c *gin.Context, op *Operation) context.CancelFunc {
	timeout := op.Timeout
	if timeout == 0 {
		timeout = s.cfg.RequestTimeout
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), timeout)
	put(ctx, c)
	return cancel
}
