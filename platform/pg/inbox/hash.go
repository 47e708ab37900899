package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// StateHash gives a hash of what stands in the tables of a schema, all tenants together: equal for equal sets of rows,
// whatever their order on disk, and different otherwise. Each row counts with all its columns, so a table that a rebuild
// must reach again holds nothing but what follows from events: ids made from event ids, no clock of our own. db is of the
// ops role.
func StateHash(ctx context.Context, db *pg.DB, schema string, tables ...string) (string, error) {
	sum := sha256.New()
	for _, table := range slices.Sorted(slices.Values(tables)) {
		var rows int64
		var low, high string
		err := db.System(ctx, func(tx *pg.Tx) error {
			// The rows' hashes are added up, which no order changes.
			return tx.QueryRow(ctx, fmt.Sprintf(`SELECT count(*),
					coalesce(sum(('x' || left(h, 16))::bit(64)::bigint::numeric), 0)::text,
					coalesce(sum(('x' || right(h, 16))::bit(64)::bigint::numeric), 0)::text
				FROM (SELECT md5(t::text) AS h FROM %s t) hashed`, pgx.Identifier{schema, table}.Sanitize())).
				Scan(&rows, &low, &high)
		})
		if err != nil {
			return "", fmt.Errorf("hash of %s.%s: %w", schema, table, err)
		}
		_, _ = fmt.Fprintln(sum, strings.Join([]string{table, fmt.Sprint(rows), low, high}, " "))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
