package accountstest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// AsSuperuser runs a statement as nobody can who is bound by rights: what an intruder, or a mistake by hand, could do.
func (w *World) AsSuperuser(t *testing.T, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.Database.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
