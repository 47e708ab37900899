package customer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Get gives a customer of the caller's tenant, by an id that means the customer, to a caller who sees what s says.
func (c *Customers) Get(ctx context.Context, s access.Sight, id uuid.UUID) (Customer, error) {
	var found Customer
	err := c.look(ctx, s, func(tx *pg.Tx) (err error) {
		found, err = Read(ctx, tx, id)
		return err
	}, func() []Customer { return []Customer{found} })
	return found, err
}

// List gives up to limit customers after the one of the given id (nil UUID: from the first), in the order of
// registration; those who are active or archived where state is empty.
func (c *Customers) List(ctx context.Context, s access.Sight, state State, after uuid.UUID, limit int) ([]Customer, error) {
	var page []Customer
	err := c.look(ctx, s, func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, state, after, limit)
		return err
	}, func() []Customer { return page })
	return page, err
}

// look reads customers, or queues their reading, and writes down whose sensitive fields are in sight then. Where none can
// be, what is queued travels with the end of the transaction.
func (c *Customers) look(ctx context.Context, s access.Sight, read func(tx *pg.Tx) error, found func() []Customer) error {
	if len(s.Sensitive()) == 0 {
		return c.db.Read(ctx, auth.Tenant(ctx), read)
	}
	return c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if err := errors.Join(read(tx), tx.Flush(ctx)); err != nil {
			return err
		}
		var looks []access.Look
		for _, one := range found() {
			looks = append(looks, access.Look{View: "customer", Customer: one.ID, Classes: one.seen(s)})
		}
		return c.looks.Record(ctx, tx, s, looks...)
	})
}

// seen lists the classes of the customer's custom fields that are in sight.
func (c Customer) seen(s access.Sight) []access.Class {
	var out []access.Class
	for _, class := range c.Classes {
		if s.May(class) && !slices.Contains(out, class) {
			out = append(out, class)
		}
	}
	slices.Sort(out)
	return out
}

// Found is a customer whom a lookup found, and why it stands where it does.
type Found struct {
	Customer
	Why Why
}

// Why says what speaks for a customer who was looked up.
type Why string

// What speaks for a customer, the likeliest first.
const (
	WhyVerified   Why = "verified"   // the identity was shown to be theirs
	WhyUnverified Why = "unverified" // they have it
	WhyEnded      Why = "ended"      // they had it
	WhyArchived   Why = "archived"   // they have or had it, and are out of the way
)

func why(s State, valid, verified bool) Why {
	switch {
	case s == Archived:
		return WhyArchived
	case !valid:
		return WhyEnded
	case verified:
		return WhyVerified
	default:
		return WhyUnverified
	}
}

// maxFound bounds what a lookup answers: a number that more customers share tells nothing about who is calling.
const maxFound = 20

// Lookup gives up to 20 customers who are recognised by the identity, the likeliest first: by Why, then those for whom it
// was verified, or to whom it was given, last. With ended also those who had an identity that is one customer's only.
// The value is brought to its one form as on writing; one that has none is Unprocessable, and a tenant that was never made
// NotFound. Where somebody is found and nothing sensitive is in sight it is one round trip, and a second one for a telephone
// number that does not name its country.
func (c *Customers) Lookup(ctx context.Context, s access.Sight, kind, value string, ended bool) ([]Found, error) {
	var found []Found
	err := c.look(ctx, s, func(tx *pg.Tx) error {
		i, err := recognise(ctx, tx, kind, value)
		if err != nil {
			return err
		}
		queueLookup(tx, i, ended, maxFound, &found)
		return nil
	}, func() []Customer {
		customers := make([]Customer, len(found))
		for n, f := range found {
			customers[n] = f.Customer
		}
		return customers
	})
	if err == nil && len(found) == 0 { // nor is anybody found of a tenant that is not there
		err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
			_, err := tenant.Region(ctx, tx)
			return err
		})
	}
	return found, err
}

// recognise brings an identity that is looked up to its one form, and asks where the tenant is only where that matters.
func recognise(ctx context.Context, tx *pg.Tx, kind, value string) (identity.Identity, error) {
	i, fault := identity.Normalise(kind, value, "")
	if fault == nil {
		return i, nil
	}
	region, err := tenant.Region(ctx, tx)
	if err != nil {
		return identity.Identity{}, err
	}
	if i, fault = identity.Normalise(kind, value, region); fault != nil {
		return identity.Identity{}, problem.New(problem.Unprocessable, "identity_invalid",
			"This cannot be looked up: mend the parameter named here.").WithField("query."+fault.Field, fault.Code, fault.Message)
	}
	return i, nil
}

// History gives up to limit entries of the history of a customer's stages, the latest first, from before the given moment
// (zero: from the latest) of the given id on.
func (c *Customers) History(ctx context.Context, id uuid.UUID, before time.Time, of uuid.UUID, limit int) ([]Move, error) {
	var moves []Move
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		moves, err = history(ctx, tx, ref.Group(), before, of, limit)
		return err
	})
	return moves, err
}

// Count gives the number of the tenant's customers, archived ones included.
func (c *Customers) Count(ctx context.Context) (int64, error) {
	var n int64
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM customer WHERE tenant_id = $1 AND state IN ('active', 'archived')`, tx.Tenant()).Scan(&n)
	})
	return n, err
}
