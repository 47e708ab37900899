package contact

import (
	"bytes"
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/preference"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Contacts is how customers are reached.
type Contacts struct {
	db       *pg.DB
	consents *consent.Consents
	hashes   consent.Hashes
	clock    func() time.Time
}

// New makes the capability.
func New(db *pg.DB, consents *consent.Consents, hashes consent.Hashes, clock func() time.Time) *Contacts {
	return &Contacts{db: db, consents: consents, hashes: hashes, clock: clock}
}

// ways gives the ways to reach a customer, in the order in which they are tried, and what holds of consent.
func (c *Contacts) ways(ctx context.Context, tx *pg.Tx, ref customer.Ref, asked consent.Channel, at time.Time) ([]Choice, consent.Standing, error) {
	known, err := addresses(ctx, tx, ref.Group(), at)
	if err != nil {
		return nil, consent.Standing{}, err
	}
	prefers, err := preference.Of(ctx, tx, ref.Group())
	if err != nil {
		return nil, consent.Standing{}, err
	}
	var preferred consent.Channel
	for _, p := range prefers {
		if p.Key == preference.ContactChannel {
			preferred = consent.Channel(p.Value)
		}
	}
	history, err := c.consents.Load(ctx, tx, ref, known)
	return choices(asked, preferred, known), history.Standing(ref.Root, at), err
}

// Address is what a message is delivered to.
type Address struct {
	Contact uuid.UUID
	Choice
}

// Reveal gives the address of a contact, once. Whether the customer may be reached is looked at again, since they may have
// said no in the meantime. Every attempt is kept, also one that gives nothing.
func (c *Contacts) Reveal(ctx context.Context, id uuid.UUID) (Address, error) {
	found, outcome, err := c.reveal(ctx, id)
	if name, _ := pg.Constraint(err); name == "contact_reveal_once" {
		found, outcome, err = c.reveal(ctx, id) // somebody was given it at the same time: now that is seen
	}
	if err == nil {
		err = outcome.problem()
	}
	if err != nil {
		return Address{}, err
	}
	return Address{Contact: id, Choice: found}, nil
}

func (c *Contacts) reveal(ctx context.Context, id uuid.UUID) (found Choice, outcome Outcome, err error) {
	caller, _ := auth.From(ctx)
	try, err := uuid.NewV7()
	if err != nil {
		return Choice{}, "", err
	}
	_, err = c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		asked, err := get(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		now := c.now()
		if outcome = asked.fetchable(now); outcome == Given {
			if found, outcome, err = c.still(ctx, tx, asked, now); err != nil {
				return pg.Result{}, err
			}
		}
		attempt(tx, id, try, caller.Subject, now, outcome)
		return pg.Result{}, nil
	})
	return found, outcome, err
}

// still finds the address of the contact among those that the customer has now, and asks again whether it may be used.
func (c *Contacts) still(ctx context.Context, tx *pg.Tx, asked Contact, now time.Time) (Choice, Outcome, error) {
	ref, err := customer.Hold(ctx, tx, asked.Customer)
	if refusal := nobody(err); refusal != "" {
		return Choice{}, Outcome(refusal), nil
	}
	if err != nil {
		return Choice{}, "", err
	}
	all, standing, err := c.ways(ctx, tx, ref, asked.By, now)
	if err != nil {
		return Choice{}, "", err
	}
	for _, one := range all {
		hash, err := c.hashes.Of(tx.Tenant(), one.Address)
		switch {
		case err != nil:
			return Choice{}, "", err
		case !bytes.Equal(hash, asked.AddressHash):
			continue
		}
		if refusal := standing.Refusal(one.key(asked.Purpose)); refusal != "" {
			return Choice{}, Outcome(refusal), nil
		}
		return one, Given, nil
	}
	return Choice{}, AddressGone, nil
}

// now is cut to what the database keeps.
func (c *Contacts) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }
