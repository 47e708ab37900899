package conversion

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

// matchMost is how many leads one pass asks about.
const matchMost = 50

// Match asks accounts once of each lead that came in whether it may be a customer, and notes who. A lead that has a telephone or a
// mailbox that was shown to be that of the only customer who matches is known to be that customer, and gets what it does not say
// itself: the country, and whoever looks after the customer. It may be called in any number of processes.
func (c *Conversions) Match(ctx context.Context) error {
	for {
		due, err := lead.Unchecked(ctx, c.db, matchMost)
		if err != nil {
			return fmt.Errorf("leads to be checked: %w", err)
		}
		for _, one := range due {
			ctx := auth.With(ctx, auth.Principal{Subject: "process:lead_matching", Tenant: one.Tenant})
			if err := c.match(ctx, one.ID); err != nil {
				if says(err, "lead_not_found") {
					continue
				}
				return fmt.Errorf("lead %s of %s: %w", one.ID, one.Tenant, err)
			}
		}
		if len(due) < matchMost {
			return nil
		}
	}
}

func (c *Conversions) match(ctx context.Context, id uuid.UUID) error {
	var l lead.Lead
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		l, err = lead.Get(ctx, tx, id)
		return err
	})
	if err != nil {
		return err
	}
	candidates, sure, err := c.candidates(ctx, l)
	if err != nil {
		return err
	}
	_, err = c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		now, err := lead.Lock(ctx, tx, id)
		if err != nil || !now.CustomerCheckedAt.IsZero() || !now.ErasedAt.IsZero() || now.Contact != l.Contact {
			return pg.Result{}, err // somebody was faster, or it is about somebody else now: the next pass asks again
		}
		customer := now.CustomerID
		if customer == uuid.Nil {
			customer = sure.CustomerID
		}
		if customer == sure.CustomerID && customer != uuid.Nil {
			now = enriched(now, sure)
		}
		now = lead.SetCustomerIn(tx, now, customer, candidates, c.now())
		if sure.Owner == "" || now.Owner != "" || customer != sure.CustomerID || !now.State.Working() {
			return pg.Result{}, nil
		}
		events, err := c.leads.AssignIn(ctx, tx, now, now.Team, sure.Owner, "customer", c.now())
		if err != nil {
			return pg.Result{}, err
		}
		return pg.Result{}, c.outbox.Append(ctx, tx, events...)
	})
	return err
}

// candidates gives who the lead may be, and the one whom it is for sure, if there is such a one.
func (c *Conversions) candidates(ctx context.Context, l lead.Lead) (all []lead.Candidate, sure customer, err error) {
	var asked []somebody
	if company, is := companyOf(l); is {
		asked = append(asked, company)
	}
	if who, is := personOf(l); is {
		asked = append(asked, who)
	}
	for _, who := range asked {
		found, err := c.accounts.candidates(ctx, who)
		var wrong *problem.Error
		if errors.As(err, &wrong) && wrong.Kind == problem.Unprocessable {
			continue // accounts cannot read what stands there: nobody is found by it
		}
		if err != nil {
			return nil, customer{}, err
		}
		all = append(all, found...)
	}
	if len(all) != 1 {
		return all, customer{}, nil
	}
	found, err := c.accounts.get(ctx, all[0].CustomerID)
	if kind := problem.KindOf(err); kind == problem.NotFound || kind == problem.Gone {
		return nil, customer{}, nil
	}
	if err != nil || !found.verified(reached(l)) {
		return all, customer{}, err
	}
	return all, found, nil
}

// enriched gives the lead with what the customer tells and it does not say itself.
func enriched(l lead.Lead, of customer) lead.Lead {
	for _, a := range of.Addresses {
		if l.Country == "" {
			l.Country = a.Country
		}
	}
	return l
}
