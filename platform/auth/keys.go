package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	// keysMaxAge is how long keys are used before they are asked for again, so that a withdrawn key ends.
	keysMaxAge = 10 * time.Minute
	// maxKeys bounds the size of the issuer's key document.
	maxKeys = 1 << 20
)

var (
	errUnreachable = errors.New("the issuer's keys cannot be had")
	errForged      = errors.New("no key of the issuer made this signature")
)

// keySet holds the issuer's public keys. Unlike the library's own it asks the issuer only for key ids that it does not
// know, and at most every retryPause: a flood of forged tokens stays here. It also tells "forged" from "cannot know".
type keySet struct {
	url    string
	client *http.Client
	clock  func() time.Time
	flight singleflight.Group

	mu      sync.RWMutex
	keys    []jose.JSONWebKey
	fetched time.Time // last success
	tried   time.Time // last attempt
	lastErr error     // of the last attempt
}

func newKeySet(url string, client *http.Client, clock func() time.Time) *keySet {
	return &keySet{url: url, client: client, clock: clock}
}

// VerifySignature gives the payload when one of the issuer's keys made the signature; errForged when none did,
// errUnreachable when that cannot be known at the moment.
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms())
	if err != nil {
		return nil, err
	}
	if len(jws.Signatures) != 1 {
		return nil, errForged
	}
	header := jws.Signatures[0].Header
	payload, known := k.try(jws, header)
	if payload != nil {
		return payload, nil
	}
	if known {
		return nil, errForged
	}
	if err := k.refresh(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	if payload, _ = k.try(jws, header); payload != nil {
		return payload, nil
	}
	return nil, errForged
}

// try verifies with the keys at hand; known tells whether a key with the token's key id is among them.
func (k *keySet) try(jws *jose.JSONWebSignature, header jose.Header) (payload []byte, known bool) {
	k.mu.RLock()
	keys, stale := k.keys, k.clock().Sub(k.fetched) > keysMaxAge
	k.mu.RUnlock()
	if stale && keys != nil {
		go func() { _ = k.refresh(context.Background()) }() // its failure shows when an unknown key turns up
	}
	for i := range keys {
		key := &keys[i]
		if header.KeyID != "" && key.KeyID != header.KeyID {
			continue
		}
		if key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		known = known || header.KeyID != ""
		if p, err := jws.Verify(key); err == nil {
			return p, true
		}
	}
	return nil, known
}

// refresh asks the issuer for its keys, once for all who wait, and not again within retryPause.
func (k *keySet) refresh(ctx context.Context) error {
	k.mu.RLock()
	recent, err := k.clock().Sub(k.tried) < retryPause, k.lastErr
	k.mu.RUnlock()
	if recent {
		return err
	}
	done := k.flight.DoChan("keys", func() (any, error) {
		keys, err := k.fetch()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tried, k.lastErr = k.clock(), err
		if err == nil {
			k.keys, k.fetched = keys, k.tried
		}
		return nil, err
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *keySet) fetch() ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), issuerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the issuer's keys were answered with %s", resp.Status)
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxKeys)).Decode(&doc); err != nil {
		return nil, fmt.Errorf("reading the issuer's keys: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range doc.Keys {
		var key jose.JSONWebKey
		// Kinds of keys that we do not know, symmetric ones and those for encryption are of no use here.
		if json.Unmarshal(raw, &key) != nil || !key.IsPublic() || !key.Valid() || key.Use == "enc" {
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("the issuer publishes no key that could verify a token")
	}
	return keys, nil
}
