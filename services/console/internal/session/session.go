// Package session keeps who signed in in which browser. The browser has a cookie that says nothing; the tokens stand sealed in
// the database, so that sessions outlive restarts, are the same for every replica, and end when somebody signs out.
package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	secretSize = 32
	// touchEvery is how exact the time of the last use is: writing it with every request would cost more than it is worth.
	touchEvery = time.Minute
	// refreshAhead is how long before its end an access token is replaced, so that it does not run out on its way.
	refreshAhead = 30 * time.Second
)

// Tokens are what the issuer gave for one sign-in.
type Tokens struct {
	Access  string    `json:"access"`
	Refresh string    `json:"refresh,omitempty"` // empty: the session ends with the access token
	Name    string    `json:"name,omitempty"`    // how the issuer calls the person; shown to that person only
	Until   time.Time `json:"-"`                 // a column of its own: the access token holds until then
}

// Session is one browser in which somebody signed in.
type Session struct {
	Tenant string
	Tokens Tokens

	id                [sha256.Size]byte
	createdAt, usedAt time.Time
}

// ErrNone says that there is no such session, or no longer.
var ErrNone = problem.New(problem.Unauthenticated, "signed_out", "You are signed out. Sign in again.")

// Sealer seals what must not be read where it is kept: tokens in the database, and the cookie of a sign-in that is under way.
type Sealer struct{ aead cipher.AEAD }

// NewSealer makes a sealer of a key of at least 32 bytes. Use says what for: what was sealed for one use does not open for another.
func NewSealer(key []byte, use string) (*Sealer, error) {
	if len(key) < 32 {
		return nil, errors.New("session: the key must be at least 32 bytes")
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "guanxi console "+use, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead: aead}, nil
}

// Seal seals v; bound is what it belongs to, and must be the same when it is opened.
func (s *Sealer) Seal(v any, bound []byte) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(nil, nil, plain, bound), nil //nolint:gosec // this AEAD draws its nonce itself
}

// Open reads into v what Seal has sealed. An error says that it was not, or with another key, or belongs elsewhere.
func (s *Sealer) Open(sealed, bound []byte, v any) error {
	plain, err := s.aead.Open(nil, nil, sealed, bound)
	if err != nil {
		return fmt.Errorf("session: opening what was sealed: %w", err)
	}
	return json.Unmarshal(plain, v)
}

// newCookie gives the value of a new session's cookie, and the id of the session.
func newCookie(tenant string) (value string, id [sha256.Size]byte) {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails, says crypto/rand
	return tenant + "." + base64.RawURLEncoding.EncodeToString(secret), sha256.Sum256(secret)
}

// parseCookie reads tenant and id. The tenant is not secret: a row is found by both only.
func parseCookie(value string) (tenant string, id [sha256.Size]byte, ok bool) {
	tenant, encoded, found := strings.Cut(value, ".")
	secret, err := base64.RawURLEncoding.DecodeString(encoded)
	if !found || err != nil || len(secret) != secretSize || !auth.ValidTenant(tenant) {
		return "", id, false
	}
	return tenant, sha256.Sum256(secret), true
}
