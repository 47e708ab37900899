// Package stack runs all that the platform stands on, without a container: PostgreSQL, Kafka, Temporal with its page, an
// issuer of tokens and a store of traces, each a child process of its own that is started again when it dies. The
// children are the devstack program itself, so this package stays small enough for tests to import.
package stack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The parts.
const (
	Postgres = "postgres"
	Kafka    = "kafka"
	Temporal = "temporal"
	Issuer   = "issuer"
	Traces   = "traces"
)

// Namespace is the Temporal namespace of the installation, Audience that of its tokens.
const (
	Namespace = "guanxi"
	Audience  = "guanxi"
)

// Config says where and what.
type Config struct {
	// Binary is the devstack program.
	Binary string
	// Dir holds all state. It is made when missing. When the caller is root it must be a folder that other users may
	// enter, since PostgreSQL refuses to run as root.
	Dir   string
	Ports Ports
	// Report gets one line for each thing worth telling; nil is silent.
	Report func(line string)
}

// Stack is a running set of parts.
type Stack struct {
	cfg     Config
	lock    *os.File
	spawn   *spawner
	flowKey string

	mu        sync.Mutex
	processes []*Process
	byName    map[string]*Process
}

// Start starts every part and returns when all can be used.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	if cfg.Report == nil {
		cfg.Report = func(string) {}
	}
	for _, dir := range []string{cfg.Dir, filepath.Join(cfg.Dir, "log")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	key, err := secret(filepath.Join(cfg.Dir, "flow.key"))
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Stack{cfg: cfg, lock: lock, spawn: newSpawner(), flowKey: key, byName: make(map[string]*Process)}
	if err := s.startParts(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	if err := s.writeEnv(); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Stack) startParts(ctx context.Context) error {
	p := s.cfg.Ports
	s.startPart(Postgres, p.Postgres)
	s.startPart(Kafka, p.Kafka)
	s.startPart(Issuer, p.Issuer)
	s.startPart(Traces, p.Traces)
	if err := s.Part(Postgres).WaitReady(ctx); err != nil {
		return err
	}
	internal := make([]string, len(p.TemporalInternal))
	for i, port := range p.TemporalInternal {
		internal[i] = strconv.Itoa(port)
	}
	s.startPart(Temporal, p.Temporal, "--postgres", s.AdminURL(),
		"--web-port", strconv.Itoa(p.TemporalWeb), "--internal-ports", strings.Join(internal, ","))
	for _, name := range []string{Kafka, Issuer, Traces, Temporal} {
		if err := s.Part(name).WaitReady(ctx); err != nil {
			return err
		}
		s.cfg.Report(name + " is ready")
	}
	return nil
}

func (s *Stack) startPart(name string, port int, args ...string) {
	args = append([]string{name, "--dir", filepath.Join(s.cfg.Dir, name), "--port", strconv.Itoa(port)}, args...)
	s.Run(Program{Name: name, Path: s.cfg.Binary, Args: args, Env: append(os.Environ(), readyEnv+"=1")})
}

// Run keeps a further program running until Stop.
func (s *Stack) Run(program Program) *Process {
	process := start(program, s.spawn, filepath.Join(s.cfg.Dir, "log"), s.cfg.Report)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = append(s.processes, process)
	s.byName[program.Name] = process
	return process
}

// Part gives a part, or a program of Run, by its name; nil when there is none.
func (s *Stack) Part(name string) *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byName[name]
}

// Stop ends what runs, the last started first, and gives the folder free. The state stays.
func (s *Stack) Stop() {
	s.mu.Lock()
	processes := s.processes
	s.processes = nil
	s.mu.Unlock()
	for i := len(processes) - 1; i >= 0; i-- {
		processes[i].Stop()
	}
	if s.spawn != nil {
		s.spawn.close()
		s.spawn = nil
		_ = s.lock.Close()
	}
}

// AdminURL is the PostgreSQL superuser's.
func (s *Stack) AdminURL() string { return s.Part(Postgres).Said() }

// ServerURL is where the platform answers HTTP, once it runs.
func (s *Stack) ServerURL() string { return "http://" + addr(s.cfg.Ports.HTTP) }

// IssuerURL is the development issuer's.
func (s *Stack) IssuerURL() string { return "http://" + addr(s.cfg.Ports.Issuer) }

// TracesURL is the trace store's.
func (s *Stack) TracesURL() string { return "http://" + addr(s.cfg.Ports.Traces) }

// TemporalWebURL is Temporal's own page.
func (s *Stack) TemporalWebURL() string { return "http://" + addr(s.cfg.Ports.TemporalWeb) }

// KafkaAddr is the broker's host:port.
func (s *Stack) KafkaAddr() string { return addr(s.cfg.Ports.Kafka) }

// TemporalAddr is the frontend's host:port.
func (s *Stack) TemporalAddr() string { return addr(s.cfg.Ports.Temporal) }

// Dir is where the state is.
func (s *Stack) Dir() string { return s.cfg.Dir }

// Env is the environment of the platform's programs, as name=value, without that of this process.
func (s *Stack) Env() []string {
	return []string{
		"GUANXI_ENV=development",
		"GUANXI_HTTP_ADDR=" + addr(s.cfg.Ports.HTTP),
		"GUANXI_HTTP_SHUTDOWN_DELAY=0s",
		"GUANXI_PG_URL=postgres://{service}_{role}:development@" + addr(s.cfg.Ports.Postgres) + "/guanxi_{service}?sslmode=disable",
		"GUANXI_PG_ADMIN_URL=" + s.AdminURL(),
		"GUANXI_KAFKA_BROKERS=" + s.KafkaAddr(),
		"GUANXI_TEMPORAL_ADDRESS=" + s.TemporalAddr(),
		"GUANXI_TEMPORAL_NAMESPACE=" + Namespace,
		"GUANXI_OIDC_ISSUER=" + s.IssuerURL(),
		"GUANXI_OIDC_AUDIENCE=" + Audience,
		"GUANXI_FLOW_KEY=" + s.flowKey,
		"GUANXI_PEERS_URL=http://" + addr(s.cfg.Ports.HTTP),
		"GUANXI_CONSOLE_URL=" + s.ServerURL(),
		"GUANXI_CONSOLE_WORKFLOWS_URL=" + s.TemporalWebURL(),
		"GUANXI_CONSOLE_TRACES_URL=" + s.TracesURL() + "/traces/{trace_id}",
		"GUANXI_BLOB_DIR=" + filepath.Join(s.cfg.Dir, "blobs"),
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.TracesURL(),
	}
}

// writeEnv leaves the environment in the folder, for whoever starts a service by hand.
func (s *Stack) writeEnv() error {
	var b strings.Builder
	for _, line := range s.Env() {
		name, value, _ := strings.Cut(line, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", name, value)
	}
	return os.WriteFile(filepath.Join(s.cfg.Dir, "env"), []byte(b.String()), 0o600)
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	// A stack that is just ending still holds the lock for a moment.
	for range 50 {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("another development stack runs on %s: %w", dir, err), f.Close())
}

// secret reads a random key, made on first use.
func secret(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err == nil && len(raw) >= 64 {
		return string(raw), nil
	}
	if err != nil && !os.IsNotExist(err) {
		return "", err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	made := hex.EncodeToString(key)
	return made, os.WriteFile(path, []byte(made), 0o600)
}

// Lines is a Report that writes each line with the seconds since now.
func Lines(w io.Writer) func(string) {
	began := time.Now()
	var mu sync.Mutex
	return func(line string) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintf(w, "[%6.1fs] %s\n", time.Since(began).Seconds(), line)
	}
}
