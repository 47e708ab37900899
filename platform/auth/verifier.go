package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	// maxToken bounds what is looked at at all; the header limit of the server is wider.
	maxToken = 8 << 10
	// clockSkew is how far an issuer's clock and ours may differ.
	clockSkew = 30 * time.Second
	// issuerTimeout bounds one request to the issuer.
	issuerTimeout = 5 * time.Second
	// retryPause keeps a missing issuer, or tokens with invented keys, from causing a request each.
	retryPause = 2 * time.Second
)

// algorithms is fixed: symmetric ones and "none" can never be chosen by a token.
func algorithms() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.RS256, jose.ES256} }

// Config says whose tokens are believed.
type Config struct {
	// Issuer is the issuer's URL, exactly as in the tokens.
	Issuer string
	// Audience must be among the audiences of a token.
	Audience string
	// PeerKey, where it is set, is the key of tokens that services make for each other; see PeerToken.
	PeerKey []byte
	// Clock is the time to check against; default time.Now.
	Clock func() time.Time
	// Client makes the requests to the issuer; default: one with a time-out of 5 s.
	Client *http.Client
}

// Verifier turns a raw access token into a Principal. It is safe for concurrent use.
type Verifier struct {
	cfg   Config
	cache *cache

	mu     sync.Mutex // guards what follows; held during discovery, so that one request finds the issuer for all
	keys   *keySet
	failed time.Time
	err    error
}

// NewVerifier makes a verifier. The issuer need not be there yet: it is looked for in the background until ctx ends,
// and again by each request. An error means that the configuration cannot work.
func NewVerifier(ctx context.Context, cfg Config) (*Verifier, error) {
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("auth: the issuer must be an http or https URL")
	}
	if cfg.Audience == "" {
		return nil, errors.New("auth: the audience is missing")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: issuerTimeout}
	}
	v := &Verifier{cfg: cfg, cache: newCache()}
	go v.findIssuer(ctx)
	return v, nil
}

// findIssuer discovers ahead of the first request.
func (v *Verifier) findIssuer(ctx context.Context) {
	for {
		if _, err := v.keySet(ctx); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryPause):
		}
	}
}

// keySet gives the issuer's keys, discovering the issuer when that has not worked yet.
func (v *Verifier) keySet(ctx context.Context) (*keySet, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys != nil {
		return v.keys, nil
	}
	if v.err != nil && v.cfg.Clock().Sub(v.failed) < retryPause/2 {
		return nil, v.err
	}
	// One caller's cancellation must not fail the others that wait here.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), issuerTimeout)
	defer cancel()
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, v.cfg.Client), v.cfg.Issuer)
	var meta struct {
		JWKS string `json:"jwks_uri"`
	}
	if err == nil {
		err = provider.Claims(&meta)
	}
	if err == nil && meta.JWKS == "" {
		err = errors.New("the issuer's discovery document names no jwks_uri")
	}
	if err != nil {
		v.failed, v.err = v.cfg.Clock(), err
		return nil, err
	}
	v.keys, v.err = newKeySet(meta.JWKS, v.cfg.Client, v.cfg.Clock), nil
	return v.keys, nil
}

// Verify checks the raw token and gives its principal. Errors are problems: Unauthenticated with a code that starts
// with token_, or Unavailable issuer_unreachable when the issuer's keys cannot be had.
func (v *Verifier) Verify(ctx context.Context, raw string) (Principal, error) {
	if raw == "" {
		return Principal{}, problem.New(problem.Unauthenticated, "token_missing", "Send an access token: Authorization: Bearer <token>.")
	}
	if len(raw) > maxToken || strings.Count(raw, ".") != 2 {
		return Principal{}, malformed(nil)
	}
	now := v.cfg.Clock()
	if p, ok := v.cache.get(raw, now); ok {
		return p, nil
	}
	if p, ours, err := v.verifyPeer(raw, now); ours {
		return p, err
	}
	keys, err := v.keySet(ctx)
	if err != nil {
		return Principal{}, unreachable(err)
	}
	seen := &witness{keys: keys}
	_, err = oidc.NewVerifier(v.cfg.Issuer, seen, &oidc.Config{
		ClientID:             v.cfg.Audience,
		SupportedSigningAlgs: []string{string(jose.RS256), string(jose.ES256)},
		Now:                  func() time.Time { return now.Add(-clockSkew) },
	}).Verify(ctx, raw)
	if err != nil {
		return Principal{}, v.explain(raw, seen, err)
	}
	var c claims
	if err := json.Unmarshal(seen.payload, &c); err != nil {
		return Principal{}, claimsFault("Its claims have the wrong types.").Because(err)
	}
	if c.NotBefore > 0 && now.Add(clockSkew).Before(time.Unix(int64(c.NotBefore), 0)) {
		return Principal{}, problem.New(problem.Unauthenticated, "token_not_yet_valid", "The token is not valid yet.")
	}
	p, err := c.principal()
	if err != nil {
		return Principal{}, err
	}
	v.cache.put(raw, p, now, time.Unix(int64(c.Expiry), 0))
	return p, nil
}

// explain finds the code for a token that the library refused. It decides nothing.
func (v *Verifier) explain(raw string, seen *witness, cause error) error {
	if seen.payload == nil {
		switch {
		case errors.Is(seen.err, errUnreachable):
			return unreachable(seen.err)
		case seen.err != nil:
			return problem.New(problem.Unauthenticated, "token_forged", "The token's signature does not hold.").Because(seen.err)
		}
		_, err := jose.ParseSignedCompact(raw, algorithms())
		var algorithm *jose.ErrUnexpectedSignatureAlgorithm
		if errors.As(err, &algorithm) {
			return problem.New(problem.Unauthenticated, "token_algorithm", "The token must be signed with RS256 or ES256.").Because(cause)
		}
		return malformed(cause)
	}
	var c claims
	if err := json.Unmarshal(seen.payload, &c); err != nil {
		return claimsFault("Its claims have the wrong types.").Because(cause)
	}
	switch {
	case c.Issuer != v.cfg.Issuer:
		return problem.New(problem.Unauthenticated, "token_issuer", "The token comes from another issuer.").Because(cause)
	case !slices.Contains(c.Audience, v.cfg.Audience):
		return problem.New(problem.Unauthenticated, "token_audience", "The token is meant for another audience.").Because(cause)
	case c.Expiry == 0:
		return problem.New(problem.Unauthenticated, "token_without_expiry", "The token has no expiry (exp).").Because(cause)
	case v.cfg.Clock().Before(time.Unix(int64(c.Expiry), 0).Add(clockSkew)):
		// The library refused it for a reason of its own, such as a far-off nbf.
		return problem.New(problem.Unauthenticated, "token_not_yet_valid", "The token is not valid yet.").Because(cause)
	default:
		return problem.New(problem.Unauthenticated, "token_expired", "The token has expired; get a new one.").Because(cause)
	}
}

func malformed(cause error) error {
	return problem.New(problem.Unauthenticated, "token_malformed", "The token is not a signed JWT.").Because(cause)
}

func unreachable(cause error) error {
	return problem.New(problem.Unavailable, "issuer_unreachable", "The issuer of the tokens cannot be reached at the moment. Try again.").Because(cause)
}

func claimsFault(detail string) *problem.Error {
	return problem.New(problem.Unauthenticated, "token_claims", "The token cannot be used. %s", detail)
}

// witness lets explain tell a signature that does not hold from keys that cannot be had, which the library merges.
type witness struct {
	keys    *keySet
	payload []byte
	err     error
}

func (w *witness) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	w.payload, w.err = w.keys.VerifySignature(ctx, jwt)
	return w.payload, w.err
}

// claims is what the platform reads of a token.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Expiry    float64  `json:"exp"`
	NotBefore float64  `json:"nbf"`
	Tenant    string   `json:"tenant"`
	Unit      string   `json:"unit"`
	Roles     []string `json:"roles"`
}

// audience is one string or a list of them.
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	var many []string
	err := json.Unmarshal(b, &many)
	*a = many
	return err
}

func (c claims) principal() (Principal, error) {
	switch {
	case !plain(c.Subject, 255) || strings.TrimSpace(c.Subject) == "":
		return Principal{}, problem.New(problem.Unauthenticated, "token_subject", "The token names no usable subject (sub).")
	case c.Tenant != "" && !ValidTenant(c.Tenant):
		return Principal{}, problem.New(problem.Unauthenticated, "token_tenant", "The token's tenant is not a tenant id.")
	case !plain(c.Unit, 255):
		return Principal{}, claimsFault("Its unit is too long or has control characters.")
	}
	p := Principal{Subject: c.Subject, Tenant: c.Tenant, Unit: c.Unit}
	for _, known := range Roles() {
		if slices.Contains(c.Roles, known) {
			p.Roles = append(p.Roles, known)
		}
	}
	return p, nil
}

// plain tells whether s can be stored and logged: short, UTF-8, without control characters.
func plain(s string, limit int) bool {
	return len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || unicode.IsControl(r) })
}
