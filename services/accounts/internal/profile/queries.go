package profile

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/timeline"
)

// view names the profile in the log of looks.
const view = "profile"

// Profiles shows customers whole.
type Profiles struct {
	db       *pg.DB
	looks    *access.Log
	consents *consent.Consents
	clock    func() time.Time

	contacts []string // entries of timelines by which customer and organisation were in touch
}

// New makes Profiles on the service's database. Looks at sensitive data are written to looks.
func New(db *pg.DB, looks *access.Log, consents *consent.Consents, clock func() time.Time) *Profiles {
	return &Profiles{db: db, looks: looks, consents: consents, clock: clock, contacts: timeline.Contacts()}
}

var (
	errNotFound = problem.New(problem.NotFound, "customer_not_found", "There is no such customer.")
	errErased   = problem.New(problem.Gone, "customer_erased", "The customer was erased: nothing is known of them any more.")
)

// get gives what is in sight of a customer whose telephone, as it was typed, may be calling, in one statement. It is one round
// trip where nothing sensitive is in sight, and a second one where the tenant has addresses that must not be used, which are
// known by their hashes alone; a look at what is sensitive is logged in the same transaction, and nothing is given unless that
// succeeds.
func (p *Profiles) get(ctx context.Context, s access.Sight, id uuid.UUID, typed string, now time.Time) (record, error) {
	var r record
	var found bool
	settle := func() error {
		switch {
		case !found:
			return errNotFound
		case r.state == string(customer.Erased):
			return errErased
		}
		return r.rings(typed)
	}
	if len(s.Sensitive()) == 0 {
		err := p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
			p.read(tx, s, id, now, &r, &found)
			return nil
		})
		if err == nil {
			err = settle()
		}
		if err == nil && r.suppressed {
			err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error { return p.suppress(ctx, tx, &r) })
		}
		return r, err
	}
	err := p.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		p.read(tx, s, id, now, &r, &found)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if err := settle(); err != nil {
			return err
		}
		if r.suppressed {
			if err := p.suppress(ctx, tx, &r); err != nil {
				return err
			}
		}
		return p.looks.Record(ctx, tx, s, r.looks(s)...)
	})
	return r, err
}

// suppress reads which of the customer's addresses must not be used.
func (p *Profiles) suppress(ctx context.Context, tx *pg.Tx, r *record) (err error) {
	r.consents.Suppressions, err = p.consents.Suppressions(ctx, tx, r.reachable())
	return err
}
