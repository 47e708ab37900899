package portrait

import (
	"context"
	"time"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// Portraits keeps portraits up to what facts say.
type Portraits struct {
	db, ops *pg.DB
	outbox  *outbox.Outbox
	clock   func() time.Time
	follows []Follow
	wake    chan struct{}
}

// New makes Portraits. After each reckoning follows are called in their order, in the same transaction. db is of the app
// role, ops of the ops role.
func New(db, ops *pg.DB, o *outbox.Outbox, clock func() time.Time, follows ...Follow) *Portraits {
	return &Portraits{db: db, ops: ops, outbox: o, clock: clock, follows: follows, wake: make(chan struct{}, 1)}
}

// Wake tells that something is due. It does not wait.
func (p *Portraits) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Pass reckons some of what is due, of each tenant, and gives how many customers that were: 0 when nothing is due.
func (p *Portraits) Pass(context.Context) (customers int, err error) { return 0, nil }
