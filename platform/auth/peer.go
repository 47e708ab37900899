package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	peerIssuer   = "guanxi"
	peerAudience = "guanxi-peer"
	// peerLifetime is short, for a token is made for each call.
	peerLifetime = time.Minute
)

// PeerKey derives the key of tokens between services from the key that all services of the installation share.
func PeerKey(shared []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, shared, nil, "guanxi tokens between services", sha256.Size)
}

type peerClaims struct {
	jwt.Claims
	Tenant string `json:"tenant"`
	Unit   string `json:"unit,omitempty"`
}

// PeerToken makes a token by which a service calls another one on behalf of somebody: it acts within p's tenant, under
// p's subject, with the permissions of RoleService and no others.
func PeerToken(key []byte, p Principal, now time.Time) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, nil)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(peerClaims{
		Claims: jwt.Claims{
			Issuer: peerIssuer, Subject: p.Subject, Audience: jwt.Audience{peerAudience},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(peerLifetime)),
		},
		Tenant: p.Tenant, Unit: p.Unit,
	}).Serialize()
}

// verifyPeer checks a token that another service made. Whether raw is one is told by its algorithm: the issuer's tokens are
// signed with keys of their own kind, and neither is ever checked with the other's.
func (v *Verifier) verifyPeer(raw string, now time.Time) (p Principal, ours bool, err error) {
	if len(v.cfg.PeerKey) == 0 {
		return Principal{}, false, nil
	}
	token, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return Principal{}, false, nil //nolint:nilerr // not a token of a service; the issuer's are tried next
	}
	payload, err := token.Verify(v.cfg.PeerKey)
	if err != nil {
		// As to whoever forges tokens, there are none but the issuer's.
		return Principal{}, true, problem.New(problem.Unauthenticated, "token_algorithm", "The token must be signed with RS256 or ES256.").Because(err)
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Principal{}, true, claimsFault("Its claims have the wrong types.").Because(err)
	}
	switch {
	case c.Issuer != peerIssuer || !slices.Contains(c.Audience, peerAudience):
		return Principal{}, true, problem.New(problem.Unauthenticated, "token_audience", "The token is meant for another audience.")
	case !now.Add(-clockSkew).Before(time.Unix(int64(c.Expiry), 0)):
		return Principal{}, true, problem.New(problem.Unauthenticated, "token_expired", "The token has expired; get a new one.")
	case c.Tenant == "":
		return Principal{}, true, problem.New(problem.Unauthenticated, "token_tenant", "The token of a service names no tenant.")
	}
	p, err = c.principal()
	p.Roles = []string{RoleService}
	return p, true, err
}
