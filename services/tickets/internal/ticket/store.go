package ticket

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

// errNotFound is the same for a ticket that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "ticket_not_found", "There is no such ticket.")

const columns = `id, version, number, kind, channel, live, customer_id, asset_id, category, subject, description, impact, urgency, priority, tags,
	custom, status, queue, agent, resolution, reopened, entries, policy_id, policy_version, grade, tier, next_due_at, next_clock, opened_at,
	changed_at, resolved_at, close_at, closed_at, merged_into`

// read is columns, and whom the customer's id means.
const read = columns + `, customer_root(tenant_id, customer_id)`

// nextNumber draws the tenant's next number. Its counter is locked until the transaction ends, so that no number is left
// out: draw it late.
func nextNumber(ctx context.Context, tx *pg.Tx) (n int64, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO ticket_counter AS c (tenant_id, last) VALUES ($1, 1)
		ON CONFLICT (tenant_id) DO UPDATE SET last = c.last + 1 RETURNING last`, tx.Tenant()).Scan(&n)
	return n, err
}

// insert queues a new ticket.
func insert(tx *pg.Tx, t Ticket) {
	tx.Queue(`INSERT INTO ticket (tenant_id, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
			$18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35)`,
		tx.Tenant(), t.ID, t.Version, t.Number, t.Kind, t.Channel, t.Live, pg.OrNull(t.CustomerID), pg.OrNull(t.AssetID), t.Category, t.Subject,
		t.Description, t.Impact, t.Urgency, t.Priority, t.Tags, t.Custom, t.Status, t.Queue, t.Agent, t.Resolution, t.Reopened, t.Entries,
		pg.OrNull(t.PolicyID), t.PolicyVersion, t.Grade, t.Tier, pg.OrNull(t.NextDueAt), t.NextClock, t.OpenedAt, t.ChangedAt,
		pg.OrNull(t.ResolvedAt), pg.OrNull(t.CloseAt), pg.OrNull(t.ClosedAt), pg.OrNull(t.MergedInto))
}

// save queues all that can change of a ticket that is locked.
func save(tx *pg.Tx, t Ticket) {
	tx.Queue(`UPDATE ticket SET version = $3, kind = $4, customer_id = $5, asset_id = $6, category = $7, subject = $8, impact = $9, urgency = $10,
			priority = $11, tags = $12, custom = $13, status = $14, queue = $15, agent = $16, resolution = $17, reopened = $18, entries = $19,
			policy_id = $20, policy_version = $21, grade = $22, tier = $23, next_due_at = $24, next_clock = $25, changed_at = $26,
			resolved_at = $27, close_at = $28, closed_at = $29, merged_into = $30, written_at = now()
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), t.ID, t.Version, t.Kind, pg.OrNull(t.CustomerID), pg.OrNull(t.AssetID), t.Category, t.Subject, t.Impact, t.Urgency,
		t.Priority, t.Tags, t.Custom, t.Status, t.Queue, t.Agent, t.Resolution, t.Reopened, t.Entries, pg.OrNull(t.PolicyID), t.PolicyVersion,
		t.Grade, t.Tier, pg.OrNull(t.NextDueAt), t.NextClock, t.ChangedAt, pg.OrNull(t.ResolvedAt), pg.OrNull(t.CloseAt), pg.OrNull(t.ClosedAt),
		pg.OrNull(t.MergedInto))
}

// queueLock queues that a ticket is locked until the transaction ends, and read into t; or the problem ticket_not_found.
func queueLock(tx *pg.Tx, id uuid.UUID, t *Ticket) {
	tx.Queue(`SELECT `+read+` FROM ticket WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id).
		QueryRow(func(row pgx.Row) (err error) { *t, err = scan(row); return err })
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ticket, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+read+` FROM ticket WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id))
}

func byNumber(ctx context.Context, tx *pg.Tx, number int64) (Ticket, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+read+` FROM ticket WHERE tenant_id = $1 AND number = $2`, tx.Tenant(), number))
}

func scan(row pgx.Row) (t Ticket, err error) {
	var customer, root, asset, policy, into *uuid.UUID
	var due, resolved, closing, closed *time.Time
	err = row.Scan(&t.ID, &t.Version, &t.Number, &t.Kind, &t.Channel, &t.Live, &customer, &asset, &t.Category, &t.Subject, &t.Description,
		&t.Impact, &t.Urgency, &t.Priority, &t.Tags, &t.Custom, &t.Status, &t.Queue, &t.Agent, &t.Resolution, &t.Reopened, &t.Entries,
		&policy, &t.PolicyVersion, &t.Grade, &t.Tier, &due, &t.NextClock, &t.OpenedAt, &t.ChangedAt, &resolved, &closing, &closed, &into, &root)
	if errors.Is(err, pgx.ErrNoRows) {
		return Ticket{}, errNotFound
	}
	t.CustomerID, t.Root, t.AssetID, t.PolicyID, t.MergedInto = orZero(customer), orZero(root), orZero(asset), orZero(policy), orZero(into)
	t.NextDueAt, t.ResolvedAt, t.CloseAt, t.ClosedAt = orZero(due).UTC(), orZero(resolved).UTC(), orZero(closing).UTC(), orZero(closed).UTC()
	t.OpenedAt, t.ChangedAt = t.OpenedAt.UTC(), t.ChangedAt.UTC()
	return t, err
}

// orZero is the inverse of pg.OrNull.
func orZero[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

// insertHistory queues entries of a history.
func insertHistory(tx *pg.Tx, ticket uuid.UUID, entries []Entry) {
	for _, e := range entries {
		tx.Queue(`INSERT INTO ticket_history (tenant_id, ticket_id, no, at, what, status, priority, by_subject, code, queue, agent, ref, fields)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			tx.Tenant(), ticket, e.No, e.At, e.What, e.Status, e.Priority, e.By, e.Code, e.Queue, e.Agent, pg.OrNull(e.Ref), orEmpty(e.Fields))
	}
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

const entryColumns = `h.no, h.at, h.recorded_at, h.what, h.status, h.priority, h.by_subject, h.code, h.queue, h.agent, h.ref, h.fields`

// history gives all that happened to a ticket.
func history(ctx context.Context, tx *pg.Tx, ticket uuid.UUID) ([]Entry, error) {
	return historyAfter(ctx, tx, ticket, 0, maxEntries*2)
}

// historyAfter gives up to limit entries after the one of the number.
func historyAfter(ctx context.Context, tx *pg.Tx, ticket uuid.UUID, after, limit int) ([]Entry, error) {
	rows, err := tx.Query(ctx, `SELECT `+entryColumns+` FROM ticket_history h WHERE h.tenant_id = $1 AND h.ticket_id = $2 AND h.no > $3
		ORDER BY h.no LIMIT $4`, tx.Tenant(), ticket, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
		var ref *uuid.UUID
		err = row.Scan(&e.No, &e.At, &e.RecordedAt, &e.What, &e.Status, &e.Priority, &e.By, &e.Code, &e.Queue, &e.Agent, &ref, &e.Fields)
		e.At, e.RecordedAt, e.Ref = e.At.UTC(), e.RecordedAt.UTC(), orZero(ref)
		return e, err
	})
}

// insertWords queues what was said.
func insertWords(tx *pg.Tx, ticket uuid.UUID, r Reply) {
	if r.Author == AsNote {
		tx.Queue(`INSERT INTO ticket_note (tenant_id, ticket_id, no, id, words, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			tx.Tenant(), ticket, r.No, r.ID, r.Words, r.By, r.At)
		return
	}
	tx.Queue(`INSERT INTO ticket_reply (tenant_id, ticket_id, no, id, author, channel, words, by_subject, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, tx.Tenant(), ticket, r.No, r.ID, r.Author, r.Channel, r.Words, r.By, r.At)
}

const (
	replies = `SELECT no, id, author, channel, words, by_subject, at FROM ticket_reply WHERE tenant_id = $1 AND ticket_id = $2`
	notes   = `SELECT no, id, 'note', '', words, by_subject, at FROM ticket_note WHERE tenant_id = $1 AND ticket_id = $2`
)

func scanWords(row pgx.CollectableRow) (r Reply, err error) {
	err = row.Scan(&r.No, &r.ID, &r.Author, &r.Channel, &r.Words, &r.By, &r.At)
	r.At = r.At.UTC()
	return r, err
}

// conversation gives up to limit of what was said on a ticket, after the entry of the number; notes too, if asked to.
func conversation(ctx context.Context, tx *pg.Tx, ticket uuid.UUID, after, limit int, internal bool) ([]Reply, error) {
	const page = ` AND no > $3 ORDER BY no LIMIT $4`
	sql := replies + page
	if internal {
		sql = `(` + replies + page + `) UNION ALL (` + notes + page + `) ORDER BY no LIMIT $4`
	}
	rows, err := tx.Query(ctx, sql, tx.Tenant(), ticket, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanWords)
}

// wordsOf gives what was said under an id.
func wordsOf(ctx context.Context, tx *pg.Tx, ticket, id uuid.UUID) (Reply, error) {
	rows, err := tx.Query(ctx, replies+` AND id = $3 UNION ALL `+notes+` AND id = $3`, tx.Tenant(), ticket, id)
	if err != nil {
		return Reply{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanWords)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return r, err
}

// Erase queues that the tickets of the customers lose their words, with tags and custom fields, and counts those that had
// any, and those that still do, with the next round trip. Number, kind and times stay.
func Erase(tx *pg.Tx, customers []uuid.UUID) *erasure.Erased {
	done := &erasure.Erased{What: "ticket"}
	const theirs = ` FROM ticket WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND (subject <> '' OR description <> '' OR tags <> '{}' OR custom <> '{}')`
	tx.Queue(`UPDATE ticket SET subject = '', description = '', tags = '{}', custom = '{}', version = version + 1
		WHERE tenant_id = $1 AND id IN (SELECT id`+theirs+`)`, tx.Tenant(), customers).
		Exec(func(tag pgconn.CommandTag) error { done.Count = tag.RowsAffected(); return nil })
	tx.Queue(`SELECT count(*)`+theirs, tx.Tenant(), customers).QueryRow(func(row pgx.Row) error { return row.Scan(&done.Left) })
	return done
}

// EraseWords takes the words out of replies and notes on tickets of the customers, and counts as Erase does. Who wrote them,
// and when, stays.
func EraseWords(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	done := erasure.Erased{What: "ticket_text"}
	tx.Queue(`SELECT ticket_erase_words($1::uuid[])`, customers).QueryRow(func(row pgx.Row) error { return row.Scan(&done.Count) })
	err := tx.QueryRow(ctx, `SELECT count(*) FROM ticket t, LATERAL (
			SELECT FROM ticket_reply r WHERE r.tenant_id = t.tenant_id AND r.ticket_id = t.id AND r.words <> ''
			UNION ALL SELECT FROM ticket_note n WHERE n.tenant_id = t.tenant_id AND n.ticket_id = t.id AND n.words <> '') w
		WHERE t.tenant_id = $1 AND t.customer_id = ANY($2::uuid[])`, tx.Tenant(), customers).Scan(&done.Left)
	return []erasure.Erased{done}, err
}
