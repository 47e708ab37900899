package accountstest

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Customer registers a customer of the kind (person, organisation) in the tenant and gives the id.
func (w *World) Customer(t *testing.T, tenant, kind, name string) string {
	t.Helper()
	var made struct {
		CustomerID string `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleAgent, tenant), map[string]any{
		"kind": kind, "display_name": name,
	}, &made)
	return made.CustomerID
}

// Absorb makes a customer an alias of another, as a merge leaves the two rows.
func (w *World) Absorb(t *testing.T, tenant, survivor, absorbed string) {
	t.Helper()
	w.change(t, tenant, `WITH gone AS (UPDATE customer SET state = 'absorbed', root_id = $2, aliases = '{}' WHERE tenant_id = $1 AND id = $3 RETURNING id)
		UPDATE customer SET aliases = aliases || $3::uuid || (SELECT aliases FROM customer WHERE tenant_id = $1 AND id = $3)
		WHERE tenant_id = $1 AND id = $2 AND EXISTS (SELECT FROM gone)`, tenant, survivor, absorbed)
	w.change(t, tenant, `UPDATE customer SET root_id = $2 WHERE tenant_id = $1 AND root_id = $3`, tenant, survivor, absorbed)
}

// Restore makes an alias without aliases of its own a customer again, as the undoing of its merge leaves the rows.
func (w *World) Restore(t *testing.T, tenant, survivor, absorbed string) {
	t.Helper()
	w.change(t, tenant, `WITH back AS (UPDATE customer SET state = 'active', root_id = NULL WHERE tenant_id = $1 AND id = $3 RETURNING id)
		UPDATE customer SET aliases = array_remove(aliases, $3::uuid) WHERE tenant_id = $1 AND id = $2 AND EXISTS (SELECT FROM back)`,
		tenant, survivor, absorbed)
}

// Put brings a customer to the state archived or erased, or back to active.
func (w *World) Put(t *testing.T, tenant, customer, state string) {
	t.Helper()
	w.change(t, tenant, `UPDATE customer SET state = $3 WHERE tenant_id = $1 AND id = $2`, tenant, customer, state)
}

func (w *World) change(t *testing.T, tenant, sql string, args ...any) {
	t.Helper()
	if err := w.DB.Tx(t.Context(), tenant, func(tx *pg.Tx) error {
		tx.Queue(sql, args...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
