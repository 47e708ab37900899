// Package apptest starts a service as it runs in a cluster, for a test: its real process code on a real PostgreSQL and
// a Kafka of its own, with an identity provider whose tokens go through the ordinary verifier. Only tests import it.
package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/blob"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

const audience = "guanxi-test"

// Service is a running service.
type Service struct {
	Database *pgtest.TestDatabase
	DB       *pg.DB // as the app role
	ops      *pg.DB // looks over all tenants
	Bus      *bus.Client
	Flow     *flowtest.Frontend // runs what the service starts, in the place of a Temporal server
	URL      string

	t      testing.TB
	worker func(worker.Registry) // registers what the service does for processes
	name   string
	issuer string
	blobs  string // the folder of files
	cancel context.CancelFunc
	done   chan struct{}
	err    error // what Run gave; read it after done
}

// nobody is where the APIs of other services are as long as a test does not say: nothing listens there.
const nobody = "http://127.0.0.1:1"

// Start runs the module until the test ends: its routes, relay and consumers. Workflows that it starts run as soon as
// they are started; what needs signals, updates or schedules is tried end to end.
func Start(t testing.TB, m app.Module) *Service {
	t.Helper()
	s := StartOn(t, m, pgtest.Database(t, m.Source()), func(*app.Config) {})
	s.StopAtEnd()
	return s
}

// StartLive is Start with every part, workers included, on the real Temporal server that flowtest.LiveEnv names, in a
// namespace of the test's own. It gives a client of that namespace as well. Without roles it runs all of them.
func StartLive(t testing.TB, m app.Module, roles ...string) (*Service, *flow.Client) {
	t.Helper()
	return StartLiveWith(t, m, func(*app.Config) {}, roles...)
}

// StartLiveWith is StartLive with a configuration that the caller may change.
func StartLiveWith(t testing.TB, m app.Module, change func(*app.Config), roles ...string) (*Service, *flow.Client) {
	t.Helper()
	client, live := flowtest.LiveAt(t)
	s := StartOn(t, m, pgtest.Database(t, m.Source()), func(cfg *app.Config) {
		if cfg.Run = roles; len(roles) == 0 {
			cfg.Run = app.AllRoles
		}
		cfg.Temporal.Address, cfg.Temporal.Namespace, cfg.Flow.Key = live.Address, live.Namespace, string(live.Key)
		change(cfg)
	})
	s.StopAtEnd()
	return s, client
}

// StartOn is Start on a database that the caller may break, with a configuration that the caller may change. The caller
// stops the service.
func StartOn(t testing.TB, m app.Module, database *pgtest.TestDatabase, change func(*app.Config)) *Service {
	t.Helper()
	client := bustest.New(t)
	s := &Service{Database: database, DB: database.DB(pg.App), ops: database.DB(pg.Ops), Bus: client, Flow: flowtest.NewFrontend(t), t: t, name: m.Name, issuer: startIssuer(t), blobs: t.TempDir()}
	cfg := app.Defaults()
	cfg.Env = app.Development
	cfg.Run = []string{app.RoleHTTP, app.RoleRelay, app.RoleConsumers}
	cfg.HTTP.Addr = "127.0.0.1:0"
	cfg.HTTP.ShutdownDelay = 0
	cfg.PG.URL = database.Config().URL
	cfg.PG.MaxConns = 8
	cfg.Kafka.Brokers = client.Brokers()
	cfg.Temporal.Address, cfg.Flow.Key = s.Flow.Address(), string(s.Flow.Key())
	cfg.OIDC.Issuer, cfg.OIDC.Audience = s.issuer, audience
	cfg.Blob.Dir = s.blobs
	cfg.Peers.URL = nobody
	change(&cfg)
	s.work(m, cfg.Peers.URL)

	ctx, cancel := context.WithCancel(context.Background())
	p, err := app.Open(ctx, cfg, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), m)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	addr, err := p.Listen()
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	s.URL = "http://" + addr.String()
	s.cancel, s.done = cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		s.err = p.Run(ctx)
		p.Close()
	}()
	return s
}

// Blobs is the folder that the service keeps files in.
func (s *Service) Blobs() string { return s.blobs }

// Stop ends the service as SIGTERM does and gives what it ended with. It may be called again.
func (s *Service) Stop() error {
	s.cancel()
	return s.Wait()
}

// StopAtEnd stops the service when the test ends, and fails the test where it did not end well.
func (s *Service) StopAtEnd() {
	s.t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			s.t.Errorf("the service ended with %v", err)
		}
	})
}

// Wait waits until the service has ended by itself, and gives what it ended with.
func (s *Service) Wait() error {
	s.t.Helper()
	select {
	case <-s.done:
		return s.err
	case <-time.After(time.Minute):
		return errors.New("the service has not ended within a minute")
	}
}

// work runs the workflows of the module, with parts of their own on the same database.
func (s *Service) work(m app.Module, peers string) {
	s.t.Helper()
	var cfg app.Config
	cfg.Flow.Key = string(s.Flow.Key())
	blobs, err := blob.Open(blob.Config{Dir: s.blobs})
	if err != nil {
		s.t.Fatal(err)
	}
	key, err := auth.PeerKey(s.Flow.Key())
	if err != nil {
		s.t.Fatal(err)
	}
	at := func(service string) (string, error) { return strings.ReplaceAll(peers, "{service}", service), nil }
	parts, err := m.Build(app.Deps{
		Peers:  peer.New(at, key, time.Now),
		Config: cfg, DB: s.DB, Ops: s.ops, Bus: s.Bus, Outbox: outbox.New(m.Name), Flow: s.Flow.Client(), Blobs: blobs, Clock: time.Now,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if parts.Worker != nil {
		s.worker = parts.Worker
		s.Flow.Work(parts.Worker)
	}
}

func startIssuer(t testing.TB) string {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	issuer, err := auth.NewDevIssuer(auth.DevIssuerConfig{URL: server.URL, Audience: audience, KeyFile: filepath.Join(t.TempDir(), "key.pem")})
	if err != nil {
		t.Fatal(err)
	}
	handler = issuer
	return server.URL
}

// Token gives a token of somebody with the role in the tenant; an empty tenant is for platform administrators.
func (s *Service) Token(role, tenant string) string {
	s.t.Helper()
	return s.TokenFor(map[string]any{"subject": role + "@" + tenant, "tenant": tenant, "roles": []string{role}})
}

// TokenFor gives a token with any claims that the issuer knows.
func (s *Service) TokenFor(claims map[string]any) string {
	s.t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.Post(s.issuer+"/token", "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		s.t.Fatalf("the issuer answered %d: %v", resp.StatusCode, err)
	}
	return answer.AccessToken
}

// Answer is what the service answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the body as JSON into v.
func (a Answer) Decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("answer %d is not JSON: %v: %s", a.Status, err, a.Body)
	}
}

// Code is the stable code of a problem; empty when the answer is none.
func (a Answer) Code() string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.Body, &p) // not every answer is JSON
	return p.Code
}

// Do sends a request: body is marshalled unless it is a string, []byte or nil; headers come in pairs.
func (s *Service) Do(method, path, token string, body any, headers ...string) Answer {
	s.t.Helper()
	var reader io.Reader = http.NoBody
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, reader)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: raw}
}

// Want is Do for a step that must be answered with status; the answer's body is decoded into out unless that is nil.
func (s *Service) Want(status int, method, path, token string, body, out any, headers ...string) Answer {
	s.t.Helper()
	answer := s.Do(method, path, token, body, headers...)
	if answer.Status != status {
		s.t.Fatalf("%s %s: got %d, want %d: %s", method, path, answer.Status, status, answer.Body)
	}
	if out != nil {
		answer.Decode(s.t, out)
	}
	return answer
}

// Events waits until the service has published n events and gives all of them, in the order of each partition.
func (s *Service) Events(n int) []bus.Event {
	s.t.Helper()
	var events []bus.Event
	s.Eventually(fmt.Sprintf("%d events of %s", n, s.name), func() bool {
		events = events[:0]
		topic := bus.TopicFor(s.name)
		first, next, err := s.Bus.Offsets(s.t.Context(), topic)
		if err != nil {
			return false
		}
		for partition := range next {
			err := s.Bus.Read(s.t.Context(), topic, partition, first[partition], next[partition], func(m bus.Message) error {
				e, err := bus.Decode(m)
				events = append(events, e)
				return err
			})
			if err != nil {
				s.t.Fatal(err)
			}
		}
		return len(events) >= n
	})
	return events
}

// Publish puts events of another service into its topic, as that service's relay would.
func (s *Service) Publish(service string, events ...bus.Event) {
	s.t.Helper()
	topic := bus.TopicFor(service)
	if err := s.Bus.EnsureTopics(s.t.Context(), bus.Topic{Name: topic, Partitions: bus.Partitions}); err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		shard := bus.Shard(e.Tenant, e.AggregateType, e.AggregateID)
		s.Eventually("the event is published", func() bool { // a relay tries again, too: the topic may be new to its client
			return s.Bus.Produce(s.t.Context(), topic, shard, []bus.Message{bus.Encode(e)}) == nil
		})
	}
}

// Eventually tries until it holds. It fails the test after a minute: long enough for a machine under load, since a
// test that waits is not a benchmark.
func (s *Service) Eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	s.t.Fatalf("this did not come true within a minute: %s", what)
}
