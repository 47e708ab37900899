package contact

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/activities/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Register registers the activity that other services ask for under the name of its request.
func (c *Contacts) Register(r worker.Registry) {
	r.RegisterActivityWithOptions(c.Resolve, activity.RegisterOptions{Name: flow.ActivityName(&accountsactivitiesv1.ResolveContact{})})
}

// Resolve says whether and by which channel a customer may be reached. See the contract of ResolveContact.
func (c *Contacts) Resolve(ctx context.Context, in *accountsactivitiesv1.ResolveContact) (*accountsactivitiesv1.ResolveContactResult, error) {
	q, err := read(in)
	if err != nil {
		return nil, err
	}
	answer, err := c.resolve(ctx, q)
	if name, _ := pg.Constraint(err); name == "contact_log_key" {
		answer, err = c.resolve(ctx, q) // somebody asked with this key at the same time: now their answer is seen
	}
	if err != nil {
		return nil, err
	}
	return answer.result(), nil
}

func (c *Contacts) resolve(ctx context.Context, q Question) (answer Contact, err error) {
	_, err = c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		answer, err = find(ctx, tx, q.Key)
		switch {
		case err == nil:
			return pg.Result{}, answer.same(q)
		case !errors.Is(err, errNotFound):
			return pg.Result{}, err
		}
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		if answer, err = c.decide(ctx, tx, q); err == nil {
			insert(tx, answer)
		}
		return pg.Result{}, err
	})
	return answer, err
}

// decide answers a question that was not asked before.
func (c *Contacts) decide(ctx context.Context, tx *pg.Tx, q Question) (Contact, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Contact{}, err
	}
	caller, _ := auth.From(ctx)
	now := c.now()
	ref, err := customer.Hold(ctx, tx, q.Customer)
	if refusal := nobody(err); refusal != "" {
		return q.answer(id, caller.Subject, now, refusal, "", nil), nil
	}
	if err != nil {
		return Contact{}, err
	}
	all, standing, err := c.ways(ctx, tx, ref, q.Channel, now)
	if err != nil {
		return Contact{}, err
	}
	choice, refusal := Choose(q.Purpose, all, standing)
	hash, err := c.hashes.Of(tx.Tenant(), choice.Address)
	return q.answer(id, caller.Subject, now, refusal, choice.Channel, hash), err
}

// nobody tells an error that says that there is no such customer from others.
func nobody(err error) Refusal {
	switch problem.KindOf(err) {
	case problem.NotFound:
		return CustomerUnknown
	case problem.Gone:
		return CustomerErased
	default:
		return ""
	}
}
