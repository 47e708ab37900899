package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const audience = "guanxi"

// issuer is an identity provider whose keys and health a test decides.
type issuer struct {
	url string

	mu    sync.Mutex
	down  bool
	keys  []jose.JSONWebKey
	asked int // for its keys
}

func newIssuer(t *testing.T, keys ...jose.JSONWebKey) *issuer {
	t.Helper()
	i := &issuer{keys: keys}
	web := httptest.NewServer(i)
	t.Cleanup(web.Close)
	i.url = web.URL
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.down:
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/keys":
		i.asked++
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys"})
	}
}

func (i *issuer) set(down bool, keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down, i.keys = down, keys
}

func (i *issuer) requests() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// pair is a private key and what is published of it.
type pair struct {
	private any
	public  jose.JSONWebKey
	alg     jose.SignatureAlgorithm
}

func newPair(t testing.TB, alg jose.SignatureAlgorithm, id string) pair {
	t.Helper()
	var private crypto.Signer
	var err error
	if alg == jose.RS256 || alg == jose.PS256 {
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	require.NoError(t, err)
	return pair{private: private, alg: alg, public: jose.JSONWebKey{Key: private.Public(), KeyID: id, Algorithm: string(alg), Use: "sig"}}
}

func (p pair) sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: jose.JSONWebKey{Key: p.private, KeyID: p.public.KeyID}}, nil)
	require.NoError(t, err)
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return raw
}

// good is what a good token says; changes with a nil value remove a claim.
func (i *issuer) good(now time.Time, changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": i.url, "aud": audience, "sub": "ann", "tenant": "music", "unit": "north", "roles": []string{"sales"},
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newVerifier(t testing.TB, i *issuer, clock *clock) *auth.Verifier {
	t.Helper()
	v, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: i.url, Audience: audience, Clock: clock.Now})
	require.NoError(t, err)
	return v
}

// code is that of the problem; empty for none.
func code(err error) string {
	var p *problem.Error
	if errors.As(err, &p) {
		return string(p.Kind) + " " + p.Code
	}
	return ""
}

func TestVerifyTellsGoodTokensFromBad(t *testing.T) {
	t.Parallel()
	es, rs := newPair(t, jose.ES256, "e"), newPair(t, jose.RS256, "r")
	stranger, ps := newPair(t, jose.ES256, "e"), newPair(t, jose.PS256, "p")
	i := newIssuer(t, es.public, rs.public, ps.public)
	clock := newClock()
	v := newVerifier(t, i, clock)
	now := clock.Now()
	good := es.sign(t, i.good(now, nil))
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))

	cases := []struct {
		name  string
		token string
		want  string
	}{
		{"ES256", good, ""},
		{"RS256", rs.sign(t, i.good(now, nil)), ""},
		{"one audience of several", es.sign(t, i.good(now, map[string]any{"aud": []string{"x", audience}})), ""},
		{"expired within the skew", es.sign(t, i.good(now, map[string]any{"exp": now.Add(-20 * time.Second).Unix()})), ""},
		{"valid from within the skew", es.sign(t, i.good(now, map[string]any{"nbf": now.Add(20 * time.Second).Unix()})), ""},
		{"no token", "", "unauthenticated token_missing"},
		{"no JWT", "abc", "unauthenticated token_malformed"},
		{"no JWT, but dots", "a.b.c", "unauthenticated token_malformed"},
		{"the JSON serialisation", `{"payload":"a.b.c"}`, "unauthenticated token_malformed"},
		{"too long", strings.Repeat("x", 9000), "unauthenticated token_malformed"},
		{"none", none + "." + parts[1] + ".", "unauthenticated token_algorithm"},
		{"PS256, though the issuer has such a key", ps.sign(t, i.good(now, nil)), "unauthenticated token_algorithm"},
		{"another's signature under our key id", stranger.sign(t, i.good(now, nil)), "unauthenticated token_forged"},
		{"an unknown key id", newPair(t, jose.ES256, "x").sign(t, i.good(now, nil)), "unauthenticated token_forged"},
		{"changed claims", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"eve"}`)) + "." + parts[2], "unauthenticated token_forged"},
		{"another issuer", es.sign(t, i.good(now, map[string]any{"iss": "https://elsewhere.test"})), "unauthenticated token_issuer"},
		{"another audience", es.sign(t, i.good(now, map[string]any{"aud": "x"})), "unauthenticated token_audience"},
		{"no audience", es.sign(t, i.good(now, map[string]any{"aud": nil})), "unauthenticated token_audience"},
		{"expired", es.sign(t, i.good(now, map[string]any{"exp": now.Add(-time.Minute).Unix()})), "unauthenticated token_expired"},
		{"no expiry", es.sign(t, i.good(now, map[string]any{"exp": nil})), "unauthenticated token_without_expiry"},
		{"not valid yet", es.sign(t, i.good(now, map[string]any{"nbf": now.Add(time.Minute).Unix()})), "unauthenticated token_not_yet_valid"},
		{"valid only tomorrow", es.sign(t, i.good(now, map[string]any{"nbf": now.Add(24 * time.Hour).Unix(), "exp": now.Add(48 * time.Hour).Unix()})), "unauthenticated token_not_yet_valid"},
		{"no subject", es.sign(t, i.good(now, map[string]any{"sub": nil})), "unauthenticated token_subject"},
		{"a blank subject", es.sign(t, i.good(now, map[string]any{"sub": "  "})), "unauthenticated token_subject"},
		{"U+0000 in the subject", es.sign(t, i.good(now, map[string]any{"sub": "a\x00b"})), "unauthenticated token_subject"},
		{"a tenant that is none", es.sign(t, i.good(now, map[string]any{"tenant": "Music'; --"})), "unauthenticated token_tenant"},
		{"roles that are no list", es.sign(t, i.good(now, map[string]any{"roles": "admin"})), "unauthenticated token_claims"},
		{"a unit that is too long", es.sign(t, i.good(now, map[string]any{"unit": strings.Repeat("u", 300)})), "unauthenticated token_claims"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := v.Verify(t.Context(), c.token)
			require.Equal(t, c.want, code(err), "%v", err)
			if c.want == "" {
				require.Equal(t, auth.Principal{Subject: "ann", Tenant: "music", Unit: "north", Roles: []string{"sales"}}, p)
			}
		})
	}
}

func TestVerifyLeavesUnknownRolesOut(t *testing.T) {
	t.Parallel()
	es := newPair(t, jose.ES256, "e")
	i, clock := newIssuer(t, es.public), newClock()
	v := newVerifier(t, i, clock)
	p, err := v.Verify(t.Context(), es.sign(t, i.good(clock.Now(), map[string]any{"roles": []string{"root", "service", "agent", "agent", "*"}, "tenant": nil})))
	require.NoError(t, err)
	require.Equal(t, []string{"agent"}, p.Roles)
	require.Empty(t, p.Tenant)
	require.False(t, p.PlatformAdmin())
}

func TestVerifyWaitsForAnIssuerThatIsAway(t *testing.T) {
	t.Parallel()
	es := newPair(t, jose.ES256, "e")
	i, clock := newIssuer(t, es.public), newClock()
	i.set(true)
	v := newVerifier(t, i, clock)
	token := es.sign(t, i.good(clock.Now(), nil))

	_, err := v.Verify(t.Context(), token)
	require.Equal(t, "unavailable issuer_unreachable", code(err), "a missing issuer is not the caller's fault")

	i.set(false, es.public)
	clock.advance(5 * time.Second)
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err, "found as soon as it is there")

	i.set(true)
	clock.advance(time.Minute)
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err, "known keys go on working without it")

	_, err = v.Verify(t.Context(), newPair(t, jose.ES256, "new").sign(t, i.good(clock.Now(), nil)))
	require.Equal(t, "unavailable issuer_unreachable", code(err), "a key that may be new cannot be judged without it")
}

func TestVerifyFollowsARotationOfKeys(t *testing.T) {
	t.Parallel()
	old, fresh := newPair(t, jose.ES256, "old"), newPair(t, jose.RS256, "fresh")
	i, clock := newIssuer(t, old.public), newClock()
	v := newVerifier(t, i, clock)
	_, err := v.Verify(t.Context(), old.sign(t, i.good(clock.Now(), nil)))
	require.NoError(t, err)

	i.set(false, fresh.public)
	clock.advance(5 * time.Second)
	_, err = v.Verify(t.Context(), fresh.sign(t, i.good(clock.Now(), nil)))
	require.NoError(t, err)

	clock.advance(time.Minute) // past the memory of verified tokens
	_, err = v.Verify(t.Context(), old.sign(t, i.good(clock.Now(), nil)))
	require.Equal(t, "unauthenticated token_forged", code(err), "a withdrawn key ends")
}

func TestAFloodOfForgedTokensDoesNotReachTheIssuer(t *testing.T) {
	t.Parallel()
	es := newPair(t, jose.ES256, "e")
	i, clock := newIssuer(t, es.public), newClock()
	v := newVerifier(t, i, clock)
	_, err := v.Verify(t.Context(), es.sign(t, i.good(clock.Now(), nil)))
	require.NoError(t, err)
	before := i.requests()
	for range 20 {
		_, err := v.Verify(t.Context(), newPair(t, jose.ES256, "invented").sign(t, i.good(clock.Now(), nil)))
		require.Equal(t, "unauthenticated token_forged", code(err))
	}
	require.LessOrEqual(t, i.requests()-before, 1)
}

func TestARememberedTokenStillExpires(t *testing.T) {
	t.Parallel()
	es := newPair(t, jose.ES256, "e")
	i, clock := newIssuer(t, es.public), newClock()
	v := newVerifier(t, i, clock)
	token := es.sign(t, i.good(clock.Now(), map[string]any{"exp": clock.Now().Add(10 * time.Second).Unix()}))
	_, err := v.Verify(t.Context(), token)
	require.NoError(t, err)
	clock.advance(time.Minute)
	_, err = v.Verify(t.Context(), token)
	require.Equal(t, "unauthenticated token_expired", code(err))
}

func TestNewVerifierRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, cfg := range []auth.Config{{}, {Issuer: "ftp://x", Audience: "a"}, {Issuer: "https://x"}, {Issuer: "nonsense", Audience: "a"}} {
		_, err := auth.NewVerifier(t.Context(), cfg)
		require.Error(t, err)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256} {
		for _, remembered := range []bool{false, true} {
			name := string(alg)
			if remembered {
				name += "/remembered"
			}
			b.Run(name, func(b *testing.B) {
				p := newPair(b, alg, "k")
				i := &issuer{keys: []jose.JSONWebKey{p.public}}
				web := httptest.NewServer(i)
				b.Cleanup(web.Close)
				i.url = web.URL
				clock := newClock()
				v := newVerifier(b, i, clock)
				tokens := make([]string, 64)
				for n := range tokens {
					tokens[n] = p.sign(b, i.good(clock.Now(), map[string]any{"jti": n}))
				}
				n := 0
				for b.Loop() {
					if !remembered {
						clock.advance(time.Second)
						n++
					}
					if _, err := v.Verify(context.Background(), tokens[n%len(tokens)]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
