package complaint

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// LinkCrisis makes the complaints a part of a crisis, in the transaction of whoever leads it, and gives those that were none
// of any before, the oldest first: one round trip. A complaint that is a part of another crisis stays there; one that is
// closed may be linked all the same. Steps and deadlines of a complaint go on as they are.
func LinkCrisis(ctx context.Context, tx *pg.Tx, crisis uuid.UUID, complaints []uuid.UUID, by string, at time.Time) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `WITH linked AS (
			UPDATE complaint SET crisis_id = $3, version = version + 1
			 WHERE tenant_id = $1 AND id = ANY($2::uuid[]) AND crisis_id IS NULL
			RETURNING id
		), stepped AS (
			INSERT INTO complaint_step (tenant_id, complaint_id, no, action, by_subject, at, detail)
			SELECT $1, l.id, (SELECT max(s.no) + 1 FROM complaint_step s WHERE s.tenant_id = $1 AND s.complaint_id = l.id),
				'link', $4, $5, jsonb_build_object('crisis_id', $3::uuid)
			  FROM linked l
		)
		SELECT id FROM linked ORDER BY id`, tx.Tenant(), complaints, crisis, by, at)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}
