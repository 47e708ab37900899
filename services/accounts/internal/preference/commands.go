package preference

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Preferences is what can be done with preferences.
type Preferences struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Preferences { return &Preferences{db: db, clock: clock} }

var errNotFound = problem.New(problem.NotFound, "preference_not_found", "Nothing is known of this preference.")

// Set states a preference, and gives all that is stated of its key afterwards. What was stated later stays: so repeated
// and late statements do no harm, and no version is asked for.
func (c *Preferences) Set(ctx context.Context, p Preference) (told Stated, err error) {
	caller, _ := auth.From(ctx)
	p.RecordedBy = caller.Subject
	p, faults := p.Check(c.clock().UTC().Truncate(time.Microsecond))
	if len(faults) > 0 {
		return Stated{}, problem.InvalidBody("preference_invalid", "Nothing was kept: mend the fields named here.", faults)
	}
	_, err = c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		ref, err := customer.Hold(ctx, tx, p.Customer)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		save(tx, p)
		all, err := stated(ctx, tx, ref.Group(), p.Key)
		told = Stated{Root: ref.Root, All: all}
		return pg.Result{Status: http.StatusOK}, err
	})
	return told, err
}

// Remove forgets what all ids of a customer state of a key, of one source where it is not empty.
func (c *Preferences) Remove(ctx context.Context, id uuid.UUID, key string, source Source) error {
	_, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		ref, err := customer.Hold(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		n, err := remove(ctx, tx, ref.Group(), key, source)
		if err == nil && n == 0 {
			err = errNotFound
		}
		return pg.Result{Status: http.StatusNoContent}, err
	})
	return err
}
