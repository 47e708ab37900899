package ticketstest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// AsSuperuser runs a statement as nobody can who is bound by rights: to fill tables, or what a mistake by hand could do.
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

// Exec runs a statement as the service itself may, for a tenant.
func (w *World) Exec(t *testing.T, tenant, sql string, args ...any) (rows int64, err error) {
	t.Helper()
	err = w.DB.Tx(t.Context(), tenant, func(tx *pg.Tx) error {
		tag, err := tx.ExecNow(t.Context(), sql, args...)
		rows = tag.RowsAffected()
		return err
	})
	return rows, err
}
