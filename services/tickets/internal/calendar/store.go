package calendar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a calendar that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "calendar_not_found", "There is no such calendar.")

// nameIndex is the constraint that keeps a name to one calendar.
const nameIndex = "calendar_by_name"

// Stored is a calendar as it is kept.
type Stored struct {
	ID        uuid.UUID
	Version   int64 // from 1, one more with every change
	Draft           // canonical
	Default   bool  // of policies that name none
	Archived  bool  // kept for what names it; nothing new may
	CreatedAt time.Time
	ChangedAt time.Time
}

// Calendar lays the hours out to reckon with.
func (s Stored) Calendar() (Calendar, error) {
	zone, ok := businesstime.Zone(s.Zone)
	if !ok { // it was known when the calendar was made
		return Calendar{}, fmt.Errorf("calendar %s: this process does not know the time zone %s", s.ID, s.Zone)
	}
	return Calendar{ID: s.ID, Version: s.Version, Calendar: s.Hours.Calendar(zone)}, nil
}

// Book is what a tenant's calendars are at one moment. It is filled by the next round trip of the transaction.
type Book struct {
	kept   map[uuid.UUID]kept
	parsed map[uuid.UUID]Calendar
	other  uuid.UUID // the default one
}

// kept is a calendar that nobody asked for yet.
type kept struct {
	version int64
	zone    string
	hours   []byte
}

// All queues the search for all calendars of the transaction's tenant, those in the archive included: no round trip of its
// own. Until the transaction ends they stay as they are, so that no deadline is saved that was reckoned by hours which
// changed meanwhile. Calendars are parsed when they are asked for.
func All(tx *pg.Tx) *Book {
	tx.Queue(`SELECT pg_advisory_xact_lock_shared(`+lockKey+`)`, tx.Tenant())
	b := &Book{kept: map[uuid.UUID]kept{}, parsed: map[uuid.UUID]Calendar{}}
	tx.Queue(`SELECT id, version, zone, hours, EXISTS (SELECT FROM calendar_default d WHERE d.tenant_id = c.tenant_id AND d.calendar_id = c.id)
		FROM calendar c WHERE tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var id uuid.UUID
			var k kept
			var chosen bool
			if err := rows.Scan(&id, &k.version, &k.zone, &k.hours, &chosen); err != nil {
				return err
			}
			b.kept[id] = k
			if chosen {
				b.other = id
			}
		}
		return rows.Err()
	})
	return b
}

// lockKey is the advisory lock that whoever changes a tenant's calendars holds alone, and whoever reckons by them together
// with others.
const lockKey = `hashtextextended('calendar' || chr(31) || $1, 0)`

// Calendar gives a calendar of the book; uuid.Nil means the tenant's default one, which is Always where none is set.
func (b *Book) Calendar(id uuid.UUID) (Calendar, bool) {
	if id == uuid.Nil {
		if id = b.other; id == uuid.Nil {
			return Always(), true
		}
	}
	if c, ok := b.parsed[id]; ok {
		return c, true
	}
	k, ok := b.kept[id]
	if !ok {
		return Calendar{}, false
	}
	s := Stored{ID: id, Version: k.version, Draft: Draft{Zone: k.zone}}
	if err := json.Unmarshal(k.hours, &s.Hours); err != nil {
		return Calendar{}, false
	}
	c, err := s.Calendar()
	if err != nil {
		return Calendar{}, false
	}
	b.parsed[id] = c
	return c, true
}

// Load gives the calendars of the ids that the transaction's tenant has, by id: one round trip.
func Load(ctx context.Context, tx *pg.Tx, ids ...uuid.UUID) (map[uuid.UUID]Calendar, error) {
	all := All(tx)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	found := map[uuid.UUID]Calendar{}
	for _, id := range ids {
		if c, ok := all.Calendar(id); ok {
			found[id] = c
		}
	}
	return found, nil
}

// Default gives the default calendar of the transaction's tenant: Always where none is set.
func Default(ctx context.Context, tx *pg.Tx) (Calendar, error) {
	found, err := Load(ctx, tx, uuid.Nil)
	return found[uuid.Nil], err
}

// Hold gives the calendar of the id to a command that is about to name it, and keeps it from going into the archive until
// the transaction ends. One that is not there is NotFound, one in the archive the Conflict calendar_archived.
func Hold(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Calendar, error) {
	s, err := scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM calendar c WHERE c.tenant_id = $1 AND c.id = $2 FOR SHARE OF c`, tx.Tenant(), id))
	if err != nil {
		return Calendar{}, err
	}
	if s.Archived {
		return Calendar{}, errArchived
	}
	return s.Calendar()
}

var errArchived = problem.New(problem.Conflict, "calendar_archived", "The calendar is in the archive: restore it first, or choose another one.")

const columns = `c.id, c.version, c.name, c.zone, c.hours, c.archived, c.created_at, c.changed_at,
	EXISTS (SELECT FROM calendar_default d WHERE d.tenant_id = c.tenant_id AND d.calendar_id = c.id)`

// lock queues that nobody reckons by the tenant's calendars, or changes them, until the transaction ends.
func lock(tx *pg.Tx) { tx.Queue(`SELECT pg_advisory_xact_lock(`+lockKey+`)`, tx.Tenant()) }

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Stored, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM calendar c WHERE c.tenant_id = $1 AND c.id = $2`, tx.Tenant(), id))
}

// list gives up to limit calendars after the given one, the oldest first.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Stored, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM calendar c
		WHERE c.tenant_id = $1 AND c.id > $2 AND ($3 OR NOT c.archived) ORDER BY c.id LIMIT $4`, tx.Tenant(), f.After, f.Archived, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Stored, error) { return scan(row) })
}

func scan(row pgx.Row) (s Stored, err error) {
	err = row.Scan(&s.ID, &s.Version, &s.Name, &s.Zone, &s.Hours, &s.Archived, &s.CreatedAt, &s.ChangedAt, &s.Default)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return s, err
}

func insert(tx *pg.Tx, s Stored, by string) {
	tx.Queue(`INSERT INTO calendar (tenant_id, id, version, name, zone, hours, archived, created_at, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, tx.Tenant(), s.ID, s.Version, s.Name, s.Zone, s.Hours, s.Archived, s.CreatedAt, s.ChangedAt)
	insertVersion(tx, s, by)
}

func save(tx *pg.Tx, s Stored, by string) {
	tx.Queue(`UPDATE calendar SET version = $3, name = $4, zone = $5, hours = $6, archived = $7, changed_at = $8 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), s.ID, s.Version, s.Name, s.Zone, s.Hours, s.Archived, s.ChangedAt)
	insertVersion(tx, s, by)
}

func insertVersion(tx *pg.Tx, s Stored, by string) {
	tx.Queue(`INSERT INTO calendar_version (tenant_id, calendar_id, version, zone, hours, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tx.Tenant(), s.ID, s.Version, s.Zone, s.Hours, by, s.ChangedAt)
}

func makeDefault(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`INSERT INTO calendar_default (tenant_id, calendar_id) VALUES ($1, $2) ON CONFLICT (tenant_id) DO UPDATE SET calendar_id = $2`,
		tx.Tenant(), id)
}

// change queues that deadlines reckoned by the calendar, and those of policies that name none when it is the default, have
// to be reckoned anew. Whoever does so takes the ids from calendar_change_pending, and sets done_at as it takes one on.
func change(tx *pg.Tx, id uuid.UUID, s Stored, at time.Time) {
	tx.Queue(`INSERT INTO calendar_change (tenant_id, id, calendar_id, version, is_default, changed_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), id, s.ID, s.Version, s.Default, at)
}

// Version is what a calendar was, and who made it so.
type Version struct {
	Version int64
	Zone    string
	Hours   businesstime.Hours
	By      string // subject
	At      time.Time
}

// versions gives up to limit versions before the given one, the latest first.
func versions(ctx context.Context, tx *pg.Tx, id uuid.UUID, before int64, limit int) ([]Version, error) {
	rows, err := tx.Query(ctx, `SELECT version, zone, hours, by_subject, at FROM calendar_version
		WHERE tenant_id = $1 AND calendar_id = $2 AND version < $3 ORDER BY version DESC LIMIT $4`, tx.Tenant(), id, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Version, err error) {
		return v, row.Scan(&v.Version, &v.Zone, &v.Hours, &v.By, &v.At)
	})
}
