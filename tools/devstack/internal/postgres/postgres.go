// Package postgres keeps one PostgreSQL server running for as long as its program does.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

// Config says where the server runs.
type Config struct {
	// Dir holds its state.
	Dir  string
	Port int
	// Host is where it listens beside the loopback, such as 0.0.0.0 in a pod; default nowhere else.
	Host string
	// Password is the superuser's; default one of its own.
	Password string
	// Small asks for the little memory of a pod.
	Small bool
}

// Run starts a server, calls ready with the superuser's URL, and stops it when ctx ends. It
// returns an error when the server ends by itself.
func Run(ctx context.Context, cfg Config, ready func(url string)) error {
	// Ten programs and Temporal share the server; the memory is only taken when it is used. Checkpoints far apart: each
	// writes every page whole that is touched first after it.
	settings := map[string]string{"max_connections": "400", "shared_buffers": "2GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min"}
	if cfg.Small {
		// A container's /dev/shm has 64 MB, which is not enough for the memory that parallel workers share.
		settings = map[string]string{"max_connections": "600", "shared_buffers": "256MB", "max_wal_size": "1GB", "dynamic_shared_memory_type": "mmap"}
	}
	server, err := pgtest.StartServer(ctx, pgtest.ServerConfig{
		Dir: cfg.Dir, Port: cfg.Port, Host: cfg.Host, Password: cfg.Password, Fsync: true, Settings: settings,
	})
	if err != nil {
		return err
	}
	ready(server.AdminURL())
	return errors.Join(watch(ctx, filepath.Join(cfg.Dir, "data", "postmaster.pid")), server.Close())
}

// watch returns when ctx ends, or with an error when the server has gone.
func watch(ctx context.Context, pidFile string) error {
	raw, err := os.ReadFile(pidFile)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(string(raw), "\n", 2)[0]))
	if err != nil {
		return fmt.Errorf("%s: %w", pidFile, err)
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
				return errors.New("PostgreSQL ended by itself; its log says why")
			}
		}
	}
}

// Wait tries to connect until that works or patience is over.
func Wait(ctx context.Context, url string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
