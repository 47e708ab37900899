package link

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// lock queues a lock against others who link tickets of the tenant, which lasts until the transaction ends.
func lock(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('ticket_link ' || $1, 0))`, tx.Tenant())
}

// look gives what stands round a link that is about to be made.
func look(ctx context.Context, tx *pg.Tx, k Link) (a around, err error) {
	err = tx.QueryRow(ctx, `WITH RECURSIVE beyond AS (
			SELECT $4::uuid AS id
			UNION SELECT l.other_id FROM beyond b CROSS JOIN LATERAL (
				SELECT other_id FROM ticket_link WHERE tenant_id = $1 AND ticket_id = b.id AND kind = $3) l
		)
		SELECT EXISTS (SELECT FROM ticket_link WHERE tenant_id = $1 AND ticket_id = $2 AND kind = $3 AND other_id = $4),
			EXISTS (SELECT FROM beyond WHERE id = $2),
			EXISTS (SELECT FROM ticket_link WHERE tenant_id = $1 AND kind = $3 AND $3 = 'duplicate_of' AND ticket_id = $2)
				OR EXISTS (SELECT FROM ticket_link WHERE tenant_id = $1 AND kind = $3 AND $3 = 'parent_of' AND other_id = $4),
			greatest((SELECT count(*) FROM ticket_link WHERE tenant_id = $1 AND ticket_id = $2) + (SELECT count(*) FROM ticket_link WHERE tenant_id = $1 AND other_id = $2),
				(SELECT count(*) FROM ticket_link WHERE tenant_id = $1 AND ticket_id = $4) + (SELECT count(*) FROM ticket_link WHERE tenant_id = $1 AND other_id = $4))`,
		tx.Tenant(), k.TicketID, k.Kind, k.OtherID).Scan(&a.there, &a.leads, &a.taken, &a.linked)
	return a, err
}

func insert(tx *pg.Tx, k Link) {
	tx.Queue(`INSERT INTO ticket_link (tenant_id, ticket_id, kind, other_id, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), k.TicketID, k.Kind, k.OtherID, k.By, k.At)
}

func remove(ctx context.Context, tx *pg.Tx, k Link) error {
	tag, err := tx.ExecNow(ctx, `DELETE FROM ticket_link WHERE tenant_id = $1 AND ticket_id = $2 AND kind = $3 AND other_id = $4`,
		tx.Tenant(), k.TicketID, k.Kind, k.OtherID)
	if err == nil && tag.RowsAffected() == 0 {
		err = problem.New(problem.NotFound, "link_not_found", "There is no such link.")
	}
	return err
}

// of gives all links of a ticket, whose number is bounded.
func of(ctx context.Context, tx *pg.Tx, id uuid.UUID) ([]Linked, error) {
	rows, err := tx.Query(ctx, `SELECT l.kind, l.to_it, l.other, t.number, t.status, l.by_subject, l.at FROM (
			SELECT kind, false AS to_it, other_id AS other, by_subject, at FROM ticket_link WHERE tenant_id = $1 AND ticket_id = $2
			UNION ALL SELECT kind, true, ticket_id, by_subject, at FROM ticket_link WHERE tenant_id = $1 AND other_id = $2) l
		CROSS JOIN LATERAL (SELECT number, status FROM ticket WHERE tenant_id = $1 AND id = l.other LIMIT 1) t
		ORDER BY l.kind, l.to_it, l.other`, tx.Tenant(), id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Linked, error) {
		var l Linked
		var toIt bool
		var number int64
		err := row.Scan(&l.Is, &toIt, &l.Other, &number, &l.Status, &l.By, &l.At)
		if toIt {
			l.Is = converse[l.Is]
		}
		l.Number = ticket.Number(number)
		return l, err
	})
}

// thread reads what the tickets were opened with and what was said on them.
func thread(ctx context.Context, tx *pg.Tx, id uuid.UUID, internal bool, after Place, limit int) ([]Piece, error) {
	rows, err := tx.Query(ctx, `SELECT t.id, t.number, x.what, x.id, x.author, x.channel, x.subject, x.words, x.by_subject, x.at
		FROM unnest(ticket_group($1, $2)) AS g(id)
		CROSS JOIN LATERAL (SELECT id, number, channel, subject, description, opened_at FROM ticket WHERE tenant_id = $1 AND id = g.id LIMIT 1) t
		CROSS JOIN LATERAL (
			SELECT 'opening' AS what, t.id, '' AS author, t.channel, t.subject, t.description AS words, '' AS by_subject, t.opened_at AS at
			UNION ALL SELECT 'reply', id, author, channel, '', words, by_subject, at FROM ticket_reply WHERE tenant_id = $1 AND ticket_id = g.id
			UNION ALL SELECT 'note', id, 'note', '', '', words, by_subject, at FROM ticket_note WHERE tenant_id = $1 AND ticket_id = g.id AND $3) x
		WHERE $4::timestamptz IS NULL OR (x.at, x.id) > ($4, $5)
		ORDER BY x.at, x.id LIMIT $6`, tx.Tenant(), id, internal, pg.OrNull(after.At), after.ID, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Piece, error) {
		var p Piece
		var number int64
		err := row.Scan(&p.TicketID, &number, &p.What, &p.ID, &p.Author, &p.Channel, &p.Subject, &p.Words, &p.By, &p.At)
		p.Number = ticket.Number(number)
		return p, err
	})
}
