package asset

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// errNotFound is the same for an asset that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "asset_not_found", "There is no such asset.")

// The constraints that give a serial to one asset only.
const (
	vinIndex    = "asset_vin"
	serialIndex = "asset_serial"
)

const columns = `a.id, a.version, a.type, a.product, a.serial, a.state, a.meter_unit, a.interval_months, a.interval_meter, a.began_on,
	a.began_run, a.last_service_on, a.last_service_meter, a.last_service_run, a.due_date, a.due_meter, a.due_on, a.due_by,
	a.registered_at, a.changed_at, o.id, o.customer_id, o.root, o.name, o.purchased_on, o.since, m.id, m.read_on, m.no, m.meter, m.run`

// The present owner of an asset a, whoever that means now, and the latest reading of its meter. Nobody is left of one
// who was erased.
const around = `LEFT JOIN LATERAL (SELECT w.id, w.customer_id, w.name, w.purchased_on, w.since, c.root FROM asset_owner w
		JOIN LATERAL (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = w.tenant_id AND id = w.customer_id AND state <> 'erased' LIMIT 1) c ON true
		WHERE w.tenant_id = a.tenant_id AND w.asset_id = a.id AND w.until IS NULL LIMIT 1) o ON true
	LEFT JOIN LATERAL (SELECT id, read_on, no, meter, run FROM asset_reading
		WHERE tenant_id = a.tenant_id AND asset_id = a.id ORDER BY read_on DESC, no DESC LIMIT 1) m ON true`

// insert queues a new asset.
func insert(tx *pg.Tx, a Asset) {
	tx.Queue(`INSERT INTO asset (tenant_id, id, version, type, product, serial, state, meter_unit, interval_months, interval_meter,
			began_on, due_by, registered_at, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', $12, $12)`,
		tx.Tenant(), a.ID, a.Version, a.Type, a.Product, a.Serial, a.State, a.Unit, a.Plan.Months, a.Plan.Meter, a.BeganOn, a.RegisteredAt)
	save(tx, a)
	insertOwnership(tx, a.ID, *a.Owner)
}

// save queues what can change of an asset that is locked.
func save(tx *pg.Tx, a Asset) {
	last := Service{}
	if a.LastService != nil {
		last = *a.LastService
	}
	tx.Queue(`UPDATE asset SET version = $3, serial = $4, state = $5, interval_months = $6, interval_meter = $7, began_on = $8, began_run = $9,
			last_service_on = $10, last_service_meter = $11, last_service_run = $12, due_date = $13, due_meter = $14, due_on = $15, due_by = $16,
			changed_at = $17
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), a.ID, a.Version, a.Serial, a.State, a.Plan.Months, a.Plan.Meter, a.BeganOn, a.BeganRun,
		pg.OrNull(last.On), last.Meter, last.Run, pg.OrNull(a.Due.Date), a.Due.Meter, pg.OrNull(a.Due.On), a.Due.By, a.ChangedAt)
}

func insertOwnership(tx *pg.Tx, asset uuid.UUID, o Ownership) {
	tx.Queue(`INSERT INTO asset_owner (tenant_id, id, asset_id, customer_id, name, purchased_on, since, given_up) VALUES ($1, $2, $3, $4, $5, $6, $7, '')`,
		tx.Tenant(), o.ID, asset, o.Customer, o.Name, pg.OrNull(o.PurchasedOn), o.Since)
}

// saveOwnership queues what can change of an owner's time with an asset.
func saveOwnership(tx *pg.Tx, o Ownership) {
	tx.Queue(`UPDATE asset_owner SET name = $3, purchased_on = $4, since = $5, until = $6, given_up = $7 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), o.ID, o.Name, pg.OrNull(o.PurchasedOn), o.Since, pg.OrNull(o.Until), o.GivenUp)
}

func insertReading(tx *pg.Tx, asset uuid.UUID, r Reading) {
	tx.Queue(`INSERT INTO asset_reading (tenant_id, asset_id, read_on, no, id, meter, run, replaced, reason, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, tx.Tenant(), asset, r.On, r.No, r.ID, r.Meter, r.Run, r.Replaced, r.Reason, r.RecordedAt)
}

func insertService(tx *pg.Tx, asset uuid.UUID, s Service) {
	tx.Queue(`INSERT INTO asset_service (tenant_id, asset_id, serviced_on, no, id, meter, work, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		tx.Tenant(), asset, s.On, s.No, s.ID, s.Meter, s.Work, s.RecordedAt)
}

// lock queues the locking of an asset; what get reads afterwards is what the last change left.
func lock(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`SELECT 1 FROM asset WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Asset, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM asset a `+around+` WHERE a.tenant_id = $1 AND a.id = $2`, tx.Tenant(), id))
}

// withSerial gives the asset in use that has the serial, or errNotFound.
func withSerial(ctx context.Context, tx *pg.Tx, t Type, product, serial string) (id uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM asset WHERE tenant_id = $1 AND type = $2 AND serial = $4 AND serial <> '' AND state = 'in_use'
		AND (type = 'vehicle' OR product = $3) LIMIT 1`, tx.Tenant(), t, product, serial).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return id, err
}

// dueBefore gives up to limit assets that are due before the day, after the one of the given day and id, the first due first.
func dueBefore(ctx context.Context, tx *pg.Tx, before, afterOn time.Time, after uuid.UUID, limit int) ([]Asset, error) {
	return collect(tx.Query(ctx, `SELECT `+columns+` FROM asset a `+around+`
		WHERE a.tenant_id = $1 AND a.state = 'in_use' AND a.due_on < $2 AND (a.due_on, a.id) > ($3, $4) AND o.id IS NOT NULL
		ORDER BY a.due_on, a.id LIMIT $5`, tx.Tenant(), before, afterOn, after, limit))
}

func collect(rows pgx.Rows, err error) ([]Asset, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Asset, error) { return scan(row) })
}

func scan(row pgx.Row) (Asset, error) {
	var (
		a                                     Asset
		last                                  Service
		lastOn, dueDate, dueOn, bought, since *time.Time
		readOn                                *time.Time
		ownership, customer, root, reading    *uuid.UUID
		name                                  *string
		no, meter, run                        *int64
	)
	err := row.Scan(&a.ID, &a.Version, &a.Type, &a.Product, &a.Serial, &a.State, &a.Unit, &a.Plan.Months, &a.Plan.Meter, &a.BeganOn,
		&a.BeganRun, &lastOn, &last.Meter, &last.Run, &dueDate, &a.Due.Meter, &dueOn, &a.Due.By,
		&a.RegisteredAt, &a.ChangedAt, &ownership, &customer, &root, &name, &bought, &since, &reading, &readOn, &no, &meter, &run)
	if errors.Is(err, pgx.ErrNoRows) {
		return Asset{}, errNotFound
	}
	if err != nil {
		return Asset{}, err
	}
	a.Due.Date, a.Due.On = orZero(dueDate), orZero(dueOn)
	if last.On = orZero(lastOn); lastOn != nil {
		a.LastService = &last
	}
	if ownership != nil {
		a.Owner = &Ownership{ID: *ownership, Customer: *customer, Root: *root, Name: *name, PurchasedOn: orZero(bought), Since: orZero(since)}
	}
	if reading != nil {
		a.Latest = &Reading{ID: *reading, On: *readOn, No: *no, Meter: *meter, Run: *run}
	}
	return a, nil
}

// orZero gives the zero value for NULL.
func orZero[T any](v *T) (out T) {
	if v != nil {
		out = *v
	}
	return out
}

// surroundings are the readings that matter to one of a day.
type surroundings struct {
	before, after *Reading
	recent        []Reading // the latest of the asset, in their order
}

// maxRecent bounds how many readings tell how much an asset is used; more only say it more precisely.
const maxRecent = 500

const readingColumns = `id, read_on, no, meter, run, replaced, reason, recorded_at`

// readingsAround gives the readings around a new one of the day, and the recent ones, in one round trip.
func readingsAround(ctx context.Context, tx *pg.Tx, asset uuid.UUID, on time.Time) (s surroundings, err error) {
	const of = `SELECT ` + readingColumns + ` FROM asset_reading WHERE tenant_id = $1 AND asset_id = $2 `
	one := func(into **Reading) func(pgx.Row) error {
		return func(row pgx.Row) error {
			r, err := scanReading(row)
			switch {
			case err == nil:
				*into = &r
			case errors.Is(err, pgx.ErrNoRows):
				err = nil
			}
			return err
		}
	}
	tx.Queue(of+`AND read_on <= $3 ORDER BY read_on DESC, no DESC LIMIT 1`, tx.Tenant(), asset, on).QueryRow(one(&s.before))
	tx.Queue(of+`AND read_on > $3 ORDER BY read_on, no LIMIT 1`, tx.Tenant(), asset, on).QueryRow(one(&s.after))
	rows, err := tx.Query(ctx, `SELECT * FROM (`+of+`ORDER BY read_on DESC, no DESC LIMIT $3) r ORDER BY read_on, no`, tx.Tenant(), asset, maxRecent)
	if err != nil {
		return s, err
	}
	s.recent, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Reading, error) { return scanReading(row) })
	return s, err
}

func scanReading(row pgx.Row) (r Reading, err error) {
	err = row.Scan(&r.ID, &r.On, &r.No, &r.Meter, &r.Run, &r.Replaced, &r.Reason, &r.RecordedAt)
	return r, err
}

// with gives the recent readings with one more.
func (s surroundings) with(r Reading) []Reading {
	at, _ := slices.BinarySearchFunc(s.recent, r, compareReadings)
	return slices.Insert(slices.Clone(s.recent), at, r)
}

// Place is where a page of a history begins: after the row of the day and number.
type Place struct {
	On time.Time
	No int64
}

// readings gives up to limit readings of the asset before the place, the latest first.
func readings(ctx context.Context, tx *pg.Tx, asset uuid.UUID, before Place, limit int) ([]Reading, error) {
	rows, err := tx.Query(ctx, `SELECT `+readingColumns+` FROM asset_reading
		WHERE tenant_id = $1 AND asset_id = $2 AND (read_on, no) < ($3, $4) ORDER BY read_on DESC, no DESC LIMIT $5`,
		tx.Tenant(), asset, before.On, before.No, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Reading, error) { return scanReading(row) })
}

// services gives up to limit services of the asset before the place, the latest first.
func services(ctx context.Context, tx *pg.Tx, asset uuid.UUID, before Place, limit int) ([]Service, error) {
	rows, err := tx.Query(ctx, `SELECT id, serviced_on, no, meter, work, recorded_at FROM asset_service
		WHERE tenant_id = $1 AND asset_id = $2 AND (serviced_on, no) < ($3, $4) ORDER BY serviced_on DESC, no DESC LIMIT $5`,
		tx.Tenant(), asset, before.On, before.No, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Service, err error) {
		err = row.Scan(&s.ID, &s.On, &s.No, &s.Meter, &s.Work, &s.RecordedAt)
		return s, err
	})
}

// Held is a customer's time with an asset.
type Held struct {
	Ownership
	AssetID uuid.UUID
	Type    Type
	Product string
	Asset   *Asset // while it is the customer's
}

// held gives up to limit times with assets of the group, begun before the given one, the latest first; those that are
// over only if all are asked for.
func held(ctx context.Context, tx *pg.Tx, group []uuid.UUID, all bool, before uuid.UUID, limit int) ([]Held, error) {
	rows, err := tx.Query(ctx, `SELECT w.id, w.customer_id, w.name, w.purchased_on, w.since, w.until, w.given_up, a.id, a.type, a.product
		FROM unnest($2::uuid[]) g(id)
		JOIN LATERAL (SELECT * FROM asset_owner WHERE tenant_id = $1 AND customer_id = g.id AND id < $4 AND ($3 OR until IS NULL)
			ORDER BY id DESC LIMIT $5) w ON true
		JOIN LATERAL (SELECT id, type, product FROM asset WHERE tenant_id = $1 AND id = w.asset_id LIMIT 1) a ON true
		ORDER BY w.id DESC LIMIT $5`, tx.Tenant(), group, all, before, limit)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Held, err error) {
		var bought, until *time.Time
		err = row.Scan(&h.ID, &h.Customer, &h.Name, &bought, &h.Since, &until, &h.GivenUp, &h.AssetID, &h.Type, &h.Product)
		h.Root, h.PurchasedOn, h.Until = group[0], orZero(bought), orZero(until)
		return h, err
	})
	if err != nil {
		return nil, err
	}
	var present []uuid.UUID
	for _, h := range found {
		if h.GivenUp == "" {
			present = append(present, h.AssetID)
		}
	}
	assets, err := collect(tx.Query(ctx, `SELECT `+columns+` FROM asset a `+around+` WHERE a.tenant_id = $1 AND a.id = ANY($2)`, tx.Tenant(), present))
	for n, h := range found {
		if at := slices.IndexFunc(assets, func(a Asset) bool { return h.GivenUp == "" && a.ID == h.AssetID }); at >= 0 {
			found[n].Asset = &assets[at]
		}
	}
	return found, err
}

// Erase removes that the customers have or had assets, with what they called them, and the serials of those that are
// nobody else's now: a VIN leads to a person. What was done to the assets stays. It says how many rows; it can be repeated.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	var ownerships, serials int64
	err := tx.QueryRow(ctx, `WITH gone AS (
			DELETE FROM asset_owner WHERE tenant_id = $1 AND customer_id = ANY($2) RETURNING asset_id, given_up
		), blanked AS (
			UPDATE asset SET serial = '', version = version + 1 WHERE tenant_id = $1 AND serial <> ''
				AND id = ANY(ARRAY(SELECT asset_id FROM gone WHERE given_up IN ('', 'scrapped'))) RETURNING 1
		)
		SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM blanked)`, tx.Tenant(), customers).Scan(&ownerships, &serials)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"asset_owners": ownerships, "asset_serials": serials}, nil
}

// Portable gives what the customer has and had, by all ids that mean the customer, for the customer to take along.
func Portable(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
	const owned = `(SELECT o.*, a.type, a.product, a.serial FROM asset_owner o JOIN asset a ON a.tenant_id = o.tenant_id AND a.id = o.asset_id)`
	return customer.Rows(ctx, tx, group, owned, "customer_id", "id")
}
