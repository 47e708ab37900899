package customer_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// TestCustomersAreReadByTheirKeys holds the plans to indexes: under row level security a comparison that is not leakproof
// would have the server read all of the tenant's rows.
func TestCustomersAreReadByTheirKeys(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	var c customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleAgent, "pizza"), known("李雷", "card", "VIP17"), &c)
	scan := regexp.MustCompile(`Seq Scan on customer\w*|Index Cond: \(tenant_id = '[^)]*\)\n`)
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO customer (tenant_id, id, version, kind, display_name, given_name, family_name, legal_name, source, registered_at, changed_at)
			SELECT 'pizza', gen_random_uuid(), 1, 'person', 'x', '', '', '', 'test', now(), now() FROM generate_series(1, 3000)`)
		tx.Queue(`INSERT INTO customer_identity (tenant_id, type, value, customer_id, added_at)
			SELECT tenant_id, 'phone', '+86' || row_number() OVER (), id, now() FROM customer WHERE tenant_id = 'pizza'`)
		tx.Queue(`INSERT INTO customer_address (tenant_id, id, customer_id, kind, lines, city, region, postal_code, country, added_at)
			SELECT tenant_id, gen_random_uuid(), id, 'home', '{x}', '', '', '', 'CN', now() FROM customer WHERE tenant_id = 'pizza'`)
		tx.PlanForAny()
		plans, err := customer.Plans(t.Context(), tx, uuid.MustParse(c.CustomerID), card)
		for name, plan := range plans {
			if found := scan.FindString(plan); found != "" {
				t.Errorf("%s reads all of the tenant's: %s\n%s", name, found, plan)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
