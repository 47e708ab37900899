package outbox

import (
	"context"
	"time"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

const (
	// channel is what relays listen on, each in its own database.
	channel = "guanxi_outbox"
	// debounce gathers the commits for which one notification is sent.
	debounce      = 5 * time.Millisecond
	notifyTimeout = 2 * time.Second
)

// wakeAfter lets a relay know after the commit of tx.
func (o *Outbox) wakeAfter(tx *pg.Tx) {
	db := tx.DB()
	tx.OnCommit(func() {
		if o.relays.Load() > 0 {
			o.wakeOne()
			return
		}
		o.notifyOthers(db)
	})
}

func (o *Outbox) wakeOne() {
	select {
	case o.wake <- struct{}{}:
	default: // every worker has a call waiting
	}
}

// notifyOthers tells relays of other processes. It is sent outside of the business transaction, where it would make all
// commits of the database wait in one queue, and is allowed to get lost: relays look by themselves too.
func (o *Outbox) notifyOthers(db *pg.DB) {
	if !o.notify.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(debounce, func() {
		o.notify.Store(false) // before it is sent: who commits from now on sends another
		ctx, cancel := context.WithTimeout(context.Background(), notifyTimeout)
		defer cancel()
		_, _ = db.Pool().Exec(ctx, "NOTIFY "+channel)
	})
}
