package attachment

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a file that is not there, that was removed, and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "attachment_not_found", "The ticket has no such file.")

const columns = `id, ticket_id, reply_id, name, type, bytes, sha256, secret, by_subject, at`

func scan(row pgx.Row) (Attachment, error) {
	var f Attachment
	var reply *uuid.UUID
	err := row.Scan(&f.ID, &f.TicketID, &reply, &f.Name, &f.Type, &f.Bytes, &f.SHA256, &f.secret, &f.By, &f.At)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	if reply != nil {
		f.ReplyID = *reply
	}
	return f, err
}

// place is what a file's ticket has already.
type place struct {
	reply bool // the reply or note of the file
	files int  // kept ones
}

// queuePlace queues the look at a file's ticket; it is filled by the next round trip.
func queuePlace(tx *pg.Tx, f Attachment) *place {
	on := new(place)
	tx.Queue(`SELECT EXISTS (SELECT FROM ticket_reply WHERE tenant_id = $1 AND id = $3 AND ticket_id = $2)
			OR EXISTS (SELECT FROM ticket_note WHERE tenant_id = $1 AND id = $3 AND ticket_id = $2),
			(SELECT count(*) FROM attachment WHERE tenant_id = $1 AND ticket_id = $2 AND state = 'kept')`,
		tx.Tenant(), f.TicketID, f.ReplyID).QueryRow(func(row pgx.Row) error { return row.Scan(&on.reply, &on.files) })
	return on
}

func insert(tx *pg.Tx, f Attachment) {
	tx.Queue(`INSERT INTO attachment (tenant_id, id, ticket_id, reply_id, state, name, type, bytes, sha256, secret, by_subject, at)
		VALUES ($1, $2, $3, $4, 'arriving', $5, $6, 0, '', $7, $8, $9)`,
		tx.Tenant(), f.ID, f.TicketID, pg.OrNull(f.ReplyID), f.Name, f.Type, f.secret, f.By, f.At)
}

// keep tells whether the file was still arriving.
func keep(ctx context.Context, tx *pg.Tx, f Attachment) (bool, error) {
	tag, err := tx.ExecNow(ctx, `UPDATE attachment SET state = 'kept', bytes = $3, sha256 = $4
		WHERE tenant_id = $1 AND id = $2 AND state = 'arriving'`, tx.Tenant(), f.ID, f.Bytes, f.SHA256)
	return tag.RowsAffected() == 1, err
}

// doom queues that a file in the state is to go; it cannot be read any more.
func doom(tx *pg.Tx, id uuid.UUID, state string) {
	tx.Queue(`UPDATE attachment SET state = 'doomed', name = '', sha256 = '', secret = '' WHERE tenant_id = $1 AND id = $2 AND state = $3`,
		tx.Tenant(), id, state)
}

func find(ctx context.Context, tx *pg.Tx, ticketID, id uuid.UUID) (Attachment, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM attachment WHERE tenant_id = $1 AND id = $2 AND state = 'kept'
		AND ticket_id = ANY ((SELECT ticket_group($1, $3))::uuid[])`, tx.Tenant(), id, ticketID))
}

func list(ctx context.Context, tx *pg.Tx, ticketID, before uuid.UUID, limit int) ([]Attachment, error) {
	rows, err := tx.Query(ctx, `SELECT a.* FROM unnest(ticket_group($1, $2)) AS g(id)
		CROSS JOIN LATERAL (SELECT `+columns+` FROM attachment WHERE tenant_id = $1 AND ticket_id = g.id AND state = 'kept'
			AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4) a
		ORDER BY a.id DESC LIMIT $4`, tx.Tenant(), ticketID, pg.OrNull(before), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Attachment, error) { return scan(row) })
}

// Erase has the files on tickets of the customers never be read again, and counts them, and those that still can be: one round
// trip. Their blobs, of which nothing can be read without the secrets, go with the next sweep.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	done := erasure.Erased{What: "ticket_file"}
	tx.Queue(`UPDATE attachment a SET state = 'doomed', name = '', sha256 = '', secret = '' FROM ticket t
		WHERE t.tenant_id = $1 AND t.customer_id = ANY($2::uuid[]) AND a.tenant_id = t.tenant_id AND a.ticket_id = t.id AND a.state <> 'doomed'`,
		tx.Tenant(), customers).Exec(func(tag pgconn.CommandTag) error { done.Count = tag.RowsAffected(); return nil })
	err := tx.QueryRow(ctx, `SELECT count(*) FROM attachment a JOIN ticket t ON t.tenant_id = a.tenant_id AND t.id = a.ticket_id
		WHERE t.tenant_id = $1 AND t.customer_id = ANY($2::uuid[]) AND (a.secret <> '' OR a.name <> '')`, tx.Tenant(), customers).Scan(&done.Left)
	return []erasure.Erased{done}, err
}

// swept is a file that is to go.
type swept struct {
	tenant string
	id     uuid.UUID
}

// toSweep gives up to limit files of all tenants that are to go.
func toSweep(ctx context.Context, db *pg.DB, before time.Time, limit int) (found []swept, err error) {
	err = db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, id FROM attachment_to_sweep($1, $2)`, before, limit)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s swept, err error) { return s, row.Scan(&s.tenant, &s.id) })
		return err
	})
	return found, err
}
