package policy

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
)

// Policies is what can be done with policies.
type Policies struct{ db *pg.DB }

// New makes the capability.
func New(db *pg.DB) *Policies { return &Policies{db: db} }

// Get gives the policy of the caller's tenant, with its menu.
func (p *Policies) Get(ctx context.Context) (found Policy, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		at := Of(tx)
		err := tx.Flush(ctx)
		found = *at
		return err
	})
	return found, err
}

// Set puts a policy in the place of the present one, if that still is as the caller saw it: fresh is asked with the
// version. It holds for the steps that begin after it; the menu stays.
func (p *Policies) Set(ctx context.Context, to Policy, fresh func(version int64) error) (Policy, error) {
	if faults := to.Check(); len(faults) > 0 {
		return Policy{}, problem.InvalidBody("policy_invalid", "The policy was not accepted: mend the fields named here.", faults)
	}
	err := p.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		lock(tx)
		was := Of(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		if to.LegalCalendarID != uuid.Nil {
			if _, err := calendar.Hold(ctx, tx, to.LegalCalendarID); err != nil {
				return err
			}
		}
		to.Version, to.Menu = was.Version+1, was.Menu
		save(tx, to)
		return nil
	})
	return to, err
}

// SetMenu puts a menu in the place of the present one, as Set does with a policy. What was proposed before stays as it was.
func (p *Policies) SetMenu(ctx context.Context, to Menu, fresh func(version int64) error) (Menu, error) {
	if faults := to.Check(); len(faults) > 0 {
		return Menu{}, problem.InvalidBody("menu_invalid", "The menu was not accepted: mend the fields named here.", faults)
	}
	err := p.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		lock(tx)
		was := Of(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if err := fresh(was.Menu.Version); err != nil {
			return err
		}
		to.Version = was.Menu.Version + 1
		saveMenu(tx, to)
		return nil
	})
	return to, err
}
