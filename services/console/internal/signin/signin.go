// Package signin signs people in at the issuer, by the authorisation code flow with PKCE.
package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/console/internal/session"
)

const (
	// within is how long somebody may take at the issuer.
	within = 10 * time.Minute
	// issuerTimeout bounds one request to the issuer.
	issuerTimeout = 5 * time.Second
	// shortest is how long tokens are believed to hold where the issuer does not say.
	shortest = 5 * time.Minute
)

// Config is what the issuer knows the console by.
type Config struct {
	Issuer, ClientID, ClientSecret string
	Scopes                         []string // beside openid
	// Callback is the URL that the issuer sends people back to.
	Callback string
	// After is where people are sent who have signed out at the issuer.
	After string
}

// Service signs in. It is safe for concurrent use.
type Service struct {
	cfg    Config
	sealer *session.Sealer
	tokens *auth.Verifier
	clock  func() time.Time
	client *http.Client

	mu       sync.Mutex
	provider *oidc.Provider // found at the issuer when it is first needed, and kept
}

// New makes the service. Access tokens are verified by tokens, as every service of the installation does.
func New(cfg Config, sealer *session.Sealer, tokens *auth.Verifier, clock func() time.Time) *Service {
	return &Service{cfg: cfg, sealer: sealer, tokens: tokens, clock: clock, client: &http.Client{Timeout: issuerTimeout}}
}

// started is what the browser keeps, sealed, while somebody is at the issuer.
type started struct {
	State, Nonce, Verifier, To string
	Until                      time.Time
}

var (
	errState    = problem.New(problem.BadRequest, "sign_in_stale", "This sign-in was begun elsewhere or too long ago. Sign in again.")
	errRefused  = problem.New(problem.Forbidden, "sign_in_refused", "The identity provider did not sign you in.")
	errIssuer   = problem.New(problem.Unavailable, "issuer_unavailable", "The identity provider cannot be reached. Try again in a moment.")
	errNoTenant = problem.New(problem.Forbidden, "no_tenant", "This account belongs to no tenant, and the console shows one tenant's data. Ask whoever manages accounts.")
)

// Begin gives the URL of the issuer and what the browser has to bring back, sealed. To is the path to go to afterwards.
func (s *Service) Begin(ctx context.Context, to string) (issuer, sealed string, err error) {
	provider, err := s.find(ctx)
	if err != nil {
		return "", "", err
	}
	st := started{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: to, Until: s.clock().Add(within)}
	raw, err := s.sealer.Seal(st, nil)
	if err != nil {
		return "", "", err
	}
	config := s.oauth(provider)
	return config.AuthCodeURL(st.State, oidc.Nonce(st.Nonce), oauth2.S256ChallengeOption(st.Verifier)), base64.RawURLEncoding.EncodeToString(raw), nil
}

// Finish takes what the issuer sent the browser back with and gives the tokens, who they are of, and where to go.
func (s *Service) Finish(ctx context.Context, sealed string, q url.Values) (tokens session.Tokens, who auth.Principal, to string, err error) {
	fail := func(err error) (session.Tokens, auth.Principal, string, error) {
		return session.Tokens{}, auth.Principal{}, "", err
	}
	st, ok := s.opened(sealed)
	if !ok || subtle.ConstantTimeCompare([]byte(st.State), []byte(q.Get("state"))) != 1 {
		return fail(errState)
	}
	if q.Get("error") != "" || q.Get("code") == "" {
		return fail(errRefused.Because(fmt.Errorf("the issuer says %q", q.Get("error"))))
	}
	provider, err := s.find(ctx)
	if err != nil {
		return fail(err)
	}
	ctx = oidc.ClientContext(ctx, s.client)
	config := s.oauth(provider)
	token, err := config.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(st.Verifier))
	if err != nil {
		return fail(judge(err))
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: s.cfg.ClientID, Now: s.clock}).Verify(ctx, raw)
	if err != nil {
		return fail(errRefused.Because(err))
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(st.Nonce)) != 1 {
		return fail(errRefused.Because(errors.New("the nonce of the ID token is another")))
	}
	if who, err = s.tokens.Verify(ctx, token.AccessToken); err != nil {
		return fail(errRefused.Because(err))
	}
	if who.Tenant == "" {
		return fail(errNoTenant)
	}
	if id.Subject != who.Subject {
		return fail(errRefused.Because(errors.New("access token and ID token name different people")))
	}
	var claims struct {
		Name string `json:"name"`
	}
	if err := id.Claims(&claims); err != nil {
		return fail(errRefused.Because(err))
	}
	return s.kept(token, claims.Name, ""), who, st.To, nil
}

// Renew gives new tokens for those that run out; session.ErrNone where the issuer gives no more.
func (s *Service) Renew(ctx context.Context, old session.Tokens) (session.Tokens, error) {
	if old.Refresh == "" {
		return session.Tokens{}, session.ErrNone
	}
	provider, err := s.find(ctx)
	if err != nil {
		return session.Tokens{}, err
	}
	config := s.oauth(provider)
	token, err := config.TokenSource(oidc.ClientContext(ctx, s.client), &oauth2.Token{RefreshToken: old.Refresh}).Token()
	if err != nil {
		if err := judge(err); problem.KindOf(err) != problem.Forbidden {
			return session.Tokens{}, err
		}
		return session.Tokens{}, session.ErrNone
	}
	return s.kept(token, old.Name, old.Refresh), nil
}

// Out gives where to send somebody who signs out, so that the issuer's own session ends as well; empty where the issuer has no such
// page. No token goes along.
func (s *Service) Out(ctx context.Context) string {
	provider, err := s.find(ctx)
	if err != nil {
		return ""
	}
	var meta struct {
		End string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&meta); err != nil || meta.End == "" {
		return ""
	}
	u, err := url.Parse(meta.End)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	q := u.Query()
	q.Set("client_id", s.cfg.ClientID)
	q.Set("post_logout_redirect_uri", s.cfg.After)
	u.RawQuery = q.Encode()
	return u.String()
}

// kept is what a session keeps of an answer. Some issuers give a refresh token once and let it be used again.
func (s *Service) kept(token *oauth2.Token, name, refresh string) session.Tokens {
	until := token.Expiry
	if until.IsZero() {
		until = s.clock().Add(shortest)
	}
	if token.RefreshToken != "" {
		refresh = token.RefreshToken
	}
	return session.Tokens{Access: token.AccessToken, Refresh: refresh, Name: name, Until: until.UTC()}
}

func (s *Service) opened(sealed string) (started, bool) {
	var st started
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || s.sealer.Open(raw, nil, &st) != nil || s.clock().After(st.Until) {
		return started{}, false
	}
	return st, true
}

func (s *Service) oauth(provider *oidc.Provider) *oauth2.Config {
	endpoint := provider.Endpoint()
	if s.cfg.ClientSecret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams // a public client names itself in the form
	}
	return &oauth2.Config{
		ClientID: s.cfg.ClientID, ClientSecret: s.cfg.ClientSecret, Endpoint: endpoint, RedirectURL: s.cfg.Callback,
		Scopes: append([]string{oidc.ScopeOpenID}, s.cfg.Scopes...),
	}
}

func (s *Service) find(ctx context.Context) (*oidc.Provider, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provider != nil {
		return s.provider, nil
	}
	// The provider keeps the context for its keys, which outlive this request.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), s.client), strings.TrimSpace(s.cfg.Issuer))
	if err != nil {
		return nil, errIssuer.Because(err)
	}
	if provider.Endpoint().AuthURL == "" {
		return nil, errIssuer.Because(errors.New("the issuer's discovery document names no authorization_endpoint"))
	}
	s.provider = provider
	return provider, nil
}

// judge tells an issuer that refuses from one that is away.
func judge(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode < http.StatusInternalServerError {
		return errRefused.Because(fmt.Errorf("the issuer answered %d %s", answer.Response.StatusCode, answer.ErrorCode))
	}
	return errIssuer.Because(errors.New("the token endpoint did not answer"))
}
