package membership

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// Erase ends the memberships of the customers' members, with what is to be given back, and takes away the references of their
// payments, by which whoever sells could name them. Plans, fees and times stay, of members whom nobody can name.
func (m *Memberships) Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	book, running := queueRunning(tx, customers)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	all, err := withTerms(ctx, tx, running.all)
	if err != nil {
		return nil, err
	}
	now := m.now()
	var events []outbox.Event
	for _, s := range all {
		owner, err := member.Find(ctx, tx, s.MemberID)
		if err != nil {
			return nil, err
		}
		ended, err := m.endAnyhow(ctx, tx, owner, book, s, EndErased, EndErased, now)
		if err != nil {
			return nil, err
		}
		events = append(events, ended...)
	}
	if err := m.outbox.Append(ctx, tx, events...); err != nil {
		return nil, err
	}
	done := erasure.Erased{What: "membership_payment"}
	tx.Queue(`UPDATE membership_term SET payment = NULL WHERE tenant_id = $1 AND payment IS NOT NULL AND membership_id = ANY (ARRAY(
			SELECT s.id FROM membership s WHERE s.tenant_id = $1 AND s.member_id = ANY (ARRAY(
				SELECT m.id FROM member m WHERE m.tenant_id = $1 AND m.customer_id = ANY($2::uuid[])))))`, tx.Tenant(), customers).
		Exec(func(tag pgconn.CommandTag) error { done.Count = tag.RowsAffected(); return nil })
	err = tx.Flush(ctx)
	return []erasure.Erased{done}, err
}
