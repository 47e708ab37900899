package opportunity

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Uses tells the room of pipelines which of their stages open opportunities are in, and has these looked at anew when stages
// changed: an age limit may be another one.
func Uses() pipeline.Uses {
	return pipeline.Uses{
		Open: func(ctx context.Context, tx *pg.Tx, code string) (map[string]int64, error) {
			rows, err := tx.Query(ctx, `SELECT stage, count(*) FROM opportunity WHERE tenant_id = $1 AND pipeline = $2 AND state = 'open' GROUP BY stage`,
				tx.Tenant(), code)
			if err != nil {
				return nil, err
			}
			open := make(map[string]int64)
			var (
				stage string
				n     int64
			)
			_, err = pgx.ForEachRow(rows, []any{&stage, &n}, func() error { open[stage] = n; return nil })
			return open, err
		},
		Changed: func(tx *pg.Tx, code string, now time.Time) {
			tx.Queue(`UPDATE opportunity SET look_at = $3 WHERE tenant_id = $1 AND pipeline = $2 AND state = 'open'`, tx.Tenant(), code, now)
		},
	}
}
