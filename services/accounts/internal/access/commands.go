package access

import (
	"context"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Log is the record of who looked at sensitive data.
type Log struct {
	db    *pg.DB
	clock func() time.Time
}

// NewLog makes the log on the service's database.
func NewLog(db *pg.DB, clock func() time.Time) *Log { return &Log{db: db, clock: clock} }

// Record writes the caller's looks into the log of tx's tenant: call it in the transaction that reads what is looked at, and
// answer when that has been committed only. Looks at nothing sensitive are left out, and cost nothing. Otherwise it is one
// round trip, and the tenant's log is locked until the transaction ends.
func (l *Log) Record(ctx context.Context, tx *pg.Tx, s Sight, looks ...Look) error {
	if entries, _ := (head{}).append("", "", s, time.Time{}, looks); len(entries) == 0 {
		return nil
	}
	h, err := lockHead(ctx, tx)
	if err != nil {
		return err
	}
	who, _ := auth.From(ctx)
	entries, h := h.append(tx.Tenant(), who.Subject, s, l.clock().UTC().Truncate(time.Microsecond), looks)
	insert(tx, entries)
	moveHead(tx, h)
	return nil
}
