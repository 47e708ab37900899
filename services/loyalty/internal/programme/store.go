package programme

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// known are the terms that were read in this process. A version's terms never change, so they are read once.
var known sync.Map // of termsKey to Terms

type termsKey struct {
	tenant, programme string
	no                int
	created           time.Time // tells a version from one of the same number in another database
}

// BookOf queues the reading of all programmes of the transaction's tenant; the book is filled in by the next round trip.
func BookOf(tx *pg.Tx) *Book {
	b := &Book{}
	tx.Queue(`SELECT p.code, p.name, p.zone, v.no, v.effective_from, v.created_at, v.terms
		FROM programme p JOIN programme_version v ON v.tenant_id = p.tenant_id AND v.programme = p.code AND v.withdrawn_at IS NULL
		WHERE p.tenant_id = $1 ORDER BY p.code, v.effective_from, v.no`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := b.read(tx.Tenant(), rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	return b
}

// read puts a version in.
func (b *Book) read(tenant string, row pgx.Rows) error {
	var (
		code, name, zone string
		v                version
		created          time.Time
		written          []byte
	)
	if err := row.Scan(&code, &name, &zone, &v.no, &v.from, &created, &written); err != nil {
		return err
	}
	key := termsKey{tenant, code, v.no, created.UTC()}
	if terms, there := known.Load(key); there {
		v.terms, _ = terms.(Terms)
	} else {
		if err := json.Unmarshal(written, &v.terms); err != nil {
			return fmt.Errorf("programme %s, version %d: %w", code, v.no, err)
		}
		known.Store(key, v.terms)
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
