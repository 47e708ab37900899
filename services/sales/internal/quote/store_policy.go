package quote

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// policyOf queues the search for the policy of the transaction's tenant; it is filled by the next round trip.
func policyOf(tx *pg.Tx) *Policy {
	found := StandardPolicy()
	tx.Queue(`SELECT policy, version FROM quote_policy WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var p Policy
		var version int64
		err := row.Scan(&p, &version)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if p.Version = version; err == nil {
			found = p
		}
		return err
	})
	return &found
}

func savePolicy(tx *pg.Tx, p Policy, by string, at time.Time) {
	tx.Queue(`INSERT INTO quote_policy (tenant_id, version, policy, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id) DO UPDATE SET version = $2, policy = $3, by_subject = $4, changed_at = $5`, tx.Tenant(), p.Version, p, by, at)
}
