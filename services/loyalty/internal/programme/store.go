package programme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a programme that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "programme_not_found", "There is no such programme.")

var errNoVersion = problem.New(problem.NotFound, "version_not_found", "The programme has no such version.")

// known are the terms that were read in this process, by their versions' ids: a version's terms never change.
var known sync.Map

// BookOf queues the reading of all programmes of the transaction's tenant; the book is filled in by the next round trip.
func BookOf(tx *pg.Tx) *Book {
	b := &Book{}
	tx.Queue(`SELECT p.code, p.name, p.zone, v.no, v.effective_from, v.id, v.terms
		FROM programme p JOIN programme_version v ON v.tenant_id = p.tenant_id AND v.programme = p.code AND v.withdrawn_at IS NULL
		WHERE p.tenant_id = $1 ORDER BY p.code, v.effective_from, v.no`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := b.read(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	return b
}

// read puts a version in.
func (b *Book) read(row pgx.Rows) error {
	var (
		id               uuid.UUID
		code, name, zone string
		v                version
		written          []byte
	)
	if err := row.Scan(&code, &name, &zone, &v.no, &v.from, &id, &written); err != nil {
		return err
	}
	if terms, there := known.Load(id); there {
		v.terms, _ = terms.(Terms)
	} else {
		if err := json.Unmarshal(written, &v.terms); err != nil {
			return fmt.Errorf("programme %s, version %d: %w", code, v.no, err)
		}
		known.Store(id, v.terms)
	}
	if b.programmes == nil {
		b.programmes = make(map[string]*entry)
	}
	e := b.programmes[code]
	if e == nil {
		at, err := time.LoadLocation(zone)
		if err != nil {
			return fmt.Errorf("programme %s: %w", code, err)
		}
		e = &entry{name: name, zone: at}
		b.programmes[code] = e
	}
	e.versions = append(e.versions, v)
	return nil
}

const storedColumns = `v.id, p.code, p.name, p.zone, v.no, v.effective_from, v.terms, v.by_subject, v.created_at, v.withdrawn_at,
	(SELECT max(l.no) FROM programme_version l WHERE l.tenant_id = p.tenant_id AND l.programme = p.code)`

const storedFrom = ` FROM programme_version v JOIN programme p ON p.tenant_id = v.tenant_id AND p.code = v.programme WHERE v.tenant_id = $1 `

func scanStored(row pgx.Row) (s Stored, err error) {
	var (
		zone      string
		written   []byte
		withdrawn *time.Time
	)
	err = row.Scan(&s.id, &s.Code, &s.Name, &zone, &s.Version, &s.From, &written, &s.By, &s.CreatedAt, &withdrawn, &s.Latest)
	if errors.Is(err, pgx.ErrNoRows) {
		return Stored{}, errNoVersion
	}
	if err != nil {
		return Stored{}, err
	}
	s.From, s.CreatedAt = s.From.UTC(), s.CreatedAt.UTC()
	if withdrawn != nil {
		s.Withdrawn = withdrawn.UTC()
	}
	if s.Zone, err = time.LoadLocation(zone); err != nil {
		return Stored{}, fmt.Errorf("programme %s: %w", s.Code, err)
	}
	if err := json.Unmarshal(written, &s.Terms); err != nil {
		return Stored{}, fmt.Errorf("programme %s, version %d: %w", s.Code, s.Version, err)
	}
	return s, nil
}

func findVersion(ctx context.Context, tx *pg.Tx, code string, no int) (Stored, error) {
	return scanStored(tx.QueryRow(ctx, `SELECT `+storedColumns+storedFrom+`AND v.programme = $2 AND v.no = $3`, tx.Tenant(), code, no))
}

func findByID(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Stored, error) {
	return scanStored(tx.QueryRow(ctx, `SELECT `+storedColumns+storedFrom+`AND v.id = $2`, tx.Tenant(), id))
}

// listVersions gives up to limit versions before the one of a number, the latest first; 0: from the latest on.
func listVersions(ctx context.Context, tx *pg.Tx, code string, before, limit int) ([]Stored, error) {
	rows, err := tx.Query(ctx, `SELECT `+storedColumns+storedFrom+`AND v.programme = $2 AND ($3 = 0 OR v.no < $3) ORDER BY v.no DESC LIMIT $4`,
		tx.Tenant(), code, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Stored, error) { return scanStored(row) })
}

// lockProgramme keeps everybody else from writing versions of a programme until the transaction ends, and gives the latest one.
func lockProgramme(ctx context.Context, tx *pg.Tx, code string) (Stored, error) {
	tx.Queue(`SELECT 1 FROM programme WHERE tenant_id = $1 AND code = $2 FOR UPDATE`, tx.Tenant(), code)
	s, err := scanStored(tx.QueryRow(ctx, `SELECT `+storedColumns+storedFrom+`AND v.programme = $2 ORDER BY v.no DESC LIMIT 1`, tx.Tenant(), code))
	if errors.Is(err, errNoVersion) {
		err = errNotFound
	}
	return s, err
}

// latestOf gives the number of a programme's latest version; 0 where it has none.
func latestOf(ctx context.Context, tx *pg.Tx, code string) (no int, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce(max(no), 0) FROM programme_version WHERE tenant_id = $1 AND programme = $2`, tx.Tenant(), code).Scan(&no)
	return no, err
}

func countProgrammes(ctx context.Context, tx *pg.Tx) (n int, err error) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('programmes/' || $1, 0))`, tx.Tenant()) // so that no two are the last one
	err = tx.QueryRow(ctx, `SELECT count(*) FROM programme WHERE tenant_id = $1`, tx.Tenant()).Scan(&n)
	return n, err
}

func insertProgramme(tx *pg.Tx, s Stored) {
	tx.Queue(`INSERT INTO programme (tenant_id, code, name, zone, by_subject, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), s.Code, s.Name, s.Zone.String(), s.By, s.CreatedAt)
}

func insertVersion(tx *pg.Tx, s Stored) error {
	written, err := json.Marshal(s.Terms)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO programme_version (tenant_id, programme, no, id, effective_from, terms, by_subject, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, tx.Tenant(), s.Code, s.Version, s.id, s.From, written, s.By, s.CreatedAt)
	return nil
}

func withdraw(tx *pg.Tx, code string, no int, at time.Time) {
	tx.Queue(`UPDATE programme_version SET withdrawn_at = $4 WHERE tenant_id = $1 AND programme = $2 AND no = $3`, tx.Tenant(), code, no, at)
}
