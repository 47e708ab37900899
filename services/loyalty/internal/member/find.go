package member

import (
	"context"
	"errors"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// FindOf gives the member that a customer is of a programme; ok is false where the customer is none.
func FindOf(ctx context.Context, tx *pg.Tx, k Key) (m Member, ok bool, err error) {
	m, err = scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM member m WHERE m.tenant_id = $1 AND m.customer_id = $2 AND m.programme = $3`,
		tx.Tenant(), k.CustomerID, k.Programme))
	if errors.Is(err, errNotFound) {
		return Member{}, false, nil
	}
	return m, err == nil, err
}
