package auth

import (
	"errors"
	"net/http"
	"time"
)

// DevIssuerConfig sets up the issuer for development and tests.
type DevIssuerConfig struct {
	// URL is the issuer's URL, on loopback; it may have a path.
	URL string
	// Audience is put into every token.
	Audience string
	// KeyFile keeps the signing key, so that tokens survive a restart; empty keeps it in memory only.
	KeyFile string
	// Production refuses to start.
	Production bool
}

// DevIssuer is an OIDC issuer for development.
type DevIssuer struct{ cfg DevIssuerConfig }

// TokenRequest is the body of POST {URL}/token and what Token takes.
type TokenRequest struct {
	Subject    string   `json:"subject"`
	Tenant     string   `json:"tenant,omitempty"`
	Roles      []string `json:"roles,omitempty"`
	Unit       string   `json:"unit,omitempty"`
	TTLSeconds int64    `json:"ttl_seconds,omitempty"`
}

// NewDevIssuer makes a development issuer.
func NewDevIssuer(cfg DevIssuerConfig) (*DevIssuer, error) { return &DevIssuer{cfg: cfg}, nil }

// ServeHTTP answers discovery, JWKS and POST /token.
func (d *DevIssuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "not yet", http.StatusNotImplemented)
}

// Token signs a token in the process, for tests.
func (d *DevIssuer) Token(TokenRequest, time.Time) (string, error) { return "", errors.New("not yet") }
