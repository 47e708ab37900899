package conversion

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

var errNotFound = problem.New(problem.NotFound, "conversion_not_found", "There is no such conversion.")

const columns = `c.id, c.lead_id, c.state, c.settled, c.wish, c.customer_id, c.customer_created, c.customer_etag, c.contact_id, c.contact_created,
	c.contact_etag, c.relationship_id, c.opportunity_id, c.refusal, c.candidates, c.requested_by, c.requested_at, c.undone_by, c.step_at, c.version, c.currency`

func scan(row pgx.Row) (Conversion, error) {
	var (
		c                                            Conversion
		wish, candidates                             []byte
		customer, contact, relationship, opportunity *uuid.UUID
	)
	err := row.Scan(&c.ID, &c.LeadID, &c.State, &c.Settled, &wish, &customer, &c.Customer.Created, &c.Customer.ETag, &contact, &c.Contact.Created,
		&c.Contact.ETag, &relationship, &opportunity, &c.Refusal, &candidates, &c.RequestedBy, &c.RequestedAt, &c.UndoneBy, &c.StepAt, &c.Version, &c.Currency)
	if errors.Is(err, pgx.ErrNoRows) {
		return Conversion{}, errNotFound
	}
	if err != nil {
		return Conversion{}, err
	}
	for to, from := range map[*uuid.UUID]*uuid.UUID{&c.Customer.ID: customer, &c.Contact.ID: contact, &c.RelationshipID: relationship, &c.OpportunityID: opportunity} {
		if from != nil {
			*to = *from
		}
	}
	c.RequestedAt, c.StepAt = c.RequestedAt.UTC(), c.StepAt.UTC()
	return c, errors.Join(json.Unmarshal(wish, &c.Wish), json.Unmarshal(candidates, &c.Candidates))
}

func lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Conversion, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM lead_conversion c WHERE c.tenant_id = $1 AND c.id = $2 FOR UPDATE`, tx.Tenant(), id))
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Conversion, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM lead_conversion c WHERE c.tenant_id = $1 AND c.id = $2`, tx.Tenant(), id))
}

// latest gives the last conversion of a lead; with it locked, nobody changes it meanwhile.
func latest(ctx context.Context, tx *pg.Tx, leadID uuid.UUID) (Conversion, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM lead_conversion c WHERE c.tenant_id = $1 AND c.lead_id = $2 ORDER BY c.id DESC LIMIT 1`,
		tx.Tenant(), leadID))
}

func insert(tx *pg.Tx, c Conversion) error {
	wish, err := json.Marshal(c.Wish)
	tx.Queue(`INSERT INTO lead_conversion (tenant_id, id, lead_id, state, settled, wish, customer_created, customer_etag, contact_created, contact_etag,
			refusal, candidates, requested_by, requested_at, undone_by, step_at, version, currency)
		VALUES ($1, $2, $3, $4, $5, $6, false, '', false, '', '', '[]', $7, $8, '', $8, $9, '')`,
		tx.Tenant(), c.ID, c.LeadID, c.State, c.Settled, wish, c.RequestedBy, c.RequestedAt, c.Version)
	return err
}

func save(tx *pg.Tx, c Conversion) error {
	if c.Candidates == nil {
		c.Candidates = []lead.Candidate{}
	}
	candidates, err := json.Marshal(c.Candidates)
	tx.Queue(`UPDATE lead_conversion SET state = $3, settled = $4, customer_id = $5, customer_created = $6, customer_etag = $7, contact_id = $8,
			contact_created = $9, contact_etag = $10, relationship_id = $11, opportunity_id = $12, refusal = $13, candidates = $14, undone_by = $15,
			step_at = $16, version = $17, currency = $18
		WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), c.ID, c.State, c.Settled, pg.OrNull(c.Customer.ID), c.Customer.Created, c.Customer.ETag,
		pg.OrNull(c.Contact.ID), c.Contact.Created, c.Contact.ETag, pg.OrNull(c.RelationshipID), pg.OrNull(c.OpportunityID), c.Refusal, candidates,
		c.UndoneBy, c.StepAt, c.Version, c.Currency)
	return err
}

// ordered queues the question whether orders were placed for the customer.
func ordered(tx *pg.Tx, customer uuid.UUID) *bool {
	found := new(bool)
	tx.Queue(`SELECT EXISTS (SELECT FROM sales_order WHERE tenant_id = $1 AND customer_id = $2)`, tx.Tenant(), customer).
		QueryRow(func(row pgx.Row) error { return row.Scan(found) })
	return found
}

// eraseWords queues that conversions to the customers no longer say how the opportunity was to be called, and counts them.
func eraseWords(tx *pg.Tx, customers []uuid.UUID) (erased, left *int64) {
	erased, left = new(int64), new(int64)
	tx.Queue(`WITH gone AS (
			UPDATE lead_conversion c SET wish = jsonb_set(c.wish, '{opportunity}', c.wish->'opportunity' || '{"name": "", "next_step": ""}')
			WHERE c.tenant_id = $1 AND (c.customer_id = ANY($2::uuid[]) OR c.contact_id = ANY($2::uuid[]))
				AND (c.wish->'opportunity'->>'name' <> '' OR c.wish->'opportunity'->>'next_step' <> '') RETURNING 1)
		SELECT count(*) FROM gone`, tx.Tenant(), customers).QueryRow(func(row pgx.Row) error { return row.Scan(erased) })
	return erased, left
}

// instant cuts a time to what the database keeps.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
