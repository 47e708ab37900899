package lead

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Note is what somebody wrote down of a lead. The words are personal.
type Note struct {
	ID    uuid.UUID // UUIDv7
	Words string    // empty where they were deleted
	By    string    // subject
	At    time.Time
}

// Note writes something down of a lead. It does not change the lead.
func (s *Leads) Note(ctx context.Context, lead uuid.UUID, words string) (Note, error) {
	var f faults
	n := Note{ID: uuid.Must(uuid.NewV7()), Words: f.words("words", words), By: actor(ctx), At: s.now()}
	if n.Words == "" {
		f.add("words", "words_required", "must be given")
	}
	if len(f) > 0 {
		return Note{}, invalid(f)
	}
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		l, err := Lock(ctx, tx, lead)
		if err != nil {
			return pg.Result{}, err
		}
		if !l.ErasedAt.IsZero() {
			return pg.Result{}, l.unfit("noted")
		}
		if l.CustomerID != uuid.Nil {
			erasure.Refuse(tx, l.CustomerID)
		}
		tx.Queue(`INSERT INTO lead_note (tenant_id, id, lead_id, words, written_by, written_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			tx.Tenant(), n.ID, lead, n.Words, n.By, n.At)
		return pg.Result{ID: n.ID, Status: http.StatusCreated}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
			return tx.QueryRow(ctx, `SELECT id, words, written_by, written_at FROM lead_note WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), result.ID).
				Scan(&n.ID, &n.Words, &n.By, &n.At)
		})
		n.At = n.At.UTC()
	}
	return n, err
}

// Notes gives up to limit notes of a lead before the one of an id (Nil: from the latest), the latest first.
func (s *Leads) Notes(ctx context.Context, lead, before uuid.UUID, limit int) (all []Note, err error) {
	err = s.hanging(ctx, lead, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, words, written_by, written_at FROM lead_note
			WHERE tenant_id = $1 AND lead_id = $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4`, tx.Tenant(), lead, pg.OrNull(before), limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Note])
		return err
	})
	return all, err
}
