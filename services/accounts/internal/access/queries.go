package access

import (
	"bytes"
	"context"
	"math"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// List gives up to limit entries of the log that come before the one of the given number, the latest first.
func (l *Log) List(ctx context.Context, f Filter, before int64, limit int) ([]Entry, error) {
	var page []Entry
	err := l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, f, before, limit)
		return err
	})
	return page, err
}

// theEnd comes after every entry.
const theEnd = math.MaxInt64

// chunk is how many entries are checked in one transaction: some tens of milliseconds.
const chunk = 5000

// Proof is where a log ended when it was checked. Kept in another place, it shows later that nothing up to there was
// written anew.
type Proof struct {
	Entries int64
	Hash    []byte // of the last entry; empty where there is none
}

// Verify walks the tenant's log from its first entry to where it ended at the beginning of the check, and gives that end
// and the first break; nil where all is as it was written. With an earlier proof it also checks that the log goes on from
// there.
func (l *Log) Verify(ctx context.Context, earlier Proof) (Proof, *Break, error) {
	tenant := auth.Tenant(ctx)
	var stated head
	var last int64
	err := l.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
		stated, last, err = end(ctx, tx)
		return err
	})
	if err != nil {
		return Proof{}, nil, err
	}
	proof := Proof{stated.entries, stated.hash}
	at := head{}
	for at.entries < stated.entries {
		var entries []Entry
		err := l.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
			entries, err = following(ctx, tx, at.entries+1, int(min(chunk, stated.entries-at.entries)))
			return err
		})
		if err != nil {
			return Proof{}, nil, err
		}
		if len(entries) == 0 {
			return proof, &Break{at.entries + 1, TailCut}, nil
		}
		var broken *Break
		if at, broken = at.follow(tenant, entries); broken != nil {
			return proof, broken, nil
		}
		if n := at.entries - earlier.Entries; earlier.Entries > 0 && n >= 0 && n < int64(len(entries)) &&
			!bytes.Equal(entries[int64(len(entries))-1-n].Hash, earlier.Hash) {
			return proof, &Break{earlier.Entries, Rewritten}, nil
		}
	}
	switch {
	case !bytes.Equal(at.hash, stated.hash):
		return proof, &Break{stated.entries, HeadChanged}, nil
	case last > stated.entries && stated.entries == 0:
		return proof, &Break{0, HeadChanged}, nil
	case last > stated.entries:
		return proof, &Break{stated.entries + 1, Unaccounted}, nil
	case earlier.Entries > stated.entries:
		return proof, &Break{stated.entries + 1, TailCut}, nil
	}
	return proof, nil, nil
}
