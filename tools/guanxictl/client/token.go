package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// TokenSource gives a bearer token that holds now.
type TokenSource func(ctx context.Context) (string, error)

// StaticToken always gives the same token.
func StaticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// DevToken says who a token of the development issuer is for.
type DevToken struct {
	Subject    string   `json:"subject"`
	Tenant     string   `json:"tenant,omitempty"`
	Roles      []string `json:"roles"`
	Unit       string   `json:"unit,omitempty"`
	TTLSeconds int64    `json:"ttl_seconds,omitempty"`
}

// FetchDevToken gets a token from the development issuer.
func FetchDevToken(ctx context.Context, issuer string, want DevToken) (string, error) {
	raw, err := json.Marshal(want)
	if err != nil {
		return "", err
	}
	target := strings.TrimRight(issuer, "/") + "/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("development issuer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusBadRequest {
		return "", fmt.Errorf("development issuer: %w", problem(resp))
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("development issuer: %w", err)
	}
	return answer.AccessToken, nil
}

// FromDevIssuer gives tokens of the development issuer and gets a new one well before the old one ends.
func FromDevIssuer(issuer string, want DevToken) TokenSource {
	if want.TTLSeconds == 0 {
		want.TTLSeconds = 3600
	}
	var mu sync.Mutex
	var token string
	var renew time.Time
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if token != "" && time.Now().Before(renew) {
			return token, nil
		}
		fresh, err := FetchDevToken(ctx, issuer, want)
		if err != nil {
			return "", err
		}
		token, renew = fresh, time.Now().Add(time.Duration(want.TTLSeconds)*time.Second/2)
		return token, nil
	}
}
