// Package pgtest gives every test a real PostgreSQL database of its own.
package pgtest

import (
	"context"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
)

// New gives a database of the test's own, migrated, as the app role.
func New(t testing.TB, src migrate.Source) *pg.DB { return Database(t, src).DB(pg.App) }

// TestDatabase is a migrated database of one test.
type TestDatabase struct{}

// Database gives a database of the test's own.
func Database(t testing.TB, src migrate.Source) *TestDatabase { panic("not yet") }

// DB is a pool of the role, closed at the end of the test.
func (d *TestDatabase) DB(role pg.Role) *pg.DB { panic("not yet") }

// URL is the connection string of the role.
func (d *TestDatabase) URL(role pg.Role) string { panic("not yet") }

// ServerConfig says how a server runs.
type ServerConfig struct {
	Dir     string // data and sockets; made when missing
	Port    int    // on 127.0.0.1; 0 means a unix socket only
	Fsync   bool
	LogFile string
}

// Server is a running PostgreSQL.
type Server struct{}

// StartServer starts a PostgreSQL server.
func StartServer(ctx context.Context, cfg ServerConfig) (*Server, error) { panic("not yet") }

// AdminURL is the superuser's connection string.
func (s *Server) AdminURL() string { panic("not yet") }

// Mode is how a server is stopped.
type Mode string

// The modes.
const (
	Fast      Mode = "fast"
	Immediate Mode = "immediate"
)

// Stop stops the server.
func (s *Server) Stop(mode Mode) error { panic("not yet") }
