package portrait

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Currency is the tenant's reporting currency: the one that was set, else that with the most orders, else empty.
func Currency(ctx context.Context, tx *pg.Tx) (currency string, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce((SELECT currency FROM analytics_settings WHERE tenant_id = $1),
		(SELECT currency FROM sales_day WHERE tenant_id = $1 GROUP BY currency ORDER BY sum(orders) DESC, currency LIMIT 1), '')`,
		tx.Tenant()).Scan(&currency)
	return currency, err
}
