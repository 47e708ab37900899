package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ServerConfig says how a server runs.
type ServerConfig struct {
	// Dir holds everything of the server. It is made when missing, and used again when it holds a server's data. As root
	// it must be where another user can go.
	Dir string
	// Port on 127.0.0.1, where passwords are checked; 0 means a unix socket only.
	Port int
	// Host is where it listens beside 127.0.0.1, such as 0.0.0.0; default nowhere else.
	Host string
	// Password is the superuser's, where it must be known outside; default one of its own, kept in Dir.
	Password string
	// Fsync makes data survive a crash of the machine; without it the server is quick and only fit for tests.
	Fsync bool
	// LogFile gets what the server says; default Dir/postgres.log.
	LogFile string
	// Binaries is a folder with postgres and initdb, or "embedded"; default is $GUANXI_PG_BINARIES, else the newest
	// installed, else downloaded ones.
	Binaries string
	// Settings of postgresql.conf, over the defaults of this package.
	Settings map[string]string
}

// Mode is how a server is stopped.
type Mode string

// The modes.
const (
	Fast      Mode = "fast"      // ends the sessions, writes a checkpoint
	Immediate Mode = "immediate" // the next start recovers from the log
	Kill      Mode = "kill"      // SIGKILL to the first process
)

var signals = map[Mode]syscall.Signal{Fast: syscall.SIGINT, Immediate: syscall.SIGQUIT, Kill: syscall.SIGKILL}

const (
	readyTimeout = 2 * time.Minute // a recovery may come first
	stopTimeout  = 30 * time.Second
)

// Server is a PostgreSQL server that ends with this process, also when this is killed (on Linux).
type Server struct {
	cfg      ServerConfig
	who      identity
	bin      binaries
	sock     string
	password string
	process  *os.Process
	ended    <-chan error // gets one value when the process has ended; nil while none runs
	unlock   func()
}

// StartServer starts a server and waits until it answers. What a killed predecessor left in Dir is put right; a Dir that
// another process uses is refused.
func StartServer(ctx context.Context, cfg ServerConfig) (*Server, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	if cfg.LogFile == "" {
		cfg.LogFile = filepath.Join(dir, "postgres.log")
	}
	if cfg.Binaries == "" {
		cfg.Binaries = os.Getenv(BinariesEnv)
	}
	s := &Server{cfg: cfg}
	if s.who, err = serverIdentity(); err != nil {
		return nil, err
	}
	if err := s.who.own(dir); err != nil {
		return nil, err
	}
	if s.unlock, err = lockFile(filepath.Join(dir, "lock"), false); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		s.unlock()
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		s.unlock()
		return nil, err
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.cfg.Dir, "data") }

func (s *Server) prepare(ctx context.Context) (err error) {
	if s.bin, err = findBinaries(s.cfg.Binaries, majorOf(s.data())); err != nil {
		return err
	}
	s.sock = s.cfg.Dir
	if len(s.sock) > 80 { // a unix socket's path has at most 107 bytes
		if s.sock, err = os.MkdirTemp("/tmp", "guanxi-pg-socket-"); err != nil {
			return err
		}
		if err := s.who.own(s.sock); err != nil {
			return err
		}
	}
	have := majorOf(s.data())
	if have == 0 {
		return s.initdb(ctx)
	}
	if have != s.bin.major {
		return fmt.Errorf("%s was made by PostgreSQL %d, but the binaries found are %d: install that version, or move the folder away",
			s.data(), have, s.bin.major)
	}
	secret, err := os.ReadFile(s.secretFile())
	if err != nil {
		return err
	}
	s.password = strings.TrimSpace(string(secret))
	return s.endOrphan()
}

func (s *Server) secretFile() string { return filepath.Join(s.cfg.Dir, "admin.password") }

// majorOf gives the version that made the data folder; 0 when there is none.
func majorOf(data string) int {
	b, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}

// initdb makes the data folder under another name first, so that one that was killed halfway is not taken for whole.
func (s *Server) initdb(ctx context.Context) error {
	if s.password = s.cfg.Password; s.password == "" {
		s.password = rand.Text()
	}
	if err := os.WriteFile(s.secretFile(), []byte(s.password+"\n"), 0o600); err != nil {
		return err
	}
	if s.who.other {
		if err := os.Chown(s.secretFile(), s.who.uid, s.who.gid); err != nil {
			return err
		}
	}
	making := s.data() + ".making"
	if err := os.RemoveAll(making); err != nil {
		return err
	}
	args := []string{
		"-D", making, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-instructions",
		"--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=" + s.secretFile(),
	}
	if !s.cfg.Fsync {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin.dir, "initdb"), args...)
	cmd.Dir, cmd.Env = s.cfg.Dir, s.env()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	ended, err := startTied(cmd, s.who)
	if err == nil {
		err = <-ended
	}
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, said.String())
	}
	if s.cfg.Host != "" {
		if err := allowEverybody(making); err != nil {
			return err
		}
	}
	return os.Rename(making, s.data())
}

// allowEverybody lets clients in from everywhere who know a password; initdb lets those of the machine in only.
func allowEverybody(data string) error {
	f, err := os.OpenFile(filepath.Join(data, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("host all all all scram-sha-256\n")
	return errors.Join(err, f.Close())
}

// env has nothing of the caller's PG* variables.
func (s *Server) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "HOME=" + s.cfg.Dir}
}

// endOrphan ends a server that outlived the process that started it. Nobody else can be using it: we hold the lock.
func (s *Server) endOrphan() error {
	pidFile := filepath.Join(s.data(), "postmaster.pid")
	b, err := os.ReadFile(pidFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(string(b), "\n", 2)[0]))
	if err == nil && pid > 0 && isPostgres(pid, s.data()) {
		_ = syscall.Kill(pid, syscall.SIGQUIT)
		for range 100 {
			if !isPostgres(pid, s.data()) {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	// Its number may belong to another process by now, which would make the next start refuse.
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (s *Server) settings() []string {
	m := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": s.sock,
		"port":                    "5432",
		"max_connections":         "600",
		"shared_buffers":          "64MB",
		"huge_pages":              "off",
		"jit":                     "off",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"log_line_prefix":         "%m [%p] %q%a@%d ",
		"max_wal_size":            "1GB",
		"wal_level":               "minimal",
		"max_wal_senders":         "0",
		"logging_collector":       "off",
	}
	if s.cfg.Port != 0 {
		m["listen_addresses"], m["port"] = "127.0.0.1", itoa(s.cfg.Port)
		if s.cfg.Host != "" {
			m["listen_addresses"] = s.cfg.Host
		}
	}
	if !s.cfg.Fsync {
		m["fsync"], m["full_page_writes"], m["checkpoint_timeout"] = "off", "off", "1h"
	}
	for k, v := range s.cfg.Settings {
		m[k] = v
	}
	args := []string{"-D", s.data()}
	for k, v := range m {
		args = append(args, "-c", k+"="+v)
	}
	return args
}

// Start starts the server again after Stop and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := s.startOnce(ctx)
		// After a kill its children may live for a moment, with the shared memory.
		if err == nil || !strings.Contains(err.Error(), "pre-existing shared memory block") || ctx.Err() != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *Server) startOnce(ctx context.Context) error {
	log, err := os.OpenFile(s.cfg.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	st, err := log.Stat()
	if err != nil {
		return err
	}
	from := st.Size()
	if from > 16<<20 {
		from = 0
		_ = log.Truncate(0)
	}
	cmd := exec.Command(filepath.Join(s.bin.dir, "postgres"), s.settings()...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.data(), s.env(), log, log
	ended, err := startTied(cmd, s.who)
	if err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	s.process, s.ended = cmd.Process, ended
	for {
		conn, err := pgx.Connect(ctx, s.AdminURL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.ended: //nolint:errcheck // its log says why
			s.ended = nil
			return fmt.Errorf("PostgreSQL ended while starting:\n%s", s.said(from))
		case <-ctx.Done():
			_ = s.Stop(Immediate)
			return fmt.Errorf("PostgreSQL did not become ready: %w\n%s", err, s.said(from))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// said gives the last of what the server has written since the given place in its log.
func (s *Server) said(from int64) string {
	b, _ := os.ReadFile(s.cfg.LogFile)
	b = b[min(from, int64(len(b))):]
	return string(b[max(0, len(b)-2000):])
}

// AdminURL is the superuser's connection string to the database postgres.
func (s *Server) AdminURL() string { return s.url("postgres", s.password, "postgres").String() }

// URL is the template for pg.Config of a database on this server, such as guanxi_{service}. Every role gets the password.
func (s *Server) URL(database, password string) string {
	// {service} and {role} must not be escaped.
	return strings.NewReplacer("%7B", "{", "%7D", "}").Replace(s.url("{service}_{role}", password, database).String())
}

func (s *Server) url(user, password, database string) *url.URL {
	u := &url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Path: "/" + database}
	if s.cfg.Port != 0 {
		u.Host, u.RawQuery = "127.0.0.1:"+itoa(s.cfg.Port), "sslmode=disable"
		return u
	}
	u.RawQuery = url.Values{"host": {s.sock}, "port": {"5432"}, "sslmode": {"disable"}}.Encode()
	return u
}

// Stop stops the server and waits until it has ended. Start starts it again.
func (s *Server) Stop(mode Mode) error {
	if s.ended == nil {
		return nil
	}
	if err := s.process.Signal(signals[mode]); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended: //nolint:errcheck // what was told to stop may end in any way
	case <-time.After(stopTimeout):
		_ = s.process.Signal(syscall.SIGQUIT)
		<-s.ended //nolint:errcheck // and so may what was killed
	}
	s.ended = nil
	return s.endOrphan()
}

// Close stops the server for good and lets others use its folder.
func (s *Server) Close() error {
	err := s.Stop(Fast)
	s.unlock()
	return err
}
