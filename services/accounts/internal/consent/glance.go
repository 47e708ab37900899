package consent

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// Glance are three columns of a statement that reads a customer whole, in one round trip: of the customers whose ids group
// lists, an SQL expression, all that decides what was said last, but for suppressions; nothing where when, an SQL condition,
// does not hold. $1 is the tenant. ReadGlance reads them.
func Glance(group, when string) string {
	of := func(table, column string) string {
		return ` FROM unnest(` + group + `) AS g (id) CROSS JOIN LATERAL (
			SELECT * FROM ` + table + ` WHERE tenant_id = $1 AND ` + column + ` = g.id OFFSET 0) k WHERE ` + when
	}
	// Of merges that were undone nothing follows, and the survivor of every other one is among the ids.
	return `
	(SELECT json_agg(json_build_object('id', k.id, 'statement', k.statement_id, 'customer', k.customer_id, 'purpose', k.purpose,
			'channel', k.channel, 'address_type', k.address_type, 'address', k.address, 'state', k.state, 'kind', k.kind,
			'until', to_char(k.guardian_until, 'YYYY-MM-DD"T"00:00:00"Z"'), 'said_at', k.said_at, 'erased', k.erased_at IS NOT NULL) ORDER BY k.id)
		` + of("consent_record", "customer_id") + `)::text,
	(SELECT json_agg(json_build_object('ID', k.id, 'Survivor', k.survivor_id, 'Absorbed', k.absorbed_id, 'At', k.merged_at) ORDER BY k.merged_at, k.id)
		` + of("customer_merge", "survivor_id") + ` AND k.undone_at IS NULL)::text,
	(SELECT json_agg(k.custom ->> '` + birthField + `')` + of("customer", "id") + ` AND k.custom ? '` + birthField + `')::text`
}

// ReadGlance makes of the three columns what there was in them; nil: nothing.
func ReadGlance(records, merges, births *string) (h History, err error) {
	var rows []struct {
		ID, Statement, Customer uuid.UUID
		Purpose                 Purpose
		Channel                 Channel
		AddressType             identity.Type `json:"address_type"`
		Address                 string
		State                   State
		Kind                    Kind
		Until                   *time.Time
		SaidAt                  time.Time `json:"said_at"`
		Erased                  bool
	}
	var days []*string
	for _, part := range []struct {
		text *string
		into any
	}{{records, &rows}, {merges, &h.Merges}, {births, &days}} {
		if part.text == nil {
			continue
		}
		if err := json.Unmarshal([]byte(*part.text), part.into); err != nil {
			return History{}, err
		}
	}
	for _, r := range rows {
		record := Record{
			ID: r.ID, Statement: r.Statement, Customer: r.Customer, Key: Key{r.Purpose, r.Channel, identity.Identity{Type: r.AddressType, Value: r.Address}},
			State: r.State, Kind: r.Kind, SaidAt: r.SaidAt.UTC(), Erased: r.Erased,
		}
		if r.Until != nil {
			record.Guardian.Until = r.Until.UTC()
		}
		h.Records = append(h.Records, record)
	}
	for n := range h.Merges {
		h.Merges[n].At = h.Merges[n].At.UTC()
	}
	h.Childhood.Until = childUntil(h.Records)
	h.Childhood.born(days)
	return h, nil
}

// Suppressions gives those of the addresses: what nothing is to be sent to since it was an erased customer's.
func (c *Consents) Suppressions(ctx context.Context, tx *pg.Tx, addresses []identity.Identity) ([]Suppression, error) {
	hashes, err := c.hashes.all(tx.Tenant(), addresses)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT a.n, s.purpose, s.channel, s.suppressed_at
		FROM unnest($2::bytea[]) WITH ORDINALITY AS a(hash, n)
		JOIN LATERAL (SELECT * FROM consent_suppression WHERE tenant_id = $1 AND address_hash = a.hash) s ON true`, tx.Tenant(), hashes)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Suppression, err error) {
		var n int
		if err = row.Scan(&n, &s.Purpose, &s.Channel, &s.At); err == nil {
			s.Address, s.At = addresses[n-1], s.At.UTC()
		}
		return s, err
	})
}
