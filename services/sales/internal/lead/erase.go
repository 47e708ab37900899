package lead

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// EraseCustomers takes the words out of all leads that are known to be of the customers, or became them, with those of their enquiries
// and notes, and out of rows of files that were not taken.
func (s *Leads) EraseCustomers(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	rows, err := tx.Query(ctx, `SELECT l.id FROM lead l WHERE l.tenant_id = $1 AND l.erased_at IS NULL AND (l.customer_id = ANY ($2::uuid[])
		OR l.contact_id = ANY ($2::uuid[]) OR l.before_customer = ANY ($2::uuid[]))`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, err
	}
	found, err := lockAll(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	leads := make([]Lead, 0, len(found))
	for _, id := range ids {
		if l, ok := found[id]; ok && l.ErasedAt.IsZero() {
			leads = append(leads, l)
		}
	}
	notes, rejected, err := s.eraseAll(ctx, tx, leads)
	if err != nil {
		return nil, err
	}
	left := new(int64)
	tx.Queue(`SELECT count(*) FROM lead l WHERE l.tenant_id = $1 AND l.erased_at IS NULL AND (l.customer_id = ANY ($2::uuid[])
		OR l.contact_id = ANY ($2::uuid[]) OR l.before_customer = ANY ($2::uuid[]))`, tx.Tenant(), customers).
		QueryRow(func(row pgx.Row) error { return row.Scan(left) })
	err = tx.Flush(ctx)
	return []erasure.Erased{
		{What: "lead", Count: int64(len(leads)), Left: *left}, {What: "lead_note", Count: notes}, {What: "lead_import_rejection", Count: rejected},
	}, err
}

// eraseAll takes the words out of leads that are locked, and tells how many notes and rejected rows of files lost theirs. Leads that
// something might have come of are lost then, and forgotten where scores are reckoned: nobody lost them by selling.
func (s *Leads) eraseAll(ctx context.Context, tx *pg.Tx, leads []Lead) (notes, rejected int64, err error) {
	if len(leads) == 0 {
		return 0, 0, nil
	}
	at := s.now()
	var ids, working []uuid.UUID
	var events []outbox.Event
	erased := make([]Lead, len(leads))
	for i, l := range leads {
		ids = append(ids, l.ID)
		if erased[i] = l.Erase(at); l.State.Working() {
			working, events = append(working, l.ID), append(events, lostEvent(erased[i], at))
		}
	}
	words, err := spoken(ctx, tx, ids)
	if err != nil {
		return 0, 0, err
	}
	SaveAll(tx, erased...)
	for _, room := range s.forget {
		room(tx, ids)
	}
	tx.Queue(`UPDATE lead_enquiry SET name = '', company = '', email = '', phone = '', message = '', external_system = NULL, external_id = NULL,
		fingerprint = NULL WHERE tenant_id = $1 AND lead_id = ANY ($2::uuid[])`, tx.Tenant(), ids)
	tag, err := tx.ExecNow(ctx, `UPDATE lead_note SET words = '' WHERE tenant_id = $1 AND lead_id = ANY ($2::uuid[]) AND words <> ''`, tx.Tenant(), ids)
	if err != nil {
		return 0, 0, err
	}
	if err := s.scores.Withdrawn(ctx, tx, at, working...); err != nil {
		return 0, 0, err
	}
	if err := s.outbox.Append(ctx, tx, events...); err != nil {
		return 0, 0, err
	}
	rejected, err = imports.Erase(ctx, tx, words)
	return tag.RowsAffected(), rejected, err
}

// spoken gives by what the leads are found in rows of files that were not taken: addresses, numbers and names of people.
func spoken(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT w FROM (
			SELECT unnest(ARRAY[e.email, e.phone, e.name, e.external_id]) AS w FROM lead_enquiry e WHERE e.tenant_id = $1 AND e.lead_id = ANY ($2::uuid[])
			UNION ALL SELECT unnest(ARRAY[l.email, l.phone, l.name]) FROM lead l WHERE l.tenant_id = $1 AND l.id = ANY ($2::uuid[])
		) s WHERE length(w) > 3`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
