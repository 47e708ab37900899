package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	defaultTTL = time.Hour
	maxTTL     = 24 * time.Hour
	// minIssuerSecret is of bytes.
	minIssuerSecret = 16
)

// DevIssuerConfig sets up the issuer for development and tests.
type DevIssuerConfig struct {
	// URL is the issuer's URL, on loopback; it may have a path, below which the issuer then answers.
	URL string
	// Audience is put into every token.
	Audience string
	// KeyFile keeps the signing key, so that tokens survive a restart; empty keeps it in memory only.
	KeyFile string
	// Production refuses to start.
	Production bool
	// Secret, of at least 16 bytes, lets it answer off loopback, for an installation to try out: whoever asks for a token then
	// has to know it (the password of HTTP Basic, so that it may stand in the issuer's URL), and so has who signs in.
	Secret string
	// Clock is the time that tokens are issued at; default time.Now.
	Clock func() time.Time
}

// DevIssuer is an OIDC issuer that gives a token to whoever asks, for development and tests. It answers loopback only, unless
// it has a secret.
type DevIssuer struct {
	cfg    DevIssuerConfig
	prefix string
	key    jose.JSONWebKey
	signer jose.Signer
	grants grants
}

// TokenRequest is the body of POST {URL}/token.
type TokenRequest struct {
	Subject    string   `json:"subject"`
	Tenant     string   `json:"tenant,omitempty"`
	Roles      []string `json:"roles,omitempty"`
	Unit       string   `json:"unit,omitempty"`
	TTLSeconds int64    `json:"ttl_seconds,omitempty"` // default 3600; at most a day; negative for an expired token
	Audience   string   `json:"audience,omitempty"`    // default: the configured one; another to see it refused
}

// NewDevIssuer makes a development issuer. It refuses production, URLs off loopback and a broken key file.
func NewDevIssuer(cfg DevIssuerConfig) (*DevIssuer, error) {
	if cfg.Production {
		return nil, errors.New("auth: the development issuer does not start in production; set an OIDC issuer instead")
	}
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" {
		return nil, errors.New("auth: the development issuer needs its URL")
	}
	if cfg.Secret == "" && !Loopback(u.Host) {
		return nil, fmt.Errorf("auth: the development issuer starts on loopback only, not at %s, unless it has a secret", u.Host)
	}
	if cfg.Secret != "" && len(cfg.Secret) < minIssuerSecret {
		return nil, fmt.Errorf("auth: the development issuer's secret must have at least %d bytes", minIssuerSecret)
	}
	if cfg.Audience == "" {
		return nil, errors.New("auth: the development issuer needs an audience")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	private, err := signingKey(cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("auth: the development issuer's key: %w", err)
	}
	key := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	thumb, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: key.KeyID}},
		(&jose.SignerOptions{}).WithType("at+jwt"),
	)
	if err != nil {
		return nil, err
	}
	return &DevIssuer{cfg: cfg, prefix: strings.TrimSuffix(u.Path, "/"), key: key, signer: signer}, nil
}

// Token signs a token that starts at the given time. It checks nothing, so that tests can make expired ones.
func (d *DevIssuer) Token(r TokenRequest, at time.Time) (string, error) {
	return d.Sign(d.Claims(r, at))
}

// Claims gives the claims that Token signs, for tests that change some of them.
func (d *DevIssuer) Claims(r TokenRequest, at time.Time) map[string]any {
	aud := d.cfg.Audience
	if r.Audience != "" {
		aud = r.Audience
	}
	return map[string]any{
		"iss": d.cfg.URL, "aud": aud, "sub": r.Subject, "tenant": r.Tenant, "roles": r.Roles, "unit": r.Unit,
		"iat": at.Unix(), "exp": at.Add(r.ttl()).Unix(),
	}
}

func (r TokenRequest) ttl() time.Duration {
	if r.TTLSeconds != 0 {
		return time.Duration(r.TTLSeconds) * time.Second
	}
	return defaultTTL
}

// JWKS gives the public keys, as they are published.
func (d *DevIssuer) JWKS() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{d.key}}
}

// Sign signs any claims, for tests of tokens that must not hold.
func (d *DevIssuer) Sign(claims map[string]any) (string, error) {
	return jwt.Signed(d.signer).Claims(claims).Serialize()
}

// ServeHTTP answers GET /.well-known/openid-configuration, GET /jwks, GET /authorize and POST /token below the path of its URL.
// POST /token takes JSON, by which programs get a token at once, and the form of the authorisation code flow, by which a
// page signs people in.
func (d *DevIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	// The Host is checked as well, because a browser's name may be made to point at loopback.
	if host, _, err := net.SplitHostPort(r.RemoteAddr); d.cfg.Secret == "" && (err != nil || !Loopback(host) || !Loopback(r.Host)) {
		d.refuse(w, http.StatusForbidden, "The development issuer answers loopback only.")
		return
	}
	path, below := strings.CutPrefix(r.URL.Path, d.prefix)
	switch {
	case below && path == "/.well-known/openid-configuration" && r.Method == http.MethodGet:
		d.answer(w, http.StatusOK, map[string]any{
			"issuer": d.cfg.URL, "jwks_uri": d.base() + "/jwks", "token_endpoint": d.base() + "/token",
			"authorization_endpoint":   d.base() + "/authorize",
			"response_types_supported": []string{"token", "code"}, "code_challenge_methods_supported": []string{"S256"},
			"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": []string{string(jose.ES256)},
		})
	case below && path == "/jwks" && r.Method == http.MethodGet:
		d.answer(w, http.StatusOK, d.JWKS())
	case below && path == "/authorize" && r.Method == http.MethodGet:
		if d.knows(w, r) {
			d.authorize(w, r)
		}
	case below && path == "/token" && r.Method == http.MethodPost && formEncoded(r):
		d.serveGrant(w, r) // whose code was given to somebody who knows the secret
	case below && path == "/token" && r.Method == http.MethodPost:
		if d.knows(w, r) {
			d.serveToken(w, r)
		}
	default:
		d.refuse(w, http.StatusNotFound, "The development issuer has /.well-known/openid-configuration, /jwks, /authorize and POST /token.")
	}
}

func (d *DevIssuer) base() string { return strings.TrimSuffix(d.cfg.URL, "/") }

// knows tells whether the caller knows the issuer's secret, where it has one, and asks for it otherwise.
func (d *DevIssuer) knows(w http.ResponseWriter, r *http.Request) bool {
	_, password, _ := r.BasicAuth()
	if d.cfg.Secret == "" || subtle.ConstantTimeCompare([]byte(password), []byte(d.cfg.Secret)) == 1 {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="development issuer"`)
	d.refuse(w, http.StatusUnauthorized, "Give the issuer's secret as the password of HTTP Basic.")
	return false
}

func formEncoded(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

func (d *DevIssuer) serveToken(w http.ResponseWriter, r *http.Request) {
	// A web page can send other content types here without asking first.
	if ct, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || ct != "application/json" {
		d.refuse(w, http.StatusUnsupportedMediaType, "Send application/json.")
		return
	}
	var req TokenRequest
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		d.refuse(w, http.StatusBadRequest, "The body must be {subject, tenant, roles, unit, ttl_seconds, audience}.")
		return
	}
	if fault := req.fault(); fault != "" {
		d.refuse(w, http.StatusUnprocessableEntity, fault)
		return
	}
	token, err := d.Token(req, d.cfg.Clock())
	if err != nil {
		d.refuse(w, http.StatusInternalServerError, "The token could not be signed.")
		return
	}
	d.answer(w, http.StatusOK, map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int64(req.ttl() / time.Second),
	})
}

// fault says what is wrong with the request, so that a slip of the pen is not found only at the first 403.
func (r TokenRequest) fault() string {
	switch {
	case strings.TrimSpace(r.Subject) == "" || !plain(r.Subject, 255):
		return "The subject is missing or not usable."
	case r.Tenant != "" && !ValidTenant(r.Tenant):
		return "The tenant must be a lower-case slug."
	case max(r.TTLSeconds, -r.TTLSeconds) > int64(maxTTL/time.Second):
		return "ttl_seconds must be at most 86400."
	}
	for _, role := range r.Roles {
		if !slices.Contains(Roles(), role) {
			return "The roles are " + strings.Join(Roles(), ", ") + "."
		}
	}
	return ""
}

func (d *DevIssuer) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller has gone; there is nobody left to tell
}

func (d *DevIssuer) refuse(w http.ResponseWriter, status int, detail string) {
	d.answer(w, status, map[string]any{"error": "invalid_request", "error_description": detail})
}

// Loopback tells whether host, with or without a port, is this machine's own.
func Loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// signingKey reads the key file, making it first where it is missing. Several processes may start at once: whoever
// links the file first wins, and all read that one.
func signingKey(file string) (*ecdsa.PrivateKey, error) {
	if file == "" {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := writeKey(file); err != nil {
			return nil, err
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM; remove it to have a new one made", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s does not hold a P-256 key", file)
	}
	return key, nil
}

func writeKey(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".key-*") // readable by us alone
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	err = pem.Encode(tmp, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
